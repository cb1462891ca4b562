//! Identity providers of tenants with the domains that lead to them.

use crate::engine::Store;
use crate::sql::{Tx, args, corrupt, id_of, row};
use crate::tenants::not_updated;
use claviger_domain::application::Reach;
use claviger_domain::error::Referrer;
use claviger_domain::id::{AccessLevelId, ProviderId, TenantId};
use claviger_domain::identity_provider::{Domain, IdentityProvider, domain_of};
use claviger_domain::outgoing::Target;
use claviger_domain::page::PageRequest;
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

row! {
    struct ProviderRow {
        tenant_id: String,
        id: String,
        name: String,
        issuer: String,
        client_id: String,
        has_secret: bool,
        scopes: String,
        creates_users: bool,
        role_rules: String,
        default_roles: String,
        enabled: bool,
        required: bool,
        version: i64,
        created_at: i64,
        updated_at: i64,
        domain: Option<String>,
    }
}

impl ProviderRow {
    fn read(self) -> Result<IdentityProvider> {
        Ok(IdentityProvider {
            id: id_of!(ProviderId, &self.id)?,
            tenant_id: id_of!(TenantId, &self.tenant_id)?,
            name: self.name,
            issuer: Target::parse("", &self.issuer).map_err(|_| corrupt("issuer of a provider", &self.issuer))?,
            client_id: self.client_id,
            has_secret: self.has_secret,
            scopes: self.scopes.split(' ').map(str::to_owned).collect(),
            domains: Vec::new(),
            creates_users: self.creates_users,
            role_rules: read_json(&self.role_rules)?,
            default_roles: read_json(&self.default_roles)?,
            enabled: self.enabled,
            required: self.required,
            version: self.version,
            created_at: Timestamp::from_micros(self.created_at),
            updated_at: Timestamp::from_micros(self.updated_at),
        })
    }
}

fn read_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|_| corrupt("rules of an identity provider", text))
}

fn write_json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|_| corrupt("rules of an identity provider", "what is not JSON"))
}

/// Puts rows together, of which each provider has one for each domain; they stand beside each other.
pub(crate) fn assemble(rows: Vec<ProviderRow>) -> Result<Vec<IdentityProvider>> {
    let mut providers: Vec<IdentityProvider> = Vec::new();
    for mut row in rows {
        let domain = row.domain.take().map(Domain::stored);
        let provider = row.read()?;
        match providers.last_mut() {
            Some(last) if last.id == provider.id => last.domains.extend(domain),
            _ => providers.push(IdentityProvider { domains: domain.into_iter().collect(), ..provider }),
        }
    }
    // A database may sort otherwise.
    providers.iter_mut().for_each(|provider| provider.domains.sort());
    Ok(providers)
}

const FIND: &str = "select p.tenant_id, p.id, p.name, p.issuer, p.client_id, p.client_secret is not null as has_secret, p.scopes, \
                    p.creates_users, p.role_rules, p.default_roles, p.enabled, p.required, p.version, p.created_at, p.updated_at, \
                    d.domain from identity_providers p \
                    left join identity_provider_domains d on d.tenant_id = p.tenant_id and d.provider_id = p.id \
                    where p.tenant_id = $1 and p.id = $2 order by d.domain";

const LIST: &str = "select p.tenant_id, p.id, p.name, p.issuer, p.client_id, p.client_secret is not null as has_secret, p.scopes, \
                    p.creates_users, p.role_rules, p.default_roles, p.enabled, p.required, p.version, p.created_at, p.updated_at, \
                    d.domain from ( \
                        select * from identity_providers where tenant_id = $1 and id > $2 order by id limit $3 \
                    ) p left join identity_provider_domains d on d.tenant_id = p.tenant_id and d.provider_id = p.id \
                    order by p.id, d.domain";

fn taken(provider: &IdentityProvider) -> String {
    format!("the tenant has an identity provider called {:?} already; choose another name", provider.name)
}

fn claimed(domain: &Domain) -> String {
    format!(
        "addresses at {} lead to another identity provider already; whoever administers that one, or a tenant above it, takes \
         the domain away there first",
        domain.as_str()
    )
}

const REQUIRED: &str = "select count(*) from identity_provider_domains d \
                        join identity_providers p on p.tenant_id = d.tenant_id and p.id = d.provider_id \
                        where d.tenant_id = $1 and d.domain = $2 and p.enabled and p.required";

/// Of an access level.
const GIVERS: &str = "select id, name from identity_providers \
     where tenant_id = $1 and (role_rules like $2 or default_roles like $2) order by id";

/// What the text of rules holds that name a level.
fn naming(level: AccessLevelId) -> String {
    format!("%\"{level}\"%")
}

fn givers(found: Vec<(String, String)>) -> Vec<Referrer> {
    found.into_iter().map(|(id, name)| Referrer { kind: "identity_provider", id, name }).collect()
}

impl Tx {
    /// Whether people of the tenant with an address of this key can sign in at an identity provider alone.
    pub async fn requires_provider(&mut self, tenant: TenantId, email_key: &str) -> Result<bool> {
        let (count,): (i64,) = self.one(REQUIRED, args![tenant, domain_of(email_key).unwrap_or_default()]).await?;
        Ok(count > 0)
    }

    /// Adds a provider with its domains and its sealed secret. Conflicts: `identity_provider_taken`, `domain_claimed`.
    pub async fn insert_identity_provider(
        &mut self,
        tenant: TenantId,
        provider: &IdentityProvider,
        name_key: &str,
        secret: Option<Vec<u8>>,
    ) -> Result<()> {
        self.execute(
            "insert into identity_providers (tenant_id, id, name, name_key, issuer, client_id, client_secret, scopes, creates_users, \
             role_rules, default_roles, enabled, required, version, created_at, updated_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
            args![
                tenant,
                provider.id,
                &provider.name,
                name_key,
                provider.issuer.as_str(),
                &provider.client_id,
                secret,
                provider.scopes.join(" "),
                provider.creates_users,
                write_json(&provider.role_rules)?,
                write_json(&provider.default_roles)?,
                provider.enabled,
                provider.required,
                provider.version,
                provider.created_at,
                provider.updated_at
            ],
        )
        .await
        .map_err(|failure| failure.refers_to("tenant").conflict("identity_provider_taken", taken(provider)))?;
        self.insert_provider_domains(tenant, provider).await
    }

    async fn insert_provider_domains(&mut self, tenant: TenantId, provider: &IdentityProvider) -> Result<()> {
        for domain in &provider.domains {
            self.execute(
                "insert into identity_provider_domains (tenant_id, domain, provider_id) values ($1, $2, $3)",
                args![tenant, domain.as_str(), provider.id],
            )
            .await
            .map_err(|failure| failure.conflict("domain_claimed", claimed(domain)))?;
        }
        Ok(())
    }

    /// The provider of that id, with its domains.
    pub async fn find_identity_provider(
        &mut self,
        tenant: TenantId,
        id: ProviderId,
    ) -> Result<Option<IdentityProvider>> {
        let found: Vec<ProviderRow> = self.all(FIND, args![tenant, id]).await?;
        Ok(assemble(found)?.pop())
    }

    /// How many providers the tenant has.
    pub async fn count_identity_providers(&mut self, tenant: TenantId) -> Result<i64> {
        let (count,): (i64,) =
            self.one("select count(*) from identity_providers where tenant_id = $1", args![tenant]).await?;
        Ok(count)
    }

    /// Writes a provider whose `version` is the new one, with its domains in place of those before; the stored version must be
    /// the one before. The secret stays. Conflicts: `identity_provider_taken`, `domain_claimed`.
    pub async fn update_identity_provider(
        &mut self,
        tenant: TenantId,
        provider: &IdentityProvider,
        name_key: &str,
    ) -> Result<()> {
        let updated = self
            .execute(
                "update identity_providers set name = $3, name_key = $4, issuer = $5, client_id = $6, scopes = $7, \
                 creates_users = $8, role_rules = $9, default_roles = $10, enabled = $11, required = $12, version = $13, \
                 updated_at = $14 where tenant_id = $1 and id = $2 and version = $13 - 1",
                args![
                    tenant,
                    provider.id,
                    &provider.name,
                    name_key,
                    provider.issuer.as_str(),
                    &provider.client_id,
                    provider.scopes.join(" "),
                    provider.creates_users,
                    write_json(&provider.role_rules)?,
                    write_json(&provider.default_roles)?,
                    provider.enabled,
                    provider.required,
                    provider.version,
                    provider.updated_at
                ],
            )
            .await
            .map_err(|failure| failure.conflict("identity_provider_taken", taken(provider)))?;
        if updated != 1 {
            let stored: Option<(i64,)> = self
                .optional(
                    "select version from identity_providers where tenant_id = $1 and id = $2",
                    args![tenant, provider.id],
                )
                .await?;
            return Err(not_updated("identity provider", stored));
        }
        self.execute(
            "delete from identity_provider_domains where tenant_id = $1 and provider_id = $2",
            args![tenant, provider.id],
        )
        .await?;
        self.insert_provider_domains(tenant, provider).await
    }

    /// Writes the sealed secret of a provider, or takes it away.
    pub async fn put_provider_secret(
        &mut self,
        tenant: TenantId,
        id: ProviderId,
        secret: Option<Vec<u8>>,
    ) -> Result<()> {
        let updated = self
            .execute(
                "update identity_providers set client_secret = $3 where tenant_id = $1 and id = $2",
                args![tenant, id, secret],
            )
            .await?;
        if updated == 1 { Ok(()) } else { Err(Error::NotFound("identity provider")) }
    }

    /// Removes a provider with its domains and whatever is known of people by it; whether it was there.
    pub async fn delete_identity_provider(&mut self, tenant: TenantId, id: ProviderId) -> Result<bool> {
        for statement in [
            "delete from sso_sign_ins where tenant_id = $1 and provider_id = $2",
            "delete from user_identities where tenant_id = $1 and provider_id = $2",
            "delete from identity_provider_domains where tenant_id = $1 and provider_id = $2",
        ] {
            self.execute(statement, args![tenant, id]).await?;
        }
        let deleted =
            self.execute("delete from identity_providers where tenant_id = $1 and id = $2", args![tenant, id]).await?;
        Ok(deleted == 1)
    }

    /// The providers that give an access level, by id.
    pub async fn list_level_providers(&mut self, tenant: TenantId, level: AccessLevelId) -> Result<Vec<Referrer>> {
        Ok(givers(self.all(GIVERS, args![tenant, naming(level)]).await?))
    }

    /// What the tenant's users with addresses at a domain hold, each once: how far they reach, and an access level, or none.
    pub async fn list_roles_at_domain(
        &mut self,
        tenant: TenantId,
        domain: &Domain,
    ) -> Result<Vec<(Reach, Option<AccessLevelId>)>> {
        let found: Vec<(String, Option<String>)> = self
            .all(
                "select distinct u.reach, r.access_level_id from users u \
                 left join user_roles r on r.tenant_id = u.tenant_id and r.user_id = u.id \
                 where u.tenant_id = $1 and u.email_key like $2 \
                 union select p.reach, r.access_level_id from users u \
                 join access_profiles p on p.tenant_id = u.tenant_id and p.user_id = u.id \
                 join access_profile_roles r on r.tenant_id = p.tenant_id and r.user_id = p.user_id and r.profile_id = p.id \
                 where u.tenant_id = $1 and u.email_key like $2 order by 1, 2",
                args![tenant, format!("%@{}", domain.as_str())],
            )
            .await?;
        let read = |(reach, level): (String, Option<String>)| {
            let reach = Reach::parse(&reach).ok_or_else(|| corrupt("reach", &reach))?;
            Ok((reach, level.map(|id| id_of!(AccessLevelId, &id)).transpose()?))
        };
        found.into_iter().map(read).collect()
    }
}

impl Store {
    /// The providers that give an access level, by id.
    pub async fn list_level_providers(&self, tenant: TenantId, level: AccessLevelId) -> Result<Vec<Referrer>> {
        Ok(givers(self.all(GIVERS, args![tenant, naming(level)]).await?))
    }

    /// Whether people of the tenant with an address of this key can sign in at an identity provider alone.
    pub async fn requires_provider(&self, tenant: TenantId, email_key: &str) -> Result<bool> {
        let found: Option<(i64,)> =
            self.optional(REQUIRED, args![tenant, domain_of(email_key).unwrap_or_default()]).await?;
        Ok(found.is_some_and(|(count,)| count > 0))
    }

    /// The provider of that id, with its domains.
    pub async fn find_identity_provider(&self, tenant: TenantId, id: ProviderId) -> Result<Option<IdentityProvider>> {
        let found: Vec<ProviderRow> = self.all(FIND, args![tenant, id]).await?;
        Ok(assemble(found)?.pop())
    }

    /// The tenant's providers, by id.
    pub async fn list_identity_providers(&self, tenant: TenantId, page: &PageRequest) -> Result<Vec<IdentityProvider>> {
        let after = page.after.as_deref().unwrap_or("");
        let found: Vec<ProviderRow> = self.all(LIST, args![tenant, after, page.fetch()]).await?;
        assemble(found)
    }

    /// The sealed secret of a provider, if it has one.
    pub async fn find_provider_secret(&self, tenant: TenantId, id: ProviderId) -> Result<Option<Vec<u8>>> {
        let found: Option<(Option<Vec<u8>>,)> = self
            .optional(
                "select client_secret from identity_providers where tenant_id = $1 and id = $2",
                args![tenant, id],
            )
            .await?;
        Ok(found.and_then(|(secret,)| secret))
    }
}
