//! Passwords of people, by NIST SP 800-63B-4: long rather than mixed, none that are known or easy to guess, nothing cut off.
//!
//! A password in clear is a [`Password`], which can be neither printed nor copied nor serialised and is wiped when it goes. What
//! is stored is a [`PasswordHash`]. Making and comparing hashes costs time and memory on purpose and happens in `app`.

mod blocklist;
mod hash;

pub use blocklist::{Context, Weakness};
pub use hash::{Cost, PasswordHash};

use crate::{Error, Result};
use std::fmt;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroize;

/// Fewest characters where the password alone lets somebody in.
pub const MIN_ALONE: usize = 15;
/// Fewest characters where the tenant's policy asks for a second factor besides.
pub const MIN_WITH_SECOND_FACTOR: usize = 8;
/// Most characters, counted after normalisation.
pub const MAX_CHARACTERS: usize = 256;
/// Most bytes.
pub const MAX_BYTES: usize = 1_024;

/// A password in clear, in Unicode's form NFC, blanks and all.
pub struct Password(String);

impl Password {
    /// Takes a password as somebody presents it at `pointer`: bounded, so that nobody makes the server hash a book, and
    /// otherwise as it is.
    pub fn presented(pointer: &str, mut text: String) -> Result<Self> {
        if text.len() > MAX_BYTES {
            text.zeroize();
            return Err(too_long(pointer));
        }
        let composed = Self(text.nfc().collect());
        text.zeroize();
        if composed.0.len() > MAX_BYTES || composed.0.chars().count() > MAX_CHARACTERS {
            return Err(too_long(pointer));
        }
        Ok(composed)
    }

    /// Accepts it as somebody's new password: at least `fewest` characters, and none of those that are guessed first.
    pub fn must_be_acceptable(&self, pointer: &str, fewest: usize, context: &Context) -> Result<()> {
        let length = self.0.chars().count();
        if length < fewest {
            let message = format!("the password has {length} characters");
            return Err(Error::invalid(pointer, message, format!("give {fewest} to {MAX_CHARACTERS} characters")));
        }
        if self.0.chars().any(char::is_control) {
            return Err(Error::invalid(pointer, "the password holds a control character", "leave it out"));
        }
        match blocklist::weakness(&self.0, context) {
            None => Ok(()),
            Some(weakness) => Err(Error::invalid(pointer, weakness.message(), weakness.fix())),
        }
    }

    /// The bytes to hash.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

fn too_long(pointer: &str) -> Error {
    let fix = format!("give at most {MAX_CHARACTERS} characters and {MAX_BYTES} bytes");
    Error::invalid(pointer, "the password is too long", fix)
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl Drop for Password {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests;
