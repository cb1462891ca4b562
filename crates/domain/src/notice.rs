//! Notices: what the owner of an application is told, as the journal and the API have it.

use crate::application::Application;
use crate::id::{ApplicationId, NoticeId, SecretId};
use crate::time::Timestamp;
use std::collections::BTreeSet;

/// Days for which a notice is kept.
pub const KEPT_DAYS: i64 = 400;

/// What a notice is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum NoticeKind {
    /// An application stops soon.
    ApplicationExpiring,
    /// A secret stops soon.
    SecretExpiring,
    /// A secret is to be rotated.
    RotationDue,
    /// A secret was not rotated in time and works no longer.
    SecretRetired,
    /// A secret was found where it must not be.
    SecretLeaked,
    /// The application is of a legacy type that stops.
    KeyTypeSunset,
}

impl NoticeKind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::ApplicationExpiring,
        Self::SecretExpiring,
        Self::RotationDue,
        Self::SecretRetired,
        Self::SecretLeaked,
        Self::KeyTypeSunset,
    ];

    /// The word on the wire, in the store and in the journal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApplicationExpiring => "application.expiring",
            Self::SecretExpiring => "secret.expiring",
            Self::RotationDue => "secret.rotation_due",
            Self::SecretRetired => "secret.retired",
            Self::SecretLeaked => "secret.leaked",
            Self::KeyTypeSunset => "key_type.sunset",
        }
    }

    /// The kind that a word names.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Something that is to be told: once, however often it is said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Telling {
    /// What it is about.
    pub kind: NoticeKind,
    /// The application.
    pub application_id: ApplicationId,
    /// Its name.
    pub application_name: String,
    /// Whoever answers for it.
    pub owner: Option<String>,
    /// The secret, if it is about one.
    pub secret_id: Option<SecretId>,
    /// What it is and what to do, in a sentence.
    pub detail: String,
    /// When what it is about happens, if that lies ahead.
    pub due_at: Option<Timestamp>,
    /// Days ahead at which it is told.
    pub step: Option<i64>,
}

impl Telling {
    /// Something about an application.
    pub fn new(kind: NoticeKind, application: &Application, detail: String) -> Self {
        Self {
            kind,
            application_id: application.id,
            application_name: application.name.clone(),
            owner: application.owner.clone(),
            secret_id: None,
            detail,
            due_at: None,
            step: None,
        }
    }

    /// Something about one of its secrets.
    pub fn of_secret(kind: NoticeKind, application: &Application, secret: SecretId, detail: String) -> Self {
        Self { secret_id: Some(secret), ..Self::new(kind, application, detail) }
    }

    /// The same, about what happens at `at` and is told `step` days ahead.
    #[must_use]
    pub fn due(self, at: Timestamp, step: i64) -> Self {
        Self { due_at: Some(at), step: Some(step), ..self }
    }

    /// What is told once: two tellings of an application with the same key are one.
    pub fn key(&self) -> String {
        self.key_at(self.step)
    }

    fn key_at(&self, step: Option<i64>) -> String {
        let secret = self.secret_id.map(|id| id.to_string()).unwrap_or_default();
        let due = self.due_at.map(|at| at.to_string()).unwrap_or_default();
        let step = step.map(|days| days.to_string()).unwrap_or_default();
        format!("{}/{secret}/{due}/{step}", self.kind.as_str())
    }

    /// Whether it has been told, or something nearer of the same.
    pub fn was_told(&self, told: &BTreeSet<String>) -> bool {
        match self.step {
            None => told.contains(&self.key()),
            Some(step) => (0..=step).any(|nearer| told.contains(&self.key_at(Some(nearer)))),
        }
    }
}

/// A notice as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// Id.
    pub id: NoticeId,
    /// What it tells.
    pub telling: Telling,
    /// When it was told.
    pub created_at: Timestamp,
    /// When somebody put it away, and who.
    pub dismissed: Option<Dismissal>,
}

/// Who put a notice away, and when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dismissal {
    /// When.
    pub at: Timestamp,
    /// Client id.
    pub by: String,
}

/// What narrows a list of notices.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NoticeFilter {
    /// Only of this kind.
    pub kind: Option<NoticeKind>,
    /// Only about this application.
    pub application_id: Option<ApplicationId>,
    /// Also those that somebody put away.
    pub dismissed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_words_of_their_own() {
        for kind in NoticeKind::ALL {
            assert_eq!(NoticeKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(NoticeKind::parse("secret.lost"), None);
    }
}
