//! Gathers what is wrong with the members of a body, so that one answer names all of it.

use claviger_domain::{Error, FieldError, Result};
use serde::{Deserialize, Deserializer};

/// Most invalid members that one answer names: a body of a megabyte can hold half a million.
const FIELDS_MAX: usize = 256;

/// The invalid members found so far.
#[derive(Debug, Default)]
pub struct Fields {
    invalid: Vec<FieldError>,
    other: Option<Error>,
}

impl Fields {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value, or none and a note of what was wrong with it.
    pub fn take<T>(&mut self, parsed: Result<T>) -> Option<T> {
        match parsed {
            Ok(value) => return Some(value),
            Err(Error::Invalid(fields)) => {
                self.invalid.extend(fields.into_iter().take(FIELDS_MAX - self.invalid.len()));
            }
            Err(other) => self.other = self.other.take().or(Some(other)),
        }
        None
    }

    /// Notes what is wrong with the member at `pointer`.
    pub fn refuse(&mut self, pointer: &str, message: impl Into<String>, fix: impl Into<String>) {
        if self.invalid.len() < FIELDS_MAX {
            self.invalid.push(FieldError { pointer: pointer.to_owned(), message: message.into(), fix: fix.into() });
        }
    }

    /// What was built of the members, if all of them are acceptable.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn finish<T>(self, built: Option<T>) -> Result<T> {
        match (self.other, built) {
            (Some(other), _) => Err(other),
            (None, Some(built)) if self.invalid.is_empty() => Ok(built),
            (None, _) => Err(Error::Invalid(self.invalid)),
        }
    }
}

/// Reads a member that may be absent (with `#[serde(default)]`) but not `null`, because it cannot be cleared.
///
/// # Errors
/// Those of the member's type.
pub fn not_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Reads a member of a merge patch (RFC 7396) into `Some(None)` where it is `null`; with `#[serde(default)]` an absent one
/// stays `None`.
///
/// # Errors
/// Those of the member's type.
pub fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
