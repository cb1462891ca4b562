//! What an attacker or a fault tries between the steps: memory that cannot be renewed, callers that lose their rights while
//! they wait, levels as a way around reach.

use crate::fixture::{Fixture, done, grants, new, on_both, refusal, verify};
use claviger_app::caller::Caller;
use claviger_app::shrink::Shrinking;
use claviger_domain::access_level::{AccessLevelPatch, NewAccessLevel};
use claviger_domain::application::{ApplicationPatch, NewApplication, Reach, Rights};
use claviger_domain::audit::Filter;
use claviger_domain::grants::Verb;
use claviger_domain::name::Name;
use claviger_domain::page::PageRequest;
use claviger_domain::secret::PlainSecret;
use claviger_domain::{Error, Refusal};
use claviger_store::testing::execute;
use std::sync::Arc;
use std::time::Duration;

on_both![
    what_cannot_be_read_again_is_refused,
    whoever_waits_acts_with_the_rights_left,
    levels_are_no_way_around_reach,
    deleted_levels_leave_memory,
    no_text_breaks_a_look_up,
    probing_other_tenants_is_told,
    whoever_goes_away_takes_no_counts_along,
];

/// Breaks what recognises the secrets of everybody but the operator, so that their records cannot be read.
const BREAK: &str = "insert into secrets (tenant_id, application_id, id, hint, hash, sealed_mac, created_at, expires_at) \
    select tenant_id, application_id, 'broken', hint, sealed_mac, sealed_mac, created_at, expires_at from secrets \
    where tenant_id <> (select id from tenants where kind = 'operator')";
const MEND: &str = "delete from secrets where id = 'broken'";

async fn run(f: &Fixture, sql: &'static str) {
    let mut tx = f.app.store().begin().await.unwrap();
    execute(&mut tx, sql).await.unwrap();
    tx.commit().await.unwrap();
}

async fn what_cannot_be_read_again_is_refused(f: Fixture) {
    let org = f.organization("Acme").await;
    let (made, id) = f.application(org.id, "SIEM", &[]).await;
    let (secret, application) = (made.secret.text.reveal(), made.application.id);
    verify(&f.app, &id, &secret).await.unwrap();
    run(&f, BREAK).await;
    let describe = ApplicationPatch { description: Some("d".into()), ..ApplicationPatch::default() };
    let disable = ApplicationPatch { enabled: Some(false), ..ApplicationPatch::default() };
    // The change is durable whatever memory makes of it, so that it is told as done.
    f.app.update_application(&f.operator, org.id, application, disable, None).await.unwrap();
    verify(&f.app, &id, &secret).await.unwrap_err();
    run(&f, MEND).await;
    let mut tries = 0;
    while !matches!(verify(&f.app, &id, &secret).await, Err(Error::Unauthenticated(Refusal::Disabled))) {
        tries += 1;
        assert!(tries < 100, "it is never read again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    f.app.update_application(&f.operator, org.id, application, describe, None).await.unwrap();
}

/// Changes the caller's application while a unit of the caller waits for its turn, and answers what came of that one.
async fn overtaken(f: &Fixture, caller: &Caller, patch: ApplicationPatch) -> claviger_domain::Result<()> {
    let (tenant, application) = (caller.tenant().id, caller.record().unwrap().id);
    let change = f.app.update_application(&f.operator, tenant, application, patch, None);
    change.await.unwrap();
    let created = f.app.create_application(caller, tenant, new("Late", &[("org.audits", &["READ"])]), None).await;
    created.map(drop)
}

async fn whoever_waits_acts_with_the_rights_left(f: Fixture) {
    let org = f.organization("Acme").await;
    let editor = &[("applications", &["CREATE", "UPDATE"][..]), ("org.audits", &["READ"][..])][..];
    let patches: [(&str, ApplicationPatch); 4] = [
        ("Disabled", ApplicationPatch { enabled: Some(false), ..ApplicationPatch::default() }),
        ("Elsewhere", ApplicationPatch { allowed_networks: Some(Some(vec![])), ..ApplicationPatch::default() }),
        (
            "Without verb",
            ApplicationPatch {
                rights: Some(Rights::Inline(grants(&[("org.audits", &["READ"])]))),
                ..ApplicationPatch::default()
            },
        ),
        (
            "Without right",
            ApplicationPatch {
                rights: Some(Rights::Inline(grants(&[("applications", &["CREATE"])]))),
                ..ApplicationPatch::default()
            },
        ),
    ];
    for (name, patch) in patches {
        let (made, id) = f.application(org.id, name, editor).await;
        let caller = verify(&f.app, &id, &made.secret.text.reveal()).await.unwrap();
        let answer = overtaken(&f, &caller, patch).await;
        assert!(matches!(answer, Err(Error::Unauthenticated(_) | Error::Forbidden { .. })), "{name}: {answer:?}");
    }
    let (made, id) = f.application(org.id, "Regenerated", editor).await;
    let caller = verify(&f.app, &id, &made.secret.text.reveal()).await.unwrap();
    done(f.app.regenerate_secret(&f.operator, org.id, made.application.id, None).await.unwrap());
    let late = f.app.create_application(&caller, org.id, new("Late", &[]), None).await;
    assert_eq!(refusal(late.map(|_| caller.clone())), Refusal::WrongSecret);
    f.app.delete_application(&f.operator, org.id, made.application.id, None).await.unwrap();
    let late = f.app.create_application(&caller, org.id, new("Late", &[]), None).await;
    assert_eq!(refusal(late.map(|_| caller.clone())), Refusal::UnknownClient);
}

async fn levels_are_no_way_around_reach(f: Fixture) {
    let org = f.organization("Acme").await;
    let level = |name: &str| NewAccessLevel {
        name: Name::parse("/name", name).unwrap(),
        description: String::new(),
        grants: grants(&[("org.audits", &["READ"])]),
    };
    let level = done(f.app.create_access_level(&f.operator, org.id, level("Reader"), None).await.unwrap());
    let (made, id) = f
        .application(
            org.id,
            "Editor",
            &[("access-levels", &["UPDATE"]), ("org.audits", &["READ"]), ("org.feeds", &["READ"])],
        )
        .await;
    let editor = verify(&f.app, &id, &made.secret.text.reveal()).await.unwrap();
    let widen = AccessLevelPatch {
        grants: Some(grants(&[("org.audits", &["READ"]), ("org.feeds", &["READ"])])),
        ..AccessLevelPatch::default()
    };
    f.app.update_access_level(&editor, org.id, level.id, widen.clone(), None).await.unwrap();
    let reaching = NewApplication { rights: Rights::Level(level.id), reach: Reach::Beneath, ..new("Reaching", &[]) };
    done(f.app.create_application(&f.operator, org.id, reaching, None).await.unwrap());
    let refused = f.app.update_access_level(&editor, org.id, level.id, widen.clone(), None).await;
    assert!(matches!(refused, Err(Error::Forbidden { .. })), "{refused:?}");
    f.app.update_access_level(&f.operator, org.id, level.id, widen, None).await.unwrap();
}

async fn no_text_breaks_a_look_up(f: Fixture) {
    let text = Some("a\0b".to_owned());
    let page = PageRequest::parse(None, None).unwrap();
    for filter in [
        Filter { actor: text.clone(), ..Filter::default() },
        Filter { action: text.clone(), ..Filter::default() },
        Filter { target: text, ..Filter::default() },
    ] {
        let found = f.app.list_audit(&f.operator, f.operator.tenant().id, &filter, &page).await.unwrap();
        assert!(found.items.is_empty());
    }
    f.app.store().close().await;
    // Not everything is loaded, so that unknown ids are looked up.
    let app = f.reopen(7).await.unwrap();
    let secret = PlainSecret::mint([9; 32]).reveal();
    assert_eq!(refusal(verify(&app, "a\0b", &secret).await), Refusal::UnknownClient);
    app.store().close().await;
}

async fn probing_other_tenants_is_told(f: Fixture) {
    let (org, other) = (f.organization("Acme").await, f.organization("Other").await);
    let (made, id) = f.application(org.id, "Probe", &[("applications", &["READ"])]).await;
    let probe = verify(&f.app, &id, &made.secret.text.reveal()).await.unwrap();
    let page = PageRequest::parse(None, None).unwrap();
    assert!(matches!(f.app.list_applications(&probe, other.id, &page).await, Err(Error::NotFound("tenant"))));
    f.app.flush_denials().await.unwrap();
    let filter = Filter { action: Some("access.denied".into()), ..Filter::default() };
    let told = f.app.list_audit(&f.operator, org.id, &filter, &page).await.unwrap().items;
    assert_eq!(told[0].body["details"]["reason"], "tenant_out_of_reach");
    assert!(f.app.list_audit(&f.operator, other.id, &filter, &page).await.unwrap().items.is_empty());
}

async fn deleted_levels_leave_memory(f: Fixture) {
    let org = f.organization("Acme").await;
    let before = f.app.access_levels_loaded();
    for round in 0..3 {
        let level = NewAccessLevel {
            name: Name::parse("/name", &format!("L{round}")).unwrap(),
            description: String::new(),
            grants: grants(&[("org.audits", &["READ"])]),
        };
        let level = done(f.app.create_access_level(&f.operator, org.id, level, None).await.unwrap());
        let patch = AccessLevelPatch { description: Some("d".into()), ..AccessLevelPatch::default() };
        f.app.update_access_level(&f.operator, org.id, level.id, patch, None).await.unwrap();
        f.app.delete_access_level(&f.operator, org.id, level.id, None).await.unwrap();
    }
    assert_eq!(f.app.access_levels_loaded(), before);
    let caller = Arc::new(f.operator.clone());
    caller.allow("tenants", Verb::Read).unwrap();
}

async fn whoever_goes_away_takes_no_counts_along(f: Fixture) {
    let org = f.organization("Acme").await;
    let (made, id) = f.application(org.id, "SIEM", &[("org.audits", &["READ"]), ("org.feeds", &["READ"])]).await;
    let (secret, application) = (made.secret.text.reveal(), made.application.id);
    let shrinking = |dry_run| Shrinking { days: 1, dry_run, if_match: None };
    f.app.clock().advance(2 * 86_400);
    let caller = verify(&f.app, &id, &secret).await.unwrap();
    // While counts are taken from the meter, and while they are folded.
    for right in ["org.audits", "org.feeds"] {
        caller.allow(right, Verb::Read).unwrap();
        if right == "org.feeds" {
            f.app.flush_usage().await.unwrap();
        }
        let busy = f.app.store().begin().await.unwrap();
        let asking = f.app.shrink_application(&f.operator, org.id, application, shrinking(true), None);
        let _ = tokio::time::timeout(Duration::from_millis(100), asking).await;
        drop(busy);
    }
    let asking = f.app.shrink_application(&f.operator, org.id, application, shrinking(true), None);
    assert_eq!(done(asking.await.unwrap()).dropped, grants(&[]), "both rights are in use");
}
