//! Trusted issuers and their bindings.

use crate::fixtures::*;
use claviger_domain::Error;
use claviger_domain::application::LastUse;
use claviger_domain::claim::Draft;
use claviger_domain::foreign_key::Algorithm;
use claviger_domain::id::{ApplicationId, BindingId, IssuerId, SecretId, TenantId};
use claviger_domain::outgoing::Target;
use claviger_domain::trusted_issuer::{Binding, KeySource, Trust, TrustedIssuer, parse_conditions};
use claviger_domain::usage::SecretUse;
use claviger_store::Store;
use std::collections::HashMap;

facts!(
    issuers_are_kept_with_their_bindings_in_order,
    names_and_issuers_are_unique_in_a_tenant,
    an_update_replaces_the_bindings_of_the_version_before,
    a_binding_that_is_gone_leads_nowhere,
    an_application_that_is_bound_stays,
    bindings_know_their_last_use,
    issuers_are_loaded_in_pages,
);

fn issuer_id(number: u128) -> IssuerId {
    IssuerId::from_u128(0x0190_0000_0000_7000_d000_0000_0000_0000 + number)
}

fn binding_id(number: u128) -> BindingId {
    BindingId::from_u128(0x0190_0000_0000_7000_e000_0000_0000_0000 + number)
}

fn binding(number: u128, application: ApplicationId) -> Binding {
    let drafts = vec![
        Draft { claim: "sub".into(), matches: Some(format!("repo:acme/{number}:*")), ..Draft::default() },
        Draft { claim: "env".into(), equals: Some(true.into()), ..Draft::default() },
    ];
    Binding {
        id: binding_id(number),
        description: "builds".into(),
        application_id: application,
        conditions: parse_conditions("/c", drafts).unwrap(),
    }
}

fn issuer(tenant: TenantId, number: u128, bindings: Vec<Binding>) -> TrustedIssuer {
    TrustedIssuer {
        id: issuer_id(number),
        tenant_id: tenant,
        name: format!("Issuer {number}"),
        trust: Trust {
            issuer: Target::parse("/issuer", &format!("https://issuer-{number}.example")).unwrap(),
            audience: None,
            keys: KeySource::Discovery,
            algorithms: vec![Algorithm::Rs256, Algorithm::EdDsa],
            max_age_seconds: 600,
            single_use: true,
            enabled: true,
        },
        bindings,
        version: 1,
        created_at: NOW,
        updated_at: NOW,
    }
}

async fn insert(store: &Store, issuer: &TrustedIssuer) -> claviger_domain::Result<()> {
    let mut tx = store.begin().await.unwrap();
    tx.insert_trusted_issuer(issuer.tenant_id, issuer, &key(&issuer.name)).await?;
    tx.commit().await
}

async fn issuers_are_kept_with_their_bindings_in_order(store: Store) {
    let (tenant, application) = seed(&store).await;
    let with_two = issuer(tenant, 1, vec![binding(2, application), binding(1, application)]);
    let fetched = Target::parse("/jwks_uri", "https://keys.example/jwks").unwrap();
    let mut other = issuer(tenant, 2, Vec::new());
    other.trust.keys = KeySource::Fetched(fetched);
    other.trust.audience = Some("https://audience.example".into());
    let mut pinned = issuer(tenant, 3, Vec::new());
    pinned.trust.keys = KeySource::Pinned("{\"keys\":[]}".into());
    (pinned.trust.single_use, pinned.trust.enabled) = (false, false);
    for issuer in [&with_two, &other, &pinned] {
        insert(&store, issuer).await.unwrap();
        assert_eq!(store.find_trusted_issuer(tenant, issuer.id).await.unwrap().as_ref(), Some(issuer));
    }
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.find_trusted_issuer(tenant, with_two.id).await.unwrap().as_ref(), Some(&with_two));
    assert_eq!(tx.count_trusted_issuers(tenant).await.unwrap(), 3);
    drop(tx);
    assert_eq!(store.list_trusted_issuers(tenant, &page(1, None)).await.unwrap(), [with_two.clone(), other.clone()]);
    let after = other.id.to_string();
    assert_eq!(store.list_trusted_issuers(tenant, &page(9, Some(after))).await.unwrap(), [pinned]);
    assert_eq!(store.find_trusted_issuer(tenant_id(9), with_two.id).await.unwrap(), None, "of another tenant");
}

async fn names_and_issuers_are_unique_in_a_tenant(store: Store) {
    let (tenant, _) = seed(&store).await;
    let first = issuer(tenant, 1, Vec::new());
    insert(&store, &first).await.unwrap();
    let same_name = TrustedIssuer { name: "ISSUER 1".into(), ..issuer(tenant, 2, Vec::new()) };
    let same_issuer = TrustedIssuer { trust: first.trust.clone(), ..issuer(tenant, 2, Vec::new()) };
    for taken in [same_name, same_issuer] {
        let refused = insert(&store, &taken).await;
        assert!(matches!(refused, Err(Error::Conflict { code: "trusted_issuer_taken", .. })), "{refused:?}");
    }
    let nowhere = insert(&store, &issuer(tenant_id(9), 3, Vec::new())).await;
    assert!(matches!(nowhere, Err(Error::NotFound("tenant"))), "{nowhere:?}");
    let to_nothing = insert(&store, &issuer(tenant, 3, vec![binding(1, application_id(99))])).await;
    assert!(matches!(to_nothing, Err(Error::NotFound("application"))), "{to_nothing:?}");
}

async fn an_update_replaces_the_bindings_of_the_version_before(store: Store) {
    let (tenant, application) = seed(&store).await;
    let first = issuer(tenant, 1, vec![binding(1, application), binding(2, application)]);
    insert(&store, &first).await.unwrap();
    let changed = TrustedIssuer {
        name: "Other".into(),
        trust: Trust { max_age_seconds: 60, enabled: false, ..first.trust.clone() },
        bindings: vec![binding(3, application), binding(1, application)],
        version: 2,
        updated_at: at(5),
        ..first.clone()
    };
    let mut tx = store.begin().await.unwrap();
    tx.update_trusted_issuer(tenant, &changed, &key("Other")).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.find_trusted_issuer(tenant, first.id).await.unwrap(), Some(changed.clone()));
    let mut tx = store.begin().await.unwrap();
    let late = tx.update_trusted_issuer(tenant, &changed, &key("Other")).await;
    assert!(matches!(late, Err(Error::PreconditionFailed { current: 2 })), "{late:?}");
    drop(tx);
    let gone = issuer(tenant, 7, Vec::new());
    let mut tx = store.begin().await.unwrap();
    let gone = tx.update_trusted_issuer(tenant, &gone, &key("x")).await;
    assert!(matches!(gone, Err(Error::NotFound("trusted issuer"))), "{gone:?}");
}

async fn a_binding_that_is_gone_leads_nowhere(store: Store) {
    let (tenant, application) = seed(&store).await;
    let first = issuer(tenant, 1, vec![binding(1, application)]);
    insert(&store, &first).await.unwrap();
    let is_bound = async |tenant, number, application| {
        store.begin().await.unwrap().is_bound(tenant, binding_id(number), application).await.unwrap()
    };
    assert!(is_bound(tenant, 1, application).await);
    assert!(!is_bound(tenant, 2, application).await);
    assert!(!is_bound(tenant, 1, application_id(99)).await);
    assert!(!is_bound(tenant_id(9), 1, application).await);
    let mut tx = store.begin().await.unwrap();
    let disabled = Trust { enabled: false, ..first.trust.clone() };
    tx.update_trusted_issuer(tenant, &TrustedIssuer { trust: disabled, version: 2, ..first.clone() }, "x")
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert!(!is_bound(tenant, 1, application).await, "of an issuer that is not trusted now");
    let mut tx = store.begin().await.unwrap();
    assert!(tx.delete_trusted_issuer(tenant, first.id).await.unwrap());
    assert!(!tx.delete_trusted_issuer(tenant, first.id).await.unwrap());
    tx.commit().await.unwrap();
    assert!(!is_bound(tenant, 1, application).await);
    assert_eq!(store.find_trusted_issuer(tenant, first.id).await.unwrap(), None);
}

async fn an_application_that_is_bound_stays(store: Store) {
    let (tenant, application) = seed(&store).await;
    insert(&store, &issuer(tenant, 1, vec![binding(1, application), binding(2, application)])).await.unwrap();
    insert(&store, &issuer(tenant, 2, Vec::new())).await.unwrap();
    let read = store.list_issuers_of(tenant, application).await.unwrap();
    assert_eq!(store.list_issuers_of(tenant_id(9), application).await.unwrap(), []);
    let mut tx = store.begin().await.unwrap();
    let found = tx.list_issuers_of(tenant, application).await.unwrap();
    assert_eq!(found, read);
    assert_eq!(
        found.iter().map(|one| (one.kind, one.name.as_str())).collect::<Vec<_>>(),
        [("trusted_issuer", "Issuer 1")]
    );
    assert_eq!(tx.list_issuers_of(tenant, application_id(99)).await.unwrap(), []);
    assert_eq!(tx.list_secretless(tenant, NOW).await.unwrap(), [application]);
    assert_eq!(tx.list_secretless(tenant_id(9), NOW).await.unwrap(), []);
    assert!(tx.delete_application(tenant, application).await.is_err());
}

async fn issuers_are_loaded_in_pages(store: Store) {
    insert_tenants(&store, 2).await;
    let all: Vec<_> =
        [(1, 1), (1, 2), (2, 3)].map(|(tenant, number)| issuer(tenant_id(tenant), number, Vec::new())).into();
    for issuer in &all {
        insert(&store, issuer).await.unwrap();
    }
    let first = store.load_trusted_issuers(None, 2).await.unwrap();
    assert_eq!(first, all[..2]);
    let last = &first[1];
    assert_eq!(store.load_trusted_issuers(Some((last.tenant_id, last.id)), 2).await.unwrap(), all[2..]);
}

async fn bindings_know_their_last_use(store: Store) {
    let (tenant, application) = seed(&store).await;
    let issued = issuer(tenant, 1, vec![binding(1, application), binding(2, application)]);
    insert(&store, &issued).await.unwrap();
    let touched = |number: u128, seconds: i64| SecretUse {
        tenant_id: tenant,
        application_id: application,
        secret_id: SecretId::from_u128(binding_id(number).as_u128()),
        last_use: LastUse {
            at: NOW.plus_seconds(seconds),
            address: Some([192, 0, 2, 1].into()),
            user_agent: "build".into(),
        },
    };
    let touch = async |uses: &[SecretUse]| {
        let mut tx = store.begin().await.unwrap();
        tx.touch_secrets(uses).await.unwrap();
        tx.commit().await.unwrap();
    };
    let uses = async || store.list_binding_uses(tenant, issuer_id(1), issuer_id(1)).await.unwrap();
    touch(&[touched(1, 5), touched(1, 3), touched(2, 1), touched(3, 1)]).await;
    assert_eq!(
        uses().await,
        HashMap::from(
            [1, 2].map(|number| { (binding_id(number), touched(number, if number == 1 { 5 } else { 1 }).last_use) })
        )
    );
    assert!(store.list_binding_uses(tenant, issuer_id(2), issuer_id(9)).await.unwrap().is_empty());
    // Secrets that go leave them alone, and so does a change of the issuer that keeps the binding.
    let mut tx = store.begin().await.unwrap();
    tx.delete_secrets(tenant, application).await.unwrap();
    let changed = TrustedIssuer { bindings: vec![binding(1, application)], version: 2, ..issued };
    tx.update_trusted_issuer(tenant, &changed, &key(&changed.name)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(uses().await.len(), 1);
    touch(&[touched(2, 9)]).await;
    assert_eq!(uses().await[&binding_id(1)].at, NOW.plus_seconds(5), "what is gone stays gone");
    assert_eq!(uses().await.len(), 1);
    let mut tx = store.begin().await.unwrap();
    tx.delete_trusted_issuer(tenant, issuer_id(1)).await.unwrap();
    tx.commit().await.unwrap();
    assert!(uses().await.is_empty());
}
