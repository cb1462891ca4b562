//! Tenants: create, list, read, change.

use crate::kit::{Api, Authenticated, Body, Fields, Path, Post, Precondition, Query};
use crate::native::answer::{Answer, Made, keep, page, versioned};
use crate::native::members::{PageOf, PageQuery};
use crate::native::openapi::{Creating, Matching, Reading, Writing};
use axum::extract::State;
use claviger_app::unit::{OnceFor, Posted};
use claviger_domain::Result;
use claviger_domain::id::TenantId;
use claviger_domain::name::Name;
use claviger_domain::tenant::{Kind, NewTenant, Status, Tenant, TenantPatch, parse_application_limit};
use claviger_domain::time::Timestamp;
use http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a tenant is.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = TenantKind)]
pub(crate) enum KindWord {
    Operator,
    Partner,
    Organization,
    Instance,
}

/// Whether a tenant is served; neither is one beneath a suspended one.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = TenantStatus)]
pub(crate) enum StatusWord {
    Active,
    Suspended,
}

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tenant)]
pub(crate) struct TenantBody {
    /// Id.
    #[schema(value_type = Uuid)]
    id: TenantId,
    /// Key in the paths of Carbon Black clients.
    #[schema(example = "7DESJ9GN")]
    org_key: String,
    /// Name, unique beneath its parent.
    name: String,
    /// Kind.
    kind: KindWord,
    /// The tenant above; `null` for the operator.
    #[schema(required = true, value_type = Option<Uuid>)]
    parent_id: Option<TenantId>,
    /// Status.
    status: StatusWord,
    /// Applications it may have.
    application_limit: i64,
    /// Counts the changes; the entity tag.
    version: i64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was changed last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// A tenant to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTenant)]
pub(crate) struct NewTenantBody {
    /// Name, unique beneath its parent.
    #[schema(min_length = 1, max_length = 128)]
    name: String,
    /// Kind.
    kind: KindWord,
    /// The tenant above.
    #[schema(value_type = Uuid)]
    parent_id: TenantId,
}

/// A change of a tenant. Status and limit are set from above.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TenantPatch)]
pub(crate) struct TenantPatchBody {
    /// New name.
    #[serde(default, deserialize_with = "crate::kit::not_null")]
    #[schema(min_length = 1, max_length = 128, nullable = false)]
    name: Option<String>,
    /// New status.
    #[serde(default, deserialize_with = "crate::kit::not_null")]
    #[schema(nullable = false)]
    status: Option<StatusWord>,
    /// New limit.
    #[serde(default, deserialize_with = "crate::kit::not_null")]
    #[schema(minimum = 0, maximum = 10000000, nullable = false)]
    application_limit: Option<i64>,
}

impl From<Kind> for KindWord {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Operator => Self::Operator,
            Kind::Partner => Self::Partner,
            Kind::Organization => Self::Organization,
            Kind::Instance => Self::Instance,
        }
    }
}

impl From<KindWord> for Kind {
    fn from(word: KindWord) -> Self {
        match word {
            KindWord::Operator => Self::Operator,
            KindWord::Partner => Self::Partner,
            KindWord::Organization => Self::Organization,
            KindWord::Instance => Self::Instance,
        }
    }
}

impl From<Status> for StatusWord {
    fn from(status: Status) -> Self {
        match status {
            Status::Active => Self::Active,
            Status::Suspended => Self::Suspended,
        }
    }
}

impl From<StatusWord> for Status {
    fn from(word: StatusWord) -> Self {
        match word {
            StatusWord::Active => Self::Active,
            StatusWord::Suspended => Self::Suspended,
        }
    }
}

impl From<&Tenant> for TenantBody {
    fn from(tenant: &Tenant) -> Self {
        Self {
            id: tenant.id,
            org_key: tenant.org_key.to_string(),
            name: tenant.name.clone(),
            kind: tenant.kind.into(),
            parent_id: tenant.parent_id,
            status: tenant.status.into(),
            application_limit: tenant.application_limit,
            version: tenant.version,
            created_at: tenant.created_at,
            updated_at: tenant.updated_at,
        }
    }
}

impl NewTenantBody {
    fn parse(self) -> Result<NewTenant> {
        let name = Name::parse("/name", &self.name)?;
        Ok(NewTenant { name, kind: self.kind.into(), parent_id: self.parent_id })
    }
}

impl TenantPatchBody {
    fn parse(self) -> Result<TenantPatch> {
        let mut fields = Fields::new();
        let name = self.name.and_then(|name| fields.take(Name::parse("/name", &name)));
        let limit = self.application_limit;
        let application_limit =
            limit.and_then(|limit| fields.take(parse_application_limit("/application_limit", limit)));
        fields.finish(Some(TenantPatch { name, status: self.status.map(Into::into), application_limit }))
    }
}

fn kept(tenant: &Tenant) -> claviger_app::unit::Kept {
    keep(StatusCode::CREATED, &TenantBody::from(tenant))
}

/// Make a tenant
///
/// It stands beneath a tenant within the caller's reach.
#[utoipa::path(post, path = "/v1/tenants", tag = "tenants", request_body = NewTenantBody, params(Creating),
    responses((status = 201, description = "Made", body = TenantBody, headers(("Location" = String), ("ETag" = String))), Writing))]
pub(crate) async fn create_tenant(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Post { body, once }: Post<NewTenantBody>,
) -> Answer {
    let made = Made { collection: "/v1/tenants".into(), id: "/id" };
    let once = once.map(|once| OnceFor { once, keep: kept });
    match api.app.create_tenant(&caller, body.parse()?, once).await? {
        Posted::Done(tenant) => made.created(&TenantBody::from(&tenant)),
        Posted::Replayed(kept) => made.replayed(kept),
    }
}

/// List the tenants within reach
#[utoipa::path(get, path = "/v1/tenants", tag = "tenants", params(PageQuery),
    responses((status = 200, description = "Done", body = PageOf<TenantBody>), Reading))]
pub(crate) async fn list_tenants(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Query(query): Query<PageQuery>,
    uri: Uri,
) -> Answer {
    let tenants = api.app.list_tenants(&caller, &query.parse()?).await?;
    page(&uri, tenants.map(|tenant| TenantBody::from(&tenant)))
}

/// Read a tenant
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}", tag = "tenants", params(("tenant_id" = Uuid, Path)),
    responses((status = 200, description = "Done", body = TenantBody, headers(("ETag" = String))), Reading))]
pub(crate) async fn read_tenant(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(id): Path<TenantId>,
) -> Answer {
    let tenant = api.app.find_tenant(&caller, id).await?;
    versioned(tenant.version, &TenantBody::from(&tenant))
}

/// Change a tenant
#[utoipa::path(patch, path = "/v1/tenants/{tenant_id}", tag = "tenants", request_body(content((TenantPatchBody = "application/json"), (TenantPatchBody = "application/merge-patch+json"))),
    params(("tenant_id" = Uuid, Path), Matching),
    responses((status = 200, description = "Done", body = TenantBody, headers(("ETag" = String))), Writing))]
pub(crate) async fn update_tenant(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(id): Path<TenantId>,
    Precondition(if_match): Precondition,
    Body(body): Body<TenantPatchBody>,
) -> Answer {
    let tenant = api.app.update_tenant(&caller, id, body.parse()?, if_match).await?;
    versioned(tenant.version, &TenantBody::from(&tenant))
}
