//! The access record: which application got a session token, when, how and from where. No chain and no permission hangs on
//! it, and so it costs an exchange nothing but a place in a queue.

use crate::id::{ApplicationId, TenantId, TokenId};
use crate::time::Timestamp;
use std::net::IpAddr;

/// Days for which entries are kept.
pub const KEPT_DAYS: i64 = 90;
/// Most characters of what a client says of where it runs.
pub const SOURCE_MAX: usize = 200;

/// One exchange, with texts of its own or, on its way to a block, with those of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access<Text = String> {
    /// Whose application.
    pub tenant_id: TenantId,
    /// When.
    pub at: Timestamp,
    /// The token that was got.
    pub token_id: TokenId,
    /// The application.
    pub application_id: ApplicationId,
    /// By which door, such as `client_credentials`.
    pub door: Text,
    /// From where, if that is known.
    pub address: Option<IpAddr>,
    /// What the client calls itself.
    pub user_agent: Text,
    /// What the client says of where it runs; empty where the door does not ask.
    pub source: Text,
    /// When the token ends.
    pub expires_at: Timestamp,
}

/// Which entries are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// At or after.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// Of this application.
    pub application: Option<ApplicationId>,
}

impl Filter {
    /// Whether it takes an entry.
    pub fn takes(&self, access: &Access) -> bool {
        self.since.is_none_or(|since| access.at >= since)
            && self.until.is_none_or(|until| access.at < until)
            && self.application.is_none_or(|application| access.application_id == application)
    }
}

/// A text of a client's own choice as it is kept: without control characters, and cut.
pub fn clean(text: &str) -> String {
    cleaned(text).collect()
}

/// The characters of [`clean`].
pub fn cleaned(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|c| !c.is_control()).take(SOURCE_MAX)
}

/// Where an entry stands in a list.
pub fn position(entry: &Access) -> String {
    format!("{}:{}", entry.at.micros(), entry.token_id)
}

/// The place that [`position`] named.
pub fn parse_position(text: &str) -> Option<(Timestamp, TokenId)> {
    let (at, id) = text.split_once(':')?;
    Some((Timestamp::from_micros(at.parse().ok()?), TokenId::parse(id)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cleaned_and_positions_read() {
        assert_eq!(clean("a\r\nb\u{1b}[31m\0é"), "ab[31mé");
        assert_eq!(clean(&"é".repeat(300)).chars().count(), SOURCE_MAX);
        let id = TokenId::from_u128(7);
        assert_eq!(parse_position(&format!("12:{id}")), Some((Timestamp::from_micros(12), id)));
        assert_eq!(parse_position("12"), None);
        assert_eq!(parse_position("x:y"), None);
    }
}
