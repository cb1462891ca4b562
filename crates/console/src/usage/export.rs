//! Usage as a file for spreadsheets: a line for each period, application, right and outcome, in the order of time.

use super::{Wanted, label};
use crate::access_record::names;
use crate::csv;
use crate::page::Answer;
use crate::session::Person;
use axum::body::Body;
use axum::extract::State;
use claviger_app::usage::UsageQuery;
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::page::{LIMIT_MAX, PageRequest};
use claviger_domain::time::Timestamp;
use claviger_domain::usage::{Grain, Period, UsageRow};
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Path, Query};
use futures_util::stream;
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use std::collections::{BTreeMap, VecDeque};

const HEAD: [&str; 7] = ["period", "application_id", "application", "right", "outcome", "calls", "last_at"];

/// How far the file is.
struct Writing {
    api: Api,
    person: Person,
    tenant: TenantId,
    /// What is still to be written; in the first one after the cursor.
    parts: VecDeque<(UsageQuery, Option<String>)>,
    cursor: Option<String>,
    begun: bool,
    names: BTreeMap<ApplicationId, String>,
}

/// Sends it, page by page.
pub(super) async fn export(
    State(api): State<Api>,
    person: Person,
    Path(tenant): Path<TenantId>,
    Query(query): Query<Wanted>,
) -> Answer {
    let place = person.at(&api, tenant).await?;
    let (period, span) = (query.period(), query.span(api.app.clock().now())?);
    let whole =
        UsageQuery { application: span.application, since: span.since, until: span.until, grain: period.grain() };
    // Asked before anything is written: what is refused is a page, not a file that breaks off.
    api.app.list_usage(&person.caller, tenant, &whole, &PageRequest::parse(Some(1), None)?).await?;
    let parts = parts(whole, period)?;
    let writing = Writing { api, person, tenant, parts, cursor: None, begun: false, names: BTreeMap::new() };
    let pieces = stream::try_unfold(writing, |mut writing| async move {
        let piece = writing.piece().await.map_err(|error| std::io::Error::other(error.to_string()))?;
        Ok::<_, std::io::Error>(piece.map(|piece| (piece, writing)))
    });
    let mut response = csv::file(&format!("usage-{}.csv", place.tenant.org_key), Body::from_stream(pieces))?;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The questions that a file is made of: the store adds up hours and days, and each month is asked for by itself.
fn parts(whole: UsageQuery, period: Period) -> Result<VecDeque<(UsageQuery, Option<String>)>> {
    let starts = period.starts(whole.since, whole.until);
    if starts.len() > Period::MOST {
        return Err(Error::invalid(
            "since",
            "that are too many periods",
            "ask for a shorter time, or for longer periods",
        ));
    }
    if period != Period::Month {
        return Ok(VecDeque::from([(whole, None)]));
    }
    let month = |start: Timestamp| {
        let (since, until) = (start.max(whole.since), period.next(start).min(whole.until));
        (UsageQuery { since, until, grain: Grain::Whole, ..whole.clone() }, Some(label(start, period)))
    };
    Ok(starts.into_iter().map(month).collect())
}

impl Writing {
    /// The next piece of the file; none at its end.
    async fn piece(&mut self) -> Result<Option<String>> {
        if !std::mem::replace(&mut self.begun, true) {
            return Ok(Some(csv::line(HEAD)));
        }
        let Some((query, month)) = self.parts.front() else { return Ok(None) };
        let request = PageRequest::parse(Some(LIMIT_MAX), self.cursor.as_deref())?;
        let page = self.api.app.list_usage(&self.person.caller, self.tenant, query, &request).await?;
        let new = page.items.iter().map(|row| row.application_id).filter(|id| !self.names.contains_key(id));
        let found = names(&self.api, &self.person, self.tenant, new).await?;
        self.names.extend(found);
        let text = page.items.iter().map(|row| line(row, month.as_deref(), &self.names)).collect();
        self.cursor = page.next;
        if self.cursor.is_none() {
            self.parts.pop_front();
        }
        Ok(Some(text))
    }
}

fn line(row: &UsageRow, month: Option<&str>, names: &BTreeMap<ApplicationId, String>) -> String {
    let period = month.map_or_else(|| row.period.to_string(), str::to_owned);
    let (id, calls, last) = (row.application_id.to_string(), row.count.to_string(), row.last_at.to_string());
    let name = names.get(&row.application_id).map(String::as_str).unwrap_or_default();
    csv::line([&*period, &*id, name, &*row.right, row.outcome.as_str(), &*calls, &*last])
}
