//! Access levels: named, reusable sets of grants.

use crate::grants::{Grants, Verb, Verbs};
use crate::id::{AccessLevelId, TenantId};
use crate::name::Name;
use crate::time::Timestamp;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// An access level as it is stored, or one that comes with the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLevel {
    /// Id, fixed for a built-in level.
    pub id: AccessLevelId,
    /// The tenant it belongs to; none for a built-in level.
    pub tenant_id: Option<TenantId>,
    /// Name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What it grants.
    pub grants: Grants,
    /// Counts the changes, from 1; the entity tag.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// What is needed to make an access level.
#[derive(Clone, Debug)]
pub struct NewAccessLevel {
    /// Name.
    pub name: Name,
    /// What it is for.
    pub description: String,
    /// What it grants.
    pub grants: Grants,
}

/// A change of an access level; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct AccessLevelPatch {
    /// New name.
    pub name: Option<Name>,
    /// New description.
    pub description: Option<String>,
    /// New grants, in place of all old ones.
    pub grants: Option<Grants>,
}

/// Who has their rights from a level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LevelUses {
    /// Applications with it.
    pub applications: i64,
    /// Users who hold it, if only by a profile and whether its conditions hold or not.
    pub users: i64,
}

/// An access level as a file: the role object of Carbon Black's access service with the capabilities spelled out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// `psc:role:ORG_KEY:NAME`, or the URN of a built-in role. Not read on import.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urn: Option<String>,
    /// Name.
    pub name: String,
    /// Description.
    #[serde(default)]
    pub desc: String,
    /// What it grants.
    pub capabilities: Vec<Capability>,
}

/// One line of an exported access level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capability {
    /// Permission name.
    pub name: String,
    /// Verbs.
    pub verbs: Vec<String>,
}

impl Export {
    /// The file of a level.
    pub fn of(urn: String, level: &AccessLevel) -> Self {
        let verbs = |verbs: &Verbs| verbs.iter().map(Verb::as_str).map(str::to_owned).collect();
        let capabilities =
            level.grants.iter().map(|(name, held)| Capability { name: name.clone(), verbs: verbs(held) }).collect();
        Self { urn: Some(urn), name: level.name.clone(), desc: level.description.clone(), capabilities }
    }
}

/// The URN by which Carbon Black's access service would know an access level of a tenant.
pub fn role_urn(org_key: &str, name: &str) -> String {
    format!("psc:role:{org_key}:{}", name.to_uppercase().replace(' ', "_"))
}

/// Refuses a change of a built-in level.
pub fn refuse_built_in(name: &str) -> Result<()> {
    let detail = format!("{name} comes with the server and cannot be changed; duplicate it and change the copy");
    Err(Error::conflict("access_level_built_in", detail))
}
