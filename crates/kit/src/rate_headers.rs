//! `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10), written without format machinery: they
//! stand on every answer of an application that has a limit.

use claviger_domain::rate::RateLimit;
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};

static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// The longest value: two numbers of 10 and 20 digits and what stands around them.
const VALUE_MAX: usize = 48;

/// The two headers.
#[derive(Clone, Copy, Debug)]
pub struct RateHeaders {
    policy: RateText,
    state: RateText,
}

impl RateHeaders {
    /// The headers for a limit of which `remaining` calls are left and which is whole again in `reset_seconds`.
    pub fn of(limit: RateLimit, remaining: u32, reset_seconds: u64) -> Self {
        let policy = RateText::of(b'q', limit.requests, b'w', u64::from(limit.window_seconds));
        Self { policy, state: RateText::state(remaining, reset_seconds) }
    }

    /// Sets both, that which changes from call to call first.
    pub fn add_to(&self, headers: &mut HeaderMap) {
        for (name, text) in [(&RATE_LIMIT, &self.state), (&RATE_LIMIT_POLICY, &self.policy)] {
            if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
                headers.insert(name, value);
            }
        }
    }
}

/// The value of one of them.
#[derive(Clone, Copy, Debug)]
pub struct RateText {
    bytes: [u8; VALUE_MAX],
    /// Where the text starts: it is written from its end.
    start: usize,
}

impl RateText {
    /// The value of `RateLimit`.
    pub fn state(remaining: u32, reset_seconds: u64) -> Self {
        Self::of(b'r', remaining, b't', reset_seconds)
    }

    fn of(first: u8, one: u32, second: u8, two: u64) -> Self {
        let mut text = Self { bytes: [0; VALUE_MAX], start: VALUE_MAX };
        text.prepend_number(two);
        text.prepend(&[b';', second, b'=']);
        text.prepend_number(u64::from(one));
        text.prepend(&[b';', first, b'=']);
        text.prepend(br#""default""#);
        text
    }

    /// The text.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    fn prepend(&mut self, piece: &[u8]) {
        let start = self.start.saturating_sub(piece.len());
        if let Some(room) = self.bytes.get_mut(start..self.start).filter(|room| room.len() == piece.len()) {
            room.copy_from_slice(piece);
            self.start = start;
        }
    }

    fn prepend_number(&mut self, mut number: u64) {
        loop {
            self.prepend(&[b'0' + u8::try_from(number % 10).unwrap_or(0)]);
            number /= 10;
            if number == 0 {
                break;
            }
        }
    }
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
    fn the_longest_numbers_have_room() {
        for (remaining, reset) in [(0, 0), (9, 10), (99, 100), (u32::MAX, u64::MAX)] {
            let expected = format!(r#""default";r={remaining};t={reset}"#);
            assert_eq!(RateText::state(remaining, reset).as_bytes(), expected.as_bytes());
        }
    }
}
