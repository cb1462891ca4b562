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

/// How a row's body is written; the first byte of each. Numbers are LEB128; a time is told by its distance from the one before
/// it, since all of a second lie near each other.
const FORMAT: u8 = 2;
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
/// A tenant, to be named by its place among all tenants of the row.
const TENANT: u8 = 6;

/// Kinds of texts.
const KINDS: usize = 3;
const RIGHT: usize = 0;
const NETWORK: usize = 1;
const USER_AGENT: usize = 2;

/// What was counted in a second.
#[derive(Clone, Debug, Default)]
pub struct UsageBatch {
    shards: BTreeMap<i64, Body>,
}

/// What was counted in a second of one shard.
#[derive(Clone, Debug)]
struct Body {
    bytes: Vec<u8>,
    texts: HashMap<Box<str>, u64>,
    /// The text of each kind that was named last, and its place: mostly it is named again.
    last: [(String, Option<u64>); KINDS],
    tenants: HashMap<u128, u64>,
    /// The tenant that was named last, and its place.
    last_tenant: Option<(u128, u64)>,
    times: Times,
}

/// The hour and the time that were told last.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    hour: i64,
    at: i64,
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
        let body = self.shards.entry(shard_of(tenant)).or_insert_with(Body::new);
        let place = body.tenant(tenant);
        body.bytes.push(OWNER);
        write(&mut body.bytes, place);
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
        let right = self.body.text(RIGHT, right);
        let outcome = Outcome::ALL.iter().position(|known| *known == outcome).unwrap_or_default();
        let Body { bytes, times, .. } = &mut *self.body;
        bytes.extend_from_slice(&[CALLED, u8::try_from(outcome).unwrap_or_default()]);
        write(bytes, right);
        write(bytes, count.into());
        write_time(bytes, &mut times.hour, hour);
        write_time(bytes, &mut times.at, last_at);
    }

    /// The last call out of an allowed network.
    pub fn seen(&mut self, network: &str, at: Timestamp) {
        let network = self.body.text(NETWORK, network);
        let Body { bytes, times, .. } = &mut *self.body;
        bytes.push(SEEN);
        write(bytes, network);
        write_time(bytes, &mut times.at, at);
    }

    /// The last use of a secret.
    pub fn used(&mut self, secret: SecretId, at: Timestamp, address: Option<IpAddr>, user_agent: &str) {
        let user_agent = self.body.text(USER_AGENT, user_agent);
        let Body { bytes, times, .. } = &mut *self.body;
        bytes.push(USED);
        bytes.extend_from_slice(&secret.as_u128().to_le_bytes());
        write_time(bytes, &mut times.at, at);
        write(bytes, user_agent);
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
    fn new() -> Self {
        Self {
            bytes: vec![FORMAT],
            texts: HashMap::new(),
            last: <[_; KINDS]>::default(),
            tenants: HashMap::new(),
            last_tenant: None,
            times: Times::default(),
        }
    }

    fn text(&mut self, kind: usize, text: &str) -> u64 {
        let last = self.last.get(kind).filter(|(last, _)| last == text).and_then(|(_, place)| *place);
        last.unwrap_or_else(|| {
            let place = self.known_text(text);
            if let Some((last, at)) = self.last.get_mut(kind) {
                text.clone_into(last);
                *at = Some(place);
            }
            place
        })
    }

    fn known_text(&mut self, text: &str) -> u64 {
        if let Some(place) = self.texts.get(text) {
            return *place;
        }
        let place = self.texts.len() as u64;
        self.texts.insert(text.into(), place);
        self.bytes.push(TEXT);
        write(&mut self.bytes, text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
        place
    }

    fn tenant(&mut self, tenant: TenantId) -> u64 {
        if let Some((_, place)) = self.last_tenant.filter(|(last, _)| *last == tenant.as_u128()) {
            return place;
        }
        let next = self.tenants.len() as u64;
        let place = *self.tenants.entry(tenant.as_u128()).or_insert(next);
        if place == next {
            self.bytes.push(TENANT);
            self.bytes.extend_from_slice(&tenant.as_u128().to_le_bytes());
        }
        self.last_tenant = Some((tenant.as_u128(), place));
        place
    }
}

fn write(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn read_number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let [byte] = take(rest)?;
        let bits = u64::from(byte & 0x7f);
        // The tenth byte has room for one bit.
        number |= bits.checked_shl(shift).filter(|shifted| shifted >> shift == bits)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Later times are even, earlier ones odd.
fn write_time(bytes: &mut Vec<u8>, last: &mut i64, at: Timestamp) {
    let distance = at.micros().wrapping_sub(*last);
    *last = at.micros();
    write(bytes, ((distance << 1) ^ (distance >> 63)).cast_unsigned());
}

fn read_time(rest: &mut &[u8], last: &mut i64) -> Option<Timestamp> {
    let told = read_number(rest)?;
    let distance = (told >> 1).cast_signed() ^ -((told & 1).cast_signed());
    *last = last.wrapping_add(distance);
    Some(Timestamp::from_micros(*last))
}

fn damaged() -> Error {
    Error::Internal("the store holds a row of the usage log that cannot be read".into())
}

/// Takes a row's body apart; nothing where it is none.
fn read(body: &[u8], counted: &mut Counted) -> Option<()> {
    let mut rest = body.strip_prefix(&[FORMAT])?;
    let rest = &mut rest;
    let (mut texts, mut tenants, mut owner) = (Vec::new(), Vec::new(), None);
    let mut times = Times::default();
    let text = |texts: &[String], place: u64| texts.get(usize::try_from(place).ok()?).cloned();
    while let Some((kind, after)) = rest.split_first() {
        *rest = after;
        match *kind {
            TEXT => {
                let length = usize::try_from(read_number(rest)?).ok()?;
                let (bytes, after) = rest.split_at_checked(length)?;
                *rest = after;
                texts.push(std::str::from_utf8(bytes).ok()?.to_owned());
            }
            TENANT => tenants.push(TenantId::from_u128(u128::from_le_bytes(take(rest)?))),
            OWNER => {
                let tenant = *tenants.get(usize::try_from(read_number(rest)?).ok()?)?;
                owner = Some((tenant, ApplicationId::from_u128(u128::from_le_bytes(take(rest)?))));
            }
            CALLED => {
                let ((tenant_id, application_id), [outcome]) = (owner?, take(rest)?);
                counted.usage.push(UsageDelta {
                    tenant_id,
                    application_id,
                    outcome: *Outcome::ALL.get(usize::from(outcome))?,
                    right: text(&texts, read_number(rest)?)?,
                    count: i64::from(u32::try_from(read_number(rest)?).ok()?),
                    hour: read_time(rest, &mut times.hour)?,
                    last_at: read_time(rest, &mut times.at)?,
                });
            }
            USED => {
                let (tenant_id, application_id) = owner?;
                let secret_id = SecretId::from_u128(u128::from_le_bytes(take(rest)?));
                let at = read_time(rest, &mut times.at)?;
                let user_agent = text(&texts, read_number(rest)?)?;
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
                let network = text(&texts, read_number(rest)?)?;
                let at = read_time(rest, &mut times.at)?;
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
mod tests;
