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
        group: "Tenants and people",
        label: "People",
        rest: "/people",
        rights: &[("users", Verb::Read)],
        fits: |kind| kind != Kind::Instance,
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
