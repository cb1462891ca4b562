//! On which instances a session may report: it says so beforehand, and the list stays with its sign-in.
//!
//! A list holds what was asked for, an instance or a tenant with everything beneath it. Whether an instance is within reach and
//! served is asked anew each time.

use crate::App;
use crate::caller::Caller;
use crate::live::sessions::Session;
use crate::live::tree::TenantNode;
use crate::unit::to_the_end;
use claviger_domain::id::{OrgKey, SecretId, TenantId};
use claviger_domain::sign_in::Standing;
use claviger_domain::tenant::{Kind, Tenant};
use claviger_domain::{Error, Refusal, Result};
use claviger_store::sign_ins::SignIn;
use std::sync::Arc;

/// Most instances that are named in one answer.
const NAMED_MAX: i64 = 100_000;
/// Most entries of a list.
const LIST_MAX: usize = 10_000;

/// An instance, as its users see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Id.
    pub id: TenantId,
    /// Name.
    pub name: String,
    /// What its own host is called by, where it has one.
    pub org_key: OrgKey,
}

impl From<Tenant> for Instance {
    fn from(tenant: Tenant) -> Self {
        Self { id: tenant.id, name: tenant.name, org_key: tenant.org_key }
    }
}

/// What became of asking for instances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenedInstances {
    /// Those on which the session may report.
    pub opened: Vec<Instance>,
    /// Those that are suspended.
    pub suspended: Vec<Instance>,
}

impl App {
    /// Lets the caller's session report on an instance, on every instance beneath another tenant, or on every one within
    /// reach. Needs a session token and no right; doing it again changes nothing.
    pub async fn open_instances(self: &Arc<Self>, caller: &Caller, of: Option<TenantId>) -> Result<OpenedInstances> {
        let session = session_of(caller)?;
        caller.count();
        let root = match of {
            Some(of) => caller.reach(of).map_err(|_| Error::NotFound("instance"))?,
            None => Arc::clone(caller.tenant()),
        };
        if root.kind == Kind::Instance && of.is_some() && !root.is_served() {
            return Err(Error::conflict("instance_suspended", "the instance is suspended"));
        }
        let mut found = OpenedInstances::default();
        for tenant in self.state.store.list_kind_beneath(root.id, Kind::Instance, NAMED_MAX).await? {
            match self.state.tree.find(tenant.id).filter(|_| caller.reaches(tenant.id)) {
                Some(node) if node.is_served() => found.opened.push(tenant.into()),
                Some(_) => found.suspended.push(tenant.into()),
                None => {}
            }
        }
        if !found.opened.is_empty() {
            self.remember_instances(caller, session, root.id).await?;
        }
        Ok(found)
    }

    async fn remember_instances(self: &Arc<Self>, caller: &Caller, session: &Session, root: TenantId) -> Result<()> {
        let (tenant, id) = (session.tenant, session.list_id());
        let mut known = self.state.tokens.sign_ins.instances(id);
        if !known.contains(&root) {
            known = self.read_instances(session).await?;
        }
        if known.contains(&root) {
            return Ok(());
        }
        if known.len() >= LIST_MAX {
            let detail = format!("a session reports on {LIST_MAX} instances at most; ask for all of them at once");
            return Err(Error::conflict("too_many_instances", detail));
        }
        let record = caller.record()?;
        let own = SignIn {
            tenant,
            id,
            application: record.id,
            client_id: record.client_id(),
            secret: SecretId::clone(&session.secret),
            scope: None,
            refresh: None,
            refreshed_at: session.issued_at,
            expires_at: session.expires_at,
            standing: Standing::NEW,
        };
        let app = Arc::clone(self);
        to_the_end(async move {
            let mut tx = app.state.store.begin().await?;
            // A sign-in that began with a login is there already.
            tx.insert_sign_in(tenant, &own, None).await?;
            tx.insert_sign_in_instances(tenant, id, &[root]).await?;
            tx.commit().await
        })
        .await?;
        self.read_instances(session).await?;
        Ok(())
    }

    async fn read_instances(&self, session: &Session) -> Result<Arc<[TenantId]>> {
        let id = session.list_id();
        let list: Arc<[TenantId]> = self.state.store.list_sign_in_instances(session.tenant, id).await?.into();
        self.state.tokens.sign_ins.put_instances(id, Arc::clone(&list));
        Ok(list)
    }

    /// The instance of an org key, if the caller's session may report on it; without one the only instance on which it may.
    /// None where there is no such instance: it was not asked for, is out of reach or is not served.
    pub async fn find_reporting_instance(
        &self,
        caller: &Caller,
        org_key: Option<&str>,
    ) -> Result<Option<Arc<TenantNode>>> {
        let session = session_of(caller)?;
        let Some(org_key) = org_key else { return self.find_only_instance(caller, session).await };
        let Some(node) = self.state.tree.find_org(org_key).filter(|node| is_open(caller, node)) else {
            return Ok(None);
        };
        let listed = |list: &[TenantId]| list.iter().any(|root| node.is_within(*root));
        // What another node has added is not in memory yet.
        let listed = listed(&self.state.tokens.sign_ins.instances(session.list_id()))
            || listed(&self.read_instances(session).await?);
        Ok(listed.then_some(node))
    }

    async fn find_only_instance(&self, caller: &Caller, session: &Session) -> Result<Option<Arc<TenantNode>>> {
        // What another node has added might make it two.
        let mut only = None;
        for root in self.read_instances(session).await?.iter() {
            for tenant in self.state.store.list_kind_beneath(*root, Kind::Instance, NAMED_MAX).await? {
                let Some(node) = self.state.tree.find(tenant.id).filter(|node| is_open(caller, node)) else { continue };
                match &only {
                    Some(known) if Arc::ptr_eq(known, &node) => {}
                    Some(_) => return Ok(None),
                    None => only = Some(node),
                }
            }
        }
        Ok(only)
    }
}

fn is_open(caller: &Caller, node: &TenantNode) -> bool {
    node.kind == Kind::Instance && node.is_served() && caller.reaches(node.id)
}

/// The session of a caller: a secret has none.
fn session_of(caller: &Caller) -> Result<&Session> {
    caller.session().map(AsRef::as_ref).ok_or(Error::Unauthenticated(Refusal::TokenInvalid))
}
