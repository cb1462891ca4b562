//! Session tokens: what tenants say of theirs, and which were revoked one by one. The tokens themselves are stored nowhere.

use crate::engine::Store;
use crate::sql::{Tx, args, id_of, row};
use claviger_domain::Result;
use claviger_domain::id::{ApplicationId, TenantId, TokenId};
use claviger_domain::time::Timestamp;

/// What is said of the tokens of a tenant or of one of its applications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenRule {
    /// The tenant.
    pub tenant: TenantId,
    /// The application; none for the tenant, and all beneath it.
    pub application: Option<ApplicationId>,
    /// How long they live, in seconds.
    pub lifetime: Option<i64>,
    /// Those signed up to then are invalid.
    pub not_before: Option<Timestamp>,
}

/// A token that was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokedToken {
    /// The tenant.
    pub tenant: TenantId,
    /// The token.
    pub token: TokenId,
    /// When it would have ended by itself.
    pub expires_at: Timestamp,
}

row! {
    struct RuleRow {
        tenant_id: String,
        subject: String,
        lifetime_seconds: Option<i64>,
        not_before: Option<i64>,
    }
}

impl RuleRow {
    pub(crate) fn read(self) -> Result<TokenRule> {
        let application = if self.subject.is_empty() { None } else { Some(id_of!(ApplicationId, &self.subject)?) };
        Ok(TokenRule {
            tenant: id_of!(TenantId, &self.tenant_id)?,
            application,
            lifetime: self.lifetime_seconds,
            not_before: self.not_before.map(Timestamp::from_micros),
        })
    }
}

fn subject(application: Option<ApplicationId>) -> String {
    application.map_or_else(String::new, |id| id.to_string())
}

impl Store {
    /// What is said of the tokens of a tenant and of its applications; the tenant's own first.
    pub async fn list_token_rules(&self, tenant: TenantId) -> Result<Vec<TokenRule>> {
        let found: Vec<RuleRow> = self
            .all(
                "select tenant_id, subject, lifetime_seconds, not_before from token_rules \
                 where tenant_id = $1 order by subject",
                args![tenant],
            )
            .await?;
        found.into_iter().map(RuleRow::read).collect()
    }

    /// When a token that was revoked would have ended; none if it was not revoked.
    pub async fn find_revoked_token(&self, tenant: TenantId, token: TokenId) -> Result<Option<Timestamp>> {
        let found: Option<(i64,)> = self
            .optional(
                "select expires_at from revoked_tokens where tenant_id = $1 and token_id = $2",
                args![tenant, token.to_string()],
            )
            .await?;
        Ok(found.map(|(at,)| Timestamp::from_micros(at)))
    }
}

/// What keeps a token out before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenStanding {
    /// The latest cut-off of its application, its tenant and those above.
    pub not_before: Option<Timestamp>,
    /// Whether it, or the key that signed it, was revoked, or that key is gone.
    pub revoked: bool,
}

impl Tx {
    /// What keeps a token of an application out before its time, as this unit sees it.
    pub async fn find_token_standing(
        &mut self,
        tenant: TenantId,
        application: ApplicationId,
        token: TokenId,
        kid: &str,
    ) -> Result<TokenStanding> {
        let (not_before,): (Option<i64>,) = self
            .one(
                "with recursive above (id, parent_id) as ( \
                     select id, parent_id from tenants where id = $1 \
                     union all select t.id, t.parent_id from tenants t join above a on t.id = a.parent_id \
                 ) \
                 select max(r.not_before) from token_rules r join above a on r.tenant_id = a.id \
                 where r.subject = '' or (r.tenant_id = $1 and r.subject = $2)",
                args![tenant, application],
            )
            .await?;
        let revoked: Option<(i64,)> = self
            .optional(
                "select expires_at from revoked_tokens where tenant_id = $1 and token_id = $2",
                args![tenant, token.to_string()],
            )
            .await?;
        let key: Option<(i64,)> = self
            .optional("select retires_at from signing_keys where kid = $1 and revoked_at is null", args![kid])
            .await?;
        Ok(TokenStanding {
            not_before: not_before.map(Timestamp::from_micros),
            revoked: revoked.is_some() || key.is_none(),
        })
    }

    /// How long the tokens of a tenant live, where it says so, in seconds.
    pub async fn find_token_lifetime(&mut self, tenant: TenantId) -> Result<Option<i64>> {
        let found: Option<(Option<i64>,)> = self
            .optional("select lifetime_seconds from token_rules where tenant_id = $1 and subject = ''", args![tenant])
            .await?;
        Ok(found.and_then(|(seconds,)| seconds))
    }

    /// Sets how long the tokens of a tenant live; none for as long as usual.
    pub async fn set_token_lifetime(&mut self, tenant: TenantId, seconds: Option<i64>, now: Timestamp) -> Result<()> {
        self.execute(
            "insert into token_rules as t (tenant_id, subject, lifetime_seconds, not_before, updated_at) \
             values ($1, '', $2, null, $3) \
             on conflict (tenant_id, subject) do update set lifetime_seconds = $2, updated_at = $3",
            args![tenant, seconds, now],
        )
        .await?;
        Ok(())
    }

    /// The latest of all cut-offs.
    pub async fn find_last_cut_off(&mut self) -> Result<Option<Timestamp>> {
        let (last,): (Option<i64>,) = self.one("select max(not_before) from token_rules", args![]).await?;
        Ok(last.map(Timestamp::from_micros))
    }

    /// Invalidates the tokens of a tenant or of one of its applications that were signed up to `before`; the time that holds
    /// now, which is never earlier than one that held.
    pub async fn cut_off_tokens(
        &mut self,
        tenant: TenantId,
        application: Option<ApplicationId>,
        before: Timestamp,
        now: Timestamp,
    ) -> Result<Timestamp> {
        let (at,): (i64,) = self
            .one(
                "insert into token_rules as t (tenant_id, subject, lifetime_seconds, not_before, updated_at) \
                 values ($1, $2, null, $3, $4) \
                 on conflict (tenant_id, subject) do update set updated_at = $4, \
                 not_before = case when t.not_before > $3 then t.not_before else $3 end \
                 returning not_before",
                args![tenant, subject(application), before, now],
            )
            .await?;
        Ok(Timestamp::from_micros(at))
    }

    /// Revokes a token of an application; how many of the application's are revoked now, up to `most` and one more.
    pub async fn revoke_token(
        &mut self,
        tenant: TenantId,
        application: ApplicationId,
        (token, expires_at): (TokenId, Timestamp),
        now: Timestamp,
        most: i64,
    ) -> Result<i64> {
        self.execute(
            "insert into revoked_tokens (tenant_id, token_id, application_id, expires_at, revoked_at) \
             values ($1, $2, $3, $4, $5) on conflict (tenant_id, token_id) do nothing",
            args![tenant, token.to_string(), application, expires_at, now],
        )
        .await?;
        let (count,): (i64,) = self
            .one(
                "select count(*) from ( \
                     select 1 from revoked_tokens where tenant_id = $1 and application_id = $2 limit $3 \
                 ) as counted",
                args![tenant, application, most + 1],
            )
            .await?;
        Ok(count)
    }

    /// Forgets the revoked tokens of an application, because something else keeps them out.
    pub async fn forget_revoked_tokens(&mut self, tenant: TenantId, application: ApplicationId) -> Result<()> {
        self.execute(
            "delete from revoked_tokens where tenant_id = $1 and application_id = $2",
            args![tenant, application],
        )
        .await?;
        Ok(())
    }
}
