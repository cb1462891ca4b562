//! The navigation: what there is to see at a tenant, for whom.

use crate::place::Place;
use crate::session::Person;
use claviger_domain::grants::Verb;
use claviger_domain::tenant::Kind;

/// The part of the console that a page belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    /// The overview of a tenant.
    Overview,
    /// Applications.
    Applications,
    /// Access levels.
    AccessLevels,
    /// What holds for credentials.
    Security,
    /// The people of a tenant.
    People,
    /// What is known of the tenant, and what becomes of it.
    Details,
    /// The tenants beneath it.
    Tenants,
    /// Its endpoints, and those beneath it.
    Utilization,
    /// Where its people sign in once for everything.
    SingleSignOn,
    /// Usage.
    Usage,
    /// The audit record.
    Audit,
    /// Who got session tokens.
    AccessRecord,
    /// Whether the server is well.
    Health,
    /// The servers of the store.
    Nodes,
    /// The work that goes on beside the requests.
    Work,
    /// The keys that sign session tokens.
    SigningKeys,
    /// What the server was told.
    Configuration,
    /// One's own account, and whatever has no entry.
    Account,
}

/// An entry that a person sees.
#[derive(Debug)]
pub(crate) struct Entry {
    /// What it leads to.
    pub(crate) section: Section,
    /// What it is called.
    pub(crate) label: &'static str,
    /// What it is listed under; empty for none.
    pub(crate) group: &'static str,
    /// Whether it is the first of its group.
    pub(crate) opens_group: bool,
    /// Where it leads.
    pub(crate) path: String,
}

/// An entry that there is: a person sees it who holds one of the rights, at the tenants that it is for.
struct Known {
    section: Section,
    group: &'static str,
    label: &'static str,
    rest: &'static str,
    rights: &'static [(&'static str, Verb)],
    fits: fn(Kind) -> bool,
}

/// In the order in which they are listed; those of a group stand together.
const KNOWN: &[Known] = &[
    Known { section: Section::Overview, group: "", label: "Overview", rest: "", rights: &[], fits: |_| true },
    Known {
        section: Section::Applications,
        group: "API access",
        label: "Applications",
        rest: "/applications",
        rights: &[("applications", Verb::Read)],
        fits: |_| true,
    },
    Known {
        section: Section::AccessLevels,
        group: "API access",
        label: "Access levels",
        rest: "/access-levels",
        rights: &[("access-levels", Verb::Read)],
        fits: |_| true,
    },
    Known {
        section: Section::Security,
        group: "API access",
        label: "Security",
        rest: "/security",
        rights: &[
            ("secret-visibility", Verb::Read),
            ("credential-policy", Verb::Read),
            ("trusted-issuers", Verb::Read),
            ("sessions", Verb::Read),
        ],
        fits: |_| true,
    },
    Known {
        section: Section::People,
        group: "Tenant",
        label: "People",
        rest: "/people",
        rights: &[("users", Verb::Read)],
        fits: |kind| kind != Kind::Instance,
    },
    Known {
        section: Section::Details,
        group: "Tenant",
        label: "Details",
        rest: "/details",
        rights: &[("tenants", Verb::Read)],
        fits: |_| true,
    },
    Known {
        section: Section::Tenants,
        group: "Tenant",
        label: "Tenants beneath",
        rest: "/tenants",
        rights: &[("tenants", Verb::Read)],
        fits: |kind| kind != Kind::Instance,
    },
    Known {
        section: Section::Utilization,
        group: "Tenant",
        label: "Endpoints",
        rest: "/utilization",
        rights: &[("endpoints", Verb::Read)],
        fits: |_| true,
    },
    Known {
        section: Section::SingleSignOn,
        group: "Tenant",
        label: "Single sign-on",
        rest: "/sso",
        rights: &[("sso", Verb::Read)],
        fits: |kind| kind != Kind::Instance,
    },
    Known {
        section: Section::Usage,
        group: "Insight",
        label: "Usage",
        rest: "/usage",
        rights: &[("usage", Verb::Read)],
        fits: |_| true,
    },
    Known {
        section: Section::Audit,
        group: "Insight",
        label: "Audit record",
        rest: "/audit",
        rights: &[("audit", Verb::Read)],
        fits: |_| true,
    },
    Known {
        section: Section::AccessRecord,
        group: "Insight",
        label: "Session tokens",
        rest: "/access-record",
        rights: &[("access-record", Verb::Read)],
        fits: |_| true,
    },
    Known {
        section: Section::Health,
        group: "Operator",
        label: "Health",
        rest: "/operator",
        rights: &[("nodes", Verb::Read)],
        fits: |kind| kind == Kind::Operator,
    },
    Known {
        section: Section::Nodes,
        group: "Operator",
        label: "Nodes",
        rest: "/operator/nodes",
        rights: &[("nodes", Verb::Read)],
        fits: |kind| kind == Kind::Operator,
    },
    Known {
        section: Section::Work,
        group: "Operator",
        label: "Jobs",
        rest: "/operator/jobs",
        rights: &[("nodes", Verb::Read)],
        fits: |kind| kind == Kind::Operator,
    },
    Known {
        section: Section::SigningKeys,
        group: "Operator",
        label: "Signing keys",
        rest: "/operator/signing-keys",
        rights: &[("signing-keys", Verb::Read)],
        fits: |kind| kind == Kind::Operator,
    },
    Known {
        section: Section::Configuration,
        group: "Operator",
        label: "Configuration",
        rest: "/operator/configuration",
        rights: &[("nodes", Verb::Read)],
        fits: |kind| kind == Kind::Operator,
    },
];

/// What the person sees at a place.
pub(crate) fn entries(person: &Person, place: &Place) -> Vec<Entry> {
    let mut group = "";
    let sees = |known: &&Known| {
        let holds = known.rights.is_empty() || known.rights.iter().any(|(name, verb)| person.may(name, *verb));
        holds && (known.fits)(place.tenant.kind)
    };
    let shown = KNOWN.iter().filter(sees).map(|known| {
        let opens_group = !known.group.is_empty() && known.group != group;
        group = known.group;
        Entry {
            section: known.section,
            label: known.label,
            group: known.group,
            opens_group,
            path: place.path(known.rest),
        }
    });
    shown.collect()
}
