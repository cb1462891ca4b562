//! Import: applications that clients know already, with the hashes of the secrets they hold.

use crate::App;
use crate::applications::describe;
use crate::bulk::{Rights, naming, tenant_target};
use crate::caller::Caller;
use crate::unit::{Effect, Needs, OnceFor, Posted, Unit};
use claviger_domain::application::{Application, NewApplication, Secret};
use claviger_domain::grants::Verb;
use claviger_domain::id::{ApplicationId, SecretId, TenantId};
use claviger_domain::import::{Import, ImportedApplication};
use claviger_domain::lifetime::check_end;
use claviger_domain::{Error, FieldError, Result};
use claviger_store::secrets::StoredSecret;
use serde_json::{Map, Value};
use std::sync::Arc;

const PERMISSION: &str = "applications";
/// Members of an application that the record of an import holds: what it may do, and what it is called.
const RECORDED: [&str; 4] = ["client_id", "name", "rights", "reach"];

/// What an import came to.
#[derive(Debug)]
pub struct Imported {
    /// Whether nothing was made, since it was only asked.
    pub dry_run: bool,
    /// The applications in the order in which they came.
    pub applications: Vec<(Application, Vec<Secret>)>,
}

impl App {
    /// Takes over applications with the client ids and secrets that their clients have, all of them or none. Needs
    /// `applications:CREATE` and every right that they get.
    pub async fn import_applications(
        self: &Arc<Self>,
        caller: &Caller,
        tenant: TenantId,
        import: Import,
        once: Option<OnceFor<Imported>>,
    ) -> Result<Posted<Imported>> {
        let tenant = caller.reach(tenant)?.id;
        caller.allow(PERMISSION, Verb::Create)?;
        import.check()?;
        self.unit_once(caller, Needs { tenant, right: (PERMISSION, Verb::Create) }, once, move |unit| {
            Box::pin(async move {
                unit.check_application_limit(tenant, import.applications.len()).await?;
                unit.refuse_what_exists(tenant, &import).await?;
                let mut rights = Rights::default();
                let (mut made, mut recorded) = (Vec::new(), Vec::new());
                for (index, one) in import.applications.iter().enumerate() {
                    let wanted = rights.of(unit, tenant, &one.new.rights).await;
                    let wanted = wanted.map_err(|error| placed(error, &|member| import.pointer(index, member)))?;
                    let covered = unit.caller.covers(&wanted, one.new.reach);
                    covered.map_err(|error| naming(one.new.name.as_str(), error))?;
                    let rule = unit.check_key_type(tenant, &one.new.rights);
                    let rule = rule.map_err(|error| placed(error, &|member| import.pointer(index, member)))?;
                    let inserted = unit.insert_imported(tenant, one).await;
                    let (application, secrets) =
                        inserted.map_err(|error| placed(error, &|member| import.pointer(index, member)))?;
                    let mut members = describe(&application);
                    members.retain(|member, _| RECORDED.contains(&member.as_str()));
                    members.insert("id".into(), application.id.to_string().into());
                    if let Some(rule) = rule {
                        unit.tell_sunset(&application, rule);
                    }
                    recorded.push(Value::Object(members));
                    unit.affects(Effect::Application(tenant, application.id));
                    made.push((application, secrets));
                }
                if import.dry_run {
                    unit.only_rehearses();
                }
                let target = tenant_target(unit, tenant).await?;
                let details = Map::from_iter([("applications".to_owned(), Value::Array(recorded))]);
                unit.record("applications.imported", target, details);
                Ok(Imported { dry_run: import.dry_run, applications: made })
            })
        })
        .await
    }
}

impl Unit {
    /// Names everything of an import that exists already, so that one answer tells all of it.
    async fn refuse_what_exists(&mut self, tenant: TenantId, import: &Import) -> Result<()> {
        let mut refused = Vec::new();
        for (index, one) in import.applications.iter().enumerate() {
            if self.tx.find_application_by_name(tenant, &one.new.name.key()).await?.is_some() {
                refused.push(FieldError {
                    pointer: import.pointer(index, "/name"),
                    message: "the tenant has an application of this name (upper and lower case are one)".into(),
                    fix: "choose another, or leave it out if it has been imported".into(),
                });
            }
            if self.tx.is_client_id_taken(one.client_id.as_str()).await? {
                refused.push(FieldError {
                    pointer: import.pointer(index, "/client_id"),
                    message: "an application of this server has this client id".into(),
                    fix: "leave it out if it has been imported; a client id belongs to one application".into(),
                });
            }
        }
        if refused.is_empty() { Ok(()) } else { Err(Error::Invalid(refused)) }
    }

    async fn insert_imported(
        &mut self,
        tenant: TenantId,
        imported: &ImportedApplication,
    ) -> Result<(Application, Vec<Secret>)> {
        let id = ApplicationId::new(self.now, self.app.state.random.bytes()?);
        let bounds = self.bounds(tenant);
        let ceiling = bounds.as_ref().and_then(|bounds| bounds.application_ceiling(id.made_at()));
        let expires_at = check_end("/expires_at", imported.new.expires_at, ceiling)?;
        let owner = self.owner_of(tenant, imported.new.owner.clone(), imported.new.owner_id).await?;
        let new = NewApplication { expires_at, owner, ..imported.new.clone() };
        let application = new.into_application(tenant, id, imported.client_id.clone(), self.now);
        self.tx.insert_application(tenant, &application, &imported.new.name.key()).await?;
        if !imported.secrets.is_empty() {
            self.refuse_static_secret(tenant)?;
        }
        let mut secrets = Vec::with_capacity(imported.secrets.len());
        for (index, one) in imported.secrets.iter().enumerate() {
            let secret_id = SecretId::new(self.now, self.app.state.random.bytes()?);
            let ceiling = bounds.as_ref().and_then(|bounds| bounds.secret_ceiling(secret_id.made_at()));
            check_end(&format!("/secrets/{index}/expires_at"), one.expires_at, ceiling)?;
            let secret = Secret {
                id: secret_id,
                application_id: id,
                hint: one.hint.clone(),
                created_at: self.now,
                expires_at: one.expires_at,
                ends_at: one.expires_at,
                last_use: None,
                temporary: false,
            };
            // Of the mid-states nothing is known: they follow from the text, not from its hash.
            let stored = StoredSecret { secret: secret.clone(), hash: one.hash, sealed_mac: Vec::new() };
            self.tx.insert_secret(tenant, &stored).await?;
            secrets.push(secret);
        }
        Ok((application, secrets))
    }
}

/// The same refusal, with its pointers where the application stands in the import.
fn placed(error: Error, pointer: &dyn Fn(&str) -> String) -> Error {
    match error {
        Error::Invalid(mut fields) => {
            fields.iter_mut().for_each(|field| field.pointer = pointer(&field.pointer));
            Error::Invalid(fields)
        }
        other => other,
    }
}
