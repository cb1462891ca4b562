//! Who has their rights from an access level, and what is used of it: what one looks at before changing or deleting it.

use crate::App;
use crate::caller::Caller;
use claviger_domain::Result;
use claviger_domain::access_level::LevelUses;
use claviger_domain::error::Referrer;
use claviger_domain::grants::Verb;
use claviger_domain::id::{AccessLevelId, TenantId};
use claviger_domain::time::Timestamp;
use std::collections::HashMap;

const PERMISSION: &str = "access-levels";

impl App {
    /// How many applications and users of the tenant have each of these levels; one that nobody has is left out. Needs
    /// `access-levels:READ`.
    pub async fn count_level_uses(
        &self,
        caller: &Caller,
        tenant: TenantId,
        levels: &[AccessLevelId],
    ) -> Result<HashMap<AccessLevelId, LevelUses>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        let (Some(first), Some(last)) = (levels.iter().min(), levels.iter().max()) else { return Ok(HashMap::new()) };
        self.state.store.count_level_uses(tenant, *first, *last).await
    }

    /// The first applications and users of the tenant that have the level, at most `limit` of each, and the identity providers that
    /// give it. Needs `access-levels:READ`; applications are named to who holds `applications:READ`, users to who holds `users:READ`,
    /// providers to who holds `sso:READ`.
    pub async fn list_level_referrers(
        &self,
        caller: &Caller,
        tenant: TenantId,
        level: AccessLevelId,
        limit: i64,
    ) -> Result<Vec<Referrer>> {
        self.find_access_level(caller, tenant, level).await?;
        let mut found = Vec::new();
        if caller.holds("applications", Verb::Read) {
            found = self.state.store.list_level_applications(tenant, level, limit).await?;
        }
        if caller.holds("users", Verb::Read) {
            found.extend(self.state.store.list_level_people(tenant, level, limit).await?);
        }
        if caller.holds("sso", Verb::Read) {
            found.extend(self.state.store.list_level_providers(tenant, level).await?);
        }
        Ok(found)
    }

    /// When each right was last used with success by an application of the tenant that has the level, by name. Needs
    /// `access-levels:READ` and `usage:READ`.
    pub async fn last_use_of_level(
        &self,
        caller: &Caller,
        tenant: TenantId,
        level: AccessLevelId,
    ) -> Result<Vec<(String, Timestamp)>> {
        self.find_access_level(caller, tenant, level).await?;
        caller.allow("usage", Verb::Read)?;
        self.settle_usage(tenant).await;
        self.state.store.last_use_of_level(tenant, level).await
    }
}
