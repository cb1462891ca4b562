//! Making an application; and what it would be let in with, before it is made.

use super::fields::{Draft, FieldsView};
use super::secret::{kept, shown_once};
use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::place::Place;
use crate::session::Person;
use askama::Template;
use axum::extract::State;
use claviger_app::applications::CreatedApplication;
use claviger_app::unit::{OnceFor, Posted};
use claviger_domain::grants::{Right, Verb};
use claviger_domain::id::TenantId;
use claviger_domain::simulation::{Obstacle, Question};
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure, Path, status};
use http::StatusCode;
use serde_json::json;

#[derive(Template)]
#[template(path = "applications/new.html")]
struct New<'a> {
    place: &'a Place,
    form: &'a Form,
    errors: &'a Errors,
    fields: FieldsView<'a>,
    obstacles: Option<Vec<Obstacle>>,
    once: &'a str,
}

/// Shows the form.
pub(super) async fn new(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>) -> Answer {
    let place = person.at(&api, tenant).await?;
    form_page(&api, &person, &place, (&Form::default(), &Errors::default()), (StatusCode::OK, None)).await
}

async fn form_page(
    api: &Api,
    person: &Person,
    place: &Place,
    (form, errors): (&Form, &Errors),
    (status, obstacles): (StatusCode, Option<Vec<Obstacle>>),
) -> Answer {
    let tenant = place.tenant.id;
    let fields = FieldsView::of(api, person, tenant, (form, errors), None).await?;
    let body = json!({ "name": form.get("name"), "access_level_id": form.get("access_level_id") });
    let path = format!("/v1/tenants/{tenant}/applications");
    Page::new("Add an application", Section::Applications)
        .at(place)
        .status(status)
        .call(ApiCall::with_body("Make an application", "POST", &path, &body))
        .render(person, &New { place, form, errors, fields, obstacles, once: person.once() })
}

/// Makes one.
pub(super) async fn create(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>, form: Form) -> Answer {
    let place = person.at(&api, tenant).await?;
    match try_create(&api, &person, tenant, &form).await {
        // It was made before, and its secret was shown then.
        Ok(None) => Ok(see_other(&place.path("/applications"))),
        Ok(Some(CreatedApplication { application, secret })) => {
            shown_once(&api, &place, &application, secret.map(|minted| minted.text), None, StatusCode::CREATED)
        }
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            form_page(&api, &person, &place, (&form, &errors), (status, None)).await
        }
    }
}

async fn try_create(api: &Api, person: &Person, tenant: TenantId, form: &Form) -> Result<Option<CreatedApplication>> {
    let new = Draft::read(form, api.app.catalogue(), api.app.clock().now(), None)?.into_new()?;
    let once =
        form.once(&person.here)?.map(|once| OnceFor { once, keep: |_: &CreatedApplication| kept(StatusCode::CREATED) });
    match api.app.create_application(&person.caller, tenant, new, once).await? {
        Posted::Done(created) => Ok(Some(created)),
        Posted::Replayed(_) => Ok(None),
    }
}

/// Says what would stand in the way of a call by what the form describes.
pub(super) async fn simulate(
    State(api): State<Api>,
    person: Person,
    Path(tenant): Path<TenantId>,
    form: Form,
) -> Answer {
    let place = person.at(&api, tenant).await?;
    match try_simulate(&api, &person, tenant, &form).await {
        Ok(obstacles) => {
            let shown = (StatusCode::OK, Some(obstacles));
            form_page(&api, &person, &place, (&form, &Errors::default()), shown).await
        }
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            form_page(&api, &person, &place, (&form, &errors), (status, None)).await
        }
    }
}

async fn try_simulate(api: &Api, person: &Person, tenant: TenantId, form: &Form) -> Result<Vec<Obstacle>> {
    let now = api.app.clock().now();
    let new = Draft::read(form, api.app.catalogue(), now, None)?.into_new()?;
    let question = question(api, form.get("right"), form.get("address"))?;
    api.app.simulate_new(&person.caller, tenant, new, &question).await
}

/// The question that two fields put, about now.
pub(super) fn question(api: &Api, right: &str, address: &str) -> Result<Question> {
    let no_right = || Error::invalid("/right", "not a right of the catalogue", "give one such as org.audits:READ");
    let (permission, verb) = right.rsplit_once(':').ok_or_else(no_right)?;
    let verb = Verb::parse(verb).ok_or_else(no_right)?;
    let known = api.app.catalogue().find(permission).filter(|found| found.verbs.has(verb)).ok_or_else(no_right)?;
    let no_address = || Error::invalid("/address", "not an IP address", "give one such as 192.0.2.7, or none");
    let address = Some(address).filter(|text| !text.is_empty());
    let address = address.map(|text| text.parse().map_err(|_| no_address())).transpose()?;
    Ok(Question { right: Right::new(&known.name, verb), address, at: api.app.clock().now() })
}
