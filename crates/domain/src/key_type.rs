//! Legacy key types: applications whose rights come from the type of their key. An operator may still allow them, each
//! until a date on which they stop.

use crate::time::Timestamp;
use crate::{Error, Result};

/// What an application is called whose rights are an access level or grants of its own.
pub const CUSTOM: &str = "custom";
/// How far ahead a sunset may lie, in seconds: ten years.
const SUNSET_MAX: i64 = 3_660 * 86_400;

/// A legacy type.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub enum LegacyType {
    /// Reads notifications.
    Siem,
    /// Everything but Live Response and notifications.
    Api,
    /// What `api` may, and Live Response.
    LiveResponse,
}

impl LegacyType {
    /// All types.
    pub const ALL: [Self; 3] = [Self::Siem, Self::Api, Self::LiveResponse];

    /// The word on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Siem => "siem",
            Self::Api => "api",
            Self::LiveResponse => "live_response",
        }
    }

    /// The type that a word names.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What an operator says of one type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LegacyRule {
    /// Whether new applications of the type may be made.
    pub allowed: bool,
    /// When those that there are stop; none where they have stopped already.
    pub sunset: Option<Timestamp>,
    /// Since when the type is deprecated: when the operator first spoke of it.
    pub since: Timestamp,
}

impl LegacyRule {
    /// Accepts what is said of a type at `pointer`; `before` is what was said of it until now.
    pub fn parse(
        pointer: &str,
        allowed: bool,
        sunset: Option<&str>,
        now: Timestamp,
        before: Option<Self>,
    ) -> Result<Self> {
        let sunset = sunset.map(|text| parse_sunset(&format!("{pointer}/sunset"), text, now)).transpose()?;
        if allowed && sunset.is_none_or(|sunset| sunset <= now) {
            return Err(Error::invalid(
                &format!("{pointer}/sunset"),
                "a type that is allowed needs a day in the future on which it stops",
                "give a date such as \"2027-01-01\", or \"allowed\": false",
            ));
        }
        Ok(Self { allowed, sunset, since: before.map_or(now, |before| before.since) })
    }

    /// When applications of the type stop.
    pub fn end(&self) -> Timestamp {
        self.sunset.unwrap_or(self.since)
    }
}

/// A date (its first moment in UTC) or a time.
fn parse_sunset(pointer: &str, text: &str, now: Timestamp) -> Result<Timestamp> {
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let fix = "give a date such as \"2027-01-01\", or a time such as \"2027-01-01T00:00:00Z\"";
    let Some(sunset) = Timestamp::parse(&whole) else {
        return Err(Error::invalid(pointer, format!("{text:?} is no date"), fix));
    };
    if sunset > now.plus_seconds(SUNSET_MAX) {
        return Err(Error::invalid(pointer, format!("{text} is more than ten years ahead"), "give an earlier date"));
    }
    Ok(sunset)
}

/// What is said of each type at one place of the tree; what is left out there is what the place above says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LegacyRules([Option<LegacyRule>; 3]);

impl LegacyRules {
    /// What is said of a type here.
    pub fn get(&self, kind: LegacyType) -> Option<LegacyRule> {
        let [siem, api, live_response] = self.0;
        match kind {
            LegacyType::Siem => siem,
            LegacyType::Api => api,
            LegacyType::LiveResponse => live_response,
        }
    }

    /// The same with something else said of a type.
    #[must_use]
    pub fn with(mut self, kind: LegacyType, rule: Option<LegacyRule>) -> Self {
        let [siem, api, live_response] = &mut self.0;
        *match kind {
            LegacyType::Siem => siem,
            LegacyType::Api => api,
            LegacyType::LiveResponse => live_response,
        } = rule;
        self
    }
}

/// Whether an application of the type still works at `now` under the rule that holds for it.
pub fn is_served(rule: Option<LegacyRule>, now: Timestamp) -> bool {
    rule.is_some_and(|rule| now < rule.end())
}

/// Refuses to make an application of a type that is not allowed where it would stand.
pub fn check_allowed(kind: LegacyType, rule: Option<LegacyRule>, now: Timestamp) -> Result<()> {
    if rule.is_some_and(|rule| rule.allowed) && is_served(rule, now) {
        return Ok(());
    }
    Err(Error::invalid(
        "/key_type",
        format!("keys of type {} are not allowed here", kind.as_str()),
        "leave key_type out and give access_level_id or grants; an operator may still allow the type until a sunset date",
    ))
}

/// Refuses to give an application of a legacy type other rights.
pub fn refuse_rights(kind: LegacyType) -> Error {
    let detail = format!(
        "the application's rights come from its key type {}; migrate it to custom first (POST …/migrate), with the same id \
         and secret",
        kind.as_str()
    );
    Error::conflict("key_type_legacy", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

    fn parse(allowed: bool, sunset: Option<&str>) -> Result<LegacyRule> {
        LegacyRule::parse("/siem", allowed, sunset, NOW, None)
    }

    #[test]
    fn what_is_allowed_has_its_day() {
        assert_eq!(parse(true, Some("2027-01-01")).unwrap().end().to_string(), "2027-01-01T00:00:00.000000Z");
        assert_eq!(parse(true, Some("2027-01-01")).unwrap(), parse(true, Some("2027-01-01T01:00:00+01:00")).unwrap());
        for bad in [None, Some("2025-12-31"), Some("soon"), Some("2027-13-01"), Some(""), Some("2037-01-01")] {
            let Err(Error::Invalid(fields)) = parse(true, bad) else { panic!("{bad:?}") };
            assert_eq!(fields[0].pointer, "/siem/sunset");
        }
        assert!(!is_served(Some(parse(false, None).unwrap()), NOW), "withdrawn without a date: at once");
        assert!(is_served(Some(parse(false, Some("2026-06-01")).unwrap()), NOW), "no new ones, old ones until then");
        assert!(!is_served(Some(parse(false, Some("2025-06-01")).unwrap()), NOW));
        assert!(!is_served(None, NOW));
    }

    #[test]
    fn deprecation_began_when_it_was_first_spoken_of() {
        let first = parse(true, Some("2027-01-01")).unwrap();
        let later = LegacyRule::parse("/siem", true, Some("2026-09-01"), NOW.plus_seconds(60), Some(first)).unwrap();
        assert_eq!(later.since, NOW);
    }

    #[test]
    fn new_ones_need_leave() {
        let rule = |allowed, sunset| parse(allowed, Some(sunset)).ok();
        assert!(check_allowed(LegacyType::Api, rule(true, "2026-06-01"), NOW).is_ok());
        for refused in [None, rule(false, "2026-06-01"), parse(false, None).ok()] {
            assert!(check_allowed(LegacyType::Api, refused, NOW).is_err(), "{refused:?}");
        }
        let over = Timestamp::parse("2026-06-01T00:00:00Z").unwrap();
        assert!(check_allowed(LegacyType::Api, rule(true, "2026-06-01"), over).is_err());
    }

    #[test]
    fn words_name_their_types() {
        for kind in LegacyType::ALL {
            assert_eq!(LegacyType::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(LegacyType::parse(CUSTOM), None);
    }

    proptest! {
        /// Served exactly until the sunset, and whatever is set for one type leaves the others alone.
        #[test]
        fn each_type_has_a_rule_of_its_own(sunset in 1..300_000_000_i64, after in 0..400_000_000_i64, which in 0..3_usize) {
            let kind = LegacyType::ALL[which];
            let rule = LegacyRule { allowed: true, sunset: Some(NOW.plus_seconds(sunset)), since: NOW };
            let rules = LegacyRules::default().with(kind, Some(rule));
            for other in LegacyType::ALL {
                prop_assert_eq!(rules.get(other).is_some(), other == kind);
            }
            prop_assert_eq!(is_served(rules.get(kind), NOW.plus_seconds(after)), after < sunset);
            prop_assert_eq!(rules.with(kind, None), LegacyRules::default());
        }
    }
}
