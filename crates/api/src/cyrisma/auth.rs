//! Who signs in by name and password, and on which instance a session reports.

use super::error::NOT_OPENED;
use crate::kit::{Api, Authenticated, Failure, authenticate, circumstances, fallback, with_request};
use axum::extract::{FromRequestParts, Request, State};
use axum::response::{IntoResponse as _, Response};
use claviger_app::caller::{Caller, StandIn};
use claviger_app::live::tree::TenantNode;
use claviger_domain::address::Origin;
use claviger_domain::grants::Verb;
use claviger_domain::{Error, Refusal, Result};
use http::request::Parts;
use std::sync::Arc;

/// The rights of this family that stand in for ours at its doors, so that an application can be given these and nothing else.
const STAND_INS: [StandIn; 8] = [
    StandIn::new(("tenants", Verb::Create), ("cyrisma.instances", Verb::Create)),
    StandIn::new(("tenants", Verb::Read), ("cyrisma.instances", Verb::Read)),
    StandIn::new(("tenants", Verb::Update), ("cyrisma.instances", Verb::Update)),
    StandIn::new(("tenants", Verb::Delete), ("cyrisma.instances", Verb::Delete)),
    StandIn::new(("users", Verb::Create), ("cyrisma.users", Verb::Create)),
    StandIn::new(("users", Verb::Read), ("cyrisma.users", Verb::Read)),
    StandIn::new(("users", Verb::Update), ("cyrisma.users", Verb::Update)),
    StandIn::new(("endpoints", Verb::Read), ("cyrisma.usage", Verb::Read)),
];

/// Extracts the verified caller of a request, whose rights of this family stand in for ours.
#[derive(Debug)]
pub(super) struct PartnerCaller(pub(super) Caller);

impl FromRequestParts<Api> for PartnerCaller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Failure> {
        let Authenticated(caller) = Authenticated::from_request_parts(parts, api).await?;
        Ok(Self(caller.at_door(&STAND_INS)))
    }
}

/// Says what a door that takes names and passwords says to whoever may not pass: to all strangers the same.
pub(super) fn refuse(api: &Api, error: Error, name: Option<&str>, origin: Origin) -> Error {
    let denied = |code, detail: String| Error::Malformed { code, detail };
    match error {
        Error::Unauthenticated(Refusal::SecretTemporary) => {
            let detail = "the password is temporary; change it at /app/partner/login/regen-pass".to_owned();
            denied("password_reset_required", detail)
        }
        Error::Unauthenticated(refusal) if refusal.is_owner() => {
            denied("invalid_grant", format!("the credential is right, but: {}", refusal.code()))
        }
        Error::Unauthenticated(_) => match api.app.count_guess(name, origin) {
            Ok(()) => denied("invalid_grant", "the credential is not valid".to_owned()),
            Err(limited) => limited,
        },
        other => other,
    }
}

/// From where a request comes, and what the client calls itself.
pub(super) fn place<'a>(api: &Api, parts: &'a Parts) -> (Origin, &'a str) {
    circumstances(api, parts.into())
}

/// The caller of a token, and the instance that it reports on: the one whose host was asked for, or where there is one host for
/// everything the only one that was opened.
pub(super) async fn find_reporter(api: &Api, parts: &Parts) -> Result<(Caller, Arc<TenantNode>)> {
    let caller = with_request(authenticate(api, parts).await?, parts);
    let hosts = &api.instance_hosts;
    let asked = hosts.find(&parts.uri, &parts.headers);
    let found = if asked.is_some() || hosts.are_one() {
        api.app.find_reporting_instance(&caller, asked.as_deref()).await?
    } else {
        None
    };
    let instance = found.ok_or_else(|| {
        let detail = "the token has not been authenticated for one instance here; POST \
                      /app/partner/instances/login/{instance_id} first";
        Error::Malformed { code: NOT_OPENED, detail: detail.into() }
    })?;
    Ok((caller, instance))
}

/// Answers reports that there are none of: only to who may report here.
pub(super) async fn refuse_unknown_report(State(api): State<Api>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match find_reporter(&api, &parts).await {
        Ok((caller, _)) => {
            caller.count();
            fallback::<super::error::Partner>(Request::from_parts(parts, body)).await
        }
        Err(error) => Failure(error).into_response(),
    }
}
