//! The configuration of a tenant as one document: everything that was set there, by id, and nothing that opens anything.

use crate::App;
use crate::bulk::tenant_target;
use crate::caller::Caller;
use crate::credential_policy::PolicyAndEffect;
use crate::export::EXPORT_MAX;
use crate::key_types::RulesAndEffect;
use crate::tokens::TokenLifetime;
use crate::unit::Needs;
use claviger_domain::access_level::AccessLevel;
use claviger_domain::application::Application;
use claviger_domain::grants::Verb;
use claviger_domain::id::TenantId;
use claviger_domain::identity_provider::IdentityProvider;
use claviger_domain::page::PageRequest;
use claviger_domain::tenant::Tenant;
use claviger_domain::trusted_issuer::TrustedIssuer;
use claviger_domain::user::{User, UserFilter};
use claviger_domain::{Error, Result};
use claviger_store::Store;
use serde_json::json;
use std::sync::Arc;

const PERMISSION: &str = "tenants";
/// What somebody must be able to read who reads all of it.
const ALL: [&str; 8] =
    [PERMISSION, "access-levels", "applications", "credential-policy", "sessions", "sso", "trusted-issuers", "users"];

/// Everything that was set at a tenant.
#[derive(Debug)]
pub struct Configuration {
    /// The tenant.
    pub tenant: Tenant,
    /// What it says of the lives of credentials.
    pub policy: PolicyAndEffect,
    /// How long its session tokens live.
    pub tokens: TokenLifetime,
    /// What it says of legacy key types.
    pub key_types: RulesAndEffect,
    /// Its access levels.
    pub levels: Vec<AccessLevel>,
    /// Its applications.
    pub applications: Vec<Application>,
    /// The issuers it trusts.
    pub issuers: Vec<TrustedIssuer>,
    /// Where its people sign in, without their secrets.
    pub providers: Vec<IdentityProvider>,
    /// Its people.
    pub users: Vec<User>,
}

impl App {
    /// Everything that was set at a tenant. Needs READ of `tenants`, `access-levels`, `applications`, `credential-policy`,
    /// `sessions`, `trusted-issuers` and `users`.
    pub async fn configuration(self: &Arc<Self>, caller: &Caller, tenant: TenantId) -> Result<Configuration> {
        let tenant = caller.reach(tenant)?.id;
        for permission in ALL {
            caller.allow(permission, Verb::Read)?;
        }
        let (store, mut room) = (&self.state.store, EXPORT_MAX);
        let read = |store: Store, page: PageRequest| async move { store.list_access_levels(tenant, &page).await };
        let levels = self.pages(&mut room, read, |one: &AccessLevel| one.id.to_string()).await?;
        let read = |store: Store, page: PageRequest| async move { store.list_applications(tenant, &page).await };
        let applications = self.pages(&mut room, read, |one: &Application| one.id.to_string()).await?;
        let read = |store: Store, page: PageRequest| async move { store.list_trusted_issuers(tenant, &page).await };
        let issuers = self.pages(&mut room, read, |one: &TrustedIssuer| one.id.to_string()).await?;
        let read = |store: Store, page: PageRequest| async move { store.list_identity_providers(tenant, &page).await };
        let providers = self.pages(&mut room, read, |one: &IdentityProvider| one.id.to_string()).await?;
        let read = |store: Store, page: PageRequest| async move {
            store.list_users(tenant, &UserFilter { prefix: None, status: None }, &page).await
        };
        let users = self.pages(&mut room, read, |(_, position): &(User, String)| position.clone()).await?;
        let configuration = Configuration {
            tenant: store.find_tenant(tenant).await?.ok_or(Error::NotFound("tenant"))?,
            policy: self.find_credential_policy(caller, tenant).await?,
            tokens: self.token_lifetime(caller, tenant).await?,
            key_types: self.find_legacy_rules(caller, tenant).await?,
            levels,
            applications: applications.into_iter().map(|application| self.state.ended(application)).collect(),
            issuers,
            providers,
            users: users.into_iter().map(|(user, _)| user).collect(),
        };
        let details = json!({ "objects": EXPORT_MAX - room });
        let details = details.as_object().cloned().unwrap_or_default();
        self.unit(caller, Needs { tenant, right: (PERMISSION, Verb::Read) }, move |unit| {
            Box::pin(async move {
                let target = tenant_target(unit, tenant).await?;
                unit.record("tenant.configuration_read", target, details);
                Ok(())
            })
        })
        .await?;
        Ok(configuration)
    }
}
