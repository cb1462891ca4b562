//! What people of a tenant sign in with besides their password, at least.

use super::details::{mfa_word, strongest};
use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::place::Place;
use crate::session::Person;
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use claviger_domain::grants::Verb;
use claviger_domain::id::TenantId;
use claviger_domain::tenant::details::MfaRequirement;
use claviger_domain::tenant::{DetailsPatch, TenantPatch};
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure, Path, status};
use http::StatusCode;
use serde_json::json;

#[derive(Template)]
#[template(path = "tenants/mfa.html")]
struct MfaPage<'a> {
    place: &'a Place,
    chosen: String,
    version: i64,
    errors: &'a Errors,
}

impl MfaPage<'_> {
    fn all(&self) -> [MfaRequirement; 3] {
        MfaRequirement::ALL
    }

    /// What a tenant above asks for, where that is more than this one does.
    fn asked_above(&self) -> Option<MfaRequirement> {
        Some(strongest(self.place)).filter(|strongest| *strongest > self.place.tenant.details.mfa_required)
    }
}

/// Its routes.
pub(super) fn routes() -> Router<Api> {
    Router::new().route("/console/tenants/{tenant_id}/details/mfa", get(show).post(update))
}

async fn show(State(api): State<Api>, person: Person, Path(id): Path<TenantId>) -> Answer {
    let place = person.at(&api, id).await?;
    person.caller.allow("tenants", Verb::Update)?;
    if let Some(to) = person.to_step_up(&api) {
        return Ok(to);
    }
    page(&person, &place, place.tenant.details.mfa_required.as_str(), &Errors::default(), StatusCode::OK)
}

fn page(person: &Person, place: &Place, chosen: &str, errors: &Errors, status: StatusCode) -> Answer {
    let content = MfaPage { place, chosen: chosen.to_owned(), version: place.tenant.version, errors };
    let path = format!("/v1/tenants/{}", place.tenant.id);
    let body = json!({ "mfa_required": chosen });
    Page::new("Second factor of its people", Section::Details)
        .at(place)
        .status(status)
        .call(ApiCall::with_body("Say what is asked for", "PATCH", &path, &body))
        .render(person, &content)
}

async fn update(State(api): State<Api>, person: Person, Path(id): Path<TenantId>, form: Form) -> Answer {
    let place = person.at(&api, id).await?;
    match try_update(&api, &person, id, &form).await {
        Ok(()) => Ok(see_other(&place.path("/details"))),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            page(&person, &place, form.get("mfa_required"), &errors, status)
        }
    }
}

async fn try_update(api: &Api, person: &Person, id: TenantId, form: &Form) -> Result<()> {
    let required = MfaRequirement::parse(form.get("mfa_required"));
    let required = required.ok_or_else(|| Error::invalid("/mfa_required", "nothing is chosen", "choose one"))?;
    let details = DetailsPatch { mfa_required: Some(required), ..DetailsPatch::default() };
    let patch = TenantPatch { details, ..TenantPatch::default() };
    api.app.update_tenant(&person.caller, id, patch, form.version()?).await?;
    Ok(())
}
