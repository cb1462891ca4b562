//! Provisionings.

use crate::fixtures::*;
use claviger_domain::application::{Reach, Rights};
use claviger_domain::id::{ProvisioningId, TenantId};
use claviger_domain::name::Name;
use claviger_domain::provisioning::{NewProvisioning, Progress, Provisioning, StepKind, WantedApplication};
use claviger_domain::tenant::{Kind, NewTenant, Stage};
use claviger_store::Store;
use serde_json::json;

facts!(what_is_stored_comes_back, what_is_open_is_listed, a_first_secret_is_taken_out_once, a_tenant_shows_its_stage);

fn job(number: u128, made: u128) -> Provisioning {
    let name = Name::parse("/name", "First").unwrap();
    let wanted = WantedApplication { name, rights: Rights::Level(level_id(1)), reach: Reach::Own };
    let tenant = NewTenant::new(Name::parse("/name", "New").unwrap(), Kind::Organization, tenant_id(0));
    let new = NewProvisioning { tenant, application: Some(wanted), administrator: None };
    Provisioning {
        id: ProvisioningId::from_u128(0x0190_0000_0000_7000_c000_0000_0000_0000 + number),
        parent_id: tenant_id(0),
        tenant_id: tenant_id(made),
        fingerprint: new.fingerprint(),
        progress: Progress::Queued,
        steps: new.steps(tenant_id(made), NOW),
        wanted: new.wanted(),
        error: None,
        secret_until: None,
        claimed_at: None,
        created_at: at(i64::try_from(number).unwrap()),
        updated_at: NOW,
    }
}

async fn insert(store: &Store, jobs: &[Provisioning]) {
    let mut tx = store.begin().await.unwrap();
    for job in jobs {
        tx.insert_provisioning(job.parent_id, job, &json!({"kind": "application", "id": "x"})).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn what_is_stored_comes_back(store: Store) {
    insert_tenants(&store, 2).await;
    let first = job(1, 1);
    insert(&store, &[first.clone(), job(2, 2)]).await;
    let (parent, nobody) = (tenant_id(0), TenantId::from_u128(9));
    assert_eq!(store.find_provisioning(parent, first.id).await.unwrap(), Some(first.clone()));
    assert_eq!(store.find_provisioning(nobody, first.id).await.unwrap(), None);
    assert_eq!(store.find_provisioning_of(parent, tenant_id(1)).await.unwrap(), Some(first.clone()));
    assert_eq!(store.find_provisioning_of(nobody, tenant_id(1)).await.unwrap(), None);
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.find_provisioning_of(parent, tenant_id(1)).await.unwrap(), Some(first.clone()));
    assert_eq!(tx.find_provisioning_of(nobody, tenant_id(1)).await.unwrap(), None);
    assert_eq!(tx.find_provisioning_actor(parent, first.id).await.unwrap()["id"], "x");
    let mut moved = first;
    moved.complete(StepKind::Application, application_id(5).to_string(), at(7));
    tx.update_provisioning(parent, &moved).await.unwrap();
    assert_eq!(tx.find_provisioning(parent, moved.id).await.unwrap(), Some(moved.clone()));
    tx.commit().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    assert!(tx.update_provisioning(nobody, &moved).await.is_err());
    drop(tx);
    let ids = async |limit, after| -> Vec<_> {
        let found = store.list_provisionings(parent, &page(limit, after)).await.unwrap();
        found.into_iter().map(|job| job.id).collect()
    };
    assert_eq!(ids(9, None).await, [job(2, 2).id, job(1, 1).id], "newest first");
    assert_eq!(ids(9, Some(job(2, 2).id.to_string())).await, [job(1, 1).id]);
}

async fn what_is_open_is_listed(store: Store) {
    insert_tenants(&store, 3).await;
    let mut failed = job(3, 3);
    failed.fail(StepKind::Application, "no".into(), at(8));
    insert(&store, &[job(2, 2), job(1, 1), failed.clone()]).await;
    assert_eq!(store.list_failed_provisionings(9).await.unwrap(), [(tenant_id(0), failed.id)]);
    let open = store.list_open_provisionings(9).await.unwrap();
    assert_eq!(open, [(tenant_id(0), job(1, 1).id), (tenant_id(0), job(2, 2).id)], "oldest first");
    assert_eq!(store.list_open_provisionings(1).await.unwrap().len(), 1);
    assert_eq!(store.find_provisioning(tenant_id(0), failed.id).await.unwrap(), Some(failed));
}

async fn a_first_secret_is_taken_out_once(store: Store) {
    insert_tenants(&store, 1).await;
    let (parent, first) = (tenant_id(0), job(1, 1));
    insert(&store, std::slice::from_ref(&first)).await;
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.claim_first_secret(parent, first.id, NOW).await.unwrap(), None);
    tx.keep_first_secret(parent, first.id, b"sealed", at(60)).await.unwrap();
    assert_eq!(tx.find_provisioning(parent, first.id).await.unwrap().unwrap().secret_until, Some(at(60)));
    assert_eq!(tx.claim_first_secret(parent, first.id, at(5)).await.unwrap().as_deref(), Some(&b"sealed"[..]));
    assert_eq!(tx.claim_first_secret(parent, first.id, at(6)).await.unwrap(), None);
    assert_eq!(tx.find_provisioning(parent, first.id).await.unwrap().unwrap().claimed_at, Some(at(5)));
    tx.keep_first_secret(parent, first.id, b"again", at(60)).await.unwrap();
    tx.sweep(at(60)).await.unwrap();
    assert_eq!(tx.claim_first_secret(parent, first.id, at(61)).await.unwrap(), None, "it has lapsed");
}

async fn a_tenant_shows_its_stage(store: Store) {
    insert_tenants(&store, 1).await;
    let mut tx = store.begin().await.unwrap();
    tx.set_provisioning(tenant_id(1), Some(Stage::Running), at(3)).await.unwrap();
    let found = tx.find_tenant(tenant_id(1)).await.unwrap().unwrap();
    assert_eq!((found.provisioning, found.version, found.updated_at), (Some(Stage::Running), 2, at(3)));
    tx.set_provisioning(tenant_id(1), None, at(4)).await.unwrap();
    assert_eq!(tx.find_tenant(tenant_id(1)).await.unwrap().unwrap().provisioning, None);
}
