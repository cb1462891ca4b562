//! Users: create, change, give roles, disable, delete. Nobody deals with somebody whose rights lie above their own, and a
//! tenant that has people keeps one who can do everything.

use crate::App;
use crate::applications::changed;
use crate::caller::{Caller, UserCaller};
use crate::revocations::PersonChange;
use crate::state::State;
use crate::unit::{Effect, NO_RIGHT, Needs, OnceFor, Posted, Unit};
use claviger_domain::application::{Reach, Rights};
use claviger_domain::audit::Target;
use claviger_domain::catalogue::BuiltInLevel;
use claviger_domain::grants::{GrantSet, Grants, Verb};
use claviger_domain::id::{AccessLevelId, TenantId, UserId};
use claviger_domain::page::{Page, PageRequest};
use claviger_domain::user::{NewUser, Status, User, UserFilter, UserPatch, check_tenant};
use claviger_domain::{Error, Result};
use serde_json::{Map, Value, json};
use std::sync::Arc;

const PERMISSION: &str = "users";

impl App {
    /// Makes a user, who is invited. Needs `users:CREATE` and every right that its roles give.
    pub async fn create_user(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        new: NewUser,
        once: Option<OnceFor<User>>,
    ) -> Result<Posted<User>> {
        let node = caller.reach(tenant)?;
        caller.allow(PERMISSION, Verb::Create)?;
        check_tenant(node.kind)?;
        self.unit_once(caller, Needs { tenant, right: (PERMISSION, Verb::Create) }, once, move |unit| {
            Box::pin(async move {
                let user = unit.insert_user(tenant, new).await?;
                unit.invite(&user).await?;
                unit.record("user.created", target(&user), unit.app.state.describe_user(&user));
                Ok(user)
            })
        })
        .await
    }

    /// A user. Needs `users:READ`.
    pub async fn find_user(&self, caller: &Caller, tenant: TenantId, id: UserId) -> Result<User> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        self.state.store.find_user(tenant, id).await?.ok_or(Error::NotFound("user"))
    }

    /// The users of a tenant: oldest first, or where they are looked for by the words that fit. Needs `users:READ`.
    pub async fn list_users(
        &self,
        caller: &Caller,
        tenant: TenantId,
        filter: &UserFilter,
        page: &PageRequest,
    ) -> Result<Page<User>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        let found = self.state.store.list_users(tenant, filter, page).await?;
        Ok(Page::cut(found, page, |(_, position)| position.clone()).map(|(user, _)| user))
    }

    /// Changes a user. Needs `users:UPDATE` and every right that the user has before and after.
    pub async fn update_user(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        id: UserId,
        patch: UserPatch,
        if_match: Option<i64>,
    ) -> Result<User> {
        self.edit_user(caller, tenant, id, if_match, "user.updated", |before| Ok(patch.apply(before))).await
    }

    /// Gives a user other roles in place of all it had; they hold when this returns. Needs `users:UPDATE` and every right that
    /// the user has before and after.
    pub async fn put_user_roles(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        id: UserId,
        roles: Vec<AccessLevelId>,
        if_match: Option<i64>,
    ) -> Result<User> {
        let change = move |before: &User| Ok(User { roles, ..before.clone() });
        self.edit_user(caller, tenant, id, if_match, "user.roles_changed", change).await
    }

    /// Keeps a user from signing in; all of its sessions have ended when this returns. Doing it again changes nothing. Needs
    /// `users:UPDATE` and every right that the user has.
    pub async fn disable_user(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        id: UserId,
        if_match: Option<i64>,
    ) -> Result<User> {
        let own = caller.user().is_some_and(|user| user.id == id);
        let change = move |before: &User| {
            if own {
                return Err(Error::conflict("own_user", "nobody can disable themselves; ask another administrator"));
            }
            Ok(User { status: Status::Disabled, ..before.clone() })
        };
        self.edit_user(caller, tenant, id, if_match, "user.disabled", change).await
    }

    /// Lets a user sign in again. Doing it again changes nothing. Needs `users:UPDATE` and every right that the user has.
    pub async fn enable_user(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        id: UserId,
        if_match: Option<i64>,
    ) -> Result<User> {
        let change = |before: &User| Ok(User { status: before.enabled_status(), ..before.clone() });
        self.edit_user(caller, tenant, id, if_match, "user.enabled", change).await
    }

    pub(crate) async fn edit_user(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        id: UserId,
        if_match: Option<i64>,
        action: &'static str,
        change: impl FnOnce(&User) -> Result<User> + Send + 'static,
    ) -> Result<User> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Update)?;
        self.unit(caller, Needs { tenant, right: (PERMISSION, Verb::Update) }, move |unit| {
            Box::pin(async move {
                let before = unit.user_within_rights(tenant, id, if_match).await?;
                let mut after = change(&before)?;
                let wanted = unit.rights_of_roles(tenant, &after.roles).await?;
                unit.caller.covers(&wanted, after.reach)?;
                if after != before {
                    after = unit.change_user(after).await?;
                    unit.keep_owner(tenant, &before).await?;
                    unit.narrows_user(&before, &after);
                }
                let ended = if after.status == Status::Disabled {
                    let now = unit.app.state.shared_now();
                    unit.tx.end_user_sessions(tenant, id, None, now).await?
                } else {
                    0
                };
                let state = &unit.app.state;
                let mut details = changed(&state.describe_user(&before), &state.describe_user(&after));
                if ended > 0 {
                    details.insert("sessions_ended".into(), json!(ended));
                }
                unit.record(action, target(&after), details);
                Ok(after)
            })
        })
        .await
    }

    /// Deletes a user with its sessions, at once. Applications that it answers for are the successor's afterwards; without one
    /// they keep the user from being deleted. Needs `users:DELETE` and every right that the user has.
    pub async fn delete_user(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        id: UserId,
        successor: Option<UserId>,
        if_match: Option<i64>,
    ) -> Result<()> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Delete)?;
        if caller.user().is_some_and(|user| user.id == id) {
            return Err(Error::conflict("own_user", "nobody can delete themselves; ask another administrator"));
        }
        self.unit(caller, Needs { tenant, right: (PERMISSION, Verb::Delete) }, move |unit| {
            Box::pin(async move {
                let user = unit.user_within_rights(tenant, id, if_match).await?;
                unit.caller.must_step_up()?;
                let mut details = Map::new();
                let owned = unit.tx.list_owned_applications(id).await?;
                match successor {
                    None if !owned.is_empty() => {
                        let detail = format!(
                            "{} answers for {} applications; name who takes them over as successor_id",
                            user.display_name(),
                            owned.len()
                        );
                        return Err(Error::Conflict { code: "has_dependants", detail, referrers: owned });
                    }
                    Some(successor) => {
                        let email = unit.check_successor(tenant, id, successor).await?;
                        let ids: Vec<_> = owned.iter().map(|one| one.id.clone()).collect();
                        unit.tx.change_owners(id, (successor, &email), unit.now).await?;
                        details.insert("successor_id".into(), json!(successor.to_string()));
                        details.insert("application_ids".into(), json!(ids));
                    }
                    None => {}
                }
                unit.tx.delete_user(tenant, id).await?;
                unit.keep_owner(tenant, &user).await?;
                unit.affects(Effect::User(tenant, id, PersonChange::Standing));
                unit.record("user.deleted", target(&user), details);
                Ok(())
            })
        })
        .await
    }
}

/// The person who calls, with what the store says besides.
#[derive(Clone, Debug)]
pub struct Me {
    /// As it calls.
    pub caller: Arc<UserCaller>,
    /// As it is stored.
    pub user: User,
    /// Name of its tenant.
    pub tenant_name: String,
}

impl App {
    /// The person who calls.
    pub async fn find_me(&self, caller: &Caller) -> Result<Me> {
        let me = self.person(caller)?;
        let user = self.state.store.find_user(me.tenant.id, me.id).await?.ok_or(Error::NotFound("user"))?;
        let tenant = self.state.store.find_tenant(me.tenant.id).await?.ok_or(Error::NotFound("tenant"))?;
        Ok(Me { caller: me, user, tenant_name: tenant.name })
    }

    /// Changes the caller's own names and number.
    pub async fn update_me(self: &Arc<Self>, caller: &Caller, patch: UserPatch) -> Result<Me> {
        let me = self.person(caller)?;
        let (tenant, id, patch) = (me.tenant.id, me.id, UserPatch { reach: None, ..patch });
        self.unit(caller, Needs { tenant, right: NO_RIGHT }, move |unit| {
            Box::pin(async move {
                let before = unit.tx.find_user(tenant, id).await?.ok_or(Error::NotFound("user"))?;
                let mut after = patch.apply(&before);
                if after != before {
                    after = unit.change_user(after).await?;
                }
                let state = &unit.app.state;
                let details = changed(&state.describe_user(&before), &state.describe_user(&after));
                unit.record("user.updated", target(&after), details);
                Ok(())
            })
        })
        .await?;
        self.find_me(caller).await
    }
}

impl Unit {
    /// Inserts a user where the caller may make it.
    pub(crate) async fn insert_user(&mut self, tenant: TenantId, new: NewUser) -> Result<User> {
        let wanted = self.rights_of_roles(tenant, &new.roles).await?;
        self.caller.covers(&wanted, new.reach)?;
        self.check_user_limit(tenant).await?;
        let id = UserId::new(self.now, self.app.state.random.bytes()?);
        let number = self.tx.next_user_number().await?;
        let user = new.into_user(tenant, id, number, self.now);
        self.tx.insert_user(tenant, &user).await?;
        Ok(user)
    }

    /// Refuses one more user where the tenant may not have it.
    async fn check_user_limit(&mut self, tenant: TenantId) -> Result<()> {
        let found = self.tx.find_tenant(tenant).await?.ok_or(Error::NotFound("tenant"))?;
        let Some(limit) = found.details.user_limit else { return Ok(()) };
        let count = self.tx.count_users(tenant).await?;
        if count < limit {
            return Ok(());
        }
        let detail = format!(
            "the tenant has {count} users and may have {limit}; delete one, or ask the tenant above to raise user_limit"
        );
        Err(Error::conflict("user_limit_reached", detail))
    }

    /// The user, where the caller's own rights cover it and its version is the one expected.
    pub(crate) async fn user_within_rights(
        &mut self,
        tenant: TenantId,
        id: UserId,
        if_match: Option<i64>,
    ) -> Result<User> {
        let user = self.tx.find_user(tenant, id).await?.ok_or(Error::NotFound("user"))?;
        crate::check_version(if_match, user.version)?;
        let held = self.rights_of_roles(tenant, &user.roles).await?;
        let held = held.or(&self.rights_of_profiles(tenant, id).await?);
        self.caller.covers(&held, user.reach)?;
        Ok(user)
    }

    /// What roles grant together.
    pub(crate) async fn rights_of_roles(&mut self, tenant: TenantId, roles: &[AccessLevelId]) -> Result<GrantSet> {
        let mut all = GrantSet::default();
        for (index, role) in roles.iter().enumerate() {
            let granted = self.rights_of(tenant, &Rights::Level(*role)).await.map_err(|error| match error {
                Error::Invalid(_) => Error::invalid(
                    &format!("/access_level_ids/{index}"),
                    format!("the tenant has no access level {role}"),
                    "GET /v1/tenants/{tenant_id}/access-levels lists its levels and the built-in ones",
                ),
                other => other,
            })?;
            all = all.or(&granted);
        }
        Ok(all)
    }

    /// Writes a user that was changed, as its next version.
    pub(crate) async fn change_user(&mut self, changed: User) -> Result<User> {
        let changed = User { version: changed.version + 1, updated_at: self.now, ..changed };
        self.tx.update_user(changed.tenant_id, &changed).await?;
        Ok(changed)
    }

    /// Refuses a change after which no active user of the tenant would hold Super Admin, where `before` was one. Units of a
    /// tenant go one after the other, so two cannot remove each other.
    pub(crate) async fn keep_owner(&mut self, tenant: TenantId, before: &User) -> Result<()> {
        let owner = self.app.state.owner_level()?.id;
        let was_owner = before.status == Status::Active && before.roles.contains(&owner);
        if !was_owner || self.tx.count_active_holders(tenant, owner).await? > 0 {
            return Ok(());
        }
        let detail = format!(
            "{} is the last active user of the tenant who holds Super Admin; give that to somebody else first",
            before.display_name()
        );
        Err(Error::conflict("last_owner", detail))
    }

    async fn check_successor(&mut self, tenant: TenantId, id: UserId, successor: UserId) -> Result<String> {
        let refuse = |message: String| Err(Error::invalid("successor_id", message, "name another user of the tenant"));
        if successor == id {
            return refuse("the user cannot be its own successor".into());
        }
        match self.tx.find_user(tenant, successor).await? {
            None => refuse(format!("the tenant has no user {successor}")),
            Some(user) if user.status == Status::Disabled => refuse(format!("{} is disabled", user.display_name())),
            Some(user) => Ok(user.email),
        }
    }
}

impl State {
    /// The access level that makes an owner.
    pub(crate) fn owner_level(&self) -> Result<&BuiltInLevel> {
        self.catalogue.levels().last().ok_or_else(|| Error::Internal("no built-in level".into()))
    }

    /// What access levels grant together; without grants are those that come with the server.
    pub(crate) fn union(&self, roles: Vec<(AccessLevelId, Option<Grants>)>) -> GrantSet {
        let compile = |grants: &Grants| GrantSet::compile(grants, &self.catalogue);
        let granted = roles.into_iter().filter_map(|(id, grants)| match (grants, self.catalogue.level(id)) {
            (Some(grants), _) => Some(compile(&grants)),
            (None, Some(built_in)) => Some(compile(&built_in.grants)),
            // The level is gone, and its rights with it.
            (None, None) => None,
        });
        granted.fold(GrantSet::default(), |all, one| all.or(&one))
    }

    /// The members of a user that its audit entries may hold.
    pub(crate) fn describe_user(&self, user: &User) -> Map<String, Value> {
        let members = json!({
            "email": user.email,
            "first_name": user.first_name,
            "last_name": user.last_name,
            "phone": user.phone,
            "status": user.status.as_str(),
            "reach": match user.reach { Reach::Own => "own", Reach::Beneath => "beneath" },
            "access_level_ids": user.roles,
        });
        members.as_object().cloned().unwrap_or_default()
    }
}

pub(crate) fn target(user: &User) -> Target {
    Target { kind: "user", id: user.id.to_string(), name: user.email.clone() }
}
