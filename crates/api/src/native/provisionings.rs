//! Provisioning: a tenant with what it needs at once, as a job.

use crate::kit::{Api, Authenticated, Body, Fields, Path, Post, Query};
use crate::native::answer::{Answer, json, keep, page, replayed};
use crate::native::applications::ReachWord;
use crate::native::grants::GrantsBody;
use crate::native::members::{PageOf, PageQuery};
use crate::native::openapi::{Creating, Reading, Writing};
use crate::native::secrets::NothingBody;
use crate::native::tenants::bodies::ProvisionedTenantBody;
use axum::extract::State;
use axum::response::Response;
use claviger_app::unit::{Kept, OnceFor, Posted};
use claviger_domain::application::Rights;
use claviger_domain::catalogue::Catalogue;
use claviger_domain::id::{AccessLevelId, ApplicationId, ProvisioningId, TenantId};
use claviger_domain::name::Name;
use claviger_domain::provisioning::{
    NewProvisioning, Progress, Provisioning, SecretState, Step, WantedAdministrator, WantedApplication,
};
use claviger_domain::time::Timestamp;
use claviger_domain::user::{Email, parse_person_name, parse_roles};
use claviger_domain::{Error, Result};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode, Uri};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// How far something is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Progress)]
pub(crate) enum ProgressWord {
    Queued,
    Running,
    Complete,
    Failed,
}

/// What there is of a first secret.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = FirstSecret)]
pub(crate) enum SecretWord {
    /// None was made, or not yet.
    None,
    /// It waits to be claimed.
    Waiting,
    /// Somebody has claimed it.
    Claimed,
    /// It was not claimed in time.
    Lapsed,
}

/// The first application of a tenant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FirstApplication)]
pub(crate) struct FirstApplicationBody {
    /// Name.
    #[schema(min_length = 1, max_length = 128)]
    name: String,
    /// An access level that comes with the server. Either this or `grants` is given.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    access_level_id: Option<AccessLevelId>,
    /// Grants of its own.
    #[serde(default)]
    grants: Option<GrantsBody>,
    /// How far its rights reach; `own` if not given.
    #[serde(default)]
    reach: Option<ReachWord>,
}

/// The first person of a tenant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FirstAdministrator)]
pub(crate) struct FirstAdministratorBody {
    /// What it signs in with.
    #[schema(max_length = 254)]
    email: String,
    /// First name.
    #[serde(default)]
    #[schema(max_length = 64)]
    first_name: String,
    /// Last name.
    #[serde(default)]
    #[schema(max_length = 64)]
    last_name: String,
    /// Access levels that come with the server; Super Admin if not given.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Uuid>>, max_items = 50)]
    access_level_ids: Option<Vec<AccessLevelId>>,
}

/// What is to be provisioned.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewProvisioning)]
pub(crate) struct NewProvisioningBody {
    /// The tenant.
    tenant: ProvisionedTenantBody,
    /// Its first application, with a temporary secret.
    #[serde(default)]
    application: Option<FirstApplicationBody>,
    /// Its first person, who is invited. Not for an instance.
    #[serde(default)]
    administrator: Option<FirstAdministratorBody>,
}

/// A step.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProvisioningStep)]
pub(crate) struct StepBody {
    /// What it makes.
    #[schema(example = "application")]
    step: &'static str,
    /// How far it is.
    status: ProgressWord,
    /// The id of what it has made.
    #[schema(required = true)]
    id: Option<String>,
    /// When it was done, or failed.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
}

/// A tenant that is made step by step.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Provisioning)]
pub(crate) struct ProvisioningBody {
    /// Id.
    #[schema(value_type = Uuid)]
    id: ProvisioningId,
    /// The tenant beneath which it is made.
    #[schema(value_type = Uuid)]
    parent_id: TenantId,
    /// The tenant, which is there from the start.
    #[schema(value_type = Uuid)]
    tenant_id: TenantId,
    /// How far it is.
    status: ProgressWord,
    /// The steps in their order.
    steps: Vec<StepBody>,
    /// Why it failed.
    #[schema(required = true)]
    error: Option<String>,
    /// The first application, once it is made.
    #[schema(required = true, value_type = Option<Uuid>)]
    application_id: Option<ApplicationId>,
    /// What there is of its secret.
    secret: SecretWord,
    /// Until when the secret can be claimed.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    secret_until: Option<Timestamp>,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When something of it was done last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<Progress> for ProgressWord {
    fn from(progress: Progress) -> Self {
        match progress {
            Progress::Queued => Self::Queued,
            Progress::Running => Self::Running,
            Progress::Complete => Self::Complete,
            Progress::Failed => Self::Failed,
        }
    }
}

impl From<SecretState> for SecretWord {
    fn from(state: SecretState) -> Self {
        match state {
            SecretState::None => Self::None,
            SecretState::Waiting => Self::Waiting,
            SecretState::Claimed => Self::Claimed,
            SecretState::Lapsed => Self::Lapsed,
        }
    }
}

impl From<&Step> for StepBody {
    fn from(step: &Step) -> Self {
        Self { step: step.kind.as_str(), status: step.progress.into(), id: step.made.clone(), at: step.at }
    }
}

impl ProvisioningBody {
    fn of(job: &Provisioning, now: Timestamp) -> Self {
        Self {
            id: job.id,
            parent_id: job.parent_id,
            tenant_id: job.tenant_id,
            status: job.progress.into(),
            steps: job.steps.iter().map(StepBody::from).collect(),
            error: job.error.clone(),
            application_id: job.application_id(),
            secret: job.secret(now).into(),
            secret_until: job.secret_until,
            created_at: job.created_at,
            updated_at: job.updated_at,
        }
    }
}

impl FirstApplicationBody {
    fn parse(self, catalogue: &Catalogue) -> Result<WantedApplication> {
        let mut fields = Fields::new();
        let name = fields.take(Name::parse("/application/name", &self.name));
        let rights = match (self.access_level_id, self.grants) {
            (Some(level), None) => Some(Rights::Level(level)),
            (None, Some(grants)) => {
                fields.take(grants.parse(catalogue).map_err(|error| within("/application", error))).map(Rights::Inline)
            }
            _ => {
                let message = "either an access level or grants are needed";
                fields.refuse("/application", message, "give access_level_id or grants, not both");
                None
            }
        };
        let reach = self.reach.unwrap_or(ReachWord::Own).into();
        fields.finish(name.zip(rights).map(|(name, rights)| WantedApplication { name, rights, reach }))
    }
}

impl FirstAdministratorBody {
    fn parse(self, catalogue: &Catalogue) -> Result<WantedAdministrator> {
        let mut fields = Fields::new();
        let email = fields.take(Email::parse("/administrator/email", &self.email));
        let first_name = fields.take(parse_person_name("/administrator/first_name", &self.first_name));
        let last_name = fields.take(parse_person_name("/administrator/last_name", &self.last_name));
        let all = catalogue.levels().last().map(|level| level.id).into_iter().collect();
        let roles = self.access_level_ids.unwrap_or(all);
        let roles = fields.take(parse_roles("/administrator/access_level_ids", roles));
        let named = first_name.zip(last_name);
        let built = email.zip(named).zip(roles).map(|((email, (first_name, last_name)), roles)| WantedAdministrator {
            email,
            first_name,
            last_name,
            roles,
        });
        fields.finish(built)
    }
}

impl NewProvisioningBody {
    fn parse(self, parent: TenantId, catalogue: &Catalogue, now: Timestamp) -> Result<NewProvisioning> {
        let mut fields = Fields::new();
        let tenant = fields.take(self.tenant.parse(parent, now).map_err(|error| within("/tenant", error)));
        let application = self.application.and_then(|body| fields.take(body.parse(catalogue)));
        let administrator = self.administrator.and_then(|body| fields.take(body.parse(catalogue)));
        fields.finish(tenant.map(|tenant| NewProvisioning { tenant, application, administrator }))
    }
}

/// What is wrong with the members of a member.
fn within(member: &str, error: Error) -> Error {
    match error {
        Error::Invalid(mut fields) => {
            fields.iter_mut().for_each(|field| field.pointer.insert_str(0, member));
            Error::Invalid(fields)
        }
        other => other,
    }
}

fn kept(job: &Provisioning) -> Kept {
    keep(StatusCode::ACCEPTED, &ProvisioningBody::of(job, job.updated_at))
}

fn placed(mut response: Response, id: Option<&str>, parent: TenantId) -> Response {
    let place = id.map(|id| HeaderValue::try_from(format!("/v1/tenants/{parent}/provisionings/{id}")));
    if let Some(Ok(place)) = place {
        response.headers_mut().insert(LOCATION, place);
    }
    response
}

/// Provision a tenant
///
/// Makes a tenant beneath this one, and what it needs with it, step by step: the tenant is there when this is answered, the rest
/// follows, also after a fall of the server. `GET` of `Location` says how far it is. Nothing can be made beneath the tenant
/// before it is complete. The same order for the same `external_id` is done once; another one for it is refused with 409.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/provisionings", tag = "tenants",
    params(("tenant_id" = Uuid, Path), Creating), request_body = NewProvisioningBody,
    responses((status = 202, description = "Accepted", body = ProvisioningBody, headers(("Location" = String))), Writing))]
pub(crate) async fn provision_tenant(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(parent): Path<TenantId>,
    Post { body, once }: Post<NewProvisioningBody>,
) -> Answer {
    let once = once.map(|once| OnceFor { once, keep: kept });
    let now = api.app.clock().now();
    let new = body.parse(parent, api.app.catalogue(), now)?;
    match api.app.provision_tenant(&caller, new, once).await? {
        Posted::Done(job) => {
            let response = json(StatusCode::ACCEPTED, &ProvisioningBody::of(&job, now))?;
            Ok(placed(response, Some(&job.id.to_string()), parent))
        }
        Posted::Replayed(kept) => {
            let body: Value = serde_json::from_str(&kept.body).unwrap_or_default();
            Ok(placed(replayed(kept)?, body.get("id").and_then(Value::as_str), parent))
        }
    }
}

/// List the provisionings beneath a tenant
///
/// Newest first.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/provisionings", tag = "tenants",
    params(("tenant_id" = Uuid, Path), PageQuery),
    responses((status = 200, description = "Done", body = PageOf<ProvisioningBody>), Reading))]
pub(crate) async fn list_provisionings(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(parent): Path<TenantId>,
    Query(query): Query<PageQuery>,
    uri: Uri,
) -> Answer {
    let now = api.app.clock().now();
    let jobs = api.app.list_provisionings(&caller, parent, &query.parse()?).await?;
    page(&uri, jobs.map(|job| ProvisioningBody::of(&job, now)))
}

/// Read a provisioning
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/provisionings/{provisioning_id}", tag = "tenants",
    params(("tenant_id" = Uuid, Path), ("provisioning_id" = Uuid, Path)),
    responses((status = 200, description = "Done", body = ProvisioningBody), Reading))]
pub(crate) async fn read_provisioning(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((parent, id)): Path<(TenantId, ProvisioningId)>,
) -> Answer {
    let job = api.app.find_provisioning(&caller, parent, id).await?;
    json(StatusCode::OK, &ProvisioningBody::of(&job, api.app.clock().now()))
}

/// Take up a failed provisioning again
///
/// Goes on with the step that failed, once what stood in the way is put right. Needs what the order needed.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/provisionings/{provisioning_id}/retry", tag = "tenants",
    params(("tenant_id" = Uuid, Path), ("provisioning_id" = Uuid, Path)), request_body = Option<NothingBody>,
    responses((status = 202, description = "Accepted", body = ProvisioningBody), Writing))]
pub(crate) async fn retry_provisioning(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((parent, id)): Path<(TenantId, ProvisioningId)>,
    Body(NothingBody {}): Body<NothingBody>,
) -> Answer {
    let job = api.app.retry_provisioning(&caller, parent, id).await?;
    json(StatusCode::ACCEPTED, &ProvisioningBody::of(&job, api.app.clock().now()))
}
