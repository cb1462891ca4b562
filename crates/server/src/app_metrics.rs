//! What the metrics listener shows of the application behind the edge: what is in memory, what was exchanged for tokens, and
//! how the servers of the store stand to each other.

use crate::metrics::{family, head, label};
use claviger_app::App;
use claviger_app::nodes::NodeView;
use std::fmt::Write as _;
use std::time::Duration;

/// How long the store may take to say which servers there are. Whoever asks for figures asks when something is wrong.
const PATIENCE: Duration = Duration::from_secs(1);

/// A figure of one server.
type Figure = fn(&NodeView) -> f64;

/// Writes all families in the Prometheus text format.
pub async fn render(app: &App) -> String {
    let mut out = String::new();
    let loaded = u64::try_from(app.applications_loaded()).unwrap_or(u64::MAX);
    family(&mut out, "claviger_applications_loaded", "gauge", "Applications in memory", loaded);
    family(&mut out, "claviger_store_statements_total", "counter", "Statements sent", app.store().statements());
    family(&mut out, "claviger_ready", "gauge", "Whether calls are answered", u64::from(app.ready().is_ok()));
    exchanges(&mut out, app);
    nodes(&mut out, app).await;
    out
}

fn exchanges(out: &mut String, app: &App) {
    head(
        out,
        "claviger_token_exchanges_total",
        "counter",
        "Credentials exchanged for session tokens, by family of doors",
    );
    for (family, exchanged) in app.exchanged() {
        for (outcome, count) in [("issued", exchanged.issued), ("refused", exchanged.refused)] {
            let labels = format!("family=\"{family}\",outcome=\"{outcome}\"");
            let _ = writeln!(out, "claviger_token_exchanges_total{{{labels}}} {count}");
        }
    }
}

async fn nodes(out: &mut String, app: &App) {
    let lease = app.lease_left().as_secs_f64();
    head(out, "claviger_lease_seconds", "gauge", "Seconds that this server may answer without confirming anything");
    let _ = writeln!(out, "claviger_lease_seconds {lease}");
    let charge = u64::from(app.is_in_charge());
    family(out, "claviger_in_charge", "gauge", "Whether this server does what one does for all", charge);
    // A family that is missing says that the store did not answer; a stale figure would say that all is well.
    let Ok(Ok(known)) = tokio::time::timeout(PATIENCE, app.know_nodes()).await else { return };
    let count = u64::try_from(known.len()).unwrap_or(u64::MAX);
    family(out, "claviger_nodes", "gauge", "Servers of the store", count);
    let figures: [(&str, &str, Figure); 3] = [
        ("claviger_node_lag_seconds", "Seconds for which a server has left changes unconfirmed", |view| {
            seconds(view.lag_millis)
        }),
        ("claviger_node_lease_seconds", "Seconds left of a server's lease", |view| seconds(view.lease_millis)),
        ("claviger_node_in_charge", "Whether a server does what one does for all", |view| {
            f64::from(u8::from(view.in_charge))
        }),
    ];
    for (name, help, figure) in figures {
        head(out, name, "gauge", help);
        for view in &known {
            let _ = writeln!(out, "{name}{{node=\"{}\"}} {}", label(&view.node.name), figure(view));
        }
    }
}

fn seconds(millis: i64) -> f64 {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0)).as_secs_f64()
}
