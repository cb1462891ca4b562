//! Spans of time as this family writes them: `start` and `end`, or a `range` that ends now. Records carry milliseconds, so
//! spans are counted in them, both ends included: a time read from a record finds that record.

use super::bad_request::{BadRequest, echo};
use claviger_domain::time::Timestamp;
use serde_json::Value;

const KNOWN: [&str; 3] = ["start", "end", "range"];
const CODE: &str = "INVALID_TIME_RANGE";

/// From one millisecond to another, both included; an end that is absent is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First millisecond since 1970.
    pub from: Option<i64>,
    /// Last millisecond since 1970.
    pub to: Option<i64>,
}

impl Span {
    /// Whether the millisecond that holds `at` lies within.
    pub fn contains(&self, at: Timestamp) -> bool {
        let millis = at.millis();
        self.from.is_none_or(|from| from <= millis) && self.to.is_none_or(|to| millis <= to)
    }

    /// The first time within, if there is a first.
    pub fn since(&self) -> Option<Timestamp> {
        self.from.map(Timestamp::from_millis)
    }

    /// The first time after it, if it ends.
    pub fn until(&self) -> Option<Timestamp> {
        self.to.map(|to| Timestamp::from_millis(to.saturating_add(1)))
    }

    /// Reads `{"start": …, "end": …}` or `{"range": "-2w"}` at `field`; ranges end at `now`.
    pub fn read(value: &Value, field: &str, now: Timestamp) -> Result<Self, BadRequest> {
        let Value::Object(members) = value else {
            return Err(BadRequest::new(CODE, field, "write an object with start and end, or with range"));
        };
        if let Some(name) = members.keys().find(|name| !KNOWN.contains(&name.as_str())) {
            return Err(BadRequest::unknown_member(name, &KNOWN));
        }
        let member = |name: &str| match members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(BadRequest::new(CODE, format!("{field}.{name}"), "write a text")),
        };
        let (start, end) = (member("start")?, member("end")?);
        if let Some(range) = member("range")? {
            if start.is_some() || end.is_some() {
                return Err(BadRequest::new(CODE, field, "write either range, or start and end"));
            }
            return Self::read_range(range, now).ok_or_else(|| {
                let message = format!("\"{}\" is not a range such as -2w; units are y, M, w, d, h, m, s", echo(range));
                BadRequest::new(CODE, format!("{field}.range"), message)
            });
        }
        let time = |name: &str, text: Option<&str>| {
            text.map(|text| read_time(text).ok_or_else(|| bad_time(&format!("{field}.{name}"), text))).transpose()
        };
        let (start, end) = (time("start", start)?, time("end", end)?);
        if start.is_none() && end.is_none() {
            return Err(BadRequest::new(CODE, field, "write start and end, or range"));
        }
        if start.zip(end).is_some_and(|(start, end)| end < start) {
            return Err(BadRequest::new(CODE, field, "end lies before start"));
        }
        Ok(Self { from: start.map(Timestamp::millis), to: end.map(Timestamp::millis) })
    }

    fn read_range(text: &str, now: Timestamp) -> Option<Self> {
        let (last, unit) = text.char_indices().last()?;
        let unit = match unit {
            'y' => 365 * 86_400,
            'M' => 30 * 86_400,
            'w' => 7 * 86_400,
            'd' => 86_400,
            'h' => 3_600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        let number = text.get(..last)?;
        let digits = number.strip_prefix('-').unwrap_or(number);
        if digits.is_empty() || digits.len() > 9 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let count: i64 = digits.parse().ok()?;
        let from = now.plus_seconds(-count.saturating_mul(unit));
        Some(Self { from: Some(from.millis()), to: Some(now.millis()) })
    }
}

/// A time as clients of this family write it: any number of fractional digits, any offset or none (UTC), or a bare date.
pub fn read_time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if text.len() > 64 {
        return None;
    }
    Timestamp::parse(text)
        .or_else(|| Timestamp::parse(&format!("{text}Z")))
        .or_else(|| Timestamp::parse(&format!("{text}T00:00:00Z")))
}

fn bad_time(field: &str, text: &str) -> BadRequest {
    BadRequest::new(CODE, field, format!("\"{}\" is not a time such as 2026-01-31T09:08:07.123Z", echo(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_123);

    fn read(value: Value) -> Result<Span, BadRequest> {
        Span::read(&value, "criteria.create_time", NOW)
    }

    #[test]
    fn times_are_read_in_every_spelling() {
        let time = Some(Timestamp::from_millis(1_767_225_600_000));
        for text in [
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00.000000Z",
            "2026-01-01T00:00:00.000000000Z",
            "2026-01-01T02:00:00+02:00",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.000",
            "2026-01-01",
        ] {
            assert_eq!(read_time(text), time, "{text}");
        }
        for text in ["", "yesterday", "2026-13-01", "2026-01-01T25:00:00Z", "1767225600", "Z", &"0".repeat(100)] {
            assert_eq!(read_time(text), None, "{text}");
        }
    }

    #[test]
    fn both_ends_are_included_in_milliseconds() {
        let span = read(json!({ "start": "2026-01-01T00:00:00.100Z", "end": "2026-01-01T00:00:00.200Z" })).unwrap();
        let at = |micros: i64| span.contains(Timestamp::from_micros(1_767_225_600_000_000 + micros));
        assert!(!at(99_999) && at(100_000) && at(200_000) && at(200_999) && !at(201_000));
        assert_eq!(span.since(), Some(Timestamp::from_micros(1_767_225_600_100_000)));
        assert_eq!(span.until(), Some(Timestamp::from_micros(1_767_225_600_201_000)));
        assert!(read(json!({ "start": "2026-01-01" })).unwrap().contains(NOW));
        assert_eq!(Span::default().until(), None);
    }

    #[test]
    fn ranges_end_now() {
        for (range, seconds) in [
            ("-90s", 90),
            ("-5m", 300),
            ("-3h", 10_800),
            ("-1d", 86_400),
            ("-2w", 1_209_600),
            ("-1M", 2_592_000),
            ("-1y", 31_536_000),
            ("2w", 1_209_600),
        ] {
            let span = read(json!({ "range": range })).unwrap();
            assert_eq!(span.since(), Some(NOW.plus_seconds(-seconds)), "{range}");
            assert!(span.contains(NOW));
        }
        assert!(read(json!({ "range": "-999999999y" })).unwrap().contains(NOW));
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            json!("-1d"),
            json!({}),
            json!({ "range": "tomorrow" }),
            json!({ "range": "--1d" }),
            json!({ "range": "-d" }),
            json!({ "range": "-1D" }),
            json!({ "range": "-1µ" }),
            json!({ "range": "" }),
            json!({ "range": 5 }),
            json!({ "range": "-9999999999d" }),
            json!({ "range": "-1d", "start": "2026-01-01T00:00:00Z" }),
            json!({ "start": "soon" }),
            json!({ "start": "2026-01-02T00:00:00Z", "end": "2026-01-01T00:00:00Z" }),
        ] {
            assert_eq!(read(bad.clone()).unwrap_err().to_json()["error_code"], CODE, "{bad}");
        }
        let unknown = read(json!({ "from": "2026-01-01" })).unwrap_err().to_json();
        assert_eq!(unknown["error_code"], "UNEXPECTED_PROPERTY");
        assert_eq!(unknown["known_properties"], json!(KNOWN));
    }

    proptest! {
        #[test]
        fn no_text_brings_it_down(text in "\\PC{0,20}") {
            let _ = read(json!({ "range": text }));
            let _ = read(json!({ "start": text, "end": text }));
        }
    }
}
