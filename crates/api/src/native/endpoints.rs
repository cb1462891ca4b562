//! Endpoints of a tenant: reported by the platform, read by whoever bills by them.

use crate::kit::{Api, Authenticated, Body, Path, Query};
use crate::native::answer::{Answer, json, page};
use crate::native::members::PageOf;
use crate::native::openapi::{Reading, Writing};
use crate::native::tenants::KindWord;
use axum::extract::State;
use claviger_app::endpoints::Endpoints;
use claviger_domain::endpoints::{CountGrain, PeriodCount, Span, TenantCount};
use claviger_domain::id::TenantId;
use claviger_domain::page::PageRequest;
use claviger_domain::time::Timestamp;
use http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// How finely counts are asked for.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = CountGrain)]
pub(crate) enum CountGrainWord {
    /// By day (UTC).
    #[default]
    Day,
    /// By month: the most of a day.
    Month,
}

/// Which periods are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SpanQuery {
    /// The first day; if not given, 30 days or twelve months back.
    #[param(format = Date)]
    from: Option<String>,
    /// The last day, which belongs to it; today if not given.
    #[param(format = Date)]
    to: Option<String>,
    /// `day` or `month`; `day` if not given.
    #[serde(default)]
    #[param(value_type = Option<CountGrainWord>)]
    grain: CountGrainWord,
}

/// Which periods of which tenants are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UtilizationQuery {
    /// The first day; if not given, 30 days or twelve months back.
    #[param(format = Date)]
    from: Option<String>,
    /// The last day, which belongs to it; today if not given.
    #[param(format = Date)]
    to: Option<String>,
    /// `day` or `month`; `day` if not given.
    #[serde(default)]
    #[param(value_type = Option<CountGrainWord>)]
    grain: CountGrainWord,
    /// Items on a page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// How many endpoints there are.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EndpointReport)]
pub(crate) struct ReportBody {
    /// How many.
    #[schema(minimum = 0, maximum = 1000000000)]
    count: i64,
    /// When there were so many, within the last 400 days; now if not given.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
}

/// What a period came to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EndpointPeriod)]
pub(crate) struct PeriodBody {
    /// Its first day.
    #[schema(format = Date, example = "2026-01-01")]
    from: String,
    /// The most of a day at the tenant itself; `null` where nothing was reported of it.
    #[schema(required = true)]
    count: Option<i64>,
    /// The same with everything beneath; of a month the sum of what each tenant came to.
    total: i64,
}

/// Endpoints of a tenant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Endpoints)]
pub(crate) struct EndpointsBody {
    /// What was reported last of the tenant itself; `null` if nothing ever was.
    #[schema(required = true)]
    count: Option<i64>,
    /// When there were so many.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
    /// The sum of what was reported last of the tenant and of everything beneath it within reach.
    total: i64,
    /// What the tenant above allows; `null` is no limit.
    #[schema(required = true)]
    endpoint_limit: Option<i64>,
    /// Whether there are more than that. It is told and nothing else comes of it.
    over_limit: bool,
    /// What each period came to, oldest first; periods of which nothing was reported are left out.
    periods: Vec<PeriodBody>,
}

/// What a tenant came to in a period.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Utilization)]
pub(crate) struct UtilizationBody {
    /// The tenant.
    #[schema(value_type = Uuid)]
    tenant_id: TenantId,
    /// Its name.
    name: String,
    /// Its kind.
    kind: KindWord,
    /// What the tenant above calls it.
    #[schema(required = true)]
    external_id: Option<String>,
    /// Whether it is on trial now.
    trial: bool,
    /// The first day of the period.
    #[schema(format = Date, example = "2026-01-01")]
    from: String,
    /// The most endpoints of a day.
    endpoints: i64,
}

impl From<CountGrainWord> for CountGrain {
    fn from(word: CountGrainWord) -> Self {
        match word {
            CountGrainWord::Day => Self::Day,
            CountGrainWord::Month => Self::Month,
        }
    }
}

impl From<&PeriodCount> for PeriodBody {
    fn from(period: &PeriodCount) -> Self {
        Self { from: period.from.to_string(), count: period.own, total: period.total }
    }
}

impl From<&Endpoints> for EndpointsBody {
    fn from(found: &Endpoints) -> Self {
        Self {
            count: found.last.map(|last| last.count),
            at: found.last.map(|last| last.at),
            total: found.total,
            endpoint_limit: found.limit,
            over_limit: found.is_over_limit(),
            periods: found.periods.iter().map(PeriodBody::from).collect(),
        }
    }
}

impl UtilizationBody {
    fn of(count: TenantCount, span: Span) -> Self {
        let TenantCount { tenant_id, name, kind, external_id, trial, period, count } = count;
        let from = span.start_of(period).to_string();
        Self { tenant_id, name, kind: kind.into(), external_id, trial, from, endpoints: count }
    }
}

/// Report the endpoints of a tenant
///
/// How many it has, from the platform that knows. The latest report of a day (UTC) counts for that day.
#[utoipa::path(put, path = "/v1/tenants/{tenant_id}/endpoints", tag = "tenants", params(("tenant_id" = Uuid, Path)),
    request_body = ReportBody,
    responses((status = 200, description = "Done", body = EndpointsBody), Writing))]
pub(crate) async fn report_endpoints(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Body(body): Body<ReportBody>,
) -> Answer {
    let found = api.app.report_endpoints(&caller, tenant, body.count, body.at).await?;
    json(StatusCode::OK, &EndpointsBody::from(&found))
}

/// Read the endpoints of a tenant
///
/// Its own and, for a credential that reaches beneath, the sum with everything beneath it, by day or month.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/endpoints", tag = "tenants",
    params(("tenant_id" = Uuid, Path), SpanQuery),
    responses((status = 200, description = "Done", body = EndpointsBody), Reading))]
pub(crate) async fn read_endpoints(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Query(query): Query<SpanQuery>,
) -> Answer {
    let now = api.app.clock().now();
    let span = Span::parse(query.from.as_deref(), query.to.as_deref(), query.grain.into(), now)?;
    json(StatusCode::OK, &EndpointsBody::from(&api.app.find_endpoints(&caller, tenant, span).await?))
}

/// List what is to be billed
///
/// For the tenant and each one beneath it within reach: the most endpoints of a day, by day or month, tenant by tenant. Periods of
/// which nothing was reported are left out.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/utilization", tag = "tenants",
    params(("tenant_id" = Uuid, Path), UtilizationQuery),
    responses((status = 200, description = "Done", body = PageOf<UtilizationBody>), Reading))]
pub(crate) async fn list_utilization(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Query(query): Query<UtilizationQuery>,
    uri: Uri,
) -> Answer {
    let request = PageRequest::parse(query.limit, query.cursor.as_deref())?;
    let now = api.app.clock().now();
    let span = Span::parse(query.from.as_deref(), query.to.as_deref(), query.grain.into(), now)?;
    let counts = api.app.list_utilization(&caller, tenant, span, &request).await?;
    page(&uri, counts.map(|count| UtilizationBody::of(count, span)))
}
