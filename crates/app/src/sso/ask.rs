//! What is asked of identity providers: what they say of themselves, an ID token for a code, and more about somebody.

use super::Verdict;
use crate::App;
use crate::live::providers::{Described, LiveProvider};
use crate::outgoing::Failed;
use crate::state::State;
use crate::unit::to_the_end;
use claviger_domain::identity_provider::IdentityProvider;
use claviger_domain::issuer_keys::{Known, Step, freshness};
use claviger_domain::outgoing::Target;
use claviger_domain::sso::{Endpoints, basic, form};
use claviger_domain::{Error, Result};
use serde_json::{Map, Value};
use std::sync::Arc;
use zeroize::Zeroizing;

/// What a provider gives for a code.
pub(super) struct Tokens {
    /// Who somebody is.
    pub(super) id_token: Zeroizing<String>,
    /// What more is told for.
    pub(super) access_token: Option<Zeroizing<String>>,
}

impl App {
    /// What a provider says of itself, asked for if need be: at most one call is under way for each.
    pub(super) async fn described_by(&self, provider: &IdentityProvider) -> Result<Arc<Endpoints>> {
        let live = self.state.providers.of(&provider.issuer);
        let described = live.described.lock().clone();
        if described.known.step(self.state.seconds(), true) == Step::Use {
            return described.endpoints.ok_or_else(silent);
        }
        let (state, place, issuer) = (Arc::clone(&self.state), provider.discovery()?, provider.issuer.clone());
        to_the_end(async move { state.ask_provider(&live, &place, &issuer).await }).await
    }

    /// What a provider tells besides about somebody.
    pub(super) async fn more_about(&self, place: &Target, access_token: &str) -> Result<Verdict<Map<String, Value>>> {
        let told = self.state.issuers.outgoing()?.get_with_token(place, access_token).await;
        let document = told.ok().and_then(|answer| serde_json::from_slice(&answer.body).ok());
        Ok(document.ok_or("sso_provider_tells_nothing"))
    }

    /// What a provider gives for a code.
    pub(super) async fn exchange(
        &self,
        provider: &IdentityProvider,
        endpoints: &Endpoints,
        code: &str,
        verifier: &str,
    ) -> Result<Verdict<Tokens>> {
        let (secret, redirect_uri) = (self.provider_secret(provider).await?, self.redirect_uri()?);
        let mut members = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri.as_str()),
            ("code_verifier", verifier),
        ];
        let authorization = match &secret {
            Some(secret) if endpoints.by_basic => Some(Zeroizing::new(basic(&provider.client_id, secret))),
            Some(secret) => {
                members.push(("client_id", &provider.client_id));
                members.push(("client_secret", secret));
                None
            }
            None => {
                members.push(("client_id", &provider.client_id));
                None
            }
        };
        let outgoing = self.state.issuers.outgoing()?;
        let authorization = authorization.as_ref().map(|text| text.as_str());
        let answer = match outgoing.post_form(&endpoints.token, form(&members), authorization).await {
            Ok(answer) => answer,
            Err(failed) => {
                let issuer = provider.issuer.as_str();
                tracing::warn!(issuer, why = failed.describe(), "an identity provider gave no token for a code");
                return Ok(Err(match failed {
                    Failed::Status(_) => "sso_code_refused",
                    _ => "sso_provider_unreachable",
                }));
            }
        };
        let document: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let text = |name: &str| document.get(name).and_then(Value::as_str).map(|text| Zeroizing::new(text.to_owned()));
        let tokens = text("id_token").map(|id_token| Tokens { id_token, access_token: text("access_token") });
        Ok(tokens.ok_or("sso_no_id_token"))
    }
}

impl State {
    async fn ask_provider(&self, live: &LiveProvider, place: &Target, issuer: &Target) -> Result<Arc<Endpoints>> {
        let _asking = live.asking.lock().await;
        let now = self.seconds();
        let before = live.described.lock().clone();
        match before.known.step(now, true) {
            // Somebody else has asked meanwhile.
            Step::Use => return before.endpoints.ok_or_else(silent),
            Step::Wait => return Err(silent()),
            Step::AskOrUse | Step::Ask => {}
        }
        let fetched = match self.issuers.outgoing()?.get(place).await {
            Ok(answer) => Endpoints::read(&answer.body, issuer)
                .map(|endpoints| (endpoints, freshness(answer.cache_control.as_deref())))
                .ok_or(Failed::Content),
            Err(failed) => Err(failed),
        };
        let tried_at = Some(self.seconds());
        let after = match fetched {
            Ok((endpoints, fresh)) => Described {
                endpoints: Some(Arc::new(endpoints)),
                known: Known { fresh_until: tried_at.map(|now| now + fresh), tried_at },
            },
            Err(failed) => {
                let issuer = issuer.as_str();
                tracing::warn!(issuer, why = failed.describe(), "an identity provider says nothing of itself");
                Described { known: Known { tried_at, ..before.known }, ..before }
            }
        };
        *live.described.lock() = after.clone();
        after.endpoints.filter(|_| after.known.is_usable(now)).ok_or_else(silent)
    }
}

fn silent() -> Error {
    Error::Unavailable("the identity provider does not answer".into())
}
