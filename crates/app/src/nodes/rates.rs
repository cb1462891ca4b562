//! What nodes tell each other about applications with a rate limit: twice a second, a row for each node.

use crate::App;
use crate::live::sharing::{Elsewhere, Told};
use claviger_domain::Result;
use claviger_domain::id::ApplicationId;
use claviger_store::Store;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::{sleep, timeout};

const SHARE_EACH: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(1);
/// Applications of which a node tells; of those beyond, each node goes on with an equal part.
const TELL_MAX: usize = 16_384;
const ENTRY: usize = 16 + 8 + 4 + 4 + 4;

/// What this node knows of what the others told.
#[derive(Debug, Default)]
pub(super) struct Rates {
    /// Calls that another process let through, as it last told.
    heard: HashMap<(i64, ApplicationId), u64>,
    /// Whether the last thing told was something.
    told: bool,
}

impl App {
    /// One round: tells, hears and shares out anew.
    async fn share_limits(&self, store: &Store) -> Result<()> {
        let nodes = &self.state.nodes;
        let sharing = &self.state.meter.sharing;
        let others = nodes.seen.lock().len();
        sharing.set_others(u32::try_from(others).unwrap_or(u32::MAX));
        if others == 0 {
            return Ok(());
        }
        let heard = store.hear_rates(nodes.run).await?;
        let mut elsewhere = nodes.rates.lock().sum_up(&heard);
        let now = self.state.clock.monotonic();
        sharing.share_out(&mut elsewhere, now);
        for (application, others) in elsewhere.iter().filter(|(_, others)| others.admitted > 0) {
            self.state.keyring.with_application(*application, |record| {
                if let Some(limit) = record.policy.rate_limit {
                    sharing.charge(record.cell(), limit, others.admitted, now);
                }
            });
        }
        let told = sharing.tell(TELL_MAX);
        let something = !told.is_empty();
        if std::mem::replace(&mut nodes.rates.lock().told, something) || something {
            store.tell_rates(nodes.run, &write(&told)).await?;
        }
        Ok(())
    }
}

impl Rates {
    fn sum_up(&mut self, heard: &[(i64, Vec<u8>)]) -> HashMap<ApplicationId, Elsewhere> {
        let runs: HashSet<_> = heard.iter().map(|(run, _)| *run).collect();
        self.heard.retain(|(run, _), _| runs.contains(run));
        let mut elsewhere: HashMap<ApplicationId, Elsewhere> = HashMap::new();
        for (run, body) in heard {
            for told in read(body) {
                let before = self.heard.insert((*run, told.application), told.admitted);
                let admitted = before.map_or(u64::from(told.recent), |before| told.admitted.saturating_sub(before));
                let sum = elsewhere.entry(told.application).or_default();
                sum.admitted += admitted;
                sum.demand += f64::from(told.demand.max(0.0));
                sum.held += f64::from(told.held.max(0.0));
            }
        }
        elsewhere
    }
}

fn write(told: &[Told]) -> Vec<u8> {
    let mut body = Vec::with_capacity(told.len() * ENTRY);
    for told in told {
        body.extend_from_slice(&told.application.as_u128().to_le_bytes());
        body.extend_from_slice(&told.admitted.to_le_bytes());
        body.extend_from_slice(&told.recent.to_le_bytes());
        body.extend_from_slice(&told.demand.to_le_bytes());
        body.extend_from_slice(&told.held.to_le_bytes());
    }
    body
}

fn read(body: &[u8]) -> impl Iterator<Item = Told> {
    body.chunks_exact(ENTRY).filter_map(|entry| {
        let (application, rest) = entry.split_first_chunk()?;
        let (admitted, rest) = rest.split_first_chunk()?;
        let (recent, rest) = rest.split_first_chunk()?;
        let (demand, rest) = rest.split_first_chunk()?;
        let (held, _) = rest.split_first_chunk()?;
        Some(Told {
            application: ApplicationId::from_u128(u128::from_le_bytes(*application)),
            admitted: u64::from_le_bytes(*admitted),
            recent: u32::from_le_bytes(*recent),
            demand: finite(*demand)?,
            held: finite(*held)?,
        })
    })
}

fn finite(bytes: [u8; 4]) -> Option<f32> {
    Some(f32::from_le_bytes(bytes)).filter(|number| number.is_finite())
}

/// Shares limits until the app is gone.
pub(super) async fn share(app: Weak<App>, mut link: Store) {
    loop {
        let Some(strong) = app.upgrade().filter(|app| !app.state.nodes.has_left()) else { return };
        let shared = timeout(PATIENCE, strong.share_limits(&link)).await;
        if !matches!(shared, Ok(Ok(()))) {
            tracing::debug!(?shared, "rates were not shared");
            link = strong.state.store.beside();
        }
        let state = Arc::clone(&strong.state);
        drop(strong);
        tokio::select! {
            () = sleep(SHARE_EACH) => {}
            () = state.nodes.leaving.notified() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_heard_once() {
        let application = ApplicationId::from_u128(7);
        let told = |admitted, recent| Told { application, admitted, recent, demand: 2.5, held: 1.0 };
        let mut rates = Rates::default();
        let hear = |rates: &mut Rates, run, told: Told| rates.sum_up(&[(run, write(&[told]))])[&application].admitted;
        assert_eq!(hear(&mut rates, 1, told(20, 20)), 20);
        assert_eq!(hear(&mut rates, 1, told(20, 0)), 0);
        assert_eq!(hear(&mut rates, 1, told(50, 15)), 30, "a round that was missed counts, too");
        assert_eq!(hear(&mut rates, 2, told(900, 3)), 3, "a newcomer's past is not charged");
        assert!(rates.sum_up(&[(1, vec![0; 31])]).is_empty());
    }
}
