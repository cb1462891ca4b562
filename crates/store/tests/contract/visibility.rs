//! Secret visibility and the sealed texts: kept beside their secrets, and found nowhere once they are destroyed.

use crate::fixtures::*;
use claviger_domain::secret::SecretHash;
use claviger_domain::visibility::{Stage, Visibility, VisibilityState};
use claviger_store::shred::LogFate;
use claviger_store::testing::copies::files_holding;
use claviger_store::testing::open_fresh;
use claviger_store::visibility::Texts;
use claviger_store::{Engine, Store};

facts!(visibility_is_written_and_read, a_text_goes_with_its_secret, heads_state_the_visibility);

fn state(stage: Stage, seconds: i64) -> VisibilityState {
    VisibilityState { stage, since: at(seconds) }
}

async fn visibility_is_written_and_read(store: Store) {
    insert_tenants(&store, 3).await;
    assert_eq!(store.find_visibility(tenant_id(1)).await.unwrap(), None);
    let mut tx = store.begin().await.unwrap();
    tx.put_visibility(tenant_id(1), state(Stage::Retaining, 1)).await.unwrap();
    tx.put_visibility(tenant_id(1), state(Stage::Removing, 2)).await.unwrap();
    tx.put_visibility(tenant_id(2), state(Stage::Removed, 3)).await.unwrap();
    tx.put_visibility(tenant_id(3), state(Stage::Retaining, 4)).await.unwrap();
    assert_eq!(tx.find_visibility(tenant_id(1)).await.unwrap(), Some(state(Stage::Removing, 2)));
    tx.commit().await.unwrap();
    assert_eq!(store.find_visibility(tenant_id(2)).await.unwrap(), Some(state(Stage::Removed, 3)));
    assert_eq!(store.list_removing().await.unwrap(), [tenant_id(1)]);
    assert!(store.is_any_retaining().await.unwrap());
    let mut tx = store.begin().await.unwrap();
    tx.put_visibility(tenant_id(3), state(Stage::Removing, 5)).await.unwrap();
    tx.commit().await.unwrap();
    assert!(!store.is_any_retaining().await.unwrap());
}

async fn a_text_goes_with_its_secret(store: Store) {
    let (tenant, id) = seed(&store).await;
    let mut tx = store.begin().await.unwrap();
    insert_application(&mut tx, &application(tenant, 2)).await;
    for (application, number) in [(id, 1), (id, 2), (id, 3), (application_id(2), 4), (application_id(2), 5)] {
        tx.insert_secret(tenant, &secret(application, number)).await.unwrap();
        let sealed = [u8::try_from(number).unwrap(); 9];
        tx.insert_secret_text(tenant, (application, secret_id(number)), &sealed, NOW).await.unwrap();
    }
    assert_eq!(tx.find_secret_text(tenant, id, secret_id(2)).await.unwrap(), Some(vec![2; 9]));
    assert_eq!(tx.find_secret_text(tenant_id(2), id, secret_id(2)).await.unwrap(), None, "not through another tenant");
    assert_eq!(tx.find_secret_text(tenant, application_id(2), secret_id(2)).await.unwrap(), None);
    assert!(tx.delete_secret(tenant, id, secret_id(1)).await.unwrap());
    assert_eq!(tx.find_secret_text(tenant, id, secret_id(1)).await.unwrap(), None);
    assert_eq!(tx.delete_secrets(tenant, id).await.unwrap(), [2, 3].map(secret_id));
    assert_eq!(tx.delete_secret_texts(tenant_id(2), Texts::All).await.unwrap(), 0);
    tx.commit().await.unwrap();
    assert_eq!(store.count_secret_texts(tenant).await.unwrap(), 2);
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.delete_secret_texts(tenant, Texts::Secret(application_id(2), secret_id(4))).await.unwrap(), 1);
    assert!(tx.delete_application(tenant, application_id(2)).await.unwrap());
    assert_eq!(tx.delete_secret_texts(tenant, Texts::All).await.unwrap(), 0);
    tx.commit().await.unwrap();
    assert_eq!(store.count_secret_texts(tenant).await.unwrap(), 0);
}

async fn heads_state_the_visibility(store: Store) {
    insert_tenants(&store, 3).await;
    let mut tx = store.begin().await.unwrap();
    tx.put_visibility(tenant_id(1), state(Stage::Retaining, 0)).await.unwrap();
    tx.put_visibility(tenant_id(2), state(Stage::Removing, 0)).await.unwrap();
    for number in 1..4 {
        tx.append_audit(tenant_id(number), &entry(0)).await.unwrap();
    }
    tx.commit().await.unwrap();
    let stated: Vec<_> = store.list_heads().await.unwrap().into_iter().map(|head| head.visibility).collect();
    assert_eq!(stated, [Some(Visibility::Retaining), Some(Visibility::ShowOnce), None]);
}

/// Bytes that stand nowhere else, so that a text of them is found wherever it was left.
fn sealed(number: u128) -> Vec<u8> {
    (0..4).flat_map(|part| *SecretHash::of(&format!("text {number} {part}")).as_bytes()).take(110).collect()
}

/// Texts come and go for a while, so that rows move from page to page; then those of one tenant are destroyed.
async fn nothing_is_left(engine: Engine) {
    let Some((store, guard)) = open_fresh(engine).await else { return };
    insert_tenants(&store, 2).await;
    let key = |number: u128| (application_id(number % 7), secret_id(number));
    for number in 0..240 {
        let mut tx = store.begin().await.unwrap();
        let tenant = tenant_id(1 + number % 2);
        tx.insert_secret_text(tenant, key(number * 7919 % 240), &sealed(number * 7919 % 240), NOW).await.unwrap();
        tx.commit().await.unwrap();
    }
    for number in (0..240).filter(|number| number % 5 == 0) {
        let mut tx = store.begin().await.unwrap();
        let (application, secret) = key(number);
        for tenant in [1, 2] {
            tx.delete_secret_texts(tenant_id(tenant), Texts::Secret(application, secret)).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
    let kept = store.count_secret_texts(tenant_id(2)).await.unwrap();
    let marks: Vec<_> = (0..240_u128).filter(|number| number % 5 == 0 || number % 2 == 0).map(sealed).collect();
    assert!(
        !files_holding(&store, &guard.location(), &sealed(1)[..40]).await.is_empty(),
        "the search finds what is there"
    );
    let mut tx = store.begin().await.unwrap();
    assert!(tx.delete_secret_texts(tenant_id(1), Texts::All).await.unwrap() > 0);
    tx.commit().await.unwrap();
    assert_eq!(store.shred_secret_texts().await.unwrap(), LogFate::Gone);
    for mark in marks.iter().step_by(16) {
        let left = files_holding(&store, &guard.location(), &mark[..40]).await;
        assert_eq!(left, Vec::<std::path::PathBuf>::new(), "{mark:?}");
    }
    assert_eq!(store.count_secret_texts(tenant_id(2)).await.unwrap(), kept, "what others keep stays");
    assert_eq!(store.count_secret_texts(tenant_id(1)).await.unwrap(), 0);
    assert_eq!(store.shred_secret_texts().await.unwrap(), LogFate::Gone, "it may be repeated");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_leaves_nothing_of_destroyed_texts() {
    nothing_is_left(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_leaves_nothing_of_destroyed_texts() {
    nothing_is_left(Engine::Postgres).await;
}

/// A row that was deleted stays for whoever began before, and so must not be carried over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_leaves_nothing_to_whoever_began_before() {
    let Some((store, guard)) = open_fresh(Engine::Postgres).await else { return };
    insert_tenants(&store, 2).await;
    let mut tx = store.begin().await.unwrap();
    // Texts of its own: other tests use the same cluster.
    for number in [1, 2] {
        let key = (application_id(number), secret_id(number));
        tx.insert_secret_text(tenant_id(number), key, &sealed(1_000 + number), NOW).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut earlier = store.begin().await.unwrap();
    earlier.insert_setting("earlier", b"1").await.unwrap();
    let mut tx = store.begin().await.unwrap();
    tx.delete_secret_texts(tenant_id(1), Texts::All).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.shred_secret_texts().await.unwrap(), LogFate::Gone);
    let left = files_holding(&store, &guard.location(), &sealed(1_001)[..40]).await;
    assert_eq!(left, Vec::<std::path::PathBuf>::new());
    earlier.commit().await.unwrap();
    assert_eq!(store.count_secret_texts(tenant_id(2)).await.unwrap(), 1, "what others keep stays");
}
