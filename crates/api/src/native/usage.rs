//! Usage: calls by hour and day, of a tenant and of one application.

use crate::kit::{Api, Authenticated, Path, Query};
use crate::native::answer::{Answer, json, link, page, with_link};
use crate::native::members::PageOf;
use crate::native::openapi::Reading;
use axum::extract::State;
use claviger_app::usage::UsageQuery;
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::page::PageRequest;
use claviger_domain::time::Timestamp;
use claviger_domain::usage::{Grain, Outcome, UsageRow};
use http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Hours that are answered when the query does not say since when.
const HOURS: i64 = 24;
/// Days that are answered when the query does not say since when.
const DAYS: i64 = 30;

/// How finely usage is added up.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = UsageGrain)]
pub(crate) enum GrainWord {
    #[default]
    Hour,
    Day,
}

/// How calls ended.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = UsageOutcome)]
pub(crate) enum OutcomeWord {
    /// The right was held.
    Allowed,
    /// The right was missing.
    Denied,
    /// The rate limit was used up.
    Limited,
}

/// Which usage is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TenantUsageQuery {
    /// Periods that begin at or after this time; if not given, the last 24 hours or 30 days.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Periods that begin before this time; if not given, now.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// `hour` or `day` (UTC); `hour` if not given.
    #[serde(default)]
    #[param(value_type = Option<GrainWord>)]
    grain: GrainWord,
    /// Of this application alone.
    #[param(value_type = Option<Uuid>)]
    application_id: Option<ApplicationId>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Which usage of one application is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ApplicationUsageQuery {
    /// Periods that begin at or after this time; if not given, the last 24 hours or 30 days.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Periods that begin before this time; if not given, now.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// `hour` or `day` (UTC); `hour` if not given.
    #[serde(default)]
    #[param(value_type = Option<GrainWord>)]
    grain: GrainWord,
    /// Items on a page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Calls of one period, application, right and outcome.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Usage)]
pub(crate) struct UsageBody {
    /// Application.
    #[schema(value_type = Uuid)]
    application_id: ApplicationId,
    /// Start of the period.
    #[schema(value_type = String, format = DateTime)]
    period: Timestamp,
    /// The right that was asked for; `null` for calls that need none and for calls over the rate limit.
    #[schema(required = true, example = "org.audits:READ")]
    right: Option<String>,
    /// How the calls ended.
    outcome: OutcomeWord,
    /// How many.
    count: i64,
    /// The last of them.
    #[schema(value_type = String, format = DateTime)]
    last_at: Timestamp,
}

/// Usage of one application.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApplicationUsage)]
pub(crate) struct ApplicationUsageBody {
    /// Usage by period, oldest first.
    items: Vec<UsageBody>,
    /// To be passed as `cursor` for the next page; `null` on the last one.
    #[schema(required = true)]
    next_cursor: Option<String>,
    /// When each right was last used with success, by name, whatever the period asked for.
    rights: Vec<RightBody>,
}

/// The last use of a right.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RightUse)]
pub(crate) struct RightBody {
    /// The right.
    #[schema(example = "org.audits:READ")]
    right: String,
    /// When it was last used with success.
    #[schema(value_type = String, format = DateTime)]
    last_at: Timestamp,
}

impl From<UsageRow> for UsageBody {
    fn from(row: UsageRow) -> Self {
        let outcome = match row.outcome {
            Outcome::Allowed => OutcomeWord::Allowed,
            Outcome::Denied => OutcomeWord::Denied,
            Outcome::Limited => OutcomeWord::Limited,
        };
        let right = Some(row.right).filter(|right| !right.is_empty());
        let (application_id, period, count, last_at) = (row.application_id, row.period, row.count, row.last_at);
        Self { application_id, period, right, outcome, count, last_at }
    }
}

/// The time asked for. A start that is not given is that of a whole period.
fn span(since: Option<Timestamp>, until: Option<Timestamp>, grain: GrainWord, now: Timestamp) -> UsageQuery {
    let (grain, periods) = match grain {
        GrainWord::Hour => (Grain::Hour, HOURS),
        GrainWord::Day => (Grain::Day, DAYS),
    };
    let until = until.unwrap_or(now.plus_seconds(1));
    let length = grain.micros();
    let first = until.micros().saturating_sub(length * periods);
    let since = since.unwrap_or(Timestamp::from_micros(first - first.rem_euclid(length)));
    UsageQuery { application: None, since, until, grain }
}

/// Read the usage of a tenant
///
/// Calls of its applications by period, application, right and outcome, oldest first.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/usage", tag = "insight",
    params(("tenant_id" = Uuid, Path), TenantUsageQuery),
    responses((status = 200, description = "Done", body = PageOf<UsageBody>), Reading))]
pub(crate) async fn list_usage(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Query(query): Query<TenantUsageQuery>,
    uri: Uri,
) -> Answer {
    let request = PageRequest::parse(query.limit, query.cursor.as_deref())?;
    let span = span(query.since, query.until, query.grain, api.app.clock().now());
    let wanted = UsageQuery { application: query.application_id, ..span };
    page(&uri, api.app.list_usage(&caller, tenant, &wanted, &request).await?.map(UsageBody::from))
}

/// Read the usage of an application
///
/// Calls by period, right and outcome, oldest first; and when each right was last used.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/applications/{id}/usage", tag = "insight",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path), ApplicationUsageQuery),
    responses((status = 200, description = "Done", body = ApplicationUsageBody), Reading))]
pub(crate) async fn read_application_usage(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, application)): Path<(TenantId, ApplicationId)>,
    Query(query): Query<ApplicationUsageQuery>,
    uri: Uri,
) -> Answer {
    let request = PageRequest::parse(query.limit, query.cursor.as_deref())?;
    let span = span(query.since, query.until, query.grain, api.app.clock().now());
    let (rows, rights) = api.app.application_usage(&caller, tenant, application, span, &request).await?;
    let rows = rows.map(UsageBody::from);
    let rights = rights.into_iter().map(|(right, last_at)| RightBody { right, last_at }).collect();
    let link = link(&uri, rows.next.as_deref());
    let body = ApplicationUsageBody { items: rows.items, next_cursor: rows.next, rights };
    with_link(json(StatusCode::OK, &body)?, link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_that_is_not_given_begins_with_a_whole_period() {
        let now = Timestamp::parse("2026-03-04T05:06:07Z").unwrap();
        let hours = span(None, None, GrainWord::Hour, now);
        assert_eq!(hours.since, Timestamp::parse("2026-03-03T05:00:00Z").unwrap());
        let days = span(None, None, GrainWord::Day, now);
        assert_eq!(days.since, Timestamp::parse("2026-02-02T00:00:00Z").unwrap());
        assert!(days.until > now);
        let given = span(Some(now), Some(now.plus_seconds(60)), GrainWord::Day, now);
        assert_eq!((given.since, given.until), (now, now.plus_seconds(60)));
    }
}
