//! An authenticator app: codes by time, as RFC 6238 has them.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use std::time::{Duration, UNIX_EPOCH};
use tokio::time::sleep;

const STEP_SECONDS: u64 = 30;

/// An app that has read a key.
pub(crate) struct Authenticator {
    key: Vec<u8>,
}

impl Authenticator {
    /// Reads a key as it is typed.
    pub(crate) fn new(key: &str) -> Self {
        let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
        for letter in key.chars().filter(|letter| letter.is_ascii_alphanumeric()) {
            held = (held << 5) | "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(letter.to_ascii_uppercase()).unwrap() as u32;
            bits += 5;
            if bits >= 8 {
                bits -= 8;
                bytes.push((held >> bits) as u8);
                held &= (1 << bits) - 1;
            }
        }
        Self { key: bytes }
    }

    /// The code that it shows now.
    pub(crate) fn code(&self) -> String {
        self.code_at(now() / STEP_SECONDS)
    }

    /// The code that it shows next, once it does: a code is accepted once.
    pub(crate) async fn next_code(&self) -> String {
        sleep(Duration::from_secs(STEP_SECONDS - now() % STEP_SECONDS)).await;
        self.code()
    }

    fn code_at(&self, step: u64) -> String {
        let mut mac = Hmac::<Sha1>::new_from_slice(&self.key).unwrap();
        mac.update(&step.to_be_bytes());
        let hash = mac.finalize().into_bytes();
        let at = usize::from(hash[19] & 0xf);
        let number = u32::from_be_bytes([hash[at] & 0x7f, hash[at + 1], hash[at + 2], hash[at + 3]]);
        format!("{:06}", number % 1_000_000)
    }
}

#[allow(clippy::disallowed_methods, reason = "the app of a person has a clock of its own")]
fn now() -> u64 {
    std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn the_codes_are_those_of_the_standard() {
    let app = Authenticator::new("GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
    assert_eq!(app.code_at(59 / 30), "287082");
    assert_eq!(app.code_at(1_111_111_109 / 30), "081804");
}
