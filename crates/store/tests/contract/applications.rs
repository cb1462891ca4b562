//! Applications.

use crate::fixtures::*;
use claviger_domain::Error;
use claviger_domain::application::{Application, Reach, Rights};
use claviger_domain::id::ClientId;
use claviger_domain::network::Network;
use claviger_domain::rate::RateLimit;
use claviger_domain::usage::{Grain, Outcome, UsageDelta};
use claviger_store::Store;

facts!(
    what_is_stored_comes_back,
    names_and_client_ids_are_unique,
    deleting_takes_everything_along,
    the_limit_holds_under_parallel_creates,
    pages_are_stable_under_deletes,
);

fn full() -> Application {
    Application {
        name: "Läufer".into(),
        owner: Some("ops@example.com".into()),
        owner_id: None,
        rights: Rights::Level(level_id(7)),
        reach: Reach::Beneath,
        allowed_networks: Some(
            ["192.0.2.0/24", "2001:db8::/32"].iter().map(|text| Network::parse("", text).unwrap()).collect(),
        ),
        expires_at: Some(at(1_000)),
        ends_at: Some(at(1_000)),
        enabled: false,
        rate_limit: Some(RateLimit { requests: 100, window_seconds: 60 }),
        client_id: ClientId::stored("ABCDEFGHIJ".into()),
        ..application(tenant_id(1), 2)
    }
}

async fn what_is_stored_comes_back(store: Store) {
    insert_tenants(&store, 2).await;
    let plain = application(tenant_id(1), 1);
    let closed = Application { allowed_networks: Some(Vec::new()), ..application(tenant_id(1), 3) };
    let mut tx = store.begin().await.unwrap();
    for application in [&plain, &full(), &closed] {
        insert_application(&mut tx, application).await;
        assert_eq!(tx.find_application(tenant_id(1), application.id).await.unwrap().as_ref(), Some(application));
    }
    tx.commit().await.unwrap();
    for application in [&plain, &full(), &closed] {
        assert_eq!(store.find_application(tenant_id(1), application.id).await.unwrap().as_ref(), Some(application));
    }
    assert_eq!(store.find_application(tenant_id(2), plain.id).await.unwrap(), None, "another tenant's is not found");

    let mut tx = store.begin().await.unwrap();
    let changed = Application { id: plain.id, client_id: plain.client_id.clone(), version: 2, ..full() };
    tx.update_application(tenant_id(1), &changed, &key("Läufer 2")).await.unwrap();
    let stale = tx.update_application(tenant_id(1), &changed, "x").await;
    assert!(matches!(stale, Err(Error::PreconditionFailed { current: 2 })), "{stale:?}");
    let foreign = tx.update_application(tenant_id(2), &changed, "x").await;
    assert!(matches!(foreign, Err(Error::NotFound("application"))), "{foreign:?}");
    tx.commit().await.unwrap();
    assert_eq!(store.find_application(tenant_id(1), plain.id).await.unwrap(), Some(changed));
}

async fn names_and_client_ids_are_unique(store: Store) {
    insert_tenants(&store, 2).await;
    let insert = async |application: Application| {
        let mut tx = store.begin().await.unwrap();
        tx.insert_application(application.tenant_id, &application, &key(&application.name)).await?;
        tx.commit().await
    };
    insert(full()).await.unwrap();
    let name = Application { name: "LÄUFER".into(), ..application(tenant_id(1), 3) };
    assert_eq!(code(insert(name).await.unwrap_err()), "application_name_taken");
    let client = Application { client_id: full().client_id, ..application(tenant_id(2), 4) };
    assert_eq!(code(insert(client).await.unwrap_err()), "client_id_taken", "in the whole store");
    assert_eq!(store.find_application(tenant_id(2), application_id(4)).await.unwrap(), None, "half an insert is none");
    insert(Application { name: "Läufer".into(), ..application(tenant_id(2), 5) }).await.unwrap();
    let nowhere = insert(application(tenant_id(9), 7)).await;
    assert!(matches!(nowhere, Err(Error::NotFound("tenant"))), "{nowhere:?}");
    insert(application(tenant_id(1), 6)).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let renamed = Application { version: 2, ..application(tenant_id(1), 6) };
    let taken = tx.update_application(tenant_id(1), &renamed, &key("läufer")).await;
    assert_eq!(code(taken.unwrap_err()), "application_name_taken");
}

async fn deleting_takes_everything_along(store: Store) {
    let (tenant, id) = seed(&store).await;
    let delta = UsageDelta {
        tenant_id: tenant,
        application_id: id,
        hour: NOW.hour(),
        right: "org.audits:READ".into(),
        outcome: Outcome::Allowed,
        count: 3,
        last_at: NOW,
    };
    let mut tx = store.begin().await.unwrap();
    tx.insert_secret(tenant, &secret(id, 1)).await.unwrap();
    tx.add_usage(std::slice::from_ref(&delta)).await.unwrap();
    tx.update_cursor(tenant, id, "audit", 7).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.count_applications(tenant).await.unwrap(), 1);
    assert!(tx.delete_application(tenant, id).await.unwrap());
    assert!(!tx.delete_application(tenant, id).await.unwrap());
    assert_eq!(tx.count_applications(tenant).await.unwrap(), 0);
    tx.add_usage(&[delta]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.find_client(&id.to_string()).await.unwrap(), None);
    assert_eq!(store.list_secrets(tenant, id).await.unwrap(), []);
    let usage = store.usage(tenant, None, NOW, at(9_999), Grain::Hour, &page(50, None)).await.unwrap();
    assert_eq!(usage, [], "what is flushed late is dropped");
    let mut tx = store.begin().await.unwrap();
    insert_application(&mut tx, &application(tenant, 1)).await;
    assert_eq!(tx.find_cursor(tenant, id, "audit").await.unwrap(), None);
}

async fn the_limit_holds_under_parallel_creates(store: Store) {
    insert_tenants(&store, 1).await;
    let create = |number| {
        let store = store.clone();
        async move {
            let mut tx = store.begin().await.unwrap();
            tx.lock_tenant(tenant_id(1)).await.unwrap();
            if tx.count_applications(tenant_id(1)).await.unwrap() >= 10 {
                return false;
            }
            insert_application(&mut tx, &application(tenant_id(1), number)).await;
            tx.commit().await.unwrap();
            true
        }
    };
    let tasks: Vec<_> = (0..30).map(|number| tokio::spawn(create(number))).collect();
    let mut made = 0;
    for task in tasks {
        made += u32::from(task.await.unwrap());
    }
    assert_eq!(made, 10);
    let found = store.list_applications(tenant_id(1), &page(50, None)).await.unwrap();
    assert_eq!(found.len(), 10);
}

async fn pages_are_stable_under_deletes(store: Store) {
    insert_tenants(&store, 1).await;
    let mut tx = store.begin().await.unwrap();
    for number in 1..=25 {
        insert_application(&mut tx, &application(tenant_id(1), number)).await;
    }
    tx.commit().await.unwrap();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let mut found = store.list_applications(tenant_id(1), &page(4, after)).await.unwrap();
        let more = found.len() > 4;
        found.truncate(4);
        after = found.last().map(|application| application.id.to_string());
        seen.extend(found.iter().map(|application| application.id));
        if !more {
            break;
        }
        // The one the cursor stands on goes away while the client reads on.
        let mut tx = store.begin().await.unwrap();
        tx.delete_application(tenant_id(1), *seen.last().unwrap()).await.unwrap();
        tx.commit().await.unwrap();
    }
    assert_eq!(seen, (1..=25).map(application_id).collect::<Vec<_>>());
}
