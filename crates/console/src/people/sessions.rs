//! The sessions of somebody else, ended.

use super::{one, path_of};
use crate::form::Form;
use crate::page::{Answer, see_other};
use crate::session::Person;
use axum::extract::State;
use claviger_domain::Error;
use claviger_domain::id::{TenantId, UserId, UserSessionId};
use claviger_kit::{Api, Path};

/// Ends one.
pub(crate) async fn end(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id, session)): Path<(TenantId, UserId, UserSessionId)>,
    _: Form,
) -> Answer {
    match api.app.end_user_session(&person.caller, tenant, id, session).await {
        // It may have ended by itself since the page was shown.
        Ok(()) | Err(Error::NotFound("session")) => Ok(see_other(&format!("{}?told=ended", path_of(tenant, id)))),
        Err(error) => one::refused(&api, &person, (tenant, id), error).await,
    }
}

/// Ends all of them.
pub(crate) async fn end_all(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, UserId)>,
    _: Form,
) -> Answer {
    match api.app.end_user_sessions(&person.caller, tenant, id).await {
        Ok(_) => Ok(see_other(&format!("{}?told=all-ended", path_of(tenant, id)))),
        Err(error) => one::refused(&api, &person, (tenant, id), error).await,
    }
}
