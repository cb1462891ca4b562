//! Session tokens on the hot path: made for whoever has proved a secret, and recognised. Memory only.
//!
//! A token says who it is for and how far it reaches; whether that still holds is asked of the live record, each time. So it
//! never outlives what it was got with.

use crate::App;
use crate::caller::{Caller, Machine, Principal};
use crate::dpop::Thumbprint;
use crate::live::record::Record;
use crate::live::sessions::Session;
use crate::state::State;
use crate::unit::Unit;
use crate::verify::{Call, advise, check, check_bound, check_bound_state, check_end, check_standing};
use claviger_domain::access::Access;
use claviger_domain::grants::{GrantSet, Verb};
use claviger_domain::id::{ClientId, SignInId, TokenId};
use claviger_domain::scope::{self, Scope};
use claviger_domain::time::Timestamp;
use claviger_domain::token::{Claims, Confirmation, lifetime};
use claviger_domain::{Error, Refusal, Result, jws};
use std::sync::Arc;

/// What somebody wants of a token.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// By which door, as the access record names it.
    pub door: &'static str,
    /// How far it is to reach; none for everything that the application may do.
    pub scope: Option<&'a str>,
    /// How long it is to live at most, in seconds.
    pub lifetime: Option<i64>,
    /// How long the door's tokens live where no tenant has said anything, in seconds.
    pub usual: i64,
    /// What the client calls itself.
    pub user_agent: &'a str,
    /// What it says of where it runs.
    pub source: &'a str,
}

/// A token that was just made.
#[derive(Debug)]
pub struct Issued {
    /// Its text.
    pub text: String,
    /// Its id.
    pub id: TokenId,
    /// How far it reaches, as a scope.
    pub scope: Arc<str>,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Seconds until then.
    pub expires_in: i64,
}

/// What a token is, for whoever may know.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// The token.
    pub session: Arc<Session>,
    /// What it allows now, as a scope.
    pub scope: String,
    /// Who signed it.
    pub issuer: String,
}

impl App {
    /// Makes a session token for a caller that has proved its secret. Waits for nothing.
    pub fn issue_token(&self, caller: &Caller, wish: &Wish<'_>) -> Result<Issued> {
        self.issue_bound_token(caller, wish, None)
    }

    /// As [`App::issue_token`], for whoever has the key that a proof was signed with.
    pub fn issue_bound_token(&self, caller: &Caller, wish: &Wish<'_>, binding: Option<&Thumbprint>) -> Result<Issued> {
        self.issue(caller, wish, binding, None)
    }

    /// The same as one of the tokens of a sign-in, if it belongs to one.
    pub(crate) fn issue(
        &self,
        caller: &Caller,
        wish: &Wish<'_>,
        binding: Option<&Thumbprint>,
        ses: Option<(SignInId, i64)>,
    ) -> Result<Issued> {
        let Machine { record, secret, session } = caller.machine()?;
        if record.policy.dpop_bound && binding.is_none() {
            let detail = "tokens of this application are bound to a key of its client: get one at /oauth2/token with a \
                          proof in the DPoP header";
            return Err(Error::Malformed { code: "invalid_dpop_proof", detail: detail.into() });
        }
        let tokens = &self.state.tokens;
        let settings = tokens.settings()?;
        if session.is_some() {
            let detail = "a session token gets no other one; present the application's credential".into();
            return Err(Error::Forbidden { missing: None, detail });
        }
        let unavailable = || Error::Unavailable("no signing key is to be had".into());
        let now = self.state.shared_now();
        let key = tokens.keys.signer(now).filter(|_| !tokens.keys.are_doubted()).ok_or_else(unavailable)?;
        let catalogue = &self.state.catalogue;
        let narrowed = wish.scope.map(|asked| scope::grant(asked, &caller.grants(), catalogue)).transpose()?;
        // After every cut-off, or the token would be born dead.
        let at = tokens
            .rules
            .cut_off_of(record)
            .map_or(now, |cut_off| now.max(Timestamp::from_micros(cut_off.micros().saturating_add(1))));
        tokens.stamp(at);
        let life = lifetime(wish.usual, tokens.rules.lifetimes(&record.tenant).into_iter(), wish.lifetime);
        let exp = (now.seconds() + life).min(key.times().retires_at.seconds());
        let id = TokenId::new(at, self.state.random.id_bytes()?);
        let claims = Claims {
            iss: settings.issuer.clone(),
            client_id: record.client_id().to_string(),
            tid: record.tenant.id,
            app: record.id,
            sid: *secret,
            jti: id,
            iat: now.seconds(),
            iat_us: at.micros(),
            exp,
            scope: narrowed.as_ref().map(|scope| scope.text.clone()),
            cnf: binding.map(|Thumbprint(jkt)| Confirmation { jkt: jkt.clone() }),
            ses,
        };
        let mut text = String::with_capacity(1_024);
        text.push_str(key.header());
        text.push('.');
        claims.encode_into(&mut text);
        key.sign(&mut text);
        if text.len() > jws::TEXT_MAX {
            let detail =
                format!("the token would have more than {} bytes; ask for less, or leave scope out", jws::TEXT_MAX);
            return Err(Error::Malformed { code: "invalid_scope", detail });
        }
        caller.count();
        let expires_at = claims.expires_at();
        tokens.accesses.add(&Access {
            tenant_id: record.tenant.id,
            at: now,
            token_id: id,
            application_id: record.id,
            door: wish.door,
            address: caller.origin().address(),
            user_agent: wish.user_agent,
            source: wish.source,
            expires_at,
        });
        let scope = match narrowed {
            Some(Scope { text, .. }) => text.into(),
            None => record.policy.scope(catalogue),
        };
        Ok(Issued { text, id, scope, issued_at: at, expires_at, expires_in: exp - now.seconds() })
    }

    /// Verifies a session token, as [`App::authenticate`] does a secret.
    pub(crate) async fn authenticate_token(&self, text: &str, call: Call<'_>) -> Result<Caller> {
        let caller = |record: &Record, session: &Arc<Session>, end| {
            let advice = advise(record, end, call.now);
            let quota = self.meter(record, session.secret, call, None)?;
            let (state, request) = (Arc::clone(&self.state), Arc::clone(&self.no_request));
            let (secret, session) = (session.secret, Some(Arc::clone(session)));
            let principal = Principal::Application(Machine { record: record.share(), secret, session });
            Ok(Caller { principal, state, origin: call.origin, quota, advice, request })
        };
        let mut found = self.recognise_token(text, call, caller)?;
        if found.is_none() {
            Box::pin(self.look_up_token(text, call)).await?;
            found = self.recognise_token(text, call, caller)?;
        }
        found.ok_or_else(|| self.stranger(Refusal::UnknownClient, call.origin))?
    }

    /// Makes memory know what a token needs: its key, if another server may have made it, and its application.
    async fn look_up_token(&self, text: &str, call: Call<'_>) -> Result<()> {
        let keys = &self.state.tokens.keys;
        let known = jws::split(text).is_some_and(|parts| keys.find(parts.header, call.now).is_some());
        if !known && keys.may_ask(call.monotonic) {
            keys.ask(true);
            let read = self.refresh_signing_keys().await;
            keys.ask(false);
            read?;
        } else if !known && keys.are_asked_for() {
            // Whoever asks holds it until memory has the answer.
            let _answered = self.refreshing.lock().await;
        }
        match self.read_token(text, call.now)? {
            Some(session) => self.look_up(session.client_id.as_str()).await,
            None => Ok(()),
        }
    }

    /// Goes on with whoever presents this token, if it may call from there now; none if something has to be looked up.
    pub(crate) fn recognise_token<T>(
        &self,
        text: &str,
        call: Call<'_>,
        go_on: impl FnOnce(&Record, &Arc<Session>, Timestamp) -> T,
    ) -> Result<Option<T>> {
        let state = &self.state;
        state.nodes.may_answer(call.boot)?;
        let Some(session) = self.read_token(text, call.now)? else {
            // Another server may have made the key; a token of a key that is known is no token.
            let strange =
                jws::split(text).is_some_and(|parts| state.tokens.keys.find(parts.header, call.now).is_none());
            let asks = strange && state.tokens.keys.may_be_asked(call.monotonic);
            return if asks { Ok(None) } else { Err(self.stranger(Refusal::TokenInvalid, call.origin)) };
        };
        let found = state.keyring.with_key(session.place, session.application, |record| {
            record.fetch();
            state.check_session(record, &session, call).map(|end| go_on(record, &session, end)).map_err(|refusal| {
                self.deny_known(record, refusal.code().into(), call.origin, call.now);
                Error::Unauthenticated(refusal)
            })
        });
        match found {
            Some(found) => found.map(Some),
            None if state.keyring.is_unknown(session.client_id.as_str(), call.monotonic) => {
                Err(self.stranger(Refusal::UnknownClient, call.origin))
            }
            // Another application has the client id now.
            None if state.keyring.with(session.client_id.as_str(), |_| ()).is_some() => {
                Err(self.stranger(Refusal::UnknownClient, call.origin))
            }
            None => Ok(None),
        }
    }

    /// What a token says, if a key of ours that is still accepted has signed it.
    fn read_token(&self, text: &str, now: Timestamp) -> Result<Option<Arc<Session>>> {
        let tokens = &self.state.tokens;
        if tokens.keys.are_doubted() {
            return Err(Error::Unavailable("the signing keys cannot be confirmed; try again soon".into()));
        }
        if text.len() > jws::TEXT_MAX {
            return Ok(None);
        }
        let hash = tokens.hash(text)?;
        if let Some(session) = tokens.sessions.find(hash) {
            return Ok(Some(session));
        }
        let read = || {
            let parts = jws::split(text)?;
            let key = tokens.keys.find(parts.header, now)?;
            let signature = jws::decode_exactly::<64>(parts.signature)?;
            if !key.has_signed(parts.signed, &signature) {
                return None;
            }
            let claims = Claims::decode(parts.payload)?;
            if !claims.is_plausible(now) {
                return None;
            }
            Some(Arc::new(Session {
                token: claims.jti,
                tenant: claims.tid,
                application: claims.app,
                place: ClientId::key(&claims.client_id),
                secret: claims.sid,
                key,
                limit: claims.scope.as_deref().map(|text| scope::limit(text, &self.state.catalogue)),
                binding: claims.cnf.as_ref().map(|confirmed| Thumbprint(confirmed.jkt.clone())),
                issued_at: claims.issued_at(),
                expires_at: claims.expires_at(),
                sign_in: claims.ses,
                client_id: ClientId::stored(claims.client_id),
            }))
        };
        let session = read();
        if let Some(session) = session.as_ref().filter(|session| session.expires_at > now) {
            tokens.sessions.insert(hash, Arc::clone(session));
        }
        Ok(session)
    }

    /// What a token says, if it is one of a tenant within the caller's reach.
    pub(crate) async fn find_session(&self, caller: &Caller, text: &str) -> Result<Option<Arc<Session>>> {
        let call = self.call(caller.origin(), "");
        if jws::split(text).is_none() {
            return Ok(None);
        }
        Box::pin(self.look_up_token(text, call)).await?;
        let found = self.read_token(text, call.now)?;
        Ok(found.filter(|session| caller.reaches(session.tenant)))
    }

    /// What a token of a tenant within the caller's reach is and allows now; none for anything else, and for one that is not
    /// accepted any more. From which addresses it is accepted is left out of account.
    pub async fn inspect_token(&self, caller: &Caller, text: &str) -> Result<Option<Inspected>> {
        caller.count();
        let Some(session) = self.find_session(caller, text).await? else { return Ok(None) };
        let (state, now) = (&self.state, self.state.clock.now());
        let allowed = state.keyring.with_key(session.place, session.application, |record| {
            state.check_standing(record, &session, now).ok().map(|()| {
                let held = record.policy.held.set();
                session.limit.as_ref().map_or_else(|| held.clone(), |limit: &GrantSet| held.and(limit))
            })
        });
        let issuer = state.tokens.settings()?.issuer.clone();
        Ok(allowed.flatten().map(|allowed| Inspected {
            session,
            scope: scope::spell(&allowed, &state.catalogue),
            issuer,
        }))
    }
}

impl State {
    /// Whether a token may be used from there now; until when the secret works that it was got with.
    pub(crate) fn check_session(
        &self,
        record: &Record,
        session: &Session,
        call: Call<'_>,
    ) -> Result<Timestamp, Refusal> {
        // What it was got with is gone: from a right address its owner is told so, from any other one nobody is.
        let secret = record.secret_of(session.secret);
        let end = match secret {
            Some(secret) => check(record, secret, call.origin, call.now)?,
            None if self.issuers.leads(session.secret.as_u128(), record.id) => {
                check_bound(record, call.origin, call.now)?
            }
            None if !record.is_allowed_from(call.origin) => return Err(Refusal::AddressNotAllowed),
            None => return Err(Refusal::TokenRevoked),
        };
        self.check_token(record, session, call.now)?;
        check_binding(record, session, call.proves).map(|()| end)
    }

    /// The same wherever it is used from.
    fn check_standing(&self, record: &Record, session: &Session, now: Timestamp) -> Result<(), Refusal> {
        check_standing(record)?;
        if record.policy.dpop_bound && session.binding.is_none() {
            return Err(Refusal::ProofMissing);
        }
        match record.secret_of(session.secret) {
            Some(secret) => check_end(record, secret, now)?,
            None if self.issuers.leads(session.secret.as_u128(), record.id) => check_bound_state(record, now)?,
            None => return Err(Refusal::TokenRevoked),
        };
        self.check_token(record, session, now)
    }

    fn check_token(&self, record: &Record, session: &Session, now: Timestamp) -> Result<(), Refusal> {
        let rules = &self.tokens.rules;
        let ended = !session.key.is_accepted(now)
            || record.tenant.id != session.tenant
            || rules.is_revoked(session.token)
            || self.tokens.sign_ins.is_over(session.sign_in, self.nodes.shared_time(now))
            || rules.is_cut_off(record, session.issued_at);
        if ended {
            return Err(Refusal::TokenRevoked);
        }
        if session.expires_at <= now { Err(Refusal::TokenExpired) } else { Ok(()) }
    }
}

/// Whether what comes with a token fits how it is bound. The proof itself is looked at afterwards.
fn check_binding(record: &Record, session: &Session, proves: bool) -> Result<(), Refusal> {
    let bound = session.binding.is_some();
    if (bound || record.policy.dpop_bound) && !proves {
        return Err(Refusal::ProofMissing);
    }
    if proves && !bound { Err(Refusal::ProofInvalid) } else { Ok(()) }
}

impl Unit {
    /// Whether the caller's session token, if it has one, still holds as this unit sees it.
    pub(crate) async fn check_session(&mut self) -> Result<Result<(), Refusal>> {
        let Some(session) = self.caller.session().cloned() else { return Ok(Ok(())) };
        let standing =
            self.tx.find_token_standing(session.tenant, session.application, session.token, &session.key.kid).await?;
        let cut_off = standing.not_before.is_some_and(|not_before| session.issued_at <= not_before);
        let now = self.app.state.nodes.shared_time(self.now);
        let of_sign_in = match session.sign_in {
            Some((id, _)) => self.tx.find_sign_in_standing(session.tenant, id).await?,
            None => None,
        };
        let over = of_sign_in.zip(session.sign_in).is_some_and(|(of, (_, generation))| of.is_over(generation, now));
        Ok(if standing.revoked || cut_off || over {
            Err(Refusal::TokenRevoked)
        } else if session.expires_at <= self.now {
            Err(Refusal::TokenExpired)
        } else {
            Ok(())
        })
    }
}

/// The right to deal with the session tokens of others.
pub(crate) const SESSIONS: &str = "sessions";
/// To end them.
pub(crate) const END_SESSIONS: (&str, Verb) = (SESSIONS, Verb::Delete);
