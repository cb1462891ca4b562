//! Durable creates on SQLite: many clients at once through the verb, beside the same statements by hand in batches.

use crate::Outcome;
use crate::stores;
use claviger_app::App;
use claviger_app::caller::Caller;
use claviger_app::unit::Posted;
use claviger_app::verify::Presented;
use claviger_domain::address::Origin;
use claviger_domain::application::{Application, NewApplication, Reach, Rights, Secret};
use claviger_domain::audit::{Actor, NewEntry, Target};
use claviger_domain::id::{ApplicationId, ClientId, SecretId, TenantId};
use claviger_domain::name::Name;
use claviger_domain::secret::PlainSecret;
use claviger_domain::tenant::{APPLICATION_LIMIT_MAX, Kind, NewTenant, TenantPatch};
use claviger_domain::time::Timestamp;
use claviger_store::Tx;
use claviger_store::changes::{Change, ChangeKind};
use claviger_store::journal::JournalEntry;
use claviger_store::secrets::StoredSecret;
use serde_json::{Map, json};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use tokio::task::JoinSet;

/// Clients that create at the same time, and statements' worth of creates that share a commit by hand.
pub(crate) const CLIENTS: usize = 64;
const FROM: Origin = Origin::Known(IpAddr::V4(Ipv4Addr::LOCALHOST));

/// A fresh store with a tenant for each client.
pub(crate) struct Yard {
    app: Arc<App>,
    operator: Caller,
    tenants: Vec<TenantId>,
    made: usize,
}

impl Yard {
    pub(crate) async fn open(directory: &Path) -> Outcome<Self> {
        let app = stores::open(directory).await?;
        let first = app.set_up().await?.ok_or("the data directory is not new")?;
        app.load_tree().await?;
        app.load_keyring().await?;
        let (client_id, secret) = (first.client_id.to_string(), first.secret.text.reveal());
        let presented = Presented { client_id: &client_id, secret: &secret };
        let operator = app.authenticate(presented, FROM, "claviger-bench/1").await?;
        let mut tenants = Vec::with_capacity(CLIENTS);
        for number in 0..CLIENTS {
            let name = Name::parse("/name", &format!("client {number}"))?;
            let new = NewTenant::new(name, Kind::Organization, first.tenant_id);
            let Posted::Done(tenant) = app.create_tenant(&operator, new, None).await? else { continue };
            let patch = TenantPatch { application_limit: Some(APPLICATION_LIMIT_MAX), ..TenantPatch::default() };
            app.update_tenant(&operator, tenant.id, patch, None).await?;
            tenants.push(tenant.id);
        }
        Ok(Self { app, operator, tenants, made: 0 })
    }

    pub(crate) async fn close(self) {
        self.app.store().close().await;
    }

    /// Creates per second with all clients at it, so many each.
    pub(crate) async fn together(&mut self, each: usize) -> Outcome<f64> {
        let start = Instant::now();
        let mut running = JoinSet::new();
        for tenant in &self.tenants {
            let (app, caller, tenant, first) = (Arc::clone(&self.app), self.operator.clone(), *tenant, self.made);
            running.spawn(async move {
                for number in first..first + each {
                    app.create_application(&caller, tenant, new(&app, number)?, None).await?;
                }
                Outcome::Ok(())
            });
        }
        running.join_all().await.into_iter().collect::<Outcome<()>>()?;
        self.made += each;
        Ok((each * self.tenants.len()) as f64 / start.elapsed().as_secs_f64())
    }

    /// Creates per second by hand: the same statements, one create after the other, a commit for each [`CLIENTS`].
    pub(crate) async fn by_hand(&mut self, each: usize) -> Outcome<f64> {
        let mut batches = Vec::with_capacity(each);
        for number in self.made..self.made + each {
            let prepare = |tenant: &TenantId| Ok((*tenant, Prepared::new(&self.app, *tenant, number)?));
            batches.push(self.tenants.iter().map(prepare).collect::<Outcome<Vec<_>>>()?);
        }
        let start = Instant::now();
        for batch in &batches {
            let mut tx = self.app.store().begin().await?;
            for (tenant, prepared) in batch {
                prepared.write(&mut tx, *tenant, &self.operator).await?;
            }
            tx.commit().await?;
        }
        let took = start.elapsed();
        self.made += each;
        Ok((each * self.tenants.len()) as f64 / took.as_secs_f64())
    }
}

fn new(app: &App, number: usize) -> Outcome<NewApplication> {
    Ok(NewApplication {
        name: Name::parse("/name", &format!("application {number}"))?,
        description: "Made to be measured".to_owned(),
        owner: None,
        owner_id: None,
        rights: Rights::Inline(stores::grants(app.catalogue())),
        reach: Reach::Own,
        allowed_networks: Some(stores::networks(number)?),
        expires_at: None,
        secret_expires_at: None,
        enabled: true,
        rate_limit: None,
        dpop_bound: false,
    })
}

/// What a create writes, made beforehand.
struct Prepared {
    application: Application,
    key: String,
    secret: StoredSecret,
    journal: JournalEntry,
    entry: NewEntry,
    change: Change,
}

impl Prepared {
    fn new(app: &App, tenant_id: TenantId, number: usize) -> Outcome<Self> {
        let now: Timestamp = app.clock().now();
        let random = claviger_app::random::Random::System;
        let new = new(app, number)?;
        let id = ApplicationId::new(now, random.bytes()?);
        let text = PlainSecret::mint(random.bytes()?);
        let secret = Secret {
            id: SecretId::new(now, random.bytes()?),
            application_id: id,
            hint: text.hint(),
            created_at: now,
            expires_at: None,
            ends_at: None,
            last_use: None,
            temporary: false,
        };
        let networks: Vec<_> = new.allowed_networks.iter().flatten().map(ToString::to_string).collect();
        let details = json!({
            "client_id": id,
            "name": new.name.as_str(),
            "description": new.description,
            "rights": { "grants": claviger_domain::grants::grants_to_json(&stores::grants(app.catalogue())) },
            "allowed_networks": networks,
            "enabled": true,
            "secret_id": secret.id,
        });
        let target = Target { kind: "application", id: id.to_string(), name: new.name.as_str().to_owned() };
        let body =
            json!({ "target": { "kind": target.kind, "id": target.id, "name": target.name }, "details": details });
        let actor = Actor { kind: "application", id: id.to_string(), tenant_id: Some(tenant_id) };
        let entry = NewEntry {
            at: now,
            actor,
            action: "application.created",
            target,
            address: FROM.address(),
            request_id: String::new(),
            request: String::new(),
            details: details.as_object().cloned().unwrap_or_else(Map::new),
        };
        Ok(Self {
            key: new.name.key(),
            application: Application {
                id,
                tenant_id,
                client_id: ClientId::of(id),
                name: new.name.as_str().to_owned(),
                description: new.description,
                owner: new.owner,
                owner_id: new.owner_id,
                rights: new.rights,
                reach: new.reach,
                allowed_networks: new.allowed_networks,
                expires_at: None,
                ends_at: None,
                enabled: true,
                rate_limit: None,
                dpop_bound: false,
                version: 1,
                created_at: now,
                updated_at: now,
            },
            secret: StoredSecret { secret, hash: text.hash(), sealed_mac: vec![0; 97] },
            journal: JournalEntry { kind: entry.action.to_owned(), body },
            entry,
            change: Change { kind: ChangeKind::Application, subject: id.to_string() },
        })
    }

    /// The statements of one create, in their order.
    async fn write(&self, tx: &mut Tx, tenant: TenantId, operator: &Caller) -> Outcome<()> {
        tx.lock_tenant(tenant).await?;
        tx.find_credential(operator.tenant().id, operator.record()?.id).await?;
        tx.find_tenant(tenant).await?;
        tx.count_applications(tenant).await?;
        tx.insert_application(tenant, &self.application, &self.key).await?;
        tx.insert_secret(tenant, &self.secret).await?;
        tx.append_journal(tenant, self.entry.at, std::slice::from_ref(&self.journal)).await?;
        tx.append_audit(tenant, &self.entry).await?;
        tx.bump_revision(tenant, std::slice::from_ref(&self.change)).await?;
        Ok(())
    }
}
