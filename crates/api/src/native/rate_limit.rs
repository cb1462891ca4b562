//! Rate limits in bodies: `{"requests": 100, "window_seconds": 60}`, or a bare number of requests per second.

use claviger_domain::Result;
use claviger_domain::rate::RateLimit;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// A rate limit: so many requests in so many seconds. Calls over it are answered with 429.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = RateLimit)]
pub(crate) struct RateLimitBody {
    /// Requests allowed in the window.
    #[schema(minimum = 1, maximum = 10000000)]
    requests: i64,
    /// The window in seconds.
    #[schema(minimum = 1, maximum = 86400)]
    window_seconds: i64,
}

/// A rate limit as it may be given: an object, or a bare number of requests per second. For the document alone.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = RateLimitInput)]
#[expect(dead_code, reason = "describes what `RateLimitBody` reads")]
pub(crate) enum RateLimitInput {
    /// So many requests in so many seconds.
    Window(RateLimitBody),
    /// So many requests per second.
    PerSecond(u32),
}

impl RateLimitBody {
    /// The limit, if it lies within bounds.
    pub(crate) fn parse(self, pointer: &str) -> Result<RateLimit> {
        RateLimit::parse(pointer, self.requests, self.window_seconds)
    }
}

impl From<RateLimit> for RateLimitBody {
    fn from(limit: RateLimit) -> Self {
        Self { requests: limit.requests.into(), window_seconds: limit.window_seconds.into() }
    }
}

impl<'de> Deserialize<'de> for RateLimitBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Spelling)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    requests: i64,
    window_seconds: i64,
}

struct Spelling;

impl<'de> Visitor<'de> for Spelling {
    type Value = RateLimitBody;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with requests and window_seconds, or a number of requests per second")
    }

    fn visit_i64<E>(self, requests: i64) -> Result<RateLimitBody, E> {
        Ok(RateLimitBody { requests, window_seconds: 1 })
    }

    fn visit_u64<E: serde::de::Error>(self, requests: u64) -> Result<RateLimitBody, E> {
        let requests = i64::try_from(requests).map_err(|_| E::custom("a number out of range"))?;
        Ok(RateLimitBody { requests, window_seconds: 1 })
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<RateLimitBody, A::Error> {
        let Members { requests, window_seconds } = Members::deserialize(MapAccessDeserializer::new(members))?;
        Ok(RateLimitBody { requests, window_seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<RateLimit, String> {
        let body: RateLimitBody = serde_json::from_str(json).map_err(|error| error.to_string())?;
        body.parse("/rate_limit").map_err(|error| error.to_string())
    }

    #[test]
    fn both_spellings_are_read() {
        assert_eq!(
            read(r#"{"requests":100,"window_seconds":60}"#),
            Ok(RateLimit { requests: 100, window_seconds: 60 })
        );
        assert_eq!(read("5"), Ok(RateLimit { requests: 5, window_seconds: 1 }));
        for bad in
            ["0", "-1", "1.5", "\"5\"", "{}", r#"{"requests":1,"window_seconds":1,"burst":2}"#, "18446744073709551615"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
        let text = serde_json::to_string(&RateLimitBody::from(RateLimit { requests: 5, window_seconds: 1 })).unwrap();
        assert_eq!(text, r#"{"requests":5,"window_seconds":1}"#);
    }
}
