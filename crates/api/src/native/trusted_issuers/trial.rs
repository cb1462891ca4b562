//! Trying a token against a trusted issuer.

use crate::kit::{Api, Authenticated, Body, Path};
use crate::native::answer::{Answer, json};
use crate::native::openapi::Reading;
use axum::extract::State;
use claviger_app::issuer_trials::Attempt;
use claviger_domain::Error;
use claviger_domain::foreign_token::TEXT_MAX;
use claviger_domain::id::{ApplicationId, BindingId, IssuerId, TenantId};
use claviger_domain::issuer_trial::{Fit, Step, Trial};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A token to be tried.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IssuerTrial)]
pub(crate) struct TrialBody {
    /// The token, as a workload would present it.
    #[schema(min_length = 1, max_length = 8192)]
    token: String,
    /// The application that the workload would name by `client_id`, if any.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    application_id: Option<ApplicationId>,
}

/// What trying a token came to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IssuerTrialResult)]
pub(crate) struct TrialResultBody {
    /// Whether it would be accepted. Whether it was used before, and where it would come from, is left out of account.
    accepted: bool,
    /// The steps of verification, in their order.
    steps: Vec<StepBody>,
    /// How each binding stands to it; empty where its claims were not believed.
    bindings: Vec<FitBody>,
    /// The application that it stands for; `null` where that was not found out.
    #[schema(required = true, value_type = Option<Uuid>)]
    application_id: Option<ApplicationId>,
}

/// A step of verification.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IssuerTrialStep)]
pub(crate) struct StepBody {
    /// `form`, `issuer`, `enabled`, `header`, `keys`, `signature`, `claims`, `binding` or `application`.
    step: &'static str,
    /// `passed`, `failed` or, behind the one that failed, `not_reached`.
    outcome: &'static str,
    /// Why it failed, as the audit record has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// Why it failed, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// How a binding stands to the claims of a token.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IssuerTrialBinding)]
pub(crate) struct FitBody {
    /// The binding.
    #[schema(value_type = Uuid)]
    id: BindingId,
    /// Where it leads.
    #[schema(value_type = Uuid)]
    application_id: ApplicationId,
    /// Whether all of its conditions hold.
    fits: bool,
    /// The claims whose conditions do not.
    failing_claims: Vec<String>,
}

impl From<Trial> for TrialResultBody {
    fn from(trial: Trial) -> Self {
        let (mut steps, mut reached) = (Vec::with_capacity(Step::ALL.len()), true);
        for step in Step::ALL {
            let failed = trial.failed.as_ref().filter(|failed| failed.step == step);
            steps.push(StepBody {
                step: step.as_str(),
                outcome: match (failed, reached) {
                    (Some(_), _) => "failed",
                    (None, true) => "passed",
                    (None, false) => "not_reached",
                },
                code: failed.map(|failed| failed.code),
                detail: failed.map(|failed| failed.detail.clone()),
            });
            reached &= failed.is_none();
        }
        let bindings = trial.fits.into_iter().map(|Fit { binding, application, failing }| FitBody {
            id: binding,
            application_id: application,
            fits: failing.is_empty(),
            failing_claims: failing,
        });
        let bindings = bindings.collect();
        Self { accepted: trial.failed.is_none(), steps, bindings, application_id: trial.application }
    }
}

/// Try a token against a trusted issuer
///
/// Says which step of verification it would not pass. Nothing comes of it: no session token is made, and the token is not
/// used up.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/trusted-issuers/{id}/test", tag = "trusted issuers",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path)), request_body = TrialBody,
    responses((status = 200, description = "Done", body = TrialResultBody), Reading))]
pub(crate) async fn test_trusted_issuer(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, IssuerId)>,
    Body(TrialBody { token, application_id }): Body<TrialBody>,
) -> Answer {
    if token.is_empty() || token.len() > TEXT_MAX {
        let fix = format!("give a token of 1 to {TEXT_MAX} bytes");
        return Err(Error::invalid("/token", format!("{} bytes", token.len()), fix).into());
    }
    let here = api.app.token_settings()?.issuer.as_str();
    let door = format!("{here}/oauth2/token");
    let attempt = Attempt { text: token.trim(), application: application_id, audiences: [here, &door] };
    let trial = api.app.try_issuer_token(&caller, tenant, id, attempt).await?;
    json(StatusCode::OK, &TrialResultBody::from(trial))
}
