//! Grants as they stand in bodies: permission name → verbs.

use claviger_domain::grants::{Grants, Verb};
use std::collections::BTreeMap;

/// `{"org.audits": ["READ"]}`.
pub(crate) type GrantsBody = BTreeMap<String, Vec<String>>;

/// Grants for a body.
pub(crate) fn body_of(grants: &Grants) -> GrantsBody {
    let words = |verbs: &claviger_domain::grants::Verbs| verbs.iter().map(Verb::as_str).map(str::to_owned).collect();
    grants.iter().map(|(name, verbs)| (name.clone(), words(verbs))).collect()
}
