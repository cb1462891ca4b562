//! People of all tenants within reach, for clients that name them by id or address and not by tenant.

use crate::App;
use crate::caller::Caller;
use claviger_domain::application::Reach;
use claviger_domain::grants::{GrantSet, Verb};
use claviger_domain::id::{TenantId, UserId};
use claviger_domain::user::{NewUser, Status, User, check_tenant, presented_key};
use claviger_domain::{Error, Result};
use std::sync::Arc;

const PERMISSION: &str = "users";

impl App {
    /// The people of the caller's tenant and, where it reaches beneath, of all beneath it: by tenant, then oldest first. Needs
    /// `users:READ`.
    pub async fn list_users_beneath(&self, caller: &Caller, offset: i64, limit: i64) -> Result<Vec<User>> {
        caller.allow(PERMISSION, Verb::Read)?;
        let beneath = caller.reach_kind() == Reach::Beneath;
        self.state.store.list_users_beneath(caller.tenant().id, beneath, offset, limit).await
    }

    /// Somebody within reach by id or address. Needs `users:READ`.
    pub async fn find_user_beneath(&self, caller: &Caller, named: &str) -> Result<User> {
        caller.allow(PERMISSION, Verb::Read)?;
        self.user_beneath(caller, named).await
    }

    async fn user_beneath(&self, caller: &Caller, named: &str) -> Result<User> {
        let store = &self.state.store;
        let found = match UserId::parse(named) {
            Some(id) => store.find_user_home(id).await?.map(|tenant| (tenant, id)),
            None => store.find_user_by_email(&presented_key(named)).await?,
        };
        let (tenant, id) = found.filter(|(tenant, _)| caller.reaches(*tenant)).ok_or(Error::NotFound("user"))?;
        store.find_user(tenant, id).await?.ok_or(Error::NotFound("user"))
    }

    /// Keeps somebody within reach from signing in, by id or address. Needs `users:UPDATE` and every right that the user has.
    pub async fn disable_user_beneath(self: &Arc<Self>, caller: &Caller, named: &str) -> Result<User> {
        caller.must_hold(PERMISSION, Verb::Update)?;
        let user = self.user_beneath(caller, named).await?;
        self.disable_user(caller, user.tenant_id, user.id, None).await
    }

    /// Makes somebody who sees what is beneath the tenant, as far as the caller does: it gets the level that reads everything if
    /// the caller's own rights cover that, and no role otherwise. Somebody of the tenant who signs in with the address already is
    /// enabled again and keeps everything. Needs `users:CREATE`, and `users:UPDATE` to enable.
    pub async fn take_in_user(self: &Arc<Self>, caller: &Caller, tenant: TenantId, new: NewUser) -> Result<User> {
        let node = caller.reach(tenant)?;
        caller.must_hold(PERMISSION, Verb::Create)?;
        check_tenant(node.kind)?;
        if let Some((home, id)) = self.state.store.find_user_by_email(&new.email.key()).await?
            && home == tenant
        {
            caller.allow(PERMISSION, Verb::Create)?;
            let known = self.state.store.find_user(tenant, id).await?.ok_or(Error::NotFound("user"))?;
            return match known.status {
                Status::Disabled => self.enable_user(caller, tenant, id, None).await,
                Status::Invited | Status::Active => Ok(known),
            };
        }
        let catalogue = &self.state.catalogue;
        let reader = catalogue.levels().first().filter(|level| {
            let wanted = GrantSet::compile(&level.grants, catalogue);
            caller.would_cover(&wanted, new.reach)
        });
        let reach = if reader.is_some() { new.reach } else { caller.reach_kind() };
        let roles = reader.map(|level| level.id).into_iter().collect();
        match self.create_user(caller, tenant, NewUser { roles, reach, ..new }, None).await? {
            crate::unit::Posted::Done(user) => Ok(user),
            crate::unit::Posted::Replayed(_) => Err(Error::Internal("a user without a key was replayed".into())),
        }
    }
}
