//! Deleting a person: what depends on it, who takes that over, and its address typed.

use super::{call_path, path_of};
use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::place::Place;
use crate::session::Person;
use crate::show;
use askama::Template;
use axum::extract::State;
use claviger_domain::error::Referrer;
use claviger_domain::id::{TenantId, UserId};
use claviger_domain::page::PageRequest;
use claviger_domain::user::{User, UserFilter, presented_key};
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure, Path, status};
use http::StatusCode;

/// People that are offered as successors; others are typed.
const OFFERED: i64 = 100;

#[derive(Template)]
#[template(path = "people/delete.html")]
struct Delete<'a> {
    place: &'a Place,
    user: &'a User,
    path: String,
    dependants: Vec<Referrer>,
    others: Vec<User>,
    form: &'a Form,
    errors: &'a Errors,
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
    let user = api.app.find_user(&person.caller, tenant, id).await?;
    let form = Form::of([("version", user.version.to_string())]);
    page(&api, &person, &user, &form, &Errors::default(), StatusCode::OK).await
}

async fn page(api: &Api, person: &Person, user: &User, form: &Form, errors: &Errors, status: StatusCode) -> Answer {
    let (tenant, id) = (user.tenant_id, user.id);
    let place = person.at(api, tenant).await?;
    let dependants = api.app.list_user_dependants(&person.caller, tenant, id).await?;
    let others = if dependants.is_empty() {
        Vec::new()
    } else {
        let some = PageRequest::parse(Some(OFFERED), None)?;
        let found = api.app.list_users(&person.caller, tenant, &UserFilter::default(), &some).await?;
        found.items.into_iter().filter(|other| other.id != id).collect()
    };
    let successor = if dependants.is_empty() { "" } else { "?successor_id=$SUCCESSOR_ID" };
    let content = Delete { place: &place, user, path: path_of(tenant, id), dependants, others, form, errors };
    Page::new("Delete a person", Section::People)
        .at(&place)
        .status(status)
        .call(ApiCall::new("Delete the person", "DELETE", &format!("{}{successor}", call_path(tenant, id))))
        .render(person, &content)
}

/// Deletes it.
pub(crate) async fn delete(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, UserId)>,
    form: Form,
) -> Answer {
    let user = api.app.find_user(&person.caller, tenant, id).await?;
    match try_delete(&api, &person, &user, &form).await {
        Ok(()) => Ok(see_other(&format!("/console/tenants/{tenant}/people?told=deleted"))),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            page(&api, &person, &user, &form, &errors, status).await
        }
    }
}

async fn try_delete(api: &Api, person: &Person, user: &User, form: &Form) -> Result<()> {
    if presented_key(form.get("confirm")) != presented_key(&user.email) {
        return Err(Error::invalid("/confirm", "that is not the address of this person", "type it as it stands above"));
    }
    let successor = match form.given("successor_id") {
        Some(email) => Some(successor(api, person, user.tenant_id, email).await?),
        None => None,
    };
    api.app.delete_user(&person.caller, user.tenant_id, user.id, successor, form.version()?).await
}

/// Whoever has that address in the tenant.
async fn successor(api: &Api, person: &Person, tenant: TenantId, email: &str) -> Result<UserId> {
    let key = presented_key(email);
    let filter = UserFilter { prefix: Some(key.clone()), status: None };
    let found = api.app.list_users(&person.caller, tenant, &filter, &PageRequest::parse(None, None)?).await?;
    let found = found.items.into_iter().find(|user| presented_key(&user.email) == key);
    found.map(|user| user.id).ok_or_else(|| {
        Error::invalid("/successor_id", "nobody of this tenant has that address", "give that of another person here")
    })
}
