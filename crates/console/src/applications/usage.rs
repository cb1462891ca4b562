//! What an application did: calls a day, denials by reason, the rights it uses most, and where it calls from.

use super::{Head, Ids, found};
use crate::api_call::ApiCall;
use crate::chart::{Chart, Form, Series, Tone};
use crate::nav::Section;
use crate::page::{Answer, Page};
use crate::session::Person;
use crate::show;
use crate::tenants::if_allowed;
use askama::Template;
use axum::extract::State;
use claviger_app::usage::UsageQuery;
use claviger_app::usage_sums::{Refusals, Span};
use claviger_domain::access;
use claviger_domain::application::Application;
use claviger_domain::grants::Verb;
use claviger_domain::id::TenantId;
use claviger_domain::page::{LIMIT_MAX, PageRequest};
use claviger_domain::time::Timestamp;
use claviger_domain::usage::{Grain, Outcome, UsageRow};
use claviger_kit::{Api, Failure, Path};
use std::collections::BTreeMap;

/// Days that are shown.
const DAYS: usize = 30;
const DAY_MICROS: i64 = 86_400_000_000;
/// Pages of usage that are read at most.
const PAGES: usize = 20;

#[derive(Template)]
#[template(path = "applications/usage.html")]
struct Usage {
    head: Head,
    chart: Chart,
    allowed: i64,
    denied: i64,
    limited: i64,
    rights: Vec<(String, i64, i64)>,
    last: Vec<(String, Timestamp)>,
    refusals: Option<Refusals>,
    addresses: Vec<(String, String, Timestamp)>,
}

/// The calls of a day.
#[derive(Default)]
struct Day {
    label: String,
    allowed: i64,
    denied: i64,
    limited: i64,
}

impl Usage {
    fn calls(&self) -> i64 {
        self.allowed + self.denied + self.limited
    }
}

/// Shows it.
pub(super) async fn usage(State(api): State<Api>, person: Person, Path((tenant, id)): Ids) -> Answer {
    let (place, application) = found(&api, &person, tenant, id).await?;
    let now = api.app.clock().now();
    let today = now.micros().div_euclid(DAY_MICROS) * DAY_MICROS;
    let back = i64::try_from(DAYS).unwrap_or_default() - 1;
    let since = Timestamp::from_micros(today - back * DAY_MICROS);
    let until = Timestamp::from_micros(today + DAY_MICROS);
    let query = UsageQuery { application: Some(id), since, until, grain: Grain::Day };
    let span = Span { application: Some(id), since, until };
    let rows = all_rows(&api, &person, tenant, &query).await?;
    let days = days(&rows, since);
    let labels: Vec<_> = days.iter().map(|day| day.label.clone()).collect();
    let series = vec![
        Series { name: "Allowed", tone: Tone::Calls, values: days.iter().map(|day| day.allowed).collect() },
        Series { name: "Denied", tone: Tone::Refused, values: days.iter().map(|day| day.denied).collect() },
        Series { name: "Over the rate limit", tone: Tone::Held, values: days.iter().map(|day| day.limited).collect() },
    ];
    let title = format!("Calls a day, last {DAYS} days");
    let chart = Chart { title, over: "Day (UTC)", labels, series, form: Form::Bars };
    let sum = |outcome| rows.iter().filter(|row| row.outcome == outcome).map(|row| row.count).sum();
    let mut last = api.app.last_use_of_rights(&person.caller, tenant, id).await?;
    last.sort_by_key(|(_, at)| std::cmp::Reverse(*at));
    let head = Head::of(&person, &place, &application, "/usage");
    let content = Usage {
        head,
        chart,
        allowed: sum(Outcome::Allowed),
        denied: sum(Outcome::Denied),
        limited: sum(Outcome::Limited),
        rights: rights(&rows),
        last,
        refusals: if_allowed(api.app.sum_refusals(&person.caller, tenant, span).await)?,
        addresses: addresses(&api, &person, &application).await?,
    };
    let path = format!("/v1/tenants/{tenant}/applications/{id}/usage?grain=day&since={since}&until={until}");
    Page::new(&application.name, Section::Applications)
        .at(&place)
        .call(ApiCall::new("Its usage by day", "GET", &path))
        .render(&person, &content)
}

async fn all_rows(api: &Api, person: &Person, tenant: TenantId, query: &UsageQuery) -> Result<Vec<UsageRow>, Failure> {
    let (mut rows, mut cursor) = (Vec::new(), None);
    for _ in 0..PAGES {
        let request = PageRequest::parse(Some(LIMIT_MAX), cursor.as_deref())?;
        let page = api.app.list_usage(&person.caller, tenant, query, &request).await?;
        rows.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    Ok(rows)
}

fn days(rows: &[UsageRow], since: Timestamp) -> Vec<Day> {
    let mut days: Vec<_> = (0..DAYS)
        .map(|day| {
            let at = since.micros() + i64::try_from(day).unwrap_or_default() * DAY_MICROS;
            let label = Timestamp::from_micros(at).to_string().chars().take(10).collect();
            Day { label, ..Day::default() }
        })
        .collect();
    for row in rows {
        let day = usize::try_from((row.period.micros() - since.micros()).div_euclid(DAY_MICROS)).ok();
        if let Some(day) = day.and_then(|day| days.get_mut(day)) {
            match row.outcome {
                Outcome::Allowed => day.allowed += row.count,
                Outcome::Denied => day.denied += row.count,
                Outcome::Limited => day.limited += row.count,
            }
        }
    }
    days
}

/// The rights that were asked for most, with how often they were allowed and denied.
fn rights(rows: &[UsageRow]) -> Vec<(String, i64, i64)> {
    let mut counts: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for row in rows.iter().filter(|row| !row.right.is_empty()) {
        let (allowed, denied) = counts.entry(&row.right).or_default();
        *if row.outcome == Outcome::Allowed { allowed } else { denied } += row.count;
    }
    let mut most: Vec<_> = counts.into_iter().map(|(right, (one, two))| (right.to_owned(), one, two)).collect();
    most.sort_by_key(|(_, allowed, denied)| std::cmp::Reverse(allowed + denied));
    most.truncate(10);
    most
}

/// Where it called from: the last use of each secret, and the newest exchanges for tokens.
async fn addresses(
    api: &Api,
    person: &Person,
    application: &Application,
) -> Result<Vec<(String, String, Timestamp)>, Failure> {
    let (tenant, id) = (application.tenant_id, application.id);
    let mut latest: BTreeMap<String, (String, Timestamp)> = BTreeMap::new();
    let mut note = |address: String, client: String, at: Timestamp| {
        let kept = latest.entry(address).or_insert_with(|| (client.clone(), at));
        if at > kept.1 {
            *kept = (client, at);
        }
    };
    let unknown = || "unknown".to_owned();
    for secret in api.app.list_secrets(&person.caller, tenant, id).await? {
        if let Some(last) = secret.last_use {
            note(last.address.map_or_else(unknown, |address| address.to_string()), last.user_agent, last.at);
        }
    }
    if person.may("access-record", Verb::Read) {
        let filter = access::Filter { application: Some(id), ..access::Filter::default() };
        let request = PageRequest::parse(Some(LIMIT_MAX), None)?;
        let page = if_allowed(api.app.list_accesses(&person.caller, tenant, &filter, &request).await)?;
        for one in page.into_iter().flat_map(|page| page.items) {
            note(one.address.map_or_else(unknown, |address| address.to_string()), one.user_agent, one.at);
        }
    }
    let mut found: Vec<_> = latest.into_iter().map(|(address, (client, at))| (address, client, at)).collect();
    found.sort_by_key(|(_, _, at)| std::cmp::Reverse(*at));
    found.truncate(20);
    Ok(found)
}
