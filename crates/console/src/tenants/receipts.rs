//! Receipts of tenants that are gone for good.

use super::asked;
use super::list::may_create;
use crate::api_call::ApiCall;
use crate::nav::Section;
use crate::page::{Answer, Page};
use crate::place::Place;
use crate::session::Person;
use crate::show;
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use claviger_domain::id::TenantId;
use claviger_domain::page::PageRequest;
use claviger_domain::purge::PurgeReceipt;
use claviger_kit::{Api, Path, Query};
use serde::Deserialize;

/// Which part of the list is shown.
#[derive(Deserialize)]
struct ReceiptsQuery {
    #[serde(default)]
    cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "tenants/receipts.html")]
struct Receipts<'a> {
    tab: &'static str,
    place: &'a Place,
    receipts: Vec<PurgeReceipt>,
    first: bool,
    next: Option<String>,
    may_create: bool,
}

/// Its routes.
pub(super) fn routes() -> Router<Api> {
    Router::new().route("/console/tenants/{tenant_id}/purge-receipts", get(list))
}

/// All rows that were removed.
fn rows(receipt: &PurgeReceipt) -> String {
    show::counted(&receipt.counts.values().sum(), "row", "rows")
}

/// The hash of the audit record.
fn hash(receipt: &PurgeReceipt) -> String {
    receipt.head_hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn list(
    State(api): State<Api>,
    person: Person,
    Path(tenant): Path<TenantId>,
    Query(query): Query<ReceiptsQuery>,
) -> Answer {
    let place = person.at(&api, tenant).await?;
    let cursor = asked(&query.cursor);
    let request = PageRequest::parse(None, cursor)?;
    let found = api.app.list_purge_receipts(&person.caller, tenant, &request).await?;
    let content = Receipts {
        tab: "receipts",
        place: &place,
        receipts: found.items,
        first: cursor.is_none(),
        next: found.next,
        may_create: may_create(&person, &place),
    };
    Page::new("Purge receipts", Section::Tenants)
        .at(&place)
        .call(ApiCall::new("List them", "GET", &format!("/v1/tenants/{tenant}/purge-receipts")))
        .render(&person, &content)
}
