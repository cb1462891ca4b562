//! The catalogue: what can be granted, and the built-in access levels.

use crate::kit::{Api, Authenticated};
use crate::native::answer::{Answer, json};
use crate::native::grants::GrantsBody;
use crate::native::openapi::Reading;
use axum::extract::State;
use claviger_domain::catalogue::{BuiltInLevel, Permission};
use claviger_domain::grants::Verb;
use claviger_domain::id::AccessLevelId;
use http::StatusCode;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// All permissions, on one page, and the built-in access levels.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Catalogue)]
pub(crate) struct CatalogueBody {
    /// The permissions.
    items: Vec<PermissionBody>,
    /// Always `null`: there is one page.
    #[schema(required = true)]
    next_cursor: Option<String>,
    /// The built-in access levels, weakest first.
    levels: Vec<LevelBody>,
}

/// A permission.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Permission)]
pub(crate) struct PermissionBody {
    /// Dotted name, as grants have it.
    #[schema(example = "org.audits")]
    name: String,
    /// The product family whose data it guards.
    family: String,
    /// Heading under which people look for it.
    category: String,
    /// What people call it.
    title: String,
    /// The verbs it offers.
    verbs: Vec<&'static str>,
    /// OAuth-like scopes that stand for one of its verbs.
    scopes: BTreeMap<String, &'static str>,
}

/// A built-in access level.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BuiltInLevel)]
pub(crate) struct LevelBody {
    /// Fixed id.
    #[schema(value_type = Uuid)]
    id: AccessLevelId,
    /// Name.
    name: String,
    /// Its name for Carbon Black clients.
    urn: String,
    /// What it is for.
    description: String,
    /// What it grants.
    grants: GrantsBody,
}

impl From<&Permission> for PermissionBody {
    fn from(permission: &Permission) -> Self {
        Self {
            name: permission.name.clone(),
            family: permission.family.clone(),
            category: permission.category.clone(),
            title: permission.title.clone(),
            verbs: permission.verbs.iter().map(Verb::as_str).collect(),
            scopes: permission.scopes.iter().map(|(scope, verb)| (scope.clone(), verb.as_str())).collect(),
        }
    }
}

impl From<&BuiltInLevel> for LevelBody {
    fn from(level: &BuiltInLevel) -> Self {
        let (name, urn, description) = (level.name.clone(), level.urn.clone(), level.description.clone());
        Self { id: level.id, name, urn, description, grants: GrantsBody::from(&level.grants) }
    }
}

/// Read the catalogue of permissions
///
/// Any valid credential may.
#[utoipa::path(get, path = "/v1/catalogue", tag = "catalogue",
    responses((status = 200, description = "Done", body = CatalogueBody), Reading))]
pub(crate) async fn read_catalogue(State(api): State<Api>, Authenticated(caller): Authenticated) -> Answer {
    caller.count();
    let catalogue = api.app.catalogue();
    let items = catalogue.permissions().iter().map(PermissionBody::from).collect();
    let levels = catalogue.levels().iter().map(LevelBody::from).collect();
    json(StatusCode::OK, &CatalogueBody { items, next_cursor: None, levels })
}
