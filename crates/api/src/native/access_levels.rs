//! Access levels: create, list, read, change, delete, duplicate; export and import as files.

use crate::kit::{Api, Authenticated, Body, Fields, Path, Post, Precondition, Query};
use crate::native::answer::{Answer, Made, json, keep, no_content, page, versioned};
use crate::native::grants::GrantsBody;
use crate::native::members::{PageOf, PageQuery};
use crate::native::openapi::{Creating, Matching, Reading, Writing};
use axum::extract::State;
use claviger_app::unit::{Kept, OnceFor, Posted};
use claviger_domain::Result;
use claviger_domain::access_level::{AccessLevel, AccessLevelPatch, Capability, Export, NewAccessLevel};
use claviger_domain::catalogue::Catalogue;
use claviger_domain::id::{AccessLevelId, TenantId};
use claviger_domain::name::{DESCRIPTION_MAX, Name, parse_text};
use claviger_domain::time::Timestamp;
use http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An access level.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccessLevel)]
pub(crate) struct AccessLevelBody {
    /// Id.
    #[schema(value_type = Uuid)]
    id: AccessLevelId,
    /// The tenant it belongs to; `null` for a built-in level.
    #[schema(required = true, value_type = Option<Uuid>)]
    tenant_id: Option<TenantId>,
    /// Whether it comes with the server and cannot be changed.
    built_in: bool,
    /// Name, unique in the tenant.
    name: String,
    /// What it is for.
    description: String,
    /// What it grants: permission name → verbs.
    grants: GrantsBody,
    /// Counts the changes; the entity tag.
    version: i64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was changed last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// An access level to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAccessLevel)]
pub(crate) struct NewAccessLevelBody {
    /// Name, unique in the tenant.
    #[schema(min_length = 1, max_length = 128)]
    name: String,
    /// What it is for.
    #[serde(default)]
    #[schema(max_length = 1024)]
    description: String,
    /// What it grants: permission name → verbs.
    grants: GrantsBody,
}

/// A change of an access level.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AccessLevelPatch)]
pub(crate) struct AccessLevelPatchBody {
    /// New name.
    #[serde(default, deserialize_with = "crate::kit::not_null")]
    #[schema(min_length = 1, max_length = 128, nullable = false)]
    name: Option<String>,
    /// New description; `null` empties it.
    #[serde(default, deserialize_with = "crate::kit::given")]
    #[schema(value_type = Option<String>, max_length = 1024)]
    description: Option<Option<String>>,
    /// New grants, in place of all old ones.
    #[serde(default, deserialize_with = "crate::kit::not_null")]
    #[schema(nullable = false)]
    grants: Option<GrantsBody>,
}

/// What a copy is to be called.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DuplicateAccessLevel)]
pub(crate) struct DuplicateBody {
    /// Name of the copy; without one it is the original's name and "(copy)".
    #[serde(default)]
    #[schema(min_length = 1, max_length = 128)]
    name: Option<String>,
}

/// An access level as a file.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AccessLevelExport)]
pub(crate) struct ExportBody {
    /// Where it comes from. Not read on import.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "psc:role:7DESJ9GN:ALERT_READER")]
    urn: Option<String>,
    /// Name.
    #[schema(min_length = 1, max_length = 128)]
    name: String,
    /// Description.
    #[serde(default)]
    #[schema(max_length = 1024)]
    desc: String,
    /// What it grants.
    capabilities: Vec<CapabilityBody>,
}

/// One line of an exported access level.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AccessLevelCapability)]
pub(crate) struct CapabilityBody {
    /// Permission name.
    name: String,
    /// Verbs.
    verbs: Vec<String>,
}

impl From<&AccessLevel> for AccessLevelBody {
    fn from(level: &AccessLevel) -> Self {
        Self {
            id: level.id,
            tenant_id: level.tenant_id,
            built_in: level.tenant_id.is_none(),
            name: level.name.clone(),
            description: level.description.clone(),
            grants: GrantsBody::from(&level.grants),
            version: level.version,
            created_at: level.created_at,
            updated_at: level.updated_at,
        }
    }
}

impl NewAccessLevelBody {
    fn parse(self, catalogue: &Catalogue) -> Result<NewAccessLevel> {
        let mut fields = Fields::new();
        let name = fields.take(Name::parse("/name", &self.name));
        let description = fields.take(parse_text("/description", &self.description, DESCRIPTION_MAX));
        let grants = fields.take(self.grants.parse(catalogue));
        let built = name.zip(description).zip(grants);
        fields.finish(built.map(|((name, description), grants)| NewAccessLevel { name, description, grants }))
    }
}

impl AccessLevelPatchBody {
    fn parse(self, catalogue: &Catalogue) -> Result<AccessLevelPatch> {
        let mut fields = Fields::new();
        let name = self.name.and_then(|name| fields.take(Name::parse("/name", &name)));
        let description = self.description.map(Option::unwrap_or_default);
        let description = description.and_then(|text| fields.take(parse_text("/description", &text, DESCRIPTION_MAX)));
        let grants = self.grants.and_then(|grants| fields.take(grants.parse(catalogue)));
        fields.finish(Some(AccessLevelPatch { name, description, grants }))
    }
}

impl From<Export> for ExportBody {
    fn from(file: Export) -> Self {
        let capabilities = file.capabilities.into_iter();
        let capabilities = capabilities.map(|line| CapabilityBody { name: line.name, verbs: line.verbs }).collect();
        Self { urn: file.urn, name: file.name, desc: file.desc, capabilities }
    }
}

impl From<ExportBody> for Export {
    fn from(file: ExportBody) -> Self {
        let capabilities = file.capabilities.into_iter();
        let capabilities = capabilities.map(|line| Capability { name: line.name, verbs: line.verbs }).collect();
        Self { urn: file.urn, name: file.name, desc: file.desc, capabilities }
    }
}

fn kept(level: &AccessLevel) -> Kept {
    keep(StatusCode::CREATED, &AccessLevelBody::from(level))
}

fn posted(tenant: TenantId, posted: Posted<AccessLevel>) -> Answer {
    let made = Made { collection: format!("/v1/tenants/{tenant}/access-levels"), id: "/id" };
    match posted {
        Posted::Done(level) => made.created(&AccessLevelBody::from(&level)),
        Posted::Replayed(kept) => made.replayed(kept),
    }
}

/// Make an access level
///
/// Nobody can make one that grants more than they hold themselves.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/access-levels", tag = "access levels",
    params(("tenant_id" = Uuid, Path), Creating), request_body = NewAccessLevelBody,
    responses((status = 201, description = "Made", body = AccessLevelBody, headers(("Location" = String), ("ETag" = String))), Writing))]
pub(crate) async fn create_access_level(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Post { body, once }: Post<NewAccessLevelBody>,
) -> Answer {
    let new = body.parse(api.app.catalogue())?;
    let once = once.map(|once| OnceFor { once, keep: kept });
    posted(tenant, api.app.create_access_level(&caller, tenant, new, once).await?)
}

/// List the access levels
///
/// The built-in ones first, then the tenant's own.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/access-levels", tag = "access levels",
    params(("tenant_id" = Uuid, Path), PageQuery),
    responses((status = 200, description = "Done", body = PageOf<AccessLevelBody>), Reading))]
pub(crate) async fn list_access_levels(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Query(query): Query<PageQuery>,
    uri: Uri,
) -> Answer {
    let levels = api.app.list_access_levels(&caller, tenant, &query.parse()?).await?;
    page(&uri, levels.map(|level| AccessLevelBody::from(&level)))
}

/// Read an access level
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/access-levels/{id}", tag = "access levels",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path)),
    responses((status = 200, description = "Done", body = AccessLevelBody, headers(("ETag" = String))), Reading))]
pub(crate) async fn read_access_level(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, AccessLevelId)>,
) -> Answer {
    let level = api.app.find_access_level(&caller, tenant, id).await?;
    versioned(level.version, &AccessLevelBody::from(&level))
}

/// Change an access level
///
/// Holds for every application that uses it when this returns. `grants` is taken as a whole.
#[utoipa::path(patch, path = "/v1/tenants/{tenant_id}/access-levels/{id}", tag = "access levels",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path), Matching),
    request_body(content((AccessLevelPatchBody = "application/json"), (AccessLevelPatchBody = "application/merge-patch+json"))),
    responses((status = 200, description = "Done", body = AccessLevelBody, headers(("ETag" = String))), Writing))]
pub(crate) async fn update_access_level(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, AccessLevelId)>,
    Precondition(if_match): Precondition,
    Body(body): Body<AccessLevelPatchBody>,
) -> Answer {
    let patch = body.parse(api.app.catalogue())?;
    let level = api.app.update_access_level(&caller, tenant, id, patch, if_match).await?;
    versioned(level.version, &AccessLevelBody::from(&level))
}

/// Delete an access level
///
/// Refused with 409 while an application uses it; the answer lists those.
#[utoipa::path(delete, path = "/v1/tenants/{tenant_id}/access-levels/{id}", tag = "access levels",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path), Matching),
    responses((status = 204, description = "Done"), Writing))]
pub(crate) async fn delete_access_level(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, AccessLevelId)>,
    Precondition(if_match): Precondition,
) -> Answer {
    api.app.delete_access_level(&caller, tenant, id, if_match).await?;
    no_content()
}

/// Copy an access level
///
/// A built-in one too; the copy belongs to the tenant.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/access-levels/{id}/duplicate", tag = "access levels",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path), Creating),
    request_body = Option<DuplicateBody>,
    responses((status = 201, description = "Made", body = AccessLevelBody, headers(("Location" = String), ("ETag" = String))), Writing))]
pub(crate) async fn duplicate_access_level(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, AccessLevelId)>,
    Post { body, once }: Post<DuplicateBody>,
) -> Answer {
    let name = body.name.map(|name| Name::parse("/name", &name)).transpose()?;
    let once = once.map(|once| OnceFor { once, keep: kept });
    posted(tenant, api.app.duplicate_access_level(&caller, tenant, id, name, once).await?)
}

/// Export an access level
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}/access-levels/{id}/export", tag = "access levels",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path)),
    responses((status = 200, description = "Done", body = ExportBody), Reading))]
pub(crate) async fn export_access_level(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, AccessLevelId)>,
) -> Answer {
    let file = api.app.export_access_level(&caller, tenant, id).await?;
    json(StatusCode::OK, &ExportBody::from(file))
}

/// Import an access level
///
/// Of a file that an export gave, here or elsewhere.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/access-levels/import", tag = "access levels",
    params(("tenant_id" = Uuid, Path), Creating), request_body = ExportBody,
    responses((status = 201, description = "Made", body = AccessLevelBody, headers(("Location" = String), ("ETag" = String))), Writing))]
pub(crate) async fn import_access_level(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path(tenant): Path<TenantId>,
    Post { body, once }: Post<ExportBody>,
) -> Answer {
    let once = once.map(|once| OnceFor { once, keep: kept });
    posted(tenant, api.app.import_access_level(&caller, tenant, body.into(), once).await?)
}
