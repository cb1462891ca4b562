//! Mails: due until they are sent, taken by one, given up without what they said.

use crate::fixtures::*;
use claviger_domain::id::MailId;
use claviger_store::Store;
use claviger_store::mails::WaitingMail;

facts!(mails_wait_until_they_are_sent, a_mail_is_taken_by_one, what_was_given_up_says_nothing_and_is_swept);

fn mail(number: u128) -> WaitingMail {
    WaitingMail {
        tenant: tenant_id(1),
        id: MailId::from_u128(0x0190_0000_0000_7000_e000_0000_0000_0000 + number),
        content: vec![1, 2, 3],
        created_at: at(i64::try_from(number).unwrap()),
        until: at(900),
        attempts: 0,
    }
}

async fn begin(store: &Store, count: u128) {
    insert_tenants(store, 2).await;
    let mut tx = store.begin().await.unwrap();
    for number in 0..count {
        tx.insert_mail(tenant_id(1), &mail(number)).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn mails_wait_until_they_are_sent(store: Store) {
    begin(&store, 3).await;
    assert_eq!(store.list_due_mails(at(1), 10).await.unwrap(), [mail(0), mail(1)]);
    assert_eq!(store.list_due_mails(at(9), 1).await.unwrap(), [mail(0)]);
    let mut tx = store.begin().await.unwrap();
    tx.delete_mail(tenant_id(2), mail(0).id).await.unwrap();
    tx.delete_mail(tenant_id(1), mail(1).id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.list_due_mails(at(9), 10).await.unwrap(), [mail(0), mail(2)]);
    assert_eq!(store.count_mails().await.unwrap(), (2, 0));
    let mut tx = store.begin().await.unwrap();
    let stranger = WaitingMail { tenant: tenant_id(9), ..mail(7) };
    assert!(tx.insert_mail(tenant_id(9), &stranger).await.is_err());
}

async fn a_mail_is_taken_by_one(store: Store) {
    begin(&store, 1).await;
    let (tenant, id) = (tenant_id(1), mail(0).id);
    let mut tx = store.begin().await.unwrap();
    assert!(!tx.claim_mail(tenant_id(2), id, 0, at(10)).await.unwrap());
    assert!(tx.claim_mail(tenant, id, 0, at(10)).await.unwrap());
    assert!(!tx.claim_mail(tenant, id, 0, at(10)).await.unwrap());
    tx.note_mail_error(tenant, id, "nobody answers").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.list_due_mails(at(9), 10).await.unwrap(), []);
    assert_eq!(store.list_due_mails(at(10), 10).await.unwrap(), [WaitingMail { attempts: 1, ..mail(0) }]);
}

async fn what_was_given_up_says_nothing_and_is_swept(store: Store) {
    begin(&store, 2).await;
    let (tenant, id) = (tenant_id(1), mail(0).id);
    let mut tx = store.begin().await.unwrap();
    assert!(!tx.bury_mail(tenant_id(2), id, "refused", at(5)).await.unwrap());
    assert!(tx.bury_mail(tenant, id, "refused", at(5)).await.unwrap());
    assert!(!tx.bury_mail(tenant, id, "refused", at(6)).await.unwrap());
    assert!(!tx.claim_mail(tenant, id, 0, at(10)).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(store.count_mails().await.unwrap(), (1, 1));
    let mut tx = store.begin().await.unwrap();
    tx.sweep_mails(at(5)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.count_mails().await.unwrap(), (1, 1));
    let mut tx = store.begin().await.unwrap();
    tx.sweep_mails(at(6)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.count_mails().await.unwrap(), (1, 0));
}
