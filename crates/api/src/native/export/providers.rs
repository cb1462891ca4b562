//! Identity providers in an export, with access levels by name.

use claviger_domain::id::AccessLevelId;
use claviger_domain::identity_provider::IdentityProvider;
use serde::Serialize;
use std::collections::HashMap;
use utoipa::ToSchema;

/// An identity provider, without its client secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExportedIdentityProvider)]
pub(crate) struct ProviderEntry {
    /// Its tenant.
    tenant: Vec<String>,
    /// Name.
    name: String,
    /// The `iss` of its ID tokens.
    issuer: String,
    /// What this server is called there.
    client_id: String,
    /// What is asked for.
    scopes: Vec<String>,
    /// Addresses of these lead there.
    domains: Vec<String>,
    /// Whether users are made of people whom nobody has invited.
    create_users: bool,
    /// Which claims give which access levels.
    role_mapping: Vec<RoleRuleEntry>,
    /// Names of the access levels that everybody gets who comes from there.
    default_access_levels: Vec<String>,
    /// Whether people are sent there.
    enabled: bool,
    /// Whether people can sign in by nothing else.
    required: bool,
}

/// Access levels for whoever a provider says something of.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExportedRoleRule)]
pub(crate) struct RoleRuleEntry {
    /// The claim, or a JSON pointer to one within another.
    claim: String,
    /// It is this text, or a list with this text in it.
    value: String,
    /// Names of the access levels that it gives.
    access_levels: Vec<String>,
}

impl ProviderEntry {
    /// The provider of the tenant at that path, where these are the names of access levels.
    pub(super) fn of(provider: &IdentityProvider, path: &[String], levels: &HashMap<AccessLevelId, &str>) -> Self {
        let named = |ids: &[AccessLevelId]| -> Vec<String> {
            ids.iter().map(|id| levels.get(id).map_or_else(|| id.to_string(), |name| (*name).to_owned())).collect()
        };
        let rules = provider.role_rules.iter().map(|rule| RoleRuleEntry {
            claim: rule.claim.clone(),
            value: rule.value.clone(),
            access_levels: named(&rule.access_level_ids),
        });
        Self {
            tenant: path.to_vec(),
            name: provider.name.clone(),
            issuer: provider.issuer.as_str().to_owned(),
            client_id: provider.client_id.clone(),
            scopes: provider.scopes.clone(),
            domains: provider.domains.iter().map(|domain| domain.as_str().to_owned()).collect(),
            create_users: provider.creates_users,
            role_mapping: rules.collect(),
            default_access_levels: named(&provider.default_roles),
            enabled: provider.enabled,
            required: provider.required,
        }
    }
}
