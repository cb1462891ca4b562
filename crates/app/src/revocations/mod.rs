//! The file of revocations: what was taken away from whom, kept beside the data and apart from the store, so that a backup
//! of the store that is put back cannot give it back unseen.
//!
//! Each line says how something stood after it was narrowed, at which revision. A line is on disk before the call that
//! narrowed is answered. The file is read at a start: a store that is not as far as the file is an old one.

mod book;
mod provider;
mod tenant;
mod user;

pub(crate) use book::{Book, Fact, Header, Limits, Line, Rule};
pub(crate) use provider::Provided;
pub(crate) use tenant::{TenantStanding, legacy_rules};
pub use user::PersonChange;

use crate::App;
use crate::live::record::Record;
use crate::unit::Effect;
use claviger_domain::application::Reach;
use claviger_domain::grants::{GrantSet, grants_to_json};
use claviger_domain::id::{BindingId, SecretId, TenantId};
use claviger_domain::network::Networks;
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use claviger_store::changes::shard_of;
use parking_lot::Mutex;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// The file of a server, if it keeps one.
#[derive(Debug, Default)]
pub(crate) struct Revocations {
    book: Option<Arc<Mutex<Book>>>,
    /// Lines on their way to the disk, which one write takes along.
    waiting: Mutex<Vec<Line>>,
    writing: tokio::sync::Mutex<()>,
}

impl Revocations {
    /// Opens the file of a server. Refused where the store is older than the file.
    pub(crate) fn open(path: Option<&Path>, store: &str, history: i64, revisions: &[(i64, i64)]) -> Result<Self> {
        let Some(path) = path else { return Ok(Self::default()) };
        let header = Header { store: store.to_owned(), history };
        let book = match Book::read(path)? {
            Some(book) if book.header.store != store => {
                // The directory served another store before: what is known of that one is kept.
                let other: String = book.header.store.chars().filter(char::is_ascii_alphanumeric).collect();
                let aside = path.with_extension(other);
                let moved = fs::rename(path, &aside);
                moved.map_err(|error| Error::Unavailable(format!("{}: {error}", aside.display())))?;
                Book::begin(path, header)?
            }
            Some(book) if book.is_ahead_of(history, revisions) => {
                let detail = "the store is older than what this server has seen of it, as after a restored backup: what was \
                    revoked since is not revoked in it. Stop every server of the store, and run claviger restore confirm \
                    on the data directory of each before it is started";
                return Err(Error::conflict("store_restored", detail));
            }
            Some(book) => book,
            None => Book::begin(path, header)?,
        };
        let book = Some(Arc::new(Mutex::new(book)));
        Ok(Self { book, ..Self::default() })
    }

    /// Whether anything is kept.
    fn is_kept(&self) -> bool {
        self.book.is_some()
    }

    fn known(&self, subject: (&'static str, u128)) -> Option<Line> {
        self.book.as_ref().and_then(|book| book.lock().lines.get(&subject).cloned())
    }

    /// Keeps lines; they are on disk when this returns.
    async fn keep(&self, lines: Vec<Line>) -> Result<()> {
        let Some(book) = &self.book else { return Ok(()) };
        if lines.is_empty() {
            return Ok(());
        }
        self.waiting.lock().extend(lines);
        let _writing = self.writing.lock().await;
        // Whoever wrote before has taken them along.
        let waiting = std::mem::take(&mut *self.waiting.lock());
        if waiting.is_empty() {
            return Ok(());
        }
        let book = Arc::clone(book);
        let written = tokio::task::spawn_blocking(move || book.lock().append(waiting)).await;
        written.map_err(|error| Error::Internal(error.to_string()))?
    }
}

/// How something stands in memory, as far as it can be narrowed.
#[derive(Debug, Default)]
pub(crate) enum Standing {
    /// It is not in memory.
    #[default]
    Unknown,
    Application(Box<ApplicationStanding>),
    AccessLevel(GrantSet),
    Tenant(TenantStanding),
    /// The signing keys that are accepted.
    SigningKeys(Vec<String>),
    /// The bindings of a trusted issuer.
    Issuer(Vec<BindingId>),
}

#[derive(Debug)]
pub(crate) struct ApplicationStanding {
    enabled: bool,
    secrets: Vec<(SecretId, i64)>,
    grants: GrantSet,
    networks: Option<Networks>,
    reach: Reach,
    expires_at: Option<Timestamp>,
}

impl ApplicationStanding {
    fn of(record: &Record) -> Self {
        Self {
            enabled: record.policy.enabled,
            secrets: record.live_secrets().map(|secret| (secret.id, secret.end.micros())).collect(),
            grants: record.policy.held.set(),
            networks: record.policy.networks.clone(),
            reach: record.policy.reach,
            expires_at: record.expires_at(),
        }
    }

    /// Whether `after` allows less than this did, apart from secrets and being enabled.
    fn is_narrowed_to(&self, after: &Self, app: &App) -> bool {
        let end = |at: Option<Timestamp>| at.map_or(i64::MAX, Timestamp::micros);
        after.grants.first_missing(&self.grants, &app.state.catalogue).is_some()
            || (self.networks != after.networks && after.networks.is_some())
            || (self.reach == Reach::Beneath && after.reach == Reach::Own)
            || end(after.expires_at) < end(self.expires_at)
    }

    fn loses_secrets_in(&self, after: &Self) -> bool {
        let lost = |(id, end): &(SecretId, i64)| !after.secrets.iter().any(|(kept, until)| kept == id && until >= end);
        self.secrets.iter().any(lost)
    }
}

impl App {
    /// How what a change is about stands in memory.
    pub(crate) fn standing(&self, effect: Effect) -> Standing {
        let state = &self.state;
        if !state.revocations.is_kept() {
            return Standing::Unknown;
        }
        let found = match effect {
            Effect::Application(_, id) => state
                .keyring
                .with_application(id, |record| Standing::Application(Box::new(ApplicationStanding::of(record)))),
            Effect::Level(_, id) => state.levels.grants(id).map(Standing::AccessLevel),
            Effect::Tenant(id) => state.tree.find(id).map(|node| Standing::Tenant(TenantStanding::of(&node))),
            Effect::SigningKeys => Some(Standing::SigningKeys(state.tokens.keys.not_revoked())),
            Effect::Issuer(_, id) => state
                .issuers
                .get(id)
                .map(|live| Standing::Issuer(live.issuer.bindings.iter().map(|binding| binding.id).collect())),
            // Kept however they stood.
            Effect::TokenRules(_)
            | Effect::RevokedToken(..)
            | Effect::SignIn(..)
            | Effect::Usage(_)
            | Effect::User(..)
            | Effect::Provider(..) => None,
        };
        found.unwrap_or_default()
    }

    /// Keeps what a change has narrowed, given how it stood before. What is in the file already is kept up to date.
    pub(crate) async fn note(&self, changes: Vec<(Effect, Standing, i64, i64)>) {
        if !self.state.revocations.is_kept() {
            return;
        }
        let mut lines = Vec::with_capacity(changes.len());
        for (effect, before, shard, revision) in changes {
            lines.extend(match effect {
                Effect::User(tenant, id, change) => Some(self.user_line((tenant, id), change, shard, revision).await),
                Effect::Provider(tenant, id) => Some(self.provider_line((tenant, id), shard, revision).await),
                _ => self.line(effect, &before, shard, revision),
            });
        }
        if let Err(error) = self.state.revocations.keep(lines).await {
            tracing::error!(%error, "a revocation could not be kept beside the store: a restored backup could revive it");
        }
    }

    fn line(&self, effect: Effect, before: &Standing, shard: i64, revision: i64) -> Option<Line> {
        let after = self.standing(effect);
        let fact = match effect {
            Effect::Application(tenant, id) => {
                let known = self.state.revocations.known(("application", id.as_u128())).map(|line| line.fact);
                let was = match before {
                    Standing::Application(was) => Some(was),
                    _ => None,
                };
                let now = match &after {
                    Standing::Application(now) => Some(now),
                    _ => None,
                };
                let (narrowed, loses) = match (was, now) {
                    (None, None) => (false, known.is_none()),
                    (None, Some(_)) => (false, !self.state.keyring.is_complete()),
                    (Some(_), None) => (false, true),
                    (Some(was), Some(now)) => {
                        let loses = was.loses_secrets_in(now) || (was.enabled && !now.enabled);
                        (was.is_narrowed_to(now, self), loses)
                    }
                };
                if !narrowed && !loses && known.is_none() {
                    return None;
                }
                let earlier = match known {
                    Some(Fact::Application { narrowed, .. }) => narrowed,
                    _ => None,
                };
                Fact::Application {
                    tenant,
                    id,
                    enabled: now.is_some_and(|now| now.enabled),
                    secrets: now.map(|now| now.secrets.clone()).unwrap_or_default(),
                    narrowed: if narrowed { Some(revision) } else { earlier },
                }
            }
            Effect::Level(tenant, id) => {
                let grants = match after {
                    Standing::AccessLevel(grants) => grants,
                    _ => GrantSet::default(),
                };
                let narrowed = match before {
                    Standing::AccessLevel(was) => grants.first_missing(was, &self.state.catalogue).is_some(),
                    // It is one that no application in memory has: people may hold it, and nobody knows what it was.
                    _ => true,
                };
                if !narrowed && self.state.revocations.known(("access_level", id.as_u128())).is_none() {
                    return None;
                }
                Fact::AccessLevel { tenant, id, grants: grants_to_json(&grants.to_grants(&self.state.catalogue)) }
            }
            Effect::Tenant(id) => {
                let Standing::Tenant(now) = after else { return None };
                let was = match before {
                    Standing::Tenant(was) => Some(was),
                    _ => None,
                };
                if !now.says_something(was) && self.state.revocations.known(("tenant", id.as_u128())).is_none() {
                    return None;
                }
                now.fact(id)
            }
            Effect::TokenRules(tenant) | Effect::RevokedToken(tenant, _) | Effect::SignIn(tenant, _) => {
                Fact::Tokens { tenant, lifetime: self.state.tokens.rules.lifetime_of(tenant) }
            }
            Effect::Usage(_) | Effect::User(..) | Effect::Provider(..) => return None,
            Effect::SigningKeys => {
                let (Standing::SigningKeys(was), Standing::SigningKeys(now)) = (before, &after) else { return None };
                if was.iter().all(|kid| now.contains(kid)) {
                    return None;
                }
                Fact::SigningKeys
            }
            Effect::Issuer(tenant, id) => {
                let of = |standing| match standing {
                    Standing::Issuer(bindings) => bindings,
                    _ => Vec::new(),
                };
                let now = of(after);
                let loses = matches!(before, Standing::Issuer(was) if was.iter().any(|binding| !now.contains(binding)));
                if !loses && self.state.revocations.known(("trusted_issuer", id.as_u128())).is_none() {
                    return None;
                }
                Fact::TrustedIssuer { tenant, id, bindings: now }
            }
        };
        Some(Line { shard, revision, fact })
    }

    /// The changes of a unit of this server, with their places in the feed: to be noted once they are in memory.
    pub(crate) fn numbered(
        tenant: TenantId,
        last: i64,
        effects: &[Effect],
        before: Vec<Standing>,
    ) -> Vec<(Effect, Standing, i64, i64)> {
        let count = i64::try_from(effects.len()).unwrap_or(i64::MAX);
        let shard = shard_of(tenant);
        let numbered = effects.iter().zip(before).zip(last - count + 1..);
        numbered.map(|((effect, before), revision)| (*effect, before, shard, revision)).collect()
    }
}
