//! Applications: create, change, delete; and the rule that nobody deals with what lies above their own rights.

use crate::App;
use crate::caller::Caller;
use crate::credential_policy::Stay;
use crate::secrets::MintedSecret;
use crate::unit::{Effect, Needs, OnceFor, Posted, Unit};
use claviger_domain::application::{Application, ApplicationPatch, NewApplication, Reach, Rights, Secret};
use claviger_domain::audit::Target;
use claviger_domain::error::Referrer;
use claviger_domain::grants::{GrantSet, Grants, Verb, grants_to_json};
use claviger_domain::id::{ApplicationId, ClientId, TenantId, UserId};
use claviger_domain::key_type::refuse_rights;
use claviger_domain::lifetime::check_end;
use claviger_domain::name::Name;
use claviger_domain::network::Networks;
use claviger_domain::page::{Page, PageRequest};
use claviger_domain::{Error, Result};
use serde_json::{Map, Value, json};
use std::sync::Arc;

const PERMISSION: &str = "applications";

/// A new application and its first secret.
#[derive(Debug)]
pub struct CreatedApplication {
    /// The application.
    pub application: Application,
    /// The secret, which exists nowhere else; none where secrets are forbidden.
    pub secret: Option<MintedSecret>,
}

impl App {
    /// Makes an application with its first secret, or without one where secrets are forbidden. Needs `applications:CREATE` and every right that it hands out.
    pub async fn create_application(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        new: NewApplication,
        once: Option<OnceFor<CreatedApplication>>,
    ) -> Result<Posted<CreatedApplication>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Create)?;
        self.unit_once(caller, Needs { tenant, right: (PERMISSION, Verb::Create) }, once, move |unit| {
            Box::pin(async move {
                let wanted = unit.rights_of(tenant, &new.rights).await?;
                unit.caller.covers(&wanted, new.reach)?;
                let rule = unit.check_key_type(tenant, &new.rights)?;
                unit.check_application_limit(tenant, 1).await?;
                let id = ApplicationId::new(unit.now, unit.app.state.random.bytes()?);
                let bounds = unit.bounds(tenant);
                let ceiling = bounds.as_ref().and_then(|bounds| bounds.application_ceiling(id.made_at()));
                let expires_at = check_end("/expires_at", new.expires_at, ceiling)?;
                let (key, secret_end) = (new.name.key(), new.secret_expires_at);
                let new = NewApplication { expires_at, ..new };
                let owner = unit.owner_of(tenant, new.owner, new.owner_id).await?;
                let new = NewApplication { owner, ..new };
                let application = new.into_application(tenant, id, ClientId::of(id), unit.now);
                unit.tx.insert_application(tenant, &application, &key).await?;
                let secret = if unit.forbids_secrets(tenant) {
                    None
                } else {
                    Some(unit.mint_secret_until(tenant, id, "/secret_expires_at", secret_end).await?)
                };
                let mut details = describe(&application);
                if let Some(secret) = &secret {
                    details.insert("secret_id".into(), secret.secret.id.to_string().into());
                }
                unit.record("application.created", target(&application), details);
                if let Some(rule) = rule {
                    unit.tell_sunset(&application, rule);
                }
                unit.affects(Effect::Application(tenant, id));
                Ok(CreatedApplication { application, secret })
            })
        })
        .await
    }

    /// An application. Needs `applications:READ`.
    pub async fn find_application(&self, caller: &Caller, tenant: TenantId, id: ApplicationId) -> Result<Application> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        let found = self.state.store.find_application(tenant, id).await?.ok_or(Error::NotFound("application"))?;
        Ok(self.state.ended(found))
    }

    /// An application with its live secrets and their last use. Needs `applications:READ`.
    pub async fn find_application_and_secrets(
        &self,
        caller: &Caller,
        tenant: TenantId,
        id: ApplicationId,
    ) -> Result<(Application, Vec<Secret>)> {
        let application = self.find_application(caller, tenant, id).await?;
        let secrets = self.live_secrets(application.tenant_id, id).await?;
        Ok((application, secrets))
    }

    /// The applications of a tenant, oldest first. Needs `applications:READ`.
    pub async fn list_applications(
        &self,
        caller: &Caller,
        tenant: TenantId,
        page: &PageRequest,
    ) -> Result<Page<Application>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        let found = self.state.store.list_applications(tenant, page).await?;
        let items = found.into_iter().map(|application| self.state.ended(application)).collect();
        Ok(Page::cut(items, page, |application| application.id.to_string()))
    }

    /// Changes an application. Needs `applications:UPDATE` and every right that it has before and after.
    pub async fn update_application(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        id: ApplicationId,
        patch: ApplicationPatch,
        if_match: Option<i64>,
    ) -> Result<Application> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Update)?;
        self.unit(caller, Needs { tenant, right: (PERMISSION, Verb::Update) }, move |unit| {
            Box::pin(async move {
                let before = unit.application_within_rights(tenant, id, if_match).await?;
                let mut after = patched(&before, patch.clone())?;
                if after.owner_id != before.owner_id {
                    after.owner = unit.owner_of(tenant, after.owner, after.owner_id).await?;
                }
                if let Some(given) = patch.expires_at {
                    let bounds = unit.bounds(tenant);
                    let ceiling = bounds.as_ref().and_then(|bounds| bounds.application_ceiling(id.made_at()));
                    after.expires_at = check_end("/expires_at", given, ceiling)?;
                }
                let wanted = unit.rights_of(tenant, &after.rights).await?;
                unit.caller.covers(&wanted, after.reach)?;
                unit.refuse_own_lock_out(&before, &after, patch.confirm)?;
                let after = unit.change_application(after).await?;
                unit.refuse_narrowed_lock_out(&before, &after).await?;
                unit.record("application.updated", target(&after), changed(&describe(&before), &describe(&after)));
                unit.affects(Effect::Application(tenant, id));
                Ok(unit.app.state.ended(after))
            })
        })
        .await
    }

    /// Deletes an application with its secrets, at once. Needs `applications:DELETE` and every right that it has. Refused
    /// while something refers to it.
    pub async fn delete_application(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        id: ApplicationId,
        if_match: Option<i64>,
    ) -> Result<()> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Delete)?;
        self.unit(caller, Needs { tenant, right: (PERMISSION, Verb::Delete) }, move |unit| {
            Box::pin(async move {
                let application = unit.application_within_rights(tenant, id, if_match).await?;
                if unit.caller.application() == Some(id) {
                    return Err(Error::conflict(
                        "own_application",
                        "an application cannot delete itself; use another one",
                    ));
                }
                let referrers = unit.referrers(tenant, id).await?;
                if !referrers.is_empty() {
                    let detail = format!(
                        "{} is still in use by {} other objects; remove them first",
                        application.name,
                        referrers.len()
                    );
                    return Err(Error::Conflict { code: "application_in_use", detail, referrers });
                }
                unit.tx.delete_application(tenant, id).await?;
                unit.refuse_operator_lock_out(tenant, Stay::Now).await?;
                unit.record("application.deleted", target(&application), Map::new());
                unit.affects(Effect::Application(tenant, id));
                Ok(())
            })
        })
        .await
    }
}

impl Unit {
    /// The grants behind an application's rights.
    pub(crate) async fn rights_of(&mut self, tenant: TenantId, rights: &Rights) -> Result<GrantSet> {
        let catalogue = Arc::clone(&self.app.state.catalogue);
        let compile = |grants: &Grants| GrantSet::compile(grants, &catalogue);
        match rights {
            Rights::Inline(grants) => Ok(compile(grants)),
            Rights::Legacy(kind) => Ok(catalogue.legacy_grants(*kind)),
            Rights::Level(id) => match catalogue.level(*id) {
                Some(level) => Ok(compile(&level.grants)),
                None => match self.tx.find_access_level(tenant, *id).await? {
                    Some(level) => Ok(compile(&level.grants)),
                    None => Err(Error::invalid(
                        "/access_level_id",
                        format!("the tenant has no access level {id}"),
                        "GET /v1/tenants/{tenant_id}/access-levels lists its levels and the built-in ones",
                    )),
                },
            },
        }
    }

    /// Who answers for an application, as an address: the user's where it is one.
    pub(crate) async fn owner_of(
        &mut self,
        tenant: TenantId,
        owner: Option<String>,
        id: Option<UserId>,
    ) -> Result<Option<String>> {
        let Some(id) = id else { return Ok(owner) };
        // One above the caller's reach looks like one that does not exist.
        let found = self.tx.find_owner(tenant, id).await?.filter(|(of, _)| self.caller.reaches(*of));
        match found {
            Some((_, email)) => Ok(Some(email)),
            None => Err(Error::invalid(
                "/owner_id",
                format!("no user {id} can answer for it: it must be of the tenant or of one above, and not disabled"),
                "GET /v1/tenants/{tenant_id}/users lists its users",
            )),
        }
    }

    /// Writes an application that was changed, as its next version.
    pub(crate) async fn change_application(&mut self, changed: Application) -> Result<Application> {
        let changed = Application { version: changed.version + 1, updated_at: self.now, ..changed };
        let key = Name::parse("/name", &changed.name)?.key();
        self.tx.update_application(changed.tenant_id, &changed, &key).await?;
        Ok(changed)
    }

    /// Writes that an application may not call any more.
    pub(crate) async fn disable_application(&mut self, application: &Application) -> Result<Application> {
        self.change_application(Application { enabled: false, ..application.clone() }).await
    }

    /// The application, where the caller's own rights cover it and its version is the one expected.
    pub(crate) async fn application_within_rights(
        &mut self,
        tenant: TenantId,
        id: ApplicationId,
        if_match: Option<i64>,
    ) -> Result<Application> {
        let found = self.tx.find_application(tenant, id).await?;
        let application = found.ok_or(Error::NotFound("application"))?;
        crate::check_version(if_match, application.version)?;
        let held = self.rights_of(tenant, &application.rights).await?;
        self.caller.covers(&held, application.reach)?;
        Ok(application)
    }

    /// Refuses so many more applications where the tenant may not have them.
    pub(crate) async fn check_application_limit(&mut self, tenant: TenantId, more: usize) -> Result<()> {
        let limit = self.tx.find_tenant(tenant).await?.ok_or(Error::NotFound("tenant"))?.application_limit;
        let count = self.tx.count_applications(tenant).await?;
        if count.saturating_add(i64::try_from(more).unwrap_or(i64::MAX)) <= limit {
            return Ok(());
        }
        let detail = format!(
            "the tenant has {count} applications and may have {limit}; delete one, or ask the tenant above to raise application_limit"
        );
        Err(Error::conflict("application_limit_reached", detail))
    }

    /// What refers to an application and so keeps it from being deleted. Each noun that can refer to one adds its line.
    async fn referrers(&mut self, tenant: TenantId, id: ApplicationId) -> Result<Vec<Referrer>> {
        let jobs = self.tx.list_open_jobs(tenant, id).await?;
        let jobs = jobs.into_iter().map(|job| Referrer { kind: "job", id: job.number.to_string(), name: job.kind });
        Ok(jobs.chain(self.tx.list_issuers_of(tenant, id).await?).collect())
    }

    /// Refuses what would take the operator's last way in, now or when the application ends.
    async fn refuse_narrowed_lock_out(&mut self, before: &Application, after: &Application) -> Result<()> {
        let ends = after.expires_at.is_some() && before.expires_at != after.expires_at;
        let narrowed = before.enabled != after.enabled
            || before.rights != after.rights
            || before.allowed_networks != after.allowed_networks;
        match (ends, narrowed) {
            (true, _) => self.refuse_operator_lock_out(after.tenant_id, Stay::ForGood).await,
            (false, true) => self.refuse_operator_lock_out(after.tenant_id, Stay::Now).await,
            (false, false) => Ok(()),
        }
    }

    fn refuse_own_lock_out(&self, before: &Application, after: &Application, confirm: bool) -> Result<()> {
        if self.caller.application() != Some(before.id) {
            return Ok(());
        }
        if before.enabled && !after.enabled {
            return Err(Error::conflict("own_application", "an application cannot disable itself; use another one"));
        }
        let Some(networks) = after.allowed_networks.as_deref() else { return Ok(()) };
        let address = self.caller.origin().address();
        if confirm || address.is_some_and(|address| Networks::compile(networks).contains(address)) {
            return Ok(());
        }
        Err(Error::invalid(
            "/allowed_networks",
            "the list would shut out the address this request comes from",
            "add that address, or repeat the request with \"confirm\": true",
        ))
    }
}

fn patched(before: &Application, patch: ApplicationPatch) -> Result<Application> {
    let mut after = before.clone();
    if let (Some(kind), Some(_)) = (before.rights.legacy(), &patch.rights) {
        return Err(refuse_rights(kind));
    }
    if let Some(name) = patch.name {
        after.name = name.as_str().to_owned();
    }
    after.description = patch.description.unwrap_or(after.description);
    if let Some(owner) = patch.owner {
        // Whoever names an address means no user.
        (after.owner, after.owner_id) = (owner, None);
    }
    if let Some(owner_id) = patch.owner_id {
        (after.owner, after.owner_id) = (after.owner.filter(|_| owner_id.is_some()), owner_id);
    }
    after.rights = patch.rights.unwrap_or(after.rights);
    after.reach = patch.reach.unwrap_or(after.reach);
    after.allowed_networks = patch.allowed_networks.unwrap_or(after.allowed_networks);
    after.expires_at = patch.expires_at.unwrap_or(after.expires_at);
    after.enabled = patch.enabled.unwrap_or(after.enabled);
    after.rate_limit = patch.rate_limit.unwrap_or(after.rate_limit);
    after.dpop_bound = patch.dpop_bound.unwrap_or(after.dpop_bound);
    Ok(after)
}

pub(crate) fn target(application: &Application) -> Target {
    Target { kind: "application", id: application.id.to_string(), name: application.name.clone() }
}

/// The members of an application that its audit entries may hold.
pub(crate) fn describe(application: &Application) -> Map<String, Value> {
    let rights = match &application.rights {
        Rights::Level(id) => json!({ "access_level_id": id }),
        Rights::Inline(grants) => json!({ "grants": grants_to_json(grants) }),
        Rights::Legacy(kind) => json!({ "key_type": kind.as_str() }),
    };
    let networks = application.allowed_networks.as_ref();
    let members = json!({
        "client_id": application.client_id,
        "name": application.name,
        "description": application.description,
        "owner": application.owner,
        "owner_id": application.owner_id,
        "rights": rights,
        "reach": match application.reach { Reach::Own => "own", Reach::Beneath => "beneath" },
        "allowed_networks": networks.map(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>()),
        "expires_at": application.expires_at,
        "enabled": application.enabled,
        "rate_limit": application.rate_limit,
        "dpop_bound": application.dpop_bound,
    });
    match members {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// Of two descriptions, what differs: member → `{"from": …, "to": …}`.
pub(crate) fn changed(before: &Map<String, Value>, after: &Map<String, Value>) -> Map<String, Value> {
    let differing = after.iter().filter(|(name, value)| before.get(*name) != Some(*value));
    differing.map(|(name, to)| (name.clone(), json!({ "from": before.get(name), "to": to }))).collect()
}
