//! Secret visibility: Remove Secret, which nothing turns back, and its opposite for the operator.

use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::place::Place;
use crate::session::Person;
use crate::show;
use askama::Template;
use axum::extract::State;
use claviger_app::visibility::TenantVisibility;
use claviger_domain::id::TenantId;
use claviger_domain::visibility::Stage;
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure, Path, status};
use http::StatusCode;
use serde_json::json;

#[derive(Template)]
#[template(path = "security/remove_secret.html")]
struct Remove<'a> {
    place: &'a Place,
    form: &'a Form,
    errors: &'a Errors,
    found: TenantVisibility,
}

/// What a dangerous form is confirmed with: the tenant's name, to the letter.
pub(super) fn check_typed(form: &Form, place: &Place) -> Result<()> {
    if form.get("confirm") == place.tenant.name.trim() {
        return Ok(());
    }
    let fix = format!("type {} to confirm", place.tenant.name);
    Err(Error::invalid("/confirm", "that is not the name of the tenant", fix))
}

/// Asks, whoever has proved lately who it is.
pub(crate) async fn ask(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>) -> Answer {
    let place = person.at(&api, tenant).await?;
    if let Some(to) = person.to_step_up(&api) {
        return Ok(to);
    }
    page(&api, &person, &place, &Form::default(), &Errors::default(), StatusCode::OK).await
}

async fn page(api: &Api, person: &Person, place: &Place, form: &Form, errors: &Errors, status: StatusCode) -> Answer {
    let tenant = place.tenant.id;
    let found = api.app.find_visibility(&person.caller, tenant).await?;
    if found.state.is_some_and(|state| state.stage != Stage::Retaining) && !errors.any() {
        return Ok(see_other(&place.path("/security")));
    }
    let body = json!({ "visibility": "show_once", "confirm": true });
    let path = format!("/v1/tenants/{tenant}/secret-visibility");
    Page::new("Remove Secret", Section::Security)
        .at(place)
        .status(status)
        .call(ApiCall::with_body("Remove the texts for ever", "PUT", &path, &body))
        .render(person, &Remove { place, form, errors, found })
}

/// Removes.
pub(crate) async fn remove(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>, form: Form) -> Answer {
    let place = person.at(&api, tenant).await?;
    let outcome = match check_typed(&form, &place) {
        Ok(()) => api.app.remove_secrets(&person.caller, tenant, true).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(_) => Ok(see_other(&place.path("/security?told=removed"))),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            page(&api, &person, &place, &form, &errors, status).await
        }
    }
}

/// Keeps texts from now on.
pub(crate) async fn retain(
    State(api): State<Api>,
    person: Person,
    Path(tenant): Path<TenantId>,
    _form: Form,
) -> Answer {
    let place = person.at(&api, tenant).await?;
    api.app.retain_secrets(&person.caller, tenant).await?;
    Ok(see_other(&place.path("/security?told=retaining")))
}
