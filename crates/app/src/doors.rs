//! Doors at which a credential is exchanged for a session token: what they give and refuse is counted, and whoever goes on
//! presenting bad credentials is told to wait. A right one passes all the same.

use crate::App;
use crate::live::exchanges::Exchanged;
use crate::live::guesses::LIMIT;
use claviger_domain::address::Origin;
use claviger_domain::{Error, Refusal, Result};

impl App {
    /// Counts a bad guess at a door that takes credentials; refused where there were too many at that name or from that
    /// address.
    pub fn count_guess(&self, name: Option<&str>, origin: Origin) -> Result<()> {
        let monotonic = self.state.clock.monotonic();
        match self.state.tokens.guesses.count(name, origin.address(), monotonic) {
            Some(retry_after_seconds) => Err(Error::Limited { limit: LIMIT, retry_after_seconds }),
            None => Ok(()),
        }
    }

    /// What a door says to whoever it does not let in: where that is a stranger, it is counted as a guess at the name they
    /// claim. Whether there is such a name makes no difference.
    pub fn refuse_guess(&self, error: Error, name: Option<&str>, origin: Origin) -> Error {
        match error {
            Error::Unauthenticated(refusal) if !refusal.is_owner() && refusal != Refusal::Absent => {
                self.count_guess(name, origin).err().unwrap_or(error)
            }
            other => other,
        }
    }

    /// Counts what became of an exchange at a door of that family.
    pub fn count_exchange(&self, family: &'static str, issued: bool) {
        self.state.tokens.exchanges.count(family, issued);
    }

    /// What was exchanged since the start, by family of doors.
    pub fn exchanged(&self) -> Vec<(&'static str, Exchanged)> {
        self.state.tokens.exchanges.list()
    }
}
