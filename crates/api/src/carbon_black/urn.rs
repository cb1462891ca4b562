//! The names of this family's access service: of organisations, people and roles.

use super::bad_request::{BadRequest, echo};
use claviger_domain::access_level::{AccessLevel, role_urn};
use claviger_domain::application::Reach;
use claviger_domain::catalogue::Catalogue;
use claviger_domain::id::AccessLevelId;

const CODE: &str = "INVALID_URN";

/// The roles of an organisation by their names, and back.
pub(super) struct Roles<'a> {
    org_key: &'a str,
    named: Vec<(String, AccessLevelId)>,
}

impl<'a> Roles<'a> {
    /// The names of these levels. Two that would share a name are told apart by their ids.
    pub(super) fn new(org_key: &'a str, levels: &[AccessLevel], catalogue: &Catalogue) -> Self {
        let name = |level: &AccessLevel| match catalogue.level(level.id) {
            Some(built_in) => built_in.urn.clone(),
            None => role_urn(org_key, &level.name),
        };
        let named: Vec<_> = levels.iter().map(|level| (name(level), level.id)).collect();
        let shared = |urn: &String| named.iter().filter(|(other, _)| other == urn).count() > 1;
        let named =
            named.iter().map(|(urn, id)| (if shared(urn) { by_id(org_key, *id) } else { urn.clone() }, *id)).collect();
        Self { org_key, named }
    }

    /// The name of a role; a level that is gone keeps its id.
    pub(super) fn urn(&self, id: AccessLevelId) -> String {
        let found = self.named.iter().find(|(_, level)| *level == id);
        found.map_or_else(|| by_id(self.org_key, id), |(urn, _)| urn.clone())
    }

    /// The names of roles.
    pub(super) fn urns(&self, ids: &[AccessLevelId]) -> Vec<String> {
        ids.iter().map(|id| self.urn(*id)).collect()
    }

    /// The role of that name.
    pub(super) fn find(&self, field: &str, urn: &str) -> Result<AccessLevelId, BadRequest> {
        let known = |(name, id): &&(String, AccessLevelId)| {
            name.eq_ignore_ascii_case(urn) || by_id(self.org_key, *id).eq_ignore_ascii_case(urn)
        };
        self.named.iter().find(known).map(|(_, id)| *id).ok_or_else(|| {
            let message = format!(
                "\"{}\" is no role of this organization; roles/permitted lists those that can be given",
                echo(urn)
            );
            BadRequest::new(CODE, field, message)
        })
    }
}

fn by_id(org_key: &str, id: AccessLevelId) -> String {
    format!("psc:role:{org_key}:{}", id.to_string().to_uppercase())
}

/// The name of an organisation.
pub(super) fn org(org_key: &str) -> String {
    format!("psc:org:{org_key}")
}

/// The name of what is beneath an organisation.
pub(super) fn children(org_key: &str) -> String {
    format!("psc:org:{org_key}:CHILDREN")
}

/// The name of a person.
pub(super) fn user(org_key: &str, number: i64) -> String {
    format!("psc:user:{org_key}:{number}")
}

/// The number of the person whom a name names, if it is one of that organisation.
pub(super) fn user_number(org_key: &str, urn: &str) -> Option<i64> {
    let number = urn.strip_prefix("psc:user:")?.strip_prefix(org_key)?.strip_prefix(':')?;
    let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse().ok().filter(|_| plain)
}

/// How far somebody reaches who is allowed into these organisations: into the key's own, or into that and what is beneath it.
pub(super) fn reach(org_key: &str, field: &str, allow: &[String]) -> Result<Reach, BadRequest> {
    let (own, beneath) = (org(org_key), children(org_key));
    if let Some(other) = allow.iter().find(|urn| **urn != own && **urn != beneath) {
        let message = format!(
            "\"{}\" cannot be allowed here: a profile is for {own}, or for that and {beneath}, everything beneath it",
            echo(other)
        );
        return Err(BadRequest::new(CODE, field, message));
    }
    match (allow.contains(&own), allow.contains(&beneath)) {
        (true, true) => Ok(Reach::Beneath),
        (true, false) => Ok(Reach::Own),
        (false, true) => {
            let message = format!("{beneath} goes with {own}: nobody reaches what is beneath and not the organization");
            Err(BadRequest::new(CODE, field, message))
        }
        (false, false) => Err(BadRequest::new(CODE, field, format!("name {own}"))),
    }
}

/// The organisations of a reach.
pub(super) fn allowed(org_key: &str, reach: Reach) -> Vec<String> {
    match reach {
        Reach::Own => vec![org(org_key)],
        Reach::Beneath => vec![org(org_key), children(org_key)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use claviger_domain::grants::Grants;
    use claviger_domain::time::Timestamp;

    fn level(number: u128, name: &str) -> AccessLevel {
        AccessLevel {
            id: AccessLevelId::from_u128(number),
            tenant_id: None,
            name: name.into(),
            description: String::new(),
            grants: Grants::new(),
            version: 1,
            created_at: Timestamp::from_micros(0),
            updated_at: Timestamp::from_micros(0),
        }
    }

    #[test]
    fn roles_have_one_name_each() {
        let catalogue = Catalogue::built_in();
        let built_in = catalogue.levels().first().unwrap();
        let levels = [
            AccessLevel { id: built_in.id, ..level(0, &built_in.name) },
            level(7, "Night shift"),
            level(8, "night_shift"),
            level(9, "Day"),
        ];
        let roles = Roles::new("KEY", &levels, &catalogue);
        assert_eq!(roles.urn(built_in.id), "psc:role::BETA_VIEW_ALL");
        assert_eq!(roles.urn(levels[3].id), "psc:role:KEY:DAY");
        for level in &levels {
            assert_eq!(roles.find("roles[0]", &roles.urn(level.id)).unwrap(), level.id, "{}", level.name);
        }
        assert!(roles.find("roles[0]", "psc:role:KEY:NIGHT_SHIFT").is_err(), "which of the two?");
        assert!(roles.find("roles[0]", "psc:role:OTHER:DAY").is_err());
        assert_eq!(roles.find("", "psc:role:KEY:00000000-0000-0000-0000-000000000009").unwrap(), levels[3].id);
    }

    #[test]
    fn people_and_organisations_are_those_of_the_key() {
        assert_eq!(user_number("KEY", &user("KEY", 77)), Some(77));
        for bad in
            ["psc:user:OTHER:77", "psc:user:KEY:", "psc:user:KEY:+7", "psc:user:KEY:7:8", "psc:user:KEYS:7", "77"]
        {
            assert_eq!(user_number("KEY", bad), None, "{bad}");
        }
        let read = |allow: &[&str]| {
            let allow: Vec<_> = allow.iter().map(|urn| (*urn).to_owned()).collect();
            reach("KEY", "orgs.allow", &allow).ok()
        };
        assert_eq!(read(&["psc:org:KEY"]), Some(Reach::Own));
        assert_eq!(read(&["psc:org:KEY:CHILDREN", "psc:org:KEY"]), Some(Reach::Beneath));
        for bad in [&[][..], &["psc:org:KEY:CHILDREN"], &["psc:org:OTHER"], &["psc:org:KEY", "psc:org:OTHER"], &["KEY"]]
        {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        assert_eq!(allowed("KEY", Reach::Beneath), ["psc:org:KEY", "psc:org:KEY:CHILDREN"]);
    }
}
