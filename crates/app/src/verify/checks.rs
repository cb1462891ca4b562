//! What is asked of an application and of what proves it, in a fixed order: place, enabled, tenants, end.

use crate::live::record::{LiveSecret, Record};
use claviger_domain::Refusal;
use claviger_domain::address::Origin;
use claviger_domain::key_type::is_served;
use claviger_domain::time::Timestamp;

/// Whether a secret works from there now; until when.
pub(crate) fn check(
    record: &Record,
    secret: &LiveSecret,
    origin: Origin,
    now: Timestamp,
) -> Result<Timestamp, Refusal> {
    check_place(record, origin).and_then(|()| check_end(record, secret, now))
}

/// Whether an application that was bound to tokens of a trusted issuer may call from there now; until when it may at most.
pub(crate) fn check_bound(record: &Record, origin: Origin, now: Timestamp) -> Result<Timestamp, Refusal> {
    check_place(record, origin)?;
    check_bound_state(record, now)
}

/// The same wherever the call comes from.
pub(crate) fn check_bound_state(record: &Record, now: Timestamp) -> Result<Timestamp, Refusal> {
    check_life(record, record.own_end(), now)
}

/// Whether any secret of the application works from there.
pub(crate) fn check_place(record: &Record, origin: Origin) -> Result<(), Refusal> {
    if !record.is_allowed_from(origin) {
        return Err(Refusal::AddressNotAllowed);
    }
    check_standing(record)
}

/// Whether any secret of the application works, wherever it is presented.
pub(crate) fn check_standing(record: &Record) -> Result<(), Refusal> {
    if !record.policy.enabled {
        return Err(Refusal::Disabled);
    }
    if !record.tenant.is_served() {
        return Err(Refusal::TenantSuspended);
    }
    Ok(())
}

/// Whether a secret works now, wherever it is presented; until when.
pub(crate) fn check_end(record: &Record, secret: &LiveSecret, now: Timestamp) -> Result<Timestamp, Refusal> {
    if secret.is_presented() && record.forbids_secrets() {
        return Err(Refusal::SecretsForbidden);
    }
    check_life(record, record.end_of(secret), now)
}

fn check_life(record: &Record, end: Timestamp, now: Timestamp) -> Result<Timestamp, Refusal> {
    if end <= now {
        return Err(Refusal::Expired);
    }
    if record.policy.legacy.is_some_and(|kind| !is_served(record.tenant.legacy_rule(kind), now)) {
        return Err(Refusal::KeyTypeRetired);
    }
    Ok(end)
}
