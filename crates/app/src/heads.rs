//! Signed heads: each minute the end of every audit chain that has moved is signed (Ed25519) and logged, so that whoever
//! can write the database still cannot rewrite the past unseen. And the verifier.

use crate::App;
use crate::state::State;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use claviger_domain::audit::{GENESIS, link};
use claviger_domain::id::TenantId;
use claviger_domain::{Error, Result};
use claviger_store::Store;
use claviger_store::system::SignedHead;
use parking_lot::Mutex;
use std::collections::HashMap;

const SEALED_SEED: &str = "audit_key_sealed";
const PUBLIC_KEY: &str = "audit_key_public";
const VERIFY_PAGE: i64 = 2_000;

/// Signs heads.
pub struct HeadSigner {
    pair: Ed25519KeyPair,
    signed: Mutex<HashMap<TenantId, i64>>,
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
                tx.insert_setting(SEALED_SEED, &state.root_key.seal(&state.random, root, SEALED_SEED, &seed)?).await?;
                tx.insert_setting(PUBLIC_KEY, pair.public_key().as_ref()).await?;
                seed.to_vec()
            }
        };
        tx.commit().await?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(fail)?;
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

    /// Signs the head of every chain that has moved since it was last signed.
    pub async fn sign_heads(&self) -> Result<()> {
        let now = self.state.clock.now();
        let mut moved = Vec::new();
        for (tenant, number, hash) in self.state.store.list_heads().await? {
            if self.heads.signed.lock().get(&tenant) == Some(&number) {
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
        tx.insert_signed_heads(&moved).await?;
        tx.commit().await?;
        for head in moved {
            tracing::info!(
                tenant = %head.tenant, number = head.number, hash = hex(&head.hash), signature = hex(&head.signature),
                "audit head signed"
            );
            self.heads.signed.lock().insert(head.tenant, head.number);
        }
        Ok(())
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

/// Walks every chain of a store: numbers without gaps, each hash from the one before, each signed head on the chain and
/// signed by the store's key, which must be `public_key` (hexadecimal) where one is given. Reads only, and needs no root key.
pub async fn verify_chains(store: &Store, public_key: Option<&str>) -> Result<Verification> {
    let mut found = Verification::default();
    let stored = store.read_setting(PUBLIC_KEY).await?.unwrap_or_default();
    if let Some(expected) = public_key.filter(|expected| !expected.eq_ignore_ascii_case(&hex(&stored))) {
        found.faults.push(format!("the store's audit key is {}, expected was {expected}", hex(&stored)));
    }
    let key = UnparsedPublicKey::new(&ED25519, stored);
    for (tenant, last, head) in store.list_heads().await? {
        found.chains += 1;
        let heads: HashMap<i64, SignedHead> =
            store.list_signed_heads(tenant).await?.into_iter().map(|head| (head.number, head)).collect();
        found.signed_heads += heads.len();
        let reached = verify_chain(store, tenant, &heads, &key, &mut found).await?;
        match reached {
            Some((number, hash)) if (number, hash) == (last, head) => {}
            Some((number, _)) if number != last => {
                found.faults.push(format!("tenant {tenant}: the chain ends at entry {number}, its head says {last}"));
            }
            Some((number, _)) => {
                found.faults.push(format!("tenant {tenant}: the head's hash is not that of entry {number}"))
            }
            None => {}
        }
        if let Some(beyond) = heads.keys().filter(|number| **number > last).max() {
            found
                .faults
                .push(format!("tenant {tenant}: a head was signed at entry {beyond}, the chain ends at {last}"));
        }
    }
    Ok(found)
}

/// Walks one chain; none when it is broken, which is noted.
async fn verify_chain(
    store: &Store,
    tenant: TenantId,
    heads: &HashMap<i64, SignedHead>,
    key: &UnparsedPublicKey<Vec<u8>>,
    found: &mut Verification,
) -> Result<Option<(i64, [u8; 32])>> {
    let (mut number, mut hash) = (0, GENESIS);
    loop {
        let page = store.list_audit_after(tenant, number, None, VERIFY_PAGE).await?;
        if page.is_empty() {
            return Ok(Some((number, hash)));
        }
        for entry in page {
            found.entries += 1;
            if entry.number != number + 1 {
                found.faults.push(format!("tenant {tenant}: entry {} is missing", number + 1));
                return Ok(None);
            }
            number = entry.number;
            hash = link(&hash, &entry.canonical);
            let body: serde_json::Value = serde_json::from_str(&entry.canonical).unwrap_or_default();
            let placed = body.get("number").and_then(serde_json::Value::as_i64) == Some(number)
                && body.get("tenant_id").and_then(serde_json::Value::as_str) == Some(tenant.to_string().as_str())
                && body.get("at").and_then(serde_json::Value::as_str) == Some(entry.at.to_string().as_str());
            if hash != entry.hash || !placed {
                found.faults.push(format!("tenant {tenant}: entry {number} was changed, or one before it"));
                return Ok(None);
            }
            let Some(head) = heads.get(&number) else { continue };
            if head.hash != hash || key.verify(&statement(tenant, number, &hash), &head.signature).is_err() {
                found.faults.push(format!("tenant {tenant}: the signed head at entry {number} does not fit the chain"));
                return Ok(None);
            }
        }
    }
}
