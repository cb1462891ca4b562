//! The audit record as a chain: one entry in its place, what was signed of it, whether it is whole; and looking for words in it.

use crate::App;
use crate::caller::Caller;
pub use crate::heads::VerifiedPart;
use claviger_domain::audit::{Entry, Filter, GENESIS};
use claviger_domain::grants::Verb;
use claviger_domain::id::TenantId;
use claviger_domain::page::{LIMIT_MAX, Page, PageRequest};
use claviger_domain::{Error, Result};
pub use claviger_store::system::SignedHead;
use serde_json::Value;
use tokio::sync::Semaphore;

const PERMISSION: &str = "audit";
/// Most entries that one call verifies.
pub const PART: i64 = 20_000;
/// Most entries that one call looks through for words.
const LOOKS: usize = 5_000;
/// Most characters that are looked for.
pub const WORDS_MAX: usize = 200;
/// Calls at work at once, so that their number does not become a size.
static AT_WORK: Semaphore = Semaphore::const_new(2);

/// An entry in its place.
#[derive(Clone, Debug)]
pub struct PlacedEntry {
    /// The entry.
    pub entry: Entry,
    /// The hash before it.
    pub previous: [u8; 32],
    /// Number of the last entry of the chain.
    pub last: i64,
    /// The first signed head at the entry or after it: it vouches for the entry. None where the next one is still to be signed.
    pub signed: Option<SignedHead>,
}

/// What can be known of a chain without walking it.
#[derive(Clone, Debug)]
pub struct ChainState {
    /// Number and hash of the last entry; none where there is no entry.
    pub head: Option<(i64, [u8; 32])>,
    /// The last head that was signed.
    pub signed: Option<SignedHead>,
    /// Whether its signature is right; true where none was signed.
    pub signature_fits: bool,
    /// The key that verifies signatures, in hexadecimal.
    pub public_key: String,
}

impl App {
    /// One entry of a tenant's record, in its place. Needs `audit:READ`.
    pub async fn find_audit_entry(&self, caller: &Caller, tenant: TenantId, number: i64) -> Result<PlacedEntry> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        let store = &self.state.store;
        // Newest first: the entry, and the one before it.
        let after = number.checked_add(1).map(|after| after.to_string());
        let request = PageRequest { limit: 1, after };
        let mut found = store.list_audit(tenant, &Filter::default(), &request).await?.into_iter();
        let entry = found.next().filter(|entry| entry.number == number).ok_or(Error::NotFound("audit entry"))?;
        let previous = found.next().map_or(GENESIS, |before| before.hash);
        let last = store.find_head(tenant).await?.map_or(number, |(last, _)| last);
        let signed = store.list_signed_heads_within(tenant, number - 1, i64::MAX, 1).await?.into_iter().next();
        Ok(PlacedEntry { entry, previous, last, signed })
    }

    /// What can be known of a tenant's chain without walking it. Needs `audit:READ`.
    pub async fn audit_chain(&self, caller: &Caller, tenant: TenantId) -> Result<ChainState> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        let head = self.state.store.find_head(tenant).await?;
        let signed = self.state.store.last_signed_head(tenant).await?;
        let signature_fits = signed.as_ref().is_none_or(|signed| self.heads.has_signed(signed));
        Ok(ChainState { head, signed, signature_fits, public_key: self.audit_public_key() })
    }

    /// Verifies at most [`PART`] entries of a tenant's chain after one; whoever asks goes on until there are no more. Needs `audit:READ`.
    pub async fn verify_audit(&self, caller: &Caller, tenant: TenantId, after: i64) -> Result<VerifiedPart> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        if after < 0 {
            return Err(Error::invalid("after", "no entry has such a number", "give 0 to begin with the first one"));
        }
        let _turn = AT_WORK.acquire().await;
        self.heads.verify_part(&self.state.store, tenant, after, PART).await
    }

    /// Entries of a tenant's record that hold these words somewhere, newest first. A page looks through some thousand entries, and may
    /// hold fewer than were wanted, or none, though more may follow. Needs `audit:READ`.
    pub async fn search_audit_words(
        &self,
        caller: &Caller,
        tenant: TenantId,
        filter: &Filter,
        words: &str,
        page: &PageRequest,
    ) -> Result<Page<Entry>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        if words.chars().count() > WORDS_MAX {
            let fix = format!("give at most {WORDS_MAX} characters");
            return Err(Error::invalid("q", "that is more than is looked for", fix));
        }
        let _turn = AT_WORK.acquire().await;
        let wanted = words.to_lowercase();
        let limit = usize::try_from(page.limit).unwrap_or(0);
        let (mut items, mut looked, mut after) = (Vec::new(), 0, page.after.clone());
        loop {
            let request = PageRequest { limit: LIMIT_MAX, after: after.clone() };
            let found = self.state.store.list_audit(tenant, filter, &request).await?;
            let more = found.len() > usize::try_from(LIMIT_MAX).unwrap_or(0);
            for entry in found.into_iter().take(usize::try_from(LIMIT_MAX).unwrap_or(0)) {
                looked += 1;
                after = Some(entry.number.to_string());
                if holds(&entry.body, &wanted) {
                    items.push(entry);
                    if items.len() == limit {
                        return Ok(Page::gathered(items, after.as_deref()));
                    }
                }
            }
            if !more {
                return Ok(Page::gathered(items, None));
            }
            if looked >= LOOKS {
                return Ok(Page::gathered(items, after.as_deref()));
            }
            tokio::task::yield_now().await;
        }
    }
}

/// Whether some text or number of a value holds these words, which are lower-case.
fn holds(value: &Value, words: &str) -> bool {
    match value {
        Value::String(text) => text.to_lowercase().contains(words),
        Value::Number(number) => number.to_string().contains(words),
        Value::Array(values) => values.iter().any(|value| holds(value, words)),
        Value::Object(members) => members.values().any(|value| holds(value, words)),
        Value::Null | Value::Bool(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words_are_looked_for_in_what_is_said_and_not_in_how() {
        let body = json!({"target": {"name": "SIEM Reader", "tags": ["x", 4711]}, "ok": true});
        for words in ["siem", "m read", "471", ""] {
            assert!(holds(&body, words), "{words}");
        }
        for words in ["target", "true", "siem  reader"] {
            assert!(!holds(&body, words), "{words}");
        }
    }
}
