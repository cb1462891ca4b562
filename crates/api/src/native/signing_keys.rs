//! The keys that sign session tokens: the operator's own business.

use crate::kit::{Api, Authenticated, Path, Post};
use crate::native::answer::{Answer, json, keep, replayed};
use crate::native::openapi::{Creating, Reading, Writing};
use axum::extract::State;
use claviger_app::signing_keys::{KeyState, RevokedKey};
use claviger_app::unit::{Kept, OnceFor, Posted};
use claviger_domain::jws;
use claviger_domain::time::Timestamp;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A signing key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SigningKey)]
pub(crate) struct SigningKeyBody {
    /// What tokens call it.
    #[schema(example = "5f3c0e1d2b4a6978")]
    kid: String,
    /// `published`, `signing`, `retiring` (what it signed is accepted), `retired` or `revoked`.
    #[schema(example = "signing")]
    state: &'static str,
    /// The public Ed25519 key in base64url.
    public_key: String,
    /// When it was made and published.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// From when on it signs.
    #[schema(value_type = String, format = DateTime)]
    signs_from: Timestamp,
    /// Until when it signs.
    #[schema(value_type = String, format = DateTime)]
    signs_until: Timestamp,
    /// From when on nothing that it signed is accepted.
    #[schema(value_type = String, format = DateTime)]
    retires_at: Timestamp,
    /// When it was revoked.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
}

/// All signing keys, oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SigningKeys)]
pub(crate) struct SigningKeysBody {
    /// The keys.
    items: Vec<SigningKeyBody>,
}

/// What became of a revocation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RevokedSigningKey)]
pub(crate) struct RevokedKeyBody {
    /// The key that was revoked.
    revoked: SigningKeyBody,
    /// The key that was made and signs at once, where no other one did; `null` if one did.
    #[schema(required = true)]
    made: Option<SigningKeyBody>,
}

/// Nothing needs to be said.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NoMembers)]
pub(crate) struct NoMembers {}

impl From<&KeyState> for SigningKeyBody {
    fn from(key: &KeyState) -> Self {
        Self {
            kid: key.kid.clone(),
            state: key.stage.as_str(),
            public_key: jws::encode(&key.public),
            created_at: key.times.created_at,
            signs_from: key.times.signs_from,
            signs_until: key.times.signs_until,
            retires_at: key.times.retires_at,
            revoked_at: key.times.revoked_at,
        }
    }
}

impl From<&RevokedKey> for RevokedKeyBody {
    fn from(found: &RevokedKey) -> Self {
        Self { revoked: (&found.revoked).into(), made: found.made.as_ref().map(Into::into) }
    }
}

fn kept_key(key: &KeyState) -> Kept {
    keep(StatusCode::OK, &SigningKeyBody::from(key))
}

fn kept_revocation(found: &RevokedKey) -> Kept {
    keep(StatusCode::OK, &RevokedKeyBody::from(found))
}

/// List the signing keys
///
/// For credentials of the operator. `/.well-known/jwks.json` has the public keys for everybody.
#[utoipa::path(get, path = "/v1/signing-keys", tag = "session tokens",
    responses((status = 200, description = "Done", body = SigningKeysBody), Reading))]
pub(crate) async fn list_signing_keys(State(api): State<Api>, Authenticated(caller): Authenticated) -> Answer {
    let keys = api.app.list_signing_keys(&caller).await?;
    json(StatusCode::OK, &SigningKeysBody { items: keys.iter().map(Into::into).collect() })
}

/// Make the next signing key now
///
/// It is published, and takes over after the lead of the configuration; no token ends. For credentials of the operator.
#[utoipa::path(post, path = "/v1/signing-keys/rotate", tag = "session tokens", params(Creating),
    request_body = Option<NoMembers>,
    responses((status = 200, description = "Done", body = SigningKeyBody), Writing))]
pub(crate) async fn rotate_signing_key(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Post { body: NoMembers {}, once }: Post<NoMembers>,
) -> Answer {
    let once = once.map(|once| OnceFor { once, keep: kept_key });
    match api.app.rotate_signing_key(&caller, once).await? {
        Posted::Done(key) => json(StatusCode::OK, &SigningKeyBody::from(&key)),
        Posted::Replayed(kept) => replayed(kept),
    }
}

/// Revoke a signing key
///
/// For one that was stolen: every token that it signed is dead when this is answered, and clients get new ones with their
/// secrets. Where no other key signs, one is made and signs at once. For credentials of the operator.
#[utoipa::path(post, path = "/v1/signing-keys/{kid}/revoke", tag = "session tokens",
    params(("kid" = String, Path), Creating), request_body = Option<NoMembers>,
    responses((status = 200, description = "Done", body = RevokedKeyBody), Writing))]
pub(crate) async fn revoke_signing_key(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(kid): Path<String>,
    Post { body: NoMembers {}, once }: Post<NoMembers>,
) -> Answer {
    let once = once.map(|once| OnceFor { once, keep: kept_revocation });
    match api.app.revoke_signing_key(&caller, kid, once).await? {
        Posted::Done(found) => json(StatusCode::OK, &RevokedKeyBody::from(&found)),
        Posted::Replayed(kept) => replayed(kept),
    }
}
