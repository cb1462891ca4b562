//! Where one is signed in.

use super::ToldQuery;
use crate::api_call::ApiCall;
use crate::form::Form;
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::session::Person;
use crate::show;
use askama::Template;
use axum::extract::State;
use claviger_domain::Error;
use claviger_domain::id::UserSessionId;
use claviger_domain::user_session::UserSession;
use claviger_kit::{Api, Path, Query};

#[derive(Template)]
#[template(path = "account/sessions.html")]
struct Sessions {
    sessions: Vec<UserSession>,
    current: UserSessionId,
    told: &'static str,
}

impl Sessions {
    fn is_current(&self, session: &UserSession) -> bool {
        session.id == self.current
    }
}

/// Lists them.
pub(crate) async fn list(State(api): State<Api>, person: Person, Query(query): Query<ToldQuery>) -> Answer {
    let told = match query.told.as_str() {
        "ended" => "The session has ended.",
        "others-ended" => "All your other sessions have ended.",
        _ => "",
    };
    let place = person.at(&api, person.user().tenant.id).await?;
    let sessions = api.app.list_own_sessions(&person.caller).await?;
    let content = Sessions { sessions, current: person.user().session.id, told };
    Page::new("Sessions", Section::Account)
        .at(&place)
        .call(ApiCall::as_person("List your sessions", "GET", "/v1/me/sessions"))
        .call(ApiCall::as_person("End all but this one", "DELETE", "/v1/me/sessions"))
        .render(&person, &content)
}

/// Ends one.
pub(crate) async fn end(State(api): State<Api>, person: Person, Path(session): Path<UserSessionId>, _: Form) -> Answer {
    match api.app.end_own_session(&person.caller, session).await {
        // It may have ended by itself since the page was shown.
        Ok(()) | Err(Error::NotFound(_)) => Ok(see_other("/console/account/sessions?told=ended")),
        Err(error) => Err(error.into()),
    }
}

/// Ends all but this one.
pub(crate) async fn end_others(State(api): State<Api>, person: Person, _: Form) -> Answer {
    api.app.end_other_sessions(&person.caller).await?;
    Ok(see_other("/console/account/sessions?told=others-ended"))
}
