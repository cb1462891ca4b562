//! How long credentials live: their own ends, the ceilings and rotations that policies set, and who is to be told when.

use crate::application::{Application, Secret};
use crate::credential_policy::StoredPolicy;
use crate::notice::{NoticeKind, Telling};
use crate::time::Timestamp;
use crate::{Error, Result};
use std::collections::BTreeSet;

/// Seconds of a day.
pub const DAY: i64 = 86_400;
/// Days ahead of an end at which its owner is told, the nearest first.
pub const STEPS: [i64; 4] = [1, 3, 14, 30];
/// Seconds ahead of its end for which answers to a credential say so.
pub const ADVICE_SECONDS: i64 = 30 * DAY;

/// One demand for rotation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RotationRule {
    /// Days after its making at which a secret is due.
    pub every_days: i64,
    /// Seconds for which it goes on working then.
    pub overlap_seconds: i64,
    /// No secret is due before.
    pub since: Timestamp,
}

/// When a secret is due for rotation, and when it retires if nothing is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Due {
    /// When it is to be replaced.
    pub at: Timestamp,
    /// When it retires.
    pub retires_at: Timestamp,
}

/// What the policies of a tenant and of those above it allow credentials at most.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Bounds {
    /// Seconds an application lives.
    pub application_seconds: Option<i64>,
    /// Seconds a secret lives.
    pub secret_seconds: Option<i64>,
    /// Every demand for rotation there is.
    pub rotations: Vec<RotationRule>,
}

impl RotationRule {
    /// When a secret made at `made` is due by this rule.
    pub fn due(&self, made: Timestamp) -> Due {
        let at = made.plus_seconds(self.every_days.saturating_mul(DAY)).max(self.since);
        Due { at, retires_at: at.plus_seconds(self.overlap_seconds) }
    }
}

impl Bounds {
    /// What several policies come to; none if nothing is bounded.
    pub fn of<'a>(policies: impl Iterator<Item = &'a StoredPolicy> + Clone) -> Option<Self> {
        let lowest = |pick: fn(&StoredPolicy) -> Option<i64>| policies.clone().filter_map(pick).min();
        let bounds = Self {
            application_seconds: lowest(|policy| policy.own.max_application_lifetime_seconds),
            secret_seconds: lowest(|policy| policy.own.max_secret_lifetime_seconds),
            rotations: policies.clone().filter_map(StoredPolicy::rotation).collect(),
        };
        (bounds != Self::default()).then_some(bounds)
    }

    /// Where the ceiling ends an application made at `made`.
    pub fn application_ceiling(&self, made: Timestamp) -> Option<Timestamp> {
        self.application_seconds.map(|seconds| made.plus_seconds(seconds))
    }

    /// Where the ceiling ends a secret made at `made`.
    pub fn secret_ceiling(&self, made: Timestamp) -> Option<Timestamp> {
        self.secret_seconds.map(|seconds| made.plus_seconds(seconds))
    }

    /// When a secret made at `made` is due: by the rule that retires it first.
    pub fn due(&self, made: Timestamp) -> Option<Due> {
        self.rotations.iter().map(|rule| rule.due(made)).min_by_key(|due| (due.retires_at, due.at))
    }

    /// Secrets made until then have retired by rotation at `now`; none where no rotation has held long enough for that.
    pub fn retired_made_until(&self, now: Timestamp) -> Option<Timestamp> {
        let has_begun = |rule: &&RotationRule| rule.since.plus_seconds(rule.overlap_seconds) <= now;
        let life = |rule: &RotationRule| rule.every_days.saturating_mul(DAY).saturating_add(rule.overlap_seconds);
        self.rotations.iter().filter(has_begun).map(life).min().map(|life| now.plus_seconds(-life))
    }

    /// Where ceiling or rotation end a secret made at `made`.
    pub fn secret_end(&self, made: Timestamp) -> Option<Timestamp> {
        earlier(self.secret_ceiling(made), self.due(made).map(|due| due.retires_at))
    }

    /// The rotation that retires a secret made from now on first.
    pub fn strictest_rotation(&self) -> Option<RotationRule> {
        let life = |rule: &&RotationRule| rule.every_days.saturating_mul(DAY).saturating_add(rule.overlap_seconds);
        self.rotations.iter().min_by_key(life).copied()
    }
}

/// The earlier of two ends, where none is never.
pub fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// When an application really stops.
pub fn application_end(application: &Application, bounds: Option<&Bounds>) -> Option<Timestamp> {
    let ceiling = bounds.and_then(|bounds| bounds.application_ceiling(application.id.made_at()));
    earlier(application.expires_at, ceiling)
}

/// When a secret really stops, as far as it alone is concerned.
pub fn secret_end(secret: &Secret, bounds: Option<&Bounds>) -> Option<Timestamp> {
    earlier(secret.expires_at, bounds.and_then(|bounds| bounds.secret_end(secret.id.made_at())))
}

/// Accepts an end at `pointer` for something that may live until `ceiling`; where none is given, it is the ceiling.
pub fn check_end(pointer: &str, given: Option<Timestamp>, ceiling: Option<Timestamp>) -> Result<Option<Timestamp>> {
    match (given, ceiling) {
        (Some(end), Some(ceiling)) if end > ceiling => {
            let message = format!("{end} lies beyond the tenant's ceiling, which ends it at {ceiling}");
            let fix = format!("give {ceiling} or an earlier time, or have the credential policy changed");
            Err(Error::invalid(pointer, message, fix))
        }
        (given, ceiling) => Ok(given.or(ceiling)),
    }
}

/// The nearest step of [`STEPS`] ahead of `end` that is reached at `now`.
pub fn nearest_step(end: Timestamp, now: Timestamp) -> Option<i64> {
    let reached = |days: &i64| end.plus_seconds(-days * DAY) <= now;
    STEPS.into_iter().find(reached).filter(|_| now < end)
}

/// The step of [`STEPS`] at which the owner of something made at `made` is to be told at `now` that it ends at `end`: the
/// nearest, and none that lies before it was made.
pub fn step(made: Timestamp, end: Timestamp, now: Timestamp) -> Option<i64> {
    let nearest = nearest_step(end, now)?;
    (end.plus_seconds(-nearest * DAY) > made).then_some(nearest)
}

/// What the owner of an application of a legacy key type is told at `now`: that keys of the type stop at `end`, and again
/// at each step ahead of that.
pub fn tell_sunset(application: &Application, end: Timestamp, now: Timestamp) -> Telling {
    let kind = application.rights.key_type();
    let detail = format!("keys of type {kind} stop at {end}; migrate it to custom before, with the same id and secret");
    let telling = Telling { due_at: Some(end), ..Telling::new(NoticeKind::KeyTypeSunset, application, detail) };
    Telling { step: step(application.id.made_at(), end, now), ..telling }
}

/// What is to be done about the credentials of an application.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Plan {
    /// Whom to tell what.
    pub tellings: Vec<Telling>,
    /// Secrets that have retired by rotation, and when.
    pub retired: Vec<(Secret, Timestamp)>,
}

/// What is to be done at `now` about an application with `secrets`, of which `told` has been told already.
pub fn plan(
    application: &Application,
    secrets: &[Secret],
    bounds: Option<&Bounds>,
    told: &BTreeSet<String>,
    now: Timestamp,
) -> Plan {
    let mut plan = Plan::default();
    for secret in secrets {
        let due = bounds.and_then(|bounds| bounds.due(secret.id.made_at()));
        let Some(due) = due.filter(|due| due.retires_at <= now) else { continue };
        if secret.expires_at.is_some_and(|end| end <= due.retires_at) {
            continue;
        }
        let detail = format!("the secret {} was not rotated when it was due and has retired; rotate it", secret.hint);
        plan.tellings.push(Telling::of_secret(NoticeKind::SecretRetired, application, secret.id, detail));
        plan.retired.push((secret.clone(), due.retires_at));
    }
    let live = |secret: &&Secret| secret_end(secret, bounds).is_none_or(|end| end > now);
    if let Some(newest) = secrets.iter().rfind(live) {
        plan.tellings.extend(warnings(application, newest, bounds, now));
    }
    plan.tellings.retain(|telling| !telling.was_told(told));
    plan
}

/// What the owner is to be warned of: the newest live secret decides, since a rotation has settled what becomes of others.
fn warnings(application: &Application, newest: &Secret, bounds: Option<&Bounds>, now: Timestamp) -> Vec<Telling> {
    let mut found = Vec::new();
    let (made, of_application) = (newest.id.made_at(), application_end(application, bounds));
    if let Some(end) = of_application
        && let Some(days) = step(application.id.made_at(), end, now)
    {
        let detail = format!("the application stops at {end}; give it a later end, or replace it");
        found.push(Telling::new(NoticeKind::ApplicationExpiring, application, detail).due(end, days));
    }
    let ceiling = bounds.and_then(|bounds| bounds.secret_ceiling(made));
    let of_secret = earlier(newest.expires_at, ceiling);
    let due = bounds.and_then(|bounds| bounds.due(made));
    let before = |end: Timestamp, other: Option<Timestamp>| other.is_none_or(|other| end < other);
    if let Some(end) = of_secret
        && before(end, of_application)
        && due.is_none_or(|due| end < due.retires_at)
        && let Some(days) = step(made, end, now)
    {
        let detail = format!("the secret {} stops at {end}; rotate it", newest.hint);
        found.push(Telling::of_secret(NoticeKind::SecretExpiring, application, newest.id, detail).due(end, days));
    }
    if let Some(due) = due
        && before(due.retires_at, of_application)
        && of_secret.is_none_or(|end| due.retires_at <= end)
        && let Some(days) = if due.at <= now { Some(0) } else { step(made, due.at, now) }
    {
        let detail = format!(
            "the secret {} is due for rotation at {}; if it is not rotated, it retires at {}",
            newest.hint, due.at, due.retires_at
        );
        found.push(Telling::of_secret(NoticeKind::RotationDue, application, newest.id, detail).due(due.at, days));
    }
    found
}

#[cfg(test)]
mod tests;
