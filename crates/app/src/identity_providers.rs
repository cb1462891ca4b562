//! Identity providers: made, changed and deleted by whoever could do what comes of it. Whoever sets a provider can be everybody
//! whose address leads there, so that each change needs the rights of them all, and of every access level that it gives; and
//! people prove anew who they are.

use crate::App;
use crate::applications::changed;
use crate::caller::Caller;
use crate::revocations::{PersonChange, Provided};
use crate::unit::{Effect, Needs, OnceFor, Posted, Unit};
use claviger_domain::application::{Reach, Rights};
use claviger_domain::audit::Target;
use claviger_domain::grants::{GrantSet, Verb};
use claviger_domain::id::{ProviderId, TenantId, UserId};
use claviger_domain::identity_provider::{
    ClientSecret, Domain, IdentityProvider, IdentityProviderPatch, NewIdentityProvider, PROVIDERS_MAX, UserIdentity,
    check_issuer,
};
use claviger_domain::name::Name;
use claviger_domain::page::{Page, PageRequest};
use claviger_domain::user::check_tenant;
use claviger_domain::{Error, Result};
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(crate) const PERMISSION: &str = "sso";

impl App {
    /// Has people of a tenant sign in at a provider. Needs `sso:CREATE`, every right of the users whose addresses lead there, and
    /// of the access levels that it gives.
    pub async fn create_identity_provider(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        new: NewIdentityProvider,
        once: Option<OnceFor<IdentityProvider>>,
    ) -> Result<Posted<IdentityProvider>> {
        let node = caller.reach(tenant)?;
        caller.allow(PERMISSION, Verb::Create)?;
        caller.must_step_up()?;
        check_tenant(node.kind)?;
        self.check_provider(&new.issuer)?;
        self.unit_once(caller, Needs { tenant, right: (PERMISSION, Verb::Create) }, once, move |unit| {
            Box::pin(async move {
                if unit.tx.count_identity_providers(tenant).await? >= PROVIDERS_MAX {
                    let detail = format!("the tenant has {PROVIDERS_MAX} identity providers already; delete one first");
                    return Err(Error::conflict("identity_provider_limit", detail));
                }
                let id = ProviderId::new(unit.now, unit.app.state.random.bytes()?);
                let (key, secret) = (new.name.key(), new.client_secret.clone());
                let provider = new.into_provider(tenant, id, unit.now);
                unit.covers_provided(&provider).await?;
                let sealed = unit.seal_provider_secret(tenant, id, secret.as_ref())?;
                unit.tx.insert_identity_provider(tenant, &provider, &key, sealed).await?;
                if Provided::of(&provider).is_required() {
                    // It has taken their passwords from people.
                    unit.affects(Effect::Provider(tenant, id));
                }
                unit.record("identity_provider.created", target(&provider), describe(&provider));
                Ok(provider)
            })
        })
        .await
    }

    /// An identity provider. Needs `sso:READ`.
    pub async fn find_identity_provider(
        &self,
        caller: &Caller,
        tenant: TenantId,
        id: ProviderId,
    ) -> Result<IdentityProvider> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        let found = self.state.store.find_identity_provider(tenant, id).await?;
        found.ok_or(Error::NotFound("identity provider"))
    }

    /// The identity providers of a tenant, oldest first. Needs `sso:READ`.
    pub async fn list_identity_providers(
        &self,
        caller: &Caller,
        tenant: TenantId,
        page: &PageRequest,
    ) -> Result<Page<IdentityProvider>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        let found = self.state.store.list_identity_providers(tenant, page).await?;
        Ok(Page::cut(found, page, |provider| provider.id.to_string()))
    }

    /// Changes an identity provider. Sign-ins that are under way there come to nothing. Needs `sso:UPDATE`, and what making it
    /// needs, before and after.
    pub async fn update_identity_provider(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        id: ProviderId,
        patch: IdentityProviderPatch,
        if_match: Option<i64>,
    ) -> Result<IdentityProvider> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Update)?;
        caller.must_step_up()?;
        if let Some(issuer) = &patch.issuer {
            self.check_provider(issuer)?;
        }
        self.unit(caller, Needs { tenant, right: (PERMISSION, Verb::Update) }, move |unit| {
            Box::pin(async move {
                let before = unit.provider_within_rights(tenant, id, if_match).await?;
                let secret = patch.client_secret.clone();
                let after = before.patched(patch, unit.now);
                unit.covers_provided(&after).await?;
                let key = Name::parse("/name", &after.name)?.key();
                unit.tx.update_identity_provider(tenant, &after, &key).await?;
                let mut details = changed(&describe(&before), &describe(&after));
                if let Some(secret) = secret {
                    let sealed = unit.seal_provider_secret(tenant, id, secret.as_ref())?;
                    unit.tx.put_provider_secret(tenant, id, sealed).await?;
                    details.insert("client_secret_changed".into(), json!(true));
                }
                if after.issuer != before.issuer {
                    // What another provider calls people says nothing about these.
                    let forgotten = unit.tx.delete_provider_identities(tenant, id).await?;
                    details.insert("identities_forgotten".into(), json!(forgotten));
                }
                if Provided::of(&after) != Provided::of(&before) {
                    unit.affects(Effect::Provider(tenant, id));
                }
                unit.record("identity_provider.updated", target(&after), details);
                Ok(after)
            })
        })
        .await
    }

    /// Has people sign in at a provider no longer; sessions that were begun there last. Needs `sso:DELETE`, and every right of the
    /// users whose addresses lead there.
    pub async fn delete_identity_provider(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        id: ProviderId,
        if_match: Option<i64>,
    ) -> Result<()> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Delete)?;
        caller.must_step_up()?;
        self.unit(caller, Needs { tenant, right: (PERMISSION, Verb::Delete) }, move |unit| {
            Box::pin(async move {
                let provider = unit.provider_within_rights(tenant, id, if_match).await?;
                unit.tx.delete_identity_provider(tenant, id).await?;
                unit.affects(Effect::Provider(tenant, id));
                unit.record("identity_provider.deleted", target(&provider), Map::new());
                Ok(())
            })
        })
        .await
    }

    /// Which accounts at providers a user is. Needs `users:READ`.
    pub async fn list_user_identities(
        &self,
        caller: &Caller,
        tenant: TenantId,
        user: UserId,
    ) -> Result<Vec<UserIdentity>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow("users", Verb::Read)?;
        self.state.store.find_user(tenant, user).await?.ok_or(Error::NotFound("user"))?;
        self.state.store.list_user_identities(tenant, user).await
    }

    /// Forgets which account at a provider a user is, so that the next one with the user's address becomes it. Needs
    /// `users:UPDATE` and every right that the user has.
    pub async fn forget_user_identities(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        user: UserId,
    ) -> Result<()> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow("users", Verb::Update)?;
        caller.must_step_up()?;
        self.unit(caller, Needs { tenant, right: ("users", Verb::Update) }, move |unit| {
            Box::pin(async move {
                let user = unit.user_within_rights(tenant, user, None).await?;
                let forgotten = unit.tx.delete_user_identities(tenant, user.id).await?;
                let details = Map::from_iter([("count".to_owned(), json!(forgotten))]);
                if forgotten > 0 {
                    unit.affects(Effect::User(tenant, user.id, PersonChange::Narrowed));
                }
                unit.record("user.identities_forgotten", crate::users::target(&user), details);
                Ok(())
            })
        })
        .await
    }

    fn check_provider(&self, issuer: &claviger_domain::outgoing::Target) -> Result<()> {
        let ourselves = &self.state.tokens.settings()?.issuer;
        check_issuer(issuer, self.state.issuers.outgoing()?.allowance(), ourselves)
    }
}

impl Unit {
    async fn provider_within_rights(
        &mut self,
        tenant: TenantId,
        id: ProviderId,
        if_match: Option<i64>,
    ) -> Result<IdentityProvider> {
        let found = self.tx.find_identity_provider(tenant, id).await?.ok_or(Error::NotFound("identity provider"))?;
        crate::check_version(if_match, found.version)?;
        self.covers_provided(&found).await?;
        Ok(found)
    }

    /// Refuses a provider by which somebody could come to more than the caller may.
    async fn covers_provided(&mut self, provider: &IdentityProvider) -> Result<()> {
        provider.check_roles()?;
        let (tenant, mut given) = (provider.tenant_id, GrantSet::default());
        let roles = provider.all_roles();
        for role in &roles {
            let granted = self.rights_of(tenant, &Rights::Level(*role)).await.map_err(|error| match error {
                Error::Invalid(_) => Error::invalid(
                    &provider.place_of(*role),
                    format!("the tenant has no access level {role}"),
                    "GET /v1/tenants/{tenant_id}/access-levels lists its levels and the built-in ones",
                ),
                other => other,
            })?;
            given = given.or(&granted);
        }
        if !roles.is_empty() {
            // Users that it makes reach beneath, as all do unless told otherwise.
            self.caller.covers(&given, Reach::Beneath)?;
        }
        self.covers_people_at(tenant, &provider.domains).await
    }

    /// Refuses callers who may do less than somebody whose address leads to the provider.
    async fn covers_people_at(&mut self, tenant: TenantId, domains: &[Domain]) -> Result<()> {
        let (mut levels, mut reach) = (Vec::new(), Reach::Own);
        for domain in domains {
            for (reaches, level) in self.tx.list_roles_at_domain(tenant, domain).await? {
                if reaches == Reach::Beneath {
                    reach = Reach::Beneath;
                }
                levels.extend(level);
            }
        }
        levels.sort_unstable();
        levels.dedup();
        let held = self.rights_of_roles(tenant, &levels).await?;
        self.caller.covers(&held, reach)
    }

    fn seal_provider_secret(
        &self,
        tenant: TenantId,
        id: ProviderId,
        secret: Option<&ClientSecret>,
    ) -> Result<Option<Vec<u8>>> {
        let state = &self.app.state;
        let seal =
            |secret: &ClientSecret| state.root_key.seal(&state.random, tenant, &secret_row(id), secret.as_bytes());
        secret.map(seal).transpose()
    }
}

/// What a provider's secret is sealed for.
pub(crate) fn secret_row(id: ProviderId) -> String {
    format!("identity provider {id}")
}

fn target(provider: &IdentityProvider) -> Target {
    Target { kind: "identity_provider", id: provider.id.to_string(), name: provider.name.clone() }
}

/// The members of a provider that its audit entries may hold.
fn describe(provider: &IdentityProvider) -> Map<String, Value> {
    let members = json!({
        "name": provider.name,
        "issuer": provider.issuer.as_str(),
        "client_id": provider.client_id,
        "has_client_secret": provider.has_secret,
        "scopes": provider.scopes,
        "domains": provider.domains.iter().map(Domain::as_str).collect::<Vec<_>>(),
        "create_users": provider.creates_users,
        "role_mapping": provider.role_rules,
        "default_access_level_ids": provider.default_roles,
        "enabled": provider.enabled,
        "required": provider.required,
    });
    members.as_object().cloned().unwrap_or_default()
}
