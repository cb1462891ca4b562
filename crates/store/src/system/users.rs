//! What crosses tenants about people: finding who signs in or holds a session, counting guesses, what somebody owns, ending
//! all sessions, sweeping.

use crate::access_profiles::read_conditions;
use crate::engine::Store;
use crate::sql::{Tx, args, corrupt, id_of, row};
use crate::users::{UserRow, assemble as read_users};
use claviger_domain::Result;
use claviger_domain::access_profile::Conditions;
use claviger_domain::application::Reach;
use claviger_domain::error::Referrer;
use claviger_domain::grants::{Grants, grants_from_json};
use claviger_domain::guess::WINDOW_MAX_SECONDS;
use claviger_domain::id::{AccessLevelId, TenantId, UserId, UserSessionId};
use claviger_domain::identity_provider::domain_of;
use claviger_domain::secret::SecretHash;
use claviger_domain::time::Timestamp;
use claviger_domain::user::{Status, User};
use claviger_domain::user_session::{ABSOLUTE_SECONDS, DEVICE_SECONDS, Stage, UserSession, parse_methods};

row! {
    struct HolderRow {
        tenant_id: String,
        user_id: String,
        email: String,
        first_name: String,
        last_name: String,
        status: String,
        reach: String,
        id: String,
        stage: String,
        methods: String,
        created_at: i64,
        last_seen_at: i64,
        stepped_up_at: Option<i64>,
        address: Option<String>,
        user_agent: String,
        ended_at: Option<i64>,
        access_level_id: Option<String>,
        grants: Option<String>,
        profile_reach: Option<String>,
        networks: Option<String>,
        expires_at: Option<i64>,
        disabled: Option<bool>,
    }
}

/// Who holds a session, as the store has it at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionHolder {
    /// The user's tenant.
    pub tenant: TenantId,
    /// The user.
    pub user: UserId,
    /// What it signs in with.
    pub email: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Whether it can sign in.
    pub status: Status,
    /// How far its rights reach.
    pub reach: Reach,
    /// The session.
    pub session: UserSession,
    /// The access levels it holds, with their grants; without for those that come with the server.
    pub roles: Vec<(AccessLevelId, Option<Grants>)>,
    /// The same of its profiles, which count under conditions.
    pub profile_roles: Vec<ProfileRole>,
}

/// An access level that somebody holds by a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileRole {
    /// The level, with its grants; without for one that comes with the server.
    pub role: (AccessLevelId, Option<Grants>),
    /// How far the profile reaches.
    pub reach: Reach,
    /// When it counts.
    pub conditions: Conditions,
}

/// Session, person and access levels where a condition holds: one row for each level, those of profiles among them.
macro_rules! holders {
    ($where:literal) => {
        concat!(
            holders!(@columns),
            "r.access_level_id, l.grants, cast(null as text) as profile_reach, cast(null as text) as networks, \
             cast(null as bigint) as expires_at, cast(null as boolean) as disabled \
             from user_sessions s \
             join users u on u.tenant_id = s.tenant_id and u.id = s.user_id \
             left join user_roles r on r.tenant_id = u.tenant_id and r.user_id = u.id \
             left join access_levels l on l.tenant_id = r.tenant_id and l.id = r.access_level_id \
             where ",
            $where,
            " union all ",
            holders!(@columns),
            "r.access_level_id, l.grants, p.reach, p.networks, p.expires_at, p.disabled \
             from user_sessions s \
             join users u on u.tenant_id = s.tenant_id and u.id = s.user_id \
             join access_profiles p on p.tenant_id = u.tenant_id and p.user_id = u.id \
             join access_profile_roles r \
             on r.tenant_id = p.tenant_id and r.user_id = p.user_id and r.profile_id = p.id \
             left join access_levels l on l.tenant_id = r.tenant_id and l.id = r.access_level_id \
             where ",
            $where
        )
    };
    (@columns) => {
        "select u.tenant_id, u.id as user_id, u.email, u.first_name, u.last_name, u.status, u.reach, s.id, s.stage, \
         s.methods, s.created_at, s.last_seen_at, s.stepped_up_at, s.address, s.user_agent, s.ended_at, "
    };
}

fn assemble(rows: Vec<HolderRow>) -> Result<Option<SessionHolder>> {
    let mut holder: Option<SessionHolder> = None;
    for row in rows {
        let level = row.access_level_id.as_deref().map(|id| id_of!(AccessLevelId, id)).transpose()?;
        let role = level.map(|id| (id, row.grants.as_deref().map(grants_from_json)));
        let (role, by_profile) = match (&row.profile_reach, role) {
            (Some(reach), Some(role)) => {
                let reach = Reach::parse(reach).ok_or_else(|| corrupt("reach", reach))?;
                let disabled = row.disabled.unwrap_or(true);
                let conditions = read_conditions(row.networks.as_deref(), row.expires_at, disabled)?;
                (None, Some(ProfileRole { role, reach, conditions }))
            }
            (_, role) => (role, None),
        };
        if let Some(holder) = &mut holder {
            holder.roles.extend(role);
            holder.profile_roles.extend(by_profile);
            continue;
        }
        holder = Some(SessionHolder {
            tenant: id_of!(TenantId, &row.tenant_id)?,
            user: id_of!(UserId, &row.user_id)?,
            email: row.email,
            first_name: row.first_name,
            last_name: row.last_name,
            status: Status::parse(&row.status).ok_or_else(|| corrupt("status of a user", &row.status))?,
            reach: Reach::parse(&row.reach).ok_or_else(|| corrupt("reach", &row.reach))?,
            session: UserSession {
                id: id_of!(UserSessionId, &row.id)?,
                stage: Stage::parse(&row.stage).ok_or_else(|| corrupt("stage of a session", &row.stage))?,
                methods: parse_methods(&row.methods),
                created_at: Timestamp::from_micros(row.created_at),
                last_seen_at: Timestamp::from_micros(row.last_seen_at),
                stepped_up_at: row.stepped_up_at.map(Timestamp::from_micros),
                address: row.address.and_then(|text| text.parse().ok()),
                user_agent: row.user_agent,
                ended_at: row.ended_at.map(Timestamp::from_micros),
            },
            roles: role.into_iter().collect(),
            profile_roles: by_profile.into_iter().collect(),
        });
    }
    Ok(holder)
}

/// Who signs in with an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningIn {
    /// The user's tenant.
    pub tenant: TenantId,
    /// The user.
    pub user: UserId,
    /// Whether it can.
    pub status: Status,
    /// The password as it is stored, if there is one.
    pub password: Option<String>,
    /// Whether it has signed in on the device before.
    pub known_device: bool,
    /// Whether it must sign in at its tenant's identity provider.
    pub sso_required: bool,
}

impl Store {
    /// Who holds the session of a token, whether it has ended or not: one statement.
    pub async fn find_session_holder(&self, token: &SecretHash) -> Result<Option<SessionHolder>> {
        let found = self.all(holders!("s.token_hash = $1"), args![token.as_bytes()]).await?;
        assemble(found)
    }

    /// Who signs in with the address of this key, on this device.
    pub async fn find_signing_in(&self, email_key: &str, device: Option<&SecretHash>) -> Result<Option<SigningIn>> {
        type Found = (String, String, String, Option<String>, bool, bool);
        let device = device.unwrap_or(&SecretHash::IMPOSSIBLE);
        let domain = domain_of(email_key).unwrap_or_default();
        let found: Option<Found> = self
            .optional(
                "select u.tenant_id, u.id, u.status, u.password_hash, exists ( \
                     select 1 from user_devices d \
                     where d.tenant_id = u.tenant_id and d.user_id = u.id and d.device_hash = $2 \
                 ), exists ( \
                     select 1 from identity_provider_domains d \
                     join identity_providers p on p.tenant_id = d.tenant_id and p.id = d.provider_id \
                     where d.tenant_id = u.tenant_id and d.domain = $3 and p.enabled and p.required \
                 ) from users u where u.email_key = $1",
                args![email_key, device.as_bytes(), domain],
            )
            .await?;
        let read = |(tenant, user, status, password, known_device, sso_required): Found| {
            Ok(SigningIn {
                tenant: id_of!(TenantId, &tenant)?,
                user: id_of!(UserId, &user)?,
                status: Status::parse(&status).ok_or_else(|| corrupt("status of a user", &status))?,
                password,
                known_device,
                sso_required,
            })
        };
        found.map(read).transpose()
    }

    /// Where the user of that number is.
    pub async fn find_user_numbered(&self, number: i64) -> Result<Option<(TenantId, UserId)>> {
        let found: Option<(String, String)> =
            self.optional("select tenant_id, id from users where number = $1", args![number]).await?;
        found.map(|(tenant, user)| Ok((id_of!(TenantId, &tenant)?, id_of!(UserId, &user)?))).transpose()
    }

    /// Where the user with the address of this key is.
    pub async fn find_user_by_email(&self, email_key: &str) -> Result<Option<(TenantId, UserId)>> {
        let found: Option<(String, String)> =
            self.optional("select tenant_id, id from users where email_key = $1", args![email_key]).await?;
        found.map(|(tenant, user)| Ok((id_of!(TenantId, &tenant)?, id_of!(UserId, &user)?))).transpose()
    }
}

impl Store {
    /// The tenant of the user of that id.
    pub async fn find_user_home(&self, id: UserId) -> Result<Option<TenantId>> {
        let found: Option<(String,)> = self.optional("select tenant_id from users where id = $1", args![id]).await?;
        found.map(|(tenant,)| id_of!(TenantId, &tenant)).transpose()
    }

    /// The users of a tenant and, if so asked, of all beneath it, with their roles: by tenant, then by id.
    pub async fn list_users_beneath(
        &self,
        root: TenantId,
        beneath: bool,
        offset: i64,
        limit: i64,
    ) -> Result<Vec<User>> {
        let found: Vec<UserRow> = self
            .all(
                "select u.tenant_id, u.id, u.number, u.email, u.first_name, u.last_name, u.phone, u.status, \
                 u.password_set_at, u.activated_at, u.reach, u.version, u.created_at, u.updated_at, r.access_level_id \
                 from ( \
                     select n.* from tenant_paths p join users n on n.tenant_id = p.beneath_id \
                     where p.tenant_id = $1 and ($2 or p.beneath_id = $1) \
                     order by p.beneath_id, n.id limit $3 offset $4 \
                 ) u left join user_roles r on r.tenant_id = u.tenant_id and r.user_id = u.id \
                 order by u.tenant_id, u.id, r.access_level_id",
                args![root, beneath, limit, offset],
            )
            .await?;
        read_users(found)
    }
}

impl Tx {
    /// As [`Store::find_session_holder`], by the session's id and as this unit sees it.
    pub async fn find_session_holder(
        &mut self,
        tenant: TenantId,
        user: UserId,
        session: UserSessionId,
    ) -> Result<Option<SessionHolder>> {
        let found = self
            .all(holders!("s.tenant_id = $1 and s.user_id = $2 and s.id = $3"), args![tenant, user, session])
            .await?;
        assemble(found)
    }

    /// The applications that a user answers for, of whichever tenant, by id.
    pub async fn list_owned_applications(&mut self, owner: UserId) -> Result<Vec<Referrer>> {
        let found: Vec<(String, String)> =
            self.all("select id, name from applications where owner_id = $1 order by id", args![owner]).await?;
        Ok(found.into_iter().map(|(id, name)| Referrer { kind: "application", id, name }).collect())
    }

    /// Makes another user answer for the applications of a user; how many they are.
    pub async fn change_owners(&mut self, from: UserId, (to, email): (UserId, &str), now: Timestamp) -> Result<u64> {
        let changed = self
            .execute(
                "update applications set owner_id = $2, owner = $3, version = version + 1, updated_at = $4 \
                 where owner_id = $1",
                args![from, to, email, now],
            )
            .await?;
        Ok(changed)
    }

    /// The times of guesses that were counted under a key. Nobody else counts under it until this unit ends.
    pub async fn lock_guesses(&mut self, key: &[u8; 32]) -> Result<Vec<i64>> {
        let (times,): (String,) = self
            .one(
                "insert into sign_in_guesses (guess_key, times, last_at) values ($1, '', 0) \
                 on conflict (guess_key) do update set last_at = sign_in_guesses.last_at returning times",
                args![key],
            )
            .await?;
        Ok(times.split(' ').filter_map(|time| time.parse().ok()).collect())
    }

    /// Writes the times of guesses under a key.
    pub async fn put_guesses(&mut self, key: &[u8; 32], times: &[i64], now: Timestamp) -> Result<()> {
        let words: Vec<String> = times.iter().map(ToString::to_string).collect();
        self.execute(
            "update sign_in_guesses set times = $2, last_at = $3 where guess_key = $1",
            args![key, words.join(" "), now],
        )
        .await?;
        Ok(())
    }

    /// Ends the session of a token that somebody presents, if it has not ended.
    pub async fn end_presented_session(&mut self, token: &SecretHash, now: Timestamp) -> Result<bool> {
        let ended = self
            .execute(
                "update user_sessions set ended_at = $2 where token_hash = $1 and ended_at is null",
                args![token.as_bytes(), now],
            )
            .await?;
        Ok(ended == 1)
    }

    /// Whether a user of this id is one of the tenant or of a tenant above it, and can answer for its applications; its tenant and
    /// its address.
    pub async fn find_owner(&mut self, tenant: TenantId, owner: UserId) -> Result<Option<(TenantId, String)>> {
        let found: Option<(String, String)> = self
            .optional(
                "with recursive above (id, parent_id) as ( \
                     select id, parent_id from tenants where id = $1 \
                     union select t.id, t.parent_id from tenants t join above a on t.id = a.parent_id \
                 ) \
                 select u.tenant_id, u.email from above a join users u on u.tenant_id = a.id where u.id = $2 and u.status <> 'disabled'",
                args![tenant, owner],
            )
            .await?;
        found.map(|(tenant, email)| Ok((id_of!(TenantId, &tenant)?, email))).transpose()
    }

    /// Keeps the one link by which the first person comes in, in place of the one before.
    pub async fn put_first_person_link(&mut self, token: &SecretHash, expires_at: Timestamp) -> Result<()> {
        let mut value = token.as_bytes().to_vec();
        value.extend(expires_at.micros().to_be_bytes());
        self.execute(
            "insert into settings (name, value) values ('first_person', $1) \
             on conflict (name) do update set value = excluded.value",
            args![value.as_slice()],
        )
        .await?;
        Ok(())
    }

    /// Uses that link up; until when it could be used, if it is there.
    pub async fn use_first_person_link(&mut self, token: &SecretHash) -> Result<Option<Timestamp>> {
        let Some(value) = self.find_setting("first_person").await? else { return Ok(None) };
        let (hash, expires_at) = value.split_at_checked(32).unwrap_or_default();
        if !SecretHash::stored(hash).is_some_and(|hash| hash.matches(token)) {
            return Ok(None);
        }
        // Of two at a time one finds it gone.
        let used = self
            .execute("delete from settings where name = 'first_person' and value = $1", args![value.as_slice()])
            .await?;
        let expires_at = expires_at.try_into().map_or(0, i64::from_be_bytes);
        Ok((used == 1).then_some(Timestamp::from_micros(expires_at)))
    }

    /// Ends every session of a person that there is; how many that were.
    pub async fn end_all_user_sessions(&mut self, now: Timestamp) -> Result<u64> {
        Ok(self.execute("update user_sessions set ended_at = $1 where ended_at is null", args![now]).await?)
    }

    /// Removes sessions that ended long ago, devices that were not seen for long, and guesses that count no more.
    pub async fn sweep_people(&mut self, now: Timestamp) -> Result<()> {
        let ended = now.plus_seconds(-2 * ABSOLUTE_SECONDS);
        self.execute("delete from user_sessions where created_at < $1", args![ended]).await?;
        self.execute("delete from user_devices where seen_at < $1", args![now.plus_seconds(-DEVICE_SECONDS)]).await?;
        let counted = now.plus_seconds(-WINDOW_MAX_SECONDS);
        self.execute("delete from sign_in_guesses where last_at < $1", args![counted]).await?;
        Ok(())
    }
}
