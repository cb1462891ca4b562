//! Whether what somebody shows as second factor is right. What is right is used up in the transaction that says so.

use super::{Advanced, Shown, Whose};
use crate::deeds::Deed;
use crate::passkeys::Answered;
use aws_lc_rs::hmac;
use claviger_domain::factor::{Factor, FactorKind, MAIL_CODE_TRIES, mail_code_hash, recovery_hash};
use claviger_domain::id::FactorId;
use claviger_domain::secret::SecretHash;
use claviger_domain::totp;
use claviger_domain::user_session::{Cookie, Method, PlainCookie, Stage, UserSession};
use claviger_domain::{Error, Refusal, Result};
use claviger_store::user_challenges::ChallengeKind;
use claviger_store::user_factors::StoredFactor;
use subtle::{Choice, ConstantTimeEq as _};

impl Deed {
    /// What was shown, if it is right: it is used up in this transaction.
    pub(super) async fn check(&mut self, whose: Whose, session: &UserSession, shown: &Shown) -> Result<Option<Method>> {
        let (tenant, user) = whose;
        match shown {
            Shown::Totp(code) => {
                let right = self.check_totp(whose, code).await?;
                Ok(right.map(|_| Method::Code))
            }
            Shown::MailCode(code) => {
                let place = (user, session.id);
                let now = self.now;
                let Some(challenge) = self.tx.try_challenge(tenant, place, ChallengeKind::MailCode, now).await? else {
                    return Ok(None);
                };
                let given = mail_code_hash(&session.id.to_string(), &totp::typed(code).unwrap_or_default());
                let right = challenge.tries <= MAIL_CODE_TRIES
                    && challenge.code.is_some_and(|expected| expected.matches(&given));
                if (right || challenge.tries >= MAIL_CODE_TRIES)
                    && !self.tx.end_challenge(tenant, place, ChallengeKind::MailCode).await?
                {
                    return Ok(None);
                }
                Ok(right.then_some(Method::Mail))
            }
            Shown::RecoveryCode(code) => {
                let used = self.tx.use_recovery_code(tenant, user, &recovery_hash(code)).await?;
                Ok(used.then_some(Method::Recovery))
            }
            Shown::Passkey(answer) => {
                let answered = self.check_passkey(whose, session, answer).await?;
                Ok(matches!(answered, Answered::Right).then_some(Method::Passkey))
            }
            // It was checked before.
            Shown::Password(_) => Ok(Some(Method::Password)),
        }
    }

    /// The confirmed authenticator that a code is of, if its step was not accepted before.
    async fn check_totp(&mut self, whose: Whose, code: &str) -> Result<Option<Factor>> {
        let found = self.tx.list_factors(whose.0, whose.1).await?;
        let mut right = None;
        for stored in found.iter().filter(|stored| stored.factor.confirmed_at.is_some()) {
            if let Some(factor) = self.check_code(whose, stored, code).await? {
                right = Some(factor);
            }
        }
        Ok(right)
    }

    /// The authenticator, if a code is its own and of a step that was not accepted before.
    pub(crate) async fn check_code(
        &mut self,
        (tenant, user): Whose,
        stored: &StoredFactor,
        code: &str,
    ) -> Result<Option<Factor>> {
        if stored.factor.kind != FactorKind::Totp {
            return Ok(None);
        }
        let seed = self.app.state.root_key.open(tenant, &row(stored.factor.id), &stored.sealed)?;
        let typed = totp::typed(code).unwrap_or_default();
        let mut step = None;
        for candidate in totp::accepted(self.now) {
            // All are compared, whichever is right.
            let equal: Choice = code_of(&seed, candidate).as_bytes().ct_eq(typed.as_bytes());
            if bool::from(equal) {
                step = Some(candidate);
            }
        }
        let Some(step) = step else { return Ok(None) };
        let now = self.now;
        let fresh = self.tx.accept_step(tenant, user, stored.factor.id, step, now).await?;
        Ok(fresh.then(|| stored.factor.clone()))
    }

    /// Gives a session another proof, and another token.
    pub(crate) async fn advance(
        &mut self,
        (tenant, user): Whose,
        before: &UserSession,
        by: Method,
    ) -> Result<Advanced> {
        let mut methods = before.methods.clone();
        if !methods.contains(&by) {
            methods.push(by);
        }
        let stepped_up_at = if by == Method::Mail { before.stepped_up_at } else { Some(self.now) };
        let session =
            UserSession { stage: Stage::Complete, methods, last_seen_at: self.now, stepped_up_at, ..before.clone() };
        let token = PlainCookie::mint(Cookie::Session, self.app.state.random.bytes()?);
        if !self.tx.advance_user_session(tenant, user, &session, &token.hash()).await? {
            return Err(Error::Unauthenticated(Refusal::SessionEnded));
        }
        if before.stage == Stage::SecondFactor {
            self.tx.note_sign_in(tenant, user, self.now).await?;
        }
        Ok(Advanced { session, token })
    }
}

/// What a sealed factor is bound to.
pub(crate) fn row(id: FactorId) -> String {
    format!("user_factors/{id}")
}

/// The code of a step.
pub(crate) fn code_of(seed: &[u8], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, seed);
    let tag = hmac::sign(&key, &totp::message(step));
    let bytes: [u8; 20] = tag.as_ref().try_into().unwrap_or_default();
    totp::truncate(&bytes)
}

/// What recovery codes are stored as.
pub(crate) fn hashes(codes: &[String]) -> Vec<SecretHash> {
    codes.iter().map(|code| recovery_hash(code)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use claviger_domain::time::Timestamp;

    #[test]
    fn rfc_6238_vectors_hold() {
        let seed = b"12345678901234567890";
        let code = |seconds: i64| code_of(seed, totp::step_of(Timestamp::from_micros(seconds * 1_000_000)));
        // The appendix has eight digits; six are their end.
        for (seconds, expected) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
        {
            assert_eq!(code(seconds), expected);
        }
    }
}
