//! Ends of secrets, and what is to be looked at because of its age.

use crate::fixtures::*;
use claviger_domain::application::Application;
use claviger_domain::id::ApplicationId;
use claviger_domain::time::Timestamp;
use claviger_store::Store;
use claviger_store::lifetimes::Ageing;
use claviger_store::secrets::StoredSecret;

facts!(ends_are_inherited_unless_an_overlap_set_them, what_ages_is_found);

async fn ends_are_inherited_unless_an_overlap_set_them(store: Store) {
    let (tenant, id) = seed(&store).await;
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.find_inherited_end(tenant, id, NOW).await.unwrap(), None);
    tx.insert_secret(tenant, &secret(id, 1)).await.unwrap();
    assert_eq!(tx.find_inherited_end(tenant, id, NOW).await.unwrap(), None);
    assert!(tx.update_secret_end(tenant, id, secret_id(1), Some(at(60))).await.unwrap());
    assert_eq!(tx.find_inherited_end(tenant, id, NOW).await.unwrap(), Some(at(60)));
    assert_eq!(tx.find_inherited_end(tenant, id, at(60)).await.unwrap(), None, "it is over");
    tx.end_secret(tenant, id, secret_id(1), at(30)).await.unwrap();
    assert_eq!(tx.find_inherited_end(tenant, id, NOW).await.unwrap(), None);
    tx.insert_secret(tenant, &secret(id, 2)).await.unwrap();
    assert!(tx.update_secret_end(tenant, id, secret_id(1), Some(at(90))).await.unwrap());
    assert_eq!(tx.find_inherited_end(tenant, id, NOW).await.unwrap(), None, "the newest counts");
    assert!(tx.update_secret_end(tenant, id, secret_id(1), None).await.unwrap());
    assert_eq!(tx.list_secrets(tenant, id).await.unwrap()[0].expires_at, None);
    let mut temporary = secret(id, 3);
    (temporary.secret.expires_at, temporary.secret.temporary) = (Some(at(60)), true);
    tx.insert_secret(tenant, &temporary).await.unwrap();
    assert_eq!(
        tx.find_inherited_end(tenant, id, NOW).await.unwrap(),
        None,
        "what waits to be changed hands nothing on"
    );
    let listed: Vec<_> = tx.list_secrets(tenant, id).await.unwrap().iter().map(|secret| secret.temporary).collect();
    assert_eq!(listed, [false, false, true]);
    let credential = tx.find_credential(tenant, id).await.unwrap().unwrap();
    let known: Vec<_> = credential.secrets.iter().map(|secret| secret.temporary).collect();
    assert_eq!(known, [false, false, true]);
    assert!(!tx.update_secret_end(tenant_id(0), id, secret_id(1), None).await.unwrap());
    assert!(!tx.update_secret_end(tenant, id, secret_id(9), None).await.unwrap());
}

async fn what_ages_is_found(store: Store) {
    insert_tenants(&store, 3).await;
    let tenant = tenant_id(1);
    let mut tx = store.begin().await.unwrap();
    // Number, the application's end, its secret's end, when both were made.
    let rows: [(u128, Option<i64>, Option<i64>, i64); 6] = [
        (1, None, None, 0),
        (2, Some(50), None, 0),
        (3, None, Some(50), 0),
        (4, Some(5), Some(50), 0),
        (5, None, Some(500), -1_000),
        (6, None, Some(5), -1_000),
    ];
    for (number, app_end, secret_end, made) in rows {
        let one = Application {
            expires_at: app_end.map(at),
            created_at: at(made),
            ..crate::fixtures::application(tenant, number)
        };
        insert_application(&mut tx, &one).await;
        let mut stored: StoredSecret = secret(one.id, number);
        (stored.secret.expires_at, stored.secret.created_at) = (secret_end.map(at), at(made));
        tx.insert_secret(tenant, &stored).await.unwrap();
    }
    insert_application(&mut tx, &crate::fixtures::application(tenant_id(2), 20)).await;
    tx.commit().await.unwrap();
    let none = Ageing { now: at(10), until: at(100), applications_made_until: None, secrets_made_until: None };
    let found = async |ageing: Ageing, after: Option<u128>, limit| {
        let ids = store.list_ageing(tenant, &ageing, after.map(application_id), limit).await.unwrap();
        let place = |id: ApplicationId| (1..7).find(|number| application_id(*number) == id).unwrap();
        ids.into_iter().map(place).collect::<Vec<u128>>()
    };
    assert_eq!(found(none, None, 9).await, [2, 3]);
    assert_eq!(found(Ageing { secrets_made_until: Some(at(-1_000)), ..none }, None, 9).await, [2, 3, 5]);
    assert_eq!(found(Ageing { applications_made_until: Some(at(0)), ..none }, None, 9).await, [1, 2, 3, 5]);
    assert_eq!(found(Ageing { applications_made_until: Some(at(0)), ..none }, Some(1), 1).await, [2]);
    let tenants = async |after: Timestamp, until| store.list_tenants_with_ends(after, until).await.unwrap();
    assert_eq!(tenants(at(10), at(100)).await, [tenant]);
    assert_eq!(tenants(at(50), at(100)).await, []);
    assert_eq!(tenants(at(4), at(5)).await, [tenant]);
}
