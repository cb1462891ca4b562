//! One person: who it is, what it may do, how it gets in, and where it is signed in.

use super::identities::{self, Identity};
use super::{Names, call_path, invite, path_of};
use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::session::Person;
use crate::show;
use askama::Template;
use axum::extract::State;
use claviger_app::factors::Factors;
use claviger_app::user_grants::UserGrant;
use claviger_domain::access_profile::AccessProfile;
use claviger_domain::factor::FactorKind;
use claviger_domain::grants::Verb;
use claviger_domain::id::{TenantId, UserId};
use claviger_domain::time::Timestamp;
use claviger_domain::user::{Standing, Status, User};
use claviger_domain::user_session::UserSession;
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure, Path, Query, status};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

/// What has just been done.
#[derive(Deserialize)]
pub(crate) struct ToldQuery {
    #[serde(default)]
    told: String,
}

#[derive(Template)]
#[template(path = "people/one.html")]
struct One<'a> {
    path: String,
    user: &'a User,
    roles: String,
    names: Names,
    profiles: &'a [AccessProfile],
    standing: Standing,
    factors: Factors,
    identities: Vec<Identity>,
    sessions: Option<Vec<UserSession>>,
    invited_until: Option<Timestamp>,
    errors: &'a Errors,
    told: &'static str,
    is_self: bool,
    manageable: bool,
    may_update: bool,
    may_delete: bool,
    may_end: bool,
}

impl One<'_> {
    fn badge(&self) -> (&'static str, &'static str) {
        super::status_badge(&self.user.status)
    }

    fn is_invited(&self) -> bool {
        self.user.status == Status::Invited
    }

    fn is_disabled(&self) -> bool {
        self.user.status == Status::Disabled
    }
}

/// When a profile counts.
pub(crate) fn conditions(profile: &AccessProfile) -> String {
    let conditions = &profile.conditions;
    let mut words = Vec::new();
    if conditions.disabled {
        words.push("switched off".to_owned());
    }
    if let Some(networks) = &conditions.networks {
        let all: Vec<_> = networks.iter().map(ToString::to_string).collect();
        words.push(if all.is_empty() { "from nowhere".to_owned() } else { format!("from {}", all.join(", ")) });
    }
    if words.is_empty() { "always".to_owned() } else { words.join("; ") }
}

/// What a kind of factor is called.
pub(crate) fn kind_words(kind: &FactorKind) -> &'static str {
    match kind {
        FactorKind::Totp => "Authenticator",
        FactorKind::Passkey => "Passkey",
    }
}

/// Shows it.
pub(crate) async fn show(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, UserId)>,
    Query(query): Query<ToldQuery>,
) -> Answer {
    let told = match query.told.as_str() {
        "invited" => "The invitation is on its way. Its link works for seven days.",
        "again" => "Another invitation is on its way; links before it work no more.",
        "cancelled" => "The invitation was taken back: its link works no more.",
        "saved" => "Saved.",
        "roles" => "The roles hold already, in every session.",
        "disabled" => "The person cannot sign in any more, and all of its sessions have ended.",
        "enabled" => "The person can sign in again.",
        "forgotten" => "Which accounts the person has is forgotten: the next one with its address becomes it.",
        "ended" => "The session has ended.",
        "all-ended" => "All sessions have ended.",
        "reset" => {
            "All second factors and recovery codes are removed, and all sessions have ended. The person was told by mail."
        }
        _ => "",
    };
    page(&api, &person, (tenant, id), &Errors::default(), told, StatusCode::OK).await
}

/// Shows it with what stands in the way of something.
pub(super) async fn refused(api: &Api, person: &Person, whose: (TenantId, UserId), error: Error) -> Answer {
    let status = status(&error);
    let errors = Errors::of(error).map_err(Failure)?;
    page(api, person, whose, &errors, "", status).await
}

async fn page(
    api: &Api,
    person: &Person,
    (tenant, id): (TenantId, UserId),
    errors: &Errors,
    told: &'static str,
    status: StatusCode,
) -> Answer {
    let place = person.at(api, tenant).await?;
    let UserGrant { user, profiles, manageable, .. } = api.app.find_user_grant(&person.caller, tenant, id).await?;
    let (standing, factors) = how_it_gets_in(api, person, tenant, id).await?;
    let held = user.roles.iter().chain(profiles.iter().flat_map(|profile| &profile.roles)).copied();
    let names = Names::of(api, person, tenant, held).await?;
    let identities = identities::of(api, person, tenant, id).await?;
    let sessions = if person.may("sessions", Verb::Read) {
        Some(api.app.list_user_sessions(&person.caller, tenant, id).await?)
    } else {
        None
    };
    let invited_until = match api.app.find_invitation(&person.caller, tenant, id).await {
        Ok(link) => Some(link.expires_at),
        Err(Error::NotFound(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let title = user.display_name();
    let content = One {
        path: path_of(tenant, id),
        roles: names.all(&user.roles),
        names,
        profiles: &profiles,
        standing,
        factors,
        identities,
        sessions,
        invited_until,
        errors,
        told,
        is_self: person.user().id == id,
        manageable,
        may_update: person.may("users", Verb::Update),
        may_delete: person.may("users", Verb::Delete),
        may_end: person.may("sessions", Verb::Delete),
        user: &user,
    };
    let path = call_path(tenant, id);
    let mut page = Page::new(&title, Section::People)
        .at(&place)
        .status(status)
        .call(ApiCall::new("Read the person", "GET", &path))
        .call(ApiCall::new("Its sessions", "GET", &format!("{path}/sessions")))
        .call(ApiCall::new("Its second factors", "GET", &format!("{path}/factors")))
        .call(ApiCall::new("Its accounts at identity providers", "GET", &format!("{path}/identities")))
        .call(ApiCall::new("Its access profiles", "GET", &format!("{path}/access-profiles")));
    if user.status == Status::Invited {
        for call in invite::calls(tenant, id) {
            page = page.call(call);
        }
    }
    let verb = if user.status == Status::Disabled { "enable" } else { "disable" };
    page.call(ApiCall::with_body("Disable or enable it", "POST", &format!("{path}/{verb}"), &json!({})))
        .render(person, &content)
}

async fn how_it_gets_in(api: &Api, person: &Person, tenant: TenantId, id: UserId) -> Result<(Standing, Factors)> {
    let mut standings = api.app.user_standings(&person.caller, tenant, &[id]).await?;
    let factors = api.app.list_user_factors(&person.caller, tenant, id).await?;
    Ok((standings.remove(&id).unwrap_or_default(), factors))
}

/// Disables or enables it.
pub(crate) async fn enable(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, UserId)>,
    form: Form,
) -> Answer {
    let (enabled, version) = (form.is("enabled", "true"), form.version()?);
    let (done, told) = if enabled {
        (api.app.enable_user(&person.caller, tenant, id, version).await, "enabled")
    } else {
        (api.app.disable_user(&person.caller, tenant, id, version).await, "disabled")
    };
    match done {
        Ok(_) => Ok(see_other(&format!("{}?told={told}", path_of(tenant, id)))),
        Err(error) => refused(&api, &person, (tenant, id), error).await,
    }
}
