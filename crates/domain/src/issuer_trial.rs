//! Trying a token of a trusted issuer without using it: which step stands in its way, for whoever administers the trust.

use crate::foreign_token::Mismatch;
use crate::id::{ApplicationId, BindingId};
use crate::trusted_issuer::{Binding, TrustedIssuer};
use serde_json::{Map, Value};

/// The steps of verification, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is a signed token at all.
    Form,
    /// It names this issuer.
    Issuer,
    /// The issuer's tokens are accepted at all.
    Enabled,
    /// The header says how it is signed, and nothing that is not done here.
    Header,
    /// The issuer's keys are to be had, and one of them may have signed it.
    Keys,
    /// The key has signed it.
    Signature,
    /// The claims are there, for this server and of the right time.
    Claims,
    /// One binding fits, or several to one application.
    Binding,
    /// The application may call.
    Application,
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 9] = [
        Self::Form,
        Self::Issuer,
        Self::Enabled,
        Self::Header,
        Self::Keys,
        Self::Signature,
        Self::Claims,
        Self::Binding,
        Self::Application,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Issuer => "issuer",
            Self::Enabled => "enabled",
            Self::Header => "header",
            Self::Keys => "keys",
            Self::Signature => "signature",
            Self::Claims => "claims",
            Self::Binding => "binding",
            Self::Application => "application",
        }
    }
}

/// The step that a token does not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The step.
    pub step: Step,
    /// Why, as denials in the audit record have it.
    pub code: &'static str,
    /// Why, in words, and what to do.
    pub detail: String,
}

impl Failed {
    /// A failure that needs words of its own.
    pub fn new(step: Step, code: &'static str, detail: impl Into<String>) -> Self {
        Self { step, code, detail: detail.into() }
    }

    /// What a mismatch means to whoever administers the issuer.
    pub fn of(mismatch: Mismatch, issuer: &TrustedIssuer, audiences: &[&str]) -> Self {
        let trust = &issuer.trust;
        let (step, detail) = match mismatch {
            Mismatch::Header => {
                let allowed: Vec<_> = trust.algorithms.iter().map(|algorithm| algorithm.as_str()).collect();
                let detail = format!(
                    "alg must be one of {}, kid a text, typ missing or JWT, and jwk, jku, x5u, x5c, crit, b64, enc and zip missing",
                    allowed.join(", ")
                );
                (Step::Header, detail)
            }
            Mismatch::Key => {
                (Step::Keys, "no key of the issuer has this kid and serves this alg; a token without a kid needs there to be one such key only".into())
            }
            Mismatch::Signature => (Step::Signature, "the key of this kid has not signed this token".into()),
            Mismatch::Claims => {
                (Step::Claims, "sub, aud, iat and exp must be there, once and of their types; times are whole seconds".into())
            }
            Mismatch::Audience => (Step::Claims, format!("aud must be {}, and nothing else", audiences.join(" or "))),
            Mismatch::Expired => (Step::Claims, "exp has passed; try a token that was just made".into()),
            Mismatch::Early => (Step::Claims, "iat or nbf lies ahead, or exp before iat; compare the clocks".into()),
            Mismatch::Old => {
                let detail = format!("iat is more than max_token_age_seconds ({}) ago", trust.max_age_seconds);
                (Step::Claims, detail)
            }
            Mismatch::Used => (Step::Claims, "a token of this jti was used before".into()),
            Mismatch::Binding => (Step::Binding, "no binding fits; bindings says which claims keep each from it".into()),
            Mismatch::Ambiguous => {
                (Step::Binding, "bindings to several applications fit; whoever presents it must name one by client_id".into())
            }
        };
        Self { step, code: mismatch.code(), detail }
    }
}

/// How a binding stands to the claims of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fit {
    /// The binding.
    pub binding: BindingId,
    /// Where it leads.
    pub application: ApplicationId,
    /// The claims that do not fit it; none if it fits.
    pub failing: Vec<String>,
}

/// How each binding stands to these claims.
pub fn fits(bindings: &[Binding], claims: &Map<String, Value>) -> Vec<Fit> {
    let fit = |binding: &Binding| {
        let failing = binding.conditions.iter().filter(|condition| !condition.holds(claims));
        let failing = failing.map(|condition| condition.draft().claim).collect();
        Fit { binding: binding.id, application: binding.application_id, failing }
    };
    bindings.iter().map(fit).collect()
}

/// What trying a token came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The step that it does not pass; none if it would be accepted.
    pub failed: Option<Failed>,
    /// How the bindings stand to it, once its claims were believed.
    pub fits: Vec<Fit>,
    /// The application that it stands for.
    pub application: Option<ApplicationId>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::Draft;
    use crate::foreign_key::Algorithm;
    use crate::id::{IssuerId, TenantId};
    use crate::outgoing::Target;
    use crate::time::Timestamp;
    use crate::trusted_issuer::{KeySource, Trust, parse_conditions};
    use serde_json::json;

    fn binding(number: u128, sub: &str) -> Binding {
        let drafts = vec![
            Draft { claim: "sub".into(), matches: Some(sub.into()), ..Draft::default() },
            Draft { claim: "env".into(), equals: Some(json!("prod")), ..Draft::default() },
        ];
        Binding {
            id: BindingId::from_u128(number),
            description: String::new(),
            application_id: ApplicationId::from_u128(number),
            conditions: parse_conditions("/c", drafts).unwrap(),
        }
    }

    fn issuer() -> TrustedIssuer {
        let now = Timestamp::from_micros(0);
        TrustedIssuer {
            id: IssuerId::from_u128(1),
            tenant_id: TenantId::from_u128(1),
            name: "CI".into(),
            trust: Trust {
                issuer: Target::parse("", "https://issuer.example").unwrap(),
                audience: None,
                keys: KeySource::Discovery,
                algorithms: vec![Algorithm::Rs256],
                max_age_seconds: 600,
                single_use: true,
                enabled: true,
            },
            bindings: Vec::new(),
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    #[test]
    fn each_binding_names_the_claims_that_keep_it_from_fitting() {
        let bindings = [binding(1, "repo:acme/app:*"), binding(2, "repo:acme/web:*")];
        let claims = json!({"sub": "repo:acme/app:main", "env": "test"});
        let found = fits(&bindings, claims.as_object().unwrap());
        assert_eq!(found[0].failing, ["env"]);
        assert_eq!(found[1].failing, ["sub", "env"]);
        let claims = json!({"sub": "repo:acme/web:main", "env": "prod"});
        let found = fits(&bindings, claims.as_object().unwrap());
        assert_eq!((found[0].failing.len(), found[1].failing.len()), (1, 0));
    }

    #[test]
    fn every_mismatch_has_its_step_and_words() {
        use Mismatch::{Ambiguous, Audience, Binding, Claims, Early, Expired, Header, Key, Old, Signature, Used};
        for (mismatch, step) in [
            (Header, Step::Header),
            (Key, Step::Keys),
            (Signature, Step::Signature),
            (Claims, Step::Claims),
            (Audience, Step::Claims),
            (Expired, Step::Claims),
            (Early, Step::Claims),
            (Old, Step::Claims),
            (Used, Step::Claims),
            (Binding, Step::Binding),
            (Ambiguous, Step::Binding),
        ] {
            let failed = Failed::of(mismatch, &issuer(), &["https://here.example"]);
            assert_eq!((failed.step, failed.code), (step, mismatch.code()));
            assert!(!failed.detail.is_empty());
        }
        assert!(Failed::of(Audience, &issuer(), &["a", "b"]).detail.contains("a or b"));
        assert!(Failed::of(Old, &issuer(), &[]).detail.contains("600"));
        let names: std::collections::HashSet<_> = Step::ALL.iter().map(|step| step.as_str()).collect();
        assert_eq!(names.len(), Step::ALL.len());
    }
}
