//! Trying a token against a trusted issuer: which step it does not pass. Nothing comes of it.

use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page};
use crate::place::Place;
use crate::session::Person;
use askama::Template;
use axum::extract::State;
use claviger_app::issuer_trials::Attempt;
use claviger_domain::id::{ApplicationId, BindingId, IssuerId, TenantId};
use claviger_domain::issuer_trial::{Failed, Step, Trial};
use claviger_domain::trusted_issuer::TrustedIssuer;
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure, Path, status};
use http::StatusCode;
use serde_json::json;

#[derive(Template)]
#[template(path = "security/trial.html")]
struct TrialPage<'a> {
    place: &'a Place,
    issuer: &'a TrustedIssuer,
    form: &'a Form,
    errors: &'a Errors,
    trial: Option<Trial>,
}

/// How a token stands to a step of verification.
struct Passed<'a> {
    word: &'static str,
    outcome: &'static str,
    badge: &'static str,
    failed: Option<&'a Failed>,
}

impl TrialPage<'_> {
    fn steps<'a>(&self, trial: &'a Trial) -> Vec<Passed<'a>> {
        let mut reached = true;
        let step = |step: Step| {
            let failed = trial.failed.as_ref().filter(|failed| failed.step == step);
            let (outcome, badge) = match (failed, reached) {
                (Some(_), _) => ("failed", "bad"),
                (None, true) => ("passed", "good"),
                (None, false) => ("not reached", "off"),
            };
            reached &= failed.is_none();
            Passed { word: step_word(step), outcome, badge, failed }
        };
        Step::ALL.into_iter().map(step).collect()
    }

    /// What a binding is called.
    fn binding(&self, id: &BindingId) -> String {
        let position = self.issuer.bindings.iter().position(|one| one.id == *id);
        let number = position.map(|position| position + 1).unwrap_or_default();
        let description = position.and_then(|position| self.issuer.bindings.get(position));
        match description.map(|one| one.description.as_str()).filter(|text| !text.is_empty()) {
            Some(text) => text.to_owned(),
            None => format!("Binding {number}"),
        }
    }
}

fn step_word(step: Step) -> &'static str {
    match step {
        Step::Form => "It is a signed token",
        Step::Issuer => "Its issuer is this one",
        Step::Enabled => "The issuer is enabled",
        Step::Header => "Its header is acceptable",
        Step::Keys => "A key of the issuer is there for it",
        Step::Signature => "That key has signed it",
        Step::Claims => "Audience, times and subject are right",
        Step::Binding => "One binding fits",
        Step::Application => "The application may call",
    }
}

/// Shows the form.
pub(crate) async fn show(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, IssuerId)>,
) -> Answer {
    page(&api, &person, (tenant, id), &Form::default(), (&Errors::default(), StatusCode::OK), None).await
}

async fn page(
    api: &Api,
    person: &Person,
    (tenant, id): (TenantId, IssuerId),
    form: &Form,
    (errors, status): (&Errors, StatusCode),
    trial: Option<Trial>,
) -> Answer {
    let place = person.at(api, tenant).await?;
    let issuer = api.app.find_trusted_issuer(&person.caller, tenant, id).await?.issuer;
    let title = format!("Try a token of {}", issuer.name);
    let path = format!("/v1/tenants/{tenant}/trusted-issuers/{id}/test");
    Page::new(&title, Section::Security)
        .at(&place)
        .status(status)
        .call(ApiCall::with_body("Try a token", "POST", &path, &json!({ "token": "eyJ…" })))
        .render(person, &TrialPage { place: &place, issuer: &issuer, form, errors, trial })
}

/// Tries one.
pub(crate) async fn run(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, IssuerId)>,
    form: Form,
) -> Answer {
    let at = (tenant, id);
    // The token itself is not sent back: it may still be good.
    let shown = Form::of([("application_id", form.get("application_id").to_owned())]);
    match try_token(&api, &person, at, &form).await {
        Ok(trial) => page(&api, &person, at, &shown, (&Errors::default(), StatusCode::OK), Some(trial)).await,
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            page(&api, &person, at, &shown, (&errors, status), None).await
        }
    }
}

async fn try_token(api: &Api, person: &Person, (tenant, id): (TenantId, IssuerId), form: &Form) -> Result<Trial> {
    let Some(text) = form.given("token") else {
        return Err(Error::invalid("/token", "there is no token", "paste one"));
    };
    let application =
        match form.given("application_id") {
            None => None,
            Some(text) => Some(ApplicationId::parse(text).ok_or_else(|| {
                Error::invalid("/application_id", "not an id", "leave it empty, or give the id of one")
            })?),
        };
    let here = api.app.token_settings()?.issuer.as_str();
    let door = format!("{here}/oauth2/token");
    let attempt = Attempt { text, application, audiences: [here, &door] };
    api.app.try_issuer_token(&person.caller, tenant, id, attempt).await
}
