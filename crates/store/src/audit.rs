//! The audit chain of each tenant.

use crate::engine::Store;
use crate::sql::{Tx, args, hash_of, row};
use claviger_domain::Result;
use claviger_domain::audit::{Entry, Filter, GENESIS, NewEntry, link};
use claviger_domain::id::TenantId;
use claviger_domain::page::PageRequest;
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, audit};

/// An entry exactly as it was chained: what a verifier recomputes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// Place in the chain.
    pub number: i64,
    /// When, as the column for filters has it.
    pub at: Timestamp,
    /// The canonical text that was hashed.
    pub canonical: String,
    /// Hash of the chain up to and with this entry.
    pub hash: [u8; 32],
}

/// An entry with the columns beside its text that lists are filtered by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainedEntry {
    /// The entry.
    pub entry: StoredEntry,
    /// The actor's id.
    pub actor: String,
    /// The action.
    pub action: String,
    /// The target's id.
    pub target: String,
}

row! {
    struct ChainedRow {
        number: i64,
        at: i64,
        body: String,
        hash: Vec<u8>,
        actor: String,
        action: String,
        target: String,
    }
}

row! {
    struct EntryRow {
        number: i64,
        at: i64,
        body: String,
        hash: Vec<u8>,
    }
}

impl EntryRow {
    fn read(self) -> Result<StoredEntry> {
        let at = Timestamp::from_micros(self.at);
        Ok(StoredEntry { number: self.number, at, canonical: self.body, hash: hash_of(&self.hash)? })
    }
}

impl StoredEntry {
    fn open(self) -> Result<Entry> {
        let body = serde_json::from_str(&self.canonical)
            .map_err(|error| Error::Internal(format!("audit entry {} is not JSON: {error}", self.number)))?;
        Ok(Entry { number: self.number, at: self.at, body, hash: self.hash })
    }
}

impl Tx {
    /// Appends an entry to the tenant's chain. Takes the head, so it comes after the rows of nouns and the journal.
    pub async fn append_audit(&mut self, tenant: TenantId, new: &NewEntry) -> Result<Entry> {
        let (number, previous): (i64, Vec<u8>) = self
            .one(
                "insert into audit_heads (tenant_id, number, hash) values ($1, 1, $2) \
                 on conflict (tenant_id) do update set number = audit_heads.number + 1 \
                 returning number, hash",
                args![tenant, &GENESIS],
            )
            .await?;
        let body = new.canonical(tenant, number);
        let canonical = body.to_string();
        let hash = link(&hash_of(&previous)?, &canonical);
        self.execute(
            "insert into audit_entries (tenant_id, number, at, actor, action, target, body, hash) \
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
            args![
                tenant,
                number,
                new.at,
                audit::clean(&new.actor.id),
                new.action,
                audit::clean(&new.target.id),
                canonical,
                &hash
            ],
        )
        .await?;
        self.execute("update audit_heads set hash = $2 where tenant_id = $1", args![tenant, &hash]).await?;
        Ok(Entry { number, at: new.at, body, hash })
    }
}

impl Tx {
    /// Entries after `position`, or where there is none yet those at or after `since`, oldest first.
    pub async fn list_audit_queue(
        &mut self,
        tenant: TenantId,
        position: Option<i64>,
        since: Timestamp,
        limit: i64,
    ) -> Result<Vec<StoredEntry>> {
        let since = if position.is_some() { i64::MIN } else { since.micros() };
        let found: Vec<EntryRow> = self
            .all(
                "select number, at, body, hash from audit_entries \
                 where tenant_id = $1 and number > $2 and at >= $3 order by number limit $4",
                args![tenant, position.unwrap_or(0), since, limit],
            )
            .await?;
        found.into_iter().map(EntryRow::read).collect()
    }
}

impl Store {
    /// The entries that the filter lets through, newest first; positions are numbers.
    pub async fn list_audit(&self, tenant: TenantId, filter: &Filter, page: &PageRequest) -> Result<Vec<Entry>> {
        if [&filter.actor, &filter.action, &filter.target].into_iter().flatten().any(|text| text.contains('\0')) {
            // PostgreSQL takes no such text, not even to find nothing.
            return Ok(Vec::new());
        }
        let found: Vec<EntryRow> = self
            .all(
                "select number, at, body, hash from audit_entries \
                 where tenant_id = $1 and number < $2 and at >= $3 and at < $4 \
                 and ($5 is null or actor = $5) and ($6 is null or action = $6) and ($7 is null or target = $7) \
                 order by number desc limit $8",
                args![
                    tenant,
                    page.after_number()?.unwrap_or(i64::MAX),
                    filter.since.map_or(i64::MIN, Timestamp::micros),
                    filter.until.map_or(i64::MAX, Timestamp::micros),
                    filter.actor.as_deref(),
                    filter.action.as_deref(),
                    filter.target.as_deref(),
                    page.fetch()
                ],
            )
            .await?;
        found.into_iter().map(|row| row.read()?.open()).collect()
    }

    /// Entries after a number and, if given, before a time, as they were chained, oldest first.
    pub async fn list_audit_after(
        &self,
        tenant: TenantId,
        after: i64,
        until: Option<Timestamp>,
        limit: i64,
    ) -> Result<Vec<StoredEntry>> {
        let found: Vec<EntryRow> = self
            .all(
                "select number, at, body, hash from audit_entries \
                 where tenant_id = $1 and number > $2 and at < $3 order by number limit $4",
                args![tenant, after, until.map_or(i64::MAX, Timestamp::micros), limit],
            )
            .await?;
        found.into_iter().map(EntryRow::read).collect()
    }

    /// Entries after a number, oldest first, with all that is stored of them.
    pub async fn list_chain(&self, tenant: TenantId, after: i64, limit: i64) -> Result<Vec<ChainedEntry>> {
        let found: Vec<ChainedRow> = self
            .all(
                "select number, at, body, hash, actor, action, target from audit_entries \
                 where tenant_id = $1 and number > $2 order by number limit $3",
                args![tenant, after, limit],
            )
            .await?;
        let read = |row: ChainedRow| {
            let ChainedRow { number, at, body, hash, actor, action, target } = row;
            Ok(ChainedEntry { entry: EntryRow { number, at, body, hash }.read()?, actor, action, target })
        };
        found.into_iter().map(read).collect()
    }

    /// The head of a tenant's chain: number and hash of the last entry.
    pub async fn find_head(&self, tenant: TenantId) -> Result<Option<(i64, [u8; 32])>> {
        let found: Option<(i64, Vec<u8>)> =
            self.optional("select number, hash from audit_heads where tenant_id = $1", args![tenant]).await?;
        found.map(|(number, hash)| Ok((number, hash_of(&hash)?))).transpose()
    }

    /// The highest number of an entry before `at`, or 0.
    pub async fn audit_number_at(&self, tenant: TenantId, at: Timestamp) -> Result<i64> {
        let found: Option<(i64,)> = self
            .optional(
                "select number from audit_entries where tenant_id = $1 and at < $2 order by number desc limit 1",
                args![tenant, at],
            )
            .await?;
        Ok(found.map_or(0, |(number,)| number))
    }
}
