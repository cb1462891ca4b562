//! The keyring and the store: what is changed is changed in memory when the verb returns, and never the other way round.

use crate::fixture::{Fixture, done, new, on_both, refusal, verify};
use claviger_domain::Refusal;
use claviger_domain::access_level::{AccessLevelPatch, NewAccessLevel};
use claviger_domain::application::{ApplicationPatch, Rights};
use claviger_domain::grants::Verb;
use claviger_domain::name::Name;
use claviger_domain::secret::PlainSecret;
use claviger_domain::tenant::{Status, TenantPatch};
use std::sync::Arc;

on_both![
    a_hit_costs_no_statement,
    rubbish_costs_no_statement,
    revocation_holds_when_the_verb_returns,
    levels_and_tenants_bite_at_once,
    a_restart_knows_everything,
    an_unknown_id_works_as_soon_as_it_exists,
    memory_agrees_with_the_store_after_a_race,
    a_wrong_root_key_is_refused,
];

async fn a_hit_costs_no_statement(f: Fixture) {
    let org = f.organization("Acme").await;
    let (made, id) = f.application(org.id, "SIEM", &[("org.audits", &["READ"])]).await;
    let secret = made.secret.text.reveal();
    let before = f.app.store().statements();
    for _ in 0..100 {
        let caller = verify(&f.app, &id, &secret).await.unwrap();
        caller.allow("org.audits", Verb::Read).unwrap();
        assert!(caller.allow("org.feeds", Verb::Read).is_err());
    }
    assert_eq!(f.app.store().statements(), before);
}

async fn rubbish_costs_no_statement(f: Fixture) {
    let org = f.organization("Acme").await;
    let (made, id) = f.application(org.id, "SIEM", &[]).await;
    let secret = made.secret.text.reveal();
    let before = f.app.store().statements();
    for at in 0..secret.len() {
        let mut changed: Vec<char> = secret.chars().collect();
        changed[at] = if changed[at] == 'x' { 'y' } else { 'x' };
        let changed: String = changed.into_iter().collect();
        assert_eq!(refusal(verify(&f.app, &id, &changed).await), Refusal::WrongSecret);
        assert_eq!(refusal(verify(&f.app, "no-such-client", &changed).await), Refusal::Malformed);
    }
    let upper = secret.to_uppercase();
    let padded = [format!(" {secret}"), format!("{secret} "), format!("{secret}\0"), upper, secret.replace('_', "＿")];
    for bad in padded.iter().map(String::as_str).chain(["", &secret[..54], "clv_a_"]) {
        assert_eq!(refusal(verify(&f.app, &id, bad).await), Refusal::WrongSecret, "{bad:?}");
    }
    assert_eq!(f.app.store().statements(), before);
}

async fn revocation_holds_when_the_verb_returns(f: Fixture) {
    let org = f.organization("Acme").await;
    let (made, id) = f.application(org.id, "SIEM", &[]).await;
    let (first, application) = (made.secret.text.reveal(), made.application.id);
    let second = done(f.app.regenerate_secret(&f.operator, org.id, application, None).await.unwrap());
    let (second_id, second) = (second.secret.id, second.text.reveal());
    assert_eq!(refusal(verify(&f.app, &id, &first).await), Refusal::WrongSecret);
    verify(&f.app, &id, &second).await.unwrap();
    let disable = ApplicationPatch { enabled: Some(false), ..ApplicationPatch::default() };
    f.app.update_application(&f.operator, org.id, application, disable, None).await.unwrap();
    assert_eq!(refusal(verify(&f.app, &id, &second).await), Refusal::Disabled);
    let enable =
        ApplicationPatch { enabled: Some(true), allowed_networks: Some(Some(vec![])), ..ApplicationPatch::default() };
    f.app.update_application(&f.operator, org.id, application, enable, None).await.unwrap();
    assert_eq!(refusal(verify(&f.app, &id, &second).await), Refusal::AddressNotAllowed);
    let anywhere = ApplicationPatch { allowed_networks: Some(None), ..ApplicationPatch::default() };
    f.app.update_application(&f.operator, org.id, application, anywhere, None).await.unwrap();
    verify(&f.app, &id, &second).await.unwrap();
    f.app.revoke_secret(&f.operator, org.id, application, second_id, false).await.unwrap();
    assert_eq!(refusal(verify(&f.app, &id, &second).await), Refusal::WrongSecret);
    f.app.delete_application(&f.operator, org.id, application, None).await.unwrap();
    assert_eq!(refusal(verify(&f.app, &id, &second).await), Refusal::UnknownClient);
}

async fn levels_and_tenants_bite_at_once(f: Fixture) {
    let org = f.organization("Acme").await;
    let level = NewAccessLevel {
        name: Name::parse("/name", "Auditor").unwrap(),
        description: String::new(),
        grants: crate::fixture::grants(&[("org.audits", &["READ"])]),
    };
    let level = done(f.app.create_access_level(&f.operator, org.id, level, None).await.unwrap());
    let application =
        claviger_domain::application::NewApplication { rights: Rights::Level(level.id), ..new("SIEM", &[]) };
    let made = done(f.app.create_application(&f.operator, org.id, application, None).await.unwrap());
    let (id, secret) = (made.application.client_id.to_string(), made.secret.unwrap().text.reveal());
    // The caller was verified before the change: rights are read from the live record.
    let caller = verify(&f.app, &id, &secret).await.unwrap();
    caller.allow("org.audits", Verb::Read).unwrap();
    let other = AccessLevelPatch {
        grants: Some(crate::fixture::grants(&[("org.feeds", &["READ"])])),
        ..AccessLevelPatch::default()
    };
    f.app.update_access_level(&f.operator, org.id, level.id, other, None).await.unwrap();
    assert!(caller.allow("org.audits", Verb::Read).is_err());
    caller.allow("org.feeds", Verb::Read).unwrap();
    let suspend = TenantPatch { status: Some(Status::Suspended), ..TenantPatch::default() };
    f.app.update_tenant(&f.operator, org.id, suspend, None).await.unwrap();
    assert_eq!(refusal(verify(&f.app, &id, &secret).await), Refusal::TenantSuspended);
    let resume = TenantPatch { status: Some(Status::Active), ..TenantPatch::default() };
    f.app.update_tenant(&f.operator, org.id, resume, None).await.unwrap();
    verify(&f.app, &id, &secret).await.unwrap();
}

async fn a_restart_knows_everything(f: Fixture) {
    let org = f.organization("Acme").await;
    let (kept, kept_id) = f.application(org.id, "Kept", &[("org.audits", &["READ"])]).await;
    let (gone, gone_id) = f.application(org.id, "Gone", &[]).await;
    f.app.delete_application(&f.operator, org.id, gone.application.id, None).await.unwrap();
    f.app.store().close().await;
    let again = f.reopen(7).await.unwrap();
    let (kept, gone) = (kept.secret.text.reveal(), gone.secret.text.reveal());
    // Before everything is loaded, a miss loads its one application.
    verify(&again, &kept_id, &kept).await.unwrap().allow("org.audits", Verb::Read).unwrap();
    assert_eq!(refusal(verify(&again, &gone_id, &gone).await), Refusal::UnknownClient);
    again.load_keyring().await.unwrap();
    assert_eq!(again.applications_loaded(), 2);
    assert_eq!(refusal(verify(&again, &gone_id, &gone).await), Refusal::UnknownClient);
    again.store().close().await;
}

async fn an_unknown_id_works_as_soon_as_it_exists(f: Fixture) {
    f.app.store().close().await;
    // Not everything is loaded, so that unknown ids are looked up and remembered.
    let app = f.reopen(7).await.unwrap();
    let secret = PlainSecret::mint([9; 32]).reveal();
    let before = app.store().statements();
    for index in 0..1_000 {
        let id = claviger_domain::id::ApplicationId::from_u128(index).to_string();
        assert_eq!(refusal(verify(&app, &id, &secret).await), Refusal::UnknownClient);
        assert_eq!(refusal(verify(&app, &id, &secret).await), Refusal::UnknownClient);
    }
    assert_eq!(app.store().statements(), before + 1_000, "the second time it is remembered");
    app.store().close().await;
}

async fn memory_agrees_with_the_store_after_a_race(f: Fixture) {
    let org = f.organization("Acme").await;
    let (made, id) = f.application(org.id, "SIEM", &[]).await;
    let application = made.application.id;
    let mut racing = Vec::new();
    for round in 0..40 {
        let (app, operator, tenant) = (Arc::clone(&f.app), f.operator.clone(), org.id);
        racing.push(tokio::spawn(async move {
            if round % 4 == 0 {
                let minted = done(app.regenerate_secret(&operator, tenant, application, None).await.unwrap());
                return Some((minted.secret.id, minted.text.reveal()));
            }
            let patch = ApplicationPatch { enabled: Some(round % 2 == 0), ..ApplicationPatch::default() };
            app.update_application(&operator, tenant, application, patch, None).await.unwrap();
            None
        }));
    }
    let mut secrets = Vec::new();
    for one in racing {
        secrets.extend(one.await.unwrap());
    }
    let stored = f.app.find_application(&f.operator, org.id, application).await.unwrap();
    let live = f.app.list_secrets(&f.operator, org.id, application).await.unwrap();
    assert_eq!((stored.version, live.len()), (31, 1));
    for (secret_id, secret) in secrets {
        let answer = verify(&f.app, &id, &secret).await;
        if secret_id != live[0].id {
            assert_eq!(refusal(answer), Refusal::WrongSecret);
        } else if stored.enabled {
            answer.unwrap();
        } else {
            assert_eq!(refusal(answer), Refusal::Disabled);
        }
    }
}

async fn a_wrong_root_key_is_refused(f: Fixture) {
    f.app.store().close().await;
    let error = f.reopen(8).await.err().unwrap().to_string();
    assert!(error.contains("is not the one this store was set up with"), "{error}");
    f.reopen(7).await.unwrap().store().close().await;
}
