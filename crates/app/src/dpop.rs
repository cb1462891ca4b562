//! Proofs of possession (RFC 9449): tokens that are bound to a key of their client, so that nobody else can use them.

use crate::App;
use crate::caller::Caller;
use crate::live::public_keys;
use crate::replay::Single;
use crate::verify::Call;
use claviger_domain::dpop::{self, Requested, WINDOW};
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Refusal, Result};

/// A proof as a request presents it.
#[derive(Clone, Copy, Debug)]
pub struct PresentedProof<'a> {
    /// The proof.
    pub text: &'a str,
    /// The request's method.
    pub method: &'a str,
    /// The request's path, without the query.
    pub path: &'a str,
}

/// The thumbprint of the key that a token is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thumbprint(pub String);

/// A session token with a proof.
#[derive(Clone, Copy)]
pub struct BoundToken<'a> {
    /// The token.
    pub token: &'a str,
    /// The proof.
    pub proof: PresentedProof<'a>,
}

impl App {
    /// Verifies a session token and the proof that comes with it.
    pub(crate) async fn authenticate_bound(&self, bound: BoundToken<'_>, call: Call<'_>) -> Result<Caller> {
        let call = Call { proves: true, ..call };
        let caller = self.authenticate_token(bound.token, call).await?;
        let proved = self.verify_proof(bound.proof, Some(bound.token), call.now).await?;
        let binding = caller.session().and_then(|session| session.binding.as_ref());
        match proved {
            Ok(thumbprint) if binding == Some(&thumbprint) => Ok(caller),
            _ => {
                self.deny_known(caller.record()?, Refusal::ProofInvalid.code().into(), call.origin, call.now);
                Err(Error::Unauthenticated(Refusal::ProofInvalid))
            }
        }
    }

    /// Verifies a proof for a request that presents `token`, or asks for one, and accepts it once: whose key has signed it.
    ///
    /// # Errors
    /// `Unavailable`; what is no proof is answered with a refusal in place of the key.
    pub async fn verify_proof(
        &self,
        presented: PresentedProof<'_>,
        token: Option<&str>,
        now: Timestamp,
    ) -> Result<Result<Thumbprint, Refusal>> {
        let PresentedProof { text, method, path } = presented;
        let origin = self.state.tokens.settings()?.issuer.as_str();
        let requested = Requested { method, origin, path, token };
        let Some(proof) = dpop::read(text, requested, now) else { return Ok(Err(Refusal::ProofInvalid)) };
        let key = &proof.key;
        if !public_keys::has_signed(key.algorithm, &key.public, proof.signed, proof.signature) {
            return Ok(Err(Refusal::ProofInvalid));
        }
        let thumbprint = key.thumbprint();
        let single = Single {
            kind: "dpop",
            maker: &thumbprint,
            part: key.public.iter().skip(1).take(16).fold(0, |part, byte| (part << 8) | u128::from(*byte)),
            jti: &proof.jti,
            could_be: proof.issued_at.plus_seconds(-WINDOW),
            ends_at: proof.ends_at(),
        };
        let first = self.accept_once(&single, now).await?;
        Ok(if first { Ok(Thumbprint(thumbprint)) } else { Err(Refusal::ProofInvalid) })
    }
}
