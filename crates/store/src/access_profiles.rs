//! Access profiles of users, and who gave them. A user's profiles are read and written together: rules look at all of them.

use crate::engine::Store;
use crate::sql::{Tx, args, corrupt, id_of, row};
use claviger_domain::Result;
use claviger_domain::access_profile::{AccessProfile, Conditions, GrantStamp};
use claviger_domain::application::Reach;
use claviger_domain::id::{AccessLevelId, AccessProfileId, TenantId, UserId};
use claviger_domain::network::Network;
use claviger_domain::time::Timestamp;

row! {
    struct ProfileRow {
        id: String,
        reach: String,
        networks: Option<String>,
        expires_at: Option<i64>,
        disabled: bool,
        access_level_id: String,
    }
}

/// What is stored of the conditions of a profile.
pub(crate) fn read_conditions(networks: Option<&str>, expires_at: Option<i64>, disabled: bool) -> Result<Conditions> {
    let networks = networks
        .map(|text| {
            let texts: Vec<String> = serde_json::from_str(text).map_err(|_| corrupt("networks of a profile", text))?;
            let read = |text: &String| Network::parse("", text).map_err(|_| corrupt("network of a profile", text));
            texts.iter().map(read).collect::<Result<Vec<_>>>()
        })
        .transpose()?;
    Ok(Conditions { networks, expires_at: expires_at.map(Timestamp::from_micros), disabled })
}

/// Puts rows together, of which each profile has one for each role; they stand beside each other.
fn assemble(rows: Vec<ProfileRow>) -> Result<Vec<AccessProfile>> {
    let mut profiles: Vec<AccessProfile> = Vec::new();
    for row in rows {
        let (id, role) = (id_of!(AccessProfileId, &row.id)?, id_of!(AccessLevelId, &row.access_level_id)?);
        match profiles.last_mut() {
            Some(last) if last.id == id => last.roles.push(role),
            _ => profiles.push(AccessProfile {
                id,
                reach: Reach::parse(&row.reach).ok_or_else(|| corrupt("reach", &row.reach))?,
                roles: vec![role],
                conditions: read_conditions(row.networks.as_deref(), row.expires_at, row.disabled)?,
            }),
        }
    }
    Ok(profiles)
}

const LIST: &str = "select p.id, p.reach, p.networks, p.expires_at, p.disabled, r.access_level_id \
                    from access_profiles p join access_profile_roles r \
                    on r.tenant_id = p.tenant_id and r.user_id = p.user_id and r.profile_id = p.id \
                    where p.tenant_id = $1 and p.user_id = $2 order by p.id, r.access_level_id";
const STAMP: &str =
    "select created_by, updated_by, created_at, updated_at from user_grants where tenant_id = $1 and user_id = $2";

fn read_stamp((created_by, updated_by, created_at, updated_at): (String, String, i64, i64)) -> GrantStamp {
    let (created_at, updated_at) = (Timestamp::from_micros(created_at), Timestamp::from_micros(updated_at));
    GrantStamp { created_by, updated_by, created_at, updated_at }
}

impl Tx {
    /// The profiles of a user, oldest first.
    pub async fn list_access_profiles(&mut self, tenant: TenantId, user: UserId) -> Result<Vec<AccessProfile>> {
        let found: Vec<ProfileRow> = self.all(LIST, args![tenant, user]).await?;
        assemble(found)
    }

    /// Writes the profiles of a user in place of all that it had.
    pub async fn put_access_profiles(
        &mut self,
        tenant: TenantId,
        user: UserId,
        profiles: &[AccessProfile],
    ) -> Result<()> {
        self.execute("delete from access_profile_roles where tenant_id = $1 and user_id = $2", args![tenant, user])
            .await?;
        self.execute("delete from access_profiles where tenant_id = $1 and user_id = $2", args![tenant, user]).await?;
        for profile in profiles {
            let Conditions { networks, expires_at, disabled } = &profile.conditions;
            let networks = networks.as_ref().map(|networks| {
                serde_json::Value::from(networks.iter().map(ToString::to_string).collect::<Vec<_>>()).to_string()
            });
            self.execute(
                "insert into access_profiles (tenant_id, user_id, id, reach, networks, expires_at, disabled) \
                 values ($1, $2, $3, $4, $5, $6, $7)",
                args![tenant, user, profile.id, profile.reach.as_str(), networks, *expires_at, *disabled],
            )
            .await
            .map_err(|failure| failure.refers_to("user"))?;
            let rows = profile.roles.iter().map(|role| args![tenant, user, profile.id, *role]).collect();
            self.execute_many(
                "insert into access_profile_roles (tenant_id, user_id, profile_id, access_level_id) values {rows}",
                rows,
            )
            .await?;
        }
        Ok(())
    }

    /// Who gave a user its access; none where nobody has kept that.
    pub async fn find_grant_stamp(&mut self, tenant: TenantId, user: UserId) -> Result<Option<GrantStamp>> {
        Ok(self.optional(STAMP, args![tenant, user]).await?.map(read_stamp))
    }

    /// Notes who gives a user its access at `now`: whoever began it stays.
    pub async fn put_grant_stamp(&mut self, tenant: TenantId, user: UserId, by: &str, now: Timestamp) -> Result<()> {
        self.execute(
            "insert into user_grants (tenant_id, user_id, created_by, updated_by, created_at, updated_at) \
             values ($1, $2, $3, $3, $4, $4) on conflict (tenant_id, user_id) \
             do update set updated_by = excluded.updated_by, updated_at = excluded.updated_at",
            args![tenant, user, by, now],
        )
        .await
        .map_err(|failure| failure.refers_to("user"))?;
        Ok(())
    }

    /// Forgets who gave a user its access.
    pub async fn delete_grant_stamp(&mut self, tenant: TenantId, user: UserId) -> Result<()> {
        self.execute("delete from user_grants where tenant_id = $1 and user_id = $2", args![tenant, user]).await?;
        Ok(())
    }
}

impl Store {
    /// The profiles of a user, oldest first.
    pub async fn list_access_profiles(&self, tenant: TenantId, user: UserId) -> Result<Vec<AccessProfile>> {
        let found: Vec<ProfileRow> = self.all(LIST, args![tenant, user]).await?;
        assemble(found)
    }

    /// Who gave a user its access; none where nobody has kept that.
    pub async fn find_grant_stamp(&self, tenant: TenantId, user: UserId) -> Result<Option<GrantStamp>> {
        Ok(self.optional(STAMP, args![tenant, user]).await?.map(read_stamp))
    }
}
