//! The verifier of audit chains: reads only, and needs no root key.

use super::{PAGE, PUBLIC_KEY, head_of, hex, statement};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use claviger_domain::Result;
use claviger_domain::audit::{GENESIS, link};
use claviger_domain::id::TenantId;
use claviger_domain::visibility::{Stage, Visibility};
use claviger_store::Store;
use claviger_store::audit::ChainedEntry;
use claviger_store::system::SignedHead;
use serde_json::Value;
use std::collections::HashMap;

/// What the verifier found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Chains looked at.
    pub chains: usize,
    /// Entries looked at.
    pub entries: i64,
    /// Signed heads looked at.
    pub signed_heads: usize,
    /// What is wrong, each naming tenant and entry; empty when every chain is whole.
    pub faults: Vec<String>,
}

/// Walks every chain of a store: every tenant has one, numbers without gaps, each hash from the one before, each signed head
/// on the chain and signed by the store's key, which must be `public_key` (hexadecimal) where one is given.
pub async fn verify_chains(store: &Store, public_key: Option<&str>) -> Result<Verification> {
    let mut found = Verification::default();
    let stored = store.read_setting(PUBLIC_KEY).await?.unwrap_or_default();
    if let Some(expected) = public_key.filter(|expected| !expected.eq_ignore_ascii_case(&hex(&stored))) {
        found.faults.push(format!("the store's audit key is {}, expected was {expected}", hex(&stored)));
    }
    let key = UnparsedPublicKey::new(&ED25519, stored);
    for tenant in store.list_chains().await? {
        found.chains += 1;
        let signed = store.list_signed_heads(tenant).await?;
        found.signed_heads += signed.len();
        let removed = removed_for_good(store, tenant, &signed).await?;
        found.faults.extend(removed.map(|fault| format!("tenant {tenant}: {fault}")));
        let heads: HashMap<i64, SignedHead> = signed.into_iter().map(|head| (head.number, head)).collect();
        let mut chain = Chain { tenant, number: 0, hash: GENESIS, heads, key: &key };
        if let Err(fault) = chain.verify(store, &mut found.entries).await? {
            found.faults.push(format!("tenant {tenant}: {fault}"));
        }
        let number = chain.number;
        if let Some(beyond) = chain.heads.keys().filter(|beyond| **beyond > number).max() {
            found
                .faults
                .push(format!("tenant {tenant}: a head was signed at entry {beyond}, the chain ends at {number}"));
        }
    }
    Ok(found)
}

/// What contradicts a signed head that says that the texts of the tenant's secrets were removed, if anything does.
async fn removed_for_good(store: &Store, tenant: TenantId, signed: &[SignedHead]) -> Result<Option<String>> {
    let mut since = None;
    for head in signed {
        match (since, head.visibility) {
            (None, Some(Visibility::ShowOnce)) => since = Some(head.number),
            (Some(since), other) if other != Some(Visibility::ShowOnce) => {
                let number = head.number;
                return Ok(Some(format!(
                    "the head at entry {since} says that texts of secrets were removed, the one at {number} takes it back"
                )));
            }
            _ => {}
        }
    }
    let Some(since) = since else { return Ok(None) };
    let stage = store.find_visibility(tenant).await?.map(|state| state.stage);
    let back = !matches!(stage, Some(Stage::Removing | Stage::Removed)) || store.count_secret_texts(tenant).await? > 0;
    Ok(back.then(|| {
        format!("the head at entry {since} says that texts of secrets were removed, and the store retains them again")
    }))
}

/// One chain, as far as it has been walked.
pub(super) struct Chain<'a> {
    pub(super) tenant: TenantId,
    pub(super) number: i64,
    pub(super) hash: [u8; 32],
    pub(super) heads: HashMap<i64, SignedHead>,
    pub(super) key: &'a UnparsedPublicKey<Vec<u8>>,
}

impl Chain<'_> {
    /// Walks to the end; what is wrong, if anything is. A server may be appending meanwhile.
    async fn verify(&mut self, store: &Store, entries: &mut i64) -> Result<Result<(), String>> {
        // Numbers below 1 belong to no chain, and would be shown all the same.
        let mut after = i64::MIN;
        loop {
            let before = self.number;
            loop {
                let page = store.list_chain(self.tenant, after, PAGE).await?;
                let Some(last) = page.last() else { break };
                after = last.entry.number;
                for one in page {
                    *entries += 1;
                    if let Err(fault) = self.step(&one) {
                        return Ok(Err(fault));
                    }
                }
            }
            let number = self.number;
            match store.find_head(self.tenant).await? {
                Some(head) if head == (self.number, self.hash) => return Ok(Ok(())),
                Some((last, _)) if last == number => {
                    return Ok(Err(format!("the head's hash is not that of entry {number}")));
                }
                // Entries that were added while this chain was walked.
                Some((last, _)) if last > number && number > before => {}
                Some((last, _)) => return Ok(Err(format!("the chain ends at entry {number}, its head says {last}"))),
                None if number == 0 => return Ok(Err("there is no record".into())),
                None => return Ok(Err(format!("the chain ends at entry {number}, and there is no head"))),
            }
        }
    }

    /// Goes on by an entry.
    pub(super) fn step(&mut self, one: &ChainedEntry) -> Result<(), String> {
        let (entry, next) = (&one.entry, self.number + 1);
        if entry.number < next {
            return Err(format!("entry {} belongs to no chain", entry.number));
        }
        if entry.number > next {
            return Err(format!("entry {next} is missing"));
        }
        let hash = link(&self.hash, &entry.canonical);
        let body: Value = serde_json::from_str(&entry.canonical).unwrap_or_default();
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
        // The columns that lists are filtered by say what the entry says.
        let placed = body.get("number").and_then(Value::as_i64) == Some(next)
            && text("/tenant_id") == Some(self.tenant.to_string().as_str())
            && text("/at") == Some(entry.at.to_string().as_str())
            && text("/action") == Some(one.action.as_str())
            && text("/actor/id") == Some(one.actor.as_str())
            && text("/target/id") == Some(one.target.as_str());
        if hash != entry.hash || !placed {
            return Err(format!("entry {next} was changed, or one before it"));
        }
        (self.number, self.hash) = (next, hash);
        match self.heads.get(&next) {
            Some(head)
                if head.hash != hash || self.key.verify(&statement(&head_of(head)), &head.signature).is_err() =>
            {
                Err(format!("the signed head at entry {next} does not fit the chain"))
            }
            _ => Ok(()),
        }
    }
}
