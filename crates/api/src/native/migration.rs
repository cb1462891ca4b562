//! Migration of an application from a legacy key type to custom.

use crate::kit::{Api, Authenticated, Path, Post, Precondition};
use crate::native::answer::{Answer, json, keep, replayed};
use crate::native::applications::ApplicationBody;
use crate::native::grants::GrantsBody;
use crate::native::openapi::{Creating, Matching, Writing};
use axum::extract::State;
use claviger_app::migration::{EquivalentLevel, Migration};
use claviger_app::unit::{Kept, OnceFor, Posted};
use claviger_domain::id::{AccessLevelId, ApplicationId, TenantId};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether to migrate, or to show what it would come to.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Migration)]
pub(crate) struct MigrationBody {
    /// Changes nothing and shows what would be; so it is unless `false` is given.
    #[serde(default)]
    dry_run: Option<bool>,
}

/// An access level with exactly the rights of a key type.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EquivalentLevel)]
pub(crate) struct EquivalentLevelBody {
    /// Its id; `null` where a dry run would make it.
    #[schema(required = true, value_type = Option<Uuid>)]
    id: Option<AccessLevelId>,
    /// Its name.
    name: String,
    /// What it grants.
    grants: GrantsBody,
}

/// What a migration came to, or would come to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MigratedApplication)]
pub(crate) struct MigratedBody {
    /// Whether nothing was to be changed.
    dry_run: bool,
    /// Whether the application was migrated by this call. One that is custom already stays as it is.
    migrated: bool,
    /// The application as it is now.
    application: ApplicationBody,
    /// The access level it has its rights from afterwards; `null` for one that is custom already.
    #[schema(required = true)]
    access_level: Option<EquivalentLevelBody>,
}

fn body(dry_run: bool, migration: &Migration) -> MigratedBody {
    let level = |EquivalentLevel { id, name, grants }: &EquivalentLevel| EquivalentLevelBody {
        id: *id,
        name: name.clone(),
        grants: GrantsBody::from(grants),
    };
    MigratedBody {
        dry_run,
        migrated: migration.done,
        application: ApplicationBody::from(&migration.application),
        access_level: migration.level.as_ref().map(level),
    }
}

fn kept(migration: &Migration) -> Kept {
    keep(StatusCode::OK, &body(false, migration))
}

/// Migrate an application of a legacy key type to custom
///
/// It gets an access level with exactly the rights of its type, made or found in its tenant; id, secrets and everything else
/// stay. Without `"dry_run": false` nothing is changed and the answer shows what would be.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/applications/{id}/migrate", tag = "applications",
    params(("tenant_id" = Uuid, Path), ("id" = Uuid, Path), Matching, Creating),
    request_body = Option<MigrationBody>,
    responses((status = 200, description = "Done", body = MigratedBody), Writing))]
pub(crate) async fn migrate_application(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Path((tenant, id)): Path<(TenantId, ApplicationId)>,
    Precondition(if_match): Precondition,
    Post { body: wanted, once }: Post<MigrationBody>,
) -> Answer {
    if wanted.dry_run.unwrap_or(true) {
        let planned = api.app.plan_migration(&caller, tenant, id).await?;
        return json(StatusCode::OK, &body(true, &planned));
    }
    let once = once.map(|once| OnceFor { once, keep: kept });
    match api.app.migrate_application(&caller, tenant, id, if_match, once).await? {
        Posted::Done(migration) => json(StatusCode::OK, &body(false, &migration)),
        Posted::Replayed(kept) => replayed(kept),
    }
}
