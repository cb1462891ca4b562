//! Who one is: names, telephone number, address, roles.

use super::ToldQuery;
use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::people::{Names, edit_names};
use crate::session::Person;
use askama::Template;
use axum::extract::State;
use claviger_app::users::Me;
use claviger_domain::Result;
use claviger_kit::{Api, Failure, Query, status};
use http::StatusCode;
use serde_json::json;

#[derive(Template)]
#[template(path = "account/profile.html")]
struct Profile<'a> {
    me: &'a Me,
    roles: String,
    form: &'a Form,
    errors: &'a Errors,
    told: &'static str,
}

/// Shows it.
pub(crate) async fn show(State(api): State<Api>, person: Person, Query(query): Query<ToldQuery>) -> Answer {
    let told = match query.told.as_str() {
        "saved" => "Saved.",
        "email" => {
            "A link is on its way to the new address. It counts once you have opened the link there, within an hour."
        }
        _ => "",
    };
    let me = api.app.find_me(&person.caller).await?;
    let form = Form::of([
        ("first_name", me.user.first_name.clone()),
        ("last_name", me.user.last_name.clone()),
        ("phone", me.user.phone.clone()),
    ]);
    page(&api, &person, &me, &form, &Errors::default(), told, StatusCode::OK).await
}

async fn page(
    api: &Api,
    person: &Person,
    me: &Me,
    form: &Form,
    errors: &Errors,
    told: &'static str,
    status: StatusCode,
) -> Answer {
    let place = person.at(api, me.caller.tenant.id).await?;
    let names = Names::of(api, person, me.caller.tenant.id, me.user.roles.iter().copied()).await?;
    let body = json!({
        "first_name": form.get("first_name"), "last_name": form.get("last_name"), "phone": form.get("phone"),
    });
    Page::new("My account", Section::Account)
        .at(&place)
        .status(status)
        .call(ApiCall::as_person("Read who you are", "GET", "/v1/me"))
        .call(ApiCall::as_person_with_body("Change your names and number", "PATCH", "/v1/me", &body))
        .render(person, &Profile { me, roles: names.all(&me.user.roles), form, errors, told })
}

/// Saves it.
pub(crate) async fn save(State(api): State<Api>, person: Person, form: Form) -> Answer {
    match try_save(&api, &person, &form).await {
        Ok(_) => Ok(see_other("/console/account?told=saved")),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            let me = api.app.find_me(&person.caller).await?;
            page(&api, &person, &me, &form, &errors, "", status).await
        }
    }
}

async fn try_save(api: &Api, person: &Person, form: &Form) -> Result<Me> {
    api.app.update_me(&person.caller, edit_names(form)?).await
}
