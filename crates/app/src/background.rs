//! What goes on beside the requests: usage and denials to the store, heads signed, what is over swept.

use crate::App;
use crate::live::denials::Tally;
use crate::metering::FOLD_EACH;
use claviger_domain::Result;
use claviger_domain::audit::{Actor, NewEntry, Target};
use claviger_domain::time::Timestamp;
use serde_json::{Map, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// How often it is looked for mails that another node has queued, or that are to be tried again.
const MAILS_EACH: Duration = Duration::from_secs(1);
const FLUSH_EACH: Duration = Duration::from_secs(1);
const SIGN_EACH: Duration = Duration::from_secs(60);
const SWEEP_EACH: Duration = Duration::from_secs(600);
/// How soon after a start it is looked whether owners are to be told something, and how often then.
const LIFETIMES_FIRST: Duration = Duration::from_secs(10);
const LIFETIMES_EACH: Duration = Duration::from_secs(300);
/// How often it is looked for provisionings that somebody has left, and for tenants whose grace is over.
const RESUME_EACH: Duration = Duration::from_secs(2);
const PURGE_EACH: Duration = Duration::from_secs(60);
/// Denials that are written in one transaction.
const TALLIES_AT_ONCE: usize = 256;

impl App {
    /// Runs until `stopping` turns true, then writes what is left and returns.
    pub async fn run_background(self: Arc<Self>, stopping: watch::Receiver<bool>) {
        tokio::join!(
            self.write_out(stopping.clone()),
            self.fold(stopping.clone()),
            self.send_mails(stopping.clone()),
            self.look_after_lifetimes(stopping.clone()),
            self.look_after_tenants(stopping)
        );
        self.log("folding usage", self.fold_usage().await);
        self.leave().await;
    }

    async fn write_out(&self, mut stopping: watch::Receiver<bool>) {
        let every = |period: Duration| {
            let mut ticks = interval_at(Instant::now() + period, period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        };
        let (mut flush, mut sign, mut sweep) = (every(FLUSH_EACH), every(SIGN_EACH), every(SWEEP_EACH));
        while !*stopping.borrow() {
            tokio::select! {
                _ = flush.tick() => {
                    self.look_at_store().await;
                    self.log("writing usage", self.flush_usage().await);
                    self.log("writing accesses", self.flush_accesses().await);
                    self.log("writing denials", self.flush_denials().await);
                    self.log("making the next signing key", self.tend_signing_keys().await);
                }
                () = self.state.denials.arrived.notified() => self.log("writing denials", self.flush_denials().await),
                _ = sign.tick() => if self.is_in_charge() {
                    self.log("signing the heads of the audit record", self.sign_heads().await);
                },
                _ = sweep.tick() => {
                    self.forget_tokens();
                    if self.is_in_charge() {
                        self.log("sweeping", self.sweep().await);
                        self.log("sweeping mails", self.sweep_mails().await);
                        self.log("sweeping links", self.sweep_links().await);
                        self.log("sweeping tokens", self.sweep_tokens().await);
                        self.log("sweeping what deleted tenants left", self.sweep_purged().await);
                        self.log("sweeping what was accepted once", self.sweep_replay().await);
                        self.log("destroying removed texts of secrets", self.finish_removals().await);
                        self.log("counting tables again", self.state.store.refresh_statistics().await);
                    }
                }
                _ = stopping.changed() => break,
            }
        }
        self.log("writing usage", self.flush_usage().await);
        self.log("writing accesses", self.flush_accesses().await);
        self.log("saving what was accepted once", self.save_replay().await);
        let left = self.state.denials.take_all();
        self.log("writing denials", self.write_tallies(left).await);
        if self.is_in_charge() {
            self.log("signing the heads of the audit record", self.sign_heads().await);
        }
    }

    /// Beside the writing, which must not wait for it.
    async fn fold(&self, mut stopping: watch::Receiver<bool>) {
        let mut folded = Instant::now();
        while !*stopping.borrow() {
            tokio::select! {
                () = tokio::time::sleep(FLUSH_EACH) => {}
                _ = stopping.changed() => return,
            }
            if (folded.elapsed() >= FOLD_EACH && self.is_in_charge()) || self.is_log_full() {
                self.log("folding usage", self.fold_usage().await);
                folded = Instant::now();
            }
        }
    }

    /// Beside the writing, since a mail server may take its time.
    async fn send_mails(&self, mut stopping: watch::Receiver<bool>) {
        while !*stopping.borrow() {
            tokio::select! {
                () = self.state.mailing.arrived.notified() => {}
                () = tokio::time::sleep(MAILS_EACH) => {}
                _ = stopping.changed() => return,
            }
            tokio::select! {
                sent = self.deliver_mails() => self.log("sending mails", sent),
                _ = stopping.changed() => return,
            }
        }
    }

    /// Beside the writing, too. Owners are told with a day's precision; what ends does so without this.
    async fn look_after_lifetimes(self: &Arc<Self>, mut stopping: watch::Receiver<bool>) {
        let mut pause = LIFETIMES_FIRST;
        while !*stopping.borrow() {
            tokio::select! {
                () = tokio::time::sleep(pause) => if self.is_in_charge() {
                    self.log("telling owners", self.tell_lifetimes().await);
                },
                _ = stopping.changed() => return,
            }
            pause = LIFETIMES_EACH;
        }
    }

    /// Beside the writing, too.
    async fn look_after_tenants(self: &Arc<Self>, mut stopping: watch::Receiver<bool>) {
        let mut purged = Instant::now();
        while !*stopping.borrow() {
            tokio::select! {
                () = tokio::time::sleep(RESUME_EACH) => if self.is_in_charge() {
                    self.log("going on with provisionings", self.resume_provisionings().await);
                    if purged.elapsed() >= PURGE_EACH {
                        self.log("removing deleted tenants", self.purge_tenants().await);
                        purged = Instant::now();
                    }
                },
                _ = stopping.changed() => return,
            }
        }
    }

    /// Finds out whether the store answers, for whoever asks whether the server is ready.
    async fn look_at_store(&self) {
        let answer = self.state.store.find_operator().await;
        let fault = answer.is_err().then_some("the store does not answer");
        let before = std::mem::replace(&mut *self.state.fault.lock(), fault);
        match (before, answer) {
            (None, Err(error)) => tracing::error!(%error, "the store does not answer; not ready"),
            (Some(_), Ok(_)) => tracing::info!("the store answers again; ready"),
            _ => {}
        }
    }

    fn log(&self, what: &str, result: Result<()>) {
        if let Err(error) = result {
            tracing::error!(%error, "{what} failed; it will be tried again");
        }
    }

    /// Writes the denials that are due.
    pub async fn flush_denials(&self) -> Result<()> {
        let _writing = self.writing.lock().await;
        let due = self.state.denials.take(self.state.clock.now());
        self.write_tallies(due).await
    }

    async fn write_tallies(&self, mut tallies: Vec<Tally>) -> Result<()> {
        // One order of chains in every transaction, so that two of them cannot wait for each other.
        tallies.sort_by_key(|tally| tally.denial.tenant_id);
        while !tallies.is_empty() {
            let rest = tallies.split_off(tallies.len().min(TALLIES_AT_ONCE));
            if let Err(error) = self.write_some(&tallies).await {
                tallies.extend(rest);
                self.state.denials.put_back(tallies);
                return Err(error);
            }
            tallies = rest;
        }
        Ok(())
    }

    async fn write_some(&self, tallies: &[Tally]) -> Result<()> {
        let mut tx = self.state.store.begin().await?;
        let now = self.state.clock.now();
        for tally in tallies {
            tx.append_audit(tally.denial.tenant_id, &entry(tally, now)).await?;
        }
        tx.commit().await
    }

    async fn sweep(&self) -> Result<()> {
        let mut tx = self.state.store.begin().await?;
        self.still_in_charge(&mut tx).await?;
        tx.sweep(self.state.clock.now()).await?;
        tx.sweep_people(self.state.clock.now()).await?;
        tx.sweep_sso_sign_ins(self.state.clock.now()).await?;
        tx.commit().await
    }
}

fn entry(tally: &Tally, now: Timestamp) -> NewEntry {
    let denial = &tally.denial;
    let known = !denial.actor.is_empty();
    let details = json!({ "reason": denial.reason, "count": tally.count, "minute": tally.minute });
    NewEntry {
        at: now,
        actor: Actor {
            kind: if known { denial.kind.as_str() } else { "stranger" },
            id: denial.actor.clone(),
            tenant_id: known.then_some(denial.tenant_id),
        },
        action: "access.denied",
        target: Target { kind: denial.kind.as_str(), id: denial.actor.clone(), name: String::new() },
        address: denial.address,
        request_id: String::new(),
        request: String::new(),
        details: details.as_object().cloned().unwrap_or_else(Map::new),
    }
}
