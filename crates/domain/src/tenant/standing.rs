//! How tenants are suspended, taken back, converted and deleted. Doing it again changes nothing and is no error.

use super::{GRACE_SECONDS, Kind, Status, Tenant};
use crate::time::Timestamp;
use crate::{Error, Result};

impl Tenant {
    /// The tenant, not served any more. One that is being deleted is not served either, and stays so.
    #[must_use]
    pub fn suspended(&self) -> Self {
        let status = if self.status == Status::Active { Status::Suspended } else { self.status };
        Self { status, ..self.clone() }
    }

    /// The tenant, served again; a deletion whose grace is not over is taken back.
    pub fn reactivated(&self, now: Timestamp) -> Result<Self> {
        if self.purge_at.is_some_and(|purge_at| purge_at <= now) {
            let detail = format!("the grace of {} is over; it cannot be taken back any more", self.name);
            return Err(Error::conflict("tenant_deleting", detail));
        }
        Ok(Self { status: Status::Active, purge_at: None, ..self.clone() })
    }

    /// The instance, on trial no longer: there is no way back.
    pub fn converted(&self) -> Result<Self> {
        if self.kind != Kind::Instance {
            let detail = format!("{} is not an instance; only instances are on trial", self.name);
            return Err(Error::conflict("not_an_instance", detail));
        }
        let mut converted = self.clone();
        converted.details.trial = false;
        converted.details.trial_ends_at = None;
        Ok(converted)
    }

    /// The tenant, to be gone for good when its grace is over. Only one that is suspended can be deleted.
    pub fn deleted(&self, now: Timestamp) -> Result<Self> {
        match self.status {
            Status::Deleting => Ok(self.clone()),
            Status::Suspended => {
                let purge_at = Some(now.plus_seconds(GRACE_SECONDS));
                Ok(Self { status: Status::Deleting, purge_at, ..self.clone() })
            }
            Status::Active => {
                let detail =
                    format!("{} is active; suspend it first, so that nobody is cut off by surprise", self.name);
                Err(Error::conflict("tenant_not_suspended", detail))
            }
        }
    }

    /// The tenant with a status that was asked for.
    pub fn with_status(&self, status: Status, now: Timestamp) -> Result<Self> {
        match status {
            Status::Active => self.reactivated(now),
            Status::Suspended | Status::Deleting => Ok(self.suspended()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{OrgKey, TenantId};
    use crate::tenant::Details;
    use proptest::prelude::*;

    fn instance() -> Tenant {
        let now = Timestamp::from_micros(0);
        let details = Details { trial: true, trial_ends_at: Some(now), ..Details::default() };
        Tenant {
            id: TenantId::from_u128(1),
            org_key: OrgKey::stored("A".into()),
            name: "One".into(),
            kind: Kind::Instance,
            parent_id: Some(TenantId::from_u128(2)),
            status: Status::Active,
            purge_at: None,
            provisioning: None,
            application_limit: 1,
            details,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    #[test]
    fn a_tenant_is_suspended_before_it_is_deleted() {
        let (one, now) = (instance(), Timestamp::from_micros(7));
        assert!(matches!(one.deleted(now), Err(Error::Conflict { code: "tenant_not_suspended", .. })));
        let gone = one.suspended().deleted(now).unwrap();
        assert_eq!((gone.status, gone.purge_at), (Status::Deleting, Some(now.plus_seconds(30 * 86_400))));
        assert_eq!(gone.suspended(), gone, "it is not served as it is");
        assert_eq!(gone.deleted(now.plus_seconds(9)).unwrap(), gone, "the grace does not begin again");
        assert_eq!(gone.reactivated(now.plus_seconds(GRACE_SECONDS - 1)).unwrap(), one);
        let late = gone.reactivated(now.plus_seconds(GRACE_SECONDS));
        assert!(matches!(late, Err(Error::Conflict { code: "tenant_deleting", .. })), "its rows may be gone");
    }

    #[test]
    fn a_trial_ends_once() {
        let converted = instance().converted().unwrap();
        assert!(!converted.details.trial && converted.details.trial_ends_at.is_none());
        assert_eq!(converted.converted().unwrap(), converted);
        let organization = Tenant { kind: Kind::Organization, ..instance() };
        assert!(matches!(organization.converted(), Err(Error::Conflict { code: "not_an_instance", .. })));
    }

    proptest! {
        #[test]
        fn whatever_is_done_twice_is_done_once(steps in prop::collection::vec(0..4_u8, 0..12)) {
            let mut tenant = instance();
            for (step, at) in steps.iter().zip(0_i64..) {
                let done = |tenant: &Tenant| match step {
                    0 => tenant.suspended(),
                    1 => tenant.reactivated(Timestamp::from_micros(at)).unwrap(),
                    2 => tenant.converted().unwrap_or_else(|_| tenant.clone()),
                    _ => tenant.deleted(Timestamp::from_micros(at)).unwrap_or_else(|_| tenant.clone()),
                };
                tenant = done(&tenant);
                prop_assert_eq!(&done(&tenant), &tenant);
                prop_assert_eq!(tenant.purge_at.is_some(), tenant.status == Status::Deleting);
            }
        }
    }
}
