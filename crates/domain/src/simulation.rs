//! Simulation: would an application be let in, and if not, what stands in its way. The same rules as verification, told in
//! full instead of ending at the first.

use crate::application::Application;
use crate::grants::{GrantSet, Right};
use crate::key_type::{LegacyRule, is_served};
use crate::network::Networks;
use crate::time::Timestamp;
use std::net::IpAddr;

/// The call that is imagined.
#[derive(Clone, Debug)]
pub struct Question {
    /// The right it needs.
    pub right: Right,
    /// Where it comes from; none leaves networks out of account.
    pub address: Option<IpAddr>,
    /// When.
    pub at: Timestamp,
}

/// What is known of the application besides itself.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// Whether neither its tenant nor one above is suspended.
    pub served: bool,
    /// For an application of a legacy key type: what holds for the type.
    pub legacy: Option<LegacyRule>,
    /// Whether it has the right.
    pub holds: bool,
    /// Ends of its secrets; none for one that does not end.
    pub secrets: Vec<Option<Timestamp>>,
}

impl Circumstances {
    /// Whether a set of grants holds the right at `index` of the catalogue.
    pub fn holds(grants: &GrantSet, index: Option<usize>, right: &Right) -> bool {
        index.is_some_and(|index| grants.has(index, right.verb))
    }
}

/// One thing that stands in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// Stable code, as in problem documents and audit entries.
    pub code: &'static str,
    /// What it is and what to do, in a sentence.
    pub detail: String,
}

/// Everything that stands in the way of the imagined call, in the order in which verification asks; empty if it would pass.
pub fn obstacles(application: &Application, around: &Circumstances, question: &Question) -> Vec<Obstacle> {
    let mut found = Vec::new();
    let mut add = |code, detail: String| found.push(Obstacle { code, detail });
    let at = question.at;
    let over = |end: &Option<Timestamp>| end.is_some_and(|end| end <= at);
    if around.secrets.iter().all(over) {
        add("no_live_secret", format!("it has no secret that works at {at}; regenerate one"));
    }
    if let (Some(networks), Some(address)) = (&application.allowed_networks, question.address)
        && !Networks::compile(networks).contains(address)
    {
        add("address_not_allowed", format!("{address} is in none of its {} allowed networks; add it", networks.len()));
    }
    if !application.enabled {
        add("application_disabled", "it is disabled; enable it".into());
    }
    if !around.served {
        add("tenant_suspended", "its tenant, or one above, is suspended; reactivate that".into());
    }
    if let Some(end) = application.ends_at.filter(|end| *end <= at) {
        add("credential_expired", format!("it ends at {end}; give it a later end"));
    }
    if let Some(kind) = application.rights.legacy().filter(|_| !is_served(around.legacy, at)) {
        let detail = format!("keys of type {} have stopped; migrate it to custom", kind.as_str());
        add("key_type_retired", detail);
    }
    if !around.holds {
        add(
            "permission_missing",
            format!("it does not hold {}; grant it, or give it an access level that does", question.right),
        );
    }
    found
}
