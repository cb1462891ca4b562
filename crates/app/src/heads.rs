//! Signed heads: each minute the end of every audit chain that has moved is signed (Ed25519) and logged, so that whoever
//! can write the database still cannot rewrite the past unseen. A head is signed only where its chain goes on from the one
//! signed before.

mod chains;

pub use chains::{Verification, verify_chains};

use crate::App;
use crate::state::State;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use claviger_domain::audit::{GENESIS, link};
use claviger_domain::id::TenantId;
use claviger_domain::{Error, Result};
use claviger_store::system::SignedHead;
use parking_lot::Mutex;
use std::collections::HashMap;

const SEALED_SEED: &str = "audit_key_sealed";
const PUBLIC_KEY: &str = "audit_key_public";
const PAGE: i64 = 2_000;

/// Signs heads.
pub struct HeadSigner {
    pair: Ed25519KeyPair,
    signed: Mutex<HashMap<TenantId, (i64, [u8; 32])>>,
}

impl HeadSigner {
    /// The store's signer; made with the store.
    pub(crate) async fn open(state: &State) -> Result<Self> {
        let root = TenantId::from_u128(0);
        let fail = |_| Error::Internal("the audit signing key is damaged".into());
        let mut tx = state.store.begin().await?;
        let seed = match tx.find_setting(SEALED_SEED).await? {
            Some(sealed) => state.root_key.open(root, SEALED_SEED, &sealed)?,
            None if tx.find_setting(PUBLIC_KEY).await?.is_some() => {
                return Err(Error::Internal("the audit signing key is gone from the store".into()));
            }
            None => {
                let seed = state.random.bytes::<32>()?;
                let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(fail)?;
                tx.insert_setting(SEALED_SEED, &state.root_key.seal(&state.random, root, SEALED_SEED, &seed)?).await?;
                tx.insert_setting(PUBLIC_KEY, pair.public_key().as_ref()).await?;
                seed.to_vec()
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
        let now = self.state.clock.now();
        let mut moved = Vec::new();
        for (tenant, number, hash) in self.state.store.list_heads().await? {
            let known = self.heads.signed.lock().get(&tenant).copied();
            if known == Some((number, hash)) {
                continue;
            }
            if !self.goes_on(tenant, known, (number, hash)).await? {
                tracing::error!(%tenant, number, "the audit record does not go on from its last signed head: it was changed");
                continue;
            }
            let signature = self.heads.pair.sign(&statement(tenant, number, &hash)).as_ref().to_vec();
            let key_id = self.public_key_id();
            moved.push(SignedHead { tenant, number, hash, signed_at: now, key_id, signature });
        }
        if moved.is_empty() {
            return Ok(());
        }
        let mut tx = self.state.store.begin().await?;
        self.still_in_charge(&mut tx).await?;
        tx.insert_signed_heads(&moved).await?;
        tx.commit().await?;
        for head in moved {
            tracing::info!(
                tenant = %head.tenant, number = head.number, hash = hex(&head.hash), signature = hex(&head.signature),
                "audit head signed"
            );
            self.heads.signed.lock().insert(head.tenant, (head.number, head.hash));
        }
        Ok(())
    }

    /// Whether the chain leads from the head that was signed last to `head`.
    async fn goes_on(&self, tenant: TenantId, known: Option<(i64, [u8; 32])>, head: (i64, [u8; 32])) -> Result<bool> {
        let store = &self.state.store;
        let (mut number, mut hash) = match known {
            Some(known) => known,
            None => match store.last_signed_head(tenant).await? {
                None => (0, GENESIS),
                Some(last) => {
                    let key = UnparsedPublicKey::new(&ED25519, self.heads.pair.public_key().as_ref());
                    if key.verify(&statement(tenant, last.number, &last.hash), &last.signature).is_err() {
                        return Ok(false);
                    }
                    (last.number, last.hash)
                }
            },
        };
        while number < head.0 {
            let page = store.list_audit_after(tenant, number, None, PAGE.min(head.0 - number)).await?;
            if page.is_empty() {
                break;
            }
            for entry in page {
                number = entry.number;
                hash = link(&hash, &entry.canonical);
            }
        }
        Ok((number, hash) == head)
    }

    fn public_key_id(&self) -> String {
        self.heads.public_key().chars().take(16).collect()
    }
}

/// What is signed of a head.
fn statement(tenant: TenantId, number: i64, hash: &[u8; 32]) -> Vec<u8> {
    format!("claviger audit head 1\n{tenant}\n{number}\n{}", hex(hash)).into_bytes()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
