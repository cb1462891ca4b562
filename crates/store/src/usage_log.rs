//! The usage log: what the meter counted, a few rows each second, until it is folded into the tables that are read.
//!
//! A row holds all that the applications of one shard of tenants did in a second, so that a call costs bytes and not rows.
//! Folding sums up a shard's rows and adds them to the tables in the unit that deletes them.

use crate::changes::shard_of;
use crate::sql::{Tx, args};
use claviger_domain::application::LastUse;
use claviger_domain::id::{ApplicationId, SecretId, TenantId};
use claviger_domain::time::Timestamp;
use claviger_domain::usage::{NetworkUse, Outcome, SecretUse, UsageDelta};
use claviger_domain::{Error, Result};
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Rows that are folded in one unit: the writer is not to be kept for long.
const ROWS_AT_ONCE: i64 = 64;

/// How a row's body is written; the first byte of each.
const FORMAT: u8 = 1;
/// A text, to be named by its place among all texts of the row.
const TEXT: u8 = 1;
/// The application that what follows is about.
const OWNER: u8 = 2;
/// Calls that ended alike.
const CALLED: u8 = 3;
/// The last use of a secret.
const USED: u8 = 4;
/// The last call out of an allowed network.
const SEEN: u8 = 5;

/// What was counted in a second.
#[derive(Clone, Debug, Default)]
pub struct UsageBatch {
    shards: BTreeMap<i64, Body>,
}

/// What was counted in a second of one shard.
#[derive(Clone, Debug)]
struct Body {
    bytes: Vec<u8>,
    texts: HashMap<Box<str>, u32>,
}

/// What was counted, as the tables take it.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// Calls.
    pub usage: Vec<UsageDelta>,
    /// Last uses of secrets.
    pub uses: Vec<SecretUse>,
    /// Last calls out of allowed networks.
    pub networks: Vec<NetworkUse>,
}

/// Takes what one application did.
pub struct Of<'a> {
    body: &'a mut Body,
}

impl UsageBatch {
    /// Begins what one application did.
    pub fn of(&mut self, tenant: TenantId, application: ApplicationId) -> Of<'_> {
        let new = || Body { bytes: vec![FORMAT], texts: HashMap::new() };
        let body = self.shards.entry(shard_of(tenant)).or_insert_with(new);
        body.bytes.push(OWNER);
        body.bytes.extend_from_slice(&tenant.as_u128().to_le_bytes());
        body.bytes.extend_from_slice(&application.as_u128().to_le_bytes());
        Of { body }
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.shards.is_empty()
    }

    /// The shards that it tells of.
    pub fn shards(&self) -> impl Iterator<Item = i64> {
        self.shards.keys().copied()
    }

    /// Bytes of all rows.
    pub fn len(&self) -> usize {
        self.shards.values().map(|body| body.bytes.len()).sum()
    }

    /// What was counted, as the tables take it.
    pub fn read(&self) -> Result<Counted> {
        let mut counted = Counted::default();
        for body in self.shards.values() {
            read(&body.bytes, &mut counted).ok_or_else(damaged)?;
        }
        Ok(counted)
    }
}

impl Of<'_> {
    /// So many calls in an hour, that asked for `right` or for none and ended alike.
    pub fn called(&mut self, right: &str, outcome: Outcome, count: u32, hour: Timestamp, last_at: Timestamp) {
        let right = self.body.text(right);
        let outcome = Outcome::ALL.iter().position(|known| *known == outcome).unwrap_or_default();
        let bytes = &mut self.body.bytes;
        bytes.extend_from_slice(&[CALLED, u8::try_from(outcome).unwrap_or_default()]);
        bytes.extend_from_slice(&right.to_le_bytes());
        bytes.extend_from_slice(&count.to_le_bytes());
        bytes.extend_from_slice(&hour.micros().to_le_bytes());
        bytes.extend_from_slice(&last_at.micros().to_le_bytes());
    }

    /// The last call out of an allowed network.
    pub fn seen(&mut self, network: &str, at: Timestamp) {
        let network = self.body.text(network);
        let bytes = &mut self.body.bytes;
        bytes.push(SEEN);
        bytes.extend_from_slice(&network.to_le_bytes());
        bytes.extend_from_slice(&at.micros().to_le_bytes());
    }

    /// The last use of a secret.
    pub fn used(&mut self, secret: SecretId, at: Timestamp, address: Option<IpAddr>, user_agent: &str) {
        let user_agent = self.body.text(user_agent);
        let bytes = &mut self.body.bytes;
        bytes.push(USED);
        bytes.extend_from_slice(&secret.as_u128().to_le_bytes());
        bytes.extend_from_slice(&at.micros().to_le_bytes());
        bytes.extend_from_slice(&user_agent.to_le_bytes());
        match address {
            None => bytes.push(0),
            Some(IpAddr::V4(address)) => {
                bytes.push(4);
                bytes.extend_from_slice(&address.octets());
            }
            Some(IpAddr::V6(address)) => {
                bytes.push(6);
                bytes.extend_from_slice(&address.octets());
            }
        }
    }
}

impl Body {
    fn text(&mut self, text: &str) -> u32 {
        if let Some(place) = self.texts.get(text) {
            return *place;
        }
        let place = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.texts.insert(text.into(), place);
        self.bytes.push(TEXT);
        self.bytes.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.bytes.extend_from_slice(text.as_bytes());
        place
    }
}

fn damaged() -> Error {
    Error::Internal("the store holds a row of the usage log that cannot be read".into())
}

/// Takes a row's body apart; nothing where it is none.
fn read(body: &[u8], counted: &mut Counted) -> Option<()> {
    let mut rest = body.strip_prefix(&[FORMAT])?;
    let rest = &mut rest;
    let (mut texts, mut owner) = (Vec::new(), None);
    let text = |texts: &[String], place: u32| texts.get(usize::try_from(place).ok()?).cloned();
    while let Some((kind, after)) = rest.split_first() {
        *rest = after;
        match *kind {
            TEXT => {
                let length = usize::try_from(u32::from_le_bytes(take(rest)?)).ok()?;
                let (bytes, after) = rest.split_at_checked(length)?;
                *rest = after;
                texts.push(std::str::from_utf8(bytes).ok()?.to_owned());
            }
            OWNER => {
                let tenant = TenantId::from_u128(u128::from_le_bytes(take(rest)?));
                owner = Some((tenant, ApplicationId::from_u128(u128::from_le_bytes(take(rest)?))));
            }
            CALLED => {
                let ((tenant_id, application_id), [outcome]) = (owner?, take(rest)?);
                counted.usage.push(UsageDelta {
                    tenant_id,
                    application_id,
                    outcome: *Outcome::ALL.get(usize::from(outcome))?,
                    right: text(&texts, u32::from_le_bytes(take(rest)?))?,
                    count: i64::from(u32::from_le_bytes(take(rest)?)),
                    hour: Timestamp::from_micros(i64::from_le_bytes(take(rest)?)),
                    last_at: Timestamp::from_micros(i64::from_le_bytes(take(rest)?)),
                });
            }
            USED => {
                let (tenant_id, application_id) = owner?;
                let secret_id = SecretId::from_u128(u128::from_le_bytes(take(rest)?));
                let at = Timestamp::from_micros(i64::from_le_bytes(take(rest)?));
                let user_agent = text(&texts, u32::from_le_bytes(take(rest)?))?;
                let address = match take(rest)? {
                    [4] => Some(IpAddr::V4(Ipv4Addr::from(take::<4>(rest)?))),
                    [6] => Some(IpAddr::V6(Ipv6Addr::from(take::<16>(rest)?))),
                    _ => None,
                };
                let last_use = LastUse { at, address, user_agent };
                counted.uses.push(SecretUse { tenant_id, application_id, secret_id, last_use });
            }
            SEEN => {
                let (tenant_id, application_id) = owner?;
                let network = text(&texts, u32::from_le_bytes(take(rest)?))?;
                let at = Timestamp::from_micros(i64::from_le_bytes(take(rest)?));
                counted.networks.push(NetworkUse { tenant_id, application_id, network, at });
            }
            _ => return None,
        }
    }
    Some(())
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*bytes)
}

impl Tx {
    /// Appends what was counted.
    pub async fn log_usage(&mut self, batch: &UsageBatch) -> Result<()> {
        // Several nodes append at the same time: none may wait for another's number, or meet it.
        let rows: Vec<_> = batch
            .shards
            .iter()
            .map(|(shard, body)| args![*shard, self.inner.log_number(), body.bytes.as_slice()])
            .collect();
        self.execute_many("insert into usage_log (shard, number, body) values {rows}", rows).await?;
        Ok(())
    }

    /// Adds the oldest rows of a shard to the tables, and deletes them; whether there may be more.
    pub async fn fold_usage(&mut self, shard: i64) -> Result<bool> {
        let rows: Vec<(Vec<u8>,)> = self
            .all(
                "delete from usage_log where shard = $1 and number in ( \
                     select number from usage_log where shard = $1 order by number limit $2 \
                 ) returning body",
                args![shard, ROWS_AT_ONCE],
            )
            .await?;
        let mut counted = Counted::default();
        for (body,) in &rows {
            // Counts that nobody can read are not worth that nothing is counted any more.
            if read(body, &mut counted).is_none() {
                tracing::error!(shard, bytes = body.len(), error = %damaged(), "dropped");
            }
        }
        self.add_usage(&counted.usage).await?;
        self.touch_secrets(&counted.uses).await?;
        self.touch_networks(&counted.networks).await?;
        Ok(i64::try_from(rows.len()).is_ok_and(|count| count >= ROWS_AT_ONCE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> UsageBatch {
        let at = Timestamp::from_micros;
        let mut batch = UsageBatch::default();
        for (application, user_agent) in [(1, "curl/8"), (2, "curl/8"), (3, "naïve\u{1f511}")] {
            let mut of = batch.of(TenantId::from_u128(5), ApplicationId::from_u128(application));
            of.called("org.audits:READ", Outcome::Allowed, 7, at(3_600_000_000), at(3_600_000_001));
            of.called("", Outcome::Limited, u32::MAX, at(0), at(i64::MAX));
            let address = [None, Some([192, 0, 2, 1].into()), Some(IpAddr::V6(Ipv6Addr::LOCALHOST))];
            for (secret, address) in (1..).zip(address) {
                of.used(SecretId::from_u128(secret), at(9), address, user_agent);
            }
            of.seen("192.0.2.0/24", at(9));
        }
        batch
    }

    #[test]
    fn what_is_written_is_read() {
        let Counted { usage, uses, networks } = batch().read().unwrap();
        assert_eq!((usage.len(), uses.len(), networks.len()), (6, 9, 3));
        assert_eq!((networks[2].network.as_str(), networks[2].application_id.as_u128()), ("192.0.2.0/24", 3));
        let (first, last) = (&usage[0], &usage[5]);
        assert_eq!((first.right.as_str(), first.outcome, first.count), ("org.audits:READ", Outcome::Allowed, 7));
        assert_eq!((last.right.as_str(), last.outcome, last.count), ("", Outcome::Limited, i64::from(u32::MAX)));
        assert_eq!((last.application_id.as_u128(), last.last_at.micros()), (3, i64::MAX));
        assert_eq!(uses[4].last_use.address, Some([192, 0, 2, 1].into()));
        assert_eq!(uses[8].last_use.user_agent, "naïve\u{1f511}");
    }

    #[test]
    fn damage_is_noticed_and_never_fatal() {
        let batch = batch();
        let body = &batch.shards.values().next().unwrap().bytes;
        for end in 0..body.len() {
            let _ = read(&body[..end], &mut Counted::default());
            let mut damaged = body.clone();
            damaged[end] ^= 0xff;
            let _ = read(&damaged, &mut Counted::default());
        }
        assert!(read(&[], &mut Counted::default()).is_none());
        assert!(read(&body[..body.len() - 1], &mut Counted::default()).is_none());
    }
}
