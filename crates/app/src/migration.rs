//! Migration: an application of a legacy key type becomes a custom one with an access level of the same rights. Id, secret,
//! networks and everything else stay.

use crate::App;
use crate::applications::target;
use crate::caller::Caller;
use crate::unit::{Effect, Needs, OnceFor, Posted, Unit};
use claviger_domain::access_level::NewAccessLevel;
use claviger_domain::application::{Application, Reach, Rights};
use claviger_domain::catalogue::LegacyGrants;
use claviger_domain::grants::{GrantSet, Grants, Verb};
use claviger_domain::id::{AccessLevelId, ApplicationId, TenantId};
use claviger_domain::key_type::LegacyType;
use claviger_domain::name::Name;
use claviger_domain::{Error, Result};
use claviger_store::Tx;
use serde_json::json;
use std::sync::Arc;

const PERMISSION: &str = "applications";
const LEVELS: &str = "access-levels";
const CUSTOM_ALREADY: &str = "key_type_custom";
/// Names that are tried for a new level while others have them.
const NAMES: usize = 100;

/// What a migration comes to, or would.
#[derive(Clone, Debug)]
pub struct Migration {
    /// The application: as it is after a migration, and as it is now where none was done.
    pub application: Application,
    /// The level that it has its rights from afterwards; none for an application that is custom already.
    pub level: Option<EquivalentLevel>,
    /// Whether it was done.
    pub done: bool,
}

/// An access level with exactly the rights of a legacy key type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EquivalentLevel {
    /// Its id; none where it would have to be made.
    pub id: Option<AccessLevelId>,
    /// Its name.
    pub name: String,
    /// What it grants.
    pub grants: Grants,
}

impl App {
    /// What migrating an application would come to; changes nothing. Needs what migrating it needs.
    pub async fn plan_migration(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        id: ApplicationId,
    ) -> Result<Migration> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Update)?;
        caller.allow(LEVELS, Verb::Create)?;
        let found = self.state.store.find_application(tenant, id).await?.ok_or(Error::NotFound("application"))?;
        let mut level = None;
        if let Some(kind) = found.rights.legacy() {
            caller.covers(&self.state.catalogue.legacy_grants(kind), found.reach)?;
            let mut tx = self.state.store.begin().await?;
            level = Some(equivalent(&mut tx, tenant, self.legacy(kind)?).await?);
        }
        Ok(Migration { application: self.state.ended(found), level, done: false })
    }

    /// Migrates an application of a legacy key type. Needs `applications:UPDATE`, `access-levels:CREATE` and every right of
    /// the type. One that is custom already stays as it is.
    pub async fn migrate_application(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        id: ApplicationId,
        if_match: Option<i64>,
        once: Option<OnceFor<Migration>>,
    ) -> Result<Posted<Migration>> {
        let planned = self.plan_migration(caller, tenant, id).await?;
        if planned.level.is_none() && once.is_none() {
            return Ok(Posted::Done(planned));
        }
        let migrated = self.unit_once(caller, Needs { tenant, right: (PERMISSION, Verb::Update) }, once, move |unit| {
            Box::pin(async move {
                let before = unit.application_within_rights(tenant, id, if_match).await?;
                unit.caller.must_hold(LEVELS, Verb::Create)?;
                let kind = before.rights.legacy().ok_or_else(migrated_before)?;
                let app = Arc::clone(&unit.app);
                let wanted = equivalent(&mut unit.tx, tenant, app.legacy(kind)?).await?;
                let (level_id, made) = match wanted.id {
                    Some(level_id) => (level_id, false),
                    None => (unit.make_level(tenant, &wanted, kind).await?, true),
                };
                let after = Application { rights: Rights::Level(level_id), ..before };
                let after = unit.change_application(after).await?;
                let details = json!({
                    "key_type": { "from": kind.as_str(), "to": after.rights.key_type() },
                    "access_level_id": level_id,
                    "access_level_made": made,
                });
                unit.record("application.migrated", target(&after), details.as_object().cloned().unwrap_or_default());
                unit.affects(Effect::Application(tenant, id));
                let level = Some(EquivalentLevel { id: Some(level_id), ..wanted });
                Ok(Migration { application: unit.app.state.ended(after), level, done: true })
            })
        });
        match migrated.await {
            Err(Error::Conflict { code: CUSTOM_ALREADY, .. }) if planned.level.is_none() => Ok(Posted::Done(planned)),
            answer => answer,
        }
    }

    fn legacy(&self, kind: LegacyType) -> Result<&LegacyGrants> {
        let missing = || Error::Internal(format!("the catalogue does not say what {} keys may do", kind.as_str()));
        self.state.catalogue.key_type(kind).ok_or_else(missing)
    }
}

impl Unit {
    async fn make_level(
        &mut self,
        tenant: TenantId,
        wanted: &EquivalentLevel,
        kind: LegacyType,
    ) -> Result<AccessLevelId> {
        self.caller.covers(&GrantSet::compile(&wanted.grants, &self.app.state.catalogue), Reach::Own)?;
        let name = Name::parse("/name", &wanted.name)?;
        let description = format!("What keys of the legacy type {} may do", kind.as_str());
        let new = NewAccessLevel { name, description, grants: wanted.grants.clone() };
        Ok(self.insert_level(tenant, new).await?.id)
    }
}

/// The tenant's level of a type's name with its grants, or the first name that is free for one.
async fn equivalent(tx: &mut Tx, tenant: TenantId, legacy: &LegacyGrants) -> Result<EquivalentLevel> {
    for number in 1..=NAMES {
        let name = if number == 1 { legacy.level.clone() } else { format!("{} ({number})", legacy.level) };
        let found = tx.find_access_level_named(tenant, &Name::parse("/name", &name)?.key()).await?;
        let grants = legacy.grants.clone();
        match found {
            None => return Ok(EquivalentLevel { id: None, name, grants }),
            Some(level) if level.grants == grants => {
                return Ok(EquivalentLevel { id: Some(level.id), name: level.name, grants });
            }
            Some(_) => {}
        }
    }
    let detail = format!("the tenant has {NAMES} access levels called {} with other grants; rename one", legacy.level);
    Err(Error::conflict("access_level_name_taken", detail))
}

fn migrated_before() -> Error {
    Error::conflict(CUSTOM_ALREADY, "the application has been migrated meanwhile; read it again")
}
