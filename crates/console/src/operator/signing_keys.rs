//! The keys that sign session tokens: how they follow each other, the next one made early, a stolen one revoked.

use super::operator;
use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::session::Person;
use crate::show;
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use claviger_app::signing_keys::KeyState;
use claviger_domain::grants::Verb;
use claviger_domain::id::TenantId;
use claviger_domain::signing::Stage;
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure, Path, status};
use http::StatusCode;

const REST: &str = "/operator/signing-keys";

#[derive(Template)]
#[template(path = "operator/signing_keys.html")]
struct Keys {
    keys: Vec<KeyState>,
    base: String,
    may_rotate: bool,
    may_revoke: bool,
}

#[derive(Template)]
#[template(path = "operator/rotate_key.html")]
struct Rotate<'a> {
    base: &'a str,
    errors: &'a Errors,
}

#[derive(Template)]
#[template(path = "operator/revoke_key.html")]
struct Revoke<'a> {
    key: &'a KeyState,
    base: &'a str,
    form: &'a Form,
    errors: &'a Errors,
}

/// Its routes.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/console/tenants/{tenant_id}/operator/signing-keys", get(list))
        .route("/console/tenants/{tenant_id}/operator/signing-keys/rotate", get(ask_rotate).post(rotate))
        .route("/console/tenants/{tenant_id}/operator/signing-keys/{kid}/revoke", get(ask_revoke).post(revoke))
}

impl Keys {
    /// What a key does, as a badge has it.
    fn stage(&self, stage: &Stage) -> (&'static str, &'static str) {
        match stage {
            Stage::Published => ("", "published, signs later"),
            Stage::Signing => ("good", "signs"),
            Stage::Retiring => ("warn", "retiring"),
            Stage::Retired => ("off", "retired"),
            Stage::Revoked => ("bad", "revoked"),
        }
    }

    /// Whether revoking it would change anything.
    fn can_go(&self, stage: &Stage) -> bool {
        self.may_revoke && !matches!(stage, Stage::Revoked | Stage::Retired)
    }
}

async fn list(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>) -> Answer {
    let place = operator(&api, &person, tenant).await?;
    let content = Keys {
        keys: api.app.list_signing_keys(&person.caller).await?,
        base: place.path(REST),
        may_rotate: person.may("signing-keys", Verb::Create),
        may_revoke: person.may("signing-keys", Verb::Delete),
    };
    Page::new("Signing keys", Section::SigningKeys)
        .at(&place)
        .call(ApiCall::new("List the signing keys", "GET", "/v1/signing-keys"))
        .call(ApiCall::new("Make the next one now", "POST", "/v1/signing-keys/rotate"))
        .render(&person, &content)
}

async fn ask_rotate(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>) -> Answer {
    rotate_page(&api, &person, tenant, &Errors::default(), StatusCode::OK).await
}

async fn rotate_page(api: &Api, person: &Person, tenant: TenantId, errors: &Errors, status: StatusCode) -> Answer {
    let place = operator(api, person, tenant).await?;
    // Who may not see the keys is told so before anything else is asked.
    api.app.list_signing_keys(&person.caller).await?;
    if let Some(to) = person.to_step_up(api) {
        return Ok(to);
    }
    Page::new("Make the next signing key now", Section::SigningKeys)
        .at(&place)
        .status(status)
        .call(ApiCall::new("Make the next signing key now", "POST", "/v1/signing-keys/rotate"))
        .render(person, &Rotate { base: &place.path(REST), errors })
}

async fn rotate(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>, _: Form) -> Answer {
    let place = operator(&api, &person, tenant).await?;
    if let Some(to) = person.to_step_up(&api) {
        return Ok(to);
    }
    match api.app.rotate_signing_key(&person.caller, None).await {
        Ok(_) => Ok(see_other(&place.path(REST))),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            rotate_page(&api, &person, tenant, &errors, status).await
        }
    }
}

async fn ask_revoke(State(api): State<Api>, person: Person, Path((tenant, kid)): Path<(TenantId, String)>) -> Answer {
    revoke_page(&api, &person, (tenant, &kid), &Form::default(), &Errors::default(), StatusCode::OK).await
}

async fn revoke_page(
    api: &Api,
    person: &Person,
    (tenant, kid): (TenantId, &str),
    form: &Form,
    errors: &Errors,
    status: StatusCode,
) -> Answer {
    let place = operator(api, person, tenant).await?;
    let keys = api.app.list_signing_keys(&person.caller).await?;
    let key = keys.iter().find(|key| key.kid == kid).ok_or(Error::NotFound("signing key"))?;
    if let Some(to) = person.to_step_up(api) {
        return Ok(to);
    }
    Page::new("Revoke a signing key", Section::SigningKeys)
        .at(&place)
        .status(status)
        .call(ApiCall::new("Revoke the signing key", "POST", &format!("/v1/signing-keys/{}/revoke", key.kid)))
        .render(person, &Revoke { key, base: &place.path(REST), form, errors })
}

async fn revoke(
    State(api): State<Api>,
    person: Person,
    Path((tenant, kid)): Path<(TenantId, String)>,
    form: Form,
) -> Answer {
    let place = operator(&api, &person, tenant).await?;
    if let Some(to) = person.to_step_up(&api) {
        return Ok(to);
    }
    match try_revoke(&api, &person, &kid, &form).await {
        Ok(()) => Ok(see_other(&place.path(REST))),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            revoke_page(&api, &person, (tenant, &kid), &form, &errors, status).await
        }
    }
}

async fn try_revoke(api: &Api, person: &Person, kid: &str, form: &Form) -> Result<()> {
    if form.get("kid") != kid {
        return Err(Error::invalid("/kid", "that is not the id of this key", "type it as it stands above"));
    }
    api.app.revoke_signing_key(&person.caller, kid.to_owned(), None).await.map(|_| ())
}
