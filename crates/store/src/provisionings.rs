//! Tenants that are being provisioned: a row for each, at the tenant above, moved on in the transaction of each step.

use crate::engine::Store;
use crate::sql::{Tx, args, corrupt, hash_of, id_of, row};
use claviger_domain::id::{ProvisioningId, TenantId};
use claviger_domain::page::PageRequest;
use claviger_domain::provisioning::{Progress, Provisioning, Wanted, steps_from_json, steps_to_json};
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use serde_json::Value;

macro_rules! columns {
    () => {
        "p.tenant_id, p.id, p.made_id, p.fingerprint, p.status, p.wanted, p.steps, p.error, p.sealed_until, p.claimed_at, \
         p.created_at, p.updated_at"
    };
}

/// The one that makes a tenant, by the tenant above it.
const OF: &str = concat!("select ", columns!(), " from provisionings p where p.tenant_id = $1 and p.made_id = $2");

row! {
    struct ProvisioningRow {
        tenant_id: String,
        id: String,
        made_id: String,
        fingerprint: Vec<u8>,
        status: String,
        wanted: String,
        steps: String,
        error: Option<String>,
        sealed_until: Option<i64>,
        claimed_at: Option<i64>,
        created_at: i64,
        updated_at: i64,
    }
}

impl ProvisioningRow {
    fn read(self) -> Result<Provisioning> {
        let json = |text: &str| serde_json::from_str::<Value>(text).ok();
        let wanted = json(&self.wanted).and_then(|value| Wanted::from_json(&value));
        let steps = json(&self.steps).and_then(|value| steps_from_json(&value));
        Ok(Provisioning {
            id: id_of!(ProvisioningId, &self.id)?,
            parent_id: id_of!(TenantId, &self.tenant_id)?,
            tenant_id: id_of!(TenantId, &self.made_id)?,
            fingerprint: hash_of(&self.fingerprint)?,
            progress: Progress::parse(&self.status).ok_or_else(|| corrupt("status", &self.status))?,
            steps: steps.ok_or_else(|| corrupt("steps of a provisioning", &self.steps))?,
            wanted: wanted.ok_or_else(|| corrupt("what is to be provisioned", &self.wanted))?,
            error: self.error,
            secret_until: self.sealed_until.map(Timestamp::from_micros),
            claimed_at: self.claimed_at.map(Timestamp::from_micros),
            created_at: Timestamp::from_micros(self.created_at),
            updated_at: Timestamp::from_micros(self.updated_at),
        })
    }
}

impl Tx {
    /// Adds a provisioning; `actor` names who asked for it, as JSON.
    pub async fn insert_provisioning(&mut self, parent: TenantId, job: &Provisioning, actor: &Value) -> Result<()> {
        let finished = job.progress.is_over().then_some(job.updated_at);
        self.execute(
            "insert into provisionings (tenant_id, id, made_id, fingerprint, status, wanted, steps, actor, created_at, \
             updated_at, finished_at, error) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            args![
                parent,
                job.id,
                job.tenant_id,
                &job.fingerprint,
                job.progress.as_str(),
                job.wanted.to_json().to_string(),
                steps_to_json(&job.steps).to_string(),
                actor.to_string(),
                job.created_at,
                job.updated_at,
                finished,
                job.error.clone()
            ],
        )
        .await?;
        Ok(())
    }

    /// The provisioning of that id.
    pub async fn find_provisioning(&mut self, parent: TenantId, id: ProvisioningId) -> Result<Option<Provisioning>> {
        let found: Option<ProvisioningRow> = self
            .optional(
                concat!("select ", columns!(), " from provisionings p where p.tenant_id = $1 and p.id = $2"),
                args![parent, id],
            )
            .await?;
        found.map(ProvisioningRow::read).transpose()
    }

    /// The provisioning that makes or made a tenant, beneath that parent.
    pub async fn find_provisioning_of(&mut self, parent: TenantId, made: TenantId) -> Result<Option<Provisioning>> {
        let found: Option<ProvisioningRow> = self.optional(OF, args![parent, made]).await?;
        found.map(ProvisioningRow::read).transpose()
    }

    /// Who asked for it, as JSON.
    pub async fn find_provisioning_actor(&mut self, parent: TenantId, id: ProvisioningId) -> Result<Value> {
        let (actor,): (String,) =
            self.one("select actor from provisionings where tenant_id = $1 and id = $2", args![parent, id]).await?;
        serde_json::from_str(&actor).map_err(|_| corrupt("who asked for a provisioning", &actor))
    }

    /// Writes how far it is.
    pub async fn update_provisioning(&mut self, parent: TenantId, job: &Provisioning) -> Result<()> {
        let finished = job.progress.is_over().then_some(job.updated_at);
        let updated = self
            .execute(
                "update provisionings set status = $3, steps = $4, error = $5, updated_at = $6, finished_at = $7 \
                 where tenant_id = $1 and id = $2",
                args![
                    parent,
                    job.id,
                    job.progress.as_str(),
                    steps_to_json(&job.steps).to_string(),
                    job.error.clone(),
                    job.updated_at,
                    finished
                ],
            )
            .await?;
        if updated == 1 { Ok(()) } else { Err(Error::NotFound("provisioning")) }
    }

    /// Keeps the sealed text of the first secret until somebody claims it, or until it lapses.
    pub async fn keep_first_secret(
        &mut self,
        parent: TenantId,
        id: ProvisioningId,
        sealed: &[u8],
        until: Timestamp,
    ) -> Result<()> {
        self.execute(
            "update provisionings set sealed = $3, sealed_until = $4 where tenant_id = $1 and id = $2",
            args![parent, id, sealed, until],
        )
        .await?;
        Ok(())
    }

    /// Takes the sealed text of the first secret out, so that nobody can a second time.
    pub async fn claim_first_secret(
        &mut self,
        parent: TenantId,
        id: ProvisioningId,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>> {
        let found: Option<(Option<Vec<u8>>,)> = self
            .optional("select sealed from provisionings where tenant_id = $1 and id = $2", args![parent, id])
            .await?;
        let Some(sealed) = found.and_then(|(sealed,)| sealed) else { return Ok(None) };
        let claimed = self
            .execute(
                "update provisionings set sealed = null, claimed_at = $3 \
                 where tenant_id = $1 and id = $2 and sealed is not null",
                args![parent, id, now],
            )
            .await?;
        Ok((claimed == 1).then_some(sealed))
    }
}

impl Store {
    /// The provisioning of that id.
    pub async fn find_provisioning(&self, parent: TenantId, id: ProvisioningId) -> Result<Option<Provisioning>> {
        let found: Option<ProvisioningRow> = self
            .optional(
                concat!("select ", columns!(), " from provisionings p where p.tenant_id = $1 and p.id = $2"),
                args![parent, id],
            )
            .await?;
        found.map(ProvisioningRow::read).transpose()
    }

    /// The provisioning that makes or made a tenant, beneath that parent.
    pub async fn find_provisioning_of(&self, parent: TenantId, made: TenantId) -> Result<Option<Provisioning>> {
        let found: Option<ProvisioningRow> = self.optional(OF, args![parent, made]).await?;
        found.map(ProvisioningRow::read).transpose()
    }

    /// The provisionings beneath a tenant, newest first; positions are ids.
    pub async fn list_provisionings(&self, parent: TenantId, page: &PageRequest) -> Result<Vec<Provisioning>> {
        let found: Vec<ProvisioningRow> = self
            .all(
                concat!(
                    "select ",
                    columns!(),
                    " from provisionings p where p.tenant_id = $1 and p.id < $2 order by p.id desc limit $3"
                ),
                // No id is greater than that.
                args![parent, page.after.as_deref().unwrap_or("g"), page.fetch()],
            )
            .await?;
        found.into_iter().map(ProvisioningRow::read).collect()
    }
}
