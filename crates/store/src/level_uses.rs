//! Who has their rights from an access level, and which of these rights they use.

use crate::engine::Store;
use crate::sql::{args, id_of};
use claviger_domain::Result;
use claviger_domain::access_level::LevelUses;
use claviger_domain::error::Referrer;
use claviger_domain::id::{AccessLevelId, TenantId};
use claviger_domain::time::Timestamp;
use claviger_domain::user::display_name;
use std::collections::HashMap;

impl Store {
    /// How many have each level of the tenant from one id to another; a level that nobody has is left out.
    pub async fn count_level_uses(
        &self,
        tenant: TenantId,
        first: AccessLevelId,
        last: AccessLevelId,
    ) -> Result<HashMap<AccessLevelId, LevelUses>> {
        // From one level to the next in the index, and each counted by equality: to group them would compare every application twice.
        let found: Vec<(String, i64, i64)> = self
            .all(
                "with recursive held (level) as ( \
                     select min(access_level_id) from applications \
                     where tenant_id = $1 and access_level_id >= $2 and access_level_id <= $3 \
                     union all \
                     select (select min(a.access_level_id) from applications a where a.tenant_id = $1 \
                     and a.access_level_id > held.level and a.access_level_id <= $3) from held where held.level is not null \
                 ) \
                 select u.level, cast(sum(u.applications) as bigint), cast(sum(u.users) as bigint) from ( \
                     select held.level, (select count(*) from applications a \
                     where a.tenant_id = $1 and a.access_level_id = held.level) as applications, 0 as users \
                     from held where held.level is not null \
                     union all \
                     select h.level, 0, count(*) from ( \
                         select access_level_id as level, user_id from user_roles \
                         where tenant_id = $1 and access_level_id >= $2 and access_level_id <= $3 \
                         union \
                         select access_level_id, user_id from access_profile_roles \
                         where tenant_id = $1 and access_level_id >= $2 and access_level_id <= $3 \
                     ) h group by h.level \
                 ) u group by u.level",
                args![tenant, first, last],
            )
            .await?;
        let read = |(level, applications, users): (String, i64, i64)| {
            Ok((id_of!(AccessLevelId, &level)?, LevelUses { applications, users }))
        };
        found.into_iter().map(read).collect()
    }

    /// The first applications that have the level, by id.
    pub async fn list_level_applications(
        &self,
        tenant: TenantId,
        level: AccessLevelId,
        limit: i64,
    ) -> Result<Vec<Referrer>> {
        let found: Vec<(String, String)> = self
            .all(
                "select id, name from applications where tenant_id = $1 and access_level_id = $2 order by id limit $3",
                args![tenant, level, limit],
            )
            .await?;
        Ok(found.into_iter().map(|(id, name)| Referrer { kind: "application", id, name }).collect())
    }

    /// The first users who hold the level, by id.
    pub async fn list_level_people(&self, tenant: TenantId, level: AccessLevelId, limit: i64) -> Result<Vec<Referrer>> {
        let found: Vec<(String, String, String, String)> = self
            .all(
                "select u.id, u.first_name, u.last_name, u.email from users u where u.tenant_id = $1 and u.id in ( \
                     select user_id from user_roles where tenant_id = $1 and access_level_id = $2 \
                     union select user_id from access_profile_roles where tenant_id = $1 and access_level_id = $2 \
                 ) order by u.id limit $3",
                args![tenant, level, limit],
            )
            .await?;
        let refer = |(id, first, last, email): (String, String, String, String)| Referrer {
            kind: "user",
            id,
            name: display_name(&first, &last, &email),
        };
        Ok(found.into_iter().map(refer).collect())
    }

    /// When each right was last used with success by an application that has the level, by name of the right.
    pub async fn last_use_of_level(&self, tenant: TenantId, level: AccessLevelId) -> Result<Vec<(String, Timestamp)>> {
        let found: Vec<(String, i64)> = self
            .all(
                "select r.permission, max(r.at) from applications a \
                 join right_uses r on r.tenant_id = a.tenant_id and r.application_id = a.id \
                 where a.tenant_id = $1 and a.access_level_id = $2 group by r.permission order by r.permission",
                args![tenant, level],
            )
            .await?;
        Ok(found.into_iter().map(|(right, at)| (right, Timestamp::from_micros(at))).collect())
    }
}
