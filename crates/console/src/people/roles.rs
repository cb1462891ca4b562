//! A person's roles, as ticks of access levels.

use super::invite::ticked;
use super::{again, call_path, levels, path_of};
use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::session::Person;
use askama::Template;
use axum::extract::State;
use claviger_domain::Result;
use claviger_domain::access_level::AccessLevel;
use claviger_domain::id::{TenantId, UserId};
use claviger_domain::user::User;
use claviger_kit::{Api, Path};
use http::StatusCode;
use serde_json::json;

#[derive(Template)]
#[template(path = "people/roles.html")]
struct Roles<'a> {
    user: &'a User,
    path: String,
    levels: Vec<AccessLevel>,
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
    let roles = user.roles.iter().map(|role| ("access_level_ids", role.to_string()));
    let form = Form::of(roles.chain([("version", user.version.to_string())]));
    page(&api, &person, &user, &form, &Errors::default(), StatusCode::OK).await
}

async fn page(api: &Api, person: &Person, user: &User, form: &Form, errors: &Errors, status: StatusCode) -> Answer {
    let (tenant, id) = (user.tenant_id, user.id);
    let place = person.at(api, tenant).await?;
    let body = json!({ "access_level_ids": form.all("access_level_ids").collect::<Vec<_>>() });
    let levels = levels(api, person, tenant).await?;
    let content = Roles { user, path: path_of(tenant, id), levels, form, errors };
    Page::new("Roles", Section::People)
        .at(&place)
        .status(status)
        .call(ApiCall::with_body("Give other roles", "PUT", &format!("{}/roles", call_path(tenant, id)), &body))
        .render(person, &content)
}

/// Saves them.
pub(crate) async fn save(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, UserId)>,
    form: Form,
) -> Answer {
    match try_save(&api, &person, (tenant, id), &form).await {
        Ok(_) => Ok(see_other(&format!("{}?told=roles", path_of(tenant, id)))),
        Err(error) => {
            let (user, errors, status) = again(&api, &person, (tenant, id), error).await?;
            page(&api, &person, &user, &form, &errors, status).await
        }
    }
}

async fn try_save(api: &Api, person: &Person, (tenant, id): (TenantId, UserId), form: &Form) -> Result<User> {
    api.app.put_user_roles(&person.caller, tenant, id, ticked(form)?, form.version()?).await
}
