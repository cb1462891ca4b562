//! Secrets that were reported as leaked: remembered by their hash, so that a second report of one is known.

use crate::sql::{Tx, args};
use claviger_domain::Result;
use claviger_domain::id::{ApplicationId, SecretId, TenantId};
use claviger_domain::leak::Outcome;
use claviger_domain::secret::SecretHash;
use claviger_domain::time::Timestamp;

/// Where a secret stands, or stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Tenant.
    pub tenant: TenantId,
    /// Application.
    pub application: ApplicationId,
    /// Secret.
    pub secret: SecretId,
}

impl Tx {
    /// Remembers a secret that was reported, and what became of it.
    pub async fn insert_leak(
        &mut self,
        tenant: TenantId,
        place: Place,
        hash: &SecretHash,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<()> {
        self.execute(
            "insert into leaks (tenant_id, hash, application_id, secret_id, outcome, at) \
             values ($1, $2, $3, $4, $5, $6) \
             on conflict (tenant_id, hash) do update set application_id = excluded.application_id, \
             secret_id = excluded.secret_id, outcome = excluded.outcome, at = excluded.at",
            args![tenant, hash.as_bytes(), place.application, place.secret, outcome.as_str(), now],
        )
        .await?;
        Ok(())
    }
}
