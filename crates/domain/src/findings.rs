//! Findings: what about an application could be less, older or better known than it is, each with the one call that mends it.
//!
//! Pure rules over what the store knows of one application. Nothing that came about fewer days ago than a rule asks for is
//! held against anybody: neither a new application, nor a new secret, nor rights or networks given lately.

use crate::application::{Application, Secret};
use crate::grants::{Grants, Verb, Verbs};
use crate::id::{ApplicationId, SecretId};
use crate::network::Network;
use crate::rotation::is_live;
use crate::time::Timestamp;
use crate::{Error, Result};
use std::collections::BTreeMap;

/// Days without a call after which something counts as unused, unless said otherwise.
pub const DAYS_DEFAULT: i64 = 90;
/// Most days that can be asked for; what is kept reaches further back than that.
pub const DAYS_MAX: i64 = 365;
/// Days until the end that the remedy of a missing end proposes.
pub const EXPIRY_DAYS: i64 = 365;
const DAY: i64 = 86_400;

/// What is found, in the order in which an application's findings are listed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// Nobody calls with the application.
    ApplicationUnused,
    /// Nobody calls with the secret.
    SecretUnused,
    /// It holds rights that it does not use.
    PermissionUnused,
    /// Networks are allowed from which no call comes.
    NetworkNeverSeen,
    /// It has no end, nor has its secret.
    NoExpiry,
    /// Nobody answers for it.
    NoOwner,
    /// Its rights come from the type of its key.
    LegacyKeyType,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::ApplicationUnused,
        Self::SecretUnused,
        Self::PermissionUnused,
        Self::NetworkNeverSeen,
        Self::NoExpiry,
        Self::NoOwner,
        Self::LegacyKeyType,
    ];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApplicationUnused => "application_unused",
            Self::SecretUnused => "secret_unused",
            Self::PermissionUnused => "permission_unused",
            Self::NetworkNeverSeen => "network_never_seen",
            Self::NoExpiry => "no_expiry",
            Self::NoOwner => "no_owner",
            Self::LegacyKeyType => "legacy_key_type",
        }
    }

    /// The kind that a word names.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The one call that mends a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Disable the application.
    Disable,
    /// Revoke the secret.
    RevokeSecret(SecretId),
    /// Take away the rights that were not used in so many days.
    Shrink(i64),
    /// Allow these networks only.
    KeepNetworks(Vec<Network>),
    /// Give it an end.
    End(Timestamp),
    /// Name its owner; whom, the caller has to fill in.
    NameOwner,
    /// Migrate it to a level of the same rights.
    Migrate,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is found.
    pub kind: Kind,
    /// The application.
    pub application: ApplicationId,
    /// Its name.
    pub name: String,
    /// The secret, rights or networks it is about, where it is not about the application as a whole.
    pub subjects: Vec<String>,
    /// The same in a sentence.
    pub detail: String,
    /// Since when it has been so.
    pub since: Timestamp,
    /// What mends it.
    pub remedy: Remedy,
}

impl Finding {
    /// Where it stands in the list: what a page goes on after.
    pub fn position(&self) -> String {
        let rank = Kind::ALL.iter().position(|kind| *kind == self.kind).unwrap_or_default();
        let secret = match &self.remedy {
            Remedy::RevokeSecret(id) => id.to_string(),
            _ => String::new(),
        };
        format!("{}|{rank}|{secret}", self.application)
    }
}

/// How many days without use are too many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience {
    /// For applications and their secrets.
    pub unused_days: i64,
    /// For rights and networks.
    pub held_days: i64,
}

/// Accepts a number of days at `pointer`.
pub fn parse_days(pointer: &str, days: i64) -> Result<i64> {
    if (1..=DAYS_MAX).contains(&days) {
        return Ok(days);
    }
    Err(Error::invalid(pointer, format!("{days} days"), format!("give 1 to {DAYS_MAX}")))
}

/// What is known of one application.
#[derive(Clone, Debug)]
pub struct Look {
    /// The application.
    pub application: Application,
    /// The grants it holds, from its level or of its own.
    pub grants: Grants,
    /// Since when it has held just these.
    pub rights_since: Timestamp,
    /// Since when its list of networks has been what it is.
    pub networks_since: Timestamp,
    /// Its secrets, oldest first.
    pub secrets: Vec<Secret>,
    /// When each right was used last, by name of the right.
    pub rights: BTreeMap<String, Timestamp>,
    /// The narrowest allowed networks out of which calls came, and when last.
    pub networks: Vec<(Network, Timestamp)>,
}

/// The moment so many days ago.
pub const fn days_ago(now: Timestamp, days: i64) -> Timestamp {
    now.plus_seconds(-days * DAY)
}

impl Look {
    /// When somebody last called with the application, as far as that is known.
    fn last_use(&self) -> Option<Timestamp> {
        let secrets = self.secrets.iter().filter_map(|secret| Some(secret.last_use.as_ref()?.at));
        secrets.chain(self.rights.values().copied()).max()
    }

    fn is_resting(&self, now: Timestamp) -> bool {
        !self.application.enabled || self.application.ends_at.is_some_and(|end| end <= now)
    }

    fn finding(&self, kind: Kind, since: Timestamp, remedy: Remedy, detail: String) -> Finding {
        let (application, name) = (self.application.id, self.application.name.clone());
        Finding { kind, application, name, subjects: Vec::new(), detail, since, remedy }
    }

    /// Everything found, in the order of [`Finding::position`]. A further rule is a further line here.
    pub fn findings(&self, patience: Patience, now: Timestamp) -> Vec<Finding> {
        let mut found = Vec::new();
        if !self.is_resting(now) {
            found.extend(self.unused(patience.unused_days, now));
            found.extend(self.unused_secrets(patience.unused_days, now));
            found.extend(self.unused_rights(patience.held_days, now));
            found.extend(self.unseen_networks(patience.held_days, now));
        }
        found.extend(self.no_expiry(now));
        found.extend(self.no_owner());
        found.extend(self.legacy_key_type());
        found
    }

    fn unused(&self, days: i64, now: Timestamp) -> Option<Finding> {
        let begun = self.secrets.iter().map(|secret| secret.created_at).fold(self.application.created_at, Ord::max);
        let last = self.last_use();
        let since = last.map_or(begun, |last| last.max(begun));
        if since > days_ago(now, days) {
            return None;
        }
        let detail = match last {
            None => format!("nobody has called with it since it was made at {}", self.application.created_at),
            Some(last) => format!("nobody has called with it since {last}"),
        };
        Some(self.finding(Kind::ApplicationUnused, since, Remedy::Disable, detail))
    }

    /// The only secret, once used, is unused where the application is.
    fn unused_secrets(&self, days: i64, now: Timestamp) -> Vec<Finding> {
        let live: Vec<_> = self.secrets.iter().filter(|secret| is_live(secret, now)).collect();
        let candidates = live.iter().filter(|secret| secret.last_use.is_none() || live.len() > 1);
        let find = |secret: &&&Secret| {
            let last = secret.last_use.as_ref().map(|last| last.at);
            let since = last.unwrap_or(secret.created_at);
            if since > days_ago(now, days) {
                return None;
            }
            let detail = match last {
                None => format!("nobody has ever called with {}, made at {since}", secret.hint),
                Some(_) => format!("nobody has called with {} since {since}", secret.hint),
            };
            let subjects = vec![secret.id.to_string()];
            let found = self.finding(Kind::SecretUnused, since, Remedy::RevokeSecret(secret.id), detail);
            Some(Finding { subjects, ..found })
        };
        candidates.filter_map(|secret| find(&secret)).collect()
    }

    /// The grants that it holds and has not used in so many days.
    pub fn unused_grants(&self, days: i64, now: Timestamp) -> Grants {
        let since = days_ago(now, days);
        let is_idle = |name: &str, verb: Verb| {
            self.rights.get(&format!("{name}:{}", verb.as_str())).is_none_or(|last| *last <= since)
        };
        let idle = |(name, verbs): (&String, &Verbs)| {
            let idle: Verbs = verbs.iter().filter(|verb| is_idle(name, *verb)).collect();
            (!idle.is_empty()).then(|| (name.clone(), idle))
        };
        self.grants.iter().filter_map(idle).collect()
    }

    /// Rights of an application that nobody uses at all are not worth a finding of their own.
    fn unused_rights(&self, days: i64, now: Timestamp) -> Option<Finding> {
        let since = days_ago(now, days);
        let unused = self.unused_grants(days, now);
        let in_use = self.last_use().is_some_and(|last| last > since);
        let is_fixed = self.application.rights.legacy().is_some();
        if unused.is_empty() || !in_use || is_fixed || self.rights_since > since {
            return None;
        }
        let subjects = spell(&unused);
        let last = subjects.iter().filter_map(|right| self.rights.get(right)).max();
        let since = last.map_or(self.rights_since, |last| self.rights_since.max(*last));
        let detail =
            format!("it holds {} that it has not used in {days} days: {}", count(&subjects, "right"), few(&subjects));
        let found = self.finding(Kind::PermissionUnused, since, Remedy::Shrink(days), detail);
        Some(Finding { subjects, ..found })
    }

    /// Told only where calls come from another network of the list: a list without any is for an application unused.
    fn unseen_networks(&self, days: i64, now: Timestamp) -> Option<Finding> {
        let since = days_ago(now, days);
        let listed = self.application.allowed_networks.as_deref()?;
        let addresses =
            self.secrets.iter().filter_map(|secret| secret.last_use.as_ref()).filter(|last| last.at > since);
        let addresses: Vec<_> = addresses.filter_map(|last| last.address).collect();
        let is_seen = |network: &Network| {
            let called = |(seen, at): &(Network, Timestamp)| *at > since && network.covers(seen);
            self.networks.iter().any(called) || addresses.iter().any(|address| network.contains(*address))
        };
        let (seen, unseen): (Vec<_>, Vec<_>) = listed.iter().copied().partition(is_seen);
        if seen.is_empty() || unseen.is_empty() || self.networks_since > since {
            return None;
        }
        let subjects: Vec<_> = unseen.iter().map(ToString::to_string).collect();
        let detail = format!(
            "no call has come from {} of its list in {days} days: {}",
            count(&subjects, "network"),
            few(&subjects)
        );
        let found = self.finding(Kind::NetworkNeverSeen, self.networks_since, Remedy::KeepNetworks(seen), detail);
        Some(Finding { subjects, ..found })
    }

    fn no_expiry(&self, now: Timestamp) -> Option<Finding> {
        let endless = self.application.ends_at.is_none()
            && self.secrets.iter().any(|secret| is_live(secret, now) && secret.ends_at.is_none());
        let end = days_ago(now, -EXPIRY_DAYS).minute();
        endless.then(|| {
            let detail = "neither the application nor its secret has an end".to_owned();
            self.finding(Kind::NoExpiry, self.application.created_at, Remedy::End(end), detail)
        })
    }

    fn no_owner(&self) -> Option<Finding> {
        self.application.owner.is_none().then(|| {
            let detail = "nobody is named who answers for it".to_owned();
            self.finding(Kind::NoOwner, self.application.created_at, Remedy::NameOwner, detail)
        })
    }

    fn legacy_key_type(&self) -> Option<Finding> {
        self.application.rights.legacy().map(|kind| {
            let detail = format!("its rights come from the legacy key type {}, which has a sunset", kind.as_str());
            self.finding(Kind::LegacyKeyType, self.application.created_at, Remedy::Migrate, detail)
        })
    }
}

/// The rights of grants, as `name:VERB`.
pub fn spell(grants: &Grants) -> Vec<String> {
    let rights = grants.iter().flat_map(|(name, verbs)| verbs.iter().map(move |verb| (name, verb)));
    rights.map(|(name, verb)| format!("{name}:{}", verb.as_str())).collect()
}

/// What is left of `held` without `dropped`.
pub fn narrowed(held: &Grants, dropped: &Grants) -> Grants {
    let left = |(name, verbs): (&String, &Verbs)| {
        let left = verbs.without(dropped.get(name).copied().unwrap_or(Verbs::NONE));
        (!left.is_empty()).then(|| (name.clone(), left))
    };
    held.iter().filter_map(left).collect()
}

fn count(items: &[String], noun: &str) -> String {
    format!("{} {noun}{}", items.len(), if items.len() == 1 { "" } else { "s" })
}

fn few(items: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = items.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if items.len() > SHOWN { format!("{shown}, …") } else { shown }
}

#[cfg(test)]
mod tests;
