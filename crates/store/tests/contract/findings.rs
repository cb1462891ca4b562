//! What findings are made of.

use crate::fixtures::*;
use claviger_domain::application::{Application, Rights};
use claviger_domain::network::Network;
use claviger_domain::usage::{NetworkUse, Outcome, UsageDelta};
use claviger_store::Store;
use claviger_store::usage_log::UsageBatch;

facts!(
    holders_say_since_when_they_hold,
    uses_of_rights_and_networks_are_kept,
    secrets_of_many_applications_come_at_once,
    networks_are_logged_and_folded,
);

fn network(text: &str) -> Network {
    Network::parse("", text).unwrap()
}

async fn holders_say_since_when_they_hold(store: Store) {
    let (tenant, id) = seed(&store).await;
    let mut tx = store.begin().await.unwrap();
    let level = level(tenant, 1, "Reader");
    tx.insert_access_level(tenant, &level, &key("Reader")).await.unwrap();
    assert!(tx.is_level_name_taken(tenant, &key("READER")).await.unwrap());
    assert!(!tx.is_level_name_taken(tenant_id(0), &key("Reader")).await.unwrap());
    let first = tx.find_holder(tenant, id).await.unwrap().unwrap();
    assert_eq!((first.rights_since, first.networks_since, first.level_grants), (NOW, NOW, None));
    assert_eq!(tx.find_holder(tenant_id(0), id).await.unwrap(), None);
    let change = |before: &Application, seconds: i64| Application {
        version: before.version + 1,
        updated_at: at(seconds),
        ..before.clone()
    };
    let renamed = Application { name: "Other".into(), ..change(&first.application, 10) };
    tx.update_application(tenant, &renamed, &key("Other")).await.unwrap();
    assert_eq!(tx.find_holder(tenant, id).await.unwrap().unwrap().rights_since, NOW);
    let listed = Application { allowed_networks: Some(vec![network("192.0.2.0/24")]), ..change(&renamed, 20) };
    tx.update_application(tenant, &listed, &key("Other")).await.unwrap();
    let leveled = Application { rights: Rights::Level(level.id), ..change(&listed, 30) };
    tx.update_application(tenant, &leveled, &key("Other")).await.unwrap();
    let held = tx.find_holder(tenant, id).await.unwrap().unwrap();
    assert_eq!((held.rights_since, held.networks_since), (at(30), at(20)));
    assert_eq!(held.level_grants.as_ref(), Some(&level.grants));
    let mut edited = level.clone();
    for (seconds, grants, since) in [(40, level.grants.clone(), 30), (50, grants(&["org.audits"]), 50)] {
        edited.version += 1;
        edited.updated_at = at(seconds);
        edited.grants = grants;
        tx.update_access_level(tenant, &edited, &key("Reader")).await.unwrap();
        assert_eq!(tx.find_holder(tenant, id).await.unwrap().unwrap().rights_since, at(since));
    }
    insert_application(&mut tx, &application(tenant, 2)).await;
    tx.commit().await.unwrap();
    let all = store.list_holders(tenant, "", 10).await.unwrap();
    assert_eq!(all.iter().map(|holder| holder.application.id).collect::<Vec<_>>(), [id, application_id(2)]);
    assert_eq!(all[0].rights_since, at(50));
    assert_eq!(store.list_holders(tenant, &application_id(2).to_string(), 10).await.unwrap(), all[1..]);
    assert_eq!(store.list_holders(tenant, "", 1).await.unwrap(), all[..1]);
    assert_eq!(store.list_holders(tenant_id(0), "", 10).await.unwrap(), []);
}

async fn uses_of_rights_and_networks_are_kept(store: Store) {
    let (tenant, id) = seed(&store).await;
    let used = |right: &str, seconds, outcome| UsageDelta {
        tenant_id: tenant,
        application_id: id,
        hour: at(seconds).hour(),
        right: right.into(),
        outcome,
        count: 1,
        last_at: at(seconds),
    };
    let seen = |application, text: &str, seconds| NetworkUse {
        tenant_id: tenant,
        application_id: application,
        network: text.into(),
        at: at(seconds),
    };
    let mut tx = store.begin().await.unwrap();
    tx.add_usage(&[used("a:READ", 9, Outcome::Allowed), used("a:READ", 5, Outcome::Allowed)]).await.unwrap();
    tx.add_usage(&[used("a:READ", 7, Outcome::Allowed), used("b:READ", 8, Outcome::Denied)]).await.unwrap();
    let networks = [seen(id, "192.0.2.0/24", 5), seen(id, "192.0.2.0/24", 3), seen(application_id(9), "::/0", 1)];
    tx.touch_networks(&networks).await.unwrap();
    tx.touch_networks(&[seen(id, "192.0.2.0/24", 4), seen(id, "2001:db8::/32", 6)]).await.unwrap();
    tx.touch_networks(&[]).await.unwrap();
    let rights = tx.list_right_uses(tenant, id).await.unwrap();
    assert_eq!(rights.into_iter().collect::<Vec<_>>(), [("a:READ".to_owned(), at(9))]);
    tx.commit().await.unwrap();
    let rights = store.right_uses(tenant, id, application_id(9)).await.unwrap();
    assert_eq!((rights.len(), rights[&id]["a:READ"]), (1, at(9)));
    assert!(store.right_uses(tenant, application_id(2), application_id(9)).await.unwrap().is_empty());
    assert!(store.right_uses(tenant_id(0), id, id).await.unwrap().is_empty());
    let networks = store.network_uses(tenant, id, application_id(9)).await.unwrap();
    assert_eq!(networks.len(), 1, "that of no application was dropped");
    assert_eq!(networks[&id], [(network("192.0.2.0/24"), at(5)), (network("2001:db8::/32"), at(6))]);
    let mut tx = store.begin().await.unwrap();
    tx.delete_application(tenant, id).await.unwrap();
    tx.commit().await.unwrap();
    assert!(store.right_uses(tenant, id, id).await.unwrap().is_empty());
    assert!(store.network_uses(tenant, id, id).await.unwrap().is_empty());
}

async fn secrets_of_many_applications_come_at_once(store: Store) {
    let (tenant, id) = seed(&store).await;
    let mut tx = store.begin().await.unwrap();
    insert_application(&mut tx, &application(tenant, 2)).await;
    for (application, number) in [(id, 1), (application_id(2), 2), (id, 3)] {
        tx.insert_secret(tenant, &secret(application, number)).await.unwrap();
    }
    tx.commit().await.unwrap();
    let both = store.list_secrets_between(tenant, id, application_id(2)).await.unwrap();
    assert_eq!(both.iter().map(|secret| secret.id).collect::<Vec<_>>(), [1, 2, 3].map(secret_id));
    let one = store.list_secrets_between(tenant, id, id).await.unwrap();
    assert_eq!(one.iter().map(|secret| secret.id).collect::<Vec<_>>(), [1, 3].map(secret_id));
    assert_eq!(store.list_secrets_between(tenant_id(0), id, id).await.unwrap(), []);
}

async fn networks_are_logged_and_folded(store: Store) {
    let (tenant, id) = seed(&store).await;
    let mut batch = UsageBatch::default();
    batch.of(tenant, id).seen("192.0.2.0/24", at(7));
    let mut tx = store.begin().await.unwrap();
    tx.log_usage(&batch).await.unwrap();
    let shard = batch.shards().next().unwrap();
    assert!(!tx.fold_usage(shard).await.unwrap());
    tx.commit().await.unwrap();
    let networks = store.network_uses(tenant, id, id).await.unwrap();
    assert_eq!(networks[&id], [(network("192.0.2.0/24"), at(7))]);
}
