//! Trying a token against a trusted issuer: every step of verification, and nothing that stays. No session token is made, a
//! token that may be used once is not used up, and nobody is counted as a stranger.

use crate::App;
use crate::caller::Caller;
use crate::verify::check_bound_state;
use crate::workload::tenant_audience;
use claviger_domain::foreign_token::{self, Mismatch};
use claviger_domain::grants::Verb;
use claviger_domain::id::{ApplicationId, IssuerId, TenantId};
use claviger_domain::issuer_trial::{Failed, Step, Trial, fits};
use claviger_domain::trusted_issuer::TrustedIssuer;
use claviger_domain::{Error, Refusal, Result};

/// A token to be tried.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    /// The token.
    pub text: &'a str,
    /// The application that whoever presents it would name, if any.
    pub application: Option<ApplicationId>,
    /// This server's addresses that such a token may name as its audience, this server's URL first.
    pub audiences: [&'a str; 2],
}

impl App {
    /// Which step of verification a token would not pass, for whoever administers the trust. Needs `trusted-issuers:UPDATE`.
    pub async fn try_issuer_token(
        &self,
        caller: &Caller,
        tenant: TenantId,
        id: IssuerId,
        attempt: Attempt<'_>,
    ) -> Result<Trial> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(crate::trusted_issuers::PERMISSION, Verb::Update)?;
        let found = self.state.store.find_trusted_issuer(tenant, id).await?;
        let issuer = found.ok_or(Error::NotFound("trusted issuer"))?;
        let mut trial = Trial { failed: None, fits: Vec::new(), application: None };
        if let Err(failed) = self.walk(&issuer, attempt, &mut trial).await {
            trial.failed = Some(failed);
        }
        Ok(trial)
    }

    async fn walk(&self, issuer: &TrustedIssuer, attempt: Attempt<'_>, trial: &mut Trial) -> Result<(), Failed> {
        let trust = &issuer.trust;
        let unverified = foreign_token::read(attempt.text).ok_or_else(|| {
            let detail = "it is no signed JWT of at most 8,192 bytes whose claims are an object with a text iss";
            Failed::new(Step::Form, Refusal::TokenInvalid.code(), detail)
        })?;
        if unverified.issuer != trust.issuer.as_str() {
            let detail = format!(
                "its iss is {:?}, and this issuer is {:?}, to the letter",
                unverified.issuer,
                trust.issuer.as_str()
            );
            return Err(Failed::new(Step::Issuer, "issuer_untrusted", detail));
        }
        let live = self.state.issuers.get(issuer.id).filter(|_| trust.enabled).ok_or_else(|| {
            Failed::new(
                Step::Enabled,
                "issuer_untrusted",
                "the issuer is not enabled; PATCH it with {\"enabled\": true}",
            )
        })?;
        let [here, door] = attempt.audiences;
        let own = tenant_audience(here, issuer.tenant_id);
        let audiences = match &trust.audience {
            Some(audience) => vec![audience.as_str()],
            None => vec![here, door, own.as_str()],
        };
        let fail = |mismatch: Mismatch| Failed::of(mismatch, issuer, &audiences);
        let header = foreign_token::read_header(unverified.parts.header).map_err(fail)?;
        if !trust.algorithms.contains(&header.algorithm) {
            return Err(fail(Mismatch::Header));
        }
        let keys = self.issuer_keys(&live, &header).await;
        let keys = keys.map_err(|error| Failed::new(Step::Keys, "issuer_keys_unavailable", error.to_string()))?;
        keys.verify(&header, unverified.parts).map_err(fail)?;
        let (claims, now) = (&unverified.claims, self.state.clock.now());
        foreign_token::check(claims, &audiences, trust.max_age_seconds, now).map_err(fail)?;
        trial.fits = fits(&issuer.bindings, claims);
        let application = issuer.bind(claims, attempt.application).map_err(fail)?.application_id;
        trial.application = Some(application);
        self.may_be_bound(issuer.tenant_id, application).await
    }

    /// Whether an application that tokens stand for may call at all; its networks are the workload's affair.
    async fn may_be_bound(&self, tenant: TenantId, application: ApplicationId) -> Result<(), Failed> {
        let state = &self.state;
        let now = state.clock.now();
        let ask = || {
            state.keyring.with_application(application, |record| {
                crate::verify::check_standing(record).and_then(|()| check_bound_state(record, now)).map(|_| ())
            })
        };
        let mut found = ask();
        if found.is_none() {
            let refreshed = state.keyring.refresh(state.surroundings(), tenant, application).await;
            refreshed.map_err(|error| Failed::new(Step::Application, "unavailable", error.to_string()))?;
            found = ask();
        }
        found.unwrap_or(Err(Refusal::UnknownClient)).map_err(|refusal| {
            let detail = "the token is right, and its application may not call: see what the code says of it";
            Failed::new(Step::Application, refusal.code(), detail)
        })
    }
}
