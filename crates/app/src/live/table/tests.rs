//! The table against a map, alone and beside writers.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

#[derive(Clone, Debug, PartialEq)]
struct Entry(u128, u32);

impl Keyed for Entry {
    fn key(&self) -> u128 {
        self.0
    }
}

fn contents(table: &Table<Entry>, keys: impl Iterator<Item = u128>) -> HashMap<u128, u32> {
    keys.filter_map(|key| table.with(key, |entry| (entry.0, entry.1))).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Put(u128, u32),
    Remove(u128),
    Clear,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        20 => (0..200_u128, any::<u32>()).prop_map(|(key, value)| Step::Put(key, value)),
        15 => (0..200_u128).prop_map(Step::Remove),
        1 => Just(Step::Clear),
    ];
    proptest::collection::vec(step, 0..600)
}

proptest! {
    /// All keys in one shard, so that their searches cross each other.
    #[test]
    fn rows_are_a_map(steps in steps(), spread in 0..256_u32) {
        let start = |key: u128| u32::try_from(key).unwrap().wrapping_mul(spread << 18);
        let hash_of = |key: u128| Hash { shard: 0, start: start(key), tag: 1 << PLACE_BITS };
        let (mut rows, mut model) = (Rows::<Entry>::default(), HashMap::new());
        for step in steps {
            match step {
                Step::Put(key, value) => {
                    match rows.find(key, hash_of(key)) {
                        Some((_, place)) => rows.get_mut(place).unwrap().1 = value,
                        None => rows.insert(Entry(key, value), hash_of(key), hash_of),
                    }
                    model.insert(key, value);
                }
                Step::Remove(key) => {
                    let removed = rows.remove(key, hash_of(key), hash_of).map(|entry| entry.1);
                    prop_assert_eq!(removed, model.remove(&key));
                }
                Step::Clear => {
                    rows = Rows::default();
                    model.clear();
                }
            }
        }
        prop_assert_eq!(rows.len, model.len());
        for key in 0..200 {
            let found = rows.find(key, hash_of(key)).map(|(_, place)| rows.get(place).unwrap().1);
            prop_assert_eq!(found, model.get(&key).copied());
        }
    }
}

#[test]
fn extents_follow_each_other_without_a_gap() {
    let mut rooms = [0; EXTENTS];
    let mut expected = (0, 0);
    for place in 0..1_000_000 {
        assert_eq!(extent_of(place), expected, "{place}");
        rooms[expected.0] += 1;
        let room = FIRST << usize::saturating_sub(expected.0, 1);
        expected = if rooms[expected.0] == room { (expected.0 + 1, 0) } else { (expected.0, expected.1 + 1) };
    }
    assert_eq!(extent_of(PLACES - 1).0, EXTENTS - 1);
}

#[test]
fn many_are_found_and_none_twice() {
    let table = Table::default();
    for key in 0..100_000 {
        assert!(table.put(Entry(key, 1), |_, _| unreachable!("there was none")));
    }
    for key in (0..100_000).step_by(3) {
        assert!(table.put(Entry(key, 2), |old, new| assert_eq!((old.1, new.1), (1, 2))));
    }
    for key in (0..100_000).step_by(5) {
        table.remove(key);
        table.remove(key);
    }
    assert_eq!(table.len(), 80_000);
    let expected = (0..100_000_u128).filter(|key| key % 5 != 0);
    let expected: HashMap<_, _> = expected.map(|key| (key, if key % 3 == 0 { 2 } else { 1 })).collect();
    assert_eq!(contents(&table, 0..100_001), expected);
    table.clear();
    assert_eq!((table.len(), contents(&table, 0..100_000).len()), (0, 0));
}

#[test]
fn whoever_stays_is_found_while_others_come_and_go() {
    let table = Table::default();
    for key in 0..2_000 {
        assert!(table.put(Entry(key, 0), |_, _| ()));
    }
    let busy = AtomicUsize::new(2);
    std::thread::scope(|scope| {
        let (table, busy) = (&table, &busy);
        for half in 0..2_u128 {
            scope.spawn(move || {
                for round in 0..20_u32 {
                    let coming = (2_000..12_000).filter(|key| key % 2 == half);
                    coming.clone().for_each(|key| assert!(table.put(Entry(key, round), |_, _| ())));
                    coming.for_each(|key| table.remove(key));
                }
                busy.fetch_sub(1, Ordering::AcqRel);
            });
        }
        while busy.load(Ordering::Acquire) > 0 {
            assert_eq!(contents(table, 0..2_000).len(), 2_000);
        }
    });
    assert_eq!(table.len(), 2_000);
}
