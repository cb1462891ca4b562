//! Trusted issuers of tenants, each with its bindings. One statement reads both, so that they fit each other.

use crate::engine::Store;
use crate::sql::{Tx, args, corrupt, id_of, row};
use crate::tenants::not_updated;
use claviger_domain::Result;
use claviger_domain::application::LastUse;
use claviger_domain::claim::{Condition, Draft};
use claviger_domain::error::Referrer;
use claviger_domain::foreign_key::Algorithm;
use claviger_domain::id::{ApplicationId, BindingId, IssuerId, TenantId};
use claviger_domain::outgoing::Target;
use claviger_domain::page::PageRequest;
use claviger_domain::time::Timestamp;
use claviger_domain::trusted_issuer::{Binding, KeySource, Trust, TrustedIssuer};
use std::collections::HashMap;

row! {
    struct IssuerRow {
        tenant_id: String,
        id: String,
        name: String,
        issuer: String,
        audience: Option<String>,
        keys: String,
        keys_text: Option<String>,
        algorithms: String,
        max_age_seconds: i64,
        single_use: bool,
        enabled: bool,
        version: i64,
        created_at: i64,
        updated_at: i64,
        binding_id: Option<String>,
        application_id: Option<String>,
        description: Option<String>,
        conditions: Option<String>,
    }
}

impl IssuerRow {
    fn binding(&self) -> Result<Option<Binding>> {
        let (Some(id), Some(application), Some(conditions)) =
            (&self.binding_id, &self.application_id, &self.conditions)
        else {
            return Ok(None);
        };
        let unreadable = || corrupt("conditions of a binding", id);
        let drafts: Vec<Draft> = serde_json::from_str(conditions).map_err(|_| unreadable())?;
        let read = drafts.into_iter().map(|draft| Condition::parse("", draft).map_err(|_| unreadable()));
        Ok(Some(Binding {
            id: id_of!(BindingId, id)?,
            description: self.description.clone().unwrap_or_default(),
            application_id: id_of!(ApplicationId, application)?,
            conditions: read.collect::<Result<_>>()?,
        }))
    }

    fn read(self) -> Result<TrustedIssuer> {
        let target = |text: &str| Target::parse("", text).map_err(|_| corrupt("a URL of a trusted issuer", text));
        let keys = match (self.keys.as_str(), self.keys_text) {
            ("discovery", None) => KeySource::Discovery,
            ("fetched", Some(url)) => KeySource::Fetched(target(&url)?),
            ("pinned", Some(text)) => KeySource::Pinned(text),
            (other, _) => return Err(corrupt("keys of a trusted issuer", other)),
        };
        let algorithms = self
            .algorithms
            .split(' ')
            .map(|word| Algorithm::parse(word).ok_or_else(|| corrupt("algorithm of a trusted issuer", word)));
        Ok(TrustedIssuer {
            id: id_of!(IssuerId, &self.id)?,
            tenant_id: id_of!(TenantId, &self.tenant_id)?,
            name: self.name,
            trust: Trust {
                issuer: target(&self.issuer)?,
                audience: self.audience,
                keys,
                algorithms: algorithms.collect::<Result<_>>()?,
                max_age_seconds: self.max_age_seconds,
                single_use: self.single_use,
                enabled: self.enabled,
            },
            bindings: Vec::new(),
            version: self.version,
            created_at: Timestamp::from_micros(self.created_at),
            updated_at: Timestamp::from_micros(self.updated_at),
        })
    }
}

/// Puts rows together that are sorted by issuer and place.
pub(crate) fn assemble(rows: Vec<IssuerRow>) -> Result<Vec<TrustedIssuer>> {
    let mut issuers: Vec<TrustedIssuer> = Vec::new();
    for row in rows {
        let binding = row.binding()?;
        let issuer = row.read()?;
        match issuers.last_mut() {
            Some(last) if last.id == issuer.id && last.tenant_id == issuer.tenant_id => last.bindings.extend(binding),
            _ => issuers.push(TrustedIssuer { bindings: binding.into_iter().collect(), ..issuer }),
        }
    }
    Ok(issuers)
}

const FIND: &str = "select t.tenant_id, t.id, t.name, t.issuer, t.audience, t.keys, t.keys_text, t.algorithms, t.max_age_seconds, \
                    t.single_use, t.enabled, t.version, t.created_at, t.updated_at, b.id as binding_id, b.application_id, \
                    b.description, b.conditions from trusted_issuers t \
                    left join issuer_bindings b on b.tenant_id = t.tenant_id and b.issuer_id = t.id \
                    where t.tenant_id = $1 and t.id = $2 order by b.place";

fn taken(issuer: &TrustedIssuer) -> String {
    format!(
        "the tenant trusts an issuer called {:?} or the issuer {} already; change that one, or choose another name",
        issuer.name,
        issuer.trust.issuer.as_str()
    )
}

/// The columns `keys` and `keys_text`.
fn keys(source: &KeySource) -> (&'static str, Option<String>) {
    match source {
        KeySource::Discovery => ("discovery", None),
        KeySource::Fetched(target) => ("fetched", Some(target.as_str().to_owned())),
        KeySource::Pinned(text) => ("pinned", Some(text.clone())),
    }
}

fn words(algorithms: &[Algorithm]) -> String {
    algorithms.iter().map(|algorithm| algorithm.as_str()).collect::<Vec<_>>().join(" ")
}

/// Of an application.
const ISSUERS_OF: &str = "select t.id, t.name from trusted_issuers t where t.tenant_id = $1 and exists ( \
         select 1 from issuer_bindings b \
         where b.tenant_id = $1 and b.issuer_id = t.id and b.application_id = $2 \
     ) order by t.id";

fn issuers(found: Vec<(String, String)>) -> Vec<Referrer> {
    found.into_iter().map(|(id, name)| Referrer { kind: "trusted_issuer", id, name }).collect()
}

impl Tx {
    /// Adds an issuer with its bindings. Conflict: `trusted_issuer_taken`.
    pub async fn insert_trusted_issuer(
        &mut self,
        tenant: TenantId,
        issuer: &TrustedIssuer,
        name_key: &str,
    ) -> Result<()> {
        let (trust, (kind, text)) = (&issuer.trust, keys(&issuer.trust.keys));
        self.execute(
            "insert into trusted_issuers (tenant_id, id, name, name_key, issuer, audience, keys, keys_text, algorithms, \
             max_age_seconds, single_use, enabled, version, created_at, updated_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
            args![
                tenant,
                issuer.id,
                &issuer.name,
                name_key,
                trust.issuer.as_str(),
                trust.audience.clone(),
                kind,
                text,
                words(&trust.algorithms),
                trust.max_age_seconds,
                trust.single_use,
                trust.enabled,
                issuer.version,
                issuer.created_at,
                issuer.updated_at
            ],
        )
        .await
        .map_err(|failure| failure.refers_to("tenant").conflict("trusted_issuer_taken", taken(issuer)))?;
        self.insert_bindings(tenant, issuer).await
    }

    async fn insert_bindings(&mut self, tenant: TenantId, issuer: &TrustedIssuer) -> Result<()> {
        for (place, binding) in (0_i64..).zip(&issuer.bindings) {
            let drafts: Vec<Draft> = binding.conditions.iter().map(Condition::draft).collect();
            let conditions = serde_json::to_string(&drafts).map_err(|_| corrupt("conditions", "what is not JSON"))?;
            self.execute(
                "insert into issuer_bindings (tenant_id, id, issuer_id, place, application_id, description, conditions) \
                 values ($1, $2, $3, $4, $5, $6, $7)",
                args![tenant, binding.id, issuer.id, place, binding.application_id, &binding.description, conditions],
            )
            .await
            .map_err(|failure| failure.refers_to("application"))?;
        }
        Ok(())
    }

    /// The issuer of that id, with its bindings.
    pub async fn find_trusted_issuer(&mut self, tenant: TenantId, id: IssuerId) -> Result<Option<TrustedIssuer>> {
        let found: Vec<IssuerRow> = self.all(FIND, args![tenant, id]).await?;
        Ok(assemble(found)?.pop())
    }

    /// How many issuers the tenant trusts.
    pub async fn count_trusted_issuers(&mut self, tenant: TenantId) -> Result<i64> {
        let (count,): (i64,) =
            self.one("select count(*) from trusted_issuers where tenant_id = $1", args![tenant]).await?;
        Ok(count)
    }

    /// Writes an issuer whose `version` is the new one, with its bindings in place of those before; the stored version must be
    /// the one before. Conflict: `trusted_issuer_taken`.
    pub async fn update_trusted_issuer(
        &mut self,
        tenant: TenantId,
        issuer: &TrustedIssuer,
        name_key: &str,
    ) -> Result<()> {
        let (trust, (kind, text)) = (&issuer.trust, keys(&issuer.trust.keys));
        let updated = self
            .execute(
                "update trusted_issuers set name = $3, name_key = $4, issuer = $5, audience = $6, keys = $7, keys_text = $8, \
                 algorithms = $9, max_age_seconds = $10, single_use = $11, enabled = $12, version = $13, updated_at = $14 \
                 where tenant_id = $1 and id = $2 and version = $13 - 1",
                args![
                    tenant,
                    issuer.id,
                    &issuer.name,
                    name_key,
                    trust.issuer.as_str(),
                    trust.audience.clone(),
                    kind,
                    text,
                    words(&trust.algorithms),
                    trust.max_age_seconds,
                    trust.single_use,
                    trust.enabled,
                    issuer.version,
                    issuer.updated_at
                ],
            )
            .await
            .map_err(|failure| failure.conflict("trusted_issuer_taken", taken(issuer)))?;
        if updated != 1 {
            let stored: Option<(i64,)> = self
                .optional(
                    "select version from trusted_issuers where tenant_id = $1 and id = $2",
                    args![tenant, issuer.id],
                )
                .await?;
            return Err(not_updated("trusted issuer", stored));
        }
        self.delete_bindings(tenant, issuer.id, &issuer.bindings).await?;
        self.insert_bindings(tenant, issuer).await
    }

    /// Removes all bindings of an issuer; the last uses of those that come back stay.
    async fn delete_bindings(&mut self, tenant: TenantId, issuer: IssuerId, kept: &[Binding]) -> Result<()> {
        let deleted: Vec<(String, String)> = self
            .all(
                "delete from issuer_bindings where tenant_id = $1 and issuer_id = $2 returning application_id, id",
                args![tenant, issuer],
            )
            .await?;
        for (application, id) in deleted {
            if kept.iter().all(|binding| binding.id.to_string() != id) {
                self.execute(
                    "delete from secret_uses where tenant_id = $1 and application_id = $2 and secret_id = $3",
                    args![tenant, application, id],
                )
                .await?;
            }
        }
        Ok(())
    }

    /// Removes an issuer with its bindings; whether it was there.
    pub async fn delete_trusted_issuer(&mut self, tenant: TenantId, id: IssuerId) -> Result<bool> {
        self.delete_bindings(tenant, id, &[]).await?;
        let deleted =
            self.execute("delete from trusted_issuers where tenant_id = $1 and id = $2", args![tenant, id]).await?;
        Ok(deleted == 1)
    }

    /// The issuers whose tokens stand for an application, by id.
    pub async fn list_issuers_of(&mut self, tenant: TenantId, application: ApplicationId) -> Result<Vec<Referrer>> {
        Ok(issuers(self.all(ISSUERS_OF, args![tenant, application]).await?))
    }

    /// The applications that need no secret, by id: that tokens of issuers stand for which the tenant trusts now, or that have a
    /// public key that works.
    pub async fn list_secretless(&mut self, tenant: TenantId, now: Timestamp) -> Result<Vec<ApplicationId>> {
        let found: Vec<(String,)> = self
            .all(
                "select b.application_id from issuer_bindings b \
                 join trusted_issuers t on t.tenant_id = b.tenant_id and t.id = b.issuer_id \
                 where b.tenant_id = $1 and t.enabled \
                 union select k.application_id from public_keys k \
                 where k.tenant_id = $1 and (k.expires_at is null or k.expires_at > $2) order by 1",
                args![tenant, now],
            )
            .await?;
        found.iter().map(|(id,)| id_of!(ApplicationId, id)).collect()
    }

    /// Whether a binding of an issuer that is trusted now leads to an application.
    pub async fn is_bound(&mut self, tenant: TenantId, binding: BindingId, application: ApplicationId) -> Result<bool> {
        let found: Option<(String,)> = self
            .optional(
                "select b.id from issuer_bindings b \
                 join trusted_issuers t on t.tenant_id = b.tenant_id and t.id = b.issuer_id \
                 where b.tenant_id = $1 and b.id = $2 and b.application_id = $3 and t.enabled",
                args![tenant, binding, application],
            )
            .await?;
        Ok(found.is_some())
    }
}

impl Store {
    /// The issuers whose tokens stand for an application, by id.
    pub async fn list_issuers_of(&self, tenant: TenantId, application: ApplicationId) -> Result<Vec<Referrer>> {
        Ok(issuers(self.all(ISSUERS_OF, args![tenant, application]).await?))
    }

    /// The last uses of the bindings of issuers from one to another, of those that were used.
    pub async fn list_binding_uses(
        &self,
        tenant: TenantId,
        first: IssuerId,
        last: IssuerId,
    ) -> Result<HashMap<BindingId, LastUse>> {
        let found: Vec<(String, i64, Option<String>, String)> = self
            .all(
                "select b.id, u.at, u.address, u.user_agent from issuer_bindings b join secret_uses u \
                 on u.tenant_id = b.tenant_id and u.application_id = b.application_id and u.secret_id = b.id \
                 where b.tenant_id = $1 and b.issuer_id >= $2 and b.issuer_id <= $3 order by b.id",
                args![tenant, first, last],
            )
            .await?;
        let read = |(id, at, address, user_agent): (String, i64, Option<String>, String)| {
            let address = address.and_then(|address| address.parse().ok());
            let last_use = LastUse { at: Timestamp::from_micros(at), address, user_agent };
            Ok((id_of!(BindingId, &id)?, last_use))
        };
        found.into_iter().map(read).collect()
    }

    /// The issuer of that id, with its bindings.
    pub async fn find_trusted_issuer(&self, tenant: TenantId, id: IssuerId) -> Result<Option<TrustedIssuer>> {
        let found: Vec<IssuerRow> = self.all(FIND, args![tenant, id]).await?;
        Ok(assemble(found)?.pop())
    }

    /// The issuers that the tenant trusts, by id; positions are ids.
    pub async fn list_trusted_issuers(&self, tenant: TenantId, page: &PageRequest) -> Result<Vec<TrustedIssuer>> {
        let found: Vec<IssuerRow> = self
            .all(
                "select t.tenant_id, t.id, t.name, t.issuer, t.audience, t.keys, t.keys_text, t.algorithms, \
                 t.max_age_seconds, t.single_use, t.enabled, t.version, t.created_at, t.updated_at, b.id as binding_id, \
                 b.application_id, b.description, b.conditions from ( \
                     select * from trusted_issuers where tenant_id = $1 and id > $2 order by id limit $3 \
                 ) t left join issuer_bindings b on b.tenant_id = t.tenant_id and b.issuer_id = t.id \
                 order by t.id, b.place",
                args![tenant, page.after.as_deref().unwrap_or(""), page.fetch()],
            )
            .await?;
        assemble(found)
    }
}
