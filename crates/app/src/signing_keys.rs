//! Signing keys: made at the first start, published before they sign, followed by the next in time, revoked when stolen.

use crate::App;
use crate::caller::Caller;
use crate::live::signing::SigningKey;
use crate::live::tokens::TokenSettings;
use crate::state::State;
use crate::unit::{Effect, Needs, OnceFor, Posted, Unit};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use claviger_domain::audit::{Actor, NewEntry, Target};
use claviger_domain::grants::Verb;
use claviger_domain::id::TenantId;
use claviger_domain::signing::{Stage, Times, next_key};
use claviger_domain::time::Timestamp;
use claviger_domain::token::{LEEWAY, LIFETIME_MAX};
use claviger_domain::{Error, Result};
use claviger_store::Tx;
use claviger_store::changes::{Change, ChangeKind};
use claviger_store::signing_keys::StoredSigningKey;
use serde_json::{Map, json};
use std::sync::Arc;

const PERMISSION: &str = "signing-keys";

/// A signing key as people see it.
#[derive(Clone, Debug)]
pub struct KeyState {
    /// What tokens call it.
    pub kid: String,
    /// The public key.
    pub public: [u8; 32],
    /// When it does what.
    pub times: Times,
    /// What it does now.
    pub stage: Stage,
}

impl KeyState {
    fn of(kid: &str, public: [u8; 32], times: Times, now: Timestamp) -> Self {
        Self { kid: kid.to_owned(), public, times, stage: times.stage(now) }
    }
}

/// What became of a revocation.
#[derive(Clone, Debug)]
pub struct RevokedKey {
    /// The key that was revoked.
    pub revoked: KeyState,
    /// The key that was made in its place, where none was left that signs.
    pub made: Option<KeyState>,
}

impl App {
    /// Says how session tokens are made, and gets everything ready for them: keys, cut-offs, revoked tokens.
    pub async fn open_tokens(&self, settings: TokenSettings) -> Result<()> {
        self.state.tokens.set(settings)?;
        self.load_tokens().await?;
        self.tend_signing_keys().await
    }

    /// Reads everything about session tokens that memory has to know.
    pub(crate) async fn load_tokens(&self) -> Result<()> {
        self.refresh_signing_keys().await?;
        self.load_token_rules().await
    }

    /// Makes the next signing key when it is time to. Asks memory only, mostly. One that is due later is made by the server in
    /// charge; where there is none to sign with now, whoever finds that makes one.
    pub async fn tend_signing_keys(&self) -> Result<()> {
        let tokens = &self.state.tokens;
        let Ok(settings) = tokens.settings() else { return Ok(()) };
        let Some(operator) = self.state.operator.get().copied() else { return Ok(()) };
        let now = self.state.shared_now();
        let known: Vec<_> = tokens.keys.all().iter().map(|key| key.times()).collect();
        match next_key(&known, now, settings.rhythm) {
            None => return Ok(()),
            Some(signs_from) if signs_from > now && !self.is_in_charge() => return Ok(()),
            // Its clock may be wrong.
            Some(_) if self.may_answer().is_err() => return Ok(()),
            Some(_) => {}
        }
        let mut tx = self.state.store.begin().await?;
        tx.lock_tenant(operator).await?;
        // Another server may have been quicker.
        let stored: Vec<_> = tx.list_signing_keys().await?.iter().map(|key| key.times).collect();
        if let Some(signs_from) = next_key(&stored, now, settings.rhythm) {
            if signs_from > now {
                self.still_in_charge(&mut tx).await?;
            }
            let made = self.state.make_key(&mut tx, now, signs_from).await?;
            // The first one comes with the store, whose entry says that it was set up.
            if !stored.is_empty() {
                tx.append_audit(operator, &made_by_itself(&made, now)).await?;
            }
            let change = Change { kind: ChangeKind::SigningKeys, subject: made.kid.clone() };
            tx.bump_revision(operator, &[change]).await?;
            tracing::info!(kid = made.kid, %signs_from, "signing key made");
        }
        tx.commit().await?;
        self.refresh_signing_keys().await
    }

    /// Makes memory what the store says of the signing keys.
    pub(crate) async fn refresh_signing_keys(&self) -> Result<()> {
        let _lock = self.refreshing.lock().await;
        let stored = self.state.store.list_signing_keys().await?;
        let keys = stored.iter().map(|key| self.state.open_key(key)).collect::<Result<_>>()?;
        self.state.tokens.keys.put(keys);
        Ok(())
    }

    /// The public keys that others may need to verify tokens.
    pub fn published_keys(&self) -> Vec<KeyState> {
        let now = self.state.clock.now();
        let published = self.state.tokens.keys.published(now);
        published.iter().map(|key| KeyState::of(&key.kid, key.public, key.times(), now)).collect()
    }

    /// How session tokens are made.
    pub fn token_settings(&self) -> Result<&TokenSettings> {
        self.state.tokens.settings()
    }

    /// All signing keys, oldest first. Needs `signing-keys:READ`, and the operator's own credential.
    pub async fn list_signing_keys(&self, caller: &Caller) -> Result<Vec<KeyState>> {
        caller.allow(PERMISSION, Verb::Read)?;
        self.operator_alone(caller)?;
        let now = self.state.clock.now();
        let stored = self.state.store.list_signing_keys().await?;
        Ok(stored.iter().map(|key| KeyState::of(&key.kid, key.public, key.times, now)).collect())
    }

    /// Makes the next signing key now: it is published, and takes over after the lead. Needs `signing-keys:CREATE`, and the
    /// operator's own credential.
    pub async fn rotate_signing_key(
        self: &Arc<Self>,
        caller: &Caller,
        once: Option<OnceFor<KeyState>>,
    ) -> Result<Posted<KeyState>> {
        caller.allow(PERMISSION, Verb::Create)?;
        let tenant = self.operator_alone(caller)?;
        caller.must_step_up()?;
        self.unit_once(caller, Needs { tenant, right: (PERMISSION, Verb::Create) }, once, move |unit| {
            Box::pin(async move {
                let lead = unit.app.state.tokens.settings()?.rhythm.lead;
                let now = unit.app.state.nodes.shared_time(unit.now);
                let takes_over = now.plus_seconds(lead);
                for key in unit.tx.list_signing_keys().await? {
                    let stage = key.times.stage(now);
                    if stage == Stage::Published {
                        let detail =
                            format!("{} is published already and takes over at {}", key.kid, key.times.signs_from);
                        return Err(Error::conflict("signing_key_waiting", detail));
                    }
                    if stage == Stage::Signing {
                        unit.tx.update_signing_key(&key.kid, &key.times.ending(takes_over)).await?;
                    }
                }
                let made = unit.make_key(takes_over).await?;
                unit.record("signing_key.rotated", target(&made.kid), describe(&made));
                unit.affects(Effect::SigningKeys);
                Ok(made)
            })
        })
        .await
    }

    /// Revokes a signing key: when this returns nothing that it signed is accepted. Where no key is left that signs, another
    /// is made and signs at once. Needs `signing-keys:DELETE`, and the operator's own credential.
    pub async fn revoke_signing_key(
        self: &Arc<Self>,
        caller: &Caller,
        kid: String,
        once: Option<OnceFor<RevokedKey>>,
    ) -> Result<Posted<RevokedKey>> {
        caller.allow(PERMISSION, Verb::Delete)?;
        let tenant = self.operator_alone(caller)?;
        caller.must_step_up()?;
        self.unit_once(caller, Needs { tenant, right: (PERMISSION, Verb::Delete) }, once, move |unit| {
            Box::pin(async move {
                let now = unit.app.state.nodes.shared_time(unit.now);
                let keys = unit.tx.list_signing_keys().await?;
                let key = keys.iter().find(|key| key.kid == kid).ok_or(Error::NotFound("signing key"))?;
                let times = Times { revoked_at: key.times.revoked_at.or(Some(now)), ..key.times };
                unit.tx.update_signing_key(&kid, &times).await?;
                let signs = |other: &&StoredSigningKey| other.kid != kid && other.times.stage(now) == Stage::Signing;
                let made = match keys.iter().find(signs) {
                    Some(_) => None,
                    None => Some(unit.make_key(now).await?),
                };
                let revoked = KeyState::of(&kid, key.public, times, now);
                let mut details = describe(&revoked);
                details.insert("made".into(), json!(made.as_ref().map(|made| &made.kid)));
                details.insert("alarm".into(), true.into());
                unit.record("signing_key.revoked", target(&kid), details);
                unit.affects(Effect::SigningKeys);
                Ok(RevokedKey { revoked, made })
            })
        })
        .await
    }

    /// The operator, if the caller is one of its own: what is the server's is nobody else's.
    fn operator_alone(&self, caller: &Caller) -> Result<TenantId> {
        match self.state.operator.get() {
            Some(operator) if caller.tenant().id == *operator => Ok(*operator),
            _ => {
                caller.deny("operator_only".into());
                let detail =
                    "the signing keys are the server's: only a credential of the operator deals with them".into();
                Err(Error::Forbidden { missing: None, detail })
            }
        }
    }
}

impl Unit {
    async fn make_key(&mut self, signs_from: Timestamp) -> Result<KeyState> {
        let app = Arc::clone(&self.app);
        let now = app.state.nodes.shared_time(self.now);
        app.state.make_key(&mut self.tx, now, signs_from).await
    }
}

impl State {
    /// Makes a key and stores it.
    async fn make_key(&self, tx: &mut Tx, now: Timestamp, signs_from: Timestamp) -> Result<KeyState> {
        let fail = |_| Error::Internal("a signing key could not be made".into());
        let seed = self.random.bytes::<32>()?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(fail)?;
        let public: [u8; 32] =
            pair.public_key().as_ref().try_into().map_err(|_| Error::Internal("a short key".into()))?;
        let kid = kid_of(&public);
        let sealed = self.root_key.seal(&self.random, TenantId::from_u128(0), &row(&kid), &seed)?;
        let times = Times::of(now, signs_from, self.tokens.settings()?.rhythm);
        tx.insert_signing_key(&StoredSigningKey { kid: kid.clone(), public, sealed, times }).await?;
        Ok(KeyState::of(&kid, public, times, now))
    }

    fn open_key(&self, key: &StoredSigningKey) -> Result<SigningKey> {
        let seed = self.root_key.open(TenantId::from_u128(0), &row(&key.kid), &key.sealed)?;
        SigningKey::new(key.kid.clone(), key.public, &seed, &key.times)
    }
}

fn row(kid: &str) -> String {
    format!("signing_keys/{kid}")
}

/// The first half of the key's SHA-256: enough to tell keys apart, and short enough to type.
fn kid_of(public: &[u8; 32]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, public);
    digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn target(kid: &str) -> Target {
    Target { kind: "signing_key", id: kid.to_owned(), name: String::new() }
}

fn describe(key: &KeyState) -> Map<String, serde_json::Value> {
    Map::from_iter([
        ("kid".to_owned(), json!(key.kid)),
        ("signs_from".to_owned(), json!(key.times.signs_from)),
        ("signs_until".to_owned(), json!(key.times.signs_until)),
    ])
}

fn made_by_itself(key: &KeyState, now: Timestamp) -> NewEntry {
    NewEntry {
        at: now,
        actor: Actor { kind: "system", id: String::new(), tenant_id: None },
        action: "signing_key.made",
        target: target(&key.kid),
        address: None,
        request_id: String::new(),
        request: String::new(),
        details: describe(key),
    }
}

impl App {
    /// Forgets, in the store, what keeps no token out any more.
    pub(crate) async fn sweep_tokens(&self) -> Result<()> {
        let now = self.state.clock.now();
        let mut tx = self.state.store.begin().await?;
        self.still_in_charge(&mut tx).await?;
        tx.sweep_tokens(now).await?;
        tx.sweep_sign_ins(now).await?;
        tx.commit().await
    }

    /// The same for this server's memory.
    pub(crate) fn forget_tokens(&self) {
        let now = self.state.clock.now();
        self.state.tokens.rules.forget(now.plus_seconds(-LEEWAY));
        self.state.tokens.sign_ins.forget(now.plus_seconds(-LEEWAY - LIFETIME_MAX));
    }
}
