//! Tenants: the tree of operator, partners, organisations and instances.

pub mod details;
pub mod naming;
mod standing;

pub use details::{Details, DetailsPatch};

use crate::id::{OrgKey, TenantId};
use crate::name::Name;
use crate::time::Timestamp;
use crate::{Error, Result};

/// Applications a tenant may have unless its parent says otherwise, as Cylance has it.
pub const APPLICATION_LIMIT: i64 = 10;
/// Most applications a parent may allow a tenant.
pub const APPLICATION_LIMIT_MAX: i64 = 10_000_000;
/// Most levels of the tree, the operator included.
pub const DEPTH_MAX: usize = 16;

/// What a node of the tree is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Kind {
    /// The root: whoever runs the server.
    Operator,
    /// Administers organisations on behalf of the operator.
    Partner,
    /// A customer.
    Organization,
    /// A part of an organisation.
    Instance,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Operator, Self::Partner, Self::Organization, Self::Instance];

    /// The word on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Partner => "partner",
            Self::Organization => "organization",
            Self::Instance => "instance",
        }
    }

    /// The kind that a word names.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether a tenant of this kind may stand beneath one of kind `parent`.
    pub const fn may_stand_under(self, parent: Self) -> bool {
        match self {
            Self::Operator => false,
            Self::Partner => matches!(parent, Self::Operator | Self::Partner),
            Self::Organization => matches!(parent, Self::Operator | Self::Partner | Self::Organization),
            Self::Instance => matches!(parent, Self::Organization),
        }
    }
}

/// Whether a tenant is served.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Status {
    /// Served.
    Active,
    /// Neither it nor anything beneath it is served.
    Suspended,
    /// The same, and it will be gone for good when its grace is over.
    Deleting,
}

impl Status {
    /// The word on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleting => "deleting",
        }
    }

    /// The status that a word names.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Suspended, Self::Deleting].into_iter().find(|status| status.as_str() == text)
    }
}

/// A tenant as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Id.
    pub id: TenantId,
    /// Key in Carbon Black's paths.
    pub org_key: OrgKey,
    /// Name, unique beneath its parent.
    pub name: String,
    /// Kind.
    pub kind: Kind,
    /// The tenant above; none for the operator.
    pub parent_id: Option<TenantId>,
    /// Status of its own; it is not served either when one above is suspended.
    pub status: Status,
    /// When it will be gone for good; none unless it is being deleted.
    pub purge_at: Option<Timestamp>,
    /// How far its provisioning is; none where that is complete, or there was none.
    pub provisioning: Option<Stage>,
    /// Applications it may have.
    pub application_limit: i64,
    /// What else is known of it.
    pub details: Details,
    /// Counts the changes, from 1; the entity tag.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// What is needed to make a tenant.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// Name.
    pub name: Name,
    /// Kind.
    pub kind: Kind,
    /// The tenant above.
    pub parent_id: TenantId,
    /// Applications it may have; none for [`APPLICATION_LIMIT`].
    pub application_limit: Option<i64>,
    /// What else is known of it.
    pub details: DetailsPatch,
}

impl NewTenant {
    /// A tenant of which nothing else is known.
    pub fn new(name: Name, kind: Kind, parent_id: TenantId) -> Self {
        Self { name, kind, parent_id, application_limit: None, details: DetailsPatch::default() }
    }
}

/// A change of a tenant; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct TenantPatch {
    /// New name.
    pub name: Option<Name>,
    /// New status.
    pub status: Option<Status>,
    /// New limit.
    pub application_limit: Option<i64>,
    /// What else is to be known of it.
    pub details: DetailsPatch,
}

/// How far the provisioning of a tenant is, where it is not complete.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Stage {
    /// Nothing was done yet but the tenant itself.
    Queued,
    /// Some steps are done.
    Running,
    /// It came to nothing.
    Failed,
}

impl Stage {
    /// The word on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Failed => "failed",
        }
    }

    /// The stage that a word names.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Queued, Self::Running, Self::Failed].into_iter().find(|stage| stage.as_str() == text)
    }
}

/// Accepts a limit of applications at `pointer`.
pub fn parse_application_limit(pointer: &str, limit: i64) -> Result<i64> {
    if (0..=APPLICATION_LIMIT_MAX).contains(&limit) {
        return Ok(limit);
    }
    Err(Error::invalid(pointer, format!("{limit} applications"), format!("give 0 to {APPLICATION_LIMIT_MAX}")))
}

/// How long a tenant that is being deleted can be taken back, in seconds.
pub const GRACE_SECONDS: i64 = 30 * 86_400;

/// Refuses a tenant at `/trial` that cannot be on trial.
pub fn check_trial(kind: Kind, details: &Details) -> Result<()> {
    if details.trial && kind != Kind::Instance {
        let message = format!("a tenant of kind {} is never on trial", kind.as_str());
        return Err(Error::invalid("/trial", message, "leave it out; only instances may be on trial"));
    }
    Ok(())
}

/// Refuses a kind that may not stand under its parent, at `pointer`.
pub fn check_parent(pointer: &str, kind: Kind, parent: Kind) -> Result<()> {
    if kind.may_stand_under(parent) {
        return Ok(());
    }
    let allowed: Vec<_> = Kind::ALL.iter().filter(|p| kind.may_stand_under(**p)).map(|p| p.as_str()).collect();
    let fix = if allowed.is_empty() {
        "there is one operator, made when the store is set up".to_owned()
    } else {
        format!("put it under a tenant of kind {}", allowed.join(", "))
    };
    Err(Error::invalid(
        pointer,
        format!("a tenant of kind {} cannot stand under one of kind {}", kind.as_str(), parent.as_str()),
        fix,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_has_its_order() {
        assert!(check_parent("/kind", Kind::Organization, Kind::Operator).is_ok());
        assert!(check_parent("/kind", Kind::Instance, Kind::Organization).is_ok());
        assert!(check_parent("/kind", Kind::Instance, Kind::Operator).is_err());
        assert!(check_parent("/kind", Kind::Partner, Kind::Organization).is_err());
        for parent in Kind::ALL {
            assert!(check_parent("/kind", Kind::Operator, parent).is_err());
        }
    }
}
