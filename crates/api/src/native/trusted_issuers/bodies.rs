//! Bodies of trusted issuers, and how they are read.

use crate::kit::Fields;
use crate::native::secrets::LastUseBody;
use claviger_app::trusted_issuers::IssuerAndUses;
use claviger_domain::application::LastUse;
use claviger_domain::claim::{Condition, Draft};
use claviger_domain::foreign_key::Algorithm;
use claviger_domain::id::{ApplicationId, BindingId, IssuerId, TenantId};
use claviger_domain::name::{DESCRIPTION_MAX, Name, parse_text};
use claviger_domain::outgoing::Target;
use claviger_domain::time::Timestamp;
use claviger_domain::trusted_issuer::{
    AGE_DEFAULT, KeySource, NewBinding, NewTrustedIssuer, Trust, TrustedIssuer, TrustedIssuerPatch, check_bindings,
    parse_age, parse_algorithms, parse_audience, parse_conditions, parse_issuer, parse_pinned,
};
use claviger_domain::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;
use utoipa::ToSchema;

/// What must be so of one claim: exactly one of `equals`, `matches`, `one_of` and `contains`.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ClaimCondition)]
pub(crate) struct ConditionBody {
    /// The claim: its name, or a JSON pointer such as `/kubernetes.io/namespace` to one within another.
    #[schema(min_length = 1, max_length = 128, example = "sub")]
    claim: String,
    /// It is this text, this whole number or this truth value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    equals: Option<Value>,
    /// It is a text that fits this pattern as a whole: `*` stands for any characters but `:` and `/`, `**` for any at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 512, example = "repo:acme/app:ref:refs/heads/*")]
    matches: Option<String>,
    /// It is one of these texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 50)]
    one_of: Option<Vec<String>>,
    /// It is a list, and this text is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 512)]
    contains: Option<String>,
}

/// Which tokens stand for an application.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewIssuerBinding)]
pub(crate) struct NewBindingBody {
    /// What it is for.
    #[serde(default)]
    #[schema(max_length = 1024)]
    description: String,
    /// The application, one of the tenant's.
    #[schema(value_type = Uuid)]
    application_id: ApplicationId,
    /// All of them must hold; one must be about `sub`.
    #[schema(min_items = 1, max_items = 16)]
    conditions: Vec<ConditionBody>,
}

/// Which tokens stand for an application.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IssuerBinding)]
pub(crate) struct BindingBody {
    /// Id. It is another one whenever the binding changes, or how the issuer's tokens are verified: session tokens that were
    /// got by it end then.
    #[schema(value_type = Uuid)]
    id: BindingId,
    /// What it is for.
    description: String,
    /// The application.
    #[schema(value_type = Uuid)]
    application_id: ApplicationId,
    /// All of them must hold.
    conditions: Vec<ConditionBody>,
    /// When a token or a session token that it led to was used last; `null` if never.
    #[schema(required = true)]
    last_use: Option<LastUseBody>,
}

/// Somebody else who signs tokens that the tenant takes for proof.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TrustedIssuer)]
pub(crate) struct TrustedIssuerBody {
    /// Id.
    #[schema(value_type = Uuid)]
    id: IssuerId,
    /// The tenant.
    #[schema(value_type = Uuid)]
    tenant_id: TenantId,
    /// Name, unique in the tenant.
    name: String,
    /// The `iss` of its tokens, to the letter; unique in the tenant.
    issuer: String,
    /// The `aud` of its tokens; `null` is this server's URL, its token endpoint, or `/tenants/{tenant_id}` beneath the URL.
    #[schema(required = true)]
    audience: Option<String>,
    /// Where its keys lie; `null` where its discovery document says that, or they are given.
    #[schema(required = true)]
    jwks_uri: Option<String>,
    /// Its keys, where they are given in place of being fetched.
    #[schema(required = true, value_type = Option<Object>)]
    jwks: Option<Value>,
    /// By which algorithms it may sign.
    algorithms: Vec<&'static str>,
    /// How old a token may be.
    max_token_age_seconds: i64,
    /// Whether a token that has an id (`jti`) is accepted once only.
    single_use: bool,
    /// Whether its tokens are accepted at all.
    enabled: bool,
    /// What they stand for.
    bindings: Vec<BindingBody>,
    /// Counts the changes; the entity tag.
    version: i64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was changed last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// An issuer to be trusted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTrustedIssuer)]
pub(crate) struct NewTrustedIssuerBody {
    /// Name, unique in the tenant.
    #[schema(min_length = 1, max_length = 128)]
    name: String,
    /// The `iss` of its tokens, to the letter: a URL.
    #[schema(max_length = 1024, example = "https://token.actions.githubusercontent.com")]
    issuer: String,
    /// The `aud` of its tokens; if not given, this server's URL, its token endpoint, or `/tenants/{tenant_id}` beneath the URL.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 512)]
    audience: Option<String>,
    /// Where its keys lie, if its discovery document is not to be asked.
    #[serde(default)]
    #[schema(max_length = 1024)]
    jwks_uri: Option<String>,
    /// Its keys (RFC 7517), at most 20, if nothing is to be fetched.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    jwks: Option<Value>,
    /// By which algorithms it may sign: of `RS256`, `PS256`, `ES256` and `EdDSA`.
    #[serde(default = "usual_algorithms")]
    #[schema(min_items = 1, max_items = 4)]
    algorithms: Vec<String>,
    /// How old a token may be.
    #[serde(default = "usual_age")]
    #[schema(minimum = 60, maximum = 86400)]
    max_token_age_seconds: i64,
    /// Whether a token that has an id (`jti`) is accepted once only.
    #[serde(default = "yes")]
    single_use: bool,
    /// Whether its tokens are accepted at all.
    #[serde(default = "yes")]
    enabled: bool,
    /// What they stand for.
    #[serde(default)]
    #[schema(max_items = 50)]
    bindings: Vec<NewBindingBody>,
}

/// A change of a trusted issuer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TrustedIssuerPatch)]
pub(crate) struct TrustedIssuerPatchBody {
    /// New name.
    #[serde(default, deserialize_with = "crate::kit::not_null")]
    #[schema(min_length = 1, max_length = 128, nullable = false)]
    name: Option<String>,
    /// New issuer.
    #[serde(default, deserialize_with = "crate::kit::not_null")]
    #[schema(max_length = 1024, nullable = false)]
    issuer: Option<String>,
    /// New audience; `null` for the usual ones.
    #[serde(default, deserialize_with = "crate::kit::given")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 512)]
    audience: Option<Option<String>>,
    /// New place of its keys; `null` for what the discovery document says.
    #[serde(default, deserialize_with = "crate::kit::given")]
    #[schema(value_type = Option<String>, max_length = 1024)]
    jwks_uri: Option<Option<String>>,
    /// Its keys; `null` for what the discovery document says.
    #[serde(default, deserialize_with = "crate::kit::given")]
    #[schema(value_type = Option<Object>)]
    jwks: Option<Option<Value>>,
    /// New algorithms.
    #[serde(default, deserialize_with = "crate::kit::not_null")]
    #[schema(min_items = 1, max_items = 4, nullable = false)]
    algorithms: Option<Vec<String>>,
    /// New age.
    #[serde(default, deserialize_with = "crate::kit::not_null")]
    #[schema(minimum = 60, maximum = 86400, nullable = false)]
    max_token_age_seconds: Option<i64>,
    /// Whether a token that has an id (`jti`) is accepted once only.
    #[serde(default, deserialize_with = "crate::kit::not_null")]
    #[schema(nullable = false)]
    single_use: Option<bool>,
    /// Whether its tokens are accepted at all.
    #[serde(default, deserialize_with = "crate::kit::not_null")]
    #[schema(nullable = false)]
    enabled: Option<bool>,
    /// New bindings, in place of all old ones. One that says what an old one said stays that one.
    #[serde(default, deserialize_with = "crate::kit::not_null")]
    #[schema(max_items = 50, nullable = false)]
    bindings: Option<Vec<NewBindingBody>>,
}

fn usual_algorithms() -> Vec<String> {
    vec![Algorithm::Rs256.as_str().to_owned(), Algorithm::Es256.as_str().to_owned()]
}

fn usual_age() -> i64 {
    AGE_DEFAULT
}

fn yes() -> bool {
    true
}

impl From<&Condition> for ConditionBody {
    fn from(condition: &Condition) -> Self {
        let Draft { claim, equals, matches, one_of, contains } = condition.draft();
        Self { claim, equals, matches, one_of, contains }
    }
}

impl From<ConditionBody> for Draft {
    fn from(body: ConditionBody) -> Self {
        let ConditionBody { claim, equals, matches, one_of, contains } = body;
        Self { claim, equals, matches, one_of, contains }
    }
}

impl From<&TrustedIssuer> for TrustedIssuerBody {
    /// One whose bindings were never used.
    fn from(issuer: &TrustedIssuer) -> Self {
        Self::of(issuer, &HashMap::new())
    }
}

impl From<&IssuerAndUses> for TrustedIssuerBody {
    fn from(found: &IssuerAndUses) -> Self {
        Self::of(&found.issuer, &found.uses)
    }
}

impl TrustedIssuerBody {
    fn of(issuer: &TrustedIssuer, uses: &HashMap<BindingId, LastUse>) -> Self {
        let trust = &issuer.trust;
        let (jwks_uri, jwks) = key_members(&trust.keys);
        let bindings = issuer.bindings.iter().map(|binding| BindingBody {
            id: binding.id,
            description: binding.description.clone(),
            application_id: binding.application_id,
            conditions: binding.conditions.iter().map(ConditionBody::from).collect(),
            last_use: uses.get(&binding.id).map(LastUseBody::from),
        });
        Self {
            id: issuer.id,
            tenant_id: issuer.tenant_id,
            name: issuer.name.clone(),
            issuer: trust.issuer.as_str().to_owned(),
            audience: trust.audience.clone(),
            jwks_uri,
            jwks,
            algorithms: trust.algorithms.iter().map(|algorithm| algorithm.as_str()).collect(),
            max_token_age_seconds: trust.max_age_seconds,
            single_use: trust.single_use,
            enabled: trust.enabled,
            bindings: bindings.collect(),
            version: issuer.version,
            created_at: issuer.created_at,
            updated_at: issuer.updated_at,
        }
    }
}

/// Where keys come from: `jwks_uri` and `jwks`.
pub(crate) fn key_members(keys: &KeySource) -> (Option<String>, Option<Value>) {
    match keys {
        KeySource::Discovery => (None, None),
        KeySource::Fetched(target) => (Some(target.as_str().to_owned()), None),
        KeySource::Pinned(text) => (None, serde_json::from_str(text).ok()),
    }
}

/// Where keys come from, of what was given; both is an error.
fn parse_keys(jwks_uri: Option<String>, jwks: Option<&Value>) -> Result<KeySource> {
    match (jwks_uri, jwks) {
        (None, None) => Ok(KeySource::Discovery),
        (Some(url), None) => Ok(KeySource::Fetched(Target::parse("/jwks_uri", &url)?)),
        (None, Some(set)) => parse_pinned("/jwks", set),
        (Some(_), Some(_)) => {
            let fix = "give one of them, or neither for what the discovery document says";
            Err(Error::invalid("/jwks", "keys are given as well as a place to fetch them from", fix))
        }
    }
}

fn parse_bindings(bodies: Vec<NewBindingBody>) -> Result<Vec<NewBinding>> {
    check_bindings("/bindings", bodies.len())?;
    let (mut fields, mut bindings) = (Fields::new(), Vec::with_capacity(bodies.len()));
    for (index, body) in bodies.into_iter().enumerate() {
        let description =
            fields.take(parse_text(&format!("/bindings/{index}/description"), &body.description, DESCRIPTION_MAX));
        let drafts = body.conditions.into_iter().map(Draft::from).collect();
        let conditions = fields.take(parse_conditions(&format!("/bindings/{index}/conditions"), drafts));
        bindings.extend(description.zip(conditions).map(|(description, conditions)| NewBinding {
            description,
            application_id: body.application_id,
            conditions,
        }));
    }
    fields.finish(Some(bindings))
}

impl NewTrustedIssuerBody {
    pub(super) fn parse(self) -> Result<NewTrustedIssuer> {
        let mut fields = Fields::new();
        let name = fields.take(Name::parse("/name", &self.name));
        let issuer = fields.take(parse_issuer("/issuer", &self.issuer));
        let audience = self.audience.map(|text| parse_audience("/audience", text)).transpose();
        let audience = fields.take(audience);
        let keys = fields.take(parse_keys(self.jwks_uri, self.jwks.as_ref()));
        let algorithms = fields.take(parse_algorithms("/algorithms", &self.algorithms));
        let age = fields.take(parse_age("/max_token_age_seconds", self.max_token_age_seconds));
        let bindings = fields.take(parse_bindings(self.bindings));
        let (single_use, enabled) = (self.single_use, self.enabled);
        let built = || {
            let trust = Trust {
                issuer: issuer?,
                audience: audience?,
                keys: keys?,
                algorithms: algorithms?,
                max_age_seconds: age?,
                single_use,
                enabled,
            };
            Some(NewTrustedIssuer { name: name?, trust, bindings: bindings? })
        };
        fields.finish(built())
    }
}

impl TrustedIssuerPatchBody {
    pub(super) fn parse(self) -> Result<TrustedIssuerPatch> {
        let mut fields = Fields::new();
        let keys = match (self.jwks_uri, self.jwks) {
            (None, None) => None,
            (url, set) => fields.take(parse_keys(url.flatten(), set.flatten().as_ref())),
        };
        let audience = self.audience.map(|given| given.map(|text| parse_audience("/audience", text)).transpose());
        let patch = TrustedIssuerPatch {
            name: self.name.and_then(|name| fields.take(Name::parse("/name", &name))),
            issuer: self.issuer.and_then(|issuer| fields.take(parse_issuer("/issuer", &issuer))),
            audience: audience.and_then(|audience| fields.take(audience)),
            keys,
            algorithms: self.algorithms.and_then(|words| fields.take(parse_algorithms("/algorithms", &words))),
            max_age_seconds: self
                .max_token_age_seconds
                .and_then(|age| fields.take(parse_age("/max_token_age_seconds", age))),
            single_use: self.single_use,
            enabled: self.enabled,
            bindings: self.bindings.and_then(|bindings| fields.take(parse_bindings(bindings))),
        };
        fields.finish(Some(patch))
    }
}
