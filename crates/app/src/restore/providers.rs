//! Identity providers of a restored store: each as it was when it was last changed.

use crate::revocations::Provided;
use claviger_domain::Result;
use claviger_domain::id::{ProviderId, TenantId};
use claviger_domain::identity_provider::{IdentityProvider, SCOPES_DEFAULT};
use claviger_domain::name::Name;
use claviger_domain::time::Timestamp;
use claviger_store::Tx;

/// Puts a provider as it was, or takes it away; whether there was anything to do.
///
/// One that was made since the backup is lost, as everything that was; but where people could sign in by nothing else it is made
/// again, without the secret that nobody knows any more: their passwords of before must not come back with the backup.
pub(super) async fn reapply(
    tx: &mut Tx,
    (tenant, id): (TenantId, ProviderId),
    said: Option<&Provided>,
    now: Timestamp,
) -> Result<bool> {
    let found = tx.find_identity_provider(tenant, id).await?;
    match (found, said) {
        (None, None) => Ok(false),
        (Some(_), None) => tx.delete_identity_provider(tenant, id).await,
        (Some(before), Some(said)) if Provided::of(&before) == *said => Ok(false),
        (Some(before), Some(said)) => {
            let key = Name::parse("/name", &before.name)?.key();
            let after =
                IdentityProvider { version: before.version + 1, updated_at: now, ..said.put_into(before.clone())? };
            if after.issuer != before.issuer {
                tx.delete_provider_identities(tenant, id).await?;
            }
            free_domains(tx, &after).await?;
            tx.update_identity_provider(tenant, &after, &key).await?;
            Ok(true)
        }
        (None, Some(said)) if said.is_required() && tx.find_tenant(tenant).await?.is_some() => {
            let name = Name::parse("/name", &format!("Restored {id}"))?;
            let made = said.put_into(IdentityProvider {
                id,
                tenant_id: tenant,
                name: name.as_str().to_owned(),
                issuer: said.issuer()?,
                client_id: String::new(),
                has_secret: false,
                scopes: SCOPES_DEFAULT.map(str::to_owned).into(),
                domains: Vec::new(),
                creates_users: false,
                role_rules: Vec::new(),
                default_roles: Vec::new(),
                enabled: true,
                required: true,
                version: 1,
                created_at: now,
                updated_at: now,
            })?;
            free_domains(tx, &made).await?;
            tx.insert_identity_provider(tenant, &made, &name.key(), None).await?;
            Ok(true)
        }
        (None, Some(_)) => Ok(false),
    }
}

/// Whoever has a domain in the backup had given it up when this provider had it.
async fn free_domains(tx: &mut Tx, provider: &IdentityProvider) -> Result<()> {
    for domain in &provider.domains {
        tx.free_provider_domain(domain).await?;
    }
    Ok(())
}
