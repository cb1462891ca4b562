//! What crosses tenants about session tokens: loading at start, sweeping.

use crate::engine::Store;
use crate::sql::{Tx, args, id_of};
use crate::tokens::{RevokedToken, RuleRow, TokenRule};
use claviger_domain::Result;
use claviger_domain::access::KEPT_DAYS;
use claviger_domain::id::{TenantId, TokenId};
use claviger_domain::time::Timestamp;
use claviger_domain::token::{LEEWAY, LIFETIME_MAX};

/// How long a signing key is listed after nothing that it signed is accepted any more.
const KEY_SECONDS: i64 = 90 * 86_400;

impl Store {
    /// Everything that anybody says of tokens.
    pub async fn load_token_rules(&self) -> Result<Vec<TokenRule>> {
        let found: Vec<RuleRow> = self
            .all(
                "select tenant_id, subject, lifetime_seconds, not_before from token_rules order by tenant_id, subject",
                args![],
            )
            .await?;
        found.into_iter().map(RuleRow::read).collect()
    }

    /// The revoked tokens that would not have ended by `now`.
    pub async fn load_revoked_tokens(&self, now: Timestamp) -> Result<Vec<RevokedToken>> {
        let found: Vec<(String, String, i64)> = self
            .all("select tenant_id, token_id, expires_at from revoked_tokens where expires_at > $1", args![now])
            .await?;
        let read = |(tenant, token, at): (String, String, i64)| {
            let (tenant, token) = (id_of!(TenantId, &tenant)?, id_of!(TokenId, &token)?);
            Ok(RevokedToken { tenant, token, expires_at: Timestamp::from_micros(at) })
        };
        found.into_iter().map(read).collect()
    }
}

impl Tx {
    /// Removes what says nothing of any token that could still be presented, and what is old.
    pub async fn sweep_tokens(&mut self, now: Timestamp) -> Result<()> {
        let dead = now.plus_seconds(-LIFETIME_MAX - LEEWAY);
        self.execute("delete from revoked_tokens where expires_at < $1", args![now.plus_seconds(-LEEWAY)]).await?;
        self.execute("delete from token_rules where subject <> '' and not_before < $1", args![dead]).await?;
        self.execute("delete from access_blocks where last_at < $1", args![now.plus_seconds(-KEPT_DAYS * 86_400)])
            .await?;
        self.execute(
            "delete from signing_keys where retires_at < $1 or revoked_at < $1",
            args![now.plus_seconds(-KEY_SECONDS)],
        )
        .await?;
        Ok(())
    }
}
