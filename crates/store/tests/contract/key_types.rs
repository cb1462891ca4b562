//! Legacy key types: what is said of them, and who has keys of them.

use crate::fixtures::*;
use claviger_domain::application::{Application, LastUse, Reach, Rights};
use claviger_domain::id::NoticeId;
use claviger_domain::key_type::{LegacyRule, LegacyRules, LegacyType};
use claviger_domain::lifetime::DAY;
use claviger_domain::notice::{Notice, NoticeKind, Telling};
use claviger_domain::tenant::Tenant;
use claviger_domain::usage::SecretUse;
use claviger_store::Store;
use claviger_store::key_types::ComingSunset;

facts!(rules_are_put_and_read, a_key_type_is_stored, legacy_applications_are_listed, who_is_to_be_told_of_a_sunset);

async fn rules_are_put_and_read(store: Store) {
    insert_tenants(&store, 2).await;
    let rule = |allowed, sunset: Option<i64>| Some(LegacyRule { allowed, sunset: sunset.map(at), since: NOW });
    let first = LegacyRules::default()
        .with(LegacyType::Siem, rule(true, Some(60)))
        .with(LegacyType::LiveResponse, rule(false, None));
    let second = LegacyRules::default().with(LegacyType::Api, rule(true, Some(90)));
    let mut tx = store.begin().await.unwrap();
    tx.put_legacy_rules(tenant_id(1), &second).await.unwrap();
    tx.put_legacy_rules(tenant_id(1), &first).await.unwrap();
    tx.put_legacy_rules(tenant_id(2), &second).await.unwrap();
    assert_eq!(tx.find_legacy_rules(tenant_id(1)).await.unwrap(), first);
    tx.commit().await.unwrap();
    assert_eq!(store.find_legacy_rules(tenant_id(2)).await.unwrap(), second);
    assert_eq!(store.find_legacy_rules(tenant_id(0)).await.unwrap(), LegacyRules::default());
    assert_eq!(store.load_legacy_rules().await.unwrap(), [(tenant_id(1), first), (tenant_id(2), second)]);
    let mut tx = store.begin().await.unwrap();
    tx.put_legacy_rules(tenant_id(1), &LegacyRules::default()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.load_legacy_rules().await.unwrap(), [(tenant_id(2), second)]);
}

async fn a_key_type_is_stored(store: Store) {
    insert_tenants(&store, 1).await;
    let old = Application { rights: Rights::Legacy(LegacyType::LiveResponse), ..application(tenant_id(1), 1) };
    let mut tx = store.begin().await.unwrap();
    insert_application(&mut tx, &old).await;
    assert_eq!(tx.find_application(tenant_id(1), old.id).await.unwrap(), Some(old.clone()));
    let level = level(tenant_id(1), 1, "Level");
    tx.insert_access_level(tenant_id(1), &level, &key("Level")).await.unwrap();
    assert_eq!(tx.find_access_level_named(tenant_id(1), &key("LEVEL")).await.unwrap(), Some(level.clone()));
    assert_eq!(tx.find_access_level_named(tenant_id(0), &key("LEVEL")).await.unwrap(), None);
    tx.commit().await.unwrap();
    let found = store.find_credential(tenant_id(1), old.id).await.unwrap().unwrap();
    assert_eq!(found.application.rights, old.rights);
    let mut tx = store.begin().await.unwrap();
    let new = Application { rights: Rights::Level(level.id), version: 2, ..old };
    tx.update_application(tenant_id(1), &new, &key(&new.name)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.find_application(tenant_id(1), new.id).await.unwrap(), Some(new));
}

async fn legacy_applications_are_listed(store: Store) {
    insert_tenants(&store, 2).await;
    let mut tx = store.begin().await.unwrap();
    let child = Tenant { parent_id: Some(tenant_id(1)), ..tenant(3, "Child") };
    tx.insert_tenant(&child, &key("Child")).await.unwrap();
    for (tenant, number, kind) in
        [(1, 1, Some(LegacyType::Siem)), (1, 2, None), (2, 3, Some(LegacyType::Api)), (3, 4, Some(LegacyType::Api))]
    {
        let rights = kind.map_or_else(|| application(tenant_id(tenant), number).rights, Rights::Legacy);
        insert_application(&mut tx, &Application { rights, ..application(tenant_id(tenant), number) }).await;
    }
    for number in [1, 2] {
        tx.insert_secret(tenant_id(1), &secret(application_id(1), number)).await.unwrap();
    }
    let used = |number, seconds| SecretUse {
        tenant_id: tenant_id(1),
        application_id: application_id(1),
        secret_id: secret_id(number),
        last_use: LastUse { at: at(seconds), address: "192.0.2.9".parse().ok(), user_agent: "agent".into() },
    };
    tx.touch_secrets(&[used(1, 9), used(2, 9)]).await.unwrap();
    tx.commit().await.unwrap();
    let listed = async |tenant, reach, limit, after: Option<String>| {
        let found = store.list_legacy_applications(tenant_id(tenant), reach, &page(limit, after)).await.unwrap();
        found.into_iter().map(|one| (one.application.id, one.last_use.map(|last| last.at))).collect::<Vec<_>>()
    };
    assert_eq!(listed(1, Reach::Own, 9, None).await, [(application_id(1), Some(at(9)))], "once, with its last use");
    let beneath = [(application_id(1), Some(at(9))), (application_id(4), None)];
    assert_eq!(listed(1, Reach::Beneath, 9, None).await, beneath);
    assert_eq!(listed(1, Reach::Beneath, 9, Some(application_id(1).to_string())).await, beneath[1..]);
    assert_eq!(listed(0, Reach::Beneath, 9, None).await.len(), 3);
}

async fn who_is_to_be_told_of_a_sunset(store: Store) {
    insert_tenants(&store, 2).await;
    let (tenant, end) = (tenant_id(1), at(100 * DAY));
    let sunset = |days| ComingSunset { kind: LegacyType::Siem, end, step: days };
    let mut tx = store.begin().await.unwrap();
    // The second was made when less than thirty days were left.
    for (number, kind, made) in [(1, LegacyType::Siem, 0), (2, LegacyType::Siem, 80 * DAY), (3, LegacyType::Api, 0)] {
        let one = Application { rights: Rights::Legacy(kind), created_at: at(made), ..application(tenant, number) };
        insert_application(&mut tx, &one).await;
    }
    insert_application(&mut tx, &application(tenant_id(2), 4)).await;
    tx.commit().await.unwrap();
    let untold = async |days, after: Option<u128>, limit| {
        let found = store.list_untold_of_sunset(tenant, &sunset(days), after.map(application_id), limit).await.unwrap();
        found.into_iter().map(|id| (1..4).find(|number| application_id(*number) == id).unwrap()).collect::<Vec<u128>>()
    };
    let next = std::cell::Cell::new(1);
    let tell = async |number: u128, due, days: Option<i64>| {
        let telling = Telling::new(NoticeKind::KeyTypeSunset, &application(tenant, number), String::new());
        let telling = Telling { due_at: Some(due), step: days, ..telling };
        let id = NoticeId::from_u128(next.replace(next.get() + 1));
        let mut tx = store.begin().await.unwrap();
        tx.insert_notice(tenant, &Notice { id, telling, created_at: NOW, dismissed: None }).await.unwrap();
        tx.commit().await.unwrap();
    };
    let types = store.list_legacy_types_in_use().await.unwrap();
    assert_eq!(types, [(tenant, LegacyType::Api), (tenant, LegacyType::Siem)]);
    assert_eq!(untold(None, None, 9).await, [1, 2]);
    assert_eq!(untold(None, Some(1), 9).await, [2]);
    assert_eq!(untold(Some(30), None, 1).await, [1]);
    tell(1, at(50), None).await;
    assert_eq!(untold(None, None, 9).await, [1, 2], "of another day");
    tell(1, end, None).await;
    tell(2, end, None).await;
    assert_eq!(untold(None, None, 9).await, []);
    assert_eq!(untold(Some(30), None, 9).await, [1]);
    assert_eq!(untold(Some(14), None, 9).await, [1, 2]);
    tell(1, end, Some(14)).await;
    assert_eq!(untold(Some(30), None, 9).await, [], "something nearer was told");
    assert_eq!(untold(Some(14), None, 9).await, [2]);
    assert_eq!(untold(Some(3), None, 9).await, [1, 2]);
}
