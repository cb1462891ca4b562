//! Signed heads, some at a time.

use crate::fixtures::*;
use claviger_store::Store;
use claviger_store::system::SignedHead;

facts!(heads_are_found_by_their_place);

async fn heads_are_found_by_their_place(store: Store) {
    let head = |tenant, number| SignedHead {
        tenant: tenant_id(tenant),
        number,
        hash: [7; 32],
        visibility: None,
        signed_at: NOW,
        key_id: "k1".into(),
        signature: vec![7; 64],
    };
    let mut tx = store.begin().await.unwrap();
    tx.insert_signed_heads(&[head(1, 5), head(1, 8), head(1, 12), head(2, 7)]).await.unwrap();
    tx.commit().await.unwrap();
    let tenant = tenant_id(1);
    assert_eq!(store.list_signed_heads_within(tenant, 5, 12, 9).await.unwrap(), [head(1, 8), head(1, 12)]);
    assert_eq!(store.list_signed_heads_within(tenant, 0, 11, 1).await.unwrap(), [head(1, 5)]);
    assert_eq!(store.find_signed_head_until(tenant, 4).await.unwrap(), None);
    assert_eq!(store.find_signed_head_until(tenant, 8).await.unwrap(), Some(head(1, 8)));
    assert_eq!(store.find_signed_head_until(tenant, 11).await.unwrap(), Some(head(1, 8)));
}
