//! Where a history of a store began, and what the files of several servers have brought into it.

use crate::revocations::{Fact, Line};
use claviger_domain::{Error, Result};
use claviger_store::Tx;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which history one goes on from, how far the restored store was, and what of it was said since.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Origin {
    parent: i64,
    base: BTreeMap<i64, i64>,
    /// By thing, the revision of the newest line that said how it stood.
    #[serde(default)]
    said: BTreeMap<String, i64>,
}

impl Origin {
    /// Of a history that begins now.
    pub(super) fn new(parent: i64, revisions: &[(i64, i64)]) -> Self {
        Self { parent, base: revisions.iter().copied().collect(), said: BTreeMap::new() }
    }

    /// Of the history that the store has, if the file ends where that one began; else nothing is taken for known.
    pub(super) async fn find(tx: &mut Tx, file: i64, history: i64) -> Result<Self> {
        let kept = tx.find_setting(&setting(history)).await?;
        let kept: Option<Self> = kept.and_then(|kept| serde_json::from_slice(&kept).ok());
        Ok(kept.filter(|kept| kept.parent == file).unwrap_or_default())
    }

    /// How far the store was in a shard.
    pub(super) fn base_of(&self, shard: i64) -> i64 {
        self.base.get(&shard).copied().unwrap_or(0)
    }

    /// Whether nobody's file has said anything newer about the same thing. What only takes away is always heard: the file of a
    /// server that was down at the end says less, and nothing wrong.
    pub(super) fn is_news(&mut self, line: &Line) -> bool {
        if !sets(&line.fact) {
            return true;
        }
        let (kind, id) = line.fact.subject();
        let newest = self.said.entry(format!("{kind} {id:032x}")).or_default();
        let is_news = line.revision >= *newest;
        *newest = line.revision.max(*newest);
        is_news
    }

    /// Keeps it for the files of other servers.
    pub(super) async fn keep(&self, tx: &mut Tx, history: i64) -> Result<()> {
        // What nothing is known of stays so.
        if self.base.is_empty() {
            return Ok(());
        }
        let kept = serde_json::to_vec(self).map_err(|error| Error::Internal(error.to_string()))?;
        tx.put_setting(&setting(history), &kept).await
    }
}

fn setting(history: i64) -> String {
    format!("history_{history}")
}

/// Whether a line says how something is to be, so that an older one could give back what a newer one has taken.
const fn sets(fact: &Fact) -> bool {
    match fact {
        Fact::AccessLevel { .. } | Fact::Tenant { .. } | Fact::Tokens { .. } | Fact::IdentityProvider { .. } => true,
        Fact::Application { .. } | Fact::SigningKeys | Fact::TrustedIssuer { .. } | Fact::User { .. } => false,
    }
}
