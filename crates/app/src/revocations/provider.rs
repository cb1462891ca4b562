//! What a restored backup could give back by an identity provider: people and roles that it lets in no longer, and a password
//! where it is the only way in.
//!
//! It is kept whole but for its client secret, and given back as it was: a provider that was only disabled would open the way by
//! password to those who must come from there.

use super::book::{Fact, Line};
use crate::App;
use claviger_domain::Result;
use claviger_domain::id::{AccessLevelId, ProviderId, TenantId};
use claviger_domain::identity_provider::{Domain, IdentityProvider, RoleRule};
use claviger_domain::outgoing::Target;
use serde::{Deserialize, Serialize};

/// How an identity provider stood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Provided {
    issuer: String,
    client_id: String,
    scopes: Vec<String>,
    domains: Vec<String>,
    creates_users: bool,
    role_rules: Vec<RoleRule>,
    default_roles: Vec<AccessLevelId>,
    enabled: bool,
    required: bool,
}

impl Provided {
    pub(crate) fn of(provider: &IdentityProvider) -> Self {
        Self {
            issuer: provider.issuer.as_str().to_owned(),
            client_id: provider.client_id.clone(),
            scopes: provider.scopes.clone(),
            domains: provider.domains.iter().map(|domain| domain.as_str().to_owned()).collect(),
            creates_users: provider.creates_users,
            role_rules: provider.role_rules.clone(),
            default_roles: provider.default_roles.clone(),
            enabled: provider.enabled,
            required: provider.required,
        }
    }

    /// Whether people could sign in by nothing else.
    pub(crate) fn is_required(&self) -> bool {
        self.enabled && self.required
    }

    /// The provider, as it stood.
    pub(crate) fn put_into(&self, provider: IdentityProvider) -> Result<IdentityProvider> {
        Ok(IdentityProvider {
            issuer: self.issuer()?,
            client_id: self.client_id.clone(),
            scopes: self.scopes.clone(),
            domains: self.domains.iter().cloned().map(Domain::stored).collect(),
            creates_users: self.creates_users,
            role_rules: self.role_rules.clone(),
            default_roles: self.default_roles.clone(),
            enabled: self.enabled,
            required: self.required,
            ..provider
        })
    }

    pub(crate) fn issuer(&self) -> Result<Target> {
        Target::parse("/issuer", &self.issuer)
    }
}

impl App {
    /// What is kept of a change of an identity provider.
    pub(super) async fn provider_line(&self, (tenant, id): (TenantId, ProviderId), shard: i64, revision: i64) -> Line {
        let said = match self.state.store.find_identity_provider(tenant, id).await {
            Ok(provider) => provider.as_ref().map(Provided::of).map(Box::new),
            Err(error) => {
                tracing::error!(%error, "an identity provider could not be read; after a restored backup it would be gone");
                None
            }
        };
        Line { shard, revision, fact: Fact::IdentityProvider { tenant, id, said } }
    }
}
