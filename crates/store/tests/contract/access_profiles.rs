//! Access profiles: access levels that users hold under conditions, and who gave them.

use crate::fixtures::*;
use crate::users::{session, session_id, token, user, user_id};
use claviger_domain::Error;
use claviger_domain::access_profile::{AccessProfile, Conditions, GrantStamp};
use claviger_domain::application::Reach;
use claviger_domain::id::AccessProfileId;
use claviger_domain::network::Network;
use claviger_store::Store;

facts!(
    profiles_are_written_together,
    a_session_is_read_with_the_profiles_of_its_holder,
    a_level_knows_those_who_hold_it_by_a_profile,
    a_stamp_keeps_who_began,
    the_deleted_leave_no_profiles,
);

fn profile(number: u128, conditions: Conditions) -> AccessProfile {
    let id = AccessProfileId::from_u128(0x0190_0000_0000_7000_e000_0000_0000_0000 + number);
    AccessProfile { id, reach: Reach::Own, roles: vec![level_id(1), level_id(2)], conditions }
}

fn bound() -> Conditions {
    let networks = ["192.0.2.0/24", "2001:db8::/32"].map(|text| Network::parse("", text).unwrap()).to_vec();
    Conditions { networks: Some(networks), expires_at: Some(at(60)), disabled: true }
}

/// A tenant with a level and two users, of whom the first has two profiles.
async fn seeded(store: &Store) -> [AccessProfile; 2] {
    let (tenant, _) = seed(store).await;
    let nowhere = Conditions { networks: Some(Vec::new()), ..Conditions::default() };
    let profiles = [profile(1, bound()), AccessProfile { reach: Reach::Beneath, ..profile(2, nowhere) }];
    let mut tx = store.begin().await.unwrap();
    tx.insert_access_level(tenant, &level(tenant, 1, "One"), &key("One")).await.unwrap();
    for number in [1, 2] {
        tx.insert_user(tenant, &user(tenant, number)).await.unwrap();
    }
    tx.put_access_profiles(tenant, user_id(1), &profiles).await.unwrap();
    tx.commit().await.unwrap();
    profiles
}

async fn profiles_are_written_together(store: Store) {
    let profiles = seeded(&store).await;
    let tenant = tenant_id(1);
    assert_eq!(store.list_access_profiles(tenant, user_id(1)).await.unwrap(), profiles);
    assert_eq!(store.list_access_profiles(tenant, user_id(2)).await.unwrap(), []);
    assert_eq!(store.list_access_profiles(tenant_id(0), user_id(1)).await.unwrap(), []);
    let mut tx = store.begin().await.unwrap();
    let changed = [AccessProfile { roles: vec![level_id(2)], ..profile(1, Conditions::default()) }];
    tx.put_access_profiles(tenant, user_id(1), &changed).await.unwrap();
    assert_eq!(tx.list_access_profiles(tenant, user_id(1)).await.unwrap(), changed);
    tx.put_access_profiles(tenant, user_id(1), &[]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.list_access_profiles(tenant, user_id(1)).await.unwrap(), []);
    let mut tx = store.begin().await.unwrap();
    let nobody = tx.put_access_profiles(tenant, user_id(9), &changed).await;
    assert!(matches!(nobody, Err(Error::NotFound("user"))), "{nobody:?}");
}

async fn a_session_is_read_with_the_profiles_of_its_holder(store: Store) {
    seeded(&store).await;
    let tenant = tenant_id(1);
    let mut tx = store.begin().await.unwrap();
    for number in [1, 2] {
        tx.insert_user_session(tenant, user_id(number), &session(number), &token(number)).await.unwrap();
    }
    tx.commit().await.unwrap();
    let found = store.find_session_holder(&token(1)).await.unwrap().unwrap();
    assert_eq!(found.roles, []);
    let mut held: Vec<_> = found.profile_roles.iter().collect();
    held.sort_by_key(|one| (one.reach.as_str(), one.role.0));
    let told: Vec<_> = held.iter().map(|one| (one.reach, one.role.0, one.role.1.is_some())).collect();
    assert_eq!(
        told,
        [
            (Reach::Beneath, level_id(1), true),
            (Reach::Beneath, level_id(2), false),
            (Reach::Own, level_id(1), true),
            (Reach::Own, level_id(2), false),
        ],
        "with the grants of stored levels"
    );
    assert_eq!(held[2].conditions, bound());
    assert_eq!(held[0].conditions.networks, Some(Vec::new()));
    assert_eq!(store.find_session_holder(&token(2)).await.unwrap().unwrap().profile_roles, []);
    let mut tx = store.begin().await.unwrap();
    let again = tx.find_session_holder(tenant, user_id(1), session_id(1)).await.unwrap().unwrap();
    assert_eq!(again.profile_roles.len(), 4);
}

async fn a_level_knows_those_who_hold_it_by_a_profile(store: Store) {
    seeded(&store).await;
    let tenant = tenant_id(1);
    let mut tx = store.begin().await.unwrap();
    let holders = tx.list_level_holders(tenant, level_id(1)).await.unwrap();
    assert_eq!(holders.iter().map(|one| one.id.clone()).collect::<Vec<_>>(), [user_id(1).to_string()]);
    assert_eq!(tx.count_active_holders(tenant, level_id(1)).await.unwrap(), 0, "not as its owner");
    assert!(tx.level_reaches_beneath(tenant, level_id(1)).await.unwrap());
    tx.put_access_profiles(tenant, user_id(1), &[profile(1, bound())]).await.unwrap();
    assert!(!tx.level_reaches_beneath(tenant, level_id(1)).await.unwrap());
    tx.put_access_profiles(tenant, user_id(1), &[]).await.unwrap();
    assert_eq!(tx.list_level_holders(tenant, level_id(1)).await.unwrap().len(), 0);
}

async fn a_stamp_keeps_who_began(store: Store) {
    seeded(&store).await;
    let (tenant, id) = (tenant_id(1), user_id(1));
    assert_eq!(store.find_grant_stamp(tenant, id).await.unwrap(), None);
    let mut tx = store.begin().await.unwrap();
    tx.put_grant_stamp(tenant, id, "first", NOW).await.unwrap();
    tx.put_grant_stamp(tenant, id, "second", at(5)).await.unwrap();
    let stamp =
        GrantStamp { created_by: "first".into(), updated_by: "second".into(), created_at: NOW, updated_at: at(5) };
    assert_eq!(tx.find_grant_stamp(tenant, id).await.unwrap(), Some(stamp.clone()));
    tx.commit().await.unwrap();
    assert_eq!(store.find_grant_stamp(tenant, id).await.unwrap(), Some(stamp));
    assert_eq!(store.find_grant_stamp(tenant, user_id(2)).await.unwrap(), None);
    let mut tx = store.begin().await.unwrap();
    tx.delete_grant_stamp(tenant, id).await.unwrap();
    assert_eq!(tx.find_grant_stamp(tenant, id).await.unwrap(), None);
}

async fn the_deleted_leave_no_profiles(store: Store) {
    let profiles = seeded(&store).await;
    let tenant = tenant_id(1);
    let mut tx = store.begin().await.unwrap();
    tx.put_grant_stamp(tenant, user_id(1), "first", NOW).await.unwrap();
    assert!(tx.delete_user(tenant, user_id(1)).await.unwrap());
    tx.insert_user(tenant, &user(tenant, 1)).await.unwrap();
    assert_eq!(tx.list_access_profiles(tenant, user_id(1)).await.unwrap(), []);
    assert_eq!(tx.find_grant_stamp(tenant, user_id(1)).await.unwrap(), None);
    tx.put_access_profiles(tenant, user_id(1), &profiles).await.unwrap();
}
