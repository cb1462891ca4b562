//! Making an application, and the one page that shows its secret.

use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page};
use crate::place::Place;
use crate::session::Person;
use askama::Template;
use axum::extract::State;
use claviger_app::applications::CreatedApplication;
use claviger_app::unit::Posted;
use claviger_domain::access_level::AccessLevel;
use claviger_domain::application::{Application, NewApplication, Reach, Rights};
use claviger_domain::id::{AccessLevelId, TenantId};
use claviger_domain::name::{DESCRIPTION_MAX, Name, parse_owner, parse_text};
use claviger_domain::page::{LIMIT_MAX, PageRequest};
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure, Fields, Path, status};
use http::StatusCode;
use serde_json::json;

#[derive(Template)]
#[template(path = "applications/new.html")]
struct New<'a> {
    place: &'a Place,
    form: &'a Form,
    errors: &'a Errors,
    levels: Vec<AccessLevel>,
}

#[derive(Template)]
#[template(path = "applications/secret.html")]
struct Shown<'a> {
    place: &'a Place,
    application: &'a Application,
    secret: &'a str,
}

/// Shows the form.
pub(crate) async fn new(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>) -> Answer {
    let place = person.at(&api, tenant).await?;
    form_page(&api, &person, &place, &Form::default(), &Errors::default(), StatusCode::OK).await
}

async fn form_page(
    api: &Api,
    person: &Person,
    place: &Place,
    form: &Form,
    errors: &Errors,
    status: StatusCode,
) -> Answer {
    let tenant = place.tenant.id;
    let all = PageRequest::parse(Some(LIMIT_MAX), None)?;
    let levels = crate::tenants::if_allowed(api.app.list_access_levels(&person.caller, tenant, &all).await)?;
    let levels = levels.map(|page| page.items).unwrap_or_default();
    let body = json!({ "name": form.get("name"), "access_level_id": form.get("access_level_id") });
    let path = format!("/v1/tenants/{tenant}/applications");
    Page::new("Add an application", Section::Applications)
        .at(place)
        .status(status)
        .call(ApiCall::with_body("Make an application", "POST", &path, &body))
        .render(person, &New { place, form, errors, levels })
}

/// Makes one.
pub(crate) async fn create(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>, form: Form) -> Answer {
    let place = person.at(&api, tenant).await?;
    match try_create(&api, &person, tenant, &form).await {
        Ok(created) => {
            let secret = created.secret.map(|minted| minted.text.reveal()).unwrap_or_default();
            let content = Shown { place: &place, application: &created.application, secret: &secret };
            Page::new("Store this secret now", Section::Applications)
                .at(&place)
                .status(StatusCode::CREATED)
                .render(&person, &content)
        }
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            form_page(&api, &person, &place, &form, &errors, status).await
        }
    }
}

async fn try_create(api: &Api, person: &Person, tenant: TenantId, form: &Form) -> Result<CreatedApplication> {
    let new = parse(form)?;
    match api.app.create_application(&person.caller, tenant, new, None).await? {
        Posted::Done(created) => Ok(created),
        Posted::Replayed(_) => Err(Error::Internal("a call without an idempotency key was replayed".into())),
    }
}

fn parse(form: &Form) -> Result<NewApplication> {
    let mut fields = Fields::new();
    let name = fields.take(Name::parse("/name", form.get("name")));
    let description = fields.take(parse_text("/description", form.get("description"), DESCRIPTION_MAX));
    let owner = form.given("owner").and_then(|owner| fields.take(parse_owner("/owner", owner)));
    let level = form.given("access_level_id").and_then(AccessLevelId::parse);
    if level.is_none() {
        fields.refuse("/access_level_id", "no access level is chosen", "choose one");
    }
    let new = name.zip(description).zip(level).map(|((name, description), level)| NewApplication {
        name,
        description,
        owner,
        owner_id: None,
        rights: Rights::Level(level),
        reach: Reach::Own,
        allowed_networks: None,
        expires_at: None,
        secret_expires_at: None,
        enabled: true,
        rate_limit: None,
        dpop_bound: false,
    });
    fields.finish(new)
}
