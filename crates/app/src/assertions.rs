//! Assertions: clients that prove who they are by a text of their own, signed with one of their secrets or keys, once.
//!
//! Whoever is not known is answered as late as whoever is, and as shortly. The reason stands in the tenant's record.

use crate::App;
use crate::caller::{Caller, Machine, Principal};
use crate::live::public_keys;
use crate::live::record::{LiveSecret, Record};
use crate::replay::Single;
use crate::verify::{Call, advise, check};
use claviger_domain::address::Origin;
use claviger_domain::assertion::{Assertion, SignedBy};
use claviger_domain::id::{ApplicationId, ClientId, TenantId};
use claviger_domain::jws;
use claviger_domain::secret::MacStates;
use claviger_domain::token::LEEWAY;
use claviger_domain::{Error, Refusal, Result};
use std::sync::Arc;

/// What a look at memory came to.
enum Found {
    Caller(Box<Caller>),
    /// The application may exist and is not in memory.
    NotLoaded,
    /// What verifies texts signed with the application's secrets is not in memory.
    NotOpened(TenantId, ApplicationId),
}

impl App {
    /// Verifies who made an assertion, as [`App::authenticate`] does a secret, and accepts it once.
    pub async fn authenticate_assertion(
        &self,
        assertion: &Assertion<'_>,
        origin: Origin,
        user_agent: &str,
    ) -> Result<Caller> {
        let call = self.call(origin, user_agent);
        let mut caller = None;
        self.take_as_long(assertion, call).await?;
        // An application may have to be read, and then what its secrets sign with.
        for _ in 0..3 {
            match self.recognise_assertion(assertion, call)? {
                Found::Caller(found) => {
                    caller = Some(found);
                    break;
                }
                Found::NotLoaded => self.look_up(assertion.client_id).await?,
                Found::NotOpened(tenant, application) => Box::pin(self.open_macs(tenant, application)).await?,
            }
        }
        let Some(caller) = caller else { return Err(self.stranger(Refusal::UnknownClient, origin)) };
        let record = caller.record()?;
        let single = Single {
            kind: "assertion",
            maker: assertion.client_id,
            tenant: record.tenant.id,
            jti: assertion.jti,
            // The client's clock may have been ahead when it was used.
            could_be: assertion.issued_at.plus_seconds(-LEEWAY),
            ends_at: assertion.expires_at.plus_seconds(LEEWAY),
        };
        if !self.accept_once(&single, call.now).await? {
            self.deny_known(record, Refusal::AssertionReplayed.code().into(), origin, call.now);
            return Err(Error::Unauthenticated(Refusal::AssertionReplayed));
        }
        Ok(*caller)
    }

    /// Asks the store about a client that nobody knows once, as it is asked once about each that is known.
    async fn take_as_long(&self, assertion: &Assertion<'_>, call: Call<'_>) -> Result<()> {
        let (state, client_id) = (&self.state, assertion.client_id);
        let unknown = assertion.by == SignedBy::Secret && state.keyring.is_unknown(client_id, call.monotonic);
        if unknown
            && state.keyring.with(client_id, |_| ()).is_none()
            && state.tokens.macs.meets(ClientId::key(client_id))
            && state.keyring.affords_look_up(call.monotonic)
        {
            let nobody = (TenantId::from_u128(0), ApplicationId::from_u128(0));
            Box::pin(state.store.list_sealed_macs(nobody.0, nobody.1)).await?;
        }
        Ok(())
    }

    fn recognise_assertion(&self, assertion: &Assertion<'_>, call: Call<'_>) -> Result<Found> {
        let state = &self.state;
        state.nodes.may_answer(call.boot)?;
        let found = state.keyring.with(assertion.client_id, |record| {
            let secret = match self.signer(record, assertion) {
                Signer::NotOpened => return Ok(Found::NotOpened(record.tenant.id, record.id)),
                Signer::Nobody(refusal) => Err(refusal),
                Signer::Known(secret) => Ok(secret),
            };
            let checked = secret.and_then(|secret| Ok((secret, check(record, secret, call.origin, call.now)?)));
            let (secret, end) = checked.map_err(|refusal| {
                self.deny_known(record, refusal.code().into(), call.origin, call.now);
                Error::Unauthenticated(refusal)
            })?;
            let quota = self.meter(record, secret.id, call, None)?;
            let (state, request) = (Arc::clone(&self.state), Arc::clone(&self.no_request));
            let advice = advise(record, end, call.now);
            let machine = Machine { record: record.share(), secret: secret.id, session: None };
            let (principal, origin) = (Principal::Application(machine), call.origin);
            Ok(Found::Caller(Box::new(Caller { principal, state, origin, quota, advice, request })))
        });
        match found {
            Some(found) => found,
            None if state.keyring.is_unknown(assertion.client_id, call.monotonic) => {
                pretend(assertion);
                Err(self.stranger(Refusal::UnknownClient, call.origin))
            }
            None if !state.keyring.affords_look_up(call.monotonic) => {
                Err(Error::Unavailable("the applications are still being read; try again soon".into()))
            }
            None => Ok(Found::NotLoaded),
        }
    }

    /// What of an application has signed an assertion, if anything has that may.
    fn signer<'a>(&self, record: &'a Record, assertion: &Assertion<'_>) -> Signer<'a> {
        let Assertion { signed, signature, .. } = *assertion;
        let names_its_tenant = assertion.tenant.is_none_or(|tenant| TenantId::parse(tenant) == Some(record.tenant.id));
        let mut signer = Signer::Nobody(Refusal::AssertionInvalid);
        match assertion.by {
            SignedBy::Secret => {
                let tag = jws::decode_exactly::<32>(signature).unwrap_or_default();
                for secret in record.secrets() {
                    let Some(mac) = self.state.tokens.macs.find(secret.id) else { return Signer::NotOpened };
                    match (&*mac, &signer) {
                        (Some(mac), Signer::Nobody(_)) if mac.verifies(signed.as_bytes(), &tag) => {
                            signer = Signer::Known(secret);
                        }
                        (None, Signer::Nobody(_)) => signer = Signer::Nobody(Refusal::SecretCannotSign),
                        _ => {}
                    }
                }
            }
            SignedBy::Key { algorithm, kid } => {
                let mut asked = false;
                let named = |key: &&crate::live::record::LiveKey| {
                    key.algorithm == algorithm && kid.is_none_or(|kid| kid == &*key.kid)
                };
                for key in record.keys().iter().filter(named) {
                    asked = true;
                    if public_keys::has_signed(algorithm, &key.public, signed, signature) {
                        signer = Signer::Known(&key.live);
                    }
                }
                if !asked {
                    pretend(assertion);
                }
            }
        }
        if names_its_tenant { signer } else { Signer::Nobody(Refusal::AssertionInvalid) }
    }

    /// Opens what verifies texts signed with the secrets of an application.
    async fn open_macs(&self, tenant: TenantId, application: ApplicationId) -> Result<()> {
        let state = &self.state;
        for (secret, sealed) in state.store.list_sealed_macs(tenant, application).await? {
            let mac = if sealed.is_empty() {
                None
            } else {
                let row = format!("secrets/{application}/{secret}/mac");
                let opened = MacStates::opened(&state.root_key.open(tenant, &row, &sealed)?);
                Some(opened.ok_or_else(|| Error::Internal(format!("the sealed text of {row} is damaged")))?)
            };
            state.tokens.macs.insert(secret, Arc::new(mac));
        }
        Ok(())
    }
}

enum Signer<'a> {
    Known(&'a LiveSecret),
    Nobody(Refusal),
    NotOpened,
}

/// Takes as long as it takes to find that somebody who is known has not signed this.
fn pretend(assertion: &Assertion<'_>) {
    match assertion.by {
        SignedBy::Secret => {
            let tag = jws::decode_exactly::<32>(assertion.signature).unwrap_or_default();
            std::hint::black_box(MacStates::of(b"").verifies(assertion.signed.as_bytes(), &tag));
        }
        SignedBy::Key { algorithm, .. } => public_keys::pretend(algorithm, assertion.signed, assertion.signature),
    }
}
