//! Applications about whose lives something may have to be done.

use crate::engine::Store;
use crate::sql::{args, id_of};
use claviger_domain::Result;
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::time::Timestamp;

/// What to look for: own ends that lie ahead and not too far, and credentials that are old.
#[derive(Clone, Copy, Debug)]
pub struct Ageing {
    /// What has ended before is left alone.
    pub now: Timestamp,
    /// Own ends until then.
    pub until: Timestamp,
    /// Applications made until then, if any are too old.
    pub applications_made_until: Option<Timestamp>,
    /// Secrets made until then, if any are too old.
    pub secrets_made_until: Option<Timestamp>,
}

impl Store {
    /// The tenant's applications that have such a secret, or are such themselves, by id.
    pub async fn list_ageing(
        &self,
        tenant: TenantId,
        ageing: &Ageing,
        after: Option<ApplicationId>,
        limit: i64,
    ) -> Result<Vec<ApplicationId>> {
        let none = Timestamp::from_micros(i64::MIN);
        let found: Vec<(String,)> = self
            .all(
                "select distinct a.id from applications a \
                 join secrets s on s.tenant_id = a.tenant_id and s.application_id = a.id \
                 where a.tenant_id = $1 and a.id > $2 \
                 and (s.expires_at is null or s.expires_at > $3) and (a.expires_at is null or a.expires_at > $3) \
                 and (s.expires_at <= $4 or a.expires_at <= $4 or a.created_at <= $5 or s.created_at <= $6) \
                 order by a.id limit $7",
                args![
                    tenant,
                    after.map_or_else(String::new, |id| id.to_string()),
                    ageing.now,
                    ageing.until,
                    ageing.applications_made_until.unwrap_or(none),
                    ageing.secrets_made_until.unwrap_or(none),
                    limit
                ],
            )
            .await?;
        found.iter().map(|(id,)| id_of!(ApplicationId, id)).collect()
    }
}
