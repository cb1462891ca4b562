//! Keys of trusted issuers, fetched when a token needs them. One fetches for all, each issuer by itself; what is there is
//! used while an issuer does not answer, for a while.

use crate::App;
use crate::live::issuers::{IssuerKeys, KeyState, LiveIssuer};
use crate::outgoing::{Failed, Outgoing};
use crate::state::State;
use crate::unit::to_the_end;
use claviger_domain::foreign_key::{ForeignKey, read_set};
use claviger_domain::foreign_token::Header;
use claviger_domain::issuer_keys::{Known, Step, freshness};
use claviger_domain::outgoing::Target;
use claviger_domain::trusted_issuer::{KeySource, Trust};
use claviger_domain::{Error, Result};
use serde_json::Value;
use std::sync::Arc;

impl App {
    /// The keys of an issuer, asked for if need be: at most one call is under way for each, and however many tokens name
    /// unknown keys, it is asked now and then.
    pub(crate) async fn issuer_keys(&self, live: &LiveIssuer, header: &Header) -> Result<Arc<KeyState>> {
        self.keys_of(&live.keys, &live.issuer.trust, header).await
    }

    /// As [`App::issuer_keys`], of whomever is trusted so.
    pub(crate) async fn keys_of(
        &self,
        keys: &Arc<IssuerKeys>,
        trust: &Trust,
        header: &Header,
    ) -> Result<Arc<KeyState>> {
        let state = keys.state.load_full();
        let found = state.has(header);
        match state.known.step(self.state.seconds(), found) {
            Step::Use => return Ok(state),
            Step::Wait => return Err(silent(&state)),
            // Somebody asks already, and what is there will do.
            Step::AskOrUse if found && keys.asking.try_lock().is_err() => return Ok(state),
            Step::AskOrUse | Step::Ask => {}
        }
        let (state, keys) = (Arc::clone(&self.state), Arc::clone(keys));
        let (trust, header) = (trust.clone(), header.clone());
        // Whoever asked may go away; what others wait for goes on.
        to_the_end(async move { state.ask_for_keys(&keys, &trust, &header).await }).await
    }
}

impl State {
    async fn ask_for_keys(&self, keys: &IssuerKeys, trust: &Trust, header: &Header) -> Result<Arc<KeyState>> {
        let _asking = keys.asking.lock().await;
        let before = keys.state.load_full();
        match before.known.step(self.seconds(), before.has(header)) {
            // Somebody else has asked meanwhile.
            Step::Use => return Ok(before),
            Step::Wait => return Err(silent(&before)),
            Step::AskOrUse | Step::Ask => {}
        }
        let fetched = fetch(self.issuers.outgoing()?, trust).await;
        let now = self.seconds();
        let tried_at = Some(now);
        let after = match fetched {
            Ok((keys, fresh)) => {
                KeyState { keys: keys.into(), known: Known { fresh_until: Some(now + fresh), tried_at }, failed: None }
            }
            Err(failed) => {
                let issuer = trust.issuer.as_str();
                tracing::warn!(issuer, why = failed.describe(), "the keys of a trusted issuer could not be fetched");
                let known = Known { tried_at, ..before.known };
                KeyState { keys: Arc::clone(&before.keys), known, failed: Some(failed) }
            }
        };
        let after = Arc::new(after);
        keys.state.store(Arc::clone(&after));
        if after.known.is_usable(now) { Ok(after) } else { Err(silent(&after)) }
    }

    /// Seconds of the clock that never goes back.
    pub(crate) fn seconds(&self) -> i64 {
        i64::try_from(self.clock.monotonic() / 1_000_000_000).unwrap_or(i64::MAX)
    }
}

fn silent(state: &KeyState) -> Error {
    let why = state.failed.map_or_else(|| "they were asked for a moment ago".into(), Failed::describe);
    Error::Unavailable(format!("the keys of the token's issuer are not to be had: {why}"))
}

/// The keys of an issuer, and for how many seconds they are fresh.
async fn fetch(outgoing: &Outgoing, trust: &Trust) -> Result<(Vec<ForeignKey>, i64), Failed> {
    let target = match &trust.keys {
        KeySource::Pinned(_) => return Err(Failed::Content),
        KeySource::Fetched(target) => target.clone(),
        KeySource::Discovery => {
            let place = trust.discovery().map_err(|_| Failed::Content)?;
            let document: Value =
                serde_json::from_slice(&outgoing.get(&place).await?.body).map_err(|_| Failed::Content)?;
            // Whoever speaks for another issuer may not lend it keys (OpenID Connect Discovery 1.0, 4.3).
            if document.get("issuer").and_then(Value::as_str) != Some(trust.issuer.as_str()) {
                return Err(Failed::Content);
            }
            let place = document.get("jwks_uri").and_then(Value::as_str).ok_or(Failed::Content)?;
            Target::parse("/jwks_uri", place).map_err(|_| Failed::Content)?
        }
    };
    let answer = outgoing.get(&target).await?;
    let keys = read_set(&answer.body).ok_or(Failed::Content)?;
    Ok((keys, freshness(answer.cache_control.as_deref())))
}
