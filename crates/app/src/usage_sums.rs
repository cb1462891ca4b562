//! Usage added up for people: by period, application and right, and why calls were refused.

use crate::App;
use crate::caller::Caller;
use claviger_domain::audit::{Entry, Filter};
use claviger_domain::grants::Verb;
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::page::{LIMIT_MAX, PageRequest};
use claviger_domain::time::Timestamp;
use claviger_domain::usage::{Outcome, Period};
use claviger_domain::{Error, Result};
pub use claviger_store::usage_sums::{ApplicationSum, RightSum, Span};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const PERMISSION: &str = "usage";
/// Most applications and rights that are told of.
pub const MOST: i64 = 50;
/// Most entries of the audit record that are looked at for why calls were refused.
const LOOKS: usize = 5_000;

/// Calls of one period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeriodCalls {
    /// Its start.
    pub start: Timestamp,
    /// Calls that were let through.
    pub allowed: i64,
    /// Calls that lacked the right.
    pub denied: i64,
    /// Calls over the rate limit.
    pub limited: i64,
}

/// Usage of a tenant, or of one of its applications, added up.
#[derive(Clone, Debug)]
pub struct UsageSums {
    /// Each period of the time that is asked for, oldest first.
    pub periods: Vec<PeriodCalls>,
    /// The applications that called most.
    pub applications: Vec<ApplicationSum>,
    /// The rights that were asked for most.
    pub rights: Vec<RightSum>,
}

/// Why calls were refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusals {
    /// Stable codes, or rights that were missing, with how many calls; most first.
    pub reasons: Vec<(String, i64)>,
    /// Whether there were more entries than are looked at, so that only the newest count.
    pub cut: bool,
}

impl App {
    /// Usage added up by period, application and right. Needs `usage:READ`.
    pub async fn sum_usage(&self, caller: &Caller, tenant: TenantId, span: Span, period: Period) -> Result<UsageSums> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        if span.until <= span.since {
            return Err(Error::invalid("until", "it does not lie after since", "give a later time"));
        }
        let starts = period.starts(span.since, span.until);
        if starts.len() > Period::MOST {
            let fix = format!("ask for at most {} periods, or for longer ones", Period::MOST);
            return Err(Error::invalid("since", "that are too many periods", fix));
        }
        if let Some(application) = span.application {
            self.state.store.find_application(tenant, application).await?.ok_or(Error::NotFound("application"))?;
        }
        self.settle_usage(tenant).await;
        let store = &self.state.store;
        let mut periods: BTreeMap<_, _> =
            starts.into_iter().map(|start| (start, PeriodCalls { start, allowed: 0, denied: 0, limited: 0 })).collect();
        for sum in store.usage_by_period(tenant, &span, period.grain()).await? {
            if let Some(calls) = periods.get_mut(&period.start(sum.period)) {
                let count = match sum.outcome {
                    Outcome::Allowed => &mut calls.allowed,
                    Outcome::Denied => &mut calls.denied,
                    Outcome::Limited => &mut calls.limited,
                };
                *count = count.saturating_add(sum.count);
            }
        }
        Ok(UsageSums {
            periods: periods.into_values().collect(),
            applications: store.usage_by_application(tenant, &span, MOST).await?,
            rights: store.usage_by_right(tenant, &span, MOST).await?,
        })
    }

    /// Why calls of a tenant's applications were refused, by the newest entries of the audit record of that time. Needs `usage:READ`
    /// and `audit:READ`.
    pub async fn sum_refusals(&self, caller: &Caller, tenant: TenantId, span: Span) -> Result<Refusals> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Read)?;
        caller.allow("audit", Verb::Read)?;
        let store = &self.state.store;
        let actor = match span.application {
            Some(id) => {
                let found = store.find_application(tenant, id).await?.ok_or(Error::NotFound("application"))?;
                Some(found.client_id.to_string())
            }
            None => None,
        };
        let (since, until) = (Some(span.since.hour()), Some(span.until));
        let filter = Filter { since, until, actor, action: Some("access.denied".to_owned()), target: None };
        let mut request = PageRequest { limit: LIMIT_MAX, after: None };
        let (mut minutes, mut looked) = (BTreeMap::new(), 0);
        let cut = loop {
            let found = store.list_audit(tenant, &filter, &request).await?;
            looked += found.len();
            request.after = found.last().map(|entry| entry.number.to_string());
            let more = i64::try_from(found.len()).unwrap_or(i64::MAX) > LIMIT_MAX;
            found.iter().for_each(|entry| note(&mut minutes, entry));
            if !more {
                break false;
            }
            if looked >= LOOKS {
                break true;
            }
        };
        Ok(Refusals { reasons: summed(minutes), cut })
    }

    /// The names of these applications of a tenant, of those that are there. Needs `applications:READ`.
    pub async fn application_names(
        &self,
        caller: &Caller,
        tenant: TenantId,
        ids: &BTreeSet<ApplicationId>,
    ) -> Result<BTreeMap<ApplicationId, String>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow("applications", Verb::Read)?;
        let mut names = BTreeMap::new();
        for id in ids.iter().take(usize::try_from(LIMIT_MAX).unwrap_or(0)) {
            if let Some(application) = self.state.store.find_application(tenant, *id).await? {
                names.insert(*id, application.name);
            }
        }
        Ok(names)
    }
}

/// Notes an entry about refused calls. The sum of a minute holds the first one of that minute, which has an entry of its own.
fn note(minutes: &mut BTreeMap<[String; 4], i64>, entry: &Entry) {
    let text = |pointer: &str| entry.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let count = entry.body.pointer("/details/count").and_then(Value::as_i64).unwrap_or(1);
    let key = [text("/details/reason"), text("/details/minute"), text("/actor/id"), text("/address")];
    let known = minutes.entry(key).or_insert(0);
    *known = count.max(*known);
}

fn summed(minutes: BTreeMap<[String; 4], i64>) -> Vec<(String, i64)> {
    let mut reasons: BTreeMap<String, i64> = BTreeMap::new();
    for ([reason, ..], count) in minutes {
        let sum = reasons.entry(reason).or_insert(0);
        *sum = sum.saturating_add(count);
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    reasons.truncate(usize::try_from(MOST).unwrap_or(0));
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(reason: &str, minute: &str, address: &str, count: i64) -> Entry {
        let details = json!({"reason": reason, "minute": minute, "count": count});
        let body = json!({"actor": {"id": "a"}, "address": address, "details": details});
        Entry { number: 1, at: Timestamp::from_micros(1), body, hash: [0; 32] }
    }

    #[test]
    fn the_sum_of_a_minute_holds_its_first() {
        let mut minutes = BTreeMap::new();
        for entry in [
            entry("wrong_secret", "m1", "::1", 1),
            entry("wrong_secret", "m1", "::1", 7),
            entry("wrong_secret", "m1", "::2", 1),
            entry("wrong_secret", "m2", "::1", 1),
            entry("expired", "m1", "::1", 20),
        ] {
            note(&mut minutes, &entry);
        }
        assert_eq!(summed(minutes), [("expired".to_owned(), 20), ("wrong_secret".to_owned(), 9)]);
    }
}
