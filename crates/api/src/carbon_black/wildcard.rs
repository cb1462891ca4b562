//! Patterns with `*` (any characters, or none) and `?` (one character), in one step per character of the text: all ways in
//! which a pattern may have matched so far are the bits of one number, so that no pattern makes the match slow.

/// Most characters of a pattern, `*` not counted: a bit for each, and one for the end.
pub const LENGTH_MAX: usize = 127;

/// One element of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Atom {
    /// This character.
    Char(char),
    /// Any one character.
    One,
    /// Any characters, or none.
    Many,
}

/// A compiled pattern. Bit `i` of a state says that the first `i` characters of the pattern have been met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// For each character that occurs, where it does; sorted by character.
    places: Vec<(char, u128)>,
    /// Where any character will do.
    anything: u128,
    /// Where any number of characters may be skipped.
    skips: u128,
    /// Where the pattern ends.
    end: u128,
}

impl Pattern {
    /// Compiles a pattern; none if it is longer than [`LENGTH_MAX`].
    pub fn compile(atoms: &[Atom]) -> Option<Self> {
        let (mut places, mut anything, mut skips, mut length) = (Vec::new(), 0, 0, 0);
        for atom in atoms {
            if length > LENGTH_MAX {
                return None;
            }
            let here = 1_u128 << length;
            match atom {
                Atom::Many => skips |= here,
                Atom::One => anything |= here,
                Atom::Char(c) => places.push((*c, here)),
            }
            length += usize::from(*atom != Atom::Many);
        }
        if length > LENGTH_MAX {
            return None;
        }
        places.sort_unstable();
        places.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                kept.1 |= later.1;
            }
            same
        });
        Some(Self { places, anything, skips, end: 1 << length })
    }

    /// Whether the whole of `text` is as the pattern says.
    pub fn matches(&self, text: &str) -> bool {
        let mut states = 1_u128;
        for c in text.chars() {
            let place = self.places.binary_search_by_key(&c, |(known, _)| *known).ok();
            let accepts = place.and_then(|index| self.places.get(index)).map_or(0, |(_, bits)| *bits) | self.anything;
            states = ((states & accepts) << 1) | (states & self.skips);
            if states == 0 {
                return false;
            }
        }
        states & self.end != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn atoms(pattern: &str) -> Vec<Atom> {
        pattern
            .chars()
            .map(|c| {
                if c == '*' {
                    Atom::Many
                } else if c == '?' {
                    Atom::One
                } else {
                    Atom::Char(c)
                }
            })
            .collect()
    }

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::compile(&atoms(pattern)).unwrap().matches(text)
    }

    /// What the notation means, however long it takes.
    fn meaning(pattern: &[Atom], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (None, Some(_)) => false,
            (Some((Atom::Many, rest)), _) => {
                meaning(rest, text) || text.split_first().is_some_and(|(_, after)| meaning(pattern, after))
            }
            (Some(_), None) => false,
            (Some((Atom::One, rest)), Some((_, after))) => meaning(rest, after),
            (Some((Atom::Char(c), rest)), Some((first, after))) => c == first && meaning(rest, after),
        }
    }

    #[test]
    fn length_is_bounded() {
        assert!(matches(&"a".repeat(LENGTH_MAX), &"a".repeat(LENGTH_MAX)));
        assert!(matches(&format!("*{}*", "?".repeat(LENGTH_MAX)), &"é".repeat(500)));
        assert_eq!(Pattern::compile(&atoms(&"a".repeat(LENGTH_MAX + 1))), None);
        assert!(Pattern::compile(&atoms(&"*".repeat(10_000))).unwrap().matches("anything"));
        assert!(Pattern::compile(&atoms(&"?".repeat(10_000))).is_none());
    }

    #[test]
    fn no_pattern_is_slow() {
        let text = "a".repeat(1_000_000);
        assert!(!matches(&format!("{}b", "*a".repeat(100)), &text));
        assert!(!matches(&format!("*{}b", "a?".repeat(60)), &text));
    }

    proptest! {
        #[test]
        fn patterns_mean_what_they_say(pattern in "[ab?*]{0,8}", text in "[abc]{0,8}") {
            let letters: Vec<char> = text.chars().collect();
            prop_assert_eq!(matches(&pattern, &text), meaning(&atoms(&pattern), &letters));
        }
    }
}
