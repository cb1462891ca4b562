//! What crosses tenants about single sign-on: the provider that a domain leads to, and sign-ins that come back with nothing but
//! what the browser brings.

use crate::engine::Store;
use crate::identity_providers::{ProviderRow, assemble};
use crate::sql::{Tx, args, id_of, row};
use claviger_domain::Result;
use claviger_domain::id::{ProviderId, SsoSignInId, TenantId};
use claviger_domain::identity_provider::{Domain, IdentityProvider};
use claviger_domain::secret::SecretHash;
use claviger_domain::sso::PENDING_SECONDS;
use claviger_domain::time::Timestamp;

row! {
    struct PendingRow {
        tenant_id: String,
        id: String,
        provider_id: String,
        provider_version: i64,
        proofs: Vec<u8>,
        return_to: Option<String>,
        begun_at: i64,
    }
}

/// A sign-in that is under way at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingSignIn {
    /// The provider's tenant.
    pub tenant: TenantId,
    /// Id.
    pub id: SsoSignInId,
    /// The provider.
    pub provider: ProviderId,
    /// As it was when the sign-in began.
    pub provider_version: i64,
    /// Nonce and PKCE verifier, sealed.
    pub proofs: Vec<u8>,
    /// Where the browser goes on to afterwards.
    pub return_to: Option<String>,
    /// When it began.
    pub begun_at: Timestamp,
}

impl Store {
    /// The provider that addresses of a domain lead to.
    pub async fn find_provider_of_domain(&self, domain: &str) -> Result<Option<IdentityProvider>> {
        let found: Vec<ProviderRow> = self
            .all(
                "select p.tenant_id, p.id, p.name, p.issuer, p.client_id, p.client_secret is not null as has_secret, p.scopes, \
                 p.creates_users, p.role_rules, p.default_roles, p.enabled, p.required, p.version, p.created_at, p.updated_at, \
                 d.domain from identity_provider_domains c \
                 join identity_providers p on p.tenant_id = c.tenant_id and p.id = c.provider_id \
                 join identity_provider_domains d on d.tenant_id = p.tenant_id and d.provider_id = p.id \
                 where c.domain = $1 order by d.domain",
                args![domain],
            )
            .await?;
        Ok(assemble(found)?.pop())
    }

    /// Whether a sign-in comes back with this state, in the browser of this cookie.
    pub async fn has_sso_sign_in(&self, state: &SecretHash, browser: &SecretHash) -> Result<bool> {
        let found: Option<(String,)> = self
            .optional(
                "select id from sso_sign_ins where state_hash = $1 and browser_hash = $2",
                args![state.as_bytes(), browser.as_bytes()],
            )
            .await?;
        Ok(found.is_some())
    }
}

impl Tx {
    /// Adds a sign-in that comes back with this state, in the browser of this cookie.
    pub async fn insert_sso_sign_in(
        &mut self,
        tenant: TenantId,
        pending: &PendingSignIn,
        (state, browser): (&SecretHash, &SecretHash),
    ) -> Result<()> {
        self.execute(
            "insert into sso_sign_ins (tenant_id, id, provider_id, provider_version, state_hash, browser_hash, proofs, return_to, \
             begun_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            args![
                tenant,
                pending.id,
                pending.provider,
                pending.provider_version,
                state.as_bytes(),
                browser.as_bytes(),
                Some(pending.proofs.clone()),
                pending.return_to.clone(),
                pending.begun_at
            ],
        )
        .await
        .map_err(|failure| failure.refers_to("identity provider"))?;
        Ok(())
    }

    /// Takes the sign-in that comes back: it is there no more. Nothing where the browser is another one.
    pub async fn take_sso_sign_in(
        &mut self,
        state: &SecretHash,
        browser: &SecretHash,
    ) -> Result<Option<PendingSignIn>> {
        let found: Option<PendingRow> = self
            .optional(
                "delete from sso_sign_ins where state_hash = $1 and browser_hash = $2 \
                 returning tenant_id, id, provider_id, provider_version, proofs, return_to, begun_at",
                args![state.as_bytes(), browser.as_bytes()],
            )
            .await?;
        let read = |row: PendingRow| {
            Ok(PendingSignIn {
                tenant: id_of!(TenantId, &row.tenant_id)?,
                id: id_of!(SsoSignInId, &row.id)?,
                provider: id_of!(ProviderId, &row.provider_id)?,
                provider_version: row.provider_version,
                proofs: row.proofs,
                return_to: row.return_to,
                begun_at: Timestamp::from_micros(row.begun_at),
            })
        };
        found.map(read).transpose()
    }

    /// Takes a domain away from the provider that it leads to.
    pub async fn free_provider_domain(&mut self, domain: &Domain) -> Result<()> {
        self.execute("delete from identity_provider_domains where domain = $1", args![domain.as_str()]).await?;
        Ok(())
    }

    /// Removes sign-ins that nobody can come back from any more.
    pub async fn sweep_sso_sign_ins(&mut self, now: Timestamp) -> Result<()> {
        let ended = now.plus_seconds(-2 * PENDING_SECONDS);
        self.execute("delete from sso_sign_ins where begun_at < $1", args![ended]).await?;
        Ok(())
    }
}
