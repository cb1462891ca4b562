//! Points in time: microseconds since 1970 in UTC, RFC 3339 on the wire. Nothing here reads a clock.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339, macros::format_description};

/// A point in time in microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since 1970.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From milliseconds since 1970.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since 1970, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This time moved by `seconds`, which may be negative.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// The start of the hour that holds this time.
    pub const fn hour(self) -> Self {
        Self(self.0.div_euclid(3_600_000_000) * 3_600_000_000)
    }

    /// The start of the minute that holds this time.
    pub const fn minute(self) -> Self {
        Self(self.0.div_euclid(60_000_000) * 60_000_000)
    }

    /// The day of its month in UTC, from 1.
    pub fn day_of_month(self) -> i64 {
        OffsetDateTime::from_unix_timestamp(self.seconds()).map_or(1, |time| time.day().into())
    }

    /// The time that an RFC 3339 text names: any offset, any number of fractional digits (cut to microseconds). In UTC it
    /// has a year of four digits, too, so that it can be written again.
    pub fn parse(text: &str) -> Option<Self> {
        let time = OffsetDateTime::parse(text, &Rfc3339).ok()?.checked_to_offset(UtcOffset::UTC)?;
        if !(0..=9_999).contains(&time.year()) {
            return None;
        }
        i64::try_from(time.unix_timestamp_nanos().div_euclid(1_000)).ok().map(Self)
    }

    /// RFC 3339 in UTC with exactly three fractional digits, as the Carbon Black services write it.
    pub fn to_millis_text(self) -> String {
        self.date_time()
            .format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"))
            .unwrap_or_default()
    }

    /// The form of times in HTTP headers (RFC 9110, 5.6.7).
    pub fn to_http_date(self) -> String {
        let form =
            format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
        self.date_time().format(form).unwrap_or_default()
    }

    /// The form of times in mails (RFC 5322, 3.3).
    pub fn to_mail_date(self) -> String {
        let form =
            format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] +0000");
        self.date_time().format(form).unwrap_or_default()
    }

    fn date_time(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self
            .date_time()
            .format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z"));
        f.write_str(&text.unwrap_or_default())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 time such as 2026-01-31T09:00:00Z"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_round_trip() {
        let time = Timestamp::from_micros(1_767_225_600_123_456);
        assert_eq!(time.to_string(), "2026-01-01T00:00:00.123456Z");
        assert_eq!(Timestamp::parse(&time.to_string()), Some(time));
        assert_eq!(Timestamp::parse("2026-01-01T01:00:00.123456789+01:00"), Some(time));
        assert_eq!(time.to_millis_text(), "2026-01-01T00:00:00.123Z");
        assert_eq!(time.to_http_date(), "Thu, 01 Jan 2026 00:00:00 GMT");
        assert_eq!(Timestamp::parse("2026-01-01"), None);
    }

    #[test]
    fn what_is_read_can_be_written() {
        for text in ["0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59+23:59"] {
            let time = Timestamp::parse(text).unwrap();
            assert_eq!(Timestamp::parse(&time.to_string()), Some(time), "{text}");
        }
        for text in ["9999-12-31T23:59:59-00:01", "0000-01-01T00:00:00+00:01"] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn hours_and_minutes_round_down_before_1970_too() {
        assert_eq!(Timestamp::from_micros(-1).hour(), Timestamp::from_micros(-3_600_000_000));
        assert_eq!(Timestamp::from_micros(61_000_000).minute(), Timestamp::from_micros(60_000_000));
    }
}
