//! Passkeys: ceremonies of WebAuthn, whose state is kept in the store, bound to the session that began them and used once.

use crate::App;
use crate::caller::{Caller, UserCaller};
use crate::deeds::{Deed, Visit};
use crate::second_factors::{Whose, row};
use crate::state::State;
use claviger_domain::factor::{CEREMONY_SECONDS, FactorKind};
use claviger_domain::id::{TenantId, UserId, UserSessionId};
use claviger_domain::secret::SecretHash;
use claviger_domain::user_session::{Stage, UserSession};
use claviger_domain::{Error, Refusal, Result};
use claviger_store::user_challenges::{Challenge, ChallengeKind};
use claviger_store::user_factors::StoredFactor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use uuid::Uuid;
use webauthn_rs::prelude::{Passkey, PasskeyAuthentication, PasskeyRegistration, Url};
use webauthn_rs::{Webauthn, WebauthnBuilder};

/// What became of an answer that was to prove a passkey.
pub(crate) enum Answered {
    /// It was right.
    Right,
    /// It was not.
    Wrong,
}

/// What became of an answer that was to register a passkey.
pub(crate) enum Registered {
    /// It was right: the credential to keep, and what recognises it.
    Right(Vec<u8>, SecretHash),
    /// It was not.
    Wrong,
}

impl State {
    /// The ceremonies of this server: they are bound to the host of its public URL, and to no other.
    fn webauthn(&self) -> Result<Webauthn> {
        let unavailable = || {
            let detail =
                "passkeys are bound to a host name: the operator is to set public_url to an https URL with one";
            Error::conflict("passkeys_unavailable", detail)
        };
        let url = Url::parse(&self.tokens.settings()?.issuer).map_err(|_| unavailable())?;
        let host = url.domain().ok_or_else(unavailable)?.to_owned();
        if url.scheme() != "https" && host != "localhost" {
            return Err(unavailable());
        }
        let builder = WebauthnBuilder::new(&host, &url).map_err(|_| unavailable())?;
        builder.rp_name("Claviger").build().map_err(|_| unavailable())
    }

    fn seal_json<T: Serialize>(&self, tenant: TenantId, row: &str, value: &T) -> Result<Vec<u8>> {
        let text =
            serde_json::to_vec(value).map_err(|error| Error::Internal(format!("writing a ceremony: {error}")))?;
        self.root_key.seal(&self.random, tenant, row, &text)
    }

    fn open_json<T: DeserializeOwned>(&self, tenant: TenantId, row: &str, sealed: &[u8]) -> Result<T> {
        let text = self.root_key.open(tenant, row, sealed)?;
        serde_json::from_slice(&text).map_err(|error| Error::Internal(format!("reading a ceremony: {error}")))
    }

    /// The passkeys among factors, each with its row.
    fn passkeys(&self, tenant: TenantId, found: Vec<StoredFactor>) -> Result<Vec<(StoredFactor, Passkey)>> {
        let counts =
            |stored: &StoredFactor| stored.factor.kind == FactorKind::Passkey && stored.factor.confirmed_at.is_some();
        let open = |stored: StoredFactor| {
            let passkey = self.open_json(tenant, &row(stored.factor.id), &stored.sealed)?;
            Ok((stored, passkey))
        };
        found.into_iter().filter(counts).map(open).collect()
    }
}

impl App {
    /// Begins to register a passkey: what the browser is to be given.
    pub async fn begin_passkey(self: &Arc<Self>, user: &UserCaller, visit: &Visit) -> Result<Value> {
        self.may_enrol(user).await?;
        let webauthn = self.state.webauthn()?;
        let (tenant, id, session) = (user.tenant.id, user.id, user.session.id);
        let known = self.state.passkeys(tenant, self.state.store.list_factors(tenant, id).await?)?;
        let exclude = known.iter().map(|(_, passkey)| passkey.cred_id().clone()).collect();
        let (options, state) = webauthn
            .start_passkey_registration(Uuid::from_u128(id.as_u128()), &user.email, &user.name, Some(exclude))
            .map_err(|error| Error::Internal(format!("a passkey's ceremony: {error}")))?;
        self.keep_ceremony((tenant, id, session), ChallengeKind::Registration, &state, visit).await?;
        serde_json::to_value(&options).map_err(|error| Error::Internal(format!("writing a ceremony: {error}")))
    }

    /// Asks a passkey of somebody who is signing in: what the browser is to be given.
    pub async fn ask_passkey(self: &Arc<Self>, user: &UserCaller, visit: &Visit) -> Result<Value> {
        let webauthn = self.state.webauthn()?;
        let (tenant, id, session) = (user.tenant.id, user.id, user.session.id);
        let known = self.state.passkeys(tenant, self.state.store.list_factors(tenant, id).await?)?;
        if known.is_empty() {
            return Err(Error::conflict("second_factor_other", "you have registered no passkey"));
        }
        let passkeys: Vec<Passkey> = known.into_iter().map(|(_, passkey)| passkey).collect();
        let (options, state) = webauthn
            .start_passkey_authentication(&passkeys)
            .map_err(|error| Error::Internal(format!("a passkey's ceremony: {error}")))?;
        self.keep_ceremony((tenant, id, session), ChallengeKind::Assertion, &state, visit).await?;
        serde_json::to_value(&options).map_err(|error| Error::Internal(format!("writing a ceremony: {error}")))
    }

    /// As [`App::ask_passkey`], of somebody who is signed in and is to prove anew who it is.
    pub async fn ask_passkey_again(self: &Arc<Self>, caller: &Caller, visit: &Visit) -> Result<Value> {
        let user = self.person(caller)?;
        if user.session.stage != Stage::Complete {
            return Err(Error::Unauthenticated(Refusal::SecondFactorNeeded));
        }
        self.ask_passkey(&user, visit).await
    }

    async fn keep_ceremony<T: Serialize>(
        self: &Arc<Self>,
        (tenant, user, session): (TenantId, UserId, UserSessionId),
        kind: ChallengeKind,
        state: &T,
        visit: &Visit,
    ) -> Result<()> {
        let sealed = self.state.seal_json(tenant, &place(session, kind), state)?;
        self.deed((tenant, user), visit, move |deed| {
            Box::pin(async move {
                let expires_at = deed.now.plus_seconds(CEREMONY_SECONDS);
                let challenge = Challenge { code: None, sealed: Some(sealed), tries: 0, expires_at };
                deed.tx.put_challenge(tenant, (user, session), kind, &challenge).await
            })
        })
        .await
    }
}

impl Deed {
    /// The state of the session's ceremony, which is over with this.
    async fn take_ceremony<T: DeserializeOwned>(
        &mut self,
        (tenant, user): Whose,
        session: UserSessionId,
        kind: ChallengeKind,
    ) -> Result<Option<T>> {
        let now = self.now;
        let found = self.tx.try_challenge(tenant, (user, session), kind, now).await?;
        let Some(sealed) = found.and_then(|challenge| challenge.sealed) else { return Ok(None) };
        if !self.tx.end_challenge(tenant, (user, session), kind).await? {
            return Ok(None);
        }
        self.app.state.open_json(tenant, &place(session, kind), &sealed).map(Some)
    }

    /// Whether a passkey has answered the session's challenge. One whose counter goes back may have been copied.
    pub(crate) async fn check_passkey(
        &mut self,
        whose: Whose,
        session: &UserSession,
        answer: &Value,
    ) -> Result<Answered> {
        let state: Option<PasskeyAuthentication> =
            self.take_ceremony(whose, session.id, ChallengeKind::Assertion).await?;
        let (Some(state), Ok(answer)) = (state, serde_json::from_value(answer.clone())) else {
            return Ok(Answered::Wrong);
        };
        let webauthn = self.app.state.webauthn()?;
        let Ok(result) = webauthn.finish_passkey_authentication(&answer, &state) else { return Ok(Answered::Wrong) };
        let found = self.tx.list_factors(whose.0, whose.1).await?;
        let known = self.app.state.passkeys(whose.0, found)?;
        let known = known.into_iter().find(|(_, passkey)| passkey.cred_id() == result.cred_id());
        // It may have been removed, or used, since the ceremony began.
        let Some((stored, mut passkey)) = known else { return Ok(Answered::Wrong) };
        if result.counter() > 0 && result.counter() <= counter_of(&passkey) {
            return Ok(Answered::Wrong);
        }
        passkey.update_credential(&result);
        let sealed = self.app.state.seal_json(whose.0, &row(stored.factor.id), &passkey)?;
        let (before, now) = (stored.sealed, self.now);
        let kept = self.tx.update_factor(whose.0, whose.1, stored.factor.id, (&before, &sealed), now).await?;
        Ok(if kept { Answered::Right } else { Answered::Wrong })
    }

    /// The credential that an answer registers, in the session's ceremony.
    pub(crate) async fn check_registration(
        &mut self,
        whose: Whose,
        session: &UserSession,
        answer: &Value,
    ) -> Result<Registered> {
        let state: Option<PasskeyRegistration> =
            self.take_ceremony(whose, session.id, ChallengeKind::Registration).await?;
        let (Some(state), Ok(answer)) = (state, serde_json::from_value(answer.clone())) else {
            return Ok(Registered::Wrong);
        };
        let webauthn = self.app.state.webauthn()?;
        let Ok(passkey) = webauthn.finish_passkey_registration(&answer, &state) else { return Ok(Registered::Wrong) };
        let text = serde_json::to_vec(&passkey).map_err(|error| Error::Internal(format!("a passkey: {error}")))?;
        let id: String = passkey.cred_id().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Registered::Right(text, SecretHash::of(&id)))
    }
}

/// What a sealed ceremony is bound to.
fn place(session: UserSessionId, kind: ChallengeKind) -> String {
    format!("user_challenges/{session}/{kind:?}")
}

/// How often a passkey says that it was used.
fn counter_of(passkey: &Passkey) -> u32 {
    let members = serde_json::to_value(passkey).unwrap_or_default();
    let counter = members.pointer("/cred/counter").and_then(Value::as_u64);
    counter.and_then(|counter| u32::try_from(counter).ok()).unwrap_or(0)
}
