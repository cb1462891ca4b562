//! What answers to a caller say besides what was asked: that its credential stops soon, or is of a kind that does.

use crate::time::Timestamp;

/// Advice to a caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Advice {
    /// When the presented credential stops, if that is near.
    pub expires_at: Option<Timestamp>,
    /// When credentials of its kind stop.
    pub sunset: Option<Sunset>,
}

/// The end of a kind of credential.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sunset {
    /// Since when the kind is deprecated.
    pub deprecated_at: Timestamp,
    /// When it stops.
    pub at: Timestamp,
}

impl Advice {
    /// The advice, if there is any.
    pub fn filled(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }
}
