//! What is known of a tenant besides its place in the tree: who and where it is, and what it may have.

use crate::name::{Name, parse_owner, parse_text};
use crate::time::Timestamp;
use crate::{Error, Result};
use serde::Serialize;
use serde_json::{Map, Value};

/// Most characters of an external id.
pub const EXTERNAL_ID_MAX: usize = 255;
/// Most characters of a short name: it is shown where there is little room.
pub const SHORT_NAME_MAX: usize = 70;
/// Most characters of one line of an address.
pub const LINE_MAX: usize = 255;
/// Most users a parent may allow a tenant.
pub const USER_LIMIT_MAX: i64 = 10_000_000;
/// Most endpoints a parent may allow a tenant.
pub const ENDPOINT_LIMIT_MAX: i64 = 1_000_000_000;
/// Most bytes of the settings, as JSON.
pub const SETTINGS_MAX: usize = 8 * 1_024;
/// Most levels of arrays and objects in the settings, themselves included.
pub const SETTINGS_DEPTH_MAX: usize = 8;

/// What people of a tenant must sign in with, besides their password.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MfaRequirement {
    /// Nothing.
    #[default]
    None,
    /// A code sent by mail, or anything stronger.
    Email,
    /// A code of an authenticator, or anything stronger.
    Totp,
}

impl MfaRequirement {
    /// All of them, the weakest first.
    pub const ALL: [Self; 3] = [Self::None, Self::Email, Self::Totp];

    /// The word on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Email => "email",
            Self::Totp => "totp",
        }
    }

    /// The requirement that a word names.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// Where a tenant gets its letters.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Address {
    /// Street and number.
    pub street: Option<String>,
    /// Postal code.
    pub postal: Option<String>,
    /// City.
    pub city: Option<String>,
    /// State, province or canton.
    pub state: Option<String>,
}

/// What is known of a tenant besides its place.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Details {
    /// What the tenant above calls it in its own books; unique beneath that.
    pub external_id: Option<String>,
    /// A name for where there is little room.
    pub short_name: Option<String>,
    /// Whom to write to.
    pub email: Option<String>,
    /// Address.
    pub address: Address,
    /// Country, by two letters of ISO 3166-1.
    pub country: Option<String>,
    /// The key that installers of agents take; none for a tenant from before there were any.
    pub agent_key: Option<String>,
    /// The tenant's id in another system.
    pub foreign_tenant_id: Option<String>,
    /// Whether it is on trial.
    pub trial: bool,
    /// When the trial is meant to end.
    pub trial_ends_at: Option<Timestamp>,
    /// Users it may have; none for as many as it likes.
    pub user_limit: Option<i64>,
    /// Endpoints it is to have at most. Told, not enforced.
    pub endpoint_limit: Option<i64>,
    /// What its people must sign in with.
    pub mfa_required: MfaRequirement,
    /// Whatever those who run it keep with it.
    pub settings: Map<String, Value>,
}

/// A change of the details; what is absent stays, and an inner `None` clears.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DetailsPatch {
    /// External id.
    pub external_id: Option<Option<String>>,
    /// Short name.
    pub short_name: Option<Option<String>>,
    /// Contact.
    pub email: Option<Option<String>>,
    /// Street.
    pub street: Option<Option<String>>,
    /// Postal code.
    pub postal: Option<Option<String>>,
    /// City.
    pub city: Option<Option<String>>,
    /// State.
    pub state: Option<Option<String>>,
    /// Country, by two letters.
    pub country: Option<Option<String>>,
    /// Id in another system.
    pub foreign_tenant_id: Option<Option<String>>,
    /// Whether it is on trial: said when it is made.
    pub trial: Option<bool>,
    /// End of the trial.
    pub trial_ends_at: Option<Option<Timestamp>>,
    /// Users.
    pub user_limit: Option<Option<i64>>,
    /// Endpoints.
    pub endpoint_limit: Option<Option<i64>>,
    /// Second factor.
    pub mfa_required: Option<MfaRequirement>,
    /// Settings, merged as RFC 7396 has it; `None` clears them all.
    pub settings: Option<Option<Map<String, Value>>>,
}

impl DetailsPatch {
    /// The member, if there is one, that only a tenant above may set.
    pub fn from_above(&self) -> Option<&'static str> {
        let given = [
            ("external_id", self.external_id.is_some()),
            ("trial_ends_at", self.trial_ends_at.is_some()),
            ("user_limit", self.user_limit.is_some()),
            ("endpoint_limit", self.endpoint_limit.is_some()),
        ];
        given.into_iter().find_map(|(name, given)| given.then_some(name))
    }
}

impl Details {
    /// These details with a change.
    pub fn patched(&self, patch: DetailsPatch) -> Result<Self> {
        fn set<T: Clone>(to: &mut T, given: Option<T>) {
            if let Some(given) = given {
                *to = given;
            }
        }
        let mut after = self.clone();
        set(&mut after.external_id, patch.external_id);
        set(&mut after.short_name, patch.short_name);
        set(&mut after.email, patch.email);
        set(&mut after.address.street, patch.street);
        set(&mut after.address.postal, patch.postal);
        set(&mut after.address.city, patch.city);
        set(&mut after.address.state, patch.state);
        set(&mut after.country, patch.country);
        set(&mut after.foreign_tenant_id, patch.foreign_tenant_id);
        set(&mut after.trial, patch.trial);
        set(&mut after.trial_ends_at, patch.trial_ends_at);
        set(&mut after.user_limit, patch.user_limit);
        set(&mut after.endpoint_limit, patch.endpoint_limit);
        set(&mut after.mfa_required, patch.mfa_required);
        match patch.settings {
            None => {}
            Some(None) => after.settings.clear(),
            Some(Some(given)) => merge(&mut after.settings, given),
        }
        check_settings("/settings", &after.settings)?;
        if after.trial_ends_at.is_some() && !after.trial {
            let fix = "leave it out; only an instance that was made with \"trial\": true has an end of its trial";
            return Err(Error::invalid("/trial_ends_at", "the tenant is not on trial", fix));
        }
        Ok(after)
    }
}

/// Merges as RFC 7396 has it: what is `null` goes, objects are merged, everything else is put in place.
fn merge(into: &mut Map<String, Value>, given: Map<String, Value>) {
    for (name, value) in given {
        match value {
            Value::Null => {
                into.remove(&name);
            }
            Value::Object(inner) => match into.get_mut(&name) {
                Some(Value::Object(known)) => merge(known, inner),
                _ => {
                    let mut fresh = Map::new();
                    merge(&mut fresh, inner);
                    into.insert(name, Value::Object(fresh));
                }
            },
            other => {
                into.insert(name, other);
            }
        }
    }
}

fn check_settings(pointer: &str, settings: &Map<String, Value>) -> Result<()> {
    let fix =
        format!("give an object of at most {SETTINGS_MAX} bytes of JSON with at most {SETTINGS_DEPTH_MAX} levels");
    let length = serde_json::to_vec(settings).map_or(usize::MAX, |text| text.len());
    if length > SETTINGS_MAX {
        return Err(Error::invalid(pointer, format!("the settings have {length} bytes"), fix));
    }
    if settings.values().map(depth).max().unwrap_or(0) >= SETTINGS_DEPTH_MAX {
        return Err(Error::invalid(pointer, "the settings are nested too deeply", fix));
    }
    Ok(())
}

/// Levels of arrays and objects in a value. What is nested too deeply for this to end was refused when it was read.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Accepts `text` as the external id at `pointer`.
pub fn parse_external_id(pointer: &str, text: &str) -> Result<String> {
    line(pointer, text, EXTERNAL_ID_MAX)
}

/// Accepts `text` as the short name at `pointer`.
pub fn parse_short_name(pointer: &str, text: &str) -> Result<String> {
    Name::parse(pointer, text)?;
    line(pointer, text, SHORT_NAME_MAX)
}

/// Accepts `text` as a line of an address, or a reference to another system, at `pointer`.
pub fn parse_line(pointer: &str, text: &str) -> Result<String> {
    line(pointer, text, LINE_MAX)
}

/// Accepts `text` as the contact at `pointer`.
pub fn parse_contact(pointer: &str, text: &str) -> Result<String> {
    parse_owner(pointer, text)
}

/// Accepts a limit of users or endpoints at `pointer`.
pub fn parse_limit(pointer: &str, limit: i64, most: i64) -> Result<i64> {
    if (0..=most).contains(&limit) {
        return Ok(limit);
    }
    Err(Error::invalid(pointer, format!("{limit} is no limit"), format!("give 0 to {most}, or null for none")))
}

/// Accepts the end of a trial at `pointer`.
pub fn parse_trial_end(pointer: &str, end: Timestamp, now: Timestamp) -> Result<Timestamp> {
    if end > now {
        return Ok(end);
    }
    Err(Error::invalid(pointer, format!("{end} is over"), format!("give a time after {now}, or null for none")))
}

fn line(pointer: &str, text: &str, most: usize) -> Result<String> {
    let text = parse_text(pointer, text.trim(), most)?;
    if text.is_empty() {
        return Err(Error::invalid(pointer, "the text is empty", format!("give 1 to {most} characters, or null")));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::invalid(pointer, "the text has more than one line", "give one line"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn what_is_absent_stays_and_null_clears() {
        let first = DetailsPatch {
            email: Some(Some("ops@example.com".into())),
            city: Some(Some("Bern".into())),
            settings: Some(Some(object(json!({"a": 1, "b": {"c": 2, "d": null}})))),
            ..DetailsPatch::default()
        };
        let made = Details::default().patched(first).unwrap();
        assert_eq!(made.settings, object(json!({"a": 1, "b": {"c": 2}})));
        let second = DetailsPatch {
            city: Some(None),
            settings: Some(Some(object(json!({"a": null, "b": {"e": 3}})))),
            ..DetailsPatch::default()
        };
        let after = made.patched(second).unwrap();
        assert_eq!((after.email.as_deref(), after.address.city), (Some("ops@example.com"), None));
        assert_eq!(after.settings, object(json!({"b": {"c": 2, "e": 3}})));
        let cleared = DetailsPatch { settings: Some(None), ..DetailsPatch::default() };
        assert!(made.patched(cleared).unwrap().settings.is_empty());
    }

    #[test]
    fn settings_are_bounded() {
        let patched = |settings| {
            Details::default().patched(DetailsPatch { settings: Some(Some(settings)), ..DetailsPatch::default() })
        };
        let nested = |levels: usize| (1..levels).fold(json!({}), |inner, _| json!({ "x": inner }));
        assert!(patched(object(nested(SETTINGS_DEPTH_MAX))).is_ok());
        assert!(patched(object(nested(SETTINGS_DEPTH_MAX + 1))).is_err());
        assert!(patched(object(json!({ "x": "y".repeat(SETTINGS_MAX - 8) }))).is_ok());
        assert!(patched(object(json!({ "x": "y".repeat(SETTINGS_MAX - 7) }))).is_err());
    }

    #[test]
    fn a_trial_ends_where_there_is_one() {
        let end = Timestamp::from_micros(5);
        let patch = |trial| DetailsPatch { trial, trial_ends_at: Some(Some(end)), ..DetailsPatch::default() };
        assert!(Details::default().patched(patch(None)).is_err());
        assert_eq!(Details::default().patched(patch(Some(true))).unwrap().trial_ends_at, Some(end));
        assert!(parse_trial_end("/trial_ends_at", end, end).is_err());
    }

    #[test]
    fn lines_are_lines() {
        assert_eq!(parse_external_id("/external_id", " A-1 ").unwrap(), "A-1");
        for bad in ["", "  ", "a\nb", &"x".repeat(EXTERNAL_ID_MAX + 1)] {
            assert!(parse_external_id("/external_id", bad).is_err(), "{bad:?}");
        }
        assert!(parse_short_name("/short_name", &"x".repeat(SHORT_NAME_MAX + 1)).is_err());
        assert!(parse_limit("/user_limit", -1, USER_LIMIT_MAX).is_err());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf =
            prop_oneof![Just(Value::Null), any::<i8>().prop_map(Value::from), "[a-c]{0,3}".prop_map(Value::from)];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[a-c]", inner, 0..3)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    fn holds_null(members: &Map<String, Value>) -> bool {
        members.values().any(|value| match value {
            Value::Null => true,
            Value::Object(inner) => holds_null(inner),
            _ => false,
        })
    }

    proptest! {
        #[test]
        fn merging_twice_is_merging_once(a in any_json(), b in any_json()) {
            let (a, b) = (json!({ "r": a }), json!({ "r": b }));
            let mut once = Map::new();
            merge(&mut once, object(a));
            prop_assert!(!holds_null(&once), "no member is null");
            merge(&mut once, object(b.clone()));
            let mut twice = once.clone();
            merge(&mut twice, object(b));
            prop_assert_eq!(once, twice);
        }
    }
}
