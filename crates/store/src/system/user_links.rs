//! What crosses tenants about links and challenges of people: finding whose a token is, and forgetting what is over.

use crate::engine::Store;
use crate::sql::{Tx, args};
use crate::user_links::{LinkRow, UserLink};
use claviger_domain::Result;
use claviger_domain::secret::SecretHash;
use claviger_domain::time::Timestamp;

impl Store {
    /// The link of a token, if it is not over. Nothing is used up.
    pub async fn find_link_by_token(&self, token: &SecretHash, now: Timestamp) -> Result<Option<UserLink>> {
        let found: Option<LinkRow> = self
            .optional(
                "select tenant_id, user_id, kind, email, created_at, expires_at from user_links \
                 where token_hash = $1 and expires_at > $2",
                args![token.as_bytes(), now],
            )
            .await?;
        found.map(LinkRow::read).transpose()
    }
}

impl Tx {
    /// Removes links and challenges that are over.
    pub async fn sweep_links(&mut self, now: Timestamp) -> Result<()> {
        self.execute("delete from user_links where expires_at <= $1", args![now]).await?;
        self.execute("delete from user_challenges where expires_at <= $1", args![now]).await?;
        Ok(())
    }
}
