//! Codes of authenticators by time (RFC 6238): SHA-1, six digits, steps of thirty seconds, the spelling that every app takes.
//!
//! The HMAC is computed in `app`; what is here is arithmetic.

use crate::time::Timestamp;
use std::fmt::Write as _;

/// Seconds of a step.
pub const STEP_SECONDS: i64 = 30;
/// Bytes of a seed (RFC 4226, 4, R6).
pub const SEED_BYTES: usize = 20;
/// Digits of a code.
pub const DIGITS: usize = 6;
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The step that a time lies in.
pub const fn step_of(now: Timestamp) -> i64 {
    now.seconds().div_euclid(STEP_SECONDS)
}

/// The steps whose codes are accepted: the present one, and the one before for whoever types slowly.
pub const fn accepted(now: Timestamp) -> [i64; 2] {
    let step = step_of(now);
    [step, step - 1]
}

/// What the HMAC of a step is computed over.
pub const fn message(step: i64) -> [u8; 8] {
    step.to_be_bytes()
}

/// The code in an HMAC (RFC 4226, 5.3).
pub fn truncate(hmac: &[u8; 20]) -> String {
    let offset = usize::from(hmac.last().copied().unwrap_or(0) & 0xf);
    let four = hmac.iter().skip(offset).take(4).fold(0_u32, |number, byte| (number << 8) | u32::from(*byte));
    format!("{:06}", (four & 0x7fff_ffff) % 1_000_000)
}

/// The digits of a code as somebody types it, blanks left out; none if these are not digits and six.
pub fn typed(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').take(DIGITS + 1).collect();
    (digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}

/// A seed as people type it (RFC 4648, 6, without padding).
pub fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for chunk in bytes.chunks(5) {
        let bits = (0..5).fold(0_u64, |bits, place| (bits << 8) | u64::from(chunk.get(place).copied().unwrap_or(0)));
        for place in 0..(chunk.len() * 8).div_ceil(5) {
            let digit = usize::try_from((bits >> (35 - 5 * place)) & 31).unwrap_or(0);
            text.extend(ALPHABET.get(digit).map(|c| char::from(*c)));
        }
    }
    text
}

/// What an authenticator reads from a picture.
pub fn otpauth_url(issuer: &str, account: &str, seed: &[u8]) -> String {
    let mut url = String::from("otpauth://totp/");
    escape(&mut url, issuer);
    url.push(':');
    escape(&mut url, account);
    let _ = write!(url, "?secret={}&issuer=", base32(seed));
    escape(&mut url, issuer);
    url.push_str("&algorithm=SHA1&digits=6&period=30");
    url
}

fn escape(url: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            url.push(char::from(byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_4226_truncation_holds() {
        let hex = "1f8698690e02ca16618550ef7f19da8e945b555a";
        let bytes: Vec<u8> = (0..20).map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap()).collect();
        assert_eq!(truncate(&bytes.try_into().unwrap()), "872921");
    }

    #[test]
    fn i1_the_window_is_two_steps() {
        let at = |seconds: i64| accepted(Timestamp::from_micros(seconds * 1_000_000));
        assert_eq!(at(59), [1, 0]);
        assert_eq!(at(60), [2, 1]);
        assert_eq!(message(1), [0, 0, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn seeds_and_urls_are_spelt_as_authenticators_read_them() {
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
        let url = otpauth_url("Acme & Co", "ada@example.com", b"12345678901234567890");
        assert_eq!(
            url,
            "otpauth://totp/Acme%20%26%20Co:ada@example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Acme%20%26%20Co&algorithm=SHA1&digits=6&period=30"
        );
    }

    #[test]
    fn codes_are_six_digits() {
        assert_eq!(typed(" 123 456 ").as_deref(), Some("123456"));
        assert_eq!(typed("123-456").as_deref(), Some("123456"));
        for bad in ["", "12345", "1234567", "12345a", "١٢٣٤٥٦"] {
            assert!(typed(bad).is_none(), "{bad}");
        }
    }
}
