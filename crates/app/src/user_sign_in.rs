//! Sign-in of people by address and password. Whoever fails is not told why, and waits as long as everybody else: an unknown
//! address, a wrong password, somebody who is disabled, invited, without a password or guessed at too often all cost one hash
//! and come to the same answer. The record of the user's tenant says which it was.

use crate::App;
use crate::guesses::{Count, Counted, take_back_guesses};
use crate::unit::to_the_end;
use claviger_domain::access::clean;
use claviger_domain::address::Origin;
use claviger_domain::audit::{Actor, NewEntry, Target};
use claviger_domain::factor::Wanted;
use claviger_domain::guess::{BY_ADDRESS, BY_DEVICE, BY_NAME};
use claviger_domain::id::UserSessionId;
use claviger_domain::password::{Password, PasswordHash};
use claviger_domain::rate::RateLimit;
use claviger_domain::user::{Status, presented_key};
use claviger_domain::user_session::{Cookie, Method, PlainCookie, Stage, UserSession, recognise, spell_methods};
use claviger_domain::{Error, Refusal, Result};
use claviger_store::journal::JournalEntry;
use claviger_store::system::SigningIn;
use serde_json::{Map, json};
use std::sync::Arc;

/// Guesses at passwords from one address, as they are told.
const ADDRESS_LIMIT: RateLimit = RateLimit { requests: 200, window_seconds: 900 };

/// What somebody presents to sign in.
#[derive(Debug)]
pub struct Attempt {
    /// The address, as it was typed.
    pub email: String,
    /// The password.
    pub password: Password,
    /// The device that the browser brings.
    pub device: Option<String>,
    /// The session that the browser brings, which ends.
    pub session: Option<String>,
    /// From where.
    pub origin: Origin,
    /// What the browser calls itself.
    pub user_agent: String,
    /// The request, as the audit record names it.
    pub request: (String, String),
}

/// Somebody who has signed in, or waits for the second factor.
#[derive(Debug)]
pub struct Entered {
    /// The session.
    pub session: UserSession,
    /// What stands for it, which exists nowhere else.
    pub token: PlainCookie,
    /// What the device is known by from now on, if it was not known before.
    pub device: Option<PlainCookie>,
}

impl App {
    /// Signs somebody in by address and password.
    pub async fn sign_in_user(self: &Arc<Self>, attempt: Attempt) -> Result<Entered> {
        let state = &self.state;
        state.nodes.may_answer(state.clock.boot(state.clock.monotonic()))?;
        // Before anything is counted or read: whoever comes when there is no room is answered at once.
        let _place = state.sign_in_places.try_acquire().map_err(|_| busy())?;
        let key = presented_key(&attempt.email);
        let device = attempt.device.as_deref().and_then(|text| recognise(Cookie::Device, text));
        let found = state.store.find_signing_in(&key, device.as_ref()).await?;
        let known = found.as_ref().is_some_and(|found| found.known_device);
        let counts = match device.filter(|_| known) {
            Some(device) => {
                let hex: String = device.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
                vec![Count::new("device", &format!("{hex} {key}"), BY_DEVICE)]
            }
            None => {
                vec![Count::new("password", &key, BY_NAME), Count::from("password address", attempt.origin, BY_ADDRESS)]
            }
        };
        let counted = self.count_guesses(&counts).await?;
        if let [_, Some(retry_after_seconds)] = counted.waits.as_slice() {
            let retry_after_seconds = *retry_after_seconds;
            return Err(Error::Limited { limit: ADDRESS_LIMIT, retry_after_seconds });
        }
        let locked = counted.waits.first().is_some_and(Option::is_some);
        let verdict = self.judge_sign_in(found.as_ref(), locked);
        let hash = verdict.as_ref().ok().and_then(|found| found.password.as_deref()).and_then(PasswordHash::parse);
        let right = state.passwords.verify(&attempt.password, hash.as_ref()).await?;
        let found = match (verdict, right) {
            (Ok(found), true) => found.clone(),
            (Ok(found), false) => return Err(self.refuse_sign_in(Some(found), "password_wrong", attempt.origin)),
            (Err(reason), _) => return Err(self.refuse_sign_in(found.as_ref(), reason, attempt.origin)),
        };
        let rehashed = match hash.filter(|hash| state.passwords.needs_rehash(hash)) {
            // Where there is no room for it now, it is done the next time.
            Some(_) => state.passwords.hash(&attempt.password).await.ok().map(|hash| hash.to_string()),
            None => None,
        };
        let app = Arc::clone(self);
        let entering = to_the_end(async move { app.enter(attempt, found, (&counts, &counted), rehashed).await });
        entering.await
    }

    /// Whether somebody's password counts at all; if not, why.
    fn judge_sign_in<'a>(
        &self,
        found: Option<&'a SigningIn>,
        locked: bool,
    ) -> std::result::Result<&'a SigningIn, &'static str> {
        let served = |found: &SigningIn| self.state.tree.find(found.tenant).is_none_or(|tenant| tenant.is_served());
        match found {
            None => Err("user_unknown"),
            Some(_) if locked => Err("too_many_guesses"),
            Some(found) if found.status == Status::Disabled => Err("user_disabled"),
            Some(found) if found.status == Status::Invited => Err("user_invited"),
            Some(found) if !served(found) => Err(Refusal::TenantSuspended.code()),
            Some(found) if found.sso_required => Err("sso_required"),
            Some(found) if found.password.is_none() => Err("password_missing"),
            Some(found) => Ok(found),
        }
    }

    fn refuse_sign_in(&self, found: Option<&SigningIn>, reason: &str, origin: Origin) -> Error {
        match found {
            Some(found) => self.deny_user((found.tenant, found.user), reason, origin),
            None => drop(self.stranger(Refusal::SignInFailed, origin)),
        }
        Error::Unauthenticated(Refusal::SignInFailed)
    }

    /// Begins the session of somebody whose password was right, if nothing has changed about that meanwhile.
    async fn enter(
        self: &Arc<Self>,
        attempt: Attempt,
        found: SigningIn,
        (counts, counted): (&[Count], &Counted),
        rehashed: Option<String>,
    ) -> Result<Entered> {
        let (state, tenant, id) = (&self.state, found.tenant, found.user);
        let wanted = self.wanted_of(tenant, id).await?;
        let mut tx = state.store.begin().await?;
        tx.lock_tenant(tenant).await?;
        let now = state.shared_now();
        let user = tx.find_user(tenant, id).await?.filter(|user| user.status == Status::Active);
        let password = tx.find_user_password(tenant, id).await?;
        let elsewhere = tx.requires_provider(tenant, &presented_key(&attempt.email)).await?;
        let Some(user) = user.filter(|_| password == found.password && !elsewhere) else {
            return Err(self.refuse_sign_in(Some(&found), "changed_meanwhile", attempt.origin));
        };
        let stage = if wanted == Wanted::Nothing { Stage::Complete } else { Stage::SecondFactor };
        let token = PlainCookie::mint(Cookie::Session, state.random.bytes()?);
        let session = UserSession {
            id: UserSessionId::new(now, state.random.bytes()?),
            stage,
            methods: vec![Method::Password],
            created_at: now,
            last_seen_at: now,
            stepped_up_at: None,
            address: attempt.origin.address(),
            user_agent: clean(&attempt.user_agent),
            ended_at: None,
        };
        tx.insert_user_session(tenant, id, &session, &token.hash()).await?;
        if let Some(before) = attempt.session.as_deref().and_then(|text| recognise(Cookie::Session, text)) {
            tx.end_presented_session(&before, now).await?;
        }
        let device = match attempt.device.as_deref().and_then(|text| recognise(Cookie::Device, text)) {
            Some(device) if found.known_device => {
                tx.put_user_device(tenant, id, &device, now).await?;
                None
            }
            _ => {
                let device = PlainCookie::mint(Cookie::Device, state.random.bytes()?);
                tx.put_user_device(tenant, id, &device.hash(), now).await?;
                Some(device)
            }
        };
        if let Some(rehashed) = rehashed {
            tx.put_user_password(tenant, id, Some(&rehashed), user.password_set_at).await?;
        }
        take_back_guesses(&mut tx, counts, counted).await?;
        let details = Map::from_iter([
            ("session_id".to_owned(), json!(session.id)),
            ("methods".to_owned(), json!(spell_methods(&session.methods))),
            ("stage".to_owned(), json!(session.stage.as_str())),
            ("known_device".to_owned(), json!(found.known_device)),
        ]);
        let (request_id, request) = attempt.request;
        let entry = NewEntry {
            at: state.clock.now(),
            actor: Actor { kind: "user", id: id.to_string(), tenant_id: Some(tenant) },
            action: "user.signed_in",
            target: Target { kind: "user", id: id.to_string(), name: user.email.clone() },
            address: attempt.origin.address(),
            request_id,
            request,
            details,
        };
        let body = json!({
            "target": { "kind": entry.target.kind, "id": entry.target.id, "name": entry.target.name },
            "actor": entry.actor.id,
            "details": entry.details,
        });
        let journal = JournalEntry { kind: entry.action.to_owned(), body };
        tx.append_journal(tenant, entry.at, &[journal]).await?;
        tx.append_audit(tenant, &entry).await?;
        tx.commit().await?;
        Ok(Entered { session, token, device })
    }
}

fn busy() -> Error {
    Error::Unavailable("too many people are signing in at once".into())
}
