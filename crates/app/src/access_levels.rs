//! Access levels: create, edit, duplicate, move between tenants, delete.

use crate::App;
use crate::applications::changed;
use crate::caller::Caller;
use crate::credential_policy::Stay;
use crate::unit::{Effect, Needs, OnceFor, Posted, Unit};
use claviger_domain::access_level::{AccessLevel, AccessLevelPatch, Export, NewAccessLevel, refuse_built_in, role_urn};
use claviger_domain::application::Reach;
use claviger_domain::audit::Target;
use claviger_domain::catalogue::{BuiltInLevel, Catalogue};
use claviger_domain::error::Referrer;
use claviger_domain::grants::{GrantSet, Grants, Verb, grants_to_json, parse_grants};
use claviger_domain::id::{AccessLevelId, TenantId};
use claviger_domain::name::{DESCRIPTION_MAX, NAME_MAX, Name, parse_text};
use claviger_domain::page::{Page, PageRequest};
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use claviger_store::access_levels::LevelUser;
use serde_json::{Map, Value};
use std::sync::Arc;

const PERMISSION: &str = "access-levels";

impl App {
    /// Makes an access level. Needs `access-levels:CREATE` and every right in it.
    pub async fn create_access_level(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        new: NewAccessLevel,
        once: Option<OnceFor<AccessLevel>>,
    ) -> Result<Posted<AccessLevel>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Create)?;
        self.insert_level(caller, tenant, new, None, once).await
    }

    /// An access level of the tenant, or a built-in one. Needs `access-levels:READ`.
    pub async fn find_access_level(&self, caller: &Caller, tenant: TenantId, id: AccessLevelId) -> Result<AccessLevel> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        if let Some(level) = self.state.catalogue.level(id) {
            return Ok(built_in(level));
        }
        self.state.store.find_access_level(tenant, id).await?.ok_or(Error::NotFound("access level"))
    }

    /// The built-in access levels, then the tenant's own, oldest first. Needs `access-levels:READ`.
    pub async fn list_access_levels(
        &self,
        caller: &Caller,
        tenant: TenantId,
        page: &PageRequest,
    ) -> Result<Page<AccessLevel>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        // Built-in ids lie before any id made by a clock, so that one order and one cursor serve both.
        let after = page.after.as_deref().unwrap_or_default();
        let own_begin =
            after.to_owned().max(self.state.catalogue.levels().last().map(|l| l.id.to_string()).unwrap_or_default());
        let mut items: Vec<_> =
            self.state.catalogue.levels().iter().filter(|level| *level.id.to_string() > *after).map(built_in).collect();
        let stored = PageRequest { limit: page.limit, after: Some(own_begin) };
        items.extend(self.state.store.list_access_levels(tenant, &stored).await?);
        Ok(Page::cut(items, page, |level| level.id.to_string()))
    }

    /// Edits an access level; holds for every application and user with it when this returns. Needs `access-levels:UPDATE`
    /// and every right in it before and after; where one of them reaches beneath, a reach as wide.
    pub async fn update_access_level(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        id: AccessLevelId,
        patch: AccessLevelPatch,
        if_match: Option<i64>,
    ) -> Result<AccessLevel> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Update)?;
        self.unit(caller, Needs { tenant, right: (PERMISSION, Verb::Update) }, move |unit| {
            Box::pin(async move {
                let before = unit.own_level(tenant, id, if_match).await?;
                let mut after = before.clone();
                let name = match patch.name {
                    Some(name) => name,
                    None => Name::parse("/name", &before.name)?,
                };
                unit.refuse_built_in_name(&name)?;
                name.as_str().clone_into(&mut after.name);
                after.description = patch.description.unwrap_or(after.description);
                after.grants = patch.grants.unwrap_or(after.grants);
                after.version += 1;
                after.updated_at = unit.now;
                unit.covers_level(&after.grants)?;
                if unit.tx.level_reaches_beneath(tenant, id).await? {
                    unit.caller.covers(&GrantSet::default(), Reach::Beneath)?;
                }
                unit.tx.update_access_level(tenant, &after, &name.key()).await?;
                if after.grants != before.grants {
                    unit.refuse_operator_lock_out(tenant, Stay::Now).await?;
                }
                unit.record("access_level.updated", target(&after), changed(&describe(&before), &describe(&after)));
                unit.affects(Effect::Level(tenant, id));
                Ok(after)
            })
        })
        .await
    }

    /// Copies an access level, a built-in one too, under a new name; without one it is called "… (copy)". Needs
    /// `access-levels:CREATE` and every right in it.
    pub async fn duplicate_access_level(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        id: AccessLevelId,
        name: Option<Name>,
        once: Option<OnceFor<AccessLevel>>,
    ) -> Result<Posted<AccessLevel>> {
        let original = self.find_access_level(caller, tenant, id).await?;
        caller.allow(PERMISSION, Verb::Create)?;
        let name = match name {
            Some(name) => name,
            None => {
                let stem: String = original.name.chars().take(NAME_MAX - 7).collect();
                Name::parse("/name", &format!("{stem} (copy)"))?
            }
        };
        let (grants, description) = (original.grants, original.description);
        self.insert_level(caller, tenant, NewAccessLevel { name, description, grants }, Some(id), once).await
    }

    /// An access level as a file. Needs `access-levels:READ`.
    pub async fn export_access_level(&self, caller: &Caller, tenant: TenantId, id: AccessLevelId) -> Result<Export> {
        let level = self.find_access_level(caller, tenant, id).await?;
        let urn = match self.state.catalogue.level(id) {
            Some(built_in) => built_in.urn.clone(),
            None => role_urn(caller.reach(tenant)?.org_key.as_str(), &level.name),
        };
        Ok(Export::of(urn, &level))
    }

    /// Makes an access level of a file. Needs `access-levels:CREATE` and every right in it.
    pub async fn import_access_level(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        file: Export,
        once: Option<OnceFor<AccessLevel>>,
    ) -> Result<Posted<AccessLevel>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Create)?;
        let mut written = std::collections::BTreeMap::new();
        for (index, capability) in file.capabilities.into_iter().enumerate() {
            if written.insert(capability.name.clone(), capability.verbs).is_some() {
                let pointer = format!("/capabilities/{index}/name");
                return Err(Error::invalid(
                    &pointer,
                    format!("{} is listed twice", capability.name),
                    "merge the two lines",
                ));
            }
        }
        let new = NewAccessLevel {
            name: Name::parse("/name", &file.name)?,
            description: parse_text("/desc", &file.desc, DESCRIPTION_MAX)?,
            grants: parse_grants("/capabilities", &written, &self.state.catalogue)?,
        };
        self.insert_level(caller, tenant, new, None, once).await
    }

    /// Deletes an access level. Needs `access-levels:DELETE`. Refused while an application or a user has its rights
    /// from it.
    pub async fn delete_access_level(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        id: AccessLevelId,
        if_match: Option<i64>,
    ) -> Result<()> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Delete)?;
        self.unit(caller, Needs { tenant, right: (PERMISSION, Verb::Delete) }, move |unit| {
            Box::pin(async move {
                let level = unit.own_level(tenant, id, if_match).await?;
                let users = unit.tx.list_level_users(tenant, id).await?;
                let refer =
                    |user: LevelUser| Referrer { kind: "application", id: user.id.to_string(), name: user.name };
                let mut referrers: Vec<_> = users.into_iter().map(refer).collect();
                let applications = referrers.len();
                referrers.extend(unit.tx.list_level_holders(tenant, id).await?);
                let people = referrers.len() - applications;
                referrers.extend(unit.tx.list_level_providers(tenant, id).await?);
                if !referrers.is_empty() {
                    let names: Vec<_> = referrers.iter().take(10).map(|user| user.name.as_str()).collect();
                    let detail = format!(
                        "{} is used by {}, {} and {} ({}); give them another access level first",
                        level.name,
                        counted(applications, "application"),
                        counted(people, "user"),
                        counted(referrers.len() - applications - people, "identity provider"),
                        names.join(", ")
                    );
                    return Err(Error::Conflict { code: "access_level_in_use", detail, referrers });
                }
                unit.tx.delete_access_level(tenant, id).await?;
                unit.record("access_level.deleted", target(&level), Map::new());
                unit.affects(Effect::Level(tenant, id));
                Ok(())
            })
        })
        .await
    }

    async fn insert_level(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        new: NewAccessLevel,
        copied_from: Option<AccessLevelId>,
        once: Option<OnceFor<AccessLevel>>,
    ) -> Result<Posted<AccessLevel>> {
        self.unit_once(caller, Needs { tenant, right: (PERMISSION, Verb::Create) }, once, move |unit| {
            Box::pin(async move {
                unit.covers_level(&new.grants)?;
                unit.refuse_built_in_name(&new.name)?;
                let level = unit.insert_level(tenant, new).await?;
                let mut details = describe(&level);
                if let Some(original) = copied_from {
                    details.insert("copied_from".into(), original.to_string().into());
                }
                unit.record("access_level.created", target(&level), details);
                Ok(level)
            })
        })
        .await
    }
}

impl Unit {
    /// Inserts a level of the tenant as it is: whether the caller may make it, the verb has asked.
    pub(crate) async fn insert_level(&mut self, tenant: TenantId, new: NewAccessLevel) -> Result<AccessLevel> {
        let level = AccessLevel {
            id: AccessLevelId::new(self.now, self.app.state.random.bytes()?),
            tenant_id: Some(tenant),
            name: new.name.as_str().to_owned(),
            description: new.description,
            grants: new.grants,
            version: 1,
            created_at: self.now,
            updated_at: self.now,
        };
        self.tx.insert_access_level(tenant, &level, &new.name.key()).await?;
        Ok(level)
    }

    async fn own_level(&mut self, tenant: TenantId, id: AccessLevelId, if_match: Option<i64>) -> Result<AccessLevel> {
        if let Some(level) = self.app.state.catalogue.level(id) {
            refuse_built_in(&level.name)?;
        }
        let level = self.tx.find_access_level(tenant, id).await?.ok_or(Error::NotFound("access level"))?;
        crate::check_version(if_match, level.version)?;
        self.covers_level(&level.grants)?;
        Ok(level)
    }

    /// A level of a tenant stands in one list with the built-in ones, and must not pass for one of them.
    pub(crate) fn refuse_built_in_name(&self, name: &Name) -> Result<()> {
        for level in self.app.state.catalogue.levels() {
            if Name::parse("/name", &level.name)?.key() == name.key() {
                let detail =
                    format!("{} is the name of an access level that comes with the server; choose another", level.name);
                return Err(Error::conflict("access_level_name_taken", detail));
            }
        }
        Ok(())
    }

    fn covers_level(&self, grants: &Grants) -> Result<()> {
        let catalogue: &Catalogue = &self.app.state.catalogue;
        self.caller.covers(&GrantSet::compile(grants, catalogue), Reach::Own)
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn built_in(level: &BuiltInLevel) -> AccessLevel {
    AccessLevel {
        id: level.id,
        tenant_id: None,
        name: level.name.clone(),
        description: level.description.clone(),
        grants: level.grants.clone(),
        version: 1,
        created_at: Timestamp::from_micros(0),
        updated_at: Timestamp::from_micros(0),
    }
}

fn target(level: &AccessLevel) -> Target {
    Target { kind: "access_level", id: level.id.to_string(), name: level.name.clone() }
}

fn describe(level: &AccessLevel) -> Map<String, Value> {
    Map::from_iter([
        ("name".to_owned(), level.name.clone().into()),
        ("description".to_owned(), level.description.clone().into()),
        ("grants".to_owned(), grants_to_json(&level.grants)),
    ])
}
