//! Changing what is known of a tenant.

use super::members::{Members, Reader, filled};
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
use claviger_domain::Result;
use claviger_domain::grants::Verb;
use claviger_domain::id::TenantId;
use claviger_domain::tenant::{Kind, TenantPatch};
use claviger_kit::{Api, Failure, Path, status};
use http::StatusCode;
use serde_json::{Map, Value, json};

#[derive(Template)]
#[template(path = "tenants/edit.html")]
struct Edit<'a> {
    place: &'a Place,
    form: &'a Form,
    errors: &'a Errors,
    is_new: bool,
    /// Whether what is set from above can be set.
    from_above: bool,
    on_trial: bool,
}

/// Its routes.
pub(super) fn routes() -> Router<Api> {
    Router::new().route("/console/tenants/{tenant_id}/details/edit", get(edit).post(update))
}

async fn edit(State(api): State<Api>, person: Person, Path(id): Path<TenantId>) -> Answer {
    let place = person.at(&api, id).await?;
    person.caller.allow("tenants", Verb::Update)?;
    form_page(&person, &place, &filled(&place.tenant), &Errors::default(), StatusCode::OK)
}

fn form_page(person: &Person, place: &Place, form: &Form, errors: &Errors, status: StatusCode) -> Answer {
    let content = Edit {
        place,
        form,
        errors,
        is_new: false,
        from_above: !place.is_own() || place.tenant.kind == Kind::Operator,
        on_trial: place.tenant.details.trial,
    };
    let shown = filled(&place.tenant);
    let path = format!("/v1/tenants/{}", place.tenant.id);
    Page::new("Edit details", Section::Details)
        .at(place)
        .status(status)
        .call(ApiCall::with_body("Change it", "PATCH", &path, &body(form, &shown)))
        .render(person, &content)
}

/// The body of the call that does the same as the form.
fn body(form: &Form, shown: &Form) -> Value {
    let names = ["name", "short_name", "email", "country", "foreign_tenant_id", "external_id"];
    let changed = names.into_iter().filter(|name| form.get(name) != shown.get(name));
    let members: Map<_, _> = changed.map(|name| (name.to_owned(), json!(form.given(name)))).collect();
    if members.is_empty() { json!({ "name": shown.get("name") }) } else { Value::Object(members) }
}

async fn update(State(api): State<Api>, person: Person, Path(id): Path<TenantId>, form: Form) -> Answer {
    let place = person.at(&api, id).await?;
    match try_update(&api, &person, &place, &form).await {
        Ok(()) => Ok(see_other(&place.path("/details"))),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            form_page(&person, &place, &form, &errors, status)
        }
    }
}

async fn try_update(api: &Api, person: &Person, place: &Place, form: &Form) -> Result<()> {
    let shown = filled(&place.tenant);
    let mut reader = Reader::of_change(form, &shown, &place.tenant, api.app.clock().now());
    let Members { name, application_limit, details } = reader.read();
    let patch = TenantPatch { name, status: None, application_limit, details };
    let patch = reader.fields.finish(Some(patch))?;
    api.app.update_tenant(&person.caller, place.tenant.id, patch, form.version()?).await?;
    Ok(())
}
