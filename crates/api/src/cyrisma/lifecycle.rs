//! `/app/partner/instances`: suspend, reactivate, convert, second factor, delete. Doing one of them again is a success.

use super::auth::PartnerCaller;
use super::error::{Answer, answer};
use super::fields::{instance_not_found, mfa_digit, parse_instance, parse_mfa};
use crate::kit::{Api, LooseForm, Path};
use axum::extract::{Request, State};
use claviger_app::caller::Caller;
use claviger_app::tenants::Standing;
use claviger_app::unit::Posted;
use claviger_domain::id::TenantId;
use claviger_domain::tenant::{DetailsPatch, Tenant, TenantPatch};
use claviger_domain::{Error, Result};
use http::StatusCode;
use serde_json::json;

async fn form(request: Request) -> Result<LooseForm> {
    let (parts, body) = request.into_parts();
    LooseForm::read_all(&parts, body).await
}

async fn stand(api: &Api, caller: &Caller, id: TenantId, standing: Standing) -> Result<Tenant> {
    match api.app.change_standing(caller, id, standing, None, None).await.map_err(in_our_words)? {
        Posted::Done(tenant) => Ok(tenant),
        Posted::Replayed(_) => Err(Error::Internal("a call without a key was replayed".into())),
    }
}

/// What is refused for any other reason than a right is a request that cannot be, to this family.
fn in_our_words(error: Error) -> Error {
    match error {
        Error::Forbidden { missing: None, detail } => Error::Malformed { code: "invalid_request", detail },
        Error::Conflict { code: "not_an_instance", detail, .. } => Error::Malformed { code: "invalid_request", detail },
        other => instance_not_found(other),
    }
}

/// Answers `PATCH /app/partner/instances/suspend`.
pub(super) async fn suspend(State(api): State<Api>, PartnerCaller(caller): PartnerCaller, request: Request) -> Answer {
    let id = parse_instance(form(request).await?.require("instance_id")?)?;
    let tenant = stand(&api, &caller, id, Standing::Suspended).await?;
    // This one answer spells the id so.
    Ok(answer(StatusCode::OK, &json!({ "instanceID": tenant.id, "name": tenant.name, "enabled": 0 })))
}

/// Answers `PATCH /app/partner/instances/reactivate`, and `/app/partner/instances/info`.
pub(super) async fn reactivate(
    State(api): State<Api>,
    PartnerCaller(caller): PartnerCaller,
    request: Request,
) -> Answer {
    let id = parse_instance(form(request).await?.require("instance_id")?)?;
    let tenant = stand(&api, &caller, id, Standing::Reactivated).await?;
    Ok(answer(StatusCode::OK, &json!({ "instance_id": tenant.id, "name": tenant.name, "enabled": 1 })))
}

/// Answers `PATCH /app/partner/instances/convert`.
pub(super) async fn convert(State(api): State<Api>, PartnerCaller(caller): PartnerCaller, request: Request) -> Answer {
    let id = parse_instance(form(request).await?.require("instance_id")?)?;
    let tenant = stand(&api, &caller, id, Standing::Converted).await?;
    let body = json!({ "instance_id": tenant.id, "name": tenant.name, "consulting_status": "standard" });
    Ok(answer(StatusCode::OK, &body))
}

/// Answers `PATCH /app/partner/instances/mfa`.
pub(super) async fn set_mfa(State(api): State<Api>, PartnerCaller(caller): PartnerCaller, request: Request) -> Answer {
    let form = form(request).await?;
    let id = parse_instance(form.require("instance_id")?)?;
    let requirement = parse_mfa("mfa_type", form.require("mfa_type")?)?;
    let details = DetailsPatch { mfa_required: Some(requirement), ..DetailsPatch::default() };
    let patch = TenantPatch { details, ..TenantPatch::default() };
    let tenant = api.app.update_tenant(&caller, id, patch, None).await.map_err(in_our_words)?;
    let digit = mfa_digit(tenant.details.mfa_required);
    Ok(answer(StatusCode::OK, &json!({ "instance_id": tenant.id, "name": tenant.name, "mfa_type": digit })))
}

/// Answers `DELETE /app/partner/instances/{instance_id}`, an addition of ours: it is gone for good when its grace is over.
pub(super) async fn delete(
    State(api): State<Api>,
    PartnerCaller(caller): PartnerCaller,
    Path(instance_id): Path<String>,
) -> Answer {
    let tenant = stand(&api, &caller, parse_instance(&instance_id)?, Standing::Deleted).await?;
    let body = json!({ "instance_id": tenant.id, "name": tenant.name, "enabled": 0, "purge_at": tenant.purge_at });
    Ok(answer(StatusCode::OK, &body))
}
