//! What of a tenant a restored backup could give back: being served, what its policy and its rules end, and what it asks of its people.

use super::book::{Fact, Limits, Rule};
use crate::live::tree::TenantNode;
use claviger_domain::credential_policy::{CredentialPolicy, StaticSecrets, StoredPolicy};
use claviger_domain::id::TenantId;
use claviger_domain::key_type::{LegacyRule, LegacyRules, LegacyType};
use claviger_domain::tenant::details::MfaRequirement;
use claviger_domain::time::Timestamp;

/// How a tenant stands in memory.
#[derive(Debug)]
pub(crate) struct TenantStanding {
    suspended: bool,
    limits: Limits,
    legacy: LegacyRules,
    mfa: MfaRequirement,
}

impl TenantStanding {
    pub(super) fn of(node: &TenantNode) -> Self {
        let (policy, legacy) = node.said();
        let limits = policy.map(|policy| Limits::of(&policy)).unwrap_or_default();
        Self { suspended: node.is_suspended_itself(), limits, legacy, mfa: node.own_mfa() }
    }

    /// Whether it is to be kept that it stands so, given how it stood before; none where it was not in memory.
    pub(super) fn says_something(&self, before: Option<&Self>) -> bool {
        let (limits, legacy) = before.map_or_else(Default::default, |before| (before.limits, before.legacy));
        let mfa = before.map_or(MfaRequirement::None, |before| before.mfa);
        self.suspended || self.mfa > mfa || (self.limits, self.legacy) != (limits, legacy)
    }

    pub(super) fn fact(&self, id: TenantId) -> Fact {
        let rule = |kind: LegacyType| {
            let LegacyRule { allowed, sunset, since } = self.legacy.get(kind)?;
            let (sunset, since) = (sunset.map(Timestamp::micros), since.micros());
            Some(Rule { key_type: kind.as_str().to_owned(), allowed, sunset, since })
        };
        let legacy = LegacyType::ALL.into_iter().filter_map(rule).collect();
        let mfa = Some(self.mfa.as_str().to_owned());
        Fact::Tenant { id, suspended: self.suspended, limits: Some(self.limits), legacy: Some(legacy), mfa }
    }
}

impl Limits {
    pub(crate) fn of(policy: &StoredPolicy) -> Self {
        let CredentialPolicy {
            max_application_lifetime_seconds: application,
            max_secret_lifetime_seconds: secret,
            rotate_every_days: rotate,
            rotation_overlap_seconds: overlap,
            static_secrets,
            ..
        } = policy.own;
        let since = policy.rotation_since.map(Timestamp::micros);
        let forbids_secrets = static_secrets == Some(StaticSecrets::Forbidden);
        Self { application, secret, rotate, overlap, since, forbids_secrets }
    }

    /// The policy with these limits, at its next version.
    pub(crate) fn put_into(self, mut policy: StoredPolicy) -> StoredPolicy {
        policy.own.max_application_lifetime_seconds = self.application;
        policy.own.max_secret_lifetime_seconds = self.secret;
        policy.own.rotate_every_days = self.rotate;
        policy.own.rotation_overlap_seconds = self.overlap;
        policy.own.static_secrets = match (self.forbids_secrets, policy.own.static_secrets) {
            (true, _) => Some(StaticSecrets::Forbidden),
            (false, Some(StaticSecrets::Forbidden)) => None,
            (false, said) => said,
        };
        policy.rotation_since = self.since.map(Timestamp::from_micros);
        policy.version += 1;
        policy
    }
}

/// The rules that a file has kept.
pub(crate) fn legacy_rules(kept: &[Rule]) -> LegacyRules {
    kept.iter().fold(LegacyRules::default(), |rules, rule| match LegacyType::parse(&rule.key_type) {
        Some(kind) => {
            let (sunset, since) = (rule.sunset.map(Timestamp::from_micros), Timestamp::from_micros(rule.since));
            rules.with(kind, Some(LegacyRule { allowed: rule.allowed, sunset, since }))
        }
        None => rules,
    })
}
