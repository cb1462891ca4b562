//! What sessions of people wait for, and what is counted against guessing second factors.

use crate::engine::Store;
use crate::sql::{Tx, args, row};
use claviger_domain::Result;
use claviger_domain::id::{TenantId, UserId, UserSessionId};
use claviger_domain::secret::SecretHash;
use claviger_domain::time::Timestamp;

/// What a challenge is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChallengeKind {
    /// A code that was sent by mail.
    MailCode,
    /// A passkey that is to be registered.
    Registration,
    /// A passkey that is to answer.
    Assertion,
}

impl ChallengeKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::MailCode => "mail_code",
            Self::Registration => "registration",
            Self::Assertion => "assertion",
        }
    }
}

/// A challenge.
#[derive(Clone, Debug)]
pub struct Challenge {
    /// What recognises the code that was sent.
    pub code: Option<SecretHash>,
    /// The ceremony's state, sealed.
    pub sealed: Option<Vec<u8>>,
    /// How often it was tried.
    pub tries: i64,
    /// Until when it waits.
    pub expires_at: Timestamp,
}

row! {
    struct ChallengeRow {
        code_hash: Option<Vec<u8>>,
        sealed: Option<Vec<u8>>,
        tries: i64,
        expires_at: i64,
    }
}

/// What is counted against guessing somebody's second factors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// Times of checks, in microseconds.
    pub times: Vec<i64>,
    /// Wrong ones in a row.
    pub wrong: i64,
    /// Since when none is made any more.
    pub suspended_at: Option<Timestamp>,
}

impl Store {
    /// How many wrong checks in a row are counted for a user, and whether somebody was told; none where none was counted.
    pub async fn find_wrong_checks(&self, tenant: TenantId, user: UserId) -> Result<Option<(i64, bool)>> {
        let found: Option<(i64, Option<i64>)> = self
            .optional(
                "select wrong, suspended_at from factor_guards where tenant_id = $1 and user_id = $2",
                args![tenant, user],
            )
            .await?;
        Ok(found.map(|(wrong, suspended_at)| (wrong, suspended_at.is_some())))
    }
}

impl Tx {
    /// Puts a challenge in place of the session's challenge of that kind.
    pub async fn put_challenge(
        &mut self,
        tenant: TenantId,
        (user, session): (UserId, UserSessionId),
        kind: ChallengeKind,
        new: &Challenge,
    ) -> Result<()> {
        let code = new.code.as_ref().map(|code| code.as_bytes().to_vec());
        self.execute(
            "insert into user_challenges (tenant_id, user_id, session_id, kind, code_hash, sealed, tries, expires_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8) \
             on conflict (tenant_id, user_id, session_id, kind) do update set code_hash = excluded.code_hash, \
             sealed = excluded.sealed, tries = excluded.tries, expires_at = excluded.expires_at",
            args![tenant, user, session, kind.as_str(), code, new.sealed.clone(), new.tries, new.expires_at],
        )
        .await
        .map_err(|failure| failure.refers_to("user"))?;
        Ok(())
    }

    /// Tries a session's challenge of a kind: it is counted, and what it holds is given; none where it is over.
    pub async fn try_challenge(
        &mut self,
        tenant: TenantId,
        (user, session): (UserId, UserSessionId),
        kind: ChallengeKind,
        now: Timestamp,
    ) -> Result<Option<Challenge>> {
        let found: Option<ChallengeRow> = self
            .optional(
                "update user_challenges set tries = tries + 1 \
                 where tenant_id = $1 and user_id = $2 and session_id = $3 and kind = $4 and expires_at > $5 \
                 returning code_hash, sealed, tries, expires_at",
                args![tenant, user, session, kind.as_str(), now],
            )
            .await?;
        Ok(found.map(|row| Challenge {
            code: row.code_hash.as_deref().and_then(SecretHash::stored),
            sealed: row.sealed,
            tries: row.tries,
            expires_at: Timestamp::from_micros(row.expires_at),
        }))
    }

    /// Removes a session's challenge of a kind; whether it was there. Of two who come at a time one is told so.
    pub async fn end_challenge(
        &mut self,
        tenant: TenantId,
        (user, session): (UserId, UserSessionId),
        kind: ChallengeKind,
    ) -> Result<bool> {
        let ended = self
            .execute(
                "delete from user_challenges where tenant_id = $1 and user_id = $2 and session_id = $3 and kind = $4",
                args![tenant, user, session, kind.as_str()],
            )
            .await?;
        Ok(ended == 1)
    }

    /// What is counted for a user. Nobody else counts for it until this unit ends.
    pub async fn lock_guard(&mut self, tenant: TenantId, user: UserId) -> Result<Guard> {
        let (times, wrong, suspended_at): (String, i64, Option<i64>) = self
            .one(
                "insert into factor_guards (tenant_id, user_id, times, wrong) values ($1, $2, '', 0) \
                 on conflict (tenant_id, user_id) do update set wrong = factor_guards.wrong \
                 returning times, wrong, suspended_at",
                args![tenant, user],
            )
            .await?;
        Ok(Guard {
            times: times.split(' ').filter_map(|time| time.parse().ok()).collect(),
            wrong,
            suspended_at: suspended_at.map(Timestamp::from_micros),
        })
    }

    /// Writes what is counted for a user.
    pub async fn put_guard(&mut self, tenant: TenantId, user: UserId, guard: &Guard) -> Result<()> {
        let times: Vec<String> = guard.times.iter().map(ToString::to_string).collect();
        self.execute(
            "update factor_guards set times = $3, wrong = $4, suspended_at = $5 where tenant_id = $1 and user_id = $2",
            args![tenant, user, times.join(" "), guard.wrong, guard.suspended_at],
        )
        .await?;
        Ok(())
    }
}
