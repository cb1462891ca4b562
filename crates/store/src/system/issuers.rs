//! What crosses tenants about trusted issuers: loading at start.

use crate::engine::Store;
use crate::sql::args;
use crate::trusted_issuers::{IssuerRow, assemble};
use claviger_domain::Result;
use claviger_domain::id::{IssuerId, TenantId};
use claviger_domain::trusted_issuer::TrustedIssuer;

impl Store {
    /// Trusted issuers of all tenants with their bindings, at most `limit` after the given one, in a fixed order.
    pub async fn load_trusted_issuers(
        &self,
        after: Option<(TenantId, IssuerId)>,
        limit: i64,
    ) -> Result<Vec<TrustedIssuer>> {
        let (tenant, id) = after.map_or_else(Default::default, |(tenant, id)| (tenant.to_string(), id.to_string()));
        let found: Vec<IssuerRow> = self
            .all(
                "select t.tenant_id, t.id, t.name, t.issuer, t.audience, t.keys, t.keys_text, t.algorithms, \
                 t.max_age_seconds, t.single_use, t.enabled, t.version, t.created_at, t.updated_at, b.id as binding_id, \
                 b.application_id, b.description, b.conditions from ( \
                     select * from trusted_issuers where (tenant_id, id) > ($1, $2) order by tenant_id, id limit $3 \
                 ) t left join issuer_bindings b on b.tenant_id = t.tenant_id and b.issuer_id = t.id \
                 order by t.tenant_id, t.id, b.place",
                args![tenant, id, limit],
            )
            .await?;
        assemble(found)
    }
}
