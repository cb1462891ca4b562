//! Tenants through their life: suspend, reactivate, convert, delete. What a call narrows holds on every node when it returns,
//! for the tenant and everything beneath it; the tree is asked on each call, so that one row changes for any number of them.

use super::{PERMISSION, describe, from_above, target};
use crate::App;
use crate::applications::changed;
use crate::caller::Caller;
use crate::unit::{Effect, Needs, OnceFor, Posted};
use claviger_domain::grants::Verb;
use claviger_domain::id::TenantId;
use claviger_domain::tenant::Tenant;
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use std::sync::Arc;

/// What is to become of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It and everything beneath it is served no longer.
    Suspended,
    /// It is served again, and not deleted.
    Reactivated,
    /// It is on trial no longer.
    Converted,
    /// It is gone for good when its grace is over.
    Deleted,
}

impl Standing {
    const fn action(self) -> &'static str {
        match self {
            Self::Suspended => "tenant.suspended",
            Self::Reactivated => "tenant.reactivated",
            Self::Converted => "tenant.converted",
            Self::Deleted => "tenant.deleted",
        }
    }

    const fn verb(self) -> Verb {
        match self {
            Self::Deleted => Verb::Delete,
            Self::Suspended | Self::Reactivated | Self::Converted => Verb::Update,
        }
    }

    fn of(self, tenant: &Tenant, now: Timestamp) -> Result<Tenant> {
        match self {
            Self::Suspended => Ok(tenant.suspended()),
            Self::Reactivated => tenant.reactivated(now),
            Self::Converted => tenant.converted(),
            Self::Deleted => tenant.deleted(now),
        }
    }
}

impl App {
    /// Suspends, reactivates, converts or deletes a tenant beneath the caller's own; doing it again is a success. Needs
    /// `tenants:UPDATE`, or `tenants:DELETE` to delete it.
    pub async fn change_standing(
        self: &Arc<Self>,
        caller: &Caller,
        id: TenantId,
        standing: Standing,
        if_match: Option<i64>,
        once: Option<OnceFor<Tenant>>,
    ) -> Result<Posted<Tenant>> {
        let node = caller.reach(id)?;
        caller.allow(PERMISSION, standing.verb())?;
        if matches!(standing, Standing::Deleted) {
            caller.must_step_up()?;
        }
        if node.id == caller.tenant().id {
            return Err(from_above("the standing of a tenant"));
        }
        self.unit_once(caller, Needs { tenant: id, right: (PERMISSION, standing.verb()) }, once, move |unit| {
            Box::pin(async move {
                let before = unit.tx.find_tenant(id).await?.ok_or(Error::NotFound("tenant"))?;
                crate::check_version(if_match, before.version)?;
                let mut after = standing.of(&before, unit.now)?;
                if after == before {
                    // Who asks again may do so since the first answer got lost: it holds everywhere when this returns, too.
                    unit.affects(Effect::Tenant(id));
                } else {
                    after = unit.change_tenant(after).await?;
                }
                let details = changed(&describe(&before), &describe(&after));
                unit.record(standing.action(), target(&after), details);
                Ok(after)
            })
        })
        .await
    }
}
