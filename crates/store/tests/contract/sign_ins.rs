//! Sign-ins: refresh tokens that are used once, what is dead of their session tokens, and what they may report on.

use crate::fixtures::*;
use claviger_domain::id::{ApplicationId, ClientId, SignInId};
use claviger_domain::sign_in::{PlainRefresh, RefreshHashes, Standing};
use claviger_store::Store;
use claviger_store::sign_ins::SignIn;

facts!(
    a_sign_in_is_found_by_its_refresh_tokens,
    a_refresh_token_is_used_once,
    an_ended_sign_in_stays_ended,
    instances_are_added_and_listed,
    what_is_dead_is_loaded,
    what_is_over_is_swept,
    everything_can_be_ended,
);

fn sign_in_id(number: u128) -> SignInId {
    SignInId::from_u128(0x0190_0000_0000_7000_d000_0000_0000_0000 + number)
}

fn refresh(number: u128, entropy: u8) -> PlainRefresh {
    PlainRefresh::mint(number.to_be_bytes(), [entropy; 32])
}

fn sign_in(application: ApplicationId, number: u128, hashes: &RefreshHashes) -> SignIn {
    SignIn {
        tenant: tenant_id(1),
        id: sign_in_id(number),
        application,
        client_id: ClientId::of(application),
        secret: secret_id(1),
        scope: Some("a:READ".into()),
        refresh: Some(hashes.whole),
        refreshed_at: NOW,
        expires_at: at(86_400),
        standing: Standing::NEW,
    }
}

/// Stores a sign-in; what recognises its refresh token.
async fn begin(store: &Store, number: u128) -> (SignIn, RefreshHashes) {
    let hashes = refresh(number, 1).hashes();
    let new = sign_in(application_id(1), number, &hashes);
    let mut tx = store.begin().await.unwrap();
    tx.insert_sign_in(new.tenant, &new, Some(&hashes.handle)).await.unwrap();
    tx.commit().await.unwrap();
    (new, hashes)
}

fn next(before: &SignIn, seconds: i64, hashes: &RefreshHashes) -> SignIn {
    SignIn {
        refresh: Some(hashes.whole),
        refreshed_at: at(seconds),
        expires_at: at(seconds + 86_400),
        standing: before.standing.refreshed(at(seconds)),
        ..before.clone()
    }
}

async fn a_sign_in_is_found_by_its_refresh_tokens(store: Store) {
    let (new, hashes) = begin(&store, 1).await;
    let found = store.find_sign_in(&hashes.handle).await.unwrap().unwrap();
    assert_eq!((found.tenant, found.id, found.application), (new.tenant, new.id, new.application));
    assert_eq!((found.client_id, found.secret, found.scope), (new.client_id, new.secret, new.scope));
    assert_eq!((found.refreshed_at, found.expires_at, found.standing), (NOW, at(86_400), Standing::NEW));
    assert!(found.refresh.unwrap().matches(&hashes.whole));
    assert!(store.find_sign_in(&hashes.whole).await.unwrap().is_none());
    assert_eq!(store.find_sign_in_standing(new.tenant, new.id).await.unwrap(), Some(Standing::NEW));
    assert_eq!(store.find_sign_in_standing(tenant_id(2), new.id).await.unwrap(), None, "not through another tenant");
    // One without a refresh token, twice.
    let plain = SignIn { id: sign_in_id(2), refresh: None, scope: None, ..sign_in(application_id(1), 2, &hashes) };
    let mut tx = store.begin().await.unwrap();
    tx.insert_sign_in(plain.tenant, &plain, None).await.unwrap();
    let again = SignIn { expires_at: at(1), ..plain.clone() };
    tx.insert_sign_in(plain.tenant, &again, None).await.unwrap();
    let another = SignIn { id: sign_in_id(3), ..plain.clone() };
    tx.insert_sign_in(plain.tenant, &another, None).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.find_sign_in_standing(plain.tenant, plain.id).await.unwrap(), Some(Standing::NEW));
}

async fn a_refresh_token_is_used_once(store: Store) {
    let (first, used) = begin(&store, 1).await;
    let hashes = refresh(1, 2).hashes();
    let second = next(&first, 60, &hashes);
    let mut tx = store.begin().await.unwrap();
    assert!(!tx.refresh_sign_in(tenant_id(2), first.id, &used, &second).await.unwrap(), "of another tenant");
    assert!(tx.refresh_sign_in(first.tenant, first.id, &used, &second).await.unwrap());
    assert!(!tx.refresh_sign_in(first.tenant, first.id, &used, &second).await.unwrap(), "it was used");
    tx.commit().await.unwrap();
    let found = store.find_sign_in(&used.handle).await.unwrap().unwrap();
    assert!(found.refresh.unwrap().matches(&hashes.whole));
    assert_eq!((found.refreshed_at, found.expires_at, found.standing), (at(60), at(86_460), second.standing));
    // Two at a time: one of them.
    let uses = (3..11).map(|entropy| {
        let (store, second) = (store.clone(), second.clone());
        tokio::spawn(async move {
            let third = next(&second, 120, &refresh(1, entropy).hashes());
            let mut tx = store.begin().await.unwrap();
            let won = tx.refresh_sign_in(second.tenant, second.id, &hashes, &third).await.unwrap();
            tx.commit().await.unwrap();
            usize::from(won)
        })
    });
    let mut won = 0;
    for one in uses.collect::<Vec<_>>() {
        won += one.await.unwrap();
    }
    assert_eq!(won, 1);
}

async fn an_ended_sign_in_stays_ended(store: Store) {
    let (first, used) = begin(&store, 1).await;
    let mut tx = store.begin().await.unwrap();
    assert!(!tx.end_sign_in(tenant_id(2), first.id, at(5)).await.unwrap());
    assert!(tx.end_sign_in(first.tenant, first.id, at(5)).await.unwrap());
    assert!(!tx.end_sign_in(first.tenant, first.id, at(6)).await.unwrap());
    let second = next(&first, 60, &refresh(1, 2).hashes());
    assert!(!tx.refresh_sign_in(first.tenant, first.id, &used, &second).await.unwrap());
    let standing = tx.find_sign_in_standing(first.tenant, first.id).await.unwrap().unwrap();
    assert_eq!(standing.ended_at, Some(at(5)));
    tx.commit().await.unwrap();
    assert!(store.find_sign_in(&used.handle).await.unwrap().unwrap().refresh.is_none());
}

async fn instances_are_added_and_listed(store: Store) {
    let (first, _) = begin(&store, 1).await;
    let mut tx = store.begin().await.unwrap();
    tx.insert_sign_in_instances(first.tenant, first.id, &[tenant_id(3), tenant_id(2)]).await.unwrap();
    tx.insert_sign_in_instances(first.tenant, first.id, &[tenant_id(3), tenant_id(4)]).await.unwrap();
    tx.insert_sign_in_instances(first.tenant, first.id, &[]).await.unwrap();
    tx.commit().await.unwrap();
    let expected = [tenant_id(2), tenant_id(3), tenant_id(4)];
    assert_eq!(store.list_sign_in_instances(first.tenant, first.id).await.unwrap(), expected);
    assert_eq!(store.list_sign_in_instances(tenant_id(2), first.id).await.unwrap(), []);
}

async fn what_is_dead_is_loaded(store: Store) {
    begin(&store, 1).await;
    let (second, used) = begin(&store, 2).await;
    let (third, _) = begin(&store, 3).await;
    let after = next(&second, 60, &refresh(2, 2).hashes());
    let mut tx = store.begin().await.unwrap();
    assert!(tx.refresh_sign_in(second.tenant, second.id, &used, &after).await.unwrap());
    tx.end_sign_in(third.tenant, third.id, at(70)).await.unwrap();
    tx.commit().await.unwrap();
    let mut found = store.load_sign_in_standings(at(80)).await.unwrap();
    found.sort_by_key(|(id, _)| *id);
    let ended = Standing { ended_at: Some(at(70)), ..third.standing };
    assert_eq!(found, [(second.id, after.standing), (third.id, ended)]);
    assert_eq!(store.load_sign_in_standings(at(9_000)).await.unwrap(), []);
}

async fn what_is_over_is_swept(store: Store) {
    let (first, used) = begin(&store, 1).await;
    let (second, _) = begin(&store, 2).await;
    let mut tx = store.begin().await.unwrap();
    for number in 10..1_010 {
        let hashes = refresh(number, 1).hashes();
        let new = sign_in(application_id(2), number, &hashes);
        tx.insert_sign_in(new.tenant, &new, Some(&hashes.handle)).await.unwrap();
    }
    let hashes = refresh(9, 1).hashes();
    let oldest = sign_in(application_id(2), 9, &hashes);
    tx.insert_sign_in(oldest.tenant, &oldest, Some(&hashes.handle)).await.unwrap();
    tx.insert_sign_in_instances(first.tenant, first.id, &[tenant_id(3)]).await.unwrap();
    tx.insert_sign_in_instances(oldest.tenant, oldest.id, &[tenant_id(3)]).await.unwrap();
    tx.end_sign_in(second.tenant, second.id, at(5)).await.unwrap();
    tx.sweep_sign_ins(at(60)).await.unwrap();
    tx.commit().await.unwrap();
    assert!(store.find_sign_in(&used.handle).await.unwrap().is_some());
    assert!(store.find_sign_in_standing(second.tenant, second.id).await.unwrap().is_some(), "its tokens may be about");
    assert!(store.find_sign_in(&hashes.handle).await.unwrap().is_none(), "one more than an application keeps");
    assert!(store.find_sign_in(&refresh(10, 1).hashes().handle).await.unwrap().is_some());
    assert_eq!(store.list_sign_in_instances(first.tenant, first.id).await.unwrap(), [tenant_id(3)]);
    assert_eq!(store.list_sign_in_instances(oldest.tenant, oldest.id).await.unwrap(), []);
    let mut tx = store.begin().await.unwrap();
    tx.sweep_sign_ins(at(2 * 86_400)).await.unwrap();
    tx.commit().await.unwrap();
    assert!(store.find_sign_in(&used.handle).await.unwrap().is_none());
    assert_eq!(store.find_sign_in_standing(second.tenant, second.id).await.unwrap(), None);
    assert_eq!(store.list_sign_in_instances(first.tenant, first.id).await.unwrap(), []);
}

async fn everything_can_be_ended(store: Store) {
    begin(&store, 1).await;
    let (second, _) = begin(&store, 2).await;
    let mut tx = store.begin().await.unwrap();
    tx.end_sign_in(second.tenant, second.id, at(5)).await.unwrap();
    assert_eq!(tx.end_all_sign_ins(at(9)).await.unwrap(), 1);
    tx.commit().await.unwrap();
    let ended = store.load_sign_in_standings(at(9)).await.unwrap();
    assert!(ended.len() == 2 && ended.iter().all(|(_, standing)| standing.is_over(1, at(9))));
}
