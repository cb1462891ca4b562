//! Public keys of an application: register, list, delete.

use crate::kit::{Api, Authenticated, Fields, Path, Post};
use crate::native::answer::{Answer, json, keep, no_content, replayed};
use crate::native::members::PageOf;
use crate::native::openapi::{Creating, Reading, Writing};
use axum::extract::State;
use claviger_app::unit::{Kept, OnceFor, Posted};
use claviger_domain::Result;
use claviger_domain::application::parse_expiry;
use claviger_domain::id::{ApplicationId, SecretId, TenantId};
use claviger_domain::jwk::{PublicJwk, members};
use claviger_domain::name::Name;
use claviger_domain::public_key::{NewPublicKey, PublicKey};
use claviger_domain::time::Timestamp;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A key to register.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPublicKey)]
pub(crate) struct NewPublicKeyBody {
    /// What people call it.
    #[schema(min_length = 1, max_length = 128)]
    name: String,
    /// The key (RFC 7517): Ed25519 (`kty` OKP, `crv` Ed25519) or P-256 (`kty` EC, `crv` P-256), its public half alone. Its
    /// `kid`, if it has one, is what assertions may call it; else that is its thumbprint (RFC 7638).
    #[schema(value_type = Object)]
    jwk: Map<String, Value>,
    /// When it stops; never, or at the tenant's ceiling, if not given.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// A public key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PublicKey)]
pub(crate) struct PublicKeyBody {
    /// Id.
    #[schema(value_type = Uuid)]
    id: SecretId,
    /// What people call it.
    name: String,
    /// What assertions call it.
    kid: String,
    /// How it signs: `EdDSA` or `ES256`.
    algorithm: &'static str,
    /// The key.
    #[schema(value_type = Object)]
    jwk: Value,
    /// When it was registered.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it stops; `null` is never.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

impl From<&PublicKey> for PublicKeyBody {
    fn from(key: &PublicKey) -> Self {
        Self {
            id: key.id,
            name: key.name.clone(),
            kid: key.kid.clone(),
            algorithm: key.algorithm.as_str(),
            jwk: members(key.algorithm, &key.public),
            created_at: key.created_at,
            expires_at: key.expires_at,
        }
    }
}

impl NewPublicKeyBody {
    fn parse(self, now: Timestamp) -> Result<NewPublicKey> {
        let mut fields = Fields::new();
        let name = fields.take(Name::parse("/name", &self.name));
        let key = fields.take(PublicJwk::parse("/jwk", &self.jwk));
        let expires_at = self.expires_at.and_then(|at| fields.take(parse_expiry("/expires_at", at, now)));
        let built = name.zip(key).and_then(|(name, key)| fields.take(NewPublicKey::new(name, key, expires_at)));
        fields.finish(built)
    }
}

fn kept(key: &PublicKey) -> Kept {
    keep(StatusCode::CREATED, &PublicKeyBody::from(key))
}

/// Register a public key
///
/// Whoever signs with its private half is the application (`private_key_jwt`, RFC 7523), so that it needs no secret. An
/// application has five keys at most.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/applications/{id}/keys", tag = "keys",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path), Creating),
    request_body = NewPublicKeyBody,
    responses((status = 201, description = "Done", body = PublicKeyBody), Writing))]
pub(crate) async fn register_public_key(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, application)): Path<(TenantId, ApplicationId)>,
    Post { body, once }: Post<NewPublicKeyBody>,
) -> Answer {
    let new = body.parse(api.app.clock().now())?;
    let once = once.map(|once| OnceFor { once, keep: kept });
    match api.app.register_public_key(&caller, tenant, application, new, once).await? {
        Posted::Done(key) => json(StatusCode::CREATED, &PublicKeyBody::from(&key)),
        Posted::Replayed(kept) => replayed(kept),
    }
}

/// List the live public keys of an application
///
/// There are five at most, so there is one page.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/applications/{id}/keys", tag = "keys",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path)),
    responses((status = 200, description = "Done", body = PageOf<PublicKeyBody>), Reading))]
pub(crate) async fn list_public_keys(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, application)): Path<(TenantId, ApplicationId)>,
) -> Answer {
    let keys = api.app.list_public_keys(&caller, tenant, application).await?;
    let items = keys.iter().map(PublicKeyBody::from).collect();
    json(StatusCode::OK, &PageOf { items, next_cursor: None })
}

/// Delete a public key
///
/// It is dead when this returns, and with it every session token that was got with it.
#[utoipa::path(delete, path = "/v1/tenants/{tenant_id}/applications/{id}/keys/{key_id}", tag = "keys",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path), ("key_id" = Uuid, Path)),
    responses((status = 204, description = "Done"), Writing))]
pub(crate) async fn delete_public_key(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, application, key)): Path<(TenantId, ApplicationId, SecretId)>,
) -> Answer {
    api.app.delete_public_key(&caller, tenant, application, key).await?;
    no_content()
}
