//! The access record of a tenant: who got a session token, when, how and from where. What is written at once for a tenant is
//! one row, a block, with a line for each entry; an exchange costs a line, not a row of its own.

use crate::engine::Store;
use crate::sql::{Tx, args, corrupt, row};
use claviger_domain::access::{Access, Filter, cleaned, parse_position};
use claviger_domain::id::{ApplicationId, TenantId, TokenId};
use claviger_domain::page::PageRequest;
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use std::cmp::Reverse;
use std::fmt::Write as _;

/// Most entries of a block.
const ENTRIES_MAX: usize = 128;
/// Blocks that are read at once.
const BLOCKS: i64 = 32;

row! {
    struct BlockRow {
        last_at: i64,
        id: String,
        entries: String,
    }
}

impl BlockRow {
    fn read(&self, tenant: TenantId) -> impl Iterator<Item = Result<Access>> {
        self.entries.lines().map(move |line| read(tenant, line).ok_or_else(|| corrupt("entries", line)))
    }
}

/// One bit, so that a block tells whose entries it cannot hold.
fn bit(application: ApplicationId) -> i64 {
    1 << (application.as_u128() % 63)
}

fn order(access: &Access) -> (Timestamp, TokenId) {
    (access.at, access.token_id)
}

/// Entries of a tenant that are written at once.
#[derive(Debug)]
pub struct AccessBlock {
    tenant: TenantId,
    first_at: Timestamp,
    last: (Timestamp, TokenId),
    /// A bit for each application that has one.
    applications: i64,
    entries: usize,
    /// A line for each: its fields with tabs between.
    text: String,
}

impl AccessBlock {
    /// One without entries.
    pub fn new(tenant: TenantId) -> Self {
        let (first_at, last) =
            (Timestamp::from_micros(i64::MAX), (Timestamp::from_micros(i64::MIN), TokenId::from_u128(0)));
        Self { tenant, first_at, last, applications: 0, entries: 0, text: String::new() }
    }

    /// How many entries it has.
    pub fn entries(&self) -> usize {
        self.entries
    }

    /// Whether it should get no more.
    pub fn is_full(&self) -> bool {
        self.entries >= ENTRIES_MAX
    }

    /// Appends an entry of the block's tenant. Texts are kept as [`claviger_domain::access::cleaned`] has them.
    pub fn add(&mut self, access: &Access<&str>) {
        let Access { at, token_id, application_id, door, address, expires_at, source, user_agent, .. } = access;
        self.entries += 1;
        self.first_at = self.first_at.min(*at);
        self.last = self.last.max((*at, *token_id));
        self.applications |= bit(*application_id);
        let text = &mut self.text;
        let _ = write!(text, "{}\t{token_id}\t{application_id}\t{door}\t", at.micros());
        if let Some(address) = address {
            let _ = write!(text, "{address}");
        }
        let _ = write!(text, "\t{}\t", expires_at.micros());
        text.extend(cleaned(source).chain(['\t']).chain(cleaned(user_agent)).chain(['\n']));
    }
}

fn read(tenant_id: TenantId, line: &str) -> Option<Access> {
    let mut fields = line.split('\t');
    let mut next = || fields.next();
    Some(Access {
        tenant_id,
        at: Timestamp::from_micros(next()?.parse().ok()?),
        token_id: TokenId::parse(next()?)?,
        application_id: ApplicationId::parse(next()?)?,
        door: next()?.to_owned(),
        address: Some(next()?).filter(|text| !text.is_empty()).map(str::parse).transpose().ok()?,
        expires_at: Timestamp::from_micros(next()?.parse().ok()?),
        source: next()?.to_owned(),
        user_agent: next()?.to_owned(),
    })
}

impl Tx {
    /// Adds blocks, of any tenants. Entries that are added twice are listed once.
    pub async fn insert_accesses(&mut self, blocks: &[AccessBlock]) -> Result<()> {
        let rows = blocks.iter().map(|block| {
            let AccessBlock { tenant, first_at, last, applications, text, .. } = block;
            args![*tenant, last.0, last.1.to_string(), *first_at, *applications, text]
        });
        self.execute_many(
            "insert into access_blocks (tenant_id, last_at, id, first_at, applications, entries) values {rows} \
             on conflict (tenant_id, last_at, id) do nothing",
            rows.collect(),
        )
        .await?;
        Ok(())
    }
}

impl Store {
    /// Entries of a tenant, newest first; positions are those of [`claviger_domain::access::position`].
    pub async fn list_accesses(&self, tenant: TenantId, filter: &Filter, page: &PageRequest) -> Result<Vec<Access>> {
        let after = match &page.after {
            None => (Timestamp::from_micros(i64::MAX), TokenId::from_u128(u128::MAX)),
            Some(text) => parse_position(text).ok_or_else(|| {
                Error::invalid("cursor", "not a cursor of this list", "pass next_cursor unchanged, or leave it out")
            })?,
        };
        let wanted = usize::try_from(page.fetch()).unwrap_or(usize::MAX);
        let (mut found, mut read_to) = (Vec::new(), (i64::MAX, TokenId::from_u128(u128::MAX).to_string()));
        loop {
            let blocks: Vec<BlockRow> = self
                .all(
                    "select last_at, id, entries from access_blocks \
                     where tenant_id = $1 and (last_at, id) < ($2, $3) and last_at >= $4 and first_at < $5 \
                     and first_at <= $6 and ($7 = 0 or (applications & $7) <> 0) \
                     order by last_at desc, id desc limit $8",
                    args![
                        tenant,
                        read_to.0,
                        read_to.1,
                        filter.since.unwrap_or(Timestamp::from_micros(i64::MIN)),
                        filter.until.unwrap_or(Timestamp::from_micros(i64::MAX)),
                        after.0,
                        filter.application.map_or(0, bit),
                        BLOCKS
                    ],
                )
                .await?;
            for access in blocks.iter().flat_map(|block| block.read(tenant)) {
                let access = access?;
                if order(&access) < after && filter.takes(&access) {
                    found.push(access);
                }
            }
            found.sort_by_key(|access| Reverse(order(access)));
            found.dedup_by_key(|access| order(access));
            let left = i64::try_from(blocks.len()).is_ok_and(|count| count == BLOCKS);
            let Some(last) = blocks.into_iter().last().filter(|_| left) else { break };
            // Blocks overlap: what was not read yet may be as late as the last of them.
            if found.partition_point(|access| access.at.micros() > last.last_at) >= wanted {
                break;
            }
            read_to = (last.last_at, last.id);
        }
        found.truncate(wanted);
        Ok(found)
    }
}
