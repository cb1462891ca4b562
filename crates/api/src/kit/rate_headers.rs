//! `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10), written without format machinery: they
//! stand on every answer of an application that has a limit.

use bytes::{Bytes, BytesMut};
use claviger_domain::rate::RateLimit;
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};

static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const DIGITS_MAX: usize = 20;

/// The two headers.
#[derive(Clone, Debug)]
pub struct RateHeaders {
    policy: Bytes,
    state: Bytes,
}

impl RateHeaders {
    /// The headers for a limit of which `remaining` calls are left and which is whole again in `reset_seconds`.
    pub fn of(limit: RateLimit, remaining: u32, reset_seconds: u64) -> Self {
        let mut text = BytesMut::with_capacity(96);
        text.extend_from_slice(br#""default";q="#);
        write_digits(&mut text, u64::from(limit.requests));
        text.extend_from_slice(b";w=");
        write_digits(&mut text, u64::from(limit.window_seconds));
        let policy = text.len();
        text.extend_from_slice(br#""default";r="#);
        write_digits(&mut text, u64::from(remaining));
        text.extend_from_slice(b";t=");
        write_digits(&mut text, reset_seconds);
        let mut policy_text = text.freeze();
        let state = policy_text.split_off(policy);
        Self { policy: policy_text, state }
    }

    /// Sets both.
    pub fn add_to(self, headers: &mut HeaderMap) {
        for (name, text) in [(&RATE_LIMIT_POLICY, self.policy), (&RATE_LIMIT, self.state)] {
            if let Ok(value) = HeaderValue::from_maybe_shared(text) {
                headers.insert(name.clone(), value);
            }
        }
    }
}

/// Appends a number in decimal.
pub fn write_digits(text: &mut BytesMut, mut number: u64) {
    let mut digits = [b'0'; DIGITS_MAX];
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        used += 1;
        if number == 0 {
            break;
        }
    }
    text.extend_from_slice(digits.get(DIGITS_MAX - used..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_read_as_the_draft_has_them() {
        let mut headers = HeaderMap::new();
        RateHeaders::of(RateLimit { requests: 100, window_seconds: 60 }, 42, 17).add_to(&mut headers);
        assert_eq!(headers["ratelimit-policy"], r#""default";q=100;w=60"#);
        assert_eq!(headers["ratelimit"], r#""default";r=42;t=17"#);
    }

    #[test]
    fn digits_are_those_of_the_number() {
        for number in [0, 9, 10, 99, 100, u64::from(u32::MAX), u64::MAX] {
            let mut text = BytesMut::new();
            write_digits(&mut text, number);
            assert_eq!(text, number.to_string());
        }
    }
}
