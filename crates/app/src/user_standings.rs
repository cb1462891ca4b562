//! What an administrator sees of users besides themselves: how they get in, and what hangs on them.

use crate::App;
use crate::caller::Caller;
use crate::factors::Factors;
use claviger_domain::error::Referrer;
use claviger_domain::grants::Verb;
use claviger_domain::id::{TenantId, UserId};
use claviger_domain::user::Standing;
use claviger_domain::{Error, Result};
use std::collections::HashMap;

const PERMISSION: &str = "users";

impl App {
    /// How each of these users gets in. Needs `users:READ`.
    pub async fn user_standings(
        &self,
        caller: &Caller,
        tenant: TenantId,
        users: &[UserId],
    ) -> Result<HashMap<UserId, Standing>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        Ok(self.state.store.list_user_standings(tenant, users).await?.into_iter().collect())
    }

    /// The second factors of a user, and what is asked of it. Needs `users:READ`.
    pub async fn list_user_factors(&self, caller: &Caller, tenant: TenantId, id: UserId) -> Result<Factors> {
        let node = caller.reach(tenant)?;
        caller.allow(PERMISSION, Verb::Read)?;
        let store = &self.state.store;
        store.find_user(node.id, id).await?.ok_or(Error::NotFound("user"))?;
        let found = store.list_factors(node.id, id).await?;
        Ok(Factors {
            factors: found.into_iter().map(|stored| stored.factor).collect(),
            recovery_codes_left: store.count_recovery_codes(node.id, id).await?,
            required: node.mfa_required(),
        })
    }

    /// What keeps a user from being deleted without a successor: the applications that it answers for. Needs `users:DELETE`.
    pub async fn list_user_dependants(&self, caller: &Caller, tenant: TenantId, id: UserId) -> Result<Vec<Referrer>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Delete)?;
        let mut tx = self.state.store.begin().await?;
        tx.find_user(tenant, id).await?.ok_or(Error::NotFound("user"))?;
        let owned = tx.list_owned_applications(id).await?;
        tx.commit().await?;
        Ok(owned)
    }
}
