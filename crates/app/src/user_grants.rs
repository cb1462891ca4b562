//! What users hold and under which conditions, for clients that know this as one thing: roles, and profiles beside them. Nobody
//! hands out, takes away or changes what lies above their own rights, whether its conditions hold at the moment or not.

use crate::App;
use crate::caller::Caller;
use crate::revocations::PersonChange;
use crate::unit::{Effect, Needs, Unit};
use claviger_domain::access_level::AccessLevel;
use claviger_domain::access_profile::{AccessProfile, Conditions, GrantStamp, check_profiles};
use claviger_domain::application::Reach;
use claviger_domain::grants::{GrantSet, Verb};
use claviger_domain::id::{AccessLevelId, AccessProfileId, TenantId, UserId};
use claviger_domain::page::{LIMIT_MAX, PageRequest};
use claviger_domain::user::{NewUser, User, UserPatch, parse_roles, presented_key};
use claviger_domain::{Error, Result};
use serde_json::{Value, json};
use std::sync::Arc;

const PERMISSION: &str = "users";
/// Pages that are put together of levels and users: clients that ask for these know no pages.
const PAGES_MAX: usize = 100;

/// What a user holds.
#[derive(Clone, Debug)]
pub struct UserGrant {
    /// The user, with the roles that it holds under no condition.
    pub user: User,
    /// What it holds besides.
    pub profiles: Vec<AccessProfile>,
    /// Who gave it that; none where nobody has kept it.
    pub stamp: Option<GrantStamp>,
    /// Whether the caller's own rights cover all of it.
    pub manageable: bool,
}

impl UserGrant {
    /// Whether there is anything that could be called a grant.
    pub fn exists(&self) -> bool {
        self.stamp.is_some() || !self.user.roles.is_empty() || !self.profiles.is_empty()
    }
}

/// A profile that is asked for.
#[derive(Clone, Debug)]
pub struct WantedProfile {
    /// The id of the one that it takes the place of; none for a new one.
    pub id: Option<AccessProfileId>,
    /// How far it reaches.
    pub reach: Reach,
    /// Its access levels.
    pub roles: Vec<AccessLevelId>,
    /// When it counts.
    pub conditions: Conditions,
}

/// What is to become of what a user holds.
#[derive(Clone, Debug)]
pub enum GrantChange {
    /// It holds this, and has held nothing before.
    Create(Vec<AccessLevelId>, Vec<WantedProfile>),
    /// It holds this in place of all it had.
    Replace(Vec<AccessLevelId>, Vec<WantedProfile>),
    /// It holds one profile more.
    AddProfile(WantedProfile),
    /// A profile is another one.
    ChangeProfile(AccessProfileId, WantedProfile),
    /// It holds a profile no longer.
    RemoveProfile(AccessProfileId),
    /// It holds nothing any more.
    Remove,
}

impl App {
    /// What a user holds. Needs `users:READ`.
    pub async fn find_user_grant(&self, caller: &Caller, tenant: TenantId, id: UserId) -> Result<UserGrant> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        self.read_user_grant(caller, tenant, id).await
    }

    async fn read_user_grant(&self, caller: &Caller, tenant: TenantId, id: UserId) -> Result<UserGrant> {
        let store = &self.state.store;
        let user = store.find_user(tenant, id).await?.ok_or(Error::NotFound("user"))?;
        let profiles = store.list_access_profiles(tenant, id).await?;
        let stamp = store.find_grant_stamp(tenant, id).await?;
        let mut held = GrantSet::default();
        for role in user.roles.iter().chain(profiles.iter().flat_map(|profile| &profile.roles)) {
            let built_in = self.state.catalogue.level(*role).map(|level| level.grants.clone());
            let grants = match built_in {
                Some(grants) => Some(grants),
                None => store.find_access_level(tenant, *role).await?.map(|level| level.grants),
            };
            let grants = grants.unwrap_or_default();
            held = held.or(&GrantSet::compile(&grants, &self.state.catalogue));
        }
        let reach = profiles.iter().map(|profile| profile.reach).find(|reach| *reach == Reach::Beneath);
        let manageable = caller.would_cover(&held, reach.unwrap_or(user.reach));
        Ok(UserGrant { user, profiles, stamp, manageable })
    }

    /// The user of that number. Needs `users:READ`.
    pub async fn find_user_numbered(&self, caller: &Caller, tenant: TenantId, number: i64) -> Result<User> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        self.user_numbered(tenant, number).await
    }

    /// The id of the user of that number, for whoever goes on to act upon it with this verb of `users`.
    pub async fn user_id_numbered(&self, caller: &Caller, tenant: TenantId, number: i64, verb: Verb) -> Result<UserId> {
        let tenant = caller.reach(tenant)?.id;
        caller.must_hold(PERMISSION, verb)?;
        Ok(self.user_numbered(tenant, number).await?.id)
    }

    async fn user_numbered(&self, tenant: TenantId, number: i64) -> Result<User> {
        match self.state.store.find_user_numbered(number).await? {
            Some((home, id)) if home == tenant => {
                self.state.store.find_user(tenant, id).await?.ok_or(Error::NotFound("user"))
            }
            _ => Err(Error::NotFound("user")),
        }
    }

    /// Changes a user as [`App::update_user`] does, where its address is the one of this key, if one is given: that is changed by
    /// the person, who proves that it is theirs.
    pub async fn update_named_user(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        id: UserId,
        patch: UserPatch,
        email_key: Option<String>,
    ) -> Result<User> {
        self.edit_user(caller, tenant, id, None, "user.updated", move |before| {
            if email_key.is_some_and(|key| key != presented_key(&before.email)) {
                let fix = "leave it as it is; the person changes it, and confirms it from the new address";
                return Err(Error::invalid("email", "the address is another one", fix));
            }
            Ok(patch.apply(before))
        })
        .await
    }

    /// All users of a tenant, oldest first. Needs `users:READ`.
    pub async fn list_all_users(&self, caller: &Caller, tenant: TenantId) -> Result<Vec<User>> {
        let (mut users, mut page) = (Vec::new(), PageRequest { limit: LIMIT_MAX, after: None });
        let filter = claviger_domain::user::UserFilter::default();
        for _ in 0..PAGES_MAX {
            let found = self.list_users(caller, tenant, &filter, &page).await?;
            users.extend(found.items);
            match PageRequest::parse(Some(LIMIT_MAX), found.next.as_deref())? {
                next if next.after.is_some() => page = next,
                _ => break,
            }
        }
        Ok(users)
    }

    /// The access levels that users of a tenant may hold: its own and those that come with the server. Needs
    /// `access-levels:READ`.
    pub async fn list_roles(&self, caller: &Caller, tenant: TenantId) -> Result<Vec<AccessLevel>> {
        let (mut levels, mut page) = (Vec::new(), PageRequest { limit: LIMIT_MAX, after: None });
        for _ in 0..PAGES_MAX {
            let found = self.list_access_levels(caller, tenant, &page).await?;
            levels.extend(found.items);
            match PageRequest::parse(Some(LIMIT_MAX), found.next.as_deref())? {
                next if next.after.is_some() => page = next,
                _ => break,
            }
        }
        Ok(levels)
    }

    /// Those of them that the caller could hand out with that reach: none that lies above its own rights. Needs
    /// `access-levels:READ`.
    pub async fn list_permitted_roles(
        &self,
        caller: &Caller,
        tenant: TenantId,
        reach: Reach,
    ) -> Result<Vec<AccessLevel>> {
        let mut levels = self.list_roles(caller, tenant).await?;
        let catalogue = &self.state.catalogue;
        levels.retain(|level| caller.would_cover(&GrantSet::compile(&level.grants, catalogue), reach));
        Ok(levels)
    }

    /// Makes a user who holds profiles besides its roles. Needs `users:CREATE` and every right that these give.
    pub async fn create_user_with_profiles(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        new: NewUser,
        profiles: Vec<WantedProfile>,
    ) -> Result<User> {
        let node = caller.reach(tenant)?;
        caller.allow(PERMISSION, Verb::Create)?;
        claviger_domain::user::check_tenant(node.kind)?;
        self.unit(caller, Needs { tenant, right: (PERMISSION, Verb::Create) }, move |unit| {
            Box::pin(async move {
                let user = unit.insert_user(tenant, new).await?;
                let profiles = unit.named(profiles, &[])?;
                unit.check_grant(&user, &profiles).await?;
                unit.tx.put_access_profiles(tenant, user.id, &profiles).await?;
                // Who may nothing has no grant yet: somebody may make one.
                if !user.roles.is_empty() || !profiles.is_empty() {
                    let by = unit.caller.name();
                    unit.tx.put_grant_stamp(tenant, user.id, &by, unit.now).await?;
                }
                unit.invite(&user).await?;
                let mut details = unit.app.state.describe_user(&user);
                details.insert("profiles".into(), describe(&profiles));
                unit.record("user.created", crate::users::target(&user), details);
                Ok(user)
            })
        })
        .await
    }

    /// Changes what a user holds; its sessions have the new rights when this returns. What it held before is returned where it
    /// holds nothing afterwards. Needs `users:UPDATE` and every right that the user has before and after.
    pub async fn change_user_grant(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        id: UserId,
        change: GrantChange,
    ) -> Result<UserGrant> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Update)?;
        self.unit(caller, Needs { tenant, right: (PERMISSION, Verb::Update) }, move |unit| {
            Box::pin(async move {
                let before = unit.user_within_rights(tenant, id, None).await?;
                let profiles = unit.tx.list_access_profiles(tenant, id).await?;
                let stamp = unit.tx.find_grant_stamp(tenant, id).await?;
                let held = UserGrant { user: before.clone(), profiles, stamp, manageable: true };
                let removes = matches!(change, GrantChange::Remove);
                let (roles, profiles) = unit.changed_grant(&held, change)?;
                let reach = profiles.first().map_or(before.reach, |profile| profile.reach);
                let after = User { roles, reach, ..before.clone() };
                unit.check_grant(&after, &profiles).await?;
                let after = unit.change_user(after).await?;
                unit.keep_owner(tenant, &before).await?;
                unit.tx.put_access_profiles(tenant, id, &profiles).await?;
                unit.narrows_user(&before, &after);
                if held.profiles.iter().any(|profile| !profiles.contains(profile)) {
                    unit.affects(Effect::User(tenant, id, PersonChange::Narrowed));
                }
                let state = Arc::clone(&unit.app.state);
                let (was, is) = (state.describe_user(&before), state.describe_user(&after));
                let mut details = crate::applications::changed(&was, &is);
                if held.profiles != profiles {
                    let profiles = json!({ "from": describe(&held.profiles), "to": describe(&profiles) });
                    details.insert("profiles".into(), profiles);
                }
                unit.record("user.grant_changed", crate::users::target(&after), details);
                if removes {
                    unit.tx.delete_grant_stamp(tenant, id).await?;
                    return Ok(held);
                }
                let by = unit.caller.name();
                unit.tx.put_grant_stamp(tenant, id, &by, unit.now).await?;
                let stamp = unit.tx.find_grant_stamp(tenant, id).await?;
                Ok(UserGrant { user: after, profiles, stamp, manageable: true })
            })
        })
        .await
    }
}

impl Unit {
    /// What a user holds after a change.
    fn changed_grant(&self, held: &UserGrant, change: GrantChange) -> Result<(Vec<AccessLevelId>, Vec<AccessProfile>)> {
        let roles = held.user.roles.clone();
        let mut profiles = held.profiles.clone();
        let missing = || Error::NotFound("profile");
        match change {
            GrantChange::Create(..) if held.exists() => {
                let detail = "the user has a grant; change that one, or delete it first";
                Err(Error::conflict("grant_exists", detail))
            }
            GrantChange::Create(roles, wanted) => Ok((parse_roles("/roles", roles)?, self.named(wanted, &[])?)),
            _ if !held.exists() => Err(Error::NotFound("grant")),
            GrantChange::Replace(roles, wanted) => {
                Ok((parse_roles("/roles", roles)?, self.named(wanted, &held.profiles)?))
            }
            GrantChange::AddProfile(wanted) => {
                profiles.extend(self.named(vec![WantedProfile { id: None, ..wanted }], &[])?);
                Ok((roles, profiles))
            }
            GrantChange::ChangeProfile(id, wanted) => {
                let place = profiles.iter_mut().find(|profile| profile.id == id).ok_or_else(missing)?;
                let known = place.clone();
                let changed = self.named(vec![WantedProfile { id: Some(id), ..wanted }], &[known])?;
                if let Some(changed) = changed.into_iter().next() {
                    *place = changed;
                }
                Ok((roles, profiles))
            }
            GrantChange::RemoveProfile(id) => {
                let count = profiles.len();
                profiles.retain(|profile| profile.id != id);
                if profiles.len() == count { Err(missing()) } else { Ok((roles, profiles)) }
            }
            GrantChange::Remove => Ok((Vec::new(), Vec::new())),
        }
    }

    /// Profiles with ids: those of `known` keep theirs.
    fn named(&self, wanted: Vec<WantedProfile>, known: &[AccessProfile]) -> Result<Vec<AccessProfile>> {
        let mut profiles: Vec<AccessProfile> = Vec::with_capacity(wanted.len());
        for (index, WantedProfile { id, reach, roles, conditions }) in wanted.into_iter().enumerate() {
            let at = format!("/profiles/{index}");
            let id = match id {
                None => AccessProfileId::new(self.now, self.app.state.random.bytes()?),
                Some(id) if profiles.iter().any(|profile| profile.id == id) => {
                    return Err(Error::invalid(&at, format!("the profile {id} is named twice"), "name each once"));
                }
                Some(id) if known.iter().any(|profile| profile.id == id) => id,
                Some(id) => {
                    let fix = "leave profile_uuid out for a new profile";
                    return Err(Error::invalid(&at, format!("the user has no profile {id}"), fix));
                }
            };
            profiles.push(AccessProfile { id, reach, roles: parse_roles(&at, roles)?, conditions });
        }
        check_profiles("/profiles", &profiles)?;
        Ok(profiles)
    }

    /// Refuses what lies above the caller's own rights.
    async fn check_grant(&mut self, user: &User, profiles: &[AccessProfile]) -> Result<()> {
        let tenant = user.tenant_id;
        let mut wanted = self.rights_of_roles(tenant, &user.roles).await?;
        self.caller.covers(&wanted, user.reach)?;
        for profile in profiles {
            wanted = self.rights_of_roles(tenant, &profile.roles).await?;
            self.caller.covers(&wanted, profile.reach)?;
        }
        Ok(())
    }

    /// What the profiles of a user grant together, whether their conditions hold or not.
    pub(crate) async fn rights_of_profiles(&mut self, tenant: TenantId, user: UserId) -> Result<GrantSet> {
        let profiles = self.tx.list_access_profiles(tenant, user).await?;
        let mut roles: Vec<_> = profiles.into_iter().flat_map(|profile| profile.roles).collect();
        roles.sort();
        roles.dedup();
        self.rights_of_roles(tenant, &roles).await
    }
}

fn describe(profiles: &[AccessProfile]) -> Value {
    let describe = |profile: &AccessProfile| {
        let Conditions { networks, expires_at, disabled } = &profile.conditions;
        let networks = networks.as_ref().map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>());
        json!({
            "id": profile.id,
            "reach": profile.reach.as_str(),
            "access_level_ids": profile.roles,
            "networks": networks,
            "expires_at": expires_at,
            "disabled": disabled,
        })
    };
    profiles.iter().map(describe).collect::<Vec<_>>().into()
}
