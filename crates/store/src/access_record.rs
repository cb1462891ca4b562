//! The access record of a tenant: who got a session token, when, how and from where.

use crate::engine::Store;
use crate::sql::{Tx, args, corrupt, id_of, row};
use claviger_domain::access::{Access, Filter, parse_position};
use claviger_domain::id::{ApplicationId, TenantId, TokenId};
use claviger_domain::page::PageRequest;
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};

row! {
    struct AccessRow {
        tenant_id: String,
        at: i64,
        token_id: String,
        application_id: String,
        door: String,
        address: Option<String>,
        user_agent: String,
        source: String,
        expires_at: i64,
    }
}

impl AccessRow {
    fn read(self) -> Result<Access> {
        let address = self.address.map(|text| text.parse().map_err(|_| corrupt("address", &text))).transpose()?;
        Ok(Access {
            tenant_id: id_of!(TenantId, &self.tenant_id)?,
            at: Timestamp::from_micros(self.at),
            token_id: id_of!(TokenId, &self.token_id)?,
            application_id: id_of!(ApplicationId, &self.application_id)?,
            door: self.door,
            address,
            user_agent: self.user_agent,
            source: self.source,
            expires_at: Timestamp::from_micros(self.expires_at),
        })
    }
}

impl Tx {
    /// Adds entries, of any tenants; one that is there already stays.
    pub async fn insert_accesses(&mut self, accesses: &[Access]) -> Result<()> {
        let rows = accesses.iter().map(|one| {
            args![
                one.tenant_id,
                one.at,
                one.token_id.to_string(),
                one.application_id,
                &one.door,
                one.address.map(|address| address.to_string()),
                &one.user_agent,
                &one.source,
                one.expires_at
            ]
        });
        self.execute_many(
            "insert into access_record \
             (tenant_id, at, token_id, application_id, door, address, user_agent, source, expires_at) values {rows} \
             on conflict (tenant_id, at, token_id) do nothing",
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
        let application = filter.application.map_or_else(String::new, |id| id.to_string());
        let found: Vec<AccessRow> = self
            .all(
                "select tenant_id, at, token_id, application_id, door, address, user_agent, source, expires_at \
                 from access_record \
                 where tenant_id = $1 and (at, token_id) < ($2, $3) and at >= $4 and at < $5 \
                 and ($6 = '' or application_id = $6) order by at desc, token_id desc limit $7",
                args![
                    tenant,
                    after.0,
                    after.1.to_string(),
                    filter.since.unwrap_or(Timestamp::from_micros(i64::MIN)),
                    filter.until.unwrap_or(Timestamp::from_micros(i64::MAX)),
                    application,
                    page.fetch()
                ],
            )
            .await?;
        found.into_iter().map(AccessRow::read).collect()
    }
}
