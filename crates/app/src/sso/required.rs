//! People who must sign in at their organisation's identity provider: a password is none of theirs, and neither is a way to one.

use crate::deeds::Deed;
use claviger_domain::id::TenantId;
use claviger_domain::user::{User, presented_key};
use claviger_domain::{Error, Result};
use claviger_store::Tx;

/// The refusal of a password to people who must sign in at a provider.
pub(crate) fn provider_required() -> Error {
    let detail = "people with this address sign in at their organization's identity provider, and by no password: begin with \
                  POST /v1/sign-in/sso";
    Error::conflict("sso_required", detail)
}

/// Refuses another address by which somebody would get past the provider.
pub(crate) async fn stays_with_provider(tx: &mut Tx, tenant: TenantId, before: &str, after: &str) -> Result<()> {
    if tx.requires_provider(tenant, &presented_key(before)).await?
        && !tx.requires_provider(tenant, &presented_key(after)).await?
    {
        let detail = "people with your address sign in at their organization's identity provider: another one must be of a \
                      domain that leads there, too";
        return Err(Error::conflict("sso_required", detail));
    }
    Ok(())
}

impl Deed {
    /// Refuses people who must sign in at a provider.
    pub(crate) async fn may_sign_in_by_password(&mut self, user: &User) -> Result<()> {
        match self.tx.requires_provider(user.tenant_id, &presented_key(&user.email)).await? {
            true => Err(provider_required()),
            false => Ok(()),
        }
    }
}
