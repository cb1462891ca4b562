//! Inviting somebody, once more, and not after all.

use super::{call_path, levels, path_of, reach_of};
use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::place::Place;
use crate::session::Person;
use askama::Template;
use axum::extract::State;
use claviger_app::unit::Posted;
use claviger_domain::access_level::AccessLevel;
use claviger_domain::id::{AccessLevelId, TenantId, UserId};
use claviger_domain::user::{Email, NewUser, User, parse_person_name, parse_phone, parse_roles};
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure, Fields, Path, status};
use http::StatusCode;
use serde_json::json;

#[derive(Template)]
#[template(path = "people/new.html")]
struct New<'a> {
    place: &'a Place,
    form: &'a Form,
    errors: &'a Errors,
    levels: Vec<AccessLevel>,
}

/// Shows the form.
pub(crate) async fn new(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>) -> Answer {
    let form = Form::of([("reach", "beneath".to_owned())]);
    page(&api, &person, tenant, &form, &Errors::default(), StatusCode::OK).await
}

async fn page(
    api: &Api,
    person: &Person,
    tenant: TenantId,
    form: &Form,
    errors: &Errors,
    status: StatusCode,
) -> Answer {
    let place = person.at(api, tenant).await?;
    let roles: Vec<_> = form.all("access_level_ids").collect();
    let email = form.given("email").unwrap_or("ada@example.com");
    let body = json!({ "email": email, "access_level_ids": roles, "reach": form.get("reach") });
    let content = New { place: &place, form, errors, levels: levels(api, person, tenant).await? };
    Page::new("Invite a person", Section::People)
        .at(&place)
        .status(status)
        .call(ApiCall::with_body("Invite a person", "POST", &format!("/v1/tenants/{tenant}/users"), &body))
        .render(person, &content)
}

/// Makes the user, who gets a link by mail.
pub(crate) async fn create(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>, form: Form) -> Answer {
    match try_create(&api, &person, tenant, &form).await {
        Ok(user) => Ok(see_other(&format!("{}?told=invited", path_of(tenant, user.id)))),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            page(&api, &person, tenant, &form, &errors, status).await
        }
    }
}

async fn try_create(api: &Api, person: &Person, tenant: TenantId, form: &Form) -> Result<User> {
    match api.app.create_user(&person.caller, tenant, parse(form)?, None).await? {
        Posted::Done(user) => Ok(user),
        Posted::Replayed(_) => Err(Error::Internal("a call without an idempotency key was replayed".into())),
    }
}

fn parse(form: &Form) -> Result<NewUser> {
    let mut fields = Fields::new();
    let email = fields.take(Email::parse("/email", form.get("email")));
    let first_name = fields.take(parse_person_name("/first_name", form.get("first_name")));
    let last_name = fields.take(parse_person_name("/last_name", form.get("last_name")));
    let phone = fields.take(parse_phone("/phone", form.get("phone")));
    let roles = fields.take(ticked(form));
    let reach = reach_of(form.get("reach"));
    let new = email.zip(roles).zip(first_name.zip(last_name).zip(phone));
    let new = new.map(|((email, roles), ((first_name, last_name), phone))| NewUser {
        email,
        first_name,
        last_name,
        phone,
        reach,
        roles,
    });
    fields.finish(new)
}

/// The access levels that are ticked.
pub(super) fn ticked(form: &Form) -> Result<Vec<AccessLevelId>> {
    let unknown = || Error::invalid("/access_level_ids", "that is no access level", "tick some of those listed");
    let ids = form.all("access_level_ids").map(|text| AccessLevelId::parse(text).ok_or_else(unknown));
    parse_roles("/access_level_ids", ids.collect::<Result<_>>()?)
}

/// Sends another link.
pub(crate) async fn again(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, UserId)>,
    _: Form,
) -> Answer {
    match api.app.invite_user(&person.caller, tenant, id, None).await {
        Ok(_) => Ok(see_other(&format!("{}?told=again", path_of(tenant, id)))),
        Err(error) => super::one::refused(&api, &person, (tenant, id), error).await,
    }
}

/// Takes the invitation back.
pub(crate) async fn cancel(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, UserId)>,
    _: Form,
) -> Answer {
    match api.app.cancel_invitation(&person.caller, tenant, id).await {
        Ok(()) => Ok(see_other(&format!("{}?told=cancelled", path_of(tenant, id)))),
        Err(error) => super::one::refused(&api, &person, (tenant, id), error).await,
    }
}

/// The calls of the API that invite somebody who is there already.
pub(super) fn calls(tenant: TenantId, id: UserId) -> [ApiCall; 2] {
    let path = format!("{}/invitation", call_path(tenant, id));
    [
        ApiCall::with_body("Invite once more", "POST", &path, &json!({})),
        ApiCall::new("Take the invitation back", "DELETE", &path),
    ]
}
