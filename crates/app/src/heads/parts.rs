//! The verifier for whoever reads a record over the network: one chain, a bounded part at a time. Parts that follow each other verify
//! together what the verifier of the whole store verifies of one chain.

use super::chains::Chain;
use super::{HeadSigner, PAGE, head_of, statement};
use aws_lc_rs::signature::{ED25519, KeyPair as _, UnparsedPublicKey};
use claviger_domain::audit::GENESIS;
use claviger_domain::id::TenantId;
use claviger_domain::visibility::{Stage, Visibility};
use claviger_domain::{Error, Result};
use claviger_store::Store;
use claviger_store::system::SignedHead;

/// What the verifier found in a part of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedPart {
    /// The part begins after this entry; 0 for the beginning of the chain.
    pub after: i64,
    /// The last entry that was looked at, and is right.
    pub number: i64,
    /// Hash of the chain up to and with that entry.
    pub hash: [u8; 32],
    /// Signed heads that lie on the part, whose signatures are right.
    pub signed_heads: i64,
    /// Whether the chain goes on after this part.
    pub more: bool,
    /// What is wrong; none where nothing is.
    pub fault: Option<String>,
}

impl HeadSigner {
    /// Whether this store has signed a head.
    pub(crate) fn has_signed(&self, head: &SignedHead) -> bool {
        self.verifier().verify(&statement(&head_of(head)), &head.signature).is_ok()
    }

    /// Verifies at most so many entries after one. Nothing is taken for granted of the entries before but the hash that is stored with the
    /// last of them, which is what the part before has ended with.
    pub(crate) async fn verify_part(
        &self,
        store: &Store,
        tenant: TenantId,
        after: i64,
        most: i64,
    ) -> Result<VerifiedPart> {
        let hash = match after {
            0 => GENESIS,
            _ => {
                let found = store.list_chain(tenant, after.saturating_sub(1), 1).await?;
                let found = found.into_iter().find(|one| one.entry.number == after);
                found.ok_or(Error::NotFound("audit entry"))?.entry.hash
            }
        };
        let until = after.saturating_add(most);
        let heads = store.list_signed_heads_within(tenant, after, until, most).await?;
        let signed_heads = i64::try_from(heads.len()).unwrap_or(i64::MAX);
        let taken_back = self.taken_back(store, tenant, after, &heads).await?;
        let heads = heads.into_iter().map(|head| (head.number, head)).collect();
        let key = self.verifier();
        let mut chain = Chain { tenant, number: after, hash, heads, key: &key };
        let fault = match taken_back {
            Some(fault) => Some(fault),
            None => walk(&mut chain, store, until).await?,
        };
        let (number, hash) = (chain.number, chain.hash);
        let mut part = VerifiedPart { after, number, hash, signed_heads, more: false, fault };
        if part.fault.is_none() {
            self.look_at_end(store, tenant, &mut part).await?;
        }
        Ok(part)
    }

    fn verifier(&self) -> UnparsedPublicKey<Vec<u8>> {
        UnparsedPublicKey::new(&ED25519, self.pair.public_key().as_ref().to_vec())
    }

    /// What contradicts a signed head that says that texts of secrets were removed, if one of this part does: what once is said so stays so.
    async fn taken_back(
        &self,
        store: &Store,
        tenant: TenantId,
        after: i64,
        heads: &[SignedHead],
    ) -> Result<Option<String>> {
        let before = store.find_signed_head_until(tenant, after).await?;
        let mut removed = before.and_then(|head| head.visibility) == Some(Visibility::ShowOnce);
        for head in heads {
            if removed && head.visibility != Some(Visibility::ShowOnce) {
                let number = head.number;
                return Ok(Some(format!("the head at entry {number} takes back that texts of secrets were removed")));
            }
            removed |= head.visibility == Some(Visibility::ShowOnce);
        }
        Ok(None)
    }

    /// Whether the chain ends here, and as its head and its signatures say.
    async fn look_at_end(&self, store: &Store, tenant: TenantId, part: &mut VerifiedPart) -> Result<()> {
        let number = part.number;
        part.fault = match store.find_head(tenant).await? {
            Some((last, _)) if last > number => {
                part.more = true;
                return Ok(());
            }
            Some((last, hash)) if last == number && hash != part.hash => {
                Some(format!("the head's hash is not that of entry {number}"))
            }
            Some((last, _)) if last < number => Some(format!("the chain ends at entry {number}, its head says {last}")),
            None if number == 0 => Some("there is no record".to_owned()),
            None => Some(format!("the chain ends at entry {number}, and there is no head")),
            Some(_) => match store.last_signed_head(tenant).await? {
                Some(head) if head.number > number => {
                    let beyond = head.number;
                    Some(format!("a head was signed at entry {beyond}, the chain ends at {number}"))
                }
                Some(head) if head.visibility == Some(Visibility::ShowOnce) => {
                    let stage = store.find_visibility(tenant).await?.map(|state| state.stage);
                    let removed = matches!(stage, Some(Stage::Removing | Stage::Removed));
                    let back = !removed || store.count_secret_texts(tenant).await? > 0;
                    back.then(|| {
                        "a signed head says that texts of secrets were removed, and the store retains them".into()
                    })
                }
                _ => None,
            },
        };
        Ok(())
    }
}

/// Walks a chain up to an entry, or to its end; what is wrong, if anything is.
async fn walk(chain: &mut Chain<'_>, store: &Store, until: i64) -> Result<Option<String>> {
    // Numbers below 1 belong to no chain, and would be shown all the same.
    let mut after = if chain.number == 0 { i64::MIN } else { chain.number };
    while chain.number < until {
        let page = store.list_chain(chain.tenant, after, PAGE.min(until - chain.number)).await?;
        let Some(last) = page.last() else { break };
        after = last.entry.number;
        for (index, one) in page.iter().enumerate() {
            if let Err(fault) = chain.step(one) {
                return Ok(Some(fault));
            }
            if index % 64 == 63 {
                tokio::task::yield_now().await;
            }
        }
    }
    Ok(None)
}
