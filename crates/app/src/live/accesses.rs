//! Entries of the access record on their way to the store: an exchange puts one into a block here and waits for nothing.

use claviger_domain::access::Access;
use claviger_domain::id::TenantId;
use claviger_store::access_record::AccessBlock;
use parking_lot::Mutex;
use std::collections::HashMap;

/// Most entries that wait. What comes while the store is away for longer is counted and logged, and not kept.
const WAITING_MAX: usize = 200_000;

/// Entries that wait to be written.
#[derive(Debug, Default)]
pub struct Accesses {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// The block of each tenant that has room.
    open: HashMap<TenantId, AccessBlock>,
    full: Vec<AccessBlock>,
    entries: usize,
    lost: u64,
}

impl Accesses {
    /// Takes an entry.
    pub fn add(&self, access: &Access<&str>) {
        let mut waiting = self.waiting.lock();
        let Waiting { open, full, entries, lost } = &mut *waiting;
        if *entries >= WAITING_MAX {
            *lost += 1;
            return;
        }
        *entries += 1;
        let block = open.entry(access.tenant_id).or_insert_with(|| AccessBlock::new(access.tenant_id));
        block.add(access);
        if block.is_full() {
            full.push(std::mem::replace(block, AccessBlock::new(access.tenant_id)));
        }
    }

    /// Takes what waits, and how many entries had no room since the last time.
    pub fn take(&self) -> (Vec<AccessBlock>, u64) {
        let Waiting { open, full, lost, .. } = std::mem::take(&mut *self.waiting.lock());
        let open = open.into_values().filter(|block| block.entries() > 0);
        (full.into_iter().chain(open).collect(), lost)
    }

    /// Puts back what could not be written.
    pub fn put_back(&self, mut blocks: Vec<AccessBlock>) {
        let mut waiting = self.waiting.lock();
        blocks.append(&mut waiting.full);
        waiting.entries += blocks.iter().map(AccessBlock::entries).sum::<usize>();
        while waiting.entries > WAITING_MAX
            && let Some(newest) = blocks.pop()
        {
            waiting.entries -= newest.entries();
            waiting.lost += u64::try_from(newest.entries()).unwrap_or(u64::MAX);
        }
        waiting.full = blocks;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use claviger_domain::id::{ApplicationId, TokenId};
    use claviger_domain::time::Timestamp;

    fn add(accesses: &Accesses, number: u128) {
        accesses.add(&Access {
            tenant_id: TenantId::from_u128(number % 3),
            at: Timestamp::from_micros(1),
            token_id: TokenId::from_u128(number),
            application_id: ApplicationId::from_u128(1),
            door: "assertion",
            address: None,
            user_agent: "",
            source: "",
            expires_at: Timestamp::from_micros(2),
        });
    }

    fn entries(blocks: &[AccessBlock]) -> usize {
        blocks.iter().map(AccessBlock::entries).sum()
    }

    #[test]
    fn what_is_put_back_waits_with_what_came_since() {
        let accesses = Accesses::default();
        (0..1_000).for_each(|number| add(&accesses, number));
        let (taken, _) = accesses.take();
        assert_eq!((entries(&taken), accesses.take().0.len()), (1_000, 0));
        add(&accesses, 1);
        accesses.put_back(taken);
        assert_eq!(entries(&accesses.take().0), 1_001);
    }

    #[test]
    fn there_is_an_end_to_waiting() {
        let accesses = Accesses::default();
        (0..200_010).for_each(|number| add(&accesses, number));
        let (taken, lost) = accesses.take();
        assert_eq!((entries(&taken), lost), (200_000, 10));
        (0..1_000).for_each(|number| add(&accesses, number));
        accesses.put_back(taken);
        let (taken, lost) = accesses.take();
        assert!(entries(&taken) <= 200_000 && entries(&taken) + usize::try_from(lost).unwrap() == 201_000);
    }
}
