//! Settings › API access › Applications.

mod create;
mod edit;
mod export;
mod fields;
mod list;
mod one;
mod remove;
mod rotate;
mod secret;
mod shrink;
mod usage;

use crate::place::Place;
use crate::session::Person;
use axum::Router;
use axum::routing::{get, post};
use claviger_domain::application::Application;
use claviger_domain::grants::Verb;
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_kit::Api;

/// Its routes.
pub(crate) fn routes() -> Router<Api> {
    const ALL: &str = "/console/tenants/{tenant_id}/applications";
    let one = |rest: &str| format!("{ALL}/{{id}}{rest}");
    Router::new()
        .route(ALL, get(list::list).post(create::create))
        .route("/console/tenants/{tenant_id}/applications.csv", get(export::export))
        .route(&format!("{ALL}/new"), get(create::new))
        .route(&format!("{ALL}/simulate"), post(create::simulate))
        .route(&one(""), get(one::show))
        .route(&one("/enabled"), post(one::enable))
        .route(&one("/edit"), get(edit::edit).post(edit::update))
        .route(&one("/rotate"), get(rotate::ask).post(rotate::rotate))
        .route(&one("/secrets/{secret_id}/revoke"), post(rotate::revoke))
        .route(&one("/delete"), get(remove::ask).post(remove::delete))
        .route(&one("/shrink"), get(shrink::ask).post(shrink::shrink))
        .route(&one("/usage"), get(usage::usage))
        .route(&one("/audit"), get(one::audit))
        .route(&one("/simulate"), get(one::simulate))
}

/// What every page of one application has at its head.
pub(crate) struct Head {
    path: String,
    name: String,
    here: &'static str,
    tabs: Vec<(&'static str, &'static str)>,
}

impl Head {
    /// The head of the page at `here`, with what the person may look at.
    fn of(person: &Person, place: &Place, application: &Application, here: &'static str) -> Self {
        let may = |permission, verb| person.may(permission, verb);
        let change = may("applications", Verb::Update);
        let tabs = [
            (true, "", "Overview"),
            (may("usage", Verb::Read), "/usage", "Usage"),
            (may("audit", Verb::Read), "/audit", "Audit"),
            (true, "/simulate", "Simulate"),
            (change, "/edit", "Edit"),
            (change, "/rotate", "Rotate"),
            (change && may("findings", Verb::Read), "/shrink", "Shrink"),
            (may("applications", Verb::Delete), "/delete", "Delete"),
        ];
        let tabs = tabs.into_iter().filter(|(shown, ..)| *shown).map(|(_, rest, label)| (rest, label)).collect();
        Self { path: path_of(place.tenant.id, application.id), name: application.name.clone(), here, tabs }
    }
}

/// Where an application is shown.
fn path_of(tenant: TenantId, id: ApplicationId) -> String {
    format!("/console/tenants/{tenant}/applications/{id}")
}

/// The place and the application that a page is about.
async fn found(
    api: &Api,
    person: &Person,
    tenant: TenantId,
    id: ApplicationId,
) -> Result<(Place, Application), claviger_kit::Failure> {
    let place = person.at(api, tenant).await?;
    let application = api.app.find_application(&person.caller, tenant, id).await?;
    Ok((place, application))
}

/// What a handler of these pages takes of a path.
type Ids = claviger_kit::Path<(TenantId, ApplicationId)>;
