//! Nouns to store, and short ways to store them.

use claviger_domain::Error;
use claviger_domain::access_level::AccessLevel;
use claviger_domain::application::{Application, Reach, Rights, Secret};
use claviger_domain::audit::{Actor, NewEntry, Target};
use claviger_domain::grants::{Grants, Verb, Verbs};
use claviger_domain::id::{AccessLevelId, ApplicationId, ClientId, OrgKey, SecretId, TenantId};
use claviger_domain::name::Name;
use claviger_domain::page::PageRequest;
use claviger_domain::secret::SecretHash;
use claviger_domain::tenant::{Details, Kind, Status, Tenant};
use claviger_domain::time::Timestamp;
use claviger_store::secrets::StoredSecret;
use claviger_store::{Store, Tx};

/// A time after which tests count on.
pub const NOW: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

pub fn at(seconds: i64) -> Timestamp {
    NOW.plus_seconds(seconds)
}

pub fn key(name: &str) -> String {
    Name::parse("/name", name).unwrap().key()
}

pub fn tenant_id(number: u128) -> TenantId {
    TenantId::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number)
}

pub fn application_id(number: u128) -> ApplicationId {
    ApplicationId::from_u128(0x0190_0000_0000_7000_9000_0000_0000_0000 + number)
}

pub fn secret_id(number: u128) -> SecretId {
    SecretId::from_u128(0x0190_0000_0000_7000_a000_0000_0000_0000 + number)
}

pub fn level_id(number: u128) -> AccessLevelId {
    AccessLevelId::from_u128(0x0190_0000_0000_7000_b000_0000_0000_0000 + number)
}

pub fn operator() -> Tenant {
    Tenant { kind: Kind::Operator, parent_id: None, ..tenant(0, "Operator") }
}

pub fn tenant(number: u128, name: &str) -> Tenant {
    Tenant {
        id: tenant_id(number),
        org_key: OrgKey::stored(format!("KEY{number:05}")),
        name: name.to_owned(),
        kind: Kind::Organization,
        parent_id: Some(tenant_id(0)),
        status: Status::Active,
        purge_at: None,
        provisioning: None,
        application_limit: 10,
        details: Details::default(),
        version: 1,
        created_at: NOW,
        updated_at: NOW,
    }
}

pub fn grants(names: &[&str]) -> Grants {
    names.iter().map(|name| ((*name).to_owned(), Verbs::NONE.with(Verb::Read).with(Verb::Update))).collect()
}

pub fn application(tenant: TenantId, number: u128) -> Application {
    let id = application_id(number);
    Application {
        id,
        tenant_id: tenant,
        client_id: ClientId::of(id),
        name: format!("Application {number}"),
        description: "reads".into(),
        owner: None,
        owner_id: None,
        rights: Rights::Inline(grants(&["applications"])),
        reach: Reach::Own,
        allowed_networks: None,
        expires_at: None,
        ends_at: None,
        enabled: true,
        rate_limit: None,
        dpop_bound: false,
        version: 1,
        created_at: NOW,
        updated_at: NOW,
    }
}

pub fn level(tenant: TenantId, number: u128, name: &str) -> AccessLevel {
    AccessLevel {
        id: level_id(number),
        tenant_id: Some(tenant),
        name: name.to_owned(),
        description: "for readers".into(),
        grants: grants(&["org.audits", "org.alerts"]),
        version: 1,
        created_at: NOW,
        updated_at: NOW,
    }
}

pub fn secret(application: ApplicationId, number: u128) -> StoredSecret {
    StoredSecret {
        secret: Secret {
            id: secret_id(number),
            application_id: application,
            hint: "clv_a_…wxyz".into(),
            created_at: NOW,
            expires_at: None,
            ends_at: None,
            last_use: None,
            temporary: false,
        },
        hash: SecretHash::of(&format!("secret {number}")),
        sealed_mac: vec![7; 93],
    }
}

pub fn entry(number: i64) -> NewEntry {
    NewEntry {
        at: at(number),
        actor: Actor { kind: "application", id: "actor".into(), tenant_id: None },
        action: "application.created",
        target: Target { kind: "application", id: format!("target {}", number % 3), name: "Nightly".into() },
        address: Some("192.0.2.7".parse().unwrap()),
        request_id: "r-1".into(),
        request: "POST /v1/tenants".into(),
        details: serde_json::Map::from_iter([("n".to_owned(), number.into())]),
    }
}

pub fn page(limit: i64, after: Option<String>) -> PageRequest {
    PageRequest { limit, after }
}

pub async fn insert_tenants(store: &Store, count: u128) {
    let mut tx = store.begin().await.unwrap();
    tx.insert_tenant(&operator(), &key("Operator")).await.unwrap();
    for number in 1..=count {
        let tenant = tenant(number, &format!("Tenant {number}"));
        tx.insert_tenant(&tenant, &key(&tenant.name)).await.unwrap();
    }
    tx.commit().await.unwrap();
}

pub async fn insert_application(tx: &mut Tx, application: &Application) {
    tx.insert_application(application.tenant_id, application, &key(&application.name)).await.unwrap();
}

/// One tenant (number 1) with one application (number 1).
pub async fn seed(store: &Store) -> (TenantId, ApplicationId) {
    insert_tenants(store, 1).await;
    let mut tx = store.begin().await.unwrap();
    insert_application(&mut tx, &application(tenant_id(1), 1)).await;
    tx.commit().await.unwrap();
    (tenant_id(1), application_id(1))
}

pub fn code(error: Error) -> &'static str {
    match error {
        Error::Conflict { code, .. } => code,
        other => panic!("not a conflict: {other}"),
    }
}
