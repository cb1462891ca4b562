//! People: the users of a tenant, what they may do, how they get in, and the way out.

mod delete;
mod edit;
mod factors;
mod identities;
mod invite;
mod list;
mod one;
mod roles;
mod sessions;

pub(crate) use self::edit::names as edit_names;
pub(crate) use self::one::{conditions, kind_words};

use crate::form::Errors;
use crate::session::Person;
use axum::Router;
use axum::routing::{get, post};
use claviger_domain::access_level::AccessLevel;
use claviger_domain::application::Reach;
use claviger_domain::grants::Verb;
use claviger_domain::id::{AccessLevelId, TenantId, UserId};
use claviger_domain::page::{LIMIT_MAX, PageRequest};
use claviger_domain::user::{Status, User};
use claviger_domain::user_session::Method;
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure, status};
use http::StatusCode;
use std::collections::HashMap;

/// Its routes.
pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/console/tenants/{tenant_id}/people", get(list::list).post(invite::create))
        .route("/console/tenants/{tenant_id}/people/new", get(invite::new))
        .route("/console/tenants/{tenant_id}/people/{id}", get(one::show))
        .route("/console/tenants/{tenant_id}/people/{id}/edit", get(edit::show).post(edit::save))
        .route("/console/tenants/{tenant_id}/people/{id}/roles", get(roles::show).post(roles::save))
        .route("/console/tenants/{tenant_id}/people/{id}/invitation", post(invite::again))
        .route("/console/tenants/{tenant_id}/people/{id}/invitation/cancel", post(invite::cancel))
        .route("/console/tenants/{tenant_id}/people/{id}/enabled", post(one::enable))
        .route("/console/tenants/{tenant_id}/people/{id}/delete", get(delete::show).post(delete::delete))
        .route("/console/tenants/{tenant_id}/people/{id}/sessions/end", post(sessions::end_all))
        .route("/console/tenants/{tenant_id}/people/{id}/sessions/{session_id}/end", post(sessions::end))
        .route("/console/tenants/{tenant_id}/people/{id}/factors/reset", get(factors::show).post(factors::reset))
        .route(
            "/console/tenants/{tenant_id}/people/{id}/identities/forget",
            get(identities::show).post(identities::forget),
        )
}

/// Where a person's page is.
fn path_of(tenant: TenantId, id: UserId) -> String {
    format!("/console/tenants/{tenant}/people/{id}")
}

/// Where the API has a person.
fn call_path(tenant: TenantId, id: UserId) -> String {
    format!("/v1/tenants/{tenant}/users/{id}")
}

/// Names of access levels, by id.
#[derive(Default)]
pub(crate) struct Names(HashMap<AccessLevelId, String>);

impl Names {
    /// Those of a tenant's levels, as far as the person may read them.
    pub(crate) async fn of(
        api: &Api,
        person: &Person,
        tenant: TenantId,
        ids: impl Iterator<Item = AccessLevelId>,
    ) -> Result<Self> {
        let mut names = HashMap::new();
        for id in ids {
            if names.contains_key(&id) {
                continue;
            }
            if let Some(built_in) = api.app.catalogue().level(id) {
                names.insert(id, built_in.name.to_string());
            } else if person.may("access-levels", Verb::Read) {
                match api.app.find_access_level(&person.caller, tenant, id).await {
                    Ok(level) => drop(names.insert(id, level.name)),
                    // It was deleted meanwhile.
                    Err(Error::NotFound(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(Self(names))
    }

    /// The name of one, or its id where that is all there is to say.
    pub(crate) fn name(&self, id: &AccessLevelId) -> String {
        self.0.get(id).cloned().unwrap_or_else(|| id.to_string())
    }

    /// The names of many, one after the other.
    pub(crate) fn all(&self, ids: &[AccessLevelId]) -> String {
        ids.iter().map(|id| self.name(id)).collect::<Vec<_>>().join(", ")
    }
}

/// The access levels that can be ticked; none where the person may not see them.
async fn levels(api: &Api, person: &Person, tenant: TenantId) -> Result<Vec<AccessLevel>> {
    if !person.may("access-levels", Verb::Read) {
        return Ok(Vec::new());
    }
    let all = PageRequest::parse(Some(LIMIT_MAX), None)?;
    Ok(api.app.list_access_levels(&person.caller, tenant, &all).await?.items)
}

/// What the form of a change that was refused is shown again with: the person as it is, and what stood in the way.
async fn again(
    api: &Api,
    person: &Person,
    (tenant, id): (TenantId, UserId),
    error: Error,
) -> Result<(User, Errors, StatusCode), Failure> {
    let status = status(&error);
    let errors = Errors::of(error).map_err(Failure)?;
    Ok((api.app.find_user(&person.caller, tenant, id).await?, errors, status))
}

/// What a status is called, and the look of its badge.
pub(crate) fn status_badge(status: &Status) -> (&'static str, &'static str) {
    match status {
        Status::Invited => ("warn", "invited"),
        Status::Active => ("good", "active"),
        Status::Disabled => ("off", "disabled"),
    }
}

/// What a reach is called.
pub(crate) fn reach_words(reach: &Reach) -> &'static str {
    match reach {
        Reach::Own => "this tenant alone",
        Reach::Beneath => "this tenant and everything beneath it",
    }
}

/// The word of a reach in forms.
pub(crate) fn reach_value(reach: Reach) -> &'static str {
    match reach {
        Reach::Own => "own",
        Reach::Beneath => "beneath",
    }
}

/// The reach that a form names; the far one where it names none.
fn reach_of(text: &str) -> Reach {
    if text == "own" { Reach::Own } else { Reach::Beneath }
}

/// What a session was proved by.
pub(crate) fn methods_words(methods: &[Method]) -> String {
    let word = |method: &Method| match method {
        Method::Password => "password",
        Method::Code => "authenticator",
        Method::Mail => "code by mail",
        Method::Passkey => "passkey",
        Method::Recovery => "recovery code",
        Method::SingleSignOn => "single sign-on",
        Method::Link => "link",
    };
    methods.iter().map(word).collect::<Vec<_>>().join(", ")
}
