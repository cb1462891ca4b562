//! Second factors of somebody who has lost them, removed.

use super::{call_path, one, path_of};
use crate::api_call::ApiCall;
use crate::form::Form;
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::session::Person;
use crate::show;
use askama::Template;
use axum::extract::State;
use claviger_app::factors::Factors;
use claviger_domain::id::{TenantId, UserId};
use claviger_domain::user::User;
use claviger_kit::{Api, Path};

#[derive(Template)]
#[template(path = "people/reset.html")]
struct Reset<'a> {
    user: &'a User,
    path: String,
    factors: Factors,
}

/// Asks whether that is meant.
pub(crate) async fn show(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, UserId)>,
) -> Answer {
    if let Some(to) = person.to_step_up(&api) {
        return Ok(to);
    }
    let place = person.at(&api, tenant).await?;
    let user = api.app.find_user(&person.caller, tenant, id).await?;
    let factors = api.app.list_user_factors(&person.caller, tenant, id).await?;
    Page::new("Reset second factors", Section::People)
        .at(&place)
        .call(ApiCall::new("Remove all second factors", "DELETE", &format!("{}/factors", call_path(tenant, id))))
        .render(&person, &Reset { user: &user, path: path_of(tenant, id), factors })
}

/// Removes them.
pub(crate) async fn reset(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, UserId)>,
    _: Form,
) -> Answer {
    match api.app.reset_factors(&person.caller, tenant, id).await {
        Ok(()) => Ok(see_other(&format!("{}?told=reset", path_of(tenant, id)))),
        Err(error) => one::refused(&api, &person, (tenant, id), error).await,
    }
}
