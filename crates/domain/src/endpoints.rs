//! Endpoints of a tenant as the platform counts them: one number a day, and the peak of a month.

use crate::id::TenantId;
use crate::tenant::Kind;
use crate::time::Timestamp;
use crate::{Error, Result};

/// Most endpoints of one tenant.
pub const COUNT_MAX: i64 = 1_000_000_000;
/// How far back a count may be reported, and how many days one question may span.
pub const DAYS_MAX: i64 = 400;
/// How many months one question may span.
pub const MONTHS_MAX: i64 = 120;
const DAY_SECONDS: i64 = 86_400;
/// How much a reporter's clock may be ahead, in seconds.
const AHEAD_SECONDS: i64 = 300;

/// A day in UTC, counted from 1970-01-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Day(pub i64);

impl Day {
    /// The day that holds a time.
    pub const fn of(time: Timestamp) -> Self {
        Self(time.seconds().div_euclid(DAY_SECONDS))
    }

    /// Its first moment.
    pub const fn start(self) -> Timestamp {
        Timestamp::from_micros(self.0.saturating_mul(DAY_SECONDS * 1_000_000))
    }

    /// Accepts `text` as the day at `pointer`, as `2026-01-31`.
    pub fn parse(pointer: &str, text: &str) -> Result<Self> {
        let time = (text.len() == 10).then(|| Timestamp::parse(&format!("{text}T00:00:00Z"))).flatten();
        time.map(Self::of).ok_or_else(|| Error::invalid(pointer, "not a day", "give a day such as 2026-01-31"))
    }

    /// The month that holds it: year times 12 plus month, from 0 for January.
    pub fn month(self) -> i64 {
        let text = self.to_string();
        let mut parts = text.splitn(3, '-').map(|part| part.parse::<i64>().unwrap_or(0));
        let (year, month) = (parts.next().unwrap_or(0), parts.next().unwrap_or(1));
        year * 12 + month - 1
    }

    /// The first day of a month.
    pub fn first_of(month: i64) -> Self {
        let text = format!("{:04}-{:02}-01", month.div_euclid(12), month.rem_euclid(12) + 1);
        Self::parse("", &text).unwrap_or(Self(0))
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.start().to_string().get(..10).unwrap_or_default())
    }
}

/// How finely counts are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CountGrain {
    /// Per day.
    #[default]
    Day,
    /// Per month: the most of a day.
    Month,
}

/// From when to when, and how finely.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// The first day.
    pub from: Day,
    /// The last day, which belongs to it.
    pub to: Day,
    /// Days or months.
    pub grain: CountGrain,
}

impl Span {
    /// Accepts days as they were given; what is not given is the last 30 days, or the last twelve months.
    pub fn parse(from: Option<&str>, to: Option<&str>, grain: CountGrain, now: Timestamp) -> Result<Self> {
        let to = to.map(|text| Day::parse("to", text)).transpose()?.unwrap_or(Day::of(now));
        let first = match grain {
            CountGrain::Day => Day(to.0 - 29),
            CountGrain::Month => Day::first_of(to.month() - 11),
        };
        let from = from.map(|text| Day::parse("from", text)).transpose()?.unwrap_or(first);
        if from > to {
            return Err(Error::invalid("to", "it lies before from", "give a later day"));
        }
        let (length, most, unit) = match grain {
            CountGrain::Day => (to.0 - from.0 + 1, DAYS_MAX, "days"),
            CountGrain::Month => (to.month() - from.month() + 1, MONTHS_MAX, "months"),
        };
        if length > most {
            let message = format!("{length} {unit} are too many");
            return Err(Error::invalid("from", message, format!("ask for at most {most} {unit} at once")));
        }
        Ok(Self { from, to, grain })
    }

    /// The first and the last day that count: months count as a whole.
    pub fn days(self) -> (Day, Day) {
        match self.grain {
            CountGrain::Day => (self.from, self.to),
            CountGrain::Month => (Day::first_of(self.from.month()), Day(Day::first_of(self.to.month() + 1).0 - 1)),
        }
    }

    /// The first and the last period, as they are stored.
    pub fn periods(self) -> (i64, i64) {
        match self.grain {
            CountGrain::Day => (self.from.0, self.to.0),
            CountGrain::Month => (self.from.month(), self.to.month()),
        }
    }

    /// The first day of a period as it is stored.
    pub fn start_of(self, period: i64) -> Day {
        match self.grain {
            CountGrain::Day => Day(period),
            CountGrain::Month => Day::first_of(period),
        }
    }
}

/// A count as it was reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Count {
    /// How many.
    pub count: i64,
    /// When there were so many.
    pub at: Timestamp,
}

impl Count {
    /// Accepts a count with its time; none is now.
    pub fn parse(count: i64, at: Option<Timestamp>, now: Timestamp) -> Result<Self> {
        if !(0..=COUNT_MAX).contains(&count) {
            return Err(Error::invalid("/count", format!("{count} endpoints"), format!("give 0 to {COUNT_MAX}")));
        }
        let at = at.unwrap_or(now);
        let oldest = now.plus_seconds(-DAYS_MAX * DAY_SECONDS);
        if at > now.plus_seconds(AHEAD_SECONDS) || at < oldest {
            let fix = format!("give a time after {oldest} and not after {now}, or leave it out for now");
            return Err(Error::invalid("/at", format!("{at} is too far away"), fix));
        }
        Ok(Self { count, at })
    }
}

/// What a period came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeriodCount {
    /// Its first day.
    pub from: Day,
    /// The most of a day at the tenant itself; none where nothing was reported.
    pub own: Option<i64>,
    /// The same with everything beneath: of a month the sum of what each came to.
    pub total: i64,
}

/// What one of many tenants came to in a period.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TenantCount {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// What the tenant above calls it.
    pub external_id: Option<String>,
    /// Whether it is on trial now.
    pub trial: bool,
    /// The period as it is stored.
    pub period: i64,
    /// The most of a day.
    pub count: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    #[test]
    fn days_and_months_are_those_of_the_calendar() {
        let day = Day::parse("from", "2024-02-29").unwrap();
        assert_eq!(day.to_string(), "2024-02-29");
        assert_eq!(Day::first_of(day.month()).to_string(), "2024-02-01");
        assert_eq!(Day::first_of(day.month() - 2).to_string(), "2023-12-01");
        assert_eq!(Day::of(NOW).to_string(), "2027-01-15");
        for bad in ["2024-02-30", "2024-2-1", "", "20240201", "2024-02-01T00", "0000000000"] {
            assert!(Day::parse("from", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_span_is_bounded_and_has_a_length_of_its_own() {
        let span = |from, to, grain| Span::parse(from, to, grain, NOW);
        let days = span(None, None, CountGrain::Day).unwrap();
        assert_eq!((days.from.to_string(), days.to.to_string()), ("2026-12-17".into(), "2027-01-15".into()));
        let months = span(None, None, CountGrain::Month).unwrap();
        assert_eq!(months.from.to_string(), "2026-02-01");
        let whole = span(Some("2025-12-15"), Some("2026-02-03"), CountGrain::Month).unwrap();
        let (first, last) = whole.days();
        assert_eq!((first.to_string(), last.to_string()), ("2025-12-01".into(), "2026-02-28".into()));
        assert_eq!(whole.periods(), (2025 * 12 + 11, 2026 * 12 + 1));
        assert_eq!((days.days(), days.periods()), ((days.from, days.to), (days.from.0, days.to.0)));
        assert!(span(Some("2027-01-16"), None, CountGrain::Day).is_err());
        assert!(span(Some("2025-01-01"), None, CountGrain::Day).is_err());
        assert!(span(Some("2018-01-01"), None, CountGrain::Month).is_ok());
        assert!(span(Some("2010-01-01"), None, CountGrain::Month).is_err());
    }

    #[test]
    fn counts_are_of_about_now() {
        assert_eq!(Count::parse(3, None, NOW).unwrap().at, NOW);
        assert!(Count::parse(-1, None, NOW).is_err() && Count::parse(COUNT_MAX + 1, None, NOW).is_err());
        assert!(Count::parse(1, Some(NOW.plus_seconds(299)), NOW).is_ok());
        assert!(Count::parse(1, Some(NOW.plus_seconds(301)), NOW).is_err());
        assert!(Count::parse(1, Some(NOW.plus_seconds(-401 * DAY_SECONDS)), NOW).is_err());
    }

    proptest! {
        #[test]
        fn months_follow_each_other(day in 0_i64..40_000) {
            let day = Day(day);
            let first = Day::first_of(day.month());
            prop_assert!(first <= day && day < Day::first_of(day.month() + 1));
            prop_assert_eq!(Day::parse("", &day.to_string()).unwrap(), day);
        }
    }
}
