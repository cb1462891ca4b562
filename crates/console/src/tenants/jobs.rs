//! Provisionings: how far each is, as long as anybody looks and whenever somebody comes back; and its first secret, once.

use super::list::may_create;
use crate::api_call::ApiCall;
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, alone, see_other};
use crate::place::Place;
use crate::session::Person;
use crate::show;
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use claviger_app::provisionings::ClaimedSecret;
use claviger_app::unit::Posted;
use claviger_domain::Error;
use claviger_domain::grants::Verb;
use claviger_domain::id::{ProvisioningId, TenantId};
use claviger_domain::page::PageRequest;
use claviger_domain::provisioning::{Progress, Provisioning, SecretState, Step, StepKind};
use claviger_domain::tenant::Tenant;
use claviger_domain::time::Timestamp;
use claviger_kit::{Api, Failure, Path, Query, status};
use http::StatusCode;
use serde::Deserialize;

/// Which part of the list is shown.
#[derive(Deserialize)]
struct JobsQuery {
    #[serde(default)]
    cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "tenants/jobs.html")]
struct Jobs<'a> {
    tab: &'static str,
    place: &'a Place,
    /// Each with the tenant that it makes, where that is within reach.
    jobs: Vec<(Option<Tenant>, Provisioning)>,
    now: Timestamp,
    first: bool,
    next: Option<String>,
    may_create: bool,
}

#[derive(Template)]
#[template(path = "tenants/job.html")]
struct Job<'a> {
    place: &'a Place,
    job: Provisioning,
    /// The tenant that it makes, where that is within reach.
    made: Option<Tenant>,
    errors: &'a Errors,
    now: Timestamp,
    may_claim: bool,
    may_retry: bool,
}

#[derive(Template)]
#[template(path = "tenants/claimed.html")]
struct Claimed<'a> {
    place: &'a Place,
    id: ProvisioningId,
    client_id: String,
    secret: &'a str,
}

impl Job<'_> {
    fn waits(&self) -> bool {
        self.job.secret(self.now) == SecretState::Waiting
    }

    /// Where what a step has made is seen.
    fn leads(&self, step: &Step) -> Option<String> {
        let tenant = format!("/console/tenants/{}", self.job.tenant_id);
        match (step.kind, &step.made) {
            (StepKind::Tenant, Some(_)) => self.made.as_ref().map(|_| tenant),
            (StepKind::Application, Some(id)) => Some(format!("{tenant}/applications/{id}")),
            _ => None,
        }
    }
}

/// Its routes.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/console/tenants/{tenant_id}/provisionings", get(list))
        .route("/console/tenants/{tenant_id}/provisionings/{id}", get(show))
        .route("/console/tenants/{tenant_id}/provisionings/{id}/retry", post(retry))
        .route("/console/tenants/{tenant_id}/provisionings/{id}/secret", post(claim))
}

/// How far something is: the colour of a badge.
fn colour(progress: &Progress) -> &'static str {
    match progress {
        Progress::Complete => "good",
        Progress::Failed => "bad",
        Progress::Queued | Progress::Running => "warn",
    }
}

/// What a step makes, in words.
fn step_word(kind: &StepKind) -> &'static str {
    match kind {
        StepKind::Tenant => "The tenant",
        StepKind::Application => "Its first application",
        StepKind::Administrator => "Its first person, and the invitation",
    }
}

/// What there is of a first secret, in words.
fn secret_word(job: &Provisioning, now: &Timestamp) -> &'static str {
    match job.secret(*now) {
        SecretState::None => "–",
        SecretState::Waiting => "waits to be shown",
        SecretState::Claimed => "was shown",
        SecretState::Lapsed => "was not asked for in time",
    }
}

async fn list(
    State(api): State<Api>,
    person: Person,
    Path(tenant): Path<TenantId>,
    Query(query): Query<JobsQuery>,
) -> Answer {
    let place = person.at(&api, tenant).await?;
    let cursor = super::asked(&query.cursor);
    let request = PageRequest::parse(None, cursor)?;
    let found = api.app.list_provisionings(&person.caller, tenant, &request).await?;
    let mut jobs = Vec::with_capacity(found.items.len());
    for job in found.items {
        jobs.push((api.app.find_provisioned(&person.caller, &job).await?, job));
    }
    let content = Jobs {
        tab: "provisionings",
        place: &place,
        jobs,
        now: api.app.clock().now(),
        first: cursor.is_none(),
        next: found.next,
        may_create: may_create(&person, &place),
    };
    Page::new("Provisionings", Section::Tenants)
        .at(&place)
        .call(ApiCall::new("List them", "GET", &format!("/v1/tenants/{tenant}/provisionings")))
        .render(&person, &content)
}

async fn show(State(api): State<Api>, person: Person, Path((tenant, id)): Path<(TenantId, ProvisioningId)>) -> Answer {
    page(&api, &person, (tenant, id), &Errors::default(), StatusCode::OK).await
}

async fn page(
    api: &Api,
    person: &Person,
    (tenant, id): (TenantId, ProvisioningId),
    errors: &Errors,
    status: StatusCode,
) -> Answer {
    let place = person.at(api, tenant).await?;
    let job = api.app.find_provisioning(&person.caller, tenant, id).await?;
    let made = api.app.find_provisioned(&person.caller, &job).await?;
    let path = format!("/v1/tenants/{tenant}/provisionings/{id}");
    let may_claim = person.may("applications", Verb::Update);
    let may_retry = made.is_some() && may_create(person, &place);
    let content = Job { place: &place, job, made, errors, now: api.app.clock().now(), may_claim, may_retry };
    Page::new("Provisioning", Section::Tenants)
        .at(&place)
        .status(status)
        .call(ApiCall::new("See how far it is", "GET", &path))
        .call(ApiCall::new("Take it up again where it has failed", "POST", &format!("{path}/retry")))
        .call(ApiCall::new("Claim the first secret, once", "POST", &format!("{path}/secret")))
        .render(person, &content)
}

/// Goes on with what has failed.
async fn retry(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, ProvisioningId)>,
    _: Form,
) -> Answer {
    match api.app.retry_provisioning(&person.caller, tenant, id).await {
        Ok(_) => Ok(see_other(&format!("/console/tenants/{tenant}/provisionings/{id}"))),
        Err(error) => refused(&api, &person, (tenant, id), error).await,
    }
}

/// The page again, with why something was refused.
async fn refused(api: &Api, person: &Person, ids: (TenantId, ProvisioningId), error: Error) -> Answer {
    let status = status(&error);
    let errors = Errors::of(error).map_err(Failure)?;
    page(api, person, ids, &errors, status).await
}

async fn claim(
    State(api): State<Api>,
    person: Person,
    Path((tenant, id)): Path<(TenantId, ProvisioningId)>,
    _: Form,
) -> Answer {
    match api.app.claim_first_secret(&person.caller, tenant, id, None).await {
        Ok(Posted::Done(ClaimedSecret { client_id, minted, .. })) => {
            let place = person.at(&api, tenant).await?;
            let secret = minted.text.reveal();
            let content = Claimed { place: &place, id, client_id: client_id.to_string(), secret: &secret };
            alone("Store this secret now", StatusCode::OK, &content)
        }
        Ok(Posted::Replayed(_)) => {
            Err(Failure(Error::Internal("a call without an idempotency key was replayed".into())))
        }
        Err(error) => refused(&api, &person, (tenant, id), error).await,
    }
}
