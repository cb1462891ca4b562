//! `claviger secrets check`: are there secrets of ours in a text? Offline, by form and checksum.

use super::{Failure, print};
use claviger_domain::secret::recognise;
use std::io::{BufRead, BufReader, Read};

/// Longest line that is looked at as one; longer ones are cut there, which could only part a secret.
const LINE_MAX: u64 = 16 << 20;

/// Reads `input` to its end and prints where secrets stand, never a secret; whether there was one.
///
/// # Errors
/// When the input cannot be read.
pub fn check(input: impl Read) -> Result<bool, Failure> {
    let mut input = BufReader::new(input);
    let (mut number, mut found, mut line) = (0, false, Vec::new());
    loop {
        line.clear();
        let read = input.by_ref().take(LINE_MAX).read_until(b'\n', &mut line);
        if read.map_err(|error| Failure(format!("standard input: {error}")))? == 0 {
            return Ok(found);
        }
        number += 1;
        for secret in recognise(number, &line) {
            found = true;
            print(&format!("{}:{}: {}\n", secret.line, secret.column, secret.hint))?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use claviger_domain::secret::PlainSecret;

    #[test]
    fn texts_with_and_without_secrets_are_told_apart() {
        let secret = PlainSecret::mint([3; 32]).reveal();
        assert!(check(format!("a\nb {secret}\n").as_bytes()).unwrap());
        assert!(!check(format!("a\nb {}\n", &secret[..54]).as_bytes()).unwrap());
        assert!(!check(&b""[..]).unwrap());
    }
}
