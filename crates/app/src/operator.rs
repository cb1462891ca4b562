//! What the operator sees of the server itself: whether it is well, and the work that goes on beside the requests.

use crate::App;
use crate::caller::Caller;
use crate::jobs::Job;
use claviger_domain::grants::Verb;
use claviger_domain::id::{ProvisioningId, TenantId};
use claviger_domain::provisioning::Provisioning;
use claviger_domain::signing::Stage;
use claviger_domain::tenant::{Kind, Tenant};
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use claviger_store::Engine;
use claviger_store::system::SignedHead;

/// The right to see what belongs to the server and to no tenant.
const PERMISSION: &str = "nodes";
/// Most pieces of work of a kind that are told of.
pub const MOST: i64 = 100;

/// Whether the server is well, and what of.
#[derive(Clone, Debug)]
pub struct Health {
    /// Why it does not answer calls; none where it does.
    pub fault: Option<String>,
    /// Version of the program.
    pub version: &'static str,
    /// Whether the store is PostgreSQL, which several servers can share.
    pub shared: bool,
    /// The time by the database's clock.
    pub database_time: Timestamp,
    /// The time by the server's own.
    pub own_time: Timestamp,
    /// Applications in memory.
    pub applications_loaded: usize,
    /// Access levels in memory.
    pub access_levels_loaded: usize,
    /// The key that signs session tokens now, and until when; none where none does.
    pub signing: Option<(String, Timestamp)>,
    /// The last signed head of the operator's own audit record.
    pub signed_head: Option<SignedHead>,
    /// Mails that wait to be sent.
    pub mails_waiting: i64,
    /// Mails that were given up.
    pub mails_dead: i64,
    /// Whether this server does what one server does for all.
    pub in_charge: bool,
}

/// A provisioning, with the names of the tenants that it is about where they are still there.
#[derive(Clone, Debug)]
pub struct WatchedProvisioning {
    /// The provisioning.
    pub job: Provisioning,
    /// The tenant that it makes.
    pub tenant: Option<Tenant>,
    /// The tenant above.
    pub parent: Option<Tenant>,
}

/// The work that goes on beside the requests. Each list has [`MOST`] at most.
#[derive(Clone, Debug)]
pub struct Work {
    /// Provisionings that are under way, the oldest first.
    pub open: Vec<WatchedProvisioning>,
    /// Provisionings that failed, the newest first.
    pub failed: Vec<WatchedProvisioning>,
    /// Tenants that are being deleted, those that are gone first first.
    pub leaving: Vec<Tenant>,
    /// Exports and the like that have not ended, with their tenants.
    pub jobs: Vec<(Job, Option<Tenant>)>,
    /// Mails that wait to be sent.
    pub mails_waiting: i64,
    /// Mails that were given up.
    pub mails_dead: i64,
}

impl App {
    /// Refuses whoever is not of the operator, or may not see what belongs to the server. Needs `nodes:READ`.
    pub fn check_operator(&self, caller: &Caller) -> Result<()> {
        caller.allow(PERMISSION, Verb::Read)?;
        if caller.tenant().kind != Kind::Operator {
            caller.deny("operator_only".into());
            let detail = "this is the operator's; ask with a credential of the operator's tenant".into();
            return Err(Error::Forbidden { missing: None, detail });
        }
        Ok(())
    }

    /// Whether the server is well. Needs `nodes:READ`, and is the operator's own.
    pub async fn health(&self, caller: &Caller) -> Result<Health> {
        self.check_operator(caller)?;
        let store = &self.state.store;
        let now = self.state.clock.now();
        let keys = self.published_keys();
        let signing = keys.into_iter().find(|key| key.stage == Stage::Signing);
        let (mails_waiting, mails_dead) = store.count_mails().await?;
        Ok(Health {
            fault: self.ready().err(),
            version: env!("CARGO_PKG_VERSION"),
            shared: store.engine() == Engine::Postgres,
            database_time: store.database_time().await?,
            own_time: now,
            applications_loaded: self.applications_loaded(),
            access_levels_loaded: self.access_levels_loaded(),
            signing: signing.map(|key| (key.kid, key.times.signs_until)),
            signed_head: store.last_signed_head(caller.tenant().id).await?,
            mails_waiting,
            mails_dead,
            in_charge: self.is_in_charge(),
        })
    }

    /// The work that goes on beside the requests, whichever tenant it is for. Needs `nodes:READ` and `tenants:READ`, and is the operator's
    /// own.
    pub async fn watch_work(&self, caller: &Caller) -> Result<Work> {
        self.check_operator(caller)?;
        caller.allow("tenants", Verb::Read)?;
        let store = &self.state.store;
        let open = self.watched(store.list_open_provisionings(MOST).await?).await?;
        let failed = self.watched(store.list_failed_provisionings(MOST).await?).await?;
        let mut leaving = Vec::new();
        for id in store.list_tenants_to_go(MOST).await? {
            leaving.extend(store.find_tenant(id).await?);
        }
        let mut jobs = Vec::new();
        for (tenant, number) in store.list_running_jobs(MOST).await? {
            if let Some(job) = store.find_job(tenant, number).await? {
                jobs.push((job, store.find_tenant(tenant).await?));
            }
        }
        let (mails_waiting, mails_dead) = store.count_mails().await?;
        Ok(Work { open, failed, leaving, jobs, mails_waiting, mails_dead })
    }

    async fn watched(&self, ids: Vec<(TenantId, ProvisioningId)>) -> Result<Vec<WatchedProvisioning>> {
        let store = &self.state.store;
        let mut found = Vec::new();
        for (parent, id) in ids {
            if let Some(job) = store.find_provisioning(parent, id).await? {
                let (tenant, parent) = (store.find_tenant(job.tenant_id).await?, store.find_tenant(parent).await?);
                found.push(WatchedProvisioning { job, tenant, parent });
            }
        }
        Ok(found)
    }
}
