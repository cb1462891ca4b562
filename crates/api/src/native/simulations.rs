//! Simulation: would an application be let in, and why not.

use crate::kit::{Api, Authenticated, Body, Fields, Path};
use crate::native::answer::{Answer, json};
use crate::native::openapi::Reading;
use axum::extract::State;
use claviger_domain::Result;
use claviger_domain::catalogue::Catalogue;
use claviger_domain::grants::{Right, Verb};
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::simulation::{Obstacle, Question};
use claviger_domain::time::Timestamp;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use utoipa::ToSchema;

/// The call that is imagined.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Simulation)]
pub(crate) struct SimulationBody {
    /// The application that calls.
    #[schema(value_type = Uuid)]
    application_id: ApplicationId,
    /// The right it needs, as `NAME:VERB`.
    #[schema(example = "org.audits:READ")]
    permission: String,
    /// Where it comes from; without it networks are left out of account.
    #[serde(default)]
    address: Option<String>,
    /// When; now if left out.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
}

/// What the call would come to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SimulationResult)]
pub(crate) struct SimulationResultBody {
    /// Whether it would pass, the rate limit left out of account.
    allowed: bool,
    /// Everything that stands in its way, in the order in which verification asks.
    obstacles: Vec<ObstacleBody>,
}

/// One thing that stands in the way.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Obstacle)]
pub(crate) struct ObstacleBody {
    /// Stable code.
    code: &'static str,
    /// What it is and what to do.
    detail: String,
}

impl SimulationBody {
    fn parse(self, catalogue: &Catalogue, now: Timestamp) -> Result<(ApplicationId, Question)> {
        let mut fields = Fields::new();
        let right = self.permission.rsplit_once(':').and_then(|(name, verb)| {
            let verb = Verb::parse(verb)?;
            catalogue.find(name).filter(|found| found.verbs.has(verb)).map(|found| Right::new(&found.name, verb))
        });
        if right.is_none() {
            let fix = "write NAME:VERB as GET /v1/catalogue lists them, such as org.audits:READ";
            fields.refuse("/permission", format!("there is no right {:?}", self.permission), fix);
        }
        let address = self.address.as_deref().map(str::parse::<IpAddr>);
        if address.as_ref().is_some_and(std::result::Result::is_err) {
            fields.refuse("/address", "not an address", "write one such as 192.0.2.1 or 2001:db8::1");
        }
        let address = address.and_then(std::result::Result::ok);
        let question = right.map(|right| Question { right, address, at: self.at.unwrap_or(now) });
        fields.finish(question.map(|question| (self.application_id, question)))
    }
}

impl From<Obstacle> for ObstacleBody {
    fn from(obstacle: Obstacle) -> Self {
        Self { code: obstacle.code, detail: obstacle.detail }
    }
}

/// Simulate a call
///
/// Whether an application would be let in with a right, from an address, at a time; and if not, everything that stands in
/// the way, each with what to do about it.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/simulate", tag = "verification",
    params(("tenant_id" = Uuid, Path)), request_body = SimulationBody,
    responses((status = 200, description = "Done", body = SimulationResultBody), Reading))]
pub(crate) async fn simulate(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Body(body): Body<SimulationBody>,
) -> Answer {
    let (application, question) = body.parse(api.app.catalogue(), api.app.clock().now())?;
    let found = api.app.simulate(&caller, tenant, application, &question).await?;
    let obstacles: Vec<_> = found.into_iter().map(ObstacleBody::from).collect();
    json(StatusCode::OK, &SimulationResultBody { allowed: obstacles.is_empty(), obstacles })
}
