//! What is the operator's alone: whether the server is well, its nodes, its jobs, its signing keys, and what it was told.

mod signing_keys;
mod watch;

use crate::api_call::ApiCall;
use crate::nav::Section;
use crate::page::{Answer, Page};
use crate::place::Place;
use crate::session::Person;
use crate::show;
use askama::Template;
use axum::extract::State;
use axum::routing::get;
use axum::{Extension, Router};
use claviger_app::nodes::NodeView;
use claviger_app::operator::{Health, Work};
use claviger_domain::Error;
use claviger_domain::id::TenantId;
use claviger_domain::tenant::Kind;
use claviger_kit::{Api, Failure, Path, Query};
use std::sync::Arc;
use watch::{Watch, WatchQuery};

/// What the server was told: each key with its value as a file would have it, secrets masked, none where it is not set.
#[derive(Clone, Debug, Default)]
pub struct Configuration(pub Vec<(&'static str, Option<String>)>);

#[derive(Template)]
#[template(path = "operator/health.html")]
struct HealthPage {
    health: Health,
}

#[derive(Template)]
#[template(path = "operator/nodes.html")]
struct NodesPage {
    nodes: Vec<NodeView>,
    watch: Watch,
}

#[derive(Template)]
#[template(path = "operator/work.html")]
struct WorkPage {
    work: Work,
    watch: Watch,
}

/// A key within its section, and its value.
type Setting<'a> = (&'a str, Option<&'a str>);

#[derive(Template)]
#[template(path = "operator/configuration.html")]
struct ConfigurationPage<'a> {
    sections: Vec<(&'a str, Vec<Setting<'a>>)>,
}

/// Its routes.
pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/console/tenants/{tenant_id}/operator", get(health))
        .route("/console/tenants/{tenant_id}/operator/nodes", get(nodes))
        .route("/console/tenants/{tenant_id}/operator/jobs", get(work))
        .route("/console/tenants/{tenant_id}/operator/configuration", get(configuration))
        .merge(signing_keys::routes())
}

/// The operator's tenant; there are no such pages of any other.
async fn operator(api: &Api, person: &Person, tenant: TenantId) -> Result<Place, Failure> {
    let place = person.at(api, tenant).await?;
    if place.tenant.kind == Kind::Operator { Ok(place) } else { Err(Failure(Error::NotFound("page"))) }
}

async fn health(State(api): State<Api>, person: Person, Path(tenant): Path<TenantId>) -> Answer {
    let place = operator(&api, &person, tenant).await?;
    let health = api.app.health(&person.caller).await?;
    Page::new("Health", Section::Health)
        .at(&place)
        .call(ApiCall::new("Ask whether the server is ready", "GET", "/readyz"))
        .render(&person, &HealthPage { health })
}

async fn nodes(
    State(api): State<Api>,
    person: Person,
    Path(tenant): Path<TenantId>,
    Query(query): Query<WatchQuery>,
) -> Answer {
    let place = operator(&api, &person, tenant).await?;
    let (nodes, now) = (api.app.list_nodes(&person.caller).await?, api.app.clock().now());
    Page::new("Nodes", Section::Nodes)
        .at(&place)
        .call(ApiCall::new("List the nodes", "GET", "/v1/nodes"))
        .render(&person, &NodesPage { nodes, watch: query.of("nodes", place.path("/operator/nodes"), now) })
}

async fn work(
    State(api): State<Api>,
    person: Person,
    Path(tenant): Path<TenantId>,
    Query(query): Query<WatchQuery>,
) -> Answer {
    let place = operator(&api, &person, tenant).await?;
    let (work, now) = (api.app.watch_work(&person.caller).await?, api.app.clock().now());
    let path = format!("/v1/tenants/{tenant}/provisionings");
    Page::new("Jobs", Section::Work)
        .at(&place)
        .call(ApiCall::new("List the provisionings beneath the operator", "GET", &path))
        .render(&person, &WorkPage { work, watch: query.of("jobs", place.path("/operator/jobs"), now) })
}

async fn configuration(
    State(api): State<Api>,
    person: Person,
    Path(tenant): Path<TenantId>,
    Extension(configuration): Extension<Arc<Configuration>>,
) -> Answer {
    let place = operator(&api, &person, tenant).await?;
    api.app.check_operator(&person.caller)?;
    let mut sections: Vec<(&str, Vec<Setting<'_>>)> = Vec::new();
    for (key, value) in &configuration.0 {
        let (section, name) = key.split_once('.').unwrap_or(("", key));
        if sections.last().is_none_or(|(known, _)| *known != section) {
            sections.push((section, Vec::new()));
        }
        if let Some((_, keys)) = sections.last_mut() {
            keys.push((name, value.as_deref()));
        }
    }
    Page::new("Configuration", Section::Configuration).at(&place).render(&person, &ConfigurationPage { sections })
}

impl NodesPage {
    /// How a node stands, as a badge has it.
    fn standing(&self, node: &NodeView) -> (&'static str, &'static str) {
        match (node.lease_millis > 0, node.lag_millis) {
            (false, _) => ("bad", "answers nothing"),
            (true, 0..=1_000) => ("good", "answers"),
            (true, _) => ("warn", "is behind"),
        }
    }

    /// Milliseconds by which a node's clock is ahead of the database's.
    fn ahead(&self, node: &NodeView) -> i64 {
        node.node.clock_offset / 1_000
    }

    /// Seconds with one digit after the point.
    fn seconds(&self, millis: &i64) -> String {
        format!("{}.{} s", millis / 1_000, (millis.abs() % 1_000) / 100)
    }
}

impl HealthPage {
    fn loaded(&self) -> i64 {
        i64::try_from(self.health.applications_loaded).unwrap_or(i64::MAX)
    }

    fn levels(&self) -> i64 {
        i64::try_from(self.health.access_levels_loaded).unwrap_or(i64::MAX)
    }

    /// Milliseconds by which the server's clock is ahead of the database's.
    fn ahead(&self) -> i64 {
        self.health.own_time.millis() - self.health.database_time.millis()
    }
}
