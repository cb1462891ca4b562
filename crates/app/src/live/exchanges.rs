//! How many session tokens were given out and refused, by family of doors, since the server was started.

use parking_lot::Mutex;
use std::collections::BTreeMap;

/// What became of the exchanges at doors of one family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exchanged {
    /// Tokens given.
    pub issued: u64,
    /// Requests that got none, for whatever reason.
    pub refused: u64,
}

/// The counts of all families.
#[derive(Debug, Default)]
pub struct Exchanges(Mutex<BTreeMap<&'static str, Exchanged>>);

impl Exchanges {
    /// Counts one.
    pub fn count(&self, family: &'static str, issued: bool) {
        let mut families = self.0.lock();
        let Exchanged { issued: given, refused } = families.entry(family).or_default();
        let counter = if issued { given } else { refused };
        *counter = counter.wrapping_add(1);
    }

    /// All counts, by name of family.
    pub fn list(&self) -> Vec<(&'static str, Exchanged)> {
        self.0.lock().iter().map(|(family, exchanged)| (*family, *exchanged)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_counted_apart() {
        let exchanges = Exchanges::default();
        for (family, issued) in [("b", true), ("a", false), ("b", false), ("b", true)] {
            exchanges.count(family, issued);
        }
        let of = |issued, refused| Exchanged { issued, refused };
        assert_eq!(exchanges.list(), [("a", of(0, 1)), ("b", of(2, 1))]);
    }
}
