//! The servers of the store, for the operator.

use crate::kit::{Api, Authenticated};
use crate::native::answer::{Answer, json};
use crate::native::openapi::Reading;
use axum::extract::State;
use claviger_app::nodes::NodeView;
use claviger_domain::time::Timestamp;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// A server.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Node)]
pub(crate) struct NodeBody {
    /// Its id: another one for each copy of a data directory.
    id: String,
    /// Its machine and port.
    #[schema(example = "db1.example:8443")]
    name: String,
    /// Where clients reach it.
    address: String,
    /// Version of the program.
    version: String,
    /// Whether it is the server that answers this.
    this: bool,
    /// When it was started, by its own clock.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// When it last confirmed what it has followed, by the database's clock.
    #[schema(value_type = String, format = DateTime)]
    renewed_at: Timestamp,
    /// Changes that it has not confirmed yet.
    lag: i64,
    /// Milliseconds of its lease that are left; 0 for one that answers nothing. One that is the only one there can be has
    /// a lease that does not run out.
    lease_ms: i64,
    /// Whether it does what one server does for all: sweeping, folding usage, signing the heads of audit chains.
    in_charge: bool,
    /// Milliseconds by which its clock is ahead of the database's; beyond 30 seconds either way it answers nothing.
    clock_offset_ms: i64,
}

/// All servers of the store.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Nodes)]
pub(crate) struct NodesBody {
    /// By name.
    items: Vec<NodeBody>,
}

impl From<NodeView> for NodeBody {
    fn from(view: NodeView) -> Self {
        let node = view.node;
        Self {
            id: node.id,
            name: node.name,
            address: node.address,
            version: node.version,
            this: view.is_this,
            started_at: node.started_at,
            renewed_at: node.renewed_at,
            lag: view.lag,
            lease_ms: view.lease_millis,
            in_charge: view.in_charge,
            clock_offset_ms: node.clock_offset / 1_000,
        }
    }
}

/// List the nodes
///
/// The servers that run on this store. For credentials of the operator's tenant alone.
#[utoipa::path(get, path = "/v1/nodes", tag = "about",
    responses((status = 200, description = "Done", body = NodesBody), Reading))]
pub(crate) async fn list_nodes(State(api): State<Api>, Authenticated(caller): Authenticated) -> Answer {
    let nodes = api.app.list_nodes(&caller).await?;
    json(StatusCode::OK, &NodesBody { items: nodes.into_iter().map(NodeBody::from).collect() })
}
