//! Sign-in of people at their organisation's identity provider: the authorization code flow, with PKCE, state and nonce, in the
//! browser that began it and nowhere else. Who fails is not told why; the record of the provider's tenant says it.
//!
//! Whether an address leads to a provider is a matter of its domain alone, so that nobody learns here who is a user.

mod ask;
mod enter;
mod required;

pub(crate) use self::required::{provider_required, stays_with_provider};
use crate::App;
use crate::guesses::Count;
use crate::identity_providers::secret_row;
use crate::live::denials::{ActorKind, Denial};
use crate::unit::to_the_end;
use claviger_domain::address::Origin;
use claviger_domain::foreign_key::Algorithm;
use claviger_domain::foreign_token::{self, Mismatch};
use claviger_domain::guess::{Allowance, BY_ADDRESS};
use claviger_domain::id::{SsoSignInId, TenantId};
use claviger_domain::id_token::{self, AGE_MAX, Identity};
use claviger_domain::identity_provider::{IdentityProvider, domain_of};
use claviger_domain::jws;
use claviger_domain::rate::RateLimit;
use claviger_domain::sso::{CODE_MAX, Endpoints, Errand, PENDING_SECONDS};
use claviger_domain::time::Timestamp;
use claviger_domain::trusted_issuer::{KeySource, Trust};
use claviger_domain::user::{EMAIL_MAX, presented_key};
use claviger_domain::user_session::{Cookie, PlainCookie, UserSession, recognise};
use claviger_domain::{Error, Refusal, Result};
use claviger_store::system::PendingSignIn;
use serde_json::{Map, Value};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The path to which providers send browsers back.
pub const CALLBACK: &str = "/v1/sign-in/sso/callback";
/// Sign-ins that may be begun from one address.
const BEGUN: Allowance = BY_ADDRESS;
/// The same, as it is told.
const BEGUN_LIMIT: RateLimit = RateLimit { requests: 200, window_seconds: 900 };

/// Who wants to sign in.
#[derive(Debug)]
pub struct Start {
    /// The address, as it was typed.
    pub email: String,
    /// Where the browser is to go on to afterwards: a path of this server.
    pub return_to: Option<String>,
    /// Whether the provider must ask who it is although it may know.
    pub fresh: bool,
    /// From where.
    pub origin: Origin,
}

/// How somebody with an address is to sign in.
#[derive(Debug)]
pub enum Way {
    /// By password.
    Password,
    /// At a provider.
    Provider {
        /// Where to send the browser.
        url: String,
        /// What the browser must bring back besides.
        browser: PlainCookie,
    },
}

/// What a browser brings back from a provider.
#[derive(Debug)]
pub struct Comeback {
    /// `state`, as it was sent along.
    pub state: Option<String>,
    /// `code`, to be exchanged.
    pub code: Option<String>,
    /// `iss`, where the provider names itself (RFC 9207).
    pub issuer: Option<String>,
    /// The cookie that says that the sign-in was begun in this browser.
    pub browser: Option<String>,
    /// The session that the browser brings, which ends.
    pub session: Option<String>,
    /// From where.
    pub origin: Origin,
    /// What the browser calls itself.
    pub user_agent: String,
    /// The request, as the audit record names it.
    pub request: (String, String),
}

/// Somebody who has signed in at a provider.
#[derive(Debug)]
pub struct Entered {
    /// The session.
    pub session: UserSession,
    /// What stands for it, which exists nowhere else.
    pub token: PlainCookie,
    /// Where the browser goes on to.
    pub return_to: Option<String>,
}

/// What proves that a provider's answer belongs to a sign-in.
struct Proofs {
    nonce: Zeroizing<String>,
    verifier: Zeroizing<String>,
}

/// Why a sign-in came to nothing: the reason's code, as the record of the provider's tenant has it.
type Verdict<T> = std::result::Result<T, &'static str>;

impl App {
    /// How somebody is to sign in; where it is at a provider, the sign-in has begun.
    pub async fn begin_sso(self: &Arc<Self>, start: Start) -> Result<Way> {
        let state = &self.state;
        state.nodes.may_answer(state.clock.boot(state.clock.monotonic()))?;
        let counted = self.count_guesses(&[began_from(start.origin)]).await?;
        if let [Some(retry_after_seconds)] = counted.waits.as_slice() {
            let retry_after_seconds = *retry_after_seconds;
            return Err(Error::Limited { limit: BEGUN_LIMIT, retry_after_seconds });
        }
        let key = presented_key(&start.email);
        let Some(provider) = self.provider_for(&key).await? else { return Ok(Way::Password) };
        let endpoints = self.described_by(&provider).await?;
        let secret = || state.random.bytes::<32>().map(|bytes| Zeroizing::new(jws::encode(&bytes)));
        let proofs = Proofs { nonce: secret()?, verifier: secret()? };
        let ticket = PlainCookie::mint(Cookie::SingleSignOnState, state.random.bytes()?);
        let browser = PlainCookie::mint(Cookie::SingleSignOn, state.random.bytes()?);
        let id = SsoSignInId::new(state.clock.now(), state.random.bytes()?);
        let text = Zeroizing::new(format!("{} {}", *proofs.nonce, *proofs.verifier));
        let pending = PendingSignIn {
            tenant: provider.tenant_id,
            id,
            provider: provider.id,
            provider_version: provider.version,
            proofs: state.root_key.seal(&state.random, provider.tenant_id, &proofs_row(id), text.as_bytes())?,
            return_to: start.return_to,
            begun_at: counted.at,
        };
        let (app, hashes) = (Arc::clone(self), (ticket.hash(), browser.hash()));
        to_the_end(async move {
            let mut tx = app.state.store.begin().await?;
            tx.insert_sso_sign_in(pending.tenant, &pending, (&hashes.0, &hashes.1)).await?;
            tx.commit().await
        })
        .await?;
        let ticket = Zeroizing::new(ticket.reveal());
        let typed = start.email.trim();
        let errand = Errand {
            client_id: &provider.client_id,
            redirect_uri: &self.redirect_uri()?,
            scopes: &provider.scopes,
            state: &ticket,
            nonce: &proofs.nonce,
            verifier: &proofs.verifier,
            login_hint: if typed.len() <= EMAIL_MAX { typed } else { "" },
            fresh: start.fresh,
        };
        Ok(Way::Provider { url: errand.url(&endpoints.authorization), browser })
    }

    /// The provider to which an address leads, if people are sent there now.
    async fn provider_for(&self, email_key: &str) -> Result<Option<IdentityProvider>> {
        let Some(domain) = domain_of(email_key) else { return Ok(None) };
        let found = self.state.store.find_provider_of_domain(domain).await?;
        Ok(found.filter(|provider| provider.enabled && self.is_served(provider.tenant_id)))
    }

    fn is_served(&self, tenant: TenantId) -> bool {
        self.state.tree.find(tenant).is_none_or(|tenant| tenant.is_served())
    }

    fn redirect_uri(&self) -> Result<String> {
        Ok(format!("{}{CALLBACK}", self.state.tokens.settings()?.issuer))
    }

    /// Signs somebody in who comes back from a provider. What a browser brings back counts once.
    pub async fn finish_sso(self: &Arc<Self>, comeback: Comeback) -> Result<Entered> {
        let state = &self.state;
        state.nodes.may_answer(state.clock.boot(state.clock.monotonic()))?;
        let origin = comeback.origin;
        let known = |of, text: Option<&str>| text.and_then(|text| recognise(of, text));
        let ticket = known(Cookie::SingleSignOnState, comeback.state.as_deref());
        let browser = known(Cookie::SingleSignOn, comeback.browser.as_deref());
        let Some((ticket, browser)) = ticket.zip(browser) else {
            return Err(self.stranger(Refusal::SignInFailed, origin));
        };
        // Whoever makes something up costs a look, and not the writer's time.
        if !state.store.has_sso_sign_in(&ticket, &browser).await? {
            return Err(self.stranger(Refusal::SignInFailed, origin));
        }
        let app = Arc::clone(self);
        let taken = to_the_end(async move {
            let mut tx = app.state.store.begin().await?;
            let taken = tx.take_sso_sign_in(&ticket, &browser).await?;
            tx.commit().await?;
            Ok(taken)
        });
        let Some(pending) = taken.await? else { return Err(self.stranger(Refusal::SignInFailed, origin)) };
        let tenant = pending.tenant;
        let refuse = |reason: &'static str| self.refuse_sso(tenant, reason, origin);
        let (provider, proofs) = match self.resume(&pending).await? {
            Ok(resumed) => resumed,
            Err(reason) => return Err(refuse(reason)),
        };
        let claims = match self.identify(&provider, &proofs, &comeback).await? {
            Ok(claims) => claims,
            Err(reason) => return Err(refuse(reason)),
        };
        let (identity, claims) = claims;
        let app = Arc::clone(self);
        to_the_end(async move { app.enter_by_sso(comeback, pending, provider, (identity, claims)).await }).await
    }

    /// The provider of a sign-in, as it was when that began, and what its answer must fit.
    async fn resume(&self, pending: &PendingSignIn) -> Result<Verdict<(IdentityProvider, Proofs)>> {
        let state = &self.state;
        let now = state.shared_now();
        if now >= pending.begun_at.plus_seconds(PENDING_SECONDS) {
            return Ok(Err("sso_too_late"));
        }
        let found = state.store.find_identity_provider(pending.tenant, pending.provider).await?;
        let Some(provider) = found.filter(|provider| provider.enabled && provider.version == pending.provider_version)
        else {
            return Ok(Err("sso_provider_changed"));
        };
        if !self.is_served(pending.tenant) {
            return Ok(Err(Refusal::TenantSuspended.code()));
        }
        let text = state.root_key.open(pending.tenant, &proofs_row(pending.id), &pending.proofs)?;
        let text = Zeroizing::new(text);
        let halves = std::str::from_utf8(&text).ok().and_then(|text| text.split_once(' '));
        let (nonce, verifier) = halves.ok_or_else(|| Error::Internal("proofs cannot be read".into()))?;
        let keep = |text: &str| Zeroizing::new(text.to_owned());
        Ok(Ok((provider, Proofs { nonce: keep(nonce), verifier: keep(verifier) })))
    }

    /// Who somebody is, by the ID token that the provider gives for the code.
    async fn identify(
        &self,
        provider: &IdentityProvider,
        proofs: &Proofs,
        comeback: &Comeback,
    ) -> Result<Verdict<(Identity, Map<String, Value>)>> {
        let endpoints = self.described_by(provider).await?;
        if let Err(reason) = check_answer(provider, &endpoints, comeback) {
            return Ok(Err(reason));
        }
        let code = comeback.code.as_deref().unwrap_or_default();
        let tokens = match self.exchange(provider, &endpoints, code, &proofs.verifier).await? {
            Ok(tokens) => tokens,
            Err(reason) => return Ok(Err(reason)),
        };
        let Some(token) = foreign_token::read(&tokens.id_token) else { return Ok(Err(Mismatch::Claims.code())) };
        if token.issuer != provider.issuer.as_str() {
            return Ok(Err("issuer_untrusted"));
        }
        let header = match foreign_token::read_header(token.parts.header) {
            Ok(header) => header,
            Err(mismatch) => return Ok(Err(mismatch.code())),
        };
        let live = self.state.providers.of(&provider.issuer);
        let Ok(keys) = self.keys_of(&live.keys, &trust(provider), &header).await else {
            return Ok(Err("issuer_keys_unavailable"));
        };
        if let Err(mismatch) = keys.verify(&header, token.parts) {
            return Ok(Err(mismatch.code()));
        }
        // Not of before a wait for answers.
        let now = self.state.clock.now();
        let mut claims = token.claims;
        if let Err(flaw) = id_token::check(&claims, &provider.client_id, &proofs.nonce, now) {
            return Ok(Err(flaw.code()));
        }
        if let (Some(place), Some(access_token), false) =
            (&endpoints.userinfo, &tokens.access_token, provider.is_told_enough(&claims))
        {
            let told = match self.more_about(place, access_token).await? {
                Ok(told) => told,
                Err(reason) => return Ok(Err(reason)),
            };
            if !id_token::complete(&mut claims, told) {
                return Ok(Err("sso_other_subject_told"));
            }
        }
        let identity = match id_token::identify(&claims) {
            Ok(identity) => identity,
            Err(flaw) => return Ok(Err(flaw.code())),
        };
        if !provider.serves(&identity.email.key()) {
            return Ok(Err("sso_email_elsewhere"));
        }
        Ok(Ok((identity, claims)))
    }

    /// Refuses whoever comes back from a provider, and lets its tenant know why.
    fn refuse_sso(&self, tenant: TenantId, reason: &str, origin: Origin) -> Error {
        let (kind, reason) = (ActorKind::User, reason.to_owned());
        let denial = Denial { tenant_id: tenant, kind, actor: String::new(), reason, address: origin.address() };
        self.state.denials.add(denial, tenant, self.state.clock.now());
        Error::Unauthenticated(Refusal::SignInFailed)
    }

    /// The client secret at a provider, if there is one.
    async fn provider_secret(&self, provider: &IdentityProvider) -> Result<Option<Zeroizing<String>>> {
        let state = &self.state;
        let (tenant, id) = (provider.tenant_id, provider.id);
        let Some(sealed) = state.store.find_provider_secret(tenant, id).await? else { return Ok(None) };
        let text = state.root_key.open(tenant, &secret_row(id), &sealed)?;
        let text = String::from_utf8(text).map_err(|_| Error::Internal("a client secret is no text".into()))?;
        Ok(Some(Zeroizing::new(text)))
    }
}

/// Whether a provider has sent somebody back with a code, and is the one that was to.
fn check_answer(provider: &IdentityProvider, endpoints: &Endpoints, comeback: &Comeback) -> Verdict<()> {
    match &comeback.issuer {
        Some(issuer) if issuer != provider.issuer.as_str() => return Err("sso_other_provider"),
        None if endpoints.names_itself => return Err("sso_other_provider"),
        _ => {}
    }
    match &comeback.code {
        None => Err("sso_refused_by_provider"),
        Some(code) if code.is_empty() || code.len() > CODE_MAX => Err("sso_refused_by_provider"),
        Some(_) => Ok(()),
    }
}

/// How ID tokens of a provider are verified: the key decides by which algorithm.
fn trust(provider: &IdentityProvider) -> Trust {
    Trust {
        issuer: provider.issuer.clone(),
        audience: Some(provider.client_id.clone()),
        keys: KeySource::Discovery,
        algorithms: Algorithm::ALL.to_vec(),
        max_age_seconds: AGE_MAX,
        single_use: false,
        enabled: true,
    }
}

fn proofs_row(id: SsoSignInId) -> String {
    format!("single sign-on {id}")
}

/// What beginning a sign-in is counted under.
fn began_from(origin: Origin) -> Count {
    Count::from("sso address", origin, BEGUN)
}

/// As [`crate::guesses::Counted`], of a sign-in that was begun then and has come to its end.
fn begun(at: Timestamp) -> crate::guesses::Counted {
    crate::guesses::Counted { at, waits: vec![None] }
}
