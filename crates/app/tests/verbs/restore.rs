//! V20: a restored backup revives nothing that was revoked, on either engine.

use crate::fixture::{Fixture, HERE, done, grants, on_both, open_as, token_settings, verify};
use claviger_app::App;
use claviger_app::caller::Caller;
use claviger_app::clock::Clock;
use claviger_app::key_types::NewRule;
use claviger_app::nodes::Identity;
use claviger_app::random::Random;
use claviger_app::restore::{self, Reapplied};
use claviger_app::sessions::Wish;
use claviger_app::verify::Proof;
use claviger_domain::access_level::{AccessLevelPatch, NewAccessLevel};
use claviger_domain::application::{ApplicationPatch, Rights};
use claviger_domain::credential_policy::CredentialPolicy;
use claviger_domain::grants::Verb;
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::key_type::LegacyType;
use claviger_domain::name::Name;
use claviger_domain::rotation::Rotation;
use claviger_domain::signing::Stage;
use claviger_domain::tenant::{Status, TenantPatch};
use claviger_domain::token::LIFETIME_DEFAULT;
use claviger_domain::{Error, Result};
use claviger_store::testing::execute;
use claviger_store::{Options, Store};
use std::path::{Path, PathBuf};
use std::sync::Arc;

on_both![
    d6_a_restored_backup_revives_nothing,
    a_restored_backup_revives_no_token,
    the_file_of_a_server_that_was_down_gives_nothing_back,
    a_store_that_goes_back_under_a_server_is_not_served,
];

const BACK_UP: [&str; 6] = [
    "create table b_tenants as select * from tenants",
    "create table b_access_levels as select * from access_levels",
    "create table b_applications as select * from applications",
    "create table b_client_ids as select * from client_ids",
    "create table b_secrets as select * from secrets",
    "create table b_revisions as select * from revisions",
];
const RESTORE: [&str; 14] = [
    "delete from credential_policies",
    "delete from legacy_key_types",
    "delete from secrets",
    "delete from client_ids",
    "delete from applications",
    "delete from access_levels",
    "delete from changes",
    "delete from revisions",
    "update tenants set status = (select b.status from b_tenants b where b.id = tenants.id)",
    "insert into access_levels select * from b_access_levels",
    "insert into applications select * from b_applications",
    "insert into client_ids select * from b_client_ids",
    "insert into secrets select * from b_secrets",
    "insert into revisions select * from b_revisions",
];

async fn run(store: &Store, statements: &[&'static str]) {
    let mut tx = store.begin().await.unwrap();
    for sql in statements {
        execute(&mut tx, sql).await.unwrap();
    }
    tx.commit().await.unwrap();
}

fn scratch() -> PathBuf {
    static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("claviger-restore-{}-{number}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

async fn open(f: &Fixture, name: &str, file: &Path) -> Result<Arc<App>> {
    let store = Store::open(Options { location: f.guard.location(), accept_data_loss: false }).await?;
    let identity = Identity { name: name.into(), revocations: Some(file.to_owned()), ..Identity::default() };
    let app = open_as(store, 7, name.len() as u64 * 1_000 + 40, identity).await?;
    app.load_keyring().await?;
    Ok(app)
}

async fn end(app: Arc<App>) {
    app.leave().await;
    app.store().close().await;
}

struct Made {
    application: ApplicationId,
    client_id: String,
    secret: String,
}

async fn make(f: &Fixture, tenant: TenantId, name: &str, rights: Option<Rights>) -> Made {
    let (made, client_id) = f.application(tenant, name, &[("org.audits", &["READ"])]).await;
    let application = made.application.id;
    if let Some(rights) = rights {
        let patch = ApplicationPatch { rights: Some(rights), ..ApplicationPatch::default() };
        f.app.update_application(&f.operator, tenant, application, patch, None).await.unwrap();
    }
    Made { application, client_id, secret: made.secret.text.reveal() }
}

async fn operator_on(f: &Fixture, app: &App) -> Caller {
    verify(app, &f.operator.name(), &f.operator_secret).await.unwrap()
}

async fn confirm(f: &Fixture, file: &Path) -> Option<Reapplied> {
    let store = Store::open(Options { location: f.guard.location(), accept_data_loss: false }).await.unwrap();
    let done = restore::confirm(&store, &Clock::fixed(crate::fixture::START), &Random::System, file).await.unwrap();
    store.close().await;
    done
}

async fn d6_a_restored_backup_revives_nothing(f: Fixture) {
    let org = f.organization("Acme").await;
    let suspended = f.organization("Suspended").await;
    let limited = f.organization("Limited").await;
    let shorter = CredentialPolicy { max_secret_lifetime_seconds: Some(3_600), ..CredentialPolicy::default() };
    let refused = NewRule { allowed: false, sunset: None };
    let level = NewAccessLevel {
        name: Name::parse("/name", "Level").unwrap(),
        description: String::new(),
        grants: grants(&[("org.audits", &["READ"])]),
    };
    let level = done(f.app.create_access_level(&f.operator, org.id, level, None).await.unwrap());
    let [leaked, disabled, deleted, fenced, kept, restored_rights] = {
        let mut all = Vec::new();
        for name in ["Leaked", "Disabled", "Deleted", "Fenced", "Kept", "Widened"] {
            all.push(make(&f, org.id, name, None).await);
        }
        <[Made; 6]>::try_from(all).ok().unwrap()
    };
    let levelled = make(&f, org.id, "Levelled", Some(Rights::Level(level.id))).await;
    let beneath = make(&f, suspended.id, "Beneath", None).await;
    end(Arc::clone(&f.app)).await;

    let (directory, names) = (scratch(), ["one", "two"]);
    let files = names.map(|name| directory.join(name));
    // The second one has seen the store, and nothing else.
    end(open(&f, "two", &files[1]).await.unwrap()).await;
    let app = open(&f, "one", &files[0]).await.unwrap();
    run(app.store(), &BACK_UP).await;
    let operator = operator_on(&f, &app).await;
    let patched = async |id, patch| drop(app.update_application(&operator, org.id, id, patch, None).await.unwrap());
    let none = ApplicationPatch::default;
    let leak = Rotation::Leak { quarantine: false };
    let rotated = done(app.rotate_secret(&operator, org.id, leaked.application, leak, None).await.unwrap());
    let newer = rotated.secret.text.reveal();
    patched(disabled.application, ApplicationPatch { enabled: Some(false), ..none() }).await;
    app.delete_application(&operator, org.id, deleted.application, None).await.unwrap();
    patched(fenced.application, ApplicationPatch { allowed_networks: Some(Some(Vec::new())), ..none() }).await;
    for enabled in [false, true] {
        patched(restored_rights.application, ApplicationPatch { enabled: Some(enabled), ..none() }).await;
    }
    let narrowed = AccessLevelPatch { grants: Some(grants(&[])), ..AccessLevelPatch::default() };
    app.update_access_level(&operator, org.id, level.id, narrowed, None).await.unwrap();
    let suspend = TenantPatch { status: Some(Status::Suspended), ..TenantPatch::default() };
    app.update_tenant(&operator, suspended.id, suspend, None).await.unwrap();
    app.put_credential_policy(&operator, limited.id, shorter.clone(), true, None).await.unwrap();
    app.put_legacy_rules(&operator, limited.id, vec![(LegacyType::Api, refused)]).await.unwrap();
    assert!(verify(&app, &leaked.client_id, &newer).await.is_ok());
    run(app.store(), &RESTORE).await;
    end(app).await;

    let refused = open(&f, "one", &files[0]).await.err().unwrap();
    assert!(matches!(&refused, Error::Conflict { code: "store_restored", .. }), "{refused}");
    let done = confirm(&f, &files[0]).await.unwrap();
    let expected = Reapplied {
        secrets: 2,
        applications: 3,
        access_levels: 1,
        tenants: 2,
        signing_keys: 1,
        ..Reapplied::default()
    };
    assert_eq!(
        done, expected,
        "the leaked and the deleted one's secrets; the disabled, the deleted and the fenced one"
    );
    assert_eq!(confirm(&f, &files[0]).await, None, "once");
    let app = open(&f, "one", &files[0]).await.unwrap();
    for gone in [&leaked, &disabled, &deleted, &fenced, &beneath] {
        let answer = verify(&app, &gone.client_id, &gone.secret).await;
        assert!(matches!(answer, Err(Error::Unauthenticated(_))), "{answer:?}");
    }
    for works in [&kept, &restored_rights] {
        verify(&app, &works.client_id, &works.secret).await.unwrap().allow("org.audits", Verb::Read).unwrap();
    }
    let caller = verify(&app, &levelled.client_id, &levelled.secret).await.unwrap();
    assert!(caller.allow("org.audits", Verb::Read).is_err());
    let operator = operator_on(&f, &app).await;
    let policy = app.find_credential_policy(&operator, limited.id).await.unwrap();
    assert_eq!((policy.stored.own, policy.effective.max_secret_lifetime_seconds), (shorter, Some(3_600)));
    let rules = app.find_legacy_rules(&operator, limited.id).await.unwrap();
    assert!(!rules.effective.get(LegacyType::Api).unwrap().allowed);
    let page = claviger_domain::page::PageRequest::parse(None, None).unwrap();
    let filter = claviger_domain::audit::Filter { action: Some("store.restored".into()), ..Default::default() };
    let entries = app.list_audit(&operator, operator.tenant().id, &filter, &page).await.unwrap().items;
    assert_eq!(entries.len(), 1);
    end(app).await;

    // Whoever knew the store before has to bring in what it knows, too, if it is nothing.
    assert!(open(&f, "two", &files[1]).await.is_err());
    assert_eq!(confirm(&f, &files[1]).await, Some(Reapplied::default()), "nobody has signed since");
    end(open(&f, "two", &files[1]).await.unwrap()).await;
    end(open(&f, "one", &files[0]).await.unwrap()).await;

    // An older backup still, which lacks even what was restored: everything that the file knows is revoked in it.
    let store = Store::open(Options { location: f.guard.location(), accept_data_loss: false }).await.unwrap();
    run(&store, &RESTORE).await;
    run(&store, &["update counters set next = 0 where name = 'history'"]).await;
    store.close().await;
    assert!(open(&f, "one", &files[0]).await.is_err());
    assert_eq!(confirm(&f, &files[0]).await.unwrap().applications, 3);
    end(open(&f, "one", &files[0]).await.unwrap()).await;
    std::fs::remove_dir_all(directory).unwrap();
}

async fn the_file_of_a_server_that_was_down_gives_nothing_back(f: Fixture) {
    let org = f.organization("Acme").await;
    let level = NewAccessLevel {
        name: Name::parse("/name", "Level").unwrap(),
        description: String::new(),
        grants: grants(&[("org.audits", &["READ"]), ("org.alerts", &["READ"])]),
    };
    let level = done(f.app.create_access_level(&f.operator, org.id, level, None).await.unwrap());
    end(Arc::clone(&f.app)).await;
    let (directory, names) = (scratch(), ["two", "one"]);
    let mut narrower = [grants(&[("org.audits", &["READ"])]), grants(&[])].into_iter();
    for name in names {
        let app = open(&f, name, &directory.join(name)).await.unwrap();
        if name == "two" {
            run(app.store(), &BACK_UP).await;
        }
        let operator = operator_on(&f, &app).await;
        let narrowed = AccessLevelPatch { grants: narrower.next(), ..AccessLevelPatch::default() };
        app.update_access_level(&operator, org.id, level.id, narrowed, None).await.unwrap();
        if name == "one" {
            run(app.store(), &RESTORE).await;
        }
        end(app).await;
    }
    assert_eq!(confirm(&f, &directory.join("one")).await.unwrap().access_levels, 1);
    assert_eq!(confirm(&f, &directory.join("two")).await.unwrap().access_levels, 0, "it knows less");
    let app = open(&f, "one", &directory.join("one")).await.unwrap();
    let operator = operator_on(&f, &app).await;
    let level = app.find_access_level(&operator, org.id, level.id).await.unwrap();
    assert_eq!(level.grants, grants(&[]));
    end(app).await;
    std::fs::remove_dir_all(directory).unwrap();
}

async fn a_store_that_goes_back_under_a_server_is_not_served(f: Fixture) {
    if f.app.store().engine() == claviger_store::Engine::Sqlite {
        // The one server there holds the file.
        return;
    }
    let two = f.node("two").await;
    run(f.app.store(), &["update revisions set revision = 7"]).await;
    let org = f.organization("Acme").await;
    run(f.app.store(), &["update revisions set revision = revision - 1"]).await;
    for node in [&f.app, &two] {
        let mut tries = 0;
        while !node.ready().err().is_some_and(|why| why.contains("older")) {
            tries += 1;
            assert!(tries < 500, "it goes on serving");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let answer = verify(node, &f.operator.name(), &f.operator_secret).await;
        assert!(matches!(answer, Err(Error::Unavailable(_))), "{answer:?}");
    }
    drop(org);
}

/// A token that was revoked, cut off or signed by a key that was revoked after the backup was taken: a store that knows
/// nothing of it is not served, and what goes on from it accepts no token of before.
async fn a_restored_backup_revives_no_token(f: Fixture) {
    let org = f.organization("Acme").await.id;
    let known = make(&f, org, "SIEM", None).await;
    end(Arc::clone(&f.app)).await;
    let directory = scratch();
    for round in 0..4 {
        let file = directory.join(round.to_string());
        // What a server draws at random follows from the length of its name.
        let names = [1, 2].map(|run| "n".repeat(2 * round + run));
        let app = open(&f, &names[0], &file).await.unwrap();
        app.open_tokens(token_settings()).await.unwrap();
        let operator = operator_on(&f, &app).await;
        let caller = verify(&app, &known.client_id, &known.secret).await.unwrap();
        let (ended, other) = (token(&app, &caller), token(&app, &caller));
        run(app.store(), &["create table b_revisions as select * from revisions"]).await;
        run(app.store(), &["create table b_signing_keys as select * from signing_keys"]).await;
        match round {
            0 => app.revoke_token(&caller, &ended).await.unwrap(),
            1 => drop(app.invalidate_tokens(&operator, org, Some(known.application), None, None).await.unwrap()),
            2 => drop(app.set_token_lifetime(&operator, org, Some(120)).await.unwrap()),
            _ => {
                let keys = app.list_signing_keys(&operator).await.unwrap();
                let kid = keys.into_iter().find(|key| key.stage == Stage::Signing).unwrap().kid;
                drop(app.revoke_signing_key(&operator, kid, None).await.unwrap());
            }
        }
        for sql in [
            "delete from revoked_tokens",
            "delete from token_rules",
            "delete from signing_keys",
            "insert into signing_keys select * from b_signing_keys",
            "delete from changes",
            "delete from revisions",
            "insert into revisions select * from b_revisions",
            "drop table b_revisions",
            "drop table b_signing_keys",
        ] {
            run(app.store(), &[sql]).await;
        }
        end(app).await;
        let refused = open(&f, &names[1], &file).await.err().unwrap();
        assert!(matches!(&refused, Error::Conflict { code: "store_restored", .. }), "{refused}");
        let reapplied = confirm(&f, &file).await.unwrap();
        assert_eq!((reapplied.signing_keys, reapplied.tenants), (1, u64::from(round == 2)), "{round}");
        let app = open(&f, &names[1], &file).await.unwrap();
        app.open_tokens(token_settings()).await.unwrap();
        for text in [&ended, &other] {
            let answer = app.authenticate(Proof::Token(text), HERE, "").await;
            assert!(matches!(answer, Err(Error::Unauthenticated(_))), "{round}: {answer:?}");
        }
        let caller = verify(&app, &known.client_id, &known.secret).await.unwrap();
        let new = token(&app, &caller);
        app.authenticate(Proof::Token(&new), HERE, "").await.unwrap();
        if round == 2 {
            let operator = operator_on(&f, &app).await;
            assert_eq!(app.token_lifetime(&operator, org).await.unwrap().own, Some(120));
        }
        end(app).await;
    }
    std::fs::remove_dir_all(directory).unwrap();
}

fn token(app: &App, caller: &Caller) -> String {
    let wish = Wish { door: "test", scope: None, lifetime: None, usual: LIFETIME_DEFAULT, user_agent: "", source: "" };
    app.issue_token(caller, &wish).unwrap().text
}
