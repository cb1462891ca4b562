//! Grants as they stand in bodies: permission name → verbs.

use claviger_domain::Result;
use claviger_domain::catalogue::Catalogue;
use claviger_domain::grants::{Grants, Verb, parse_grants};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Grants: permission name → verbs.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(as = Grants, example = json!({"org.audits": ["READ"]}))]
pub(crate) struct GrantsBody(BTreeMap<String, Vec<String>>);

impl GrantsBody {
    /// The grants, if the catalogue offers all of them.
    pub(crate) fn parse(&self, catalogue: &Catalogue) -> Result<Grants> {
        parse_grants("/grants", &self.0, catalogue)
    }
}

impl From<&Grants> for GrantsBody {
    fn from(grants: &Grants) -> Self {
        let words =
            |verbs: &claviger_domain::grants::Verbs| verbs.iter().map(Verb::as_str).map(str::to_owned).collect();
        Self(grants.iter().map(|(name, verbs)| (name.clone(), words(verbs))).collect())
    }
}
