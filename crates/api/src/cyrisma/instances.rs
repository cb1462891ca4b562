//! `/app/partner/instances/login`: the instances on which a token may report from then on.

use super::error::{Answer, answer, code, describe, partner_status};
use crate::kit::{Api, Authenticated, Failure, Path};
use axum::extract::State;
use claviger_app::caller::Caller;
use claviger_app::instances::{Instance, OpenedInstances};
use claviger_domain::id::TenantId;
use claviger_domain::{Error, Result};
use http::StatusCode;
use serde_json::{Value, json};

/// Characters of a short name.
const SHORT_NAME_MAX: usize = 70;

/// Answers `POST /app/partner/instances/login`.
pub(super) async fn open_all(State(api): State<Api>, Authenticated(caller): Authenticated) -> Answer {
    let found = api.app.open_instances(&caller, None).await?;
    Ok(answer(StatusCode::OK, &body(&api, &found)?))
}

/// Answers `POST /app/partner/instances/login/{instance_id}`: an instance, or everything beneath an organisation.
pub(super) async fn open_one(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(instance_id): Path<String>,
) -> Answer {
    match open(&api, &caller, &instance_id).await {
        Ok(found) => Ok(answer(StatusCode::OK, &body(&api, &found)?)),
        Err(error @ (Error::Malformed { .. } | Error::Conflict { .. })) => {
            let refused = json!({
                "error": code(&error),
                "error_description": describe(&error),
                "success_token_inserts": [],
                "failed_token_inserts": [],
            });
            Ok(answer(partner_status(&error), &refused))
        }
        Err(other) => Err(Failure(other)),
    }
}

async fn open(api: &Api, caller: &Caller, instance_id: &str) -> Result<OpenedInstances> {
    let not_found = || Error::Malformed { code: "instance_not_found", detail: "there is no such instance".into() };
    let id = TenantId::parse(instance_id).ok_or_else(not_found)?;
    api.app.open_instances(caller, Some(id)).await.map_err(|error| match error {
        Error::NotFound(_) => not_found(),
        other => other,
    })
}

fn body(api: &Api, found: &OpenedInstances) -> Result<Value> {
    let url = &api.app.token_settings()?.issuer;
    let opened = |instance: &Instance| {
        json!({
            "instance_id": instance.id,
            "name": instance.name,
            "short_name": instance.name.chars().take(SHORT_NAME_MAX).collect::<String>(),
            "instance_url": api.instance_hosts.name(instance.org_key.as_str(), url),
        })
    };
    let failed = |instance: &Instance| {
        json!({
            "instance_id": instance.id,
            "name": instance.name,
            "error": "instance_suspended",
            "error_description": "the instance is suspended",
        })
    };
    Ok(json!({
        "success_token_inserts": found.opened.iter().map(opened).collect::<Vec<_>>(),
        "failed_token_inserts": found.suspended.iter().map(failed).collect::<Vec<_>>(),
    }))
}
