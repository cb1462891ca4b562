//! What of a person a restored backup could give back: getting in, rights, and what proves who somebody is.
//!
//! Nobody's standing is in memory, so a change says itself what it was, also in the feed, where other nodes hear of it.

use super::book::{Fact, Line};
use crate::App;
use crate::unit::{Effect, Unit};
use claviger_domain::application::Reach;
use claviger_domain::id::{TenantId, UserId};
use claviger_domain::user::{Status, User};

/// What has changed about a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PersonChange {
    /// Whether it may sign in: it was disabled, deleted or enabled.
    Standing,
    /// It has lost something that it may do, or by which it shows who it is, but for its password.
    Narrowed,
    /// Its password is another one, or has to be.
    Password,
}

impl PersonChange {
    const ALL: [Self; 3] = [Self::Standing, Self::Narrowed, Self::Password];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Standing => "standing",
            Self::Narrowed => "narrowed",
            Self::Password => "password",
        }
    }

    /// What the feed calls it.
    pub(crate) fn subject(self, id: UserId) -> String {
        format!("{id} {}", self.as_str())
    }

    /// Reads that.
    pub(crate) fn parse(subject: &str) -> Option<(UserId, Self)> {
        let (id, word) = subject.split_once(' ')?;
        Some((UserId::parse(id)?, Self::ALL.into_iter().find(|one| one.as_str() == word)?))
    }
}

impl App {
    /// What is kept of a change of a person.
    pub(super) async fn user_line(
        &self,
        (tenant, id): (TenantId, UserId),
        change: PersonChange,
        shard: i64,
        revision: i64,
    ) -> Line {
        let active = match self.state.store.find_user(tenant, id).await {
            Ok(user) => user.is_some_and(|user| user.status != Status::Disabled),
            Err(error) => {
                tracing::error!(%error, "a user could not be read; after a restored backup it would be disabled");
                false
            }
        };
        let at = |kind| (change == kind).then_some(revision);
        let (narrowed, password) = (at(PersonChange::Narrowed), at(PersonChange::Password));
        Line { shard, revision, fact: Fact::User { tenant, id, active, narrowed, password } }
    }
}

impl Unit {
    /// Says what a change takes from a user, if it takes something, or gives back.
    pub(crate) fn narrows_user(&mut self, before: &User, after: &User) {
        for change in changes(before, after) {
            self.affects(Effect::User(after.tenant_id, after.id, change));
        }
    }
}

/// What is to be kept of a change of a user.
fn changes(before: &User, after: &User) -> Vec<PersonChange> {
    let lost = before.roles.iter().any(|role| !after.roles.contains(role))
        || (before.reach == Reach::Beneath && after.reach == Reach::Own)
        || before.email != after.email;
    let turned = (before.status == Status::Disabled) != (after.status == Status::Disabled);
    let mut found = Vec::new();
    found.extend(turned.then_some(PersonChange::Standing));
    found.extend(lost.then_some(PersonChange::Narrowed));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_feed_says_is_read_again() {
        let id = UserId::from_u128(7);
        for change in PersonChange::ALL {
            assert_eq!(PersonChange::parse(&change.subject(id)), Some((id, change)));
        }
        for other in ["", "x standing", &id.to_string(), &format!("{id} "), &format!("{id} other")] {
            assert_eq!(PersonChange::parse(other), None, "{other}");
        }
    }
}
