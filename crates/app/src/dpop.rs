//! Proofs of possession (RFC 9449): tokens that are bound to a key of their client, so that nobody else can use them.

use crate::App;
use crate::caller::Caller;
use crate::live::public_keys;
use crate::replay::Single;
use crate::verify::Call;
use claviger_domain::dpop::{self, Requested, WINDOW};
use claviger_domain::id::TenantId;
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

/// A proof that its key has signed.
struct Proved {
    thumbprint: Thumbprint,
    jti: String,
    could_be: Timestamp,
    ends_at: Timestamp,
}

impl App {
    /// Verifies a session token and the proof that comes with it.
    pub(crate) async fn authenticate_bound(&self, bound: BoundToken<'_>, call: Call<'_>) -> Result<Caller> {
        let call = Call { proves: true, ..call };
        let caller = self.authenticate_token(bound.token, call).await?;
        let binding = caller.session().and_then(|session| session.binding.as_ref());
        let proved = self.read_proof(bound.proof, Some(bound.token), call.now)?;
        // A proof of another key uses up nothing.
        let proved = match proved.filter(|proved| binding == Some(&proved.thumbprint)) {
            Some(proved) => self.use_proof(proved, caller.tenant().id, call.now).await?,
            None => None,
        };
        if proved.is_some() {
            return Ok(caller);
        }
        self.deny_known(caller.record()?, Refusal::ProofInvalid.code().into(), call.origin, call.now);
        Err(Error::Unauthenticated(Refusal::ProofInvalid))
    }

    /// Verifies a proof for a request of a caller of `tenant` that asks for a token, and accepts it once: whose key has signed
    /// it. None for what is no proof, or not a new one.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn verify_proof(
        &self,
        presented: PresentedProof<'_>,
        tenant: TenantId,
        now: Timestamp,
    ) -> Result<Option<Thumbprint>> {
        match self.read_proof(presented, None, now)? {
            Some(proved) => self.use_proof(proved, tenant, now).await,
            None => Ok(None),
        }
    }

    fn read_proof(&self, presented: PresentedProof<'_>, token: Option<&str>, now: Timestamp) -> Result<Option<Proved>> {
        let PresentedProof { text, method, path } = presented;
        let origin = self.state.tokens.settings()?.issuer.as_str();
        let requested = Requested { method, origin, path, token };
        let proof = dpop::read(text, requested, now).filter(|proof| {
            let key = &proof.key;
            public_keys::has_signed(key.algorithm, &key.public, proof.signed, proof.signature)
        });
        Ok(proof.map(|proof| Proved {
            thumbprint: Thumbprint(proof.key.thumbprint()),
            could_be: proof.issued_at.plus_seconds(-WINDOW),
            ends_at: proof.ends_at(),
            jti: proof.jti,
        }))
    }

    async fn use_proof(&self, proved: Proved, tenant: TenantId, now: Timestamp) -> Result<Option<Thumbprint>> {
        let Proved { thumbprint, jti, could_be, ends_at } = proved;
        let single = Single { kind: "dpop", maker: &thumbprint.0, tenant, jti: &jti, could_be, ends_at };
        Ok(self.accept_once(&single, now).await?.then_some(thumbprint))
    }
}
