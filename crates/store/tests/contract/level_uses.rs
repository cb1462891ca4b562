//! Who has an access level, and what is used of it.

use crate::fixtures::*;
use crate::users::user;
use claviger_domain::access_level::LevelUses;
use claviger_domain::application::{Application, Rights};
use claviger_domain::id::ApplicationId;
use claviger_domain::usage::{Outcome, UsageDelta};
use claviger_domain::user::User;
use claviger_store::Store;

facts!(levels_say_how_many_have_them, uses_of_a_level_are_those_of_its_applications);

async fn fill(store: &Store) {
    insert_tenants(store, 2).await;
    let mut tx = store.begin().await.unwrap();
    for number in 1..=3 {
        let made = level(tenant_id(1), number, &format!("Level {number}"));
        tx.insert_access_level(tenant_id(1), &made, &key(&made.name)).await.unwrap();
    }
    for (number, has) in [(1, 1), (2, 1), (3, 2)] {
        let made = Application { rights: Rights::Level(level_id(has)), ..application(tenant_id(1), number) };
        insert_application(&mut tx, &made).await;
    }
    let elsewhere = Application { rights: Rights::Level(level_id(1)), ..application(tenant_id(2), 4) };
    insert_application(&mut tx, &elsewhere).await;
    let holder = User { roles: vec![level_id(1)], ..user(tenant_id(1), 1) };
    tx.insert_user(tenant_id(1), &holder).await.unwrap();
    tx.commit().await.unwrap();
}

async fn levels_say_how_many_have_them(store: Store) {
    fill(&store).await;
    let uses = store.count_level_uses(tenant_id(1), level_id(1), level_id(3)).await.unwrap();
    assert_eq!(uses.get(&level_id(1)), Some(&LevelUses { applications: 2, users: 1 }));
    assert_eq!(uses.get(&level_id(2)), Some(&LevelUses { applications: 1, users: 0 }));
    assert_eq!(uses.get(&level_id(3)), None);
    let one = store.count_level_uses(tenant_id(1), level_id(2), level_id(2)).await.unwrap();
    assert_eq!(one.len(), 1);
    let named = store.list_level_applications(tenant_id(1), level_id(1), 9).await.unwrap();
    let names: Vec<_> = named.iter().map(|one| (one.kind, one.name.as_str())).collect();
    assert_eq!(names, [("application", "Application 1"), ("application", "Application 2")]);
    assert_eq!(store.list_level_applications(tenant_id(1), level_id(1), 1).await.unwrap().len(), 1);
    let people = store.list_level_people(tenant_id(1), level_id(1), 9).await.unwrap();
    assert_eq!(people.iter().map(|one| one.kind).collect::<Vec<_>>(), ["user"]);
    assert!(store.list_level_people(tenant_id(2), level_id(1), 9).await.unwrap().is_empty());
}

async fn uses_of_a_level_are_those_of_its_applications(store: Store) {
    fill(&store).await;
    let used = |application: ApplicationId, right: &str, seconds: i64| UsageDelta {
        tenant_id: tenant_id(1),
        application_id: application,
        right: right.into(),
        outcome: Outcome::Allowed,
        hour: at(0).hour(),
        count: 1,
        last_at: at(seconds),
    };
    let mut tx = store.begin().await.unwrap();
    let (one, two, three) = (application_id(1), application_id(2), application_id(3));
    let uses = [used(one, "a:READ", 5), used(two, "a:READ", 9), used(two, "b:READ", 3), used(three, "c:READ", 7)];
    tx.add_usage(&uses).await.unwrap();
    tx.commit().await.unwrap();
    let found = store.last_use_of_level(tenant_id(1), level_id(1)).await.unwrap();
    assert_eq!(found, [("a:READ".to_owned(), at(9)), ("b:READ".to_owned(), at(3))]);
    assert!(store.last_use_of_level(tenant_id(2), level_id(1)).await.unwrap().is_empty());
}
