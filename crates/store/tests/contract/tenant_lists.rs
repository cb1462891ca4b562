//! Lists of tenants and searches among them.

use crate::fixtures::*;
use claviger_domain::Error;
use claviger_domain::name::Name;
use claviger_domain::tenant::naming::{name_key, parse_search};
use claviger_domain::tenant::{Details, Kind, Status, Tenant};
use claviger_store::Store;
use claviger_store::tenant_lists::{TenantFilter, TenantOrder};
use claviger_store::testing::execute;

facts!(
    the_tree_is_paged,
    filters_narrow_and_names_order,
    tenants_of_a_kind_are_listed_by_name,
    words_find_by_their_beginnings,
    a_search_is_paged,
    a_renamed_tenant_is_found_anew,
    the_whole_way_up_tells_who_leaves,
    a_store_from_before_is_filled
);

async fn insert(store: &Store, tenants: &[Tenant]) {
    let mut tx = store.begin().await.unwrap();
    for tenant in tenants {
        let key = name_key(&Name::parse("/name", &tenant.name).unwrap());
        tx.insert_tenant(tenant, &key).await.unwrap();
    }
    tx.commit().await.unwrap();
}

fn beneath(parent: u128, number: u128, name: &str) -> Tenant {
    Tenant { parent_id: Some(tenant_id(parent)), ..tenant(number, name) }
}

async fn listed(
    store: &Store,
    root: u128,
    filter: &TenantFilter,
    order: TenantOrder,
    limit: i64,
    after: Option<u128>,
) -> Vec<u128> {
    let page = page(limit, after.map(|number| tenant_id(number).to_string()));
    let found = store.list_tenants_beneath(tenant_id(root), filter, order, &page).await.unwrap();
    found.into_iter().map(|tenant| tenant.id.as_u128() & 0xffff).collect()
}

async fn the_tree_is_paged(store: Store) {
    insert_tenants(&store, 5).await;
    let parts: Vec<_> = (6..=9).map(|number| beneath(number % 2 + 1, number, &format!("Part {number}"))).collect();
    insert(&store, &parts).await;
    let ids =
        async |root, limit, after| listed(&store, root, &TenantFilter::default(), TenantOrder::Id, limit, after).await;
    assert_eq!(ids(1, 50, None).await, [1, 6, 8]);
    assert_eq!(ids(5, 50, None).await, [5]);
    assert_eq!(ids(7, 50, Some(7)).await, [0_u128; 0]);
    assert_eq!(ids(0, 2, None).await, [0, 1, 2], "one more than the limit");
    assert_eq!(ids(0, 50, Some(4)).await, [5, 6, 7, 8, 9]);
}

async fn filters_narrow_and_names_order(store: Store) {
    insert_tenants(&store, 2).await;
    let known = |id: &str| Details { external_id: Some(id.into()), ..Details::default() };
    insert(
        &store,
        &[
            Tenant { details: known("A"), ..beneath(1, 3, "zebra") },
            Tenant { kind: Kind::Instance, details: known("B"), ..beneath(1, 4, "Ape") },
            Tenant { status: Status::Suspended, ..beneath(1, 5, "mouse") },
            Tenant { kind: Kind::Instance, details: known("A"), ..beneath(3, 6, "Bee") },
            Tenant { kind: Kind::Instance, details: known("A"), ..beneath(2, 7, "cat") },
        ],
    )
    .await;
    let none = TenantFilter::default();
    let cases = [
        (none.clone(), vec![1, 3, 4, 5, 6], vec![4, 6, 5, 1, 3]),
        (TenantFilter { kind: Some(Kind::Instance), ..none.clone() }, vec![4, 6], vec![4, 6]),
        (TenantFilter { parent_id: Some(tenant_id(1)), ..none.clone() }, vec![3, 4, 5], vec![4, 5, 3]),
        (TenantFilter { status: Some(Status::Suspended), ..none.clone() }, vec![5], vec![5]),
        (TenantFilter { external_id: Some("A".into()), ..none.clone() }, vec![3, 6], vec![6, 3]),
        (TenantFilter { external_id: Some("A".into()), kind: Some(Kind::Instance), ..none.clone() }, vec![6], vec![6]),
        (TenantFilter { parent_id: Some(tenant_id(2)), ..none.clone() }, vec![], vec![]),
        (TenantFilter { parent_id: Some(tenant_id(1)), external_id: Some("A".into()), ..none }, vec![3], vec![3]),
    ];
    for (filter, by_id, by_name) in cases {
        assert_eq!(listed(&store, 1, &filter, TenantOrder::Id, 50, None).await, by_id, "{filter:?}");
        assert_eq!(listed(&store, 1, &filter, TenantOrder::Name, 50, None).await, by_name, "{filter:?}");
        for order in [TenantOrder::Id, TenantOrder::Name] {
            let whole = listed(&store, 1, &filter, order, 50, None).await;
            let mut paged = Vec::new();
            loop {
                let page = listed(&store, 1, &filter, order, 1, paged.last().copied()).await;
                let Some(first) = page.first() else { break };
                paged.push(*first);
            }
            assert_eq!(paged, whole, "{filter:?} {order:?}");
        }
    }
    let gone = page(1, Some(tenant_id(77).to_string()));
    let stale = store.list_tenants_beneath(tenant_id(1), &TenantFilter::default(), TenantOrder::Name, &gone).await;
    assert!(matches!(stale, Err(Error::Invalid(_))), "{stale:?}");
}

async fn tenants_of_a_kind_are_listed_by_name(store: Store) {
    insert_tenants(&store, 3).await;
    let instance = |parent, number, name| Tenant { kind: Kind::Instance, ..beneath(parent, number, name) };
    insert(&store, &[instance(1, 6, "b"), instance(1, 7, "A"), instance(2, 8, "c")]).await;
    let listed = async |root, most| -> Vec<_> {
        let found = store.list_kind_beneath(tenant_id(root), Kind::Instance, most).await.unwrap();
        found.into_iter().map(|tenant| tenant.name).collect()
    };
    assert_eq!(listed(0, 9).await, ["A", "b", "c"]);
    assert_eq!(listed(1, 9).await, ["A", "b"]);
    assert_eq!(listed(0, 2).await, ["A", "b"]);
    assert_eq!(listed(8, 9).await, ["c"], "itself, too");
    assert_eq!(listed(3, 9).await, [""; 0]);
}

async fn found(store: &Store, root: u128, text: &str) -> Vec<u128> {
    let words = parse_search("q", text).unwrap();
    let page = page(50, None);
    let found = store.search_tenants_beneath(tenant_id(root), &words, &TenantFilter::default(), &page).await.unwrap();
    found.into_iter().map(|(tenant, _)| tenant.id.as_u128() & 0xffff).collect()
}

async fn words_find_by_their_beginnings(store: Store) {
    insert_tenants(&store, 2).await;
    insert(
        &store,
        &[
            beneath(1, 3, "Müller & Söhne"),
            beneath(1, 4, "Müllheim Alpine Alpha"),
            beneath(2, 5, "MÜLLER Bank"),
            Tenant { kind: Kind::Instance, ..beneath(3, 6, "Alpha (Bern)") },
            beneath(2, 7, "***"),
        ],
    )
    .await;
    assert_eq!(found(&store, 0, "mül").await, [3, 5, 4], "by the word, then by age");
    assert_eq!(found(&store, 1, "mül").await, [3, 4], "nobody else's");
    assert_eq!(found(&store, 0, "al").await, [4, 6], "each once");
    assert_eq!(found(&store, 0, "al mül").await, [4]);
    assert_eq!(found(&store, 0, "bank müller").await, [5]);
    assert_eq!(found(&store, 0, "ber alp").await, [6]);
    assert_eq!(found(&store, 0, "üll").await, [0_u128; 0], "only beginnings");
    assert_eq!(found(&store, 5, "müller").await, [5], "itself, too");
    assert_eq!(found(&store, 0, "a b c d").await, [0_u128; 0]);
    let words = parse_search("q", "al").unwrap();
    let instances = TenantFilter { kind: Some(Kind::Instance), ..TenantFilter::default() };
    let narrowed = store.search_tenants_beneath(tenant_id(0), &words, &instances, &page(50, None)).await.unwrap();
    assert_eq!(narrowed.len(), 1);
    assert_eq!(narrowed[0].0.id, tenant_id(6));
}

async fn a_search_is_paged(store: Store) {
    insert_tenants(&store, 30).await;
    let words = parse_search("q", "ten 1").unwrap();
    let none = TenantFilter::default();
    let whole = store.search_tenants_beneath(tenant_id(0), &words, &none, &page(50, None)).await.unwrap();
    assert_eq!(whole.len(), 11, "1 and 10 to 19");
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let next = store.search_tenants_beneath(tenant_id(0), &words, &none, &page(1, after)).await.unwrap();
        let Some((tenant, position)) = next.into_iter().next() else { break };
        paged.push(tenant.id);
        after = Some(position);
    }
    assert_eq!(paged, whole.into_iter().map(|(tenant, _)| tenant.id).collect::<Vec<_>>());
    for bad in ["", "9 x y", "0", "0 x", "x y z"] {
        let refused = store.search_tenants_beneath(tenant_id(0), &words, &none, &page(1, Some(bad.into()))).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{bad:?}");
    }
}

async fn a_renamed_tenant_is_found_anew(store: Store) {
    insert_tenants(&store, 1).await;
    let mut tx = store.begin().await.unwrap();
    tx.update_tenant(&Tenant { version: 2, ..tenant(1, "Acme Works") }, "acme works").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(found(&store, 0, "work").await, [1]);
    assert_eq!(found(&store, 1, "acm").await, [1]);
    assert_eq!(found(&store, 0, "tenant").await, [0_u128; 0]);
    assert_eq!(listed(&store, 0, &TenantFilter::default(), TenantOrder::Name, 9, None).await, [1, 0]);
}

async fn the_whole_way_up_tells_who_leaves(store: Store) {
    insert_tenants(&store, 2).await;
    insert(&store, &[beneath(1, 3, "Below"), beneath(3, 4, "Further")]).await;
    let mut tx = store.begin().await.unwrap();
    let leaving = Tenant { status: Status::Deleting, version: 2, ..tenant(1, "Tenant 1") };
    tx.update_tenant(&leaving, "tenant 1").await.unwrap();
    for (number, expected) in [(0, false), (1, true), (2, false), (3, true), (4, true)] {
        assert_eq!(tx.is_tenant_leaving(tenant_id(number)).await.unwrap(), expected, "{number}");
    }
}

/// What the migration fills is what the functions fill.
async fn a_store_from_before_is_filled(store: Store) {
    insert_tenants(&store, 2).await;
    insert(&store, &[beneath(1, 3, "Müller-Söhne (Zürich), Ltd."), beneath(3, 4, "x")]).await;
    let mut tx = store.begin().await.unwrap();
    for sql in
        ["create table old_paths as select * from tenant_paths", "create table old_words as select * from tenant_words"]
    {
        execute(&mut tx, sql).await.unwrap();
    }
    for sql in ["delete from tenant_paths", "delete from tenant_words"] {
        execute(&mut tx, sql).await.unwrap();
    }
    let migration = include_str!("../../migrations/shared/0022_tree.sql");
    for statement in migration.split(';').filter(|text| text.contains("with recursive")) {
        execute(&mut tx, statement).await.unwrap();
    }
    for sql in [
        "delete from old_paths where exists (select 1 from tenant_paths n where n.tenant_id = old_paths.tenant_id \
         and n.beneath_id = old_paths.beneath_id and n.kind = old_paths.kind and n.name_key = old_paths.name_key)",
        "delete from old_words where exists (select 1 from tenant_words n where n.tenant_id = old_words.tenant_id \
         and n.beneath_id = old_words.beneath_id and n.word = old_words.word)",
    ] {
        assert!(execute(&mut tx, sql).await.unwrap() >= 4);
    }
    for sql in ["delete from old_paths", "delete from old_words"] {
        assert_eq!(execute(&mut tx, sql).await.unwrap(), 0, "{sql}");
    }
}
