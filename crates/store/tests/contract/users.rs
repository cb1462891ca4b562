//! Users: their roles, the words they are found by, their sessions and devices, and guesses at their passwords.

use crate::fixtures::*;
use claviger_domain::Error;
use claviger_domain::application::Reach;
use claviger_domain::id::{TenantId, UserId, UserSessionId};
use claviger_domain::secret::SecretHash;
use claviger_domain::user::{Status, User, UserFilter};
use claviger_domain::user_session::{Method, Stage, UserSession};
use claviger_store::Store;

facts!(
    users_round_trip_with_their_roles,
    an_address_is_one_persons_in_the_whole_store,
    a_newer_version_is_not_overwritten,
    users_are_found_by_the_beginning_of_a_word,
    users_are_listed_in_pages,
    a_level_says_who_holds_it,
    a_session_is_read_with_its_holder_in_one_go,
    sessions_end_and_move_on,
    a_password_is_kept_apart,
    guesses_are_kept_under_their_key,
    the_first_persons_link_is_used_once,
    what_is_over_is_swept,
    a_user_answers_for_applications,
    the_deleted_leave_nothing_behind,
    people_beneath_a_tenant_are_listed_from_an_offset,
);

pub fn user_id(number: u128) -> UserId {
    UserId::from_u128(0x0190_0000_0000_7000_c000_0000_0000_0000 + number)
}

pub fn session_id(number: u128) -> UserSessionId {
    UserSessionId::from_u128(0x0190_0000_0000_7000_d000_0000_0000_0000 + number)
}

pub fn user(tenant: TenantId, number: u128) -> User {
    User {
        id: user_id(number),
        tenant_id: tenant,
        number: i64::try_from(number).unwrap(),
        email: format!("User{number}@Example.com"),
        first_name: "Ada".into(),
        last_name: format!("Lovelace {number}"),
        phone: "1".into(),
        status: Status::Active,
        reach: Reach::Beneath,
        roles: Vec::new(),
        password_set_at: None,
        activated_at: Some(NOW),
        version: 1,
        created_at: NOW,
        updated_at: NOW,
    }
}

pub fn session(number: u128) -> UserSession {
    UserSession {
        id: session_id(number),
        stage: Stage::Complete,
        methods: vec![Method::Password, Method::Code],
        created_at: NOW,
        last_seen_at: NOW,
        stepped_up_at: None,
        address: Some("192.0.2.7".parse().unwrap()),
        user_agent: "browser".into(),
        ended_at: None,
    }
}

pub fn token(number: u128) -> SecretHash {
    SecretHash::of(&format!("token {number}"))
}

async fn insert(store: &Store, users: &[User]) {
    let mut tx = store.begin().await.unwrap();
    for user in users {
        tx.insert_user(user.tenant_id, user).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn users_round_trip_with_their_roles(store: Store) {
    insert_tenants(&store, 2).await;
    let mut tx = store.begin().await.unwrap();
    let first = tx.next_user_number().await.unwrap();
    assert_eq!(tx.next_user_number().await.unwrap(), first + 1);
    let one = User { roles: vec![level_id(1), level_id(2)], ..user(tenant_id(1), 1) };
    tx.insert_user(tenant_id(1), &one).await.unwrap();
    assert_eq!(tx.find_user(tenant_id(1), one.id).await.unwrap().as_ref(), Some(&one));
    assert_eq!(tx.count_users(tenant_id(1)).await.unwrap(), 1);
    let changed = User {
        email: "other@example.com".into(),
        first_name: "Grace".into(),
        status: Status::Disabled,
        reach: Reach::Own,
        roles: vec![level_id(2)],
        version: 2,
        ..one.clone()
    };
    tx.update_user(tenant_id(1), &changed).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.find_user(tenant_id(1), one.id).await.unwrap().as_ref(), Some(&changed));
    assert_eq!(store.find_user(tenant_id(2), one.id).await.unwrap(), None);
    let place = Some((tenant_id(1), one.id));
    assert_eq!(store.find_user_by_email("other@example.com").await.unwrap(), place);
    assert_eq!(store.find_user_by_email("user1@example.com").await.unwrap(), None);
    assert_eq!(store.find_user_numbered(one.number).await.unwrap(), place);
    let mut tx = store.begin().await.unwrap();
    let refused = tx.insert_user(tenant_id(9), &user(tenant_id(9), 9)).await;
    assert!(matches!(refused, Err(Error::NotFound("tenant"))), "{refused:?}");
}

async fn an_address_is_one_persons_in_the_whole_store(store: Store) {
    insert_tenants(&store, 2).await;
    insert(&store, &[user(tenant_id(1), 1), user(tenant_id(1), 2)]).await;
    let mut tx = store.begin().await.unwrap();
    let twin = User { email: "USER1@EXAMPLE.COM".into(), ..user(tenant_id(2), 3) };
    assert_eq!(code(tx.insert_user(tenant_id(2), &twin).await.unwrap_err()), "email_taken");
    drop(tx);
    let mut tx = store.begin().await.unwrap();
    let renamed = User { email: "user1@example.com".into(), version: 2, ..user(tenant_id(1), 2) };
    assert_eq!(code(tx.update_user(tenant_id(1), &renamed).await.unwrap_err()), "email_taken");
}

async fn a_newer_version_is_not_overwritten(store: Store) {
    insert_tenants(&store, 1).await;
    insert(&store, &[user(tenant_id(1), 1)]).await;
    let mut tx = store.begin().await.unwrap();
    let late = User { version: 7, ..user(tenant_id(1), 1) };
    let refused = tx.update_user(tenant_id(1), &late).await;
    assert!(matches!(refused, Err(Error::PreconditionFailed { current: 1 })), "{refused:?}");
    drop(tx);
    let mut tx = store.begin().await.unwrap();
    let refused = tx.update_user(tenant_id(1), &User { version: 2, ..user(tenant_id(1), 5) }).await;
    assert!(matches!(refused, Err(Error::NotFound("user"))), "{refused:?}");
}

async fn found(store: &Store, prefix: &str, status: Option<Status>, limit: i64) -> Vec<u128> {
    let filter = UserFilter { prefix: Some(prefix.into()), status };
    let (mut after, mut numbers) = (None, Vec::new());
    loop {
        let users = store.list_users(tenant_id(1), &filter, &page(limit, after)).await.unwrap();
        let fetched = i64::try_from(users.len()).unwrap();
        let taken: Vec<_> = users.into_iter().take(usize::try_from(limit).unwrap()).collect();
        numbers.extend(taken.iter().map(|(user, _)| user.id.as_u128() & 0xff));
        after = taken.last().map(|(_, position)| position.clone());
        if fetched <= limit {
            return numbers;
        }
    }
}

async fn users_are_found_by_the_beginning_of_a_word(store: Store) {
    insert_tenants(&store, 2).await;
    let named = |number, first: &str, last: &str| User {
        first_name: first.into(),
        last_name: last.into(),
        ..user(tenant_id(1), number)
    };
    let disabled = User { status: Status::Disabled, ..named(4, "Ada", "") };
    let users = [named(1, "Ada", "Adams"), named(2, "Grace", "van Ada"), named(3, "Bob", ""), disabled];
    insert(&store, &users).await;
    insert(&store, &[user(tenant_id(2), 5)]).await;
    assert_eq!(found(&store, "ada", None, 9).await, [1, 2, 4]);
    assert_eq!(found(&store, "ada", None, 1).await, [1, 2, 4], "each once, page by page");
    assert_eq!(found(&store, "ada", Some(Status::Active), 9).await, [1, 2]);
    assert_eq!(found(&store, "adam", None, 9).await, [1]);
    assert_eq!(found(&store, "user3@", None, 9).await, [3]);
    assert_eq!(found(&store, "%", None, 9).await, [0; 0]);
    let mut tx = store.begin().await.unwrap();
    tx.update_user(tenant_id(1), &User { version: 2, ..named(1, "Zoe", "") }).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(found(&store, "ada", None, 9).await, [2, 4]);
    assert_eq!(found(&store, "zo", None, 9).await, [1]);
}

async fn users_are_listed_in_pages(store: Store) {
    insert_tenants(&store, 2).await;
    let many: Vec<_> = (1..=5)
        .map(|number| User {
            status: if number % 2 == 0 { Status::Invited } else { Status::Active },
            roles: vec![level_id(1), level_id(2)],
            ..user(tenant_id(1), number)
        })
        .collect();
    insert(&store, &many).await;
    let list = async |status, limit, after| {
        let filter = UserFilter { prefix: None, status };
        let users = store.list_users(tenant_id(1), &filter, &page(limit, after)).await.unwrap();
        users.into_iter().map(|(user, _)| user).collect::<Vec<_>>()
    };
    assert_eq!(list(None, 10, None).await, many);
    assert_eq!(list(None, 1, Some(many[1].id.to_string())).await, many[2..4], "one more than the limit");
    assert_eq!(list(Some(Status::Invited), 10, None).await, [many[1].clone(), many[3].clone()]);
    assert_eq!(list(Some(Status::Invited), 10, Some(many[1].id.to_string())).await, [many[3].clone()]);
}

async fn a_level_says_who_holds_it(store: Store) {
    insert_tenants(&store, 1).await;
    let tenant = tenant_id(1);
    let mut tx = store.begin().await.unwrap();
    tx.insert_access_level(tenant, &level(tenant, 1, "Readers"), "readers").await.unwrap();
    let holder = User { roles: vec![level_id(1)], reach: Reach::Own, ..user(tenant, 1) };
    let disabled = User { roles: vec![level_id(1)], reach: Reach::Own, status: Status::Disabled, ..user(tenant, 2) };
    for user in [&holder, &disabled, &user(tenant, 3)] {
        tx.insert_user(tenant, user).await.unwrap();
    }
    let holders = tx.list_level_holders(tenant, level_id(1)).await.unwrap();
    let names: Vec<_> = holders.iter().map(|one| (one.kind, one.name.as_str())).collect();
    assert_eq!(names, [("user", "Ada Lovelace 1"), ("user", "Ada Lovelace 2")]);
    assert_eq!(tx.count_active_holders(tenant, level_id(1)).await.unwrap(), 1);
    assert!(!tx.delete_access_level(tenant, level_id(1)).await.unwrap(), "users hold it");
    assert!(!tx.level_reaches_beneath(tenant, level_id(1)).await.unwrap());
    tx.update_user(tenant, &User { reach: Reach::Beneath, version: 2, ..holder }).await.unwrap();
    assert!(tx.level_reaches_beneath(tenant, level_id(1)).await.unwrap());
}

async fn a_session_is_read_with_its_holder_in_one_go(store: Store) {
    insert_tenants(&store, 1).await;
    let tenant = tenant_id(1);
    let holder = User { roles: vec![level_id(1), level_id(7)], ..user(tenant, 1) };
    insert(&store, &[holder.clone(), user(tenant, 2)]).await;
    let mut tx = store.begin().await.unwrap();
    tx.insert_access_level(tenant, &level(tenant, 1, "Readers"), "readers").await.unwrap();
    tx.insert_user_session(tenant, user_id(1), &session(1), &token(1)).await.unwrap();
    tx.insert_user_session(tenant, user_id(2), &session(2), &token(2)).await.unwrap();
    tx.commit().await.unwrap();
    let before = store.statements();
    let found = store.find_session_holder(&token(1)).await.unwrap().unwrap();
    assert_eq!(store.statements() - before, 1);
    assert_eq!(
        (found.tenant, found.user, found.status, found.reach),
        (tenant, user_id(1), Status::Active, Reach::Beneath)
    );
    assert_eq!(found.session, session(1));
    let roles: Vec<_> = found.roles.iter().map(|(id, grants)| (*id, grants.is_some())).collect();
    assert_eq!(roles, [(level_id(1), true), (level_id(7), false)]);
    assert_eq!(store.find_session_holder(&token(2)).await.unwrap().unwrap().roles, []);
    assert_eq!(store.find_session_holder(&token(3)).await.unwrap(), None);
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.find_session_holder(tenant, user_id(1), session_id(1)).await.unwrap(), Some(found));
    assert_eq!(tx.find_session_holder(tenant, user_id(2), session_id(1)).await.unwrap(), None);
}

async fn sessions_end_and_move_on(store: Store) {
    insert_tenants(&store, 1).await;
    let tenant = tenant_id(1);
    insert(&store, &[user(tenant, 1)]).await;
    let mut tx = store.begin().await.unwrap();
    let half = UserSession { stage: Stage::SecondFactor, methods: vec![Method::Password], ..session(1) };
    tx.insert_user_session(tenant, user_id(1), &half, &token(1)).await.unwrap();
    for number in [2, 3] {
        tx.insert_user_session(tenant, user_id(1), &session(number), &token(number)).await.unwrap();
    }
    assert!(tx.advance_user_session(tenant, user_id(1), &session(1), &token(9)).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(store.find_session_holder(&token(1)).await.unwrap(), None, "the token before is dead");
    assert_eq!(store.find_session_holder(&token(9)).await.unwrap().unwrap().session, session(1));
    let live = async |now| {
        let live = store.list_user_sessions(tenant, user_id(1), now).await.unwrap();
        live.iter().map(|session| session.id.as_u128() & 0xff).collect::<Vec<_>>()
    };
    assert_eq!(live(NOW).await, [3, 2, 1]);
    let mut tx = store.begin().await.unwrap();
    tx.touch_user_session(tenant, user_id(1), session_id(2), at(59)).await.unwrap();
    tx.touch_user_session(tenant, user_id(1), session_id(3), at(60)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(live(at(1_800)).await, [3], "once a minute at most it is noted that one is used");
    assert_eq!(store.find_session_holder(&token(3)).await.unwrap().unwrap().session.last_seen_at, at(60));
    let mut tx = store.begin().await.unwrap();
    assert!(tx.end_user_session(tenant, user_id(1), session_id(1), at(1)).await.unwrap());
    assert!(!tx.end_presented_session(&token(9), at(2)).await.unwrap(), "it has ended");
    assert!(!tx.end_user_session(tenant, user_id(1), session_id(1), at(2)).await.unwrap());
    assert!(!tx.advance_user_session(tenant, user_id(1), &session(1), &token(8)).await.unwrap(), "it has ended");
    assert_eq!(tx.end_user_sessions(tenant, user_id(1), Some(session_id(3)), at(1)).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert_eq!(live(NOW).await, [3]);
    assert_eq!(store.find_session_holder(&token(9)).await.unwrap().unwrap().session.ended_at, Some(at(1)));
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.end_all_user_sessions(at(3)).await.unwrap(), 1);
}

async fn a_password_is_kept_apart(store: Store) {
    insert_tenants(&store, 1).await;
    let tenant = tenant_id(1);
    insert(&store, &[user(tenant, 1)]).await;
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.find_user_password(tenant, user_id(1)).await.unwrap(), None);
    tx.put_user_password(tenant, user_id(1), Some("hash"), Some(at(1))).await.unwrap();
    tx.put_user_device(tenant, user_id(1), &token(1), NOW).await.unwrap();
    tx.put_user_device(tenant, user_id(1), &token(1), at(5)).await.unwrap();
    assert_eq!(tx.find_user_password(tenant, user_id(1)).await.unwrap().as_deref(), Some("hash"));
    tx.commit().await.unwrap();
    assert_eq!(store.find_user(tenant, user_id(1)).await.unwrap().unwrap().password_set_at, Some(at(1)));
    let signing_in = store.find_signing_in("user1@example.com", Some(&token(1))).await.unwrap().unwrap();
    assert_eq!((signing_in.tenant, signing_in.user, signing_in.status), (tenant, user_id(1), Status::Active));
    assert!(signing_in.known_device && signing_in.password.as_deref() == Some("hash"));
    assert!(!store.find_signing_in("user1@example.com", Some(&token(2))).await.unwrap().unwrap().known_device);
    assert!(!store.find_signing_in("user1@example.com", None).await.unwrap().unwrap().known_device);
    assert_eq!(store.find_signing_in("user2@example.com", None).await.unwrap(), None);
    let mut tx = store.begin().await.unwrap();
    tx.delete_user_devices(tenant, user_id(1)).await.unwrap();
    tx.put_user_password(tenant, user_id(1), None, None).await.unwrap();
    tx.commit().await.unwrap();
    let signing_in = store.find_signing_in("user1@example.com", Some(&token(1))).await.unwrap().unwrap();
    assert!(!signing_in.known_device && signing_in.password.is_none());
    let mut tx = store.begin().await.unwrap();
    let refused = tx.put_user_password(tenant, user_id(9), None, None).await;
    assert!(matches!(refused, Err(Error::NotFound("user"))), "{refused:?}");
}

async fn guesses_are_kept_under_their_key(store: Store) {
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.lock_guesses(&[1; 32]).await.unwrap(), [0; 0]);
    tx.put_guesses(&[1; 32], &[5, 7], at(0)).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.lock_guesses(&[1; 32]).await.unwrap(), [5, 7]);
    assert_eq!(tx.lock_guesses(&[2; 32]).await.unwrap(), [0; 0]);
}

async fn the_first_persons_link_is_used_once(store: Store) {
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.use_first_person_link(&token(1)).await.unwrap(), None);
    tx.put_first_person_link(&token(1), at(1)).await.unwrap();
    tx.put_first_person_link(&token(2), at(2)).await.unwrap();
    assert_eq!(tx.use_first_person_link(&token(1)).await.unwrap(), None, "a newer one took its place");
    assert_eq!(tx.use_first_person_link(&token(2)).await.unwrap(), Some(at(2)));
    assert_eq!(tx.use_first_person_link(&token(2)).await.unwrap(), None);
}

async fn what_is_over_is_swept(store: Store) {
    insert_tenants(&store, 1).await;
    let tenant = tenant_id(1);
    insert(&store, &[user(tenant, 1)]).await;
    let mut tx = store.begin().await.unwrap();
    tx.insert_user_session(tenant, user_id(1), &session(1), &token(1)).await.unwrap();
    tx.put_user_device(tenant, user_id(1), &token(2), NOW).await.unwrap();
    tx.lock_guesses(&[1; 32]).await.unwrap();
    tx.put_guesses(&[1; 32], &[5], NOW).await.unwrap();
    tx.sweep_people(at(3_600)).await.unwrap();
    tx.commit().await.unwrap();
    assert!(store.find_session_holder(&token(1)).await.unwrap().is_some());
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.lock_guesses(&[1; 32]).await.unwrap(), [5]);
    tx.sweep_people(at(200 * 86_400)).await.unwrap();
    assert_eq!(tx.lock_guesses(&[1; 32]).await.unwrap(), [0; 0]);
    tx.commit().await.unwrap();
    assert_eq!(store.find_session_holder(&token(1)).await.unwrap(), None);
    assert!(!store.find_signing_in("user1@example.com", Some(&token(2))).await.unwrap().unwrap().known_device);
}

async fn a_user_answers_for_applications(store: Store) {
    let (tenant, application) = seed(&store).await;
    insert(&store, &[user(tenant, 1), user(tenant, 2)]).await;
    let mut tx = store.begin().await.unwrap();
    let owned = claviger_domain::application::Application {
        owner_id: Some(user_id(1)),
        version: 2,
        ..tx.find_application(tenant, application).await.unwrap().unwrap()
    };
    tx.update_application(tenant, &owned, &key(&owned.name)).await.unwrap();
    assert_eq!(tx.find_application(tenant, application).await.unwrap().unwrap().owner_id, Some(user_id(1)));
    let listed = tx.list_owned_applications(user_id(1)).await.unwrap();
    assert_eq!((listed.len(), listed[0].kind, listed[0].name.as_str()), (1, "application", "Application 1"));
    assert_eq!(tx.change_owners(user_id(1), (user_id(2), "b@example.com"), at(4)).await.unwrap(), 1);
    let changed = tx.find_application(tenant, application).await.unwrap().unwrap();
    assert_eq!((changed.owner_id, changed.version, changed.updated_at), (Some(user_id(2)), 3, at(4)));
    assert_eq!(changed.owner.as_deref(), Some("b@example.com"));
    let found = tx.find_owner(tenant, user_id(2)).await.unwrap();
    assert_eq!(found, Some((tenant, "User2@Example.com".to_owned())));
    assert_eq!(tx.find_owner(tenant_id(0), user_id(2)).await.unwrap(), None, "one beneath");
    assert!(tx.change_owner(tenant, application, "c@example.com", at(5)).await.unwrap());
    assert_eq!(tx.find_application(tenant, application).await.unwrap().unwrap().owner_id, None);
    assert!(tx.list_owned_applications(user_id(1)).await.unwrap().is_empty());
}

async fn the_deleted_leave_nothing_behind(store: Store) {
    insert_tenants(&store, 1).await;
    let tenant = tenant_id(1);
    insert(&store, &[User { roles: vec![level_id(1)], ..user(tenant, 1) }]).await;
    let mut tx = store.begin().await.unwrap();
    tx.insert_user_session(tenant, user_id(1), &session(1), &token(1)).await.unwrap();
    tx.put_user_device(tenant, user_id(1), &token(2), NOW).await.unwrap();
    assert!(tx.delete_user(tenant, user_id(1)).await.unwrap());
    assert!(!tx.delete_user(tenant, user_id(1)).await.unwrap());
    assert_eq!(tx.find_user(tenant, user_id(1)).await.unwrap(), None);
    tx.commit().await.unwrap();
    assert_eq!(store.find_session_holder(&token(1)).await.unwrap(), None);
    assert_eq!(found(&store, "ada", None, 9).await, [0; 0]);
    // The address is free again.
    insert(&store, &[user(tenant, 1)]).await;
    assert!(!store.find_signing_in("user1@example.com", Some(&token(2))).await.unwrap().unwrap().known_device);
}

async fn people_beneath_a_tenant_are_listed_from_an_offset(store: Store) {
    insert_tenants(&store, 2).await;
    let one = User { roles: vec![level_id(1), level_id(2)], ..user(tenant_id(1), 1) };
    insert(&store, &[one.clone(), user(tenant_id(1), 2), user(tenant_id(2), 3)]).await;
    let ids = async |root: u128, beneath: bool, offset: i64, limit: i64| -> Vec<UserId> {
        let found = store.list_users_beneath(tenant_id(root), beneath, offset, limit).await.unwrap();
        found.into_iter().map(|user| user.id).collect()
    };
    assert_eq!(ids(0, true, 0, 10).await, [user_id(1), user_id(2), user_id(3)]);
    assert_eq!(ids(0, true, 1, 1).await, [user_id(2)]);
    assert_eq!(ids(0, false, 0, 10).await, []);
    assert_eq!(ids(1, false, 0, 10).await, [user_id(1), user_id(2)]);
    assert_eq!(store.list_users_beneath(tenant_id(1), true, 0, 1).await.unwrap(), [one], "with its roles");
    assert_eq!(store.find_user_home(user_id(3)).await.unwrap(), Some(tenant_id(2)));
    assert_eq!(store.find_user_home(user_id(9)).await.unwrap(), None);
}
