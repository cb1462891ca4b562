//! Signed heads: each minute the end of every audit chain that has moved is signed (Ed25519) and logged, so that whoever
//! can write the database still cannot rewrite the past unseen. A head is signed only where its chain goes on from the one
//! signed before. Of a tenant that retains the texts of its secrets, or did, a head also states which: whoever turns that
//! back in the database is contradicted by the heads.

mod chains;
mod parts;

pub use chains::{Verification, verify_chains};
pub use parts::VerifiedPart;

use crate::App;
use crate::state::State;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use claviger_domain::audit::{GENESIS, link};
use claviger_domain::id::TenantId;
use claviger_domain::visibility::Visibility;
use claviger_domain::{Error, Result};
use claviger_store::system::{Head, SignedHead};
use parking_lot::Mutex;
use std::collections::HashMap;

const SEALED_SEED: &str = "audit_key_sealed";
const PUBLIC_KEY: &str = "audit_key_public";
const PAGE: i64 = 2_000;

/// Signs heads.
pub struct HeadSigner {
    pair: Ed25519KeyPair,
    signed: Mutex<HashMap<TenantId, Head>>,
}

impl HeadSigner {
    /// The store's signer; made with the store.
    pub(crate) async fn open(state: &State) -> Result<Self> {
        let root = TenantId::from_u128(0);
        let fail = |_| Error::Internal("the audit signing key is damaged".into());
        let mut tx = state.store.begin().await?;
        let seed = match tx.find_setting(SEALED_SEED).await? {
            Some(sealed) => state.root_key.open(root, SEALED_SEED, &sealed)?,
            None => {
                let seed = state.random.bytes::<32>()?;
                let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(fail)?;
                let sealed = state.root_key.seal(&state.random, root, SEALED_SEED, &seed)?;
                if !tx.insert_setting(SEALED_SEED, &sealed).await? {
                    // Another server starts at the same time, and was quicker.
                    let sealed = tx.find_setting(SEALED_SEED).await?.unwrap_or_default();
                    state.root_key.open(root, SEALED_SEED, &sealed)?
                } else if tx.insert_setting(PUBLIC_KEY, pair.public_key().as_ref()).await? {
                    seed.to_vec()
                } else {
                    return Err(Error::Internal("the audit signing key is gone from the store".into()));
                }
            }
        };
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(fail)?;
        if tx.find_setting(PUBLIC_KEY).await?.as_deref() != Some(pair.public_key().as_ref()) {
            return Err(Error::Internal(
                "the audit key in the store is not the one that this server signs with".into(),
            ));
        }
        tx.commit().await?;
        Ok(Self { pair, signed: Mutex::default() })
    }

    /// The public key in hexadecimal, as the log names it.
    pub fn public_key(&self) -> String {
        hex(self.pair.public_key().as_ref())
    }
}

impl App {
    /// The public key that verifies signed heads, in hexadecimal: to be kept outside the database.
    pub fn audit_public_key(&self) -> String {
        self.heads.public_key()
    }

    /// Signs the head of every chain that has moved since it was last signed. A chain that does not go on from there is
    /// not signed, and logged.
    pub async fn sign_heads(&self) -> Result<()> {
        self.sign(true).await
    }

    /// As [`App::sign_heads`]; `in_charge` where only the node may that does it for all. What two nodes sign is one head.
    pub(crate) async fn sign(&self, in_charge: bool) -> Result<()> {
        let now = self.state.clock.now();
        let mut moved = Vec::new();
        for head in self.state.store.list_heads().await? {
            let Head { tenant, number, hash, visibility } = head;
            let known = self.heads.signed.lock().get(&tenant).copied();
            if known.is_some_and(|known| (known.number, known.hash) == (number, hash)) {
                continue;
            }
            if !self.goes_on(known, &head).await? {
                tracing::error!(%tenant, number, "the audit record does not go on from its last signed head: it was changed");
                continue;
            }
            let signature = self.heads.pair.sign(&statement(&head)).as_ref().to_vec();
            let key_id = self.public_key_id();
            moved.push(SignedHead { tenant, number, hash, visibility, signed_at: now, key_id, signature });
        }
        if moved.is_empty() {
            return Ok(());
        }
        let mut tx = self.state.store.begin().await?;
        if in_charge {
            self.still_in_charge(&mut tx).await?;
        }
        tx.insert_signed_heads(&moved).await?;
        tx.commit().await?;
        for head in moved {
            tracing::info!(
                tenant = %head.tenant, number = head.number, hash = hex(&head.hash), signature = hex(&head.signature),
                visibility = head.visibility.map(Visibility::as_str), "audit head signed"
            );
            self.heads.signed.lock().insert(head.tenant, head_of(&head));
        }
        Ok(())
    }

    /// What the tenant's last signed head states of its secrets; none if it states nothing, or is not signed by this store.
    pub(crate) async fn stated_visibility(&self, tenant: TenantId) -> Result<Option<Visibility>> {
        let last = self.state.store.last_signed_head(tenant).await?;
        Ok(last.filter(|last| self.is_signed(last)).and_then(|last| last.visibility))
    }

    fn is_signed(&self, head: &SignedHead) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, self.heads.pair.public_key().as_ref());
        key.verify(&statement(&head_of(head)), &head.signature).is_ok()
    }

    /// Whether the chain leads from the head that was signed last to `head`, and nothing was made readable again.
    async fn goes_on(&self, known: Option<Head>, head: &Head) -> Result<bool> {
        let (store, tenant) = (&self.state.store, head.tenant);
        let last = match known {
            Some(known) => Some(known),
            None => match store.last_signed_head(tenant).await? {
                Some(last) if !self.is_signed(&last) => return Ok(false),
                last => last.as_ref().map(head_of),
            },
        };
        if last.and_then(|last| last.visibility) == Some(Visibility::ShowOnce)
            && head.visibility != Some(Visibility::ShowOnce)
        {
            return Ok(false);
        }
        let (mut number, mut hash) = last.map_or((0, GENESIS), |last| (last.number, last.hash));
        while number < head.number {
            let page = store.list_audit_after(tenant, number, None, PAGE.min(head.number - number)).await?;
            if page.is_empty() {
                break;
            }
            for entry in page {
                number = entry.number;
                hash = link(&hash, &entry.canonical);
            }
        }
        Ok((number, hash) == (head.number, head.hash))
    }

    fn public_key_id(&self) -> String {
        self.heads.public_key().chars().take(16).collect()
    }
}

fn head_of(signed: &SignedHead) -> Head {
    let SignedHead { tenant, number, hash, visibility, .. } = signed;
    Head { tenant: *tenant, number: *number, hash: *hash, visibility: *visibility }
}

/// What is signed of a head.
fn statement(Head { tenant, number, hash, visibility }: &Head) -> Vec<u8> {
    let hash = hex(hash);
    match visibility {
        None => format!("claviger audit head 1\n{tenant}\n{number}\n{hash}"),
        Some(visibility) => format!("claviger audit head 2\n{tenant}\n{number}\n{hash}\n{}", visibility.as_str()),
    }
    .into_bytes()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
