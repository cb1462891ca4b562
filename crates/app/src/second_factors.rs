//! Second factors in use: what a person must show, codes that are sent, and the check that completes a sign-in or proves anew who
//! somebody is. A check is counted before it is made, in a transaction of its own, for the account and not for the session.

mod check;

pub(crate) use self::check::{hashes, row};
use crate::App;
use crate::caller::{Caller, UserCaller};
use crate::deeds::Visit;
use crate::revocations::PersonChange;
use crate::sso::provider_required;
use claviger_domain::factor::{
    CHECKS, FactorKind, MAIL_CODE_SECONDS, MAILS_EACH, WRONG_IN_A_ROW, Wanted, is_stepped_up, mail_code,
    mail_code_hash, satisfies, wanted,
};
use claviger_domain::guess::{Allowance, take_back};
use claviger_domain::id::{TenantId, UserId};
use claviger_domain::letters::{self, Addressee, News};
use claviger_domain::password::{Password, PasswordHash};
use claviger_domain::rate::RateLimit;
use claviger_domain::time::Timestamp;
use claviger_domain::user::presented_key;
use claviger_domain::user_session::{Method, PlainCookie, Stage, UserSession};
use claviger_domain::{Error, Refusal, Result};
use claviger_store::user_challenges::{Challenge, ChallengeKind};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// What somebody shows.
#[derive(Debug)]
pub enum Shown {
    /// The code of an authenticator.
    Totp(String),
    /// The code that was sent by mail.
    MailCode(String),
    /// A recovery code.
    RecoveryCode(String),
    /// A passkey's answer.
    Passkey(Value),
    /// The password once more, where there is nothing better.
    Password(Password),
}

/// What a person must show, and what it can show it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What is asked for.
    pub wanted: Wanted,
    /// The kinds of factors that it has, each once.
    pub kinds: Vec<FactorKind>,
    /// Recovery codes that are left.
    pub recovery_codes_left: i64,
}

/// A session after its stage or its proofs have changed.
#[derive(Debug)]
pub struct Advanced {
    /// The session.
    pub session: UserSession,
    /// Its token; the one before is dead.
    pub token: PlainCookie,
}

/// Who acts, to whom a deed belongs.
pub(crate) type Whose = (TenantId, UserId);

/// The refusal where an allowance is used up.
pub(crate) fn limited(allowance: Allowance, wait: Option<u64>) -> Error {
    let requests = u32::try_from(allowance.guesses).unwrap_or(u32::MAX);
    let window_seconds = u32::try_from(allowance.seconds).unwrap_or(u32::MAX);
    let longest = u64::from(window_seconds);
    Error::Limited { limit: RateLimit { requests, window_seconds }, retry_after_seconds: wait.unwrap_or(longest) }
}

/// The refusal of whatever was shown and is not right.
fn wrong() -> Error {
    Error::Unauthenticated(Refusal::SecondFactorWrong)
}

impl Caller {
    /// Refuses a person who has not proved anew, a short while ago, who it is. Applications have nothing to prove it by and are not
    /// asked.
    pub(crate) fn must_step_up(&self) -> Result<()> {
        match self.user() {
            Some(user) if !is_stepped_up(user.session.stepped_up_at, self.state.shared_now()) => {
                self.deny(Refusal::StepUpNeeded.code().into());
                Err(Error::Unauthenticated(Refusal::StepUpNeeded))
            }
            _ => Ok(()),
        }
    }
}

impl App {
    /// What a person must show besides its password.
    pub(crate) async fn wanted_of(&self, tenant: TenantId, user: UserId) -> Result<Wanted> {
        let node = self.state.tree.find(tenant).ok_or(Error::NotFound("tenant"))?;
        let factors = self.state.store.list_factors(tenant, user).await?;
        Ok(wanted(node.mfa_required(), factors.iter().any(|found| found.factor.confirmed_at.is_some())))
    }

    /// The refusal of an application where only people may call.
    pub fn refuse_application(&self, caller: &Caller) -> Error {
        self.person(caller).err().unwrap_or(Error::Unauthenticated(Refusal::Absent))
    }

    /// What somebody who is signing in must show.
    pub async fn asked(&self, user: &UserCaller) -> Result<Asked> {
        let factors = self.state.store.list_factors(user.tenant.id, user.id).await?;
        let mut kinds: Vec<_> =
            factors.iter().filter(|found| found.factor.confirmed_at.is_some()).map(|found| found.factor.kind).collect();
        let wanted = wanted(user.tenant.mfa_required(), !kinds.is_empty());
        kinds.sort();
        kinds.dedup();
        let recovery_codes_left = self.state.store.count_recovery_codes(user.tenant.id, user.id).await?;
        Ok(Asked { wanted, kinds, recovery_codes_left })
    }

    /// Sends a code by mail to somebody who is signing in and has nothing better. A newer one takes the place of the one before.
    pub async fn send_mail_code(self: &Arc<Self>, user: &UserCaller, visit: &Visit) -> Result<()> {
        if user.session.stage == Stage::Complete && satisfies(&user.session.methods, user.tenant.mfa_required()) {
            return Err(nothing_asked());
        }
        if self.asked(user).await?.wanted != Wanted::MailCode {
            let detail =
                "a code sent by mail is not enough for this sign-in: GET /v1/sign-in/second-factor says what is";
            return Err(Error::conflict("second_factor_other", detail));
        }
        let key = presented_key(&user.email);
        if !self.may_be_mailed(&key, visit).await? {
            return Err(limited(MAILS_EACH, None));
        }
        let (tenant, id, session) = (user.tenant.id, user.id, user.session.id);
        let (email, name) = (user.email.clone(), user.name.clone());
        self.deed((tenant, id), visit, move |deed| {
            Box::pin(async move {
                let code = mail_code(deed.app.state.random.bytes()?);
                let until = deed.now.plus_seconds(MAIL_CODE_SECONDS);
                let hash = mail_code_hash(&session.to_string(), &code);
                let challenge = Challenge { code: Some(hash), sealed: None, tries: 0, expires_at: until };
                deed.tx.put_challenge(tenant, (id, session), ChallengeKind::MailCode, &challenge).await?;
                deed.mail(letters::code(Addressee { email: &email, name: &name }, &code, until)?);
                deed.record("user.code_sent", &name, Map::new());
                Ok(())
            })
        })
        .await
    }

    /// Completes a sign-in by a second factor. The session goes on under another token.
    pub async fn complete_sign_in(
        self: &Arc<Self>,
        user: &UserCaller,
        shown: Shown,
        visit: &Visit,
    ) -> Result<Advanced> {
        let fits = match self.asked(user).await?.wanted {
            Wanted::Authenticator => matches!(shown, Shown::Totp(_) | Shown::Passkey(_) | Shown::RecoveryCode(_)),
            Wanted::MailCode => matches!(shown, Shown::MailCode(_)),
            Wanted::Nothing | Wanted::Enrolment => false,
        };
        if !fits {
            let detail = "this sign-in asks for something else: GET /v1/sign-in/second-factor says for what";
            return Err(Error::conflict("second_factor_other", detail));
        }
        self.check_and_advance(user, shown, visit, "user.second_factor_passed").await
    }

    /// Proves anew who somebody is, for what is dangerous: by an authenticator, a passkey or a recovery code, and by the password where
    /// there is no such thing. A code sent by mail is not enough. The session goes on under another token.
    pub async fn step_up(self: &Arc<Self>, caller: &Caller, shown: Shown, visit: &Visit) -> Result<Advanced> {
        let user = self.person(caller)?;
        let has_authenticator = !self.asked(&user).await?.kinds.is_empty();
        if matches!(shown, Shown::Password(_))
            && self.state.store.requires_provider(user.tenant.id, &presented_key(&user.email)).await?
        {
            return Err(provider_required());
        }
        let fits = match shown {
            Shown::Totp(_) | Shown::Passkey(_) | Shown::RecoveryCode(_) => has_authenticator,
            Shown::Password(_) => !has_authenticator,
            Shown::MailCode(_) => false,
        };
        if !fits {
            let detail = if has_authenticator {
                "prove who you are by your authenticator, passkey or a recovery code"
            } else {
                "prove who you are by your password, or set up an authenticator"
            };
            return Err(Error::conflict("second_factor_other", detail));
        }
        self.check_and_advance(&user, shown, visit, "user.stepped_up").await
    }

    async fn check_and_advance(
        self: &Arc<Self>,
        user: &UserCaller,
        shown: Shown,
        visit: &Visit,
        action: &'static str,
    ) -> Result<Advanced> {
        let whose = (user.tenant.id, user.id);
        let counted = self.count_check(user, visit).await?;
        // Nothing but statements may be waited for inside a transaction.
        let shown = match shown {
            Shown::Password(password) => Shown::Password(self.check_own_password(whose, password).await?),
            other => other,
        };
        let (before, name) = (user.session.clone(), user.name.clone());
        let email = user.email.clone();
        let done = self
            .deed(whose, visit, move |deed| {
                Box::pin(async move {
                    let Some(method) = deed.check(whose, &before, &shown).await? else { return Ok(None) };
                    let mut guard = deed.tx.lock_guard(whose.0, whose.1).await?;
                    take_back(&mut guard.times, counted);
                    (guard.wrong, guard.suspended_at) = (0, None);
                    deed.tx.put_guard(whose.0, whose.1, &guard).await?;
                    let advanced = deed.advance(whose, &before, method).await?;
                    if method == Method::Recovery {
                        deed.affects(PersonChange::Narrowed);
                        let to = Addressee { email: &email, name: &name };
                        deed.mail(letters::news(to, News::RecoveryCodeUsed, deed.now)?);
                    }
                    let details = Map::from_iter([
                        ("method".to_owned(), json!(method.as_str())),
                        ("session_id".to_owned(), json!(before.id.to_string())),
                    ]);
                    deed.record(action, &name, details);
                    Ok(Some(advanced))
                })
            })
            .await?;
        match done {
            Some(advanced) => Ok(advanced),
            None => {
                self.deny_user(whose, Refusal::SecondFactorWrong.code(), visit.origin);
                self.suspend_if_due(user, visit).await?;
                Err(wrong())
            }
        }
    }

    /// Counts a check before it is made; when that was. Refused where there were too many, or too many wrong ones in a row.
    pub(crate) async fn count_check(self: &Arc<Self>, user: &UserCaller, visit: &Visit) -> Result<Timestamp> {
        self.suspend_if_due(user, visit).await?;
        let (app, (tenant, id)) = (Arc::clone(self), (user.tenant.id, user.id));
        let counted = crate::unit::to_the_end(async move {
            let mut tx = app.state.store.begin().await?;
            let mut guard = tx.lock_guard(tenant, id).await?;
            let now = app.state.shared_now();
            if guard.wrong >= WRONG_IN_A_ROW {
                return Ok(Err(Error::Unauthenticated(Refusal::SecondFactorSuspended)));
            }
            if let Err(wait) = CHECKS.count(&mut guard.times, now) {
                return Ok(Err(limited(CHECKS, Some(wait))));
            }
            // Whoever makes the check fail otherwise than by a wrong code was wrong, too.
            guard.wrong += 1;
            tx.put_guard(tenant, id, &guard).await?;
            tx.commit().await?;
            Ok(Ok(now))
        })
        .await?;
        counted.inspect_err(|_| self.deny_user((tenant, id), "second_factor_limited", visit.origin))
    }

    /// Notes and tells that somebody guesses, once for each row of wrong codes.
    async fn suspend_if_due(self: &Arc<Self>, user: &UserCaller, visit: &Visit) -> Result<()> {
        let (tenant, id) = (user.tenant.id, user.id);
        let (email, name) = (user.email.clone(), user.name.clone());
        let wrong = self.state.store.find_wrong_checks(tenant, id).await?;
        if !wrong.is_some_and(|(wrong, told)| wrong >= WRONG_IN_A_ROW && !told) {
            return Ok(());
        }
        self.deed((tenant, id), visit, move |deed| {
            Box::pin(async move {
                let mut guard = deed.tx.lock_guard(tenant, id).await?;
                if guard.wrong >= WRONG_IN_A_ROW && guard.suspended_at.is_none() {
                    guard.suspended_at = Some(deed.now);
                    deed.tx.put_guard(tenant, id, &guard).await?;
                    let to = Addressee { email: &email, name: &name };
                    deed.mail(letters::news(to, News::FactorsSuspended, deed.now)?);
                    // Only a new password lifts that.
                    deed.affects(PersonChange::Password);
                    deed.record("user.factors_suspended", &name, Map::from_iter([("alarm".to_owned(), json!(true))]));
                }
                Ok(())
            })
        })
        .await
    }

    /// The password, if it is the user's own.
    async fn check_own_password(&self, (tenant, user): Whose, password: Password) -> Result<Password> {
        let stored = self.stored_password(tenant, user).await?;
        let hash = stored.as_deref().and_then(PasswordHash::parse);
        if self.state.passwords.verify(&password, hash.as_ref()).await? {
            return Ok(password);
        }
        Err(wrong())
    }
}

/// The refusal where nothing is asked for.
fn nothing_asked() -> Error {
    Error::conflict("second_factor_other", "this session has come to its end of signing in; nothing more is asked for")
}
