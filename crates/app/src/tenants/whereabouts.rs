//! Where in the tree somebody acts: the tenants from one's own down to the one in question.

use crate::App;
use crate::caller::Caller;
use claviger_domain::id::TenantId;
use claviger_domain::tenant::Tenant;
use claviger_domain::{Error, Result};

impl App {
    /// The caller's own tenant, those beneath it on the way to one within reach, and that one, which stands last. Needs no right: whoever
    /// acts on a tenant may know what it is called.
    ///
    /// # Errors
    /// `NotFound` for a tenant out of reach.
    pub async fn whereabouts(&self, caller: &Caller, tenant: TenantId) -> Result<Vec<Tenant>> {
        let node = caller.reach(tenant)?;
        let own = caller.tenant().id;
        let mut ids = Vec::new();
        for node in std::iter::successors(Some(&*node), |node| node.parent.as_deref()) {
            ids.push(node.id);
            if node.id == own {
                break;
            }
        }
        let mut found = Vec::with_capacity(ids.len());
        for id in ids.into_iter().rev() {
            found.push(self.state.store.find_tenant(id).await?.ok_or(Error::NotFound("tenant"))?);
        }
        Ok(found)
    }
}
