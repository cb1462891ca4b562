//! Receipts of tenants that are gone.

use crate::kit::{Api, Authenticated, Path, Query};
use crate::native::answer::{Answer, page};
use crate::native::members::{PageOf, PageQuery};
use crate::native::openapi::Reading;
use crate::native::tenants::KindWord;
use axum::extract::State;
use claviger_domain::id::{ReceiptId, TenantId};
use claviger_domain::purge::PurgeReceipt;
use claviger_domain::time::Timestamp;
use http::Uri;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What is left of a tenant that is gone.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PurgeReceipt)]
pub(crate) struct ReceiptBody {
    /// Id.
    #[schema(value_type = Uuid)]
    id: ReceiptId,
    /// The tenant that is gone.
    #[schema(value_type = Uuid)]
    tenant_id: TenantId,
    /// The tenant that was deleted: itself, or one above it.
    #[schema(value_type = Uuid)]
    root_id: TenantId,
    /// Its name.
    name: String,
    /// Its kind.
    kind: KindWord,
    /// What the tenant above called it.
    #[schema(required = true)]
    external_id: Option<String>,
    /// Rows that were removed, by kind of thing.
    counts: BTreeMap<String, i64>,
    /// Number of the last entry of its audit record, which is kept.
    audit_number: i64,
    /// Hash of that record up to there.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    audit_hash: String,
    /// When the removal began.
    #[schema(value_type = String, format = DateTime)]
    begun_at: Timestamp,
    /// When nothing was left; `null` while it is under way.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    purged_at: Option<Timestamp>,
}

impl From<PurgeReceipt> for ReceiptBody {
    fn from(receipt: PurgeReceipt) -> Self {
        Self {
            id: receipt.id,
            tenant_id: receipt.tenant_id,
            root_id: receipt.root_id,
            name: receipt.name,
            kind: receipt.kind.into(),
            external_id: receipt.external_id,
            counts: receipt.counts,
            audit_number: receipt.head_number,
            audit_hash: receipt.head_hash.iter().map(|byte| format!("{byte:02x}")).collect(),
            begun_at: receipt.begun_at,
            purged_at: receipt.purged_at,
        }
    }
}

/// List the receipts of deleted tenants
///
/// Of those that stood beneath this one and are gone for good, newest first.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/purge-receipts", tag = "tenants",
    params(("tenant_id" = Uuid, Path), PageQuery),
    responses((status = 200, description = "Done", body = PageOf<ReceiptBody>), Reading))]
pub(crate) async fn list_purge_receipts(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Query(query): Query<PageQuery>,
    uri: Uri,
) -> Answer {
    let receipts = api.app.list_purge_receipts(&caller, tenant, &query.parse()?).await?;
    page(&uri, receipts.map(ReceiptBody::from))
}
