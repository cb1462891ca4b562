//! Usage of a tenant and of its applications: calls by hour, day and month, by right, and why they were refused.

mod export;

use crate::access_record::{application, names};
use crate::api_call::ApiCall;
use crate::chart::{self, Chart, Series, Tone};
use crate::filters::{given, moment, with_query};
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page};
use crate::place::Place;
use crate::session::Person;
use crate::show;
use crate::tenants::if_allowed;
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use claviger_app::usage_sums::{PeriodCalls, Refusals, Span, UsageSums};
use claviger_domain::id::TenantId;
use claviger_domain::time::Timestamp;
use claviger_domain::usage::Period;
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure, Path, Query, status};
use http::StatusCode;
use serde::Deserialize;

/// Periods that bars are drawn for; more of them are lines.
const BARS: usize = 120;

/// Its routes.
pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/console/tenants/{tenant_id}/usage", get(show_usage))
        .route("/console/tenants/{tenant_id}/usage/export", get(export::export))
}

/// Which usage is shown.
#[derive(Debug, Deserialize)]
struct Wanted {
    #[serde(default)]
    per: Option<String>,
    #[serde(default)]
    since: Option<String>,
    #[serde(default)]
    until: Option<String>,
    #[serde(default)]
    application: Option<String>,
}

#[derive(Template)]
#[template(path = "usage/tenant.html")]
struct UsagePage<'a> {
    place: &'a Place,
    form: Form,
    errors: Errors,
    found: Option<Found>,
    /// The application that is shown alone.
    only: Option<String>,
    all: String,
    csv: String,
    periods: Vec<(&'static str, String, bool)>,
}

/// What there is to show.
struct Found {
    sums: UsageSums,
    refusals: Option<Refusals>,
    chart: Chart,
    since: Timestamp,
    until: Timestamp,
}

impl Wanted {
    fn period(&self) -> Period {
        match given(self.per.as_deref()) {
            Some("hour") => Period::Hour,
            Some("month") => Period::Month,
            _ => Period::Day,
        }
    }

    /// The time asked for; what is not given is that of the last day, thirty days or twelve months.
    fn span(&self, now: Timestamp) -> Result<Span> {
        let period = self.period();
        let before = match period {
            Period::Hour => 23,
            Period::Day => 29,
            Period::Month => 11,
        };
        let until = moment("until", self.until.as_deref())?.unwrap_or(now.plus_seconds(1));
        let since = moment("since", self.since.as_deref())?;
        let since = since.unwrap_or_else(|| period.back(until.plus_seconds(-1), before));
        Ok(Span { application: application("application", self.application.as_deref())?, since, until })
    }

    fn values(&self) -> [(&'static str, Option<&str>); 4] {
        let Self { per, since, until, application } = self;
        let per = per.as_deref();
        [
            ("per", per),
            ("since", since.as_deref()),
            ("until", until.as_deref()),
            ("application", application.as_deref()),
        ]
    }
}

impl Found {
    fn sum(&self, of: fn(&PeriodCalls) -> i64) -> i64 {
        self.sums.periods.iter().map(of).sum()
    }

    fn allowed(&self) -> i64 {
        self.sum(|calls| calls.allowed)
    }

    fn denied(&self) -> i64 {
        self.sum(|calls| calls.denied)
    }

    fn limited(&self) -> i64 {
        self.sum(|calls| calls.limited)
    }

    fn calls(&self) -> i64 {
        self.allowed() + self.denied() + self.limited()
    }
}

impl UsagePage<'_> {
    /// The usage of one application alone.
    fn of(&self, application: &str) -> String {
        let kept = |name| Some(self.form.raw(name));
        with_query(
            &self.all,
            &[
                ("per", kept("per")),
                ("since", kept("since")),
                ("until", kept("until")),
                ("application", Some(application)),
            ],
        )
    }
}

async fn show_usage(
    State(api): State<Api>,
    person: Person,
    Path(tenant): Path<TenantId>,
    Query(query): Query<Wanted>,
) -> Answer {
    let place = person.at(&api, tenant).await?;
    let (found, errors, status) = match find(&api, &person, tenant, &query).await {
        Ok(found) => (Some(found), Errors::default(), StatusCode::OK),
        Err(error @ Error::Invalid(_)) => {
            let status = status(&error);
            (None, Errors::of(error).map_err(Failure)?, status)
        }
        Err(error) => return Err(Failure(error)),
    };
    let all = place.path("/usage");
    let only = match query.span(api.app.clock().now()).ok().and_then(|span| span.application) {
        Some(id) => Some(names(&api, &person, tenant, [id].into_iter()).await?.remove(&id).unwrap_or(id.to_string())),
        None => None,
    };
    let period = query.period();
    let kept = ("application", query.application.as_deref());
    let periods = [("Hours", "hour", Period::Hour), ("Days", "day", Period::Day), ("Months", "month", Period::Month)];
    let mut values = query.values().map(|(name, value)| (name, value.unwrap_or_default().to_owned()));
    if let Some((_, per)) = values.first_mut() {
        word(period).clone_into(per);
    }
    let content = UsagePage {
        place: &place,
        form: Form::of(values),
        errors,
        found,
        only,
        csv: with_query(&place.path("/usage/export"), &query.values()),
        periods: periods
            .into_iter()
            .map(|(label, per, one)| (label, with_query(&all, &[("per", Some(per)), kept]), one == period))
            .collect(),
        all,
    };
    let grain = if period == Period::Hour { "hour" } else { "day" };
    let call = [("grain", Some(grain)), ("application_id", query.application.as_deref())];
    Page::new("Usage", Section::Usage)
        .at(&place)
        .status(status)
        .call(ApiCall::new("Read the usage", "GET", &with_query(&format!("/v1/tenants/{tenant}/usage"), &call)))
        .render(&person, &content)
}

async fn find(api: &Api, person: &Person, tenant: TenantId, query: &Wanted) -> Result<Found> {
    let (period, span) = (query.period(), query.span(api.app.clock().now())?);
    let sums = api.app.sum_usage(&person.caller, tenant, span, period).await?;
    let refusals = if_allowed(api.app.sum_refusals(&person.caller, tenant, span).await)?;
    let chart = chart(&sums.periods, period);
    Ok(Found { sums, refusals, chart, since: span.since, until: span.until })
}

fn chart(periods: &[PeriodCalls], period: Period) -> Chart {
    let series =
        |name, tone, of: fn(&PeriodCalls) -> i64| Series { name, tone, values: periods.iter().map(of).collect() };
    Chart {
        title: format!("Calls by {}", word(period)),
        over: match period {
            Period::Hour => "Hour (UTC)",
            Period::Day => "Day (UTC)",
            Period::Month => "Month (UTC)",
        },
        labels: periods.iter().map(|calls| label(calls.start, period)).collect(),
        series: vec![
            series("Allowed", Tone::Calls, |calls| calls.allowed),
            series("Denied", Tone::Refused, |calls| calls.denied),
            series("Over the rate limit", Tone::Held, |calls| calls.limited),
        ],
        form: if periods.len() > BARS { chart::Form::Lines } else { chart::Form::Bars },
    }
}

fn word(period: Period) -> &'static str {
    match period {
        Period::Hour => "hour",
        Period::Day => "day",
        Period::Month => "month",
    }
}

/// What a period is called: `11-22 14:00`, `2026-11-22`, `2026-11`.
fn label(start: Timestamp, period: Period) -> String {
    let text = start.to_string();
    let part = |from, to| text.get(from..to).unwrap_or_default().to_owned();
    match period {
        Period::Hour => format!("{} {}", part(5, 10), part(11, 16)),
        Period::Day => part(0, 10),
        Period::Month => part(0, 7),
    }
}
