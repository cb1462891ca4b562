//! A person's names, telephone number and reach.

use super::{again, call_path, path_of, reach_of, reach_value};
use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::session::Person;
use askama::Template;
use axum::extract::State;
use claviger_domain::Result;
use claviger_domain::id::{TenantId, UserId};
use claviger_domain::user::{User, UserPatch, parse_person_name, parse_phone};
use claviger_kit::{Api, Fields, Path};
use http::StatusCode;
use serde_json::json;

#[derive(Template)]
#[template(path = "people/edit.html")]
struct Edit<'a> {
    user: &'a User,
    path: String,
    form: &'a Form,
    errors: &'a Errors,
}

/// Shows the form.
pub(crate) async fn show(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, UserId)>,
) -> Answer {
    let user = api.app.find_user(&person.caller, tenant, id).await?;
    let form = Form::of([
        ("first_name", user.first_name.clone()),
        ("last_name", user.last_name.clone()),
        ("phone", user.phone.clone()),
        ("reach", reach_value(user.reach).to_owned()),
        ("version", user.version.to_string()),
    ]);
    page(&api, &person, &user, &form, &Errors::default(), StatusCode::OK).await
}

async fn page(api: &Api, person: &Person, user: &User, form: &Form, errors: &Errors, status: StatusCode) -> Answer {
    let (tenant, id) = (user.tenant_id, user.id);
    let place = person.at(api, tenant).await?;
    let body = json!({
        "first_name": form.get("first_name"), "last_name": form.get("last_name"), "phone": form.get("phone"),
        "reach": form.get("reach"),
    });
    let content = Edit { user, path: path_of(tenant, id), form, errors };
    Page::new("Edit a person", Section::People)
        .at(&place)
        .status(status)
        .call(ApiCall::with_body("Change the person", "PATCH", &call_path(tenant, id), &body))
        .render(person, &content)
}

/// Saves it.
pub(crate) async fn save(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, UserId)>,
    form: Form,
) -> Answer {
    match try_save(&api, &person, (tenant, id), &form).await {
        Ok(_) => Ok(see_other(&format!("{}?told=saved", path_of(tenant, id)))),
        Err(error) => {
            let (user, errors, status) = again(&api, &person, (tenant, id), error).await?;
            page(&api, &person, &user, &form, &errors, status).await
        }
    }
}

async fn try_save(api: &Api, person: &Person, (tenant, id): (TenantId, UserId), form: &Form) -> Result<User> {
    let patch = UserPatch { reach: Some(reach_of(form.get("reach"))), ..names(form)? };
    api.app.update_user(&person.caller, tenant, id, patch, form.version()?).await
}

/// Names and number as a form has them.
pub(crate) fn names(form: &Form) -> Result<UserPatch> {
    let mut fields = Fields::new();
    let first_name = fields.take(parse_person_name("/first_name", form.get("first_name")));
    let last_name = fields.take(parse_person_name("/last_name", form.get("last_name")));
    let phone = fields.take(parse_phone("/phone", form.get("phone")));
    fields.finish(Some(UserPatch { first_name, last_name, phone, reach: None }))
}
