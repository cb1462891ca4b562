//! `/app/partner/usage`, an addition of ours: how many endpoints each tenant had, by day or by month.

use super::auth::PartnerCaller;
use super::error::{Answer, answer};
use super::fields::parse_instance;
use crate::kit::{Api, LooseForm};
use axum::extract::{Request, State};
use claviger_domain::endpoints::{CountGrain, Span};
use claviger_domain::id::TenantId;
use claviger_domain::{Error, Result};
use http::StatusCode;
use serde_json::json;
use std::collections::BTreeSet;

/// Most tenants that are asked for by name.
const TENANTS_MAX: usize = 1_000;

/// Answers `GET /app/partner/usage`.
pub(super) async fn list(State(api): State<Api>, PartnerCaller(caller): PartnerCaller, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let form = LooseForm::read_all(&parts, body).await?;
    let (grain, word) = match form.get("grain").unwrap_or("day") {
        "day" => (CountGrain::Day, "day"),
        "month" => (CountGrain::Month, "month"),
        _ => return Err(malformed("invalid_grain", "grain is day or month").into()),
    };
    let day = |name| form.get(name).ok_or_else(|| malformed("invalid_date_range", "send from and to, as 2026-01-31"));
    let span = Span::parse(Some(day("from")?), Some(day("to")?), grain, api.app.clock().now());
    let span = span.map_err(|error| malformed("invalid_date_range", &error.to_string()))?;
    let asked = form.get("tenant_ids").map(tenants).transpose()?;
    let counts = api.app.list_all_utilization(&caller, span).await?;
    let counts: Vec<_> =
        counts.iter().filter(|one| asked.as_ref().is_none_or(|asked| asked.contains(&one.tenant_id))).collect();
    let url = &api.app.token_settings()?.issuer;
    let mut covered: BTreeSet<TenantId> = asked.clone().unwrap_or_default();
    covered.extend(counts.iter().map(|one| one.tenant_id));
    let mut coverage = Vec::new();
    for id in covered {
        let node = caller.reach(id).map_err(super::fields::instance_not_found)?;
        let host = api.instance_hosts.name(node.org_key.as_str(), url);
        coverage.push(json!({ "tenant_id": id, "tenant_host": host }));
    }
    let items: Vec<_> = counts
        .iter()
        .map(|one| {
            json!({
                "tenant_id": one.tenant_id,
                "period_start": span.start_of(one.period).to_string(),
                "endpoint_count": one.count,
                // Mailboxes are not counted here.
                "email_count": 0,
            })
        })
        .collect();
    let body = json!({
        "root_tenant_id": caller.tenant().id,
        "grain": word,
        "from": span.from.to_string(),
        "to": span.to.to_string(),
        "coverage": coverage,
        "items": items,
    });
    Ok(answer(StatusCode::OK, &body))
}

fn tenants(text: &str) -> Result<BTreeSet<TenantId>> {
    let ids: BTreeSet<_> = text.split(',').map(|id| parse_instance(id.trim())).collect::<Result<_>>()?;
    if ids.len() > TENANTS_MAX {
        let message = format!("{} tenants", ids.len());
        return Err(Error::invalid("tenant_ids", message, format!("name at most {TENANTS_MAX}")));
    }
    Ok(ids)
}

fn malformed(code: &'static str, detail: &str) -> Error {
    Error::Malformed { code, detail: detail.to_owned() }
}
