//! What is said of session tokens, the keys that sign them, and who got them.

use crate::fixtures::*;
use claviger_domain::access::{Access, Filter, position};
use claviger_domain::id::{TenantId, TokenId};
use claviger_domain::signing::{Rhythm, Times};
use claviger_domain::time::Timestamp;
use claviger_store::Store;
use claviger_store::access_record::AccessBlock;
use claviger_store::signing_keys::StoredSigningKey;
use claviger_store::tokens::{RevokedToken, TokenRule, TokenStanding};

facts!(
    the_latest_cut_off_wins,
    lifetimes_come_and_go,
    revoked_tokens_are_remembered_and_counted,
    a_unit_sees_what_keeps_a_token_out,
    signing_keys_are_kept_and_never_come_back,
    accesses_are_listed_newest_first,
    accesses_of_overlapping_blocks_come_in_order,
    what_is_over_is_swept,
);

fn token(number: u128) -> TokenId {
    TokenId::from_u128(0x0190_0000_0000_7000_c000_0000_0000_0000 + number)
}

fn signing_key(kid: &str, made: Timestamp) -> StoredSigningKey {
    let times = Times::of(made, made, Rhythm::default());
    StoredSigningKey { kid: kid.into(), public: [9; 32], sealed: vec![1, 2, 3], times }
}

async fn the_latest_cut_off_wins(store: Store) {
    let (tenant, application) = seed(&store).await;
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.find_last_cut_off().await.unwrap(), None);
    assert_eq!(tx.cut_off_tokens(tenant, None, at(5), NOW).await.unwrap(), at(5));
    assert_eq!(tx.cut_off_tokens(tenant, None, at(3), NOW).await.unwrap(), at(5));
    assert_eq!(tx.cut_off_tokens(tenant, None, at(9), NOW).await.unwrap(), at(9));
    assert_eq!(tx.cut_off_tokens(tenant, Some(application), at(1), NOW).await.unwrap(), at(1), "on its own");
    assert_eq!(tx.find_last_cut_off().await.unwrap(), Some(at(9)));
    tx.commit().await.unwrap();
    let rule =
        |application, not_before| TokenRule { tenant, application, lifetime: None, not_before: Some(not_before) };
    let expected = [rule(None, at(9)), rule(Some(application), at(1))];
    assert_eq!(store.list_token_rules(tenant).await.unwrap(), expected);
    assert_eq!(store.load_token_rules().await.unwrap(), expected);
    assert_eq!(store.list_token_rules(tenant_id(0)).await.unwrap(), []);
}

async fn lifetimes_come_and_go(store: Store) {
    let (tenant, _) = seed(&store).await;
    let mut tx = store.begin().await.unwrap();
    tx.cut_off_tokens(tenant, None, at(5), NOW).await.unwrap();
    assert_eq!(tx.find_token_lifetime(tenant).await.unwrap(), None);
    tx.set_token_lifetime(tenant, Some(600), NOW).await.unwrap();
    assert_eq!(tx.find_token_lifetime(tenant).await.unwrap(), Some(600));
    assert_eq!(tx.find_token_lifetime(tenant_id(0)).await.unwrap(), None);
    tx.set_token_lifetime(tenant_id(0), Some(60), NOW).await.unwrap();
    tx.commit().await.unwrap();
    let rule = store.list_token_rules(tenant).await.unwrap()[0];
    assert_eq!((rule.lifetime, rule.not_before), (Some(600), Some(at(5))), "the one leaves the other alone");
    let mut tx = store.begin().await.unwrap();
    tx.set_token_lifetime(tenant, None, NOW).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.list_token_rules(tenant).await.unwrap()[0].lifetime, None);
}

async fn revoked_tokens_are_remembered_and_counted(store: Store) {
    let (tenant, application) = seed(&store).await;
    let mut tx = store.begin().await.unwrap();
    for (number, expected) in [(1, 1), (2, 2), (2, 2), (3, 3), (4, 3)] {
        let dead = (token(number), at(60));
        assert_eq!(tx.revoke_token(tenant, application, dead, NOW, 2).await.unwrap(), expected);
    }
    tx.commit().await.unwrap();
    assert_eq!(store.find_revoked_token(tenant, token(1)).await.unwrap(), Some(at(60)));
    assert_eq!(store.find_revoked_token(tenant_id(0), token(1)).await.unwrap(), None, "not through another tenant");
    assert_eq!(store.load_revoked_tokens(at(59)).await.unwrap().len(), 4);
    let first = RevokedToken { tenant, token: token(1), expires_at: at(60) };
    assert!(store.load_revoked_tokens(NOW).await.unwrap().contains(&first));
    assert_eq!(store.load_revoked_tokens(at(60)).await.unwrap(), []);
    let mut tx = store.begin().await.unwrap();
    tx.forget_revoked_tokens(tenant, application).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.find_revoked_token(tenant, token(1)).await.unwrap(), None);
}

async fn a_unit_sees_what_keeps_a_token_out(store: Store) {
    let (tenant, application) = seed(&store).await;
    let mut tx = store.begin().await.unwrap();
    tx.insert_signing_key(&signing_key("k", NOW)).await.unwrap();
    let standing = tx.find_token_standing(tenant, application, token(1), "k").await.unwrap();
    assert_eq!(standing, TokenStanding { not_before: None, revoked: false });
    assert!(tx.find_token_standing(tenant, application, token(1), "gone").await.unwrap().revoked);
    tx.cut_off_tokens(tenant_id(0), None, at(7), NOW).await.unwrap();
    tx.cut_off_tokens(tenant, Some(application_id(2)), at(9), NOW).await.unwrap();
    let standing = tx.find_token_standing(tenant, application, token(1), "k").await.unwrap();
    assert_eq!(standing.not_before, Some(at(7)), "of a tenant above, and not of another application");
    tx.revoke_token(tenant, application, (token(1), at(60)), NOW, 9).await.unwrap();
    assert!(tx.find_token_standing(tenant, application, token(1), "k").await.unwrap().revoked);
    assert!(!tx.find_token_standing(tenant, application, token(2), "k").await.unwrap().revoked);
    tx.revoke_signing_keys(NOW).await.unwrap();
    assert!(tx.find_token_standing(tenant, application, token(2), "k").await.unwrap().revoked);
}

async fn signing_keys_are_kept_and_never_come_back(store: Store) {
    let (first, second) = (signing_key("a", NOW), signing_key("b", at(5)));
    let mut tx = store.begin().await.unwrap();
    tx.insert_signing_key(&second).await.unwrap();
    tx.insert_signing_key(&first).await.unwrap();
    assert_eq!(tx.list_signing_keys().await.unwrap(), [first.clone(), second.clone()]);
    let ended = first.times.ending(at(60));
    assert!(tx.update_signing_key("a", &ended).await.unwrap());
    assert!(tx.update_signing_key("b", &Times { revoked_at: Some(at(9)), ..second.times }).await.unwrap());
    assert!(tx.update_signing_key("b", &second.times).await.unwrap());
    assert!(!tx.update_signing_key("c", &second.times).await.unwrap());
    tx.commit().await.unwrap();
    let found = store.list_signing_keys().await.unwrap();
    assert_eq!(found[0].times, ended);
    assert_eq!(found[1].times.revoked_at, Some(at(9)), "a revocation is not taken back");
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.revoke_signing_keys(at(10)).await.unwrap(), 1);
    let revoked: Vec<_> = tx.list_signing_keys().await.unwrap().iter().map(|key| key.times.revoked_at).collect();
    assert_eq!(revoked, [Some(at(10)), Some(at(9))]);
}

fn access(number: u128, seconds: i64) -> Access {
    Access {
        tenant_id: tenant_id(1),
        at: at(seconds),
        token_id: token(number),
        application_id: application_id(number % 2),
        door: "client_credentials".into(),
        address: (number != 3).then(|| "2001:db8::1".parse().unwrap()),
        user_agent: "curl/8".into(),
        source: "naïve".into(),
        expires_at: at(seconds + 900),
    }
}

/// The entries in blocks, one for each tenant and each so many.
fn blocks(entries: &[Access]) -> Vec<AccessBlock> {
    let mut blocks: Vec<(TenantId, AccessBlock)> = Vec::new();
    for Access { tenant_id, at, token_id, application_id, door, address, user_agent, source, expires_at } in
        entries.iter().cloned()
    {
        let open = blocks.iter_mut().find(|(tenant, block)| *tenant == tenant_id && !block.is_full());
        let access = Access {
            tenant_id,
            at,
            token_id,
            application_id,
            door: door.as_str(),
            address,
            user_agent: user_agent.as_str(),
            source: source.as_str(),
            expires_at,
        };
        match open {
            Some((_, block)) => block.add(&access),
            None => {
                let mut block = AccessBlock::new(tenant_id);
                block.add(&access);
                blocks.push((tenant_id, block));
            }
        }
    }
    blocks.into_iter().map(|(_, block)| block).collect()
}

async fn accesses_are_listed_newest_first(store: Store) {
    let entries = [access(1, 1), access(2, 2), access(3, 2), access(4, 4)];
    let foreign = Access { tenant_id: tenant_id(2), ..access(9, 3) };
    let mut tx = store.begin().await.unwrap();
    tx.insert_accesses(&blocks(&entries)).await.unwrap();
    tx.insert_accesses(&blocks(&[foreign, entries[0].clone()])).await.unwrap();
    tx.commit().await.unwrap();
    let newest: Vec<_> = entries.iter().rev().cloned().collect();
    let all = Filter::default();
    assert_eq!(store.list_accesses(tenant_id(1), &all, &page(10, None)).await.unwrap(), newest);
    let after = Some(position(&newest[1]));
    assert_eq!(store.list_accesses(tenant_id(1), &all, &page(10, after)).await.unwrap(), newest[2..]);
    let since = Filter { since: Some(at(2)), until: Some(at(4)), ..all.clone() };
    assert_eq!(store.list_accesses(tenant_id(1), &since, &page(10, None)).await.unwrap(), newest[1..3]);
    let of = Filter { application: Some(application_id(0)), ..all.clone() };
    assert_eq!(store.list_accesses(tenant_id(1), &of, &page(10, None)).await.unwrap().len(), 2);
    assert!(store.list_accesses(tenant_id(1), &all, &page(10, Some("x".into()))).await.is_err());
}

async fn accesses_of_overlapping_blocks_come_in_order(store: Store) {
    // Two nodes write what was got in turns, one of them by the entry and late.
    let entries: Vec<_> = (0..300_u128).map(|number| access(number, i64::try_from(number).unwrap())).collect();
    let (odd, even): (Vec<_>, Vec<_>) = entries.iter().cloned().partition(|access| access.at.seconds() % 2 == 1);
    let mut tx = store.begin().await.unwrap();
    tx.insert_accesses(&blocks(&odd)).await.unwrap();
    for one in &even {
        tx.insert_accesses(&blocks(std::slice::from_ref(one))).await.unwrap();
    }
    tx.commit().await.unwrap();
    let newest: Vec<_> = entries.iter().rev().cloned().collect();
    let (mut read, mut after) = (Vec::new(), None);
    loop {
        let mut found = store.list_accesses(tenant_id(1), &Filter::default(), &page(70, after.clone())).await.unwrap();
        found.truncate(70);
        let Some(last) = found.last() else { break };
        after = Some(position(last));
        read.extend(found);
    }
    assert_eq!(read, newest);
    let of = Filter { application: Some(application_id(1)), since: Some(at(100)), ..Filter::default() };
    let expected: Vec<_> = newest.iter().filter(|access| of.takes(access)).cloned().collect();
    assert_eq!(store.list_accesses(tenant_id(1), &of, &page(500, None)).await.unwrap(), expected);
    let odd = Access { user_agent: "a\tb\n".into(), address: None, ..access(900, 900) };
    let mut tx = store.begin().await.unwrap();
    tx.insert_accesses(&blocks(std::slice::from_ref(&odd))).await.unwrap();
    tx.commit().await.unwrap();
    let newest = store.list_accesses(tenant_id(1), &Filter::default(), &page(1, None)).await.unwrap();
    assert_eq!(newest[0], Access { user_agent: "ab".into(), ..odd }, "what would end a field is left out");
}

async fn what_is_over_is_swept(store: Store) {
    let (tenant, application) = seed(&store).await;
    let mut tx = store.begin().await.unwrap();
    tx.revoke_token(tenant, application, (token(1), at(60)), NOW, 9).await.unwrap();
    tx.cut_off_tokens(tenant, Some(application), NOW, NOW).await.unwrap();
    tx.cut_off_tokens(tenant, None, NOW, NOW).await.unwrap();
    tx.insert_signing_key(&signing_key("a", NOW)).await.unwrap();
    tx.insert_accesses(&blocks(&[access(1, 0)])).await.unwrap();
    tx.sweep_tokens(at(80)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.load_revoked_tokens(NOW).await.unwrap().len(), 1, "clocks may differ by 30 s");
    assert_eq!(store.list_token_rules(tenant).await.unwrap().len(), 2);
    let mut tx = store.begin().await.unwrap();
    tx.sweep_tokens(at(200 * 86_400)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.load_revoked_tokens(NOW).await.unwrap(), []);
    assert_eq!(store.list_token_rules(tenant).await.unwrap().len(), 1, "what a tenant says stays");
    assert_eq!(store.list_signing_keys().await.unwrap(), []);
    assert_eq!(store.list_accesses(tenant_id(1), &Filter::default(), &page(9, None)).await.unwrap(), []);
}
