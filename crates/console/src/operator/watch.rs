//! Pages that are asked for again by themselves: only for a while, so that nobody stays signed in by a page that is left open.

use claviger_domain::time::Timestamp;
use serde::Deserialize;

/// How often a page is asked for again: every five seconds for a quarter of an hour.
const TIMES: u32 = 180;

/// How often the page is still asked for.
#[derive(Deserialize)]
pub(super) struct WatchQuery {
    #[serde(default)]
    left: Option<String>,
}

/// A part of a page that is asked for again.
pub(super) struct Watch {
    /// Its id.
    pub(super) id: &'static str,
    /// Its page.
    pub(super) path: String,
    /// Of when it is.
    pub(super) now: Timestamp,
    left: u32,
}

impl WatchQuery {
    /// The part of that id of the page at `path`.
    pub(super) fn of(&self, id: &'static str, path: String, now: Timestamp) -> Watch {
        let left = self.left.as_deref().and_then(|left| left.parse::<u32>().ok()).unwrap_or(TIMES).min(TIMES);
        Watch { id, path, now, left }
    }
}

impl Watch {
    /// Where it is asked for next, if it is.
    pub(super) fn newer(&self) -> Option<String> {
        self.left.checked_sub(1).map(|left| format!("{}?left={left}", self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_asked_for_again_for_a_while() {
        let newer = |left: Option<&str>| {
            let query = WatchQuery { left: left.map(str::to_owned) };
            query.of("nodes", "/x".into(), Timestamp::from_micros(0)).newer()
        };
        assert_eq!(newer(None).as_deref(), Some("/x?left=179"));
        assert_eq!(newer(Some("1")).as_deref(), Some("/x?left=0"));
        assert_eq!((newer(Some("0")), newer(Some("999999"))), (None, Some("/x?left=179".into())));
    }
}
