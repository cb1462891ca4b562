//! Endpoints of a tenant, period by period, and what each tenant at and beneath it came to in a month: a row for each, never mixed.

use super::asked;
use crate::api_call::ApiCall;
use crate::chart::{self, Chart, Series, Tone};
use crate::form::{Errors, Form};
use crate::nav::Section;
use crate::page::{Answer, Page, see_other};
use crate::place::Place;
use crate::session::Person;
use crate::show;
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use claviger_app::endpoints::Endpoints;
use claviger_domain::endpoints::{CountGrain, Day, Span, TenantCount};
use claviger_domain::grants::Verb;
use claviger_domain::id::TenantId;
use claviger_domain::page::PageRequest;
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure, Fields, Path, Query, status};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

/// Months that can be chosen.
const MONTHS: i64 = 13;

/// What is to be shown.
#[derive(Default, Deserialize)]
struct UtilizationQuery {
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    to: Option<String>,
    #[serde(default)]
    grain: Option<String>,
    #[serde(default)]
    month: Option<String>,
    #[serde(default)]
    cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "tenants/utilization.html")]
struct Utilization<'a> {
    place: &'a Place,
    form: &'a Form,
    errors: &'a Errors,
    endpoints: Endpoints,
    chart: Option<Chart>,
    counts: Vec<TenantCount>,
    months: Vec<String>,
    first: bool,
    next: Option<String>,
    more: String,
    may_report: bool,
}

/// Its routes.
pub(super) fn routes() -> Router<Api> {
    Router::new().route("/console/tenants/{tenant_id}/utilization", get(show).post(report))
}

impl UtilizationQuery {
    fn form(&self, now: Timestamp) -> Form {
        let month = asked(&self.month).map_or_else(|| month_of(Day::of(now).month()), str::to_owned);
        let text = |value: &Option<String>| asked(value).unwrap_or_default().to_owned();
        let grain = asked(&self.grain).unwrap_or("day").to_owned();
        Form::of([("from", text(&self.from)), ("to", text(&self.to)), ("grain", grain), ("month", month)])
    }
}

/// A month as `2026-11`.
fn month_of(month: i64) -> String {
    Day::first_of(month).to_string().chars().take(7).collect()
}

/// The periods that the form asks for, and the month.
fn spans(form: &Form, now: Timestamp) -> Result<(Span, Span)> {
    let mut fields = Fields::new();
    let grain = if form.is("grain", "month") { CountGrain::Month } else { CountGrain::Day };
    let at_field = |error: Error| match error {
        Error::Invalid(mut fields) => {
            fields.iter_mut().for_each(|field| field.pointer.insert(0, '/'));
            Error::Invalid(fields)
        }
        other => other,
    };
    let span = fields.take(Span::parse(form.given("from"), form.given("to"), grain, now).map_err(at_field));
    let month = fields.take(Day::parse("/month", &format!("{}-01", form.get("month")))).map(|from| {
        let to = Day(Day::first_of(from.month() + 1).0 - 1);
        Span { from, to, grain: CountGrain::Month }
    });
    fields.finish(span.zip(month))
}

/// What each period came to, if anything was reported.
fn chart_of(place: &Place, endpoints: &Endpoints, grain: CountGrain) -> Option<Chart> {
    let periods = endpoints.periods.as_slice();
    let own: Vec<_> = periods.iter().map(|period| period.own.unwrap_or(0)).collect();
    let beneath: Vec<_> = periods.iter().zip(&own).map(|(period, own)| period.total - own).collect();
    let all = [("Of this tenant", Tone::Calls, own), ("Beneath it", Tone::Other, beneath)];
    let some = all.into_iter().filter(|(_, _, values)| values.iter().any(|value| *value > 0));
    let mut series: Vec<_> = some.map(|(name, tone, values)| Series { name, tone, values }).collect();
    if series.is_empty() && !periods.is_empty() {
        series.push(Series { name: "Of this tenant", tone: Tone::Calls, values: vec![0; periods.len()] });
    }
    let over = if grain == CountGrain::Month { "Month" } else { "Day" };
    let length = if grain == CountGrain::Month { 7 } else { 10 };
    (!periods.is_empty()).then(|| Chart {
        title: format!("Endpoints of {} and beneath", place.tenant.name),
        over,
        labels: periods.iter().map(|period| period.from.to_string().chars().take(length).collect()).collect(),
        series,
        form: chart::Form::Bars,
    })
}

async fn show(
    State(api): State<Api>,
    person: Person,
    Path(tenant): Path<TenantId>,
    Query(query): Query<UtilizationQuery>,
) -> Answer {
    let place = person.at(&api, tenant).await?;
    let form = query.form(api.app.clock().now());
    page(&api, &person, &place, (&form, asked(&query.cursor)), Errors::default(), StatusCode::OK).await
}

async fn page(
    api: &Api,
    person: &Person,
    place: &Place,
    (form, cursor): (&Form, Option<&str>),
    errors: Errors,
    status: StatusCode,
) -> Answer {
    let (tenant, now) = (place.tenant.id, api.app.clock().now());
    let ((span, month), errors, status) = match spans(form, now) {
        Ok(spans) => (spans, errors, status),
        Err(error) => {
            let status = claviger_kit::status(&error);
            let shown = spans(&UtilizationQuery::default().form(now), now)?;
            (shown, Errors::of(error).map_err(Failure)?, status)
        }
    };
    let request = PageRequest::parse(None, cursor)?;
    let endpoints = api.app.find_endpoints(&person.caller, tenant, span).await?;
    let counts = api.app.list_utilization(&person.caller, tenant, month, &request).await?;
    let newest = Day::of(now).month();
    let path = format!("/v1/tenants/{tenant}");
    let grain = if span.grain == CountGrain::Month { "month" } else { "day" };
    let content = Utilization {
        place,
        form,
        errors: &errors,
        chart: chart_of(place, &endpoints, span.grain),
        endpoints,
        counts: counts.items,
        months: (0..MONTHS).map(|back| month_of(newest - back)).collect(),
        first: cursor.is_none(),
        next: counts.next,
        more: format!("{}?month={}", place.path("/utilization"), show::encoded(form.get("month"))),
        may_report: person.may("endpoints", Verb::Update),
    };
    let (from, to) = (span.from, span.to);
    Page::new("Endpoints", Section::Utilization)
        .at(place)
        .status(status)
        .call(ApiCall::new("Its endpoints", "GET", &format!("{path}/endpoints?from={from}&to={to}&grain={grain}")))
        .call(ApiCall::new(
            "Tenant by tenant",
            "GET",
            &format!("{path}/utilization?from={}&to={}&grain=month", month.from, month.to),
        ))
        .call(ApiCall::with_body("Report a count", "PUT", &format!("{path}/endpoints"), &json!({ "count": 42 })))
        .render(person, &content)
}

async fn report(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>, form: Form) -> Answer {
    let place = person.at(&api, tenant).await?;
    let count = form.get("count").replace([',', ' '], "");
    let count = count.parse().map_err(|_| Error::invalid("/count", "not a number", "give digits alone"));
    let reported = match count {
        Ok(count) => api.app.report_endpoints(&person.caller, tenant, count, None).await.map(drop),
        Err(error) => Err(error),
    };
    match reported {
        Ok(()) => Ok(see_other(&place.path("/utilization"))),
        Err(error) => {
            let status = status(&error);
            let errors = Errors::of(error).map_err(Failure)?;
            let now = api.app.clock().now();
            let shown = UtilizationQuery::default().form(now);
            let fields = ["from", "to", "grain", "month"].map(|name| (name, shown.get(name).to_owned()));
            let form = Form::of(fields.into_iter().chain([("count", form.raw("count").to_owned())]));
            page(&api, &person, &place, (&form, None), errors, status).await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_has_all_its_days() {
        let now = Timestamp::parse("2026-11-22T14:05:00Z").unwrap();
        let form = UtilizationQuery { month: Some("2026-02".into()), ..UtilizationQuery::default() }.form(now);
        let (span, month) = spans(&form, now).unwrap();
        assert_eq!((month.from.to_string(), month.to.to_string()), ("2026-02-01".into(), "2026-02-28".into()));
        assert_eq!((span.to.to_string(), span.grain), ("2026-11-22".into(), CountGrain::Day));
        assert_eq!(month_of(Day::of(now).month() - 11), "2025-12");
        let bad =
            UtilizationQuery { month: Some("soon".into()), from: Some("x".into()), ..UtilizationQuery::default() };
        let Err(Error::Invalid(fields)) = spans(&bad.form(now), now) else { panic!("accepted") };
        assert_eq!(fields.iter().map(|field| field.pointer.as_str()).collect::<Vec<_>>(), ["/from", "/month"]);
    }
}
