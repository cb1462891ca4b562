//! Users: people of tenants, the access levels they hold as roles, and the words they are found by.

use crate::engine::Store;
use crate::sql::{Tx, args, corrupt, id_of, row};
use crate::tenants::not_updated;
use claviger_domain::application::Reach;
use claviger_domain::error::Referrer;
use claviger_domain::id::{AccessLevelId, TenantId, UserId};
use claviger_domain::name::key_of;
use claviger_domain::page::PageRequest;
use claviger_domain::time::Timestamp;
use claviger_domain::user::{Status, User, UserFilter, display_name, presented_key};
use claviger_domain::{Error, Result};
use std::collections::BTreeSet;

row! {
    struct UserRow {
        tenant_id: String,
        id: String,
        number: i64,
        email: String,
        first_name: String,
        last_name: String,
        phone: String,
        status: String,
        password_set_at: Option<i64>,
        activated_at: Option<i64>,
        reach: String,
        version: i64,
        created_at: i64,
        updated_at: i64,
        access_level_id: Option<String>,
    }
}

impl UserRow {
    fn read(self) -> Result<User> {
        Ok(User {
            id: id_of!(UserId, &self.id)?,
            tenant_id: id_of!(TenantId, &self.tenant_id)?,
            number: self.number,
            email: self.email,
            first_name: self.first_name,
            last_name: self.last_name,
            phone: self.phone,
            status: Status::parse(&self.status).ok_or_else(|| corrupt("status of a user", &self.status))?,
            reach: Reach::parse(&self.reach).ok_or_else(|| corrupt("reach", &self.reach))?,
            roles: Vec::new(),
            password_set_at: self.password_set_at.map(Timestamp::from_micros),
            activated_at: self.activated_at.map(Timestamp::from_micros),
            version: self.version,
            created_at: Timestamp::from_micros(self.created_at),
            updated_at: Timestamp::from_micros(self.updated_at),
        })
    }
}

/// Puts rows together, of which each user has one for each role; they stand beside each other.
pub(crate) fn assemble(rows: Vec<UserRow>) -> Result<Vec<User>> {
    let mut users: Vec<User> = Vec::new();
    for mut row in rows {
        let role = row.access_level_id.take().map(|id| id_of!(AccessLevelId, &id)).transpose()?;
        let user = row.read()?;
        match users.last_mut() {
            Some(last) if last.id == user.id => last.roles.extend(role),
            _ => users.push(User { roles: role.into_iter().collect(), ..user }),
        }
    }
    Ok(users)
}

const FIND: &str = "select u.tenant_id, u.id, u.number, u.email, u.first_name, u.last_name, u.phone, u.status, u.password_set_at, \
                    u.activated_at, u.reach, u.version, u.created_at, u.updated_at, r.access_level_id \
                    from users u left join user_roles r on r.tenant_id = u.tenant_id and r.user_id = u.id \
                    where u.tenant_id = $1 and u.id = $2 order by r.access_level_id";

fn taken(email: &str) -> String {
    format!("somebody signs in with {email} already; an address is one person's, whatever the tenant")
}

/// What a user is found by.
pub(crate) fn words(user: &User) -> BTreeSet<String> {
    let names = format!("{} {}", user.first_name, user.last_name);
    let words = names.split_whitespace().map(key_of).chain([key_of(&user.email)]);
    words.filter(|word| !word.is_empty()).collect()
}

impl Tx {
    /// A number that no other user has.
    pub async fn next_user_number(&mut self) -> Result<i64> {
        let (number,): (i64,) =
            self.one("update counters set next = next + 1 where name = 'user' returning next - 1", args![]).await?;
        Ok(number)
    }

    /// Whether somebody signs in with an address of this key, whosever they are.
    pub async fn is_email_taken(&mut self, email_key: &str) -> Result<bool> {
        let found: Option<(String,)> =
            self.optional("select id from users where email_key = $1", args![email_key]).await?;
        Ok(found.is_some())
    }

    /// Adds a user with its roles. Conflict: `email_taken`.
    pub async fn insert_user(&mut self, tenant: TenantId, user: &User) -> Result<()> {
        self.execute(
            "insert into users (tenant_id, id, number, email, email_key, first_name, last_name, phone, status, password_set_at, \
             activated_at, reach, version, created_at, updated_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
            args![
                tenant,
                user.id,
                user.number,
                &user.email,
                presented_key(&user.email),
                &user.first_name,
                &user.last_name,
                &user.phone,
                user.status.as_str(),
                user.password_set_at,
                user.activated_at,
                user.reach.as_str(),
                user.version,
                user.created_at,
                user.updated_at
            ],
        )
        .await
        .map_err(|failure| failure.refers_to("tenant").conflict("email_taken", taken(&user.email)))?;
        self.insert_user_roles(tenant, user.id, &user.roles).await?;
        self.insert_user_words(tenant, user).await
    }

    async fn insert_user_roles(&mut self, tenant: TenantId, user: UserId, roles: &[AccessLevelId]) -> Result<()> {
        let rows = roles.iter().map(|role| args![tenant, user, *role]).collect();
        self.execute_many("insert into user_roles (tenant_id, user_id, access_level_id) values {rows}", rows).await?;
        Ok(())
    }

    async fn insert_user_words(&mut self, tenant: TenantId, user: &User) -> Result<()> {
        let rows = words(user).into_iter().map(|word| args![tenant, word, user.id]).collect();
        self.execute_many("insert into user_words (tenant_id, word, user_id) values {rows}", rows).await?;
        Ok(())
    }

    /// The user of that id, with its roles.
    pub async fn find_user(&mut self, tenant: TenantId, id: UserId) -> Result<Option<User>> {
        let found: Vec<UserRow> = self.all(FIND, args![tenant, id]).await?;
        Ok(assemble(found)?.pop())
    }

    /// How many users the tenant has.
    pub async fn count_users(&mut self, tenant: TenantId) -> Result<i64> {
        let (count,): (i64,) = self.one("select count(*) from users where tenant_id = $1", args![tenant]).await?;
        Ok(count)
    }

    /// Writes a user whose `version` is the new one, with its roles; the stored version must be the one before. The password
    /// stays. Conflict: `email_taken`.
    pub async fn update_user(&mut self, tenant: TenantId, user: &User) -> Result<()> {
        let updated = self
            .execute(
                "update users set email = $3, email_key = $4, first_name = $5, last_name = $6, phone = $7, status = $8, \
                 activated_at = $9, reach = $10, version = $11, updated_at = $12 \
                 where tenant_id = $1 and id = $2 and version = $11 - 1",
                args![
                    tenant,
                    user.id,
                    &user.email,
                    presented_key(&user.email),
                    &user.first_name,
                    &user.last_name,
                    &user.phone,
                    user.status.as_str(),
                    user.activated_at,
                    user.reach.as_str(),
                    user.version,
                    user.updated_at
                ],
            )
            .await
            .map_err(|failure| failure.conflict("email_taken", taken(&user.email)))?;
        if updated != 1 {
            let stored: Option<(i64,)> = self
                .optional("select version from users where tenant_id = $1 and id = $2", args![tenant, user.id])
                .await?;
            return Err(not_updated("user", stored));
        }
        self.execute("delete from user_roles where tenant_id = $1 and user_id = $2", args![tenant, user.id]).await?;
        self.insert_user_roles(tenant, user.id, &user.roles).await?;
        self.execute("delete from user_words where tenant_id = $1 and user_id = $2", args![tenant, user.id]).await?;
        self.insert_user_words(tenant, user).await
    }

    /// Removes a user with everything that is the user's alone; whether it was there.
    pub async fn delete_user(&mut self, tenant: TenantId, id: UserId) -> Result<bool> {
        for statement in [
            "delete from user_links where tenant_id = $1 and user_id = $2",
            "delete from recovery_codes where tenant_id = $1 and user_id = $2",
            "delete from user_challenges where tenant_id = $1 and user_id = $2",
            "delete from factor_guards where tenant_id = $1 and user_id = $2",
            "delete from user_factors where tenant_id = $1 and user_id = $2",
            "delete from user_sessions where tenant_id = $1 and user_id = $2",
            "delete from user_identities where tenant_id = $1 and user_id = $2",
            "delete from user_devices where tenant_id = $1 and user_id = $2",
            "delete from user_words where tenant_id = $1 and user_id = $2",
            "delete from user_roles where tenant_id = $1 and user_id = $2",
            "delete from access_profile_roles where tenant_id = $1 and user_id = $2",
            "delete from access_profiles where tenant_id = $1 and user_id = $2",
            "delete from user_grants where tenant_id = $1 and user_id = $2",
        ] {
            self.execute(statement, args![tenant, id]).await?;
        }
        Ok(self.execute("delete from users where tenant_id = $1 and id = $2", args![tenant, id]).await? == 1)
    }

    /// How many active users of a tenant hold an access level.
    pub async fn count_active_holders(&mut self, tenant: TenantId, level: AccessLevelId) -> Result<i64> {
        let (count,): (i64,) = self
            .one(
                "select count(*) from user_roles r join users u on u.tenant_id = r.tenant_id and u.id = r.user_id \
                 where r.tenant_id = $1 and r.access_level_id = $2 and u.status = 'active'",
                args![tenant, level],
            )
            .await?;
        Ok(count)
    }

    /// The users who hold an access level, if only by a profile and whether its conditions hold or not, by id.
    pub async fn list_level_holders(&mut self, tenant: TenantId, level: AccessLevelId) -> Result<Vec<Referrer>> {
        let found: Vec<(String, String, String, String)> = self
            .all(
                "select u.id, u.first_name, u.last_name, u.email from users u where u.tenant_id = $1 and u.id in ( \
                     select user_id from user_roles where tenant_id = $1 and access_level_id = $2 \
                     union select user_id from access_profile_roles where tenant_id = $1 and access_level_id = $2 \
                 ) order by u.id",
                args![tenant, level],
            )
            .await?;
        let refer = |(id, first, last, email): (String, String, String, String)| Referrer {
            kind: "user",
            id,
            name: display_name(&first, &last, &email),
        };
        Ok(found.into_iter().map(refer).collect())
    }

    /// The password of a user, as it is stored; none where it has none, or where there is no such user.
    pub async fn find_user_password(&mut self, tenant: TenantId, id: UserId) -> Result<Option<String>> {
        let found: Option<(Option<String>,)> = self
            .optional("select password_hash from users where tenant_id = $1 and id = $2", args![tenant, id])
            .await?;
        Ok(found.and_then(|(hash,)| hash))
    }

    /// Writes a password, or takes it away; `set_at` is when a person set it, and stays where the same one is stored anew.
    pub async fn put_user_password(
        &mut self,
        tenant: TenantId,
        id: UserId,
        hash: Option<&str>,
        set_at: Option<Timestamp>,
    ) -> Result<()> {
        let updated = self
            .execute(
                "update users set password_hash = $3, password_set_at = $4 where tenant_id = $1 and id = $2",
                args![tenant, id, hash, set_at],
            )
            .await?;
        if updated == 1 { Ok(()) } else { Err(Error::NotFound("user")) }
    }
}

const LIST: &str = "select u.tenant_id, u.id, u.number, u.email, u.first_name, u.last_name, u.phone, u.status, u.password_set_at, \
                    u.activated_at, u.reach, u.version, u.created_at, u.updated_at, r.access_level_id from ( \
                        select * from users where tenant_id = $1 and id > $2 order by id limit $3 \
                    ) u left join user_roles r on r.tenant_id = u.tenant_id and r.user_id = u.id \
                    order by u.id, r.access_level_id";
const LIST_OF_STATUS: &str = "select u.tenant_id, u.id, u.number, u.email, u.first_name, u.last_name, u.phone, u.status, u.password_set_at, \
                    u.activated_at, u.reach, u.version, u.created_at, u.updated_at, r.access_level_id from ( \
                        select * from users where tenant_id = $1 and status = $4 and id > $2 order by id limit $3 \
                    ) u left join user_roles r on r.tenant_id = u.tenant_id and r.user_id = u.id \
                    order by u.id, r.access_level_id";

row! {
    struct HitRow {
        word: String,
        user_id: String,
    }
}

impl Store {
    /// The user of that id, with its roles.
    pub async fn find_user(&self, tenant: TenantId, id: UserId) -> Result<Option<User>> {
        let found: Vec<UserRow> = self.all(FIND, args![tenant, id]).await?;
        Ok(assemble(found)?.pop())
    }

    /// The tenant's users with their positions: by id, or where a prefix is asked for by the word that begins with it.
    pub async fn list_users(
        &self,
        tenant: TenantId,
        filter: &UserFilter,
        page: &PageRequest,
    ) -> Result<Vec<(User, String)>> {
        if let Some(prefix) = &filter.prefix {
            return self.search_users(tenant, prefix, filter.status, page).await;
        }
        let after = page.after.as_deref().unwrap_or("");
        let found: Vec<UserRow> = match filter.status {
            None => self.all(LIST, args![tenant, after, page.fetch()]).await?,
            Some(status) => self.all(LIST_OF_STATUS, args![tenant, after, page.fetch(), status.as_str()]).await?,
        };
        let users = assemble(found)?.into_iter();
        Ok(users
            .map(|user| {
                let position = user.id.to_string();
                (user, position)
            })
            .collect())
    }

    async fn search_users(
        &self,
        tenant: TenantId,
        prefix: &str,
        status: Option<Status>,
        page: &PageRequest,
    ) -> Result<Vec<(User, String)>> {
        let (word, id) = page.after.as_deref().and_then(|at| at.rsplit_once(' ')).unwrap_or((prefix, ""));
        // Whoever is found by several words is shown for the first of them.
        let hits: Vec<HitRow> = self
            .all(
                "select w.word, w.user_id from user_words w \
                 join users u on u.tenant_id = w.tenant_id and u.id = w.user_id \
                 where w.tenant_id = $1 and (w.word, w.user_id) > ($2, $3) and w.word < $4 \
                 and ($5 = '' or u.status = $5) and not exists ( \
                     select 1 from user_words o where o.tenant_id = w.tenant_id and o.user_id = w.user_id \
                     and o.word >= $6 and o.word < w.word \
                 ) order by w.word, w.user_id limit $7",
                args![
                    tenant,
                    word,
                    id,
                    format!("{prefix}\u{10ffff}"),
                    status.map_or("", Status::as_str),
                    prefix,
                    page.fetch()
                ],
            )
            .await?;
        let mut users = Vec::with_capacity(hits.len());
        for HitRow { word, user_id } in hits {
            if let Some(user) = self.find_user(tenant, id_of!(UserId, &user_id)?).await? {
                users.push((user, format!("{word} {user_id}")));
            }
        }
        Ok(users)
    }
}
