//! The audit record of a tenant: searched, filtered, followed, one entry in its place, the chain verified, exported.

mod actors;
mod entry;
mod export;
mod list;
mod told;
mod verify;

pub(crate) use actors::{Actor, names};
pub(crate) use told::Told;

use crate::filters::{given, moment, with_query};
use axum::Router;
use axum::routing::get;
use claviger_domain::Result;
use claviger_domain::audit::Filter;
use claviger_kit::Api;
use serde::Deserialize;

/// Its routes.
pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/console/tenants/{tenant_id}/audit", get(list::list))
        .route("/console/tenants/{tenant_id}/audit/export", get(export::export))
        .route("/console/tenants/{tenant_id}/audit/verify", get(verify::verify))
        .route("/console/tenants/{tenant_id}/audit/{number}", get(entry::show))
}

/// What narrows the record.
#[derive(Debug, Default, Deserialize)]
struct AuditQuery {
    #[serde(default)]
    q: Option<String>,
    #[serde(default)]
    since: Option<String>,
    #[serde(default)]
    until: Option<String>,
    #[serde(default)]
    actor: Option<String>,
    #[serde(default)]
    action: Option<String>,
    #[serde(default)]
    target: Option<String>,
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    follow: Option<String>,
    #[serde(default)]
    format: Option<String>,
}

impl AuditQuery {
    fn filter(&self) -> Result<Filter> {
        let text = |value: &Option<String>| given(value.as_deref()).map(str::to_owned);
        Ok(Filter {
            since: moment("since", self.since.as_deref())?,
            until: moment("until", self.until.as_deref())?,
            actor: text(&self.actor),
            action: text(&self.action),
            target: text(&self.target),
        })
    }

    /// Words that are looked for.
    fn words(&self) -> Option<&str> {
        given(self.q.as_deref())
    }

    /// The values of the filter, for links and fields.
    fn values(&self) -> [(&'static str, Option<&str>); 6] {
        [
            ("q", self.q.as_deref()),
            ("since", self.since.as_deref()),
            ("until", self.until.as_deref()),
            ("actor", self.actor.as_deref()),
            ("action", self.action.as_deref()),
            ("target", self.target.as_deref()),
        ]
    }

    /// A path with the filter, and with something more.
    fn path(&self, path: &str, more: &[(&str, Option<&str>)]) -> String {
        with_query(path, &[&self.values(), more].concat())
    }
}
