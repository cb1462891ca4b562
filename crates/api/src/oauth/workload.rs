//! Tokens of trusted issuers at `/oauth2/token`: as an assertion (RFC 7523), or to be exchanged (RFC 8693). The two differ in
//! their words alone.

use super::error::Answer;
use super::metadata::TOKEN;
use super::token::{TokenBody, binding, check_target, lifetime};
use crate::kit::{Api, Form, without_credential};
use claviger_app::sessions::Wish;
use claviger_app::workload::Assertion;
use claviger_domain::id::TenantId;
use claviger_domain::token::LIFETIME_DEFAULT;
use claviger_domain::{Error, Result};
use http::request::Parts;

pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
pub(super) const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// How a token of a trusted issuer is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    /// As an assertion.
    JwtBearer,
    /// To be exchanged.
    TokenExchange,
}

impl Grant {
    /// What a `grant_type` names.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            JWT_BEARER => Some(Self::JwtBearer),
            TOKEN_EXCHANGE => Some(Self::TokenExchange),
            _ => None,
        }
    }

    fn door(self) -> &'static str {
        match self {
            Self::JwtBearer => "jwt_bearer",
            Self::TokenExchange => "token_exchange",
        }
    }

    /// The token that is presented.
    fn subject(self, form: &Form) -> Result<&str> {
        if self == Self::JwtBearer {
            return form.require("assertion");
        }
        if form.get("actor_token").is_some() || form.get("actor_token_type").is_some() {
            return Err(invalid("nobody acts for somebody else here; leave actor_token out"));
        }
        if ![JWT, ID_TOKEN].contains(&form.require("subject_token_type")?) {
            return Err(invalid(&format!("subject_token_type can be {JWT} or {ID_TOKEN}")));
        }
        if form.get("requested_token_type").is_some_and(|wanted| wanted != ACCESS_TOKEN) {
            return Err(invalid(&format!("requested_token_type can be {ACCESS_TOKEN}")));
        }
        form.require("subject_token")
    }
}

fn invalid(detail: &str) -> Error {
    Error::Malformed { code: "invalid_request", detail: detail.to_owned() }
}

/// Answers whoever presents a token of a trusted issuer.
pub(super) async fn exchange(api: &Api, parts: &Parts, form: &Form, grant: Grant) -> Answer {
    let (origin, user_agent) = without_credential(api, parts, form)?;
    let text = grant.subject(form)?;
    check_target(api, form)?;
    let asked = lifetime(form)?;
    let tenant = match form.get("tenant_id") {
        Some(id) => Some(TenantId::parse(id).ok_or_else(|| invalid("tenant_id is not the id of a tenant"))?),
        None => None,
    };
    let here = api.app.token_settings()?.issuer.as_str();
    let door = format!("{here}{TOKEN}");
    let assertion = Assertion { text, client_id: form.get("client_id"), tenant, audiences: [here, &door] };
    let workload = api.app.authenticate_workload(&assertion, origin, user_agent).await?;
    let binding = binding(api, parts, &workload.caller).await?;
    let wish = Wish {
        door: grant.door(),
        scope: form.get("scope"),
        lifetime: Some(asked.map_or(workload.lifetime, |asked| asked.min(workload.lifetime))),
        usual: LIFETIME_DEFAULT,
        user_agent,
        source: &workload.source,
    };
    let issued = api.app.issue_bound_token(&workload.caller, &wish, binding.as_ref())?;
    let body = TokenBody {
        access_token: &issued.text,
        issued_token_type: (grant == Grant::TokenExchange).then_some(ACCESS_TOKEN),
        token_type: if binding.is_some() { "DPoP" } else { "Bearer" },
        expires_in: issued.expires_in,
        scope: &issued.scope,
    };
    Ok(body.answer())
}
