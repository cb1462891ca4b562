//! Links and second factors of people: one link of a kind, used once; a step and a code accepted once; guesses counted.

use crate::fixtures::*;
use claviger_domain::application::Reach;
use claviger_domain::factor::{Factor, FactorKind};
use claviger_domain::id::{FactorId, TenantId, UserId, UserSessionId};
use claviger_domain::secret::SecretHash;
use claviger_domain::user::{Standing, Status, User};
use claviger_domain::user_link::LinkKind;
use claviger_store::Store;
use claviger_store::user_challenges::{Challenge, ChallengeKind, Guard};
use claviger_store::user_factors::StoredFactor;
use claviger_store::user_links::UserLink;

facts!(
    a_link_takes_the_place_of_the_one_before,
    a_link_is_used_once,
    links_that_are_over_are_swept,
    a_step_is_accepted_once,
    factors_are_kept_and_removed,
    users_say_how_they_get_in,
    a_credential_is_one_persons,
    recovery_codes_are_used_once,
    challenges_are_counted_and_end_once,
    guesses_are_counted_for_one_user,
);

const TENANT: u128 = 1;

fn user_id(number: u128) -> UserId {
    UserId::from_u128(0x0190_0000_0000_7000_f000_0000_0000_0000 + number)
}

fn factor_id(number: u128) -> FactorId {
    FactorId::from_u128(0x0190_0000_0000_7000_f100_0000_0000_0000 + number)
}

fn session_id(number: u128) -> UserSessionId {
    UserSessionId::from_u128(0x0190_0000_0000_7000_f200_0000_0000_0000 + number)
}

/// A tenant with two users; the first of them.
async fn begin(store: &Store) -> (TenantId, UserId) {
    insert_tenants(store, 2).await;
    let mut tx = store.begin().await.unwrap();
    for number in 1..=2 {
        let user = User {
            id: user_id(number),
            tenant_id: tenant_id(TENANT),
            number: i64::try_from(number).unwrap(),
            email: format!("user{number}@example.com"),
            first_name: String::new(),
            last_name: String::new(),
            phone: String::new(),
            status: Status::Active,
            reach: Reach::Own,
            roles: Vec::new(),
            password_set_at: None,
            activated_at: None,
            version: 1,
            created_at: NOW,
            updated_at: NOW,
        };
        tx.insert_user(tenant_id(TENANT), &user).await.unwrap();
    }
    tx.commit().await.unwrap();
    (tenant_id(TENANT), user_id(1))
}

fn link(kind: LinkKind) -> UserLink {
    UserLink {
        tenant: tenant_id(TENANT),
        user: user_id(1),
        kind,
        email: "user1@example.com".into(),
        created_at: NOW,
        expires_at: at(900),
    }
}

fn factor(number: u128, kind: FactorKind) -> StoredFactor {
    StoredFactor {
        factor: Factor {
            id: factor_id(number),
            kind,
            name: "Phone".into(),
            confirmed_at: None,
            created_at: NOW,
            last_used_at: None,
        },
        sealed: vec![1, 2, 3],
        credential: None,
        last_step: 0,
    }
}

fn hash(text: &str) -> SecretHash {
    SecretHash::of(text)
}

async fn a_link_takes_the_place_of_the_one_before(store: Store) {
    let (tenant, user) = begin(&store).await;
    let mut tx = store.begin().await.unwrap();
    tx.put_user_link(tenant, &link(LinkKind::PasswordReset), &hash("one")).await.unwrap();
    tx.put_user_link(tenant, &link(LinkKind::Invitation), &hash("other")).await.unwrap();
    let newer = UserLink { expires_at: at(1_000), ..link(LinkKind::PasswordReset) };
    tx.put_user_link(tenant, &newer, &hash("two")).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.find_link_by_token(&hash("one"), at(1)).await.unwrap(), None);
    assert_eq!(store.find_link_by_token(&hash("two"), at(1)).await.unwrap(), Some(newer.clone()));
    assert_eq!(store.find_link_by_token(&hash("two"), at(1_000)).await.unwrap(), None, "it is over");
    let found = store.find_user_link(tenant, user, LinkKind::PasswordReset).await.unwrap();
    assert_eq!(found, Some(newer));
    assert_eq!(store.find_user_link(tenant_id(2), user, LinkKind::PasswordReset).await.unwrap(), None);
    let mut tx = store.begin().await.unwrap();
    assert!(!tx.delete_user_link(tenant_id(2), user, LinkKind::Invitation, NOW).await.unwrap());
    assert!(tx.delete_user_link(tenant, user, LinkKind::Invitation, NOW).await.unwrap());
    assert!(!tx.delete_user_link(tenant, user, LinkKind::Invitation, NOW).await.unwrap());
    tx.delete_user_links(tenant, user).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.find_user_link(tenant, user, LinkKind::PasswordReset).await.unwrap(), None);
    let mut tx = store.begin().await.unwrap();
    let stranger = UserLink { user: user_id(9), ..link(LinkKind::Invitation) };
    assert!(tx.put_user_link(tenant, &stranger, &hash("x")).await.is_err());
}

async fn a_link_is_used_once(store: Store) {
    let (tenant, user) = begin(&store).await;
    let mut tx = store.begin().await.unwrap();
    tx.put_user_link(tenant, &link(LinkKind::PasswordReset), &hash("one")).await.unwrap();
    assert!(!tx.use_user_link(tenant_id(2), user, &hash("one"), at(1)).await.unwrap());
    assert!(!tx.use_user_link(tenant, user_id(2), &hash("one"), at(1)).await.unwrap());
    assert!(!tx.use_user_link(tenant, user, &hash("one"), at(900)).await.unwrap());
    tx.commit().await.unwrap();
    let uses = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut tx = store.begin().await.unwrap();
            let won = tx.use_user_link(tenant, user, &hash("one"), at(1)).await.unwrap();
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

async fn links_that_are_over_are_swept(store: Store) {
    let (tenant, user) = begin(&store).await;
    let challenge = Challenge { code: None, sealed: Some(vec![1]), tries: 0, expires_at: at(900) };
    let mut tx = store.begin().await.unwrap();
    tx.put_user_link(tenant, &link(LinkKind::Invitation), &hash("one")).await.unwrap();
    tx.put_challenge(tenant, (user, session_id(1)), ChallengeKind::Assertion, &challenge).await.unwrap();
    tx.sweep_links(at(899)).await.unwrap();
    tx.commit().await.unwrap();
    assert!(store.find_user_link(tenant, user, LinkKind::Invitation).await.unwrap().is_some());
    let mut tx = store.begin().await.unwrap();
    tx.sweep_links(at(900)).await.unwrap();
    assert!(!tx.end_challenge(tenant, (user, session_id(1)), ChallengeKind::Assertion).await.unwrap());
    tx.commit().await.unwrap();
    assert!(store.find_user_link(tenant, user, LinkKind::Invitation).await.unwrap().is_none());
}

async fn a_step_is_accepted_once(store: Store) {
    let (tenant, user) = begin(&store).await;
    let mut tx = store.begin().await.unwrap();
    tx.insert_factor(tenant, user, &factor(1, FactorKind::Totp)).await.unwrap();
    tx.commit().await.unwrap();
    let uses = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut tx = store.begin().await.unwrap();
            let won = tx.accept_step(tenant, user, factor_id(1), 7, at(5)).await.unwrap();
            tx.commit().await.unwrap();
            usize::from(won)
        })
    });
    let mut won = 0;
    for one in uses.collect::<Vec<_>>() {
        won += one.await.unwrap();
    }
    assert_eq!(won, 1);
    let mut tx = store.begin().await.unwrap();
    assert!(!tx.accept_step(tenant, user, factor_id(1), 6, at(6)).await.unwrap(), "not that of an earlier one, either");
    assert!(!tx.accept_step(tenant_id(2), user, factor_id(1), 8, at(6)).await.unwrap());
    assert!(tx.accept_step(tenant, user, factor_id(1), 8, at(6)).await.unwrap());
    tx.commit().await.unwrap();
    let found = store.list_factors(tenant, user).await.unwrap();
    assert_eq!((found[0].last_step, found[0].factor.last_used_at), (8, Some(at(6))));
}

async fn factors_are_kept_and_removed(store: Store) {
    let (tenant, user) = begin(&store).await;
    let mut tx = store.begin().await.unwrap();
    for number in 1..=3 {
        tx.insert_factor(tenant, user, &factor(number, FactorKind::Totp)).await.unwrap();
    }
    assert!(!tx.confirm_factor(tenant_id(2), user, factor_id(1), at(1)).await.unwrap());
    assert!(tx.confirm_factor(tenant, user, factor_id(1), at(1)).await.unwrap());
    assert!(!tx.confirm_factor(tenant, user, factor_id(1), at(2)).await.unwrap());
    assert!(tx.update_factor(tenant, user, factor_id(1), (&[1, 2, 3], &[4]), at(3)).await.unwrap());
    assert!(!tx.update_factor(tenant, user, factor_id(1), (&[1, 2, 3], &[5]), at(3)).await.unwrap(), "it has changed");
    assert!(tx.delete_factor(tenant, user, factor_id(3)).await.unwrap());
    assert!(!tx.delete_factor(tenant, user, factor_id(3)).await.unwrap());
    tx.delete_unconfirmed(tenant, user, FactorKind::Passkey).await.unwrap();
    assert_eq!(tx.list_factors(tenant, user).await.unwrap().len(), 2);
    tx.delete_unconfirmed(tenant, user, FactorKind::Totp).await.unwrap();
    tx.commit().await.unwrap();
    let found = store.list_factors(tenant, user).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].factor.confirmed_at, found[0].sealed.as_slice()), (Some(at(1)), [4].as_slice()));
    assert_eq!((found[0].factor.kind, found[0].factor.name.as_str()), (FactorKind::Totp, "Phone"));
    assert!(store.list_factors(tenant, user_id(2)).await.unwrap().is_empty());
    let mut tx = store.begin().await.unwrap();
    tx.put_recovery_codes(tenant, user, &[hash("a")]).await.unwrap();
    assert_eq!(tx.delete_factors(tenant, user).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert_eq!(store.count_recovery_codes(tenant, user).await.unwrap(), 0);
    assert!(store.list_factors(tenant, user).await.unwrap().is_empty());
}

async fn users_say_how_they_get_in(store: Store) {
    let (tenant, user) = begin(&store).await;
    let mut tx = store.begin().await.unwrap();
    for (number, kind) in [(1, FactorKind::Totp), (2, FactorKind::Passkey), (3, FactorKind::Passkey)] {
        tx.insert_factor(tenant, user, &factor(number, kind)).await.unwrap();
        tx.confirm_factor(tenant, user, factor_id(number), at(1)).await.unwrap();
    }
    tx.insert_factor(tenant, user_id(2), &factor(4, FactorKind::Totp)).await.unwrap();
    assert!(tx.rename_factor(tenant, user, factor_id(1), "Old phone").await.unwrap());
    assert!(!tx.rename_factor(tenant, user_id(2), factor_id(1), "x").await.unwrap(), "somebody else's");
    assert!(!tx.rename_factor(tenant_id(2), user, factor_id(1), "x").await.unwrap());
    tx.note_sign_in(tenant, user, at(7)).await.unwrap();
    tx.note_sign_in(tenant_id(2), user_id(2), at(7)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.list_factors(tenant, user).await.unwrap()[0].factor.name, "Old phone");
    let mut asked: Vec<_> = (100..160).map(user_id).collect();
    asked.extend([user, user_id(2)]);
    let mut found = store.list_user_standings(tenant, &asked).await.unwrap();
    found.sort_by_key(|(user, _)| *user);
    let first = Standing { signed_in_at: Some(at(7)), authenticators: 1, passkeys: 2 };
    assert_eq!(found, [(user, first), (user_id(2), Standing::default())], "what is not confirmed does not count");
    assert!(store.list_user_standings(tenant_id(2), &asked).await.unwrap().is_empty());
    assert!(store.list_user_standings(tenant, &[]).await.unwrap().is_empty());
}

async fn a_credential_is_one_persons(store: Store) {
    let (tenant, user) = begin(&store).await;
    let passkey = |number| StoredFactor { credential: Some(hash("credential")), ..factor(number, FactorKind::Passkey) };
    let mut tx = store.begin().await.unwrap();
    tx.insert_factor(tenant, user, &passkey(1)).await.unwrap();
    tx.commit().await.unwrap();
    let found = store.list_factors(tenant, user).await.unwrap();
    assert!(found[0].credential.as_ref().is_some_and(|credential| credential.matches(&hash("credential"))));
    let mut tx = store.begin().await.unwrap();
    let taken = tx.insert_factor(tenant, user_id(2), &passkey(2)).await.unwrap_err();
    assert_eq!(code(taken), "passkey_taken");
}

async fn recovery_codes_are_used_once(store: Store) {
    let (tenant, user) = begin(&store).await;
    let mut tx = store.begin().await.unwrap();
    tx.put_recovery_codes(tenant, user, &[hash("a"), hash("b")]).await.unwrap();
    assert!(!tx.use_recovery_code(tenant, user_id(2), &hash("a")).await.unwrap());
    assert!(tx.use_recovery_code(tenant, user, &hash("a")).await.unwrap());
    assert!(!tx.use_recovery_code(tenant, user, &hash("a")).await.unwrap());
    assert_eq!(tx.count_recovery_codes(tenant, user).await.unwrap(), 1);
    tx.put_recovery_codes(tenant, user, &[hash("c"), hash("d"), hash("e")]).await.unwrap();
    assert!(!tx.use_recovery_code(tenant, user, &hash("b")).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(store.count_recovery_codes(tenant, user).await.unwrap(), 3);
}

async fn challenges_are_counted_and_end_once(store: Store) {
    let (tenant, user) = begin(&store).await;
    let (place, kind) = ((user, session_id(1)), ChallengeKind::MailCode);
    let challenge = Challenge { code: Some(hash("123456")), sealed: None, tries: 0, expires_at: at(600) };
    let mut tx = store.begin().await.unwrap();
    tx.put_challenge(tenant, place, kind, &challenge).await.unwrap();
    assert!(tx.try_challenge(tenant_id(2), place, kind, at(1)).await.unwrap().is_none());
    assert!(tx.try_challenge(tenant, (user, session_id(2)), kind, at(1)).await.unwrap().is_none());
    assert!(tx.try_challenge(tenant, place, ChallengeKind::Assertion, at(1)).await.unwrap().is_none());
    assert!(tx.try_challenge(tenant, place, kind, at(600)).await.unwrap().is_none());
    for tries in 1..=3 {
        let found = tx.try_challenge(tenant, place, kind, at(1)).await.unwrap().unwrap();
        assert_eq!((found.tries, found.expires_at), (tries, at(600)));
        assert!(found.code.unwrap().matches(&hash("123456")) && found.sealed.is_none());
    }
    tx.put_challenge(tenant, place, kind, &Challenge { sealed: Some(vec![7]), ..challenge }).await.unwrap();
    let found = tx.try_challenge(tenant, place, kind, at(1)).await.unwrap().unwrap();
    assert_eq!((found.tries, found.sealed), (1, Some(vec![7])), "a newer one begins anew");
    assert!(tx.end_challenge(tenant, place, kind).await.unwrap());
    assert!(!tx.end_challenge(tenant, place, kind).await.unwrap());
    tx.commit().await.unwrap();
}

async fn guesses_are_counted_for_one_user(store: Store) {
    let (tenant, user) = begin(&store).await;
    assert_eq!(store.find_wrong_checks(tenant, user).await.unwrap(), None);
    let counts = (0..8).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut tx = store.begin().await.unwrap();
            let mut guard = tx.lock_guard(tenant, user).await.unwrap();
            guard.times.push(number);
            guard.wrong += 1;
            tx.put_guard(tenant, user, &guard).await.unwrap();
            tx.commit().await.unwrap();
        })
    });
    for one in counts.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    assert_eq!(store.find_wrong_checks(tenant, user).await.unwrap(), Some((8, false)), "none is lost");
    let mut tx = store.begin().await.unwrap();
    let mut guard = tx.lock_guard(tenant, user).await.unwrap();
    guard.times.sort_unstable();
    assert_eq!(guard, Guard { times: (0..8).collect(), wrong: 8, suspended_at: None });
    tx.put_guard(tenant, user, &Guard { suspended_at: Some(at(5)), ..guard }).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.find_wrong_checks(tenant, user).await.unwrap(), Some((8, true)));
    assert_eq!(store.find_wrong_checks(tenant, user_id(2)).await.unwrap(), None);
}
