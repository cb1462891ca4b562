//! Identity providers, their domains, who people are there, and sign-ins under way.

use crate::fixtures::*;
use claviger_domain::Error;
use claviger_domain::access_profile::{AccessProfile, Conditions};
use claviger_domain::application::Reach;
use claviger_domain::id::{AccessLevelId, AccessProfileId, ProviderId, SsoSignInId, TenantId, UserId};
use claviger_domain::identity_provider::{Domain, IdentityProvider, RoleRule, UserIdentity};
use claviger_domain::outgoing::Target;
use claviger_domain::page::PageRequest;
use claviger_domain::secret::SecretHash;
use claviger_domain::time::Timestamp;
use claviger_domain::user::{Status, User};
use claviger_store::Store;
use claviger_store::system::PendingSignIn;

facts!(
    providers_round_trip_with_their_domains,
    a_domain_leads_to_one_provider_in_the_whole_store,
    a_newer_version_is_not_overwritten,
    a_secret_is_kept_apart,
    providers_are_listed_in_pages,
    a_level_says_which_providers_give_it,
    people_at_a_domain_are_known_by_what_they_hold,
    a_subject_is_one_users_and_a_user_one_subject,
    a_sign_in_is_taken_once_by_its_browser,
    a_password_may_be_forbidden_by_the_tenants_own_provider,
    the_deleted_leave_nothing_behind,
);

fn provider_id(number: u128) -> ProviderId {
    ProviderId::from_u128(0x0190_0000_0000_7000_d000_0000_0000_0000 + number)
}

fn user_id(number: u128) -> UserId {
    UserId::from_u128(0x0190_0000_0000_7000_c000_0000_0000_0000 + number)
}

fn domain(text: &str) -> Domain {
    Domain::parse("/d", text).unwrap()
}

fn provider(tenant: TenantId, number: u128, domains: &[&str]) -> IdentityProvider {
    IdentityProvider {
        id: provider_id(number),
        tenant_id: tenant,
        name: format!("Provider {number}"),
        issuer: Target::parse("/issuer", &format!("https://idp-{number}.example/acme")).unwrap(),
        client_id: "claviger".into(),
        has_secret: false,
        scopes: vec!["openid".into(), "email".into()],
        domains: domains.iter().map(|text| domain(text)).collect(),
        creates_users: true,
        role_rules: vec![RoleRule {
            claim: "groups".into(),
            value: "admins".into(),
            access_level_ids: vec![level_id(1)],
        }],
        default_roles: vec![level_id(2)],
        enabled: true,
        required: false,
        version: 1,
        created_at: NOW,
        updated_at: NOW,
    }
}

fn user(tenant: TenantId, number: u128, email: &str, roles: &[AccessLevelId]) -> User {
    User {
        id: user_id(number),
        tenant_id: tenant,
        number: i64::try_from(number).unwrap(),
        email: email.into(),
        first_name: String::new(),
        last_name: String::new(),
        phone: String::new(),
        status: Status::Active,
        reach: Reach::Own,
        roles: roles.to_vec(),
        password_set_at: None,
        activated_at: Some(NOW),
        version: 1,
        created_at: NOW,
        updated_at: NOW,
    }
}

async fn seed_tenant(store: &Store) -> TenantId {
    insert_tenants(store, 1).await;
    tenant_id(1)
}

async fn insert(store: &Store, provider: &IdentityProvider, secret: Option<Vec<u8>>) -> claviger_domain::Result<()> {
    let mut tx = store.begin().await.unwrap();
    tx.insert_identity_provider(provider.tenant_id, provider, &key(&provider.name), secret).await?;
    tx.commit().await
}

async fn insert_user(store: &Store, user: &User) {
    let mut tx = store.begin().await.unwrap();
    tx.insert_user(user.tenant_id, user).await.unwrap();
    tx.commit().await.unwrap();
}

async fn providers_round_trip_with_their_domains(store: Store) {
    let tenant = seed_tenant(&store).await;
    let with_two = provider(tenant, 1, &["a.example", "b.example"]);
    insert(&store, &with_two, None).await.unwrap();
    assert_eq!(store.find_identity_provider(tenant, with_two.id).await.unwrap(), Some(with_two.clone()));
    assert_eq!(store.find_identity_provider(tenant_id(99), with_two.id).await.unwrap(), None);
    for text in ["a.example", "b.example"] {
        assert_eq!(store.find_provider_of_domain(text).await.unwrap(), Some(with_two.clone()), "{text}");
    }
    assert_eq!(store.find_provider_of_domain("c.example").await.unwrap(), None);
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.count_identity_providers(tenant).await.unwrap(), 1);
    let same_name = IdentityProvider { name: "provider 1".into(), ..provider(tenant, 2, &["c.example"]) };
    let refused = tx.insert_identity_provider(tenant, &same_name, &key("provider 1"), None).await.unwrap_err();
    assert_eq!(code(refused), "identity_provider_taken");
}

async fn a_domain_leads_to_one_provider_in_the_whole_store(store: Store) {
    insert_tenants(&store, 2).await;
    let (tenant, other) = (tenant_id(1), tenant_id(2));
    let first = provider(tenant, 1, &["a.example"]);
    insert(&store, &first, None).await.unwrap();
    for second in [provider(tenant, 2, &["a.example"]), provider(other, 3, &["b.example", "a.example"])] {
        assert_eq!(code(insert(&store, &second, None).await.unwrap_err()), "domain_claimed");
    }
    let mut tx = store.begin().await.unwrap();
    let without = IdentityProvider { domains: vec![domain("z.example")], version: 2, ..first };
    tx.update_identity_provider(tenant, &without, &key(&without.name)).await.unwrap();
    tx.commit().await.unwrap();
    insert(&store, &provider(other, 3, &["b.example", "a.example"]), None).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    tx.free_provider_domain(&domain("a.example")).await.unwrap();
    tx.commit().await.unwrap();
    let left = store.find_identity_provider(other, provider_id(3)).await.unwrap().unwrap();
    assert_eq!(left.domains, [domain("b.example")]);
    assert_eq!(store.find_provider_of_domain("a.example").await.unwrap(), None);
}

async fn a_newer_version_is_not_overwritten(store: Store) {
    let tenant = seed_tenant(&store).await;
    let first = provider(tenant, 1, &["a.example"]);
    insert(&store, &first, None).await.unwrap();
    let changed = IdentityProvider {
        name: "Other".into(),
        domains: vec![domain("b.example")],
        role_rules: Vec::new(),
        required: true,
        version: 2,
        ..first
    };
    let mut tx = store.begin().await.unwrap();
    tx.update_identity_provider(tenant, &changed, &key("Other")).await.unwrap();
    assert_eq!(tx.find_identity_provider(tenant, changed.id).await.unwrap(), Some(changed.clone()));
    let late = tx.update_identity_provider(tenant, &changed, &key("Other")).await.unwrap_err();
    assert!(matches!(late, Error::PreconditionFailed { current: 2 }), "{late:?}");
    let gone = IdentityProvider { id: provider_id(9), ..changed };
    let missing = tx.update_identity_provider(tenant, &gone, &key("Other")).await.unwrap_err();
    assert!(matches!(missing, Error::NotFound(_)), "{missing:?}");
}

async fn a_secret_is_kept_apart(store: Store) {
    let tenant = seed_tenant(&store).await;
    let first = provider(tenant, 1, &["a.example"]);
    insert(&store, &first, Some(vec![1, 2, 3])).await.unwrap();
    let found = store.find_identity_provider(tenant, first.id).await.unwrap().unwrap();
    assert_eq!(found, IdentityProvider { has_secret: true, ..first.clone() });
    assert_eq!(store.find_provider_secret(tenant, first.id).await.unwrap(), Some(vec![1, 2, 3]));
    assert_eq!(store.find_provider_secret(tenant_id(99), first.id).await.unwrap(), None);
    let mut tx = store.begin().await.unwrap();
    tx.update_identity_provider(tenant, &IdentityProvider { version: 2, ..found }, &key(&first.name)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.find_provider_secret(tenant, first.id).await.unwrap(), Some(vec![1, 2, 3]), "a change leaves it");
    let mut tx = store.begin().await.unwrap();
    tx.put_provider_secret(tenant, first.id, None).await.unwrap();
    assert!(matches!(tx.put_provider_secret(tenant, provider_id(9), None).await, Err(Error::NotFound(_))));
    tx.commit().await.unwrap();
    assert_eq!(store.find_provider_secret(tenant, first.id).await.unwrap(), None);
}

async fn providers_are_listed_in_pages(store: Store) {
    let tenant = seed_tenant(&store).await;
    for number in 1..=3 {
        let domains = [format!("a{number}.example"), format!("b{number}.example")];
        insert(&store, &provider(tenant, number, &[&domains[0], &domains[1]]), None).await.unwrap();
    }
    let page = PageRequest { limit: 2, after: None };
    let found = store.list_identity_providers(tenant, &page).await.unwrap();
    assert_eq!(
        found.iter().map(|one| one.id).collect::<Vec<_>>(),
        [1, 2, 3].map(provider_id),
        "one more than asked for"
    );
    assert!(found.iter().all(|one| one.domains.len() == 2));
    let page = PageRequest { limit: 2, after: Some(provider_id(2).to_string()) };
    assert_eq!(store.list_identity_providers(tenant, &page).await.unwrap().len(), 1);
}

async fn a_level_says_which_providers_give_it(store: Store) {
    let tenant = seed_tenant(&store).await;
    insert(&store, &provider(tenant, 1, &["a.example"]), None).await.unwrap();
    for (level, expected) in [(1, 1), (2, 1), (3, 0)] {
        assert_eq!(store.list_level_providers(tenant, level_id(level)).await.unwrap().len(), expected, "level {level}");
    }
    assert!(store.list_level_providers(tenant_id(99), level_id(1)).await.unwrap().is_empty());
    let mut tx = store.begin().await.unwrap();
    for (level, expected) in [(1, 1), (2, 1), (3, 0)] {
        assert_eq!(tx.list_level_providers(tenant, level_id(level)).await.unwrap().len(), expected, "level {level}");
    }
    assert!(tx.list_level_providers(tenant_id(99), level_id(1)).await.unwrap().is_empty());
}

async fn people_at_a_domain_are_known_by_what_they_hold(store: Store) {
    let tenant = seed_tenant(&store).await;
    insert_user(&store, &user(tenant, 1, "Ada@A.example", &[level_id(1), level_id(2)])).await;
    insert_user(&store, &user(tenant, 2, "bob@a.example", &[level_id(1)])).await;
    insert_user(&store, &User { reach: Reach::Beneath, ..user(tenant, 3, "eve@a.example", &[]) }).await;
    insert_user(&store, &user(tenant, 4, "ada@sub.a.example", &[level_id(3)])).await;
    let mut tx = store.begin().await.unwrap();
    let mut found = tx.list_roles_at_domain(tenant, &domain("a.example")).await.unwrap();
    found.sort_by_key(|(reach, level)| (*reach == Reach::Beneath, *level));
    assert_eq!(found, [(Reach::Own, Some(level_id(1))), (Reach::Own, Some(level_id(2))), (Reach::Beneath, None)]);
    // What somebody holds under conditions counts as well, whether these hold or not.
    let conditions = Conditions { disabled: true, ..Conditions::default() };
    let id = AccessProfileId::from_u128(0x0190_0000_0000_7000_e000_0000_0000_0001);
    let profile = AccessProfile { id, reach: Reach::Own, roles: vec![level_id(4)], conditions };
    tx.put_access_profiles(tenant, user_id(2), &[profile]).await.unwrap();
    let found = tx.list_roles_at_domain(tenant, &domain("a.example")).await.unwrap();
    assert!(found.contains(&(Reach::Own, Some(level_id(4)))) && found.len() == 4, "{found:?}");
    assert!(tx.list_roles_at_domain(tenant_id(99), &domain("a.example")).await.unwrap().is_empty());
}

async fn a_subject_is_one_users_and_a_user_one_subject(store: Store) {
    let tenant = seed_tenant(&store).await;
    let first = provider(tenant, 1, &["a.example"]);
    insert(&store, &first, None).await.unwrap();
    insert_user(&store, &user(tenant, 1, "ada@a.example", &[])).await;
    insert_user(&store, &user(tenant, 2, "bob@a.example", &[])).await;
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.find_user_by_subject(tenant, first.id, "s").await.unwrap(), None);
    tx.insert_user_identity(tenant, (user_id(1), first.id), "s", NOW).await.unwrap();
    tx.touch_user_identity(tenant, (user_id(1), first.id), at(5)).await.unwrap();
    assert_eq!(tx.find_user_by_subject(tenant, first.id, "s").await.unwrap(), Some(user_id(1)));
    assert_eq!(tx.find_user_by_subject(tenant, first.id, "S").await.unwrap(), None, "to the letter");
    let (provider_id, subject) = (first.id, "s".to_owned());
    let pinned = UserIdentity { provider_id, subject, linked_at: NOW, last_used_at: at(5) };
    assert!(tx.has_user_identity(tenant, user_id(1), first.id).await.unwrap());
    assert!(!tx.has_user_identity(tenant, user_id(2), first.id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(store.list_user_identities(tenant, user_id(1)).await.unwrap(), [pinned]);
    assert_eq!(store.list_user_identities(tenant_id(99), user_id(1)).await.unwrap(), []);
    for (number, subject) in [(1, "other"), (2, "s")] {
        let mut tx = store.begin().await.unwrap();
        let refused = tx.insert_user_identity(tenant, (user_id(number), first.id), subject, NOW).await.unwrap_err();
        assert_eq!(code(refused), "identity_taken", "{subject}");
    }
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.delete_user_identities(tenant, user_id(1)).await.unwrap(), 1);
    tx.insert_user_identity(tenant, (user_id(2), first.id), "s", NOW).await.unwrap();
    assert_eq!(tx.delete_provider_identities(tenant, first.id).await.unwrap(), 1);
    assert_eq!(tx.delete_provider_identities(tenant, first.id).await.unwrap(), 0);
}

fn pending(tenant: TenantId, number: u128) -> PendingSignIn {
    PendingSignIn {
        tenant,
        id: SsoSignInId::from_u128(0x0190_0000_0000_7000_e000_0000_0000_0000 + number),
        provider: provider_id(1),
        provider_version: 1,
        proofs: vec![7; 40],
        return_to: Some("/console".into()),
        begun_at: NOW,
    }
}

async fn a_sign_in_is_taken_once_by_its_browser(store: Store) {
    let tenant = seed_tenant(&store).await;
    insert(&store, &provider(tenant, 1, &["a.example"]), None).await.unwrap();
    let (state, browser) = (SecretHash::of("state"), SecretHash::of("browser"));
    let mut tx = store.begin().await.unwrap();
    tx.insert_sso_sign_in(tenant, &pending(tenant, 1), (&state, &browser)).await.unwrap();
    tx.commit().await.unwrap();
    assert!(store.has_sso_sign_in(&state, &browser).await.unwrap());
    assert!(!store.has_sso_sign_in(&browser, &state).await.unwrap());
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.take_sso_sign_in(&state, &SecretHash::of("other")).await.unwrap(), None, "another browser");
    assert_eq!(tx.take_sso_sign_in(&browser, &state).await.unwrap(), None);
    assert_eq!(tx.take_sso_sign_in(&state, &browser).await.unwrap(), Some(pending(tenant, 1)));
    assert_eq!(tx.take_sso_sign_in(&state, &browser).await.unwrap(), None, "once");
    let later = PendingSignIn { return_to: None, begun_at: at(100), ..pending(tenant, 2) };
    tx.insert_sso_sign_in(tenant, &pending(tenant, 1), (&state, &browser)).await.unwrap();
    let other = SecretHash::of("other");
    tx.insert_sso_sign_in(tenant, &later, (&other, &browser)).await.unwrap();
    tx.sweep_sso_sign_ins(at(1_250)).await.unwrap();
    assert_eq!(tx.take_sso_sign_in(&state, &browser).await.unwrap(), None);
    assert_eq!(tx.take_sso_sign_in(&other, &browser).await.unwrap(), Some(later.clone()));
    tx.insert_sso_sign_in(tenant, &later, (&other, &browser)).await.unwrap();
    tx.sweep_sso_sign_ins(Timestamp::from_micros(i64::MAX)).await.unwrap();
    assert_eq!(tx.take_sso_sign_in(&other, &browser).await.unwrap(), None, "as after a restore");
}

async fn a_password_may_be_forbidden_by_the_tenants_own_provider(store: Store) {
    insert_tenants(&store, 2).await;
    let (tenant, other) = (tenant_id(1), tenant_id(2));
    insert_user(&store, &user(tenant, 1, "Ada@a.example", &[])).await;
    insert_user(&store, &user(other, 2, "bob@a.example", &[])).await;
    let mut current = IdentityProvider { required: true, ..provider(tenant, 1, &["a.example"]) };
    insert(&store, &current, None).await.unwrap();
    let required = async |whose: TenantId, email: &str| {
        let required = store.find_signing_in(email, None).await.unwrap().unwrap().sso_required;
        assert_eq!(store.requires_provider(whose, email).await.unwrap(), required, "{email}");
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.requires_provider(whose, email).await.unwrap(), required, "{email}");
        required
    };
    assert!(required(tenant, "ada@a.example").await);
    assert!(!required(other, "bob@a.example").await, "another tenant's people are none of its business");
    for nobody in ["", "@", "a.example", "ada@sub.a.example"] {
        assert!(!store.requires_provider(tenant, nobody).await.unwrap(), "{nobody}");
    }
    for (enabled, is_required) in [(false, true), (true, false)] {
        current = IdentityProvider { enabled, required: is_required, version: current.version + 1, ..current };
        let mut tx = store.begin().await.unwrap();
        tx.update_identity_provider(tenant, &current, &key(&current.name)).await.unwrap();
        tx.commit().await.unwrap();
        assert!(!required(tenant, "ada@a.example").await, "enabled {enabled}, required {is_required}");
    }
}

async fn the_deleted_leave_nothing_behind(store: Store) {
    let tenant = seed_tenant(&store).await;
    let first = provider(tenant, 1, &["a.example"]);
    insert(&store, &first, None).await.unwrap();
    insert_user(&store, &user(tenant, 1, "ada@a.example", &[])).await;
    let mut tx = store.begin().await.unwrap();
    tx.insert_user_identity(tenant, (user_id(1), first.id), "s", NOW).await.unwrap();
    assert!(tx.delete_user(tenant, user_id(1)).await.unwrap());
    assert_eq!(tx.find_user_by_subject(tenant, first.id, "s").await.unwrap(), None);
    let (state, browser) = (SecretHash::of("state"), SecretHash::of("browser"));
    tx.insert_sso_sign_in(tenant, &pending(tenant, 1), (&state, &browser)).await.unwrap();
    assert!(tx.delete_identity_provider(tenant, first.id).await.unwrap());
    assert!(!tx.delete_identity_provider(tenant, first.id).await.unwrap());
    assert_eq!(tx.take_sso_sign_in(&state, &browser).await.unwrap(), None);
    tx.commit().await.unwrap();
    insert(&store, &provider(tenant, 2, &["a.example"]), None).await.unwrap();
}
