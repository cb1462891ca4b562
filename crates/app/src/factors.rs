//! Second factors of people, set up and removed: authenticators with codes by time, passkeys, recovery codes. What proves one is shown
//! once and kept sealed; each change asks for a proof of who it is, and is told by mail.

use crate::App;
use crate::caller::{Caller, UserCaller};
use crate::deeds::{Deed, Visit};
use crate::passkeys::Registered;
use crate::revocations::PersonChange;
use crate::second_factors::{Advanced, Asked, Whose, hashes, row};
use crate::unit::{Effect, Needs};
use claviger_domain::factor::{FACTORS_MAX, Factor, FactorKind, RECOVERY_CODES, Wanted, is_stepped_up, recovery_code};
use claviger_domain::grants::Verb;
use claviger_domain::guess::take_back;
use claviger_domain::id::{FactorId, TenantId, UserId};
use claviger_domain::letters::{self, Addressee, News};
use claviger_domain::tenant::details::MfaRequirement;
use claviger_domain::time::Timestamp;
use claviger_domain::totp;
use claviger_domain::user_session::{Method, Stage};
use claviger_domain::{Error, Refusal, Result};
use claviger_store::user_factors::StoredFactor;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The factors of a person, and what is asked of it.
#[derive(Clone, Debug)]
pub struct Factors {
    /// Those that count, and one that waits to be confirmed.
    pub factors: Vec<Factor>,
    /// Recovery codes that are left.
    pub recovery_codes_left: i64,
    /// What the tenant's policy asks for.
    pub required: MfaRequirement,
}

/// An authenticator that is being set up. What it shows is kept nowhere but sealed.
#[derive(Debug)]
pub struct NewTotp {
    /// The factor, which counts once it is confirmed.
    pub factor: Factor,
    /// The seed as people type it.
    pub secret: Zeroizing<String>,
    /// The seed as authenticators read it.
    pub otpauth_url: Zeroizing<String>,
}

/// A factor that counts from now on.
#[derive(Debug)]
pub struct Confirmed {
    /// The factor.
    pub factor: Factor,
    /// Recovery codes, where it is the first.
    pub recovery_codes: Option<Vec<String>>,
    /// The session, which goes on under another token.
    pub advanced: Advanced,
}

impl App {
    /// The factors of somebody who is signed in, or signing in.
    pub async fn list_factors(&self, user: &UserCaller) -> Result<Factors> {
        let found = self.state.store.list_factors(user.tenant.id, user.id).await?;
        Ok(Factors {
            factors: found.into_iter().map(|stored| stored.factor).collect(),
            recovery_codes_left: self.state.store.count_recovery_codes(user.tenant.id, user.id).await?,
            required: user.tenant.mfa_required(),
        })
    }

    /// Refuses whoever may not change factors: who has one and has not proved anew who it is, and who is not signed in but for the
    /// second factor, unless it is to set up its first.
    pub(crate) async fn may_enrol(&self, user: &UserCaller) -> Result<Asked> {
        let asked = self.asked(user).await?;
        if user.session.stage == Stage::SecondFactor && asked.wanted != Wanted::Enrolment {
            return Err(Error::Unauthenticated(Refusal::SecondFactorNeeded));
        }
        let signed_in = user.session.stage == Stage::Complete;
        if signed_in && !is_stepped_up(user.session.stepped_up_at, self.state.shared_now()) {
            return Err(Error::Unauthenticated(Refusal::StepUpNeeded));
        }
        Ok(asked)
    }

    /// Begins to set up an authenticator; one that was begun before is given up. It counts once a code of it was given.
    pub async fn create_totp(self: &Arc<Self>, user: &UserCaller, name: String, visit: &Visit) -> Result<NewTotp> {
        self.may_enrol(user).await?;
        let whose = (user.tenant.id, user.id);
        let (email, person) = (user.email.clone(), user.name.clone());
        self.deed(whose, visit, move |deed| {
            Box::pin(async move {
                let (tenant, id) = whose;
                deed.tx.delete_unconfirmed(tenant, id, FactorKind::Totp).await?;
                deed.room_for_another(whose).await?;
                let state = Arc::clone(&deed.app.state);
                let seed = Zeroizing::new(state.random.bytes::<{ totp::SEED_BYTES }>()?);
                let factor = Factor {
                    id: FactorId::new(deed.now, state.random.bytes()?),
                    kind: FactorKind::Totp,
                    name,
                    confirmed_at: None,
                    created_at: deed.now,
                    last_used_at: None,
                };
                let sealed = state.root_key.seal(&state.random, tenant, &row(factor.id), seed.as_slice())?;
                let stored = StoredFactor { factor: factor.clone(), sealed, credential: None, last_step: 0 };
                deed.tx.insert_factor(tenant, id, &stored).await?;
                deed.record("user.factor_created", &person, describe(&factor));
                Ok(NewTotp {
                    secret: Zeroizing::new(totp::base32(seed.as_slice())),
                    otpauth_url: Zeroizing::new(totp::otpauth_url("Claviger", &email, seed.as_slice())),
                    factor,
                })
            })
        })
        .await
    }

    /// Lets an authenticator count, by a code of it. Completes a sign-in that waited for it.
    pub async fn confirm_totp(
        self: &Arc<Self>,
        user: &UserCaller,
        factor: FactorId,
        code: String,
        visit: &Visit,
    ) -> Result<Confirmed> {
        self.may_enrol(user).await?;
        let counted = self.count_check(user, visit).await?;
        let (whose, before) = ((user.tenant.id, user.id), user.session.clone());
        let (email, person) = (user.email.clone(), user.name.clone());
        let confirmed = self
            .deed(whose, visit, move |deed| {
                Box::pin(async move {
                    let found = deed.tx.list_factors(whose.0, whose.1).await?;
                    let stored =
                        found.iter().find(|stored| stored.factor.id == factor && stored.factor.confirmed_at.is_none());
                    let stored = stored.ok_or(Error::NotFound("factor"))?;
                    let Some(mut factor) = deed.check_code(whose, stored, &code).await? else { return Ok(None) };
                    let now = deed.now;
                    deed.tx.confirm_factor(whose.0, whose.1, factor.id, now).await?;
                    factor.confirmed_at = Some(now);
                    deed.forgive(whose, counted).await?;
                    let recovery_codes = deed.first_recovery_codes(whose).await?;
                    let advanced = deed.advance(whose, &before, Method::Code).await?;
                    let ended = deed.tx.end_user_sessions(whose.0, whose.1, Some(before.id), now).await?;
                    let to = Addressee { email: &email, name: &person };
                    deed.mail(letters::news(to, News::FactorAdded(factor.kind.as_str()), now)?);
                    deed.record("user.factor_confirmed", &person, with_ended(describe(&factor), ended));
                    Ok(Some(Confirmed { factor, recovery_codes, advanced }))
                })
            })
            .await?;
        confirmed.ok_or_else(|| {
            self.deny_user(whose, Refusal::SecondFactorWrong.code(), visit.origin);
            Error::Unauthenticated(Refusal::SecondFactorWrong)
        })
    }

    /// Stores a passkey that has answered. Completes a sign-in that waited for it.
    pub async fn create_passkey(
        self: &Arc<Self>,
        user: &UserCaller,
        name: String,
        answer: Value,
        visit: &Visit,
    ) -> Result<Confirmed> {
        self.may_enrol(user).await?;
        let (whose, before) = ((user.tenant.id, user.id), user.session.clone());
        let (email, person) = (user.email.clone(), user.name.clone());
        let confirmed = self
            .deed(whose, visit, move |deed| {
                Box::pin(async move {
                    deed.room_for_another(whose).await?;
                    let registered = deed.check_registration(whose, &before, &answer).await?;
                    let Registered::Right(text, credential) = registered else { return Ok(None) };
                    let state = Arc::clone(&deed.app.state);
                    let now = deed.now;
                    let factor = Factor {
                        id: FactorId::new(now, state.random.bytes()?),
                        kind: FactorKind::Passkey,
                        name,
                        confirmed_at: Some(now),
                        created_at: now,
                        last_used_at: None,
                    };
                    let sealed = state.root_key.seal(&state.random, whose.0, &row(factor.id), &text)?;
                    let credential = Some(credential);
                    let stored = StoredFactor { factor: factor.clone(), sealed, credential, last_step: 0 };
                    deed.tx.insert_factor(whose.0, whose.1, &stored).await?;
                    let recovery_codes = deed.first_recovery_codes(whose).await?;
                    let advanced = deed.advance(whose, &before, Method::Passkey).await?;
                    let ended = deed.tx.end_user_sessions(whose.0, whose.1, Some(before.id), now).await?;
                    let to = Addressee { email: &email, name: &person };
                    deed.mail(letters::news(to, News::FactorAdded(factor.kind.as_str()), now)?);
                    deed.record("user.factor_confirmed", &person, with_ended(describe(&factor), ended));
                    Ok(Some(Confirmed { factor, recovery_codes, advanced }))
                })
            })
            .await?;
        confirmed.ok_or_else(|| {
            let fix = "begin anew with POST /v1/me/factors/passkeys, and let the browser answer";
            Error::invalid("/credential", "the passkey's answer is not acceptable", fix)
        })
    }

    /// Gives one of the caller's own factors another name.
    pub async fn rename_factor(
        self: &Arc<Self>,
        caller: &Caller,
        factor: FactorId,
        name: String,
        visit: &Visit,
    ) -> Result<Factor> {
        let user = self.person(caller)?;
        let whose = (user.tenant.id, user.id);
        self.deed(whose, visit, move |deed| {
            Box::pin(async move {
                let found = deed.tx.list_factors(whose.0, whose.1).await?;
                let known = found.into_iter().find(|stored| stored.factor.id == factor);
                let before = known.ok_or(Error::NotFound("factor"))?.factor;
                deed.tx.rename_factor(whose.0, whose.1, factor, &name).await?;
                let after = Factor { name, ..before };
                deed.record("user.factor_renamed", &user.name, describe(&after));
                Ok(after)
            })
        })
        .await
    }

    /// Removes one of the caller's own factors; the last one takes the recovery codes along. All other sessions end.
    pub async fn delete_factor(self: &Arc<Self>, caller: &Caller, factor: FactorId, visit: &Visit) -> Result<()> {
        let user = self.person(caller)?;
        caller.must_step_up()?;
        let (whose, session) = ((user.tenant.id, user.id), user.session.id);
        let required = user.tenant.mfa_required();
        self.deed(whose, visit, move |deed| {
            Box::pin(async move {
                let found = deed.tx.list_factors(whose.0, whose.1).await?;
                let gone = found.iter().find(|stored| stored.factor.id == factor).ok_or(Error::NotFound("factor"))?;
                let others = found.iter().filter(|stored| stored.factor.id != factor);
                let last = !others.into_iter().any(|stored| stored.factor.confirmed_at.is_some());
                if last && gone.factor.confirmed_at.is_some() && required == MfaRequirement::Totp {
                    let detail =
                        "the tenant's policy asks for an authenticator; set up another one before you remove the last";
                    return Err(Error::conflict("last_factor", detail));
                }
                deed.tx.delete_factor(whose.0, whose.1, factor).await?;
                if last {
                    deed.tx.put_recovery_codes(whose.0, whose.1, &[]).await?;
                }
                let now = deed.now;
                let ended = deed.tx.end_user_sessions(whose.0, whose.1, Some(session), now).await?;
                let to = Addressee { email: &user.email, name: &user.name };
                deed.mail(letters::news(to, News::FactorRemoved(gone.factor.kind.as_str()), now)?);
                deed.affects(PersonChange::Narrowed);
                deed.record("user.factor_deleted", &user.name, with_ended(describe(&gone.factor), ended));
                Ok(())
            })
        })
        .await
    }

    /// Makes recovery codes in place of those there are. They are shown in the answer and never again.
    pub async fn create_recovery_codes(self: &Arc<Self>, caller: &Caller, visit: &Visit) -> Result<Vec<String>> {
        let user = self.person(caller)?;
        caller.must_step_up()?;
        if self.asked(&user).await?.kinds.is_empty() {
            let detail = "recovery codes stand in for an authenticator or a passkey; set one up first";
            return Err(Error::conflict("no_factor", detail));
        }
        let whose = (user.tenant.id, user.id);
        self.deed(whose, visit, move |deed| {
            Box::pin(async move {
                let codes = deed.make_recovery_codes(whose).await?;
                let to = Addressee { email: &user.email, name: &user.name };
                deed.mail(letters::news(to, News::RecoveryCodesMade, deed.now)?);
                deed.affects(PersonChange::Narrowed);
                deed.record("user.recovery_codes_made", &user.name, Map::new());
                Ok(codes)
            })
        })
        .await
    }

    /// Removes all second factors of somebody else, who has lost them; all of its sessions end, and it is told. Needs `users:UPDATE`
    /// and every right that the user has.
    pub async fn reset_factors(self: &Arc<Self>, caller: &Caller, tenant: TenantId, id: UserId) -> Result<()> {
        const RIGHT: (&str, Verb) = ("users", Verb::Update);
        let tenant = caller.reach(tenant)?.id;
        caller.allow(RIGHT.0, RIGHT.1)?;
        caller.must_step_up()?;
        if caller.user().is_some_and(|user| user.id == id) {
            return Err(Error::conflict("own_user", "remove your own factors one by one: DELETE /v1/me/factors/{id}"));
        }
        self.unit(caller, Needs { tenant, right: RIGHT }, move |unit| {
            Box::pin(async move {
                let user = unit.user_within_rights(tenant, id, None).await?;
                let now = unit.app.state.shared_now();
                let removed = unit.tx.delete_factors(tenant, id).await?;
                let ended = unit.tx.end_user_sessions(tenant, id, None, now).await?;
                let to = Addressee { email: &user.email, name: &user.display_name() };
                unit.mail(letters::news(to, News::FactorsReset, now)?);
                let details = Map::from_iter([
                    ("factors".to_owned(), json!(removed)),
                    ("sessions_ended".to_owned(), json!(ended)),
                ]);
                unit.affects(Effect::User(tenant, id, PersonChange::Narrowed));
                unit.record("user.factors_reset", crate::users::target(&user), details);
                Ok(())
            })
        })
        .await
    }
}

impl Deed {
    /// Refuses one factor too many.
    async fn room_for_another(&mut self, (tenant, user): Whose) -> Result<()> {
        if self.tx.list_factors(tenant, user).await?.len() < FACTORS_MAX {
            return Ok(());
        }
        Err(Error::conflict(
            "factor_limit",
            format!("a person has {FACTORS_MAX} second factors at most; remove one first"),
        ))
    }

    /// Counts no wrong codes any more.
    async fn forgive(&mut self, (tenant, user): Whose, counted: Timestamp) -> Result<()> {
        let mut guard = self.tx.lock_guard(tenant, user).await?;
        take_back(&mut guard.times, counted);
        (guard.wrong, guard.suspended_at) = (0, None);
        self.tx.put_guard(tenant, user, &guard).await
    }

    /// Recovery codes for whoever has none.
    async fn first_recovery_codes(&mut self, whose: Whose) -> Result<Option<Vec<String>>> {
        if self.tx.count_recovery_codes(whose.0, whose.1).await? > 0 {
            return Ok(None);
        }
        self.make_recovery_codes(whose).await.map(Some)
    }

    async fn make_recovery_codes(&mut self, (tenant, user): Whose) -> Result<Vec<String>> {
        let random = self.app.state.random.clone();
        let make = |_| random.bytes().map(recovery_code);
        let codes: Vec<String> = (0..RECOVERY_CODES).map(make).collect::<Result<_>>()?;
        self.tx.put_recovery_codes(tenant, user, &hashes(&codes)).await?;
        Ok(codes)
    }
}

/// The members of a factor that audit entries may hold.
fn describe(factor: &Factor) -> Map<String, Value> {
    Map::from_iter([
        ("factor_id".to_owned(), json!(factor.id.to_string())),
        ("kind".to_owned(), json!(factor.kind.as_str())),
        ("name".to_owned(), json!(factor.name)),
    ])
}

fn with_ended(mut details: Map<String, Value>, ended: u64) -> Map<String, Value> {
    details.insert("sessions_ended".to_owned(), json!(ended));
    details
}
