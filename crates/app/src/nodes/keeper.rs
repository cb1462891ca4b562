//! Keeping the lease: look what has changed, apply it, confirm; each 150 ms, or sooner when another node says so.

use super::{LEASE, MARGIN, OFFSET_MAX, Seen};
use crate::App;
use crate::revocations::PersonChange;
use crate::unit::Effect;
use claviger_domain::id::{AccessLevelId, ApplicationId, IssuerId, ProviderId, SignInId, TenantId, TokenId};
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use claviger_store::Store;
use claviger_store::changes::{Change, ChangeKind};
use claviger_store::nodes::Hint;
use futures_util::TryStreamExt as _;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How often it is looked what has changed, hint or not.
const LOOK_EACH: Duration = Duration::from_millis(150);
/// How often a lease is renewed when nothing has changed.
const RENEW_EACH: Duration = Duration::from_millis(500);
/// How long one look may take, with everything that follows from it.
const PATIENCE: Duration = Duration::from_secs(3);
/// How soon it is tried again to hear hints.
const LISTEN_AGAIN: Duration = Duration::from_millis(500);
/// Microseconds that asking the database for its time may take.
const ROUND_TRIP_MAX: i64 = 500_000;
/// Beyond so many changes at once everything is forgotten and read when it is asked for.
const FOLLOW_MAX: usize = 5_000;
/// Changes that are read back at the same time.
const FOLLOW_AT_ONCE: usize = 8;
/// Changes that are followed before it is noted that they are.
const FOLLOW_STEP: usize = 256;
/// Looks at a start until it is given up.
const TRIES: usize = 20;

const CLOCK: &str =
    "the clock of this machine differs from the database's by more than 30 seconds; every call is refused";
const RESTORED: &str = "the store is older than what this server has seen of it, as after a restored backup; stop the server and \
    run claviger restore confirm; every call is refused";

impl App {
    /// Gets the first lease, and goes on keeping it beside everything else for as long as the app lives.
    pub(crate) async fn join(self: &Arc<Self>) -> Result<()> {
        let nodes = &self.state.nodes;
        if !nodes.shared {
            return Ok(());
        }
        let link = self.state.store.beside();
        let mut tries = 0;
        while let Err(error) = self.look(&link).await {
            tries += 1;
            if tries == TRIES {
                return Err(error);
            }
            sleep(LOOK_EACH).await;
        }
        self.take_charge(&link).await?;
        tokio::spawn(super::charge::keep(Arc::downgrade(self), link.clone()));
        tokio::spawn(super::rates::share(Arc::downgrade(self), link.clone()));
        tokio::spawn(super::confirmations::watch(Arc::downgrade(self), self.state.store.beside()));
        tokio::spawn(keep(Arc::downgrade(self), link));
        tokio::spawn(listen(Arc::downgrade(self)));
        Ok(())
    }

    /// Looks what has changed, applies it, and renews the lease by confirming that.
    async fn look(self: &Arc<Self>, link: &Store) -> Result<()> {
        let nodes = &self.state.nodes;
        let boot = || self.state.clock.boot(self.state.clock.monotonic());
        let sent = boot();
        let (history, revisions) = link.look().await?;
        if !self.is_same_store(history, &revisions) {
            nodes.refuse(RESTORED);
            return Ok(());
        }
        self.follow(link, &revisions).await?;
        let sum = revisions.iter().map(|(_, revision)| revision).sum();
        let due = match nodes.followed.lock().confirmed {
            Some((confirmed, at)) => confirmed != sum || sent.saturating_sub(at) >= nanos(RENEW_EACH),
            None => true,
        };
        if !due {
            return Ok(());
        }
        let database = self.compare_clocks(link).await?;
        let offset = nodes.offset.load(Ordering::Relaxed);
        let changed = nodes.followed.lock().confirmed.is_none_or(|(confirmed, _)| confirmed != sum);
        if !link.renew_node(&nodes.identity.id, nodes.run, sum, database, offset).await? {
            // Shut out: a lease that ran out was waited for. What has been applied since stays applied.
            nodes.followed.lock().confirmed = None;
            link.register_node(&nodes.row(database)).await?;
            nodes.changed.notify_one();
            return Err(Error::Unavailable("this node was shut out because its lease had run out".into()));
        }
        nodes.followed.lock().confirmed = Some((sum, sent));
        if offset.abs() > OFFSET_MAX {
            nodes.refuse(CLOCK);
        } else {
            nodes.grant(sent.saturating_add(nanos(LEASE)));
        }
        if changed {
            link.hint(Hint::Confirmed).await?;
        }
        self.look_after_others(link).await
    }

    /// Whether the store has gone on from where it was seen last.
    fn is_same_store(&self, history: i64, revisions: &[(i64, i64)]) -> bool {
        let followed = self.state.nodes.followed.lock();
        let known = |shard: i64| followed.revisions.get(&shard).copied().unwrap_or(0);
        history == followed.history && revisions.iter().all(|(shard, revision)| *revision >= known(*shard))
    }

    async fn compare_clocks(&self, link: &Store) -> Result<Timestamp> {
        let clock = &self.state.clock;
        let before = clock.now();
        let database = link.database_time().await?;
        let took = clock.now().micros() - before.micros();
        let here = Timestamp::from_micros(before.micros() + took / 2);
        // An answer that was long under way says little of the moment at which the database read its clock.
        if took <= ROUND_TRIP_MAX || self.state.nodes.followed.lock().confirmed.is_none() {
            self.state.nodes.offset.store(clock.offset_from(database, here), Ordering::Relaxed);
        }
        Ok(database)
    }

    /// Applies everything up to these revisions.
    async fn follow(self: &Arc<Self>, link: &Store, revisions: &[(i64, i64)]) -> Result<()> {
        let nodes = &self.state.nodes;
        let behind: Vec<_> = {
            let followed = nodes.followed.lock();
            let known = |shard: i64| followed.revisions.get(&shard).copied().unwrap_or(0);
            let behind = revisions.iter().map(|(shard, revision)| (*shard, known(*shard), *revision));
            behind.filter(|(_, known, revision)| known < revision).collect()
        };
        if behind.is_empty() {
            return Ok(());
        }
        let own = nodes.followed.lock().own.clone();
        let (mut effects, mut seen, mut gap) = (Vec::new(), HashMap::new(), false);
        for (shard, known, revision) in &behind {
            let changes = link.read_changes(*shard, *known).await?;
            let mut next = known + 1;
            for (number, tenant, change) in changes.into_iter().filter(|(number, ..)| number <= revision) {
                gap |= number != next;
                next = number + 1;
                let effect = effect(tenant, &change)?;
                if own.contains(&(*shard, number)) {
                    continue;
                }
                // What is read back holds all changes of a thing up to the last.
                let place = *seen.entry(effect).or_insert(effects.len());
                match effects.get_mut(place) {
                    Some(known) => *known = (*shard, number, effect),
                    None => effects.push((*shard, number, effect)),
                }
            }
            gap |= next != revision + 1;
        }
        if gap || effects.len() > FOLLOW_MAX {
            self.read_everything_again().await?;
        } else {
            // Tenants first: what belongs to a new one is served beneath it.
            effects.sort_by_key(|(.., effect)| !matches!(effect, Effect::Tenant(_)));
            let tenants = effects.iter().take_while(|(.., effect)| matches!(effect, Effect::Tenant(_))).count();
            let (tenants, rest) = effects.split_at_checked(tenants).unwrap_or_default();
            for some in [tenants, rest] {
                for step in some.chunks(FOLLOW_STEP) {
                    self.follow_step(step).await?;
                }
            }
        }
        let mut followed = nodes.followed.lock();
        for (shard, _, revision) in behind {
            followed.revisions.insert(shard, revision);
        }
        let reached: HashMap<_, _> = followed.revisions.clone();
        followed.own.retain(|(shard, revision)| reached.get(shard).is_none_or(|reached| revision > reached));
        Ok(())
    }

    /// Applies some changes. They need not be followed again, also where time is up before the others are.
    async fn follow_step(self: &Arc<Self>, step: &[(i64, i64, Effect)]) -> Result<()> {
        let before: Vec<_> = step.iter().map(|(.., effect)| self.standing(*effect)).collect();
        futures_util::stream::iter(step.iter().map(Ok::<_, Error>))
            .try_for_each_concurrent(FOLLOW_AT_ONCE, |(.., effect)| self.refresh(*effect))
            .await?;
        let noted = step.iter().zip(before).map(|((shard, number, effect), before)| (*effect, before, *shard, *number));
        self.note(noted.collect()).await;
        self.state.nodes.followed.lock().own.extend(step.iter().map(|(shard, number, _)| (*shard, *number)));
        Ok(())
    }

    /// Forgets everything and reads it again, where what has changed cannot be told one by one.
    async fn read_everything_again(self: &Arc<Self>) -> Result<()> {
        tracing::warn!("too much has changed to be followed; everything is read again");
        {
            // Whoever reads something back just now may have read it before it was changed.
            let _lock = self.refreshing.lock().await;
            self.load_tree().await?;
        }
        self.load_tokens().await?;
        self.load_trusted_issuers().await?;
        self.state.keyring.forget_all(&self.state.levels).await;
        let app = Arc::downgrade(self);
        tokio::spawn(async move {
            let Some(app) = app.upgrade() else { return };
            if let Err(error) = app.load_keyring().await {
                tracing::error!(%error, "loading the applications failed; they are loaded one by one");
            }
        });
        Ok(())
    }

    /// Notes who else there is, and shuts out whoever has not renewed its lease for longer than one lasts.
    async fn look_after_others(&self, link: &Store) -> Result<()> {
        let nodes = &self.state.nodes;
        let boot = || self.state.clock.boot(self.state.clock.monotonic());
        let asked = boot();
        let mut others = link.list_nodes().await?;
        others.retain(|node| node.run != nodes.run);
        let now = boot();
        let silent: Vec<_> = {
            let mut seen = nodes.seen.lock();
            seen.retain(|run, _| others.iter().any(|node| node.run == *run));
            let stands_still = |node: &claviger_store::nodes::Node| {
                let known = seen.entry(node.run).or_insert_with(|| Seen {
                    name: node.name.clone(),
                    beat: node.beat,
                    since: now,
                });
                if known.beat != node.beat {
                    (known.beat, known.since) = (node.beat, now);
                }
                asked.saturating_sub(known.since) > nanos(LEASE + MARGIN)
            };
            let mut stands_still = stands_still;
            others.into_iter().filter(|node| stands_still(node)).collect()
        };
        let mut gone = false;
        for node in silent {
            if link.shut_out_node(&node.id, node.run, node.beat).await? {
                tracing::warn!(
                    node = node.name,
                    id = node.id,
                    "a node's lease has run out; the others go on without it"
                );
                gone = true;
            }
        }
        if gone {
            crate::jobs::end_abandoned(&self.state).await?;
        }
        Ok(())
    }
}

fn effect(tenant: TenantId, change: &Change) -> Result<Effect> {
    let unreadable = || Error::Internal(format!("the feed names {:?} as what has changed", change.subject));
    Ok(match change.kind {
        ChangeKind::Tenant => Effect::Tenant(TenantId::parse(&change.subject).ok_or_else(unreadable)?),
        ChangeKind::Application => {
            Effect::Application(tenant, ApplicationId::parse(&change.subject).ok_or_else(unreadable)?)
        }
        ChangeKind::TrustedIssuer => Effect::Issuer(tenant, IssuerId::parse(&change.subject).ok_or_else(unreadable)?),
        ChangeKind::IdentityProvider => {
            Effect::Provider(tenant, ProviderId::parse(&change.subject).ok_or_else(unreadable)?)
        }
        ChangeKind::AccessLevel => Effect::Level(tenant, AccessLevelId::parse(&change.subject).ok_or_else(unreadable)?),
        ChangeKind::TokenRules => Effect::TokenRules(tenant),
        ChangeKind::RevokedToken => {
            Effect::RevokedToken(tenant, TokenId::parse(&change.subject).ok_or_else(unreadable)?)
        }
        ChangeKind::SigningKeys => Effect::SigningKeys,
        ChangeKind::Usage => Effect::Usage(tenant),
        ChangeKind::User => {
            let (id, change) = PersonChange::parse(&change.subject).ok_or_else(unreadable)?;
            Effect::User(tenant, id, change)
        }
        ChangeKind::SignIn => Effect::SignIn(tenant, SignInId::parse(&change.subject).ok_or_else(unreadable)?),
    })
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Keeps the lease until the app is gone or leaves.
async fn keep(app: Weak<App>, mut link: Store) {
    let mut failing = false;
    loop {
        let Some(strong) = app.upgrade().filter(|app| !app.state.nodes.has_left()) else { return };
        let state = Arc::clone(&strong.state);
        let looked = tokio::select! {
            looked = timeout(PATIENCE, strong.look(&link)) => looked,
            () = state.nodes.leaving.notified() => return,
        };
        let looked = looked.unwrap_or_else(|_| Err(Error::Unavailable("the store does not answer in time".into())));
        if let Err(error) = &looked {
            if !std::mem::replace(&mut failing, true) {
                tracing::warn!(%error, "the lease could not be renewed");
            }
            // A connection that was cut without a word would keep every further look waiting.
            link = strong.state.store.beside();
        } else if std::mem::take(&mut failing) {
            tracing::info!("the lease is renewed again");
        }
        drop(strong);
        tokio::select! {
            () = sleep(LOOK_EACH) => {}
            () = state.nodes.changed.notified() => {}
            () = state.nodes.leaving.notified() => return,
        }
    }
}

/// Hears the hints of other nodes until the app is gone. Whatever is not heard is found by looking.
async fn listen(app: Weak<App>) {
    loop {
        let Some(strong) = app.upgrade().filter(|app| !app.state.nodes.has_left()) else { return };
        let state = Arc::clone(&strong.state);
        let link = state.store.beside();
        drop(strong);
        let heard = |hint| match hint {
            Hint::Changed => state.nodes.changed.notify_one(),
            Hint::Confirmed => state.nodes.confirmed.notify_waiters(),
        };
        let gone = async {
            while app.strong_count() > 0 {
                sleep(PATIENCE).await;
            }
        };
        tokio::select! {
            ended = link.listen(heard) => tracing::debug!(?ended, "hints are not heard for a moment"),
            () = gone => return,
            () = state.nodes.leaving.notified() => return,
        }
        sleep(LISTEN_AGAIN).await;
    }
}
