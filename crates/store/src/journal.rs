//! The journal: a tenant's ordered list of what happened to its data, in commit order and without gaps.

use crate::engine::Store;
use crate::sql::{Tx, args, corrupt};
use claviger_domain::Result;
use claviger_domain::id::TenantId;
use claviger_domain::time::Timestamp;
use serde_json::Value;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalEntry {
    /// What kind of thing.
    pub kind: String,
    /// What is to be known of it.
    pub body: Value,
}

impl Tx {
    /// Appends entries; the position of the last. Holds the tenant's stream until the unit ends, so that positions are
    /// in commit order.
    pub async fn append_journal(&mut self, tenant: TenantId, now: Timestamp, entries: &[JournalEntry]) -> Result<i64> {
        let count = i64::try_from(entries.len()).unwrap_or(i64::MAX);
        let (next,): (i64,) = self
            .one(
                "insert into streams (tenant_id, next) values ($1, 1 + $2) \
                 on conflict (tenant_id) do update set next = streams.next + $2 \
                 returning next",
                args![tenant, count],
            )
            .await?;
        let rows = entries
            .iter()
            .zip(next - count..)
            .map(|(entry, position)| args![tenant, position, now, &entry.kind, entry.body.to_string()]);
        self.execute_many("insert into journal (tenant_id, position, at, kind, body) values {rows}", rows.collect())
            .await?;
        Ok(next - 1)
    }
}

impl Store {
    /// Entries after a position, in order, as (position, time, kind, body).
    pub async fn read_journal(
        &self,
        tenant: TenantId,
        after: i64,
        limit: i64,
    ) -> Result<Vec<(i64, Timestamp, String, Value)>> {
        let found: Vec<(i64, i64, String, String)> = self
            .all(
                "select position, at, kind, body from journal \
                 where tenant_id = $1 and position > $2 order by position limit $3",
                args![tenant, after, limit],
            )
            .await?;
        let read = |(position, at, kind, body): (i64, i64, String, String)| {
            let body = serde_json::from_str(&body).map_err(|_| corrupt("journal entry", &body))?;
            Ok((position, Timestamp::from_micros(at), kind, body))
        };
        found.into_iter().map(read).collect()
    }
}
