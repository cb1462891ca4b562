//! The tenant that a page shows, and those on the way to it.

use crate::session::Person;
use claviger_domain::id::TenantId;
use claviger_domain::tenant::{Kind, Status, Tenant};
use claviger_domain::{Error, Result};
use claviger_kit::{Api, Failure};

/// A tenant that is shown.
#[derive(Debug)]
pub(crate) struct Place {
    /// The tenant.
    pub(crate) tenant: Tenant,
    /// Those above it, from the person's own on; none where it is that one.
    pub(crate) above: Vec<Tenant>,
}

impl Person {
    /// The tenant that a page is to show.
    ///
    /// # Errors
    /// `NotFound` for one out of reach.
    pub(crate) async fn at(&self, api: &Api, tenant: TenantId) -> Result<Place, Failure> {
        let mut above = api.app.whereabouts(&self.caller, tenant).await?;
        let tenant = above.pop().ok_or(Error::NotFound("tenant"))?;
        Ok(Place { tenant, above })
    }
}

impl Place {
    /// Whether it is the person's own.
    pub(crate) fn is_own(&self) -> bool {
        self.above.is_empty()
    }

    /// The path of a page of this tenant; `rest` is empty or begins with a slash.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/console/tenants/{}{rest}", self.tenant.id)
    }

    /// What its kind is called, where its name does not say so already.
    pub(crate) fn kind(&self) -> Option<&'static str> {
        Some(kind_word(&self.tenant.kind)).filter(|kind| !kind.eq_ignore_ascii_case(&self.tenant.name))
    }

    /// What keeps it from being served, in a word; none where nothing does.
    pub(crate) fn standing(&self) -> Option<&'static str> {
        let worst = |status: Status| self.above.iter().chain([&self.tenant]).any(|tenant| tenant.status == status);
        if worst(Status::Deleting) {
            Some("being deleted")
        } else if worst(Status::Suspended) {
            Some("suspended")
        } else {
            None
        }
    }
}

/// What a kind of tenant is called.
pub(crate) fn kind_word(kind: &Kind) -> &'static str {
    match kind {
        Kind::Operator => "Operator",
        Kind::Partner => "Partner",
        Kind::Organization => "Organization",
        Kind::Instance => "Instance",
    }
}
