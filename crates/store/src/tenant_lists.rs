//! Lists of tenants at and beneath one, and searches among them. They ask `tenant_paths` and `tenant_words`, which hold a row
//! for each tenant above: what a page costs does not grow with the tree.

use crate::engine::Store;
use crate::sql::{Tx, args};
use crate::tenants::{TenantRow, tenant_columns};
use claviger_domain::id::TenantId;
use claviger_domain::page::PageRequest;
use claviger_domain::tenant::naming::{WORD_MAX, words};
use claviger_domain::tenant::{Kind, Status, Tenant};
use claviger_domain::{Error, Result};

/// More than any letter.
const LAST: char = char::MAX;
/// Matches of a word that are counted to find out which word of a search is the rarest.
const COUNTED: i64 = 1_000;

/// Which tenants are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantFilter {
    /// Right beneath this one.
    pub parent_id: Option<TenantId>,
    /// Of this kind.
    pub kind: Option<Kind>,
    /// Of this status of their own.
    pub status: Option<Status>,
    /// With this external id.
    pub external_id: Option<String>,
}

impl TenantFilter {
    /// Whether a tenant is wanted.
    pub fn fits(&self, tenant: &Tenant) -> bool {
        self.parent_id.is_none_or(|parent| tenant.parent_id == Some(parent))
            && self.kind.is_none_or(|kind| tenant.kind == kind)
            && self.status.is_none_or(|status| tenant.status == status)
            && self.external_id.as_ref().is_none_or(|id| tenant.details.external_id.as_ref() == Some(id))
    }
}

/// In which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TenantOrder {
    /// In which they were made.
    #[default]
    Id,
    /// By name.
    Name,
}

/// A list out of a table, in an order. `$1` is the root, `$2` and `$3` where the page before ended (name and id), `$4` how
/// many, `$5` to `$8` parent, kind, status and external id.
macro_rules! list {
    ($from:literal, $order:literal) => {
        concat!(
            "select ",
            tenant_columns!(),
            " from ",
            $from,
            " and ($5 is null or t.parent_id = $5) and ($6 is null or t.kind = $6) \
             and ($7 is null or t.status = $7) and ($8 is null or t.external_id = $8)",
            $order
        )
    };
}

macro_rules! within {
    () => {
        " and exists (select 1 from tenant_paths p where p.tenant_id = $1 and p.beneath_id = t.id)"
    };
}

/// The statement for a filter: the narrowest index leads.
fn statement(filter: &TenantFilter, order: TenantOrder) -> &'static str {
    const OUT_OF_THE_TREE: [&str; 2] = [
        list!(
            "tenant_paths p join tenants t on t.id = p.beneath_id where p.tenant_id = $1 and p.beneath_id > $3",
            " order by p.beneath_id limit $4"
        ),
        list!(
            "tenant_paths p join tenants t on t.id = p.beneath_id where p.tenant_id = $1 \
               and (p.name_key, p.beneath_id) > ($2, $3)",
            " order by p.name_key, p.beneath_id limit $4"
        ),
    ];
    const OF_A_KIND: [&str; 2] = [
        list!(
            "tenant_paths p join tenants t on t.id = p.beneath_id where p.tenant_id = $1 and p.kind = $6 \
               and p.beneath_id > $3",
            " order by p.beneath_id limit $4"
        ),
        list!(
            "tenant_paths p join tenants t on t.id = p.beneath_id where p.tenant_id = $1 and p.kind = $6 \
               and (p.name_key, p.beneath_id) > ($2, $3)",
            " order by p.name_key, p.beneath_id limit $4"
        ),
    ];
    const UNDER_A_PARENT: [&str; 2] = [
        concat!(list!("tenants t where t.parent_id = $5 and t.id > $3", ""), within!(), " order by t.id limit $4"),
        concat!(
            list!("tenants t where t.parent_id = $5 and (t.name_key, t.id) > ($2, $3)", ""),
            within!(),
            " order by t.name_key, t.id limit $4"
        ),
    ];
    const BY_EXTERNAL_ID: [&str; 2] = [
        concat!(list!("tenants t where t.external_id = $8 and t.id > $3", ""), within!(), " order by t.id limit $4"),
        concat!(
            list!("tenants t where t.external_id = $8 and (t.name_key, t.id) > ($2, $3)", ""),
            within!(),
            " order by t.name_key, t.id limit $4"
        ),
    ];
    let [by_id, by_name] = match filter {
        TenantFilter { external_id: Some(_), .. } => BY_EXTERNAL_ID,
        TenantFilter { parent_id: Some(_), .. } => UNDER_A_PARENT,
        TenantFilter { kind: Some(_), .. } => OF_A_KIND,
        _ => OUT_OF_THE_TREE,
    };
    match order {
        TenantOrder::Id => by_id,
        TenantOrder::Name => by_name,
    }
}

/// What `$2` to `$5` of a search stand for, besides its words.
struct Found {
    word: String,
    id: String,
}

const SEARCH: &str = concat!(
    "select ",
    tenant_columns!(),
    " from tenant_words w join tenants t on t.id = w.beneath_id \
     where w.tenant_id = $1 and (w.word, w.beneath_id) > ($2, $3) and w.word < $4 \
     and not exists (select 1 from tenant_words e where e.beneath_id = w.beneath_id and e.tenant_id = $1 \
     and e.word >= $5 and e.word < w.word) \
     and exists (select 1 from tenant_words o where o.beneath_id = w.beneath_id and o.tenant_id = $1 \
     and o.word >= $6 and o.word < $7) \
     and exists (select 1 from tenant_words o where o.beneath_id = w.beneath_id and o.tenant_id = $1 \
     and o.word >= $8 and o.word < $9) \
     and exists (select 1 from tenant_words o where o.beneath_id = w.beneath_id and o.tenant_id = $1 \
     and o.word >= $10 and o.word < $11) \
     and ($12 is null or t.parent_id = $12) and ($13 is null or t.kind = $13) \
     and ($14 is null or t.status = $14) and ($15 is null or t.external_id = $15) \
     order by w.word, w.beneath_id limit $16"
);

impl Store {
    /// The tenants of a kind among `root` and everything beneath it, by name; so many at most.
    pub async fn list_kind_beneath(&self, root: TenantId, kind: Kind, most: i64) -> Result<Vec<Tenant>> {
        let filter = TenantFilter { kind: Some(kind), ..TenantFilter::default() };
        self.list(root, &filter, TenantOrder::Name, (String::new(), String::new()), most).await
    }

    /// Those that are wanted of the tenant `root` and everything beneath it; positions are ids.
    pub async fn list_tenants_beneath(
        &self,
        root: TenantId,
        filter: &TenantFilter,
        order: TenantOrder,
        page: &PageRequest,
    ) -> Result<Vec<Tenant>> {
        let after = page.after.clone().unwrap_or_default();
        let name = match (&page.after, order) {
            (Some(after), TenantOrder::Name) => {
                let found: Option<(String,)> = self
                    .optional(
                        "select name_key from tenant_paths where tenant_id = $1 and beneath_id = $2",
                        args![root, after],
                    )
                    .await?;
                // It is gone since the page before.
                found.ok_or_else(stale)?.0
            }
            _ => String::new(),
        };
        self.list(root, filter, order, (name, after), page.fetch()).await
    }

    async fn list(
        &self,
        root: TenantId,
        filter: &TenantFilter,
        order: TenantOrder,
        (name, id): (String, String),
        most: i64,
    ) -> Result<Vec<Tenant>> {
        let TenantFilter { parent_id, kind, status, external_id } = filter.clone();
        let values =
            args![root, name, id, most, parent_id, kind.map(Kind::as_str), status.map(Status::as_str), external_id];
        let found: Vec<TenantRow> = self.all(statement(filter, order), values).await?;
        found.into_iter().map(TenantRow::read).collect()
    }

    /// Those that are wanted of the tenant `root` and everything beneath it, and have for each word of the search one in their
    /// name that begins so; with the position of each. They come by the word that was found.
    pub async fn search_tenants_beneath(
        &self,
        root: TenantId,
        wanted: &[String],
        filter: &TenantFilter,
        page: &PageRequest,
    ) -> Result<Vec<(Tenant, String)>> {
        let (leading, after) = match &page.after {
            Some(position) => read_position(position, wanted.len())?,
            None => (self.rarest(root, wanted).await?, Found { word: String::new(), id: String::new() }),
        };
        let Some(word) = wanted.get(leading) else { return Ok(Vec::new()) };
        let mut values =
            args![root, if after.word.is_empty() { word } else { &after.word }, after.id, until(word), word];
        let others = wanted.iter().enumerate().filter(|(index, _)| *index != leading).map(|(_, other)| other.as_str());
        for other in others.chain(std::iter::repeat("")).take(3) {
            values.extend(args![other, until(other)]);
        }
        let TenantFilter { parent_id, kind, status, external_id } = filter.clone();
        values.extend(args![parent_id, kind.map(Kind::as_str), status.map(Status::as_str), external_id, page.fetch()]);
        let found: Vec<TenantRow> = self.all(SEARCH, values).await?;
        let placed = found.into_iter().map(|row| {
            let id = row.id.clone();
            let key = row.name_key.clone();
            let found = words(&key).into_iter().find(|known| known.starts_with(word.as_str())).unwrap_or_default();
            Ok((row.read()?, format!("{leading} {id} {found}")))
        });
        placed.collect()
    }

    /// Which word of a search fits the fewest.
    async fn rarest(&self, root: TenantId, wanted: &[String]) -> Result<usize> {
        let mut rarest = (0, i64::MAX);
        for (index, word) in wanted.iter().enumerate().filter(|_| wanted.len() > 1) {
            let counted: Option<(i64,)> = self
                .optional(
                    "select count(*) from ( \
                         select 1 as one from tenant_words where tenant_id = $1 and word >= $2 and word < $3 limit $4 \
                     ) c",
                    args![root, word, until(word), COUNTED],
                )
                .await?;
            let count = counted.map_or(0, |(count,)| count);
            if count < rarest.1 {
                rarest = (index, count);
            }
        }
        Ok(rarest.0)
    }
}

/// Where the words that begin so end.
fn until(word: &str) -> String {
    format!("{word}{LAST}")
}

fn stale() -> Error {
    Error::invalid("cursor", "the list has changed where the page before ended", "begin with the first page again")
}

fn read_position(position: &str, words: usize) -> Result<(usize, Found)> {
    let mut parts = position.splitn(3, ' ');
    let mut next = || parts.next().map(str::to_owned);
    let leading = next().and_then(|text| text.parse().ok()).filter(|leading| *leading < words);
    match (leading, next(), next()) {
        (Some(leading), Some(id), Some(word)) if word.chars().count() <= WORD_MAX => Ok((leading, Found { word, id })),
        _ => Err(stale()),
    }
}

impl Tx {
    /// Notes where a new tenant stands, and what it is found by.
    pub(crate) async fn place_tenant(&mut self, tenant: &Tenant, name_key: &str) -> Result<()> {
        let kind = tenant.kind.as_str();
        self.execute(
            "insert into tenant_paths (tenant_id, beneath_id, kind, name_key) values ($1, $1, $2, $3)",
            args![tenant.id, kind, name_key],
        )
        .await?;
        if let Some(parent) = tenant.parent_id {
            self.execute(
                "insert into tenant_paths (tenant_id, beneath_id, kind, name_key) \
                 select tenant_id, $1, $2, $3 from tenant_paths where beneath_id = $4",
                args![tenant.id, kind, name_key, parent],
            )
            .await?;
        }
        self.note_words(tenant.id, name_key).await
    }

    /// Notes the name of a tenant anew, where it has changed.
    pub(crate) async fn rename_tenant(&mut self, tenant: TenantId, name_key: &str) -> Result<()> {
        let renamed = self
            .execute(
                "update tenant_paths set name_key = $2 where beneath_id = $1 and name_key <> $2",
                args![tenant, name_key],
            )
            .await?;
        if renamed == 0 {
            return Ok(());
        }
        self.execute("delete from tenant_words where beneath_id = $1", args![tenant]).await?;
        self.note_words(tenant, name_key).await
    }

    async fn note_words(&mut self, tenant: TenantId, name_key: &str) -> Result<()> {
        for word in words(name_key) {
            self.execute(
                "insert into tenant_words (tenant_id, word, beneath_id) \
                 select tenant_id, $2, $1 from tenant_paths where beneath_id = $1",
                args![tenant, word],
            )
            .await?;
        }
        Ok(())
    }

    /// Whether a tenant or one above it is being deleted.
    pub async fn is_tenant_leaving(&mut self, tenant: TenantId) -> Result<bool> {
        let found: Option<(String,)> = self
            .optional(
                "select t.id from tenant_paths p join tenants t on t.id = p.tenant_id \
                 where p.beneath_id = $1 and t.status = 'deleting' limit 1",
                args![tenant],
            )
            .await?;
        Ok(found.is_some())
    }
}
