//! Sessions of people, and the devices they are known on.

use crate::engine::Store;
use crate::sql::{Tx, args, corrupt, id_of, row};
use claviger_domain::Result;
use claviger_domain::id::{TenantId, UserId, UserSessionId};
use claviger_domain::secret::SecretHash;
use claviger_domain::time::Timestamp;
use claviger_domain::user_session::{
    ABSOLUTE_SECONDS, IDLE_SECONDS, SEEN_EACH_SECONDS, Stage, UserSession, parse_methods, spell_methods,
};

row! {
    struct UserSessionRow {
        id: String,
        stage: String,
        methods: String,
        created_at: i64,
        last_seen_at: i64,
        stepped_up_at: Option<i64>,
        address: Option<String>,
        user_agent: String,
        ended_at: Option<i64>,
    }
}

impl UserSessionRow {
    fn read(self) -> Result<UserSession> {
        Ok(UserSession {
            id: id_of!(UserSessionId, &self.id)?,
            stage: Stage::parse(&self.stage).ok_or_else(|| corrupt("stage of a session", &self.stage))?,
            methods: parse_methods(&self.methods),
            created_at: Timestamp::from_micros(self.created_at),
            last_seen_at: Timestamp::from_micros(self.last_seen_at),
            stepped_up_at: self.stepped_up_at.map(Timestamp::from_micros),
            address: self.address.and_then(|text| text.parse().ok()),
            user_agent: self.user_agent,
            ended_at: self.ended_at.map(Timestamp::from_micros),
        })
    }
}

impl Tx {
    /// Adds a session that this token stands for. One that waits for nothing is a sign-in.
    pub async fn insert_user_session(
        &mut self,
        tenant: TenantId,
        user: UserId,
        session: &UserSession,
        token: &SecretHash,
    ) -> Result<()> {
        self.execute(
            "insert into user_sessions (tenant_id, user_id, id, token_hash, stage, methods, created_at, last_seen_at, \
             stepped_up_at, address, user_agent, ended_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            args![
                tenant,
                user,
                session.id,
                token.as_bytes(),
                session.stage.as_str(),
                spell_methods(&session.methods),
                session.created_at,
                session.last_seen_at,
                session.stepped_up_at,
                session.address.map(|address| address.to_string()),
                &session.user_agent,
                session.ended_at
            ],
        )
        .await
        .map_err(|failure| failure.refers_to("user"))?;
        match session.stage {
            Stage::Complete => self.note_sign_in(tenant, user, session.created_at).await,
            Stage::SecondFactor => Ok(()),
        }
    }

    /// Gives a session another stage and other proofs under another token: the one before is dead. Whether it was there and
    /// had not ended.
    pub async fn advance_user_session(
        &mut self,
        tenant: TenantId,
        user: UserId,
        session: &UserSession,
        token: &SecretHash,
    ) -> Result<bool> {
        let updated = self
            .execute(
                "update user_sessions set token_hash = $4, stage = $5, methods = $6, last_seen_at = $7, stepped_up_at = $8 \
                 where tenant_id = $1 and user_id = $2 and id = $3 and ended_at is null",
                args![
                    tenant,
                    user,
                    session.id,
                    token.as_bytes(),
                    session.stage.as_str(),
                    spell_methods(&session.methods),
                    session.last_seen_at,
                    session.stepped_up_at
                ],
            )
            .await?;
        Ok(updated == 1)
    }

    /// Notes that a session is used, once a minute at most.
    pub async fn touch_user_session(
        &mut self,
        tenant: TenantId,
        user: UserId,
        id: UserSessionId,
        now: Timestamp,
    ) -> Result<()> {
        self.execute(
            "update user_sessions set last_seen_at = $4 \
             where tenant_id = $1 and user_id = $2 and id = $3 and ended_at is null and last_seen_at <= $5",
            args![tenant, user, id, now, now.plus_seconds(-SEEN_EACH_SECONDS)],
        )
        .await?;
        Ok(())
    }

    /// Ends a session; whether it was there and had not ended.
    pub async fn end_user_session(
        &mut self,
        tenant: TenantId,
        user: UserId,
        id: UserSessionId,
        now: Timestamp,
    ) -> Result<bool> {
        let ended = self
            .execute(
                "update user_sessions set ended_at = $4 \
                 where tenant_id = $1 and user_id = $2 and id = $3 and ended_at is null",
                args![tenant, user, id, now],
            )
            .await?;
        Ok(ended == 1)
    }

    /// Ends all sessions of a user but the one that is kept; how many that were.
    pub async fn end_user_sessions(
        &mut self,
        tenant: TenantId,
        user: UserId,
        kept: Option<UserSessionId>,
        now: Timestamp,
    ) -> Result<u64> {
        let kept = kept.map(|id| id.to_string()).unwrap_or_default();
        let ended = self
            .execute(
                "update user_sessions set ended_at = $3 \
                 where tenant_id = $1 and user_id = $2 and id <> $4 and ended_at is null",
                args![tenant, user, now, kept],
            )
            .await?;
        Ok(ended)
    }

    /// Notes that a user has signed in on a device.
    pub async fn put_user_device(
        &mut self,
        tenant: TenantId,
        user: UserId,
        device: &SecretHash,
        now: Timestamp,
    ) -> Result<()> {
        self.execute(
            "insert into user_devices (tenant_id, user_id, device_hash, seen_at) values ($1, $2, $3, $4) \
             on conflict (tenant_id, user_id, device_hash) do update set seen_at = excluded.seen_at",
            args![tenant, user, device.as_bytes(), now],
        )
        .await?;
        Ok(())
    }

    /// Forgets the devices of a user.
    pub async fn delete_user_devices(&mut self, tenant: TenantId, user: UserId) -> Result<()> {
        self.execute("delete from user_devices where tenant_id = $1 and user_id = $2", args![tenant, user]).await?;
        Ok(())
    }
}

impl Store {
    /// The sessions of a user that have not ended, newest first.
    pub async fn list_user_sessions(&self, tenant: TenantId, user: UserId, now: Timestamp) -> Result<Vec<UserSession>> {
        let found: Vec<UserSessionRow> = self
            .all(
                "select id, stage, methods, created_at, last_seen_at, stepped_up_at, address, user_agent, ended_at \
                 from user_sessions where tenant_id = $1 and user_id = $2 and ended_at is null and stage = 'complete' \
                 and created_at > $3 and last_seen_at > $4 order by id desc limit 1000",
                args![tenant, user, now.plus_seconds(-ABSOLUTE_SECONDS), now.plus_seconds(-IDLE_SECONDS)],
            )
            .await?;
        found.into_iter().map(UserSessionRow::read).collect()
    }
}
