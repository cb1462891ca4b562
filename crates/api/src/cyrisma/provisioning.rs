//! `/app/partner/instances`: the structure, and what is made in it.

use super::auth::PartnerCaller;
use super::error::{Answer, answer};
use super::fields::{instance_not_found, mfa_digit, parse_consulting, parse_instance, parse_kind, parse_mfa};
use crate::kit::{Api, LooseForm, Path};
use axum::extract::{Request, State};
use axum::response::Response;
use claviger_app::structure::PlacedTenant;
use claviger_app::unit::{Kept, OnceFor, Posted};
use claviger_domain::id::TenantId;
use claviger_domain::provisioning::{NewProvisioning, Provisioning};
use claviger_domain::tenant::details::{parse_contact, parse_line, parse_short_name};
use claviger_domain::tenant::naming::parse_name;
use claviger_domain::tenant::{DetailsPatch, Kind, NewTenant};
use claviger_domain::{Error, Result, country};
use http::StatusCode;
use serde_json::{Value, json};

/// Answers `GET /app/partner/instances/info`: all, or the one that a query or a form names.
pub(super) async fn list(State(api): State<Api>, caller: PartnerCaller, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let form = LooseForm::read_all(&parts, body).await?;
    match form.get("instance_id") {
        Some(id) => one(&api, &caller, id).await,
        None => {
            let found = api.app.list_structure(&caller.0).await?;
            rows(&api, &caller, &found)
        }
    }
}

/// Answers `GET /app/partner/instances/info/{instance_id}`.
pub(super) async fn find(State(api): State<Api>, caller: PartnerCaller, Path(instance_id): Path<String>) -> Answer {
    one(&api, &caller, &instance_id).await
}

async fn one(api: &Api, caller: &PartnerCaller, id: &str) -> Answer {
    let found = api.app.find_in_structure(&caller.0, parse_instance(id)?).await.map_err(instance_not_found)?;
    rows(api, caller, found.as_slice())
}

fn rows(api: &Api, caller: &PartnerCaller, found: &[PlacedTenant]) -> Answer {
    let url = &api.app.token_settings()?.issuer;
    let root = caller.0.tenant().id;
    let rows: Vec<_> = found.iter().map(|placed| row(api, url, root, placed)).collect();
    Ok(answer(StatusCode::OK, &rows))
}

fn row(api: &Api, url: &str, root: TenantId, placed: &PlacedTenant) -> Value {
    let PlacedTenant { tenant, path, endpoints } = placed;
    let details = &tenant.details;
    json!({
        "instance_id": tenant.id,
        "name": tenant.name,
        "short_name": details.short_name.as_deref().unwrap_or(&super::fields::shortened(&tenant.name)),
        // What stands above the caller's own is none of its business.
        "parent_id": tenant.parent_id.filter(|_| tenant.id != root),
        "hierarchy": path.join("/"),
        "instance_type": if tenant.kind == Kind::Instance { "standard" } else { "organization" },
        "is_consulting": details.trial,
        "number_of_endpoints": endpoints,
        "url": api.instance_hosts.name(tenant.org_key.as_str(), url),
        "tenant_id": details.foreign_tenant_id,
        "agent_key": details.agent_key,
        "mfa": mfa_digit(details.mfa_required),
    })
}

/// Answers `POST /app/partner/instances/create`.
pub(super) async fn create(State(api): State<Api>, PartnerCaller(caller): PartnerCaller, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let (form, once) = LooseForm::read_once(&parts, body).await?;
    let parent = parse_instance(form.require("parent_instance_id")?)?;
    caller.reach(parent).map_err(instance_not_found)?;
    let tenant = new_tenant(&form, parent)?;
    let new = NewProvisioning { tenant, application: None, administrator: None };
    let once = once.map(|once| OnceFor { once, keep: kept });
    let id = match api.app.provision_tenant(&caller, new, once).await.map_err(in_their_words)? {
        Posted::Done(job) => job.tenant_id,
        Posted::Replayed(kept) => made(&kept)?,
    };
    let agent_key = api.app.find_agent_key(&caller, id).await?;
    Ok(answer(StatusCode::OK, &json!({ "instance_id": id, "agent_key": agent_key })))
}

fn new_tenant(form: &LooseForm, parent: TenantId) -> Result<NewTenant> {
    let kind = parse_kind("instance_type", form.require("instance_type")?)?;
    let trial = parse_consulting("is_consulting", form.require("is_consulting")?)?;
    if trial && kind != Kind::Instance {
        let fix = "send false; only an instance can start as consulting";
        return Err(Error::invalid("is_consulting", "an organization is never consulting", fix));
    }
    let line = |name: &str| form.get(name).map(|text| parse_line(name, text)).transpose();
    let details = DetailsPatch {
        short_name: Some(Some(parse_short_name("short_name", form.require("short_name")?)?)),
        email: Some(Some(parse_contact("email", form.require("email")?)?)),
        country: Some(Some(country::parse("country", form.require("country")?)?)),
        street: Some(line("street")?),
        postal: Some(line("postal")?),
        city: Some(line("city")?),
        state: Some(line("state")?),
        foreign_tenant_id: Some(line("tenant_id")?),
        mfa_required: form.get("mfa_type").map(|digit| parse_mfa("mfa_type", digit)).transpose()?,
        trial: Some(trial),
        ..DetailsPatch::default()
    };
    Ok(NewTenant { details, ..NewTenant::new(parse_name("name", form.require("name")?)?, kind, parent) })
}

/// Whatever is wrong with the place is wrong with the parent that was named.
fn in_their_words(error: Error) -> Error {
    let Error::Invalid(mut fields) = error else { return error };
    for field in fields.iter_mut().filter(|field| matches!(field.pointer.as_str(), "/kind" | "/parent_id")) {
        field.pointer = "parent_instance_id".into();
    }
    Error::Invalid(fields)
}

/// What is kept for whoever repeats the call: the key that goes with it is read anew.
fn kept(job: &Provisioning) -> Kept {
    Kept { status: 200, body: json!({ "instance_id": job.tenant_id }).to_string() }
}

fn made(kept: &Kept) -> Result<TenantId> {
    let body: Value = serde_json::from_str(&kept.body).unwrap_or_default();
    let id = body.get("instance_id").and_then(Value::as_str).and_then(TenantId::parse);
    id.ok_or_else(|| Error::Internal("a kept answer names no tenant".into()))
}

/// Answers `GET /app/partner/instances/provision-status/{instance_id}`.
pub(super) async fn find_status(
    State(api): State<Api>,
    PartnerCaller(caller): PartnerCaller,
    Path(instance_id): Path<String>,
) -> Result<Response, crate::kit::Failure> {
    let found = api.app.find_readiness(&caller, parse_instance(&instance_id)?).await.map_err(instance_not_found)?;
    let body = json!({
        "instance_id": found.tenant_id,
        "status": found.progress.as_str(),
        "error_description": found.error.unwrap_or_default(),
    });
    Ok(answer(StatusCode::OK, &body))
}
