//! Imports and bulk changes in memory: what comes in works at once, what goes is refused at once, and secrets of other forms
//! cost strangers' look-ups only while applications are being read, and not many then.

use crate::fixture::{Fixture, HERE, done, new, on_both, refusal, verify};
use claviger_app::verify::Presented;
use claviger_domain::bulk::{Filter, Resolve, Revocation};
use claviger_domain::id::{ClientId, TenantId};
use claviger_domain::import::{Import, ImportedApplication, ImportedSecret};
use claviger_domain::secret::SecretHash;
use claviger_domain::tenant::TenantPatch;
use claviger_domain::{Error, Refusal};

on_both![
    an_imported_key_works_before_everything_is_read,
    garbage_while_everything_is_read_is_bounded,
    two_spellings_of_a_uuid_are_one,
    many_are_refused_when_the_verb_returns,
    a_rehearsal_leaves_nothing,
];

fn imported(name: &str, client_id: &str, secret: &str) -> ImportedApplication {
    let secret = ImportedSecret { hash: SecretHash::of(secret), hint: "imported".into(), expires_at: None };
    ImportedApplication {
        client_id: ClientId::parse("", client_id).unwrap(),
        new: new(name, &[("org.audits", &["READ"])]),
        secrets: vec![secret],
    }
}

async fn import(f: &Fixture, tenant: TenantId, applications: Vec<ImportedApplication>, dry_run: bool) {
    let import = Import { applications, listed: true, dry_run };
    done(f.app.import_applications(&f.operator, tenant, import, None).await.unwrap());
}

async fn an_imported_key_works_before_everything_is_read(f: Fixture) {
    let org = f.organization("Acme").await;
    import(&f, org.id, vec![imported("SIEM", "FOREIGN", "old secret")], false).await;
    verify(&f.app, "FOREIGN", "old secret").await.unwrap();
    assert_eq!(refusal(verify(&f.app, "FOREIGN", "old secreT").await), Refusal::WrongSecret);
    f.app.store().close().await;
    let again = f.reopen(7).await.unwrap();
    verify(&again, "FOREIGN", "old secret").await.unwrap();
    assert_eq!(again.applications_loaded(), 1, "it was looked up by itself");
    assert_eq!(refusal(verify(&again, "NOBODY", "old secret").await), Refusal::Malformed);
    again.load_keyring().await.unwrap();
    verify(&again, "FOREIGN", "old secret").await.unwrap();
}

async fn garbage_while_everything_is_read_is_bounded(f: Fixture) {
    let org = f.organization("Acme").await;
    import(&f, org.id, vec![imported("SIEM", "FOREIGN", "old secret")], false).await;
    f.app.store().close().await;
    let again = f.reopen(7).await.unwrap();
    let before = again.store().statements();
    let (mut refused, mut sent_away) = (0, 0);
    for number in 0..3_000 {
        match verify(&again, &format!("NOBODY{number}"), "garbage").await {
            Err(Error::Unauthenticated(_)) => refused += 1,
            Err(Error::Unavailable(_)) => sent_away += 1,
            other => panic!("{other:?}"),
        }
    }
    let looked_up = again.store().statements() - before;
    assert!(looked_up <= 1_000 && refused <= 1_000 && sent_away >= 2_000, "{looked_up} {refused} {sent_away}");
    let known = verify(&again, "FOREIGN", "old secret").await;
    assert!(matches!(known, Err(Error::Unavailable(_))), "it looks like any other: {known:?}");
    again.load_keyring().await.unwrap();
    verify(&again, "FOREIGN", "old secret").await.unwrap();
    assert_eq!(refusal(verify(&again, "NOBODY", "garbage").await), Refusal::Malformed);
}

async fn two_spellings_of_a_uuid_are_one(f: Fixture) {
    let org = f.organization("Acme").await;
    let (made, id) = f.application(org.id, "Native", &[]).await;
    let import = Import {
        applications: vec![imported("Clash", &id.to_uppercase(), "old secret")],
        listed: false,
        dry_run: false,
    };
    let refused = f.app.import_applications(&f.operator, org.id, import, None).await;
    assert!(matches!(&refused, Err(Error::Invalid(fields)) if fields[0].pointer == "/client_id"), "{refused:?}");
    verify(&f.app, &id, &made.secret.text.reveal()).await.unwrap();
}

async fn many_are_refused_when_the_verb_returns(f: Fixture) {
    let org = f.organization("Acme").await;
    let room = TenantPatch { application_limit: Some(1_000), ..TenantPatch::default() };
    f.app.update_tenant(&f.operator, org.id, room, None).await.unwrap();
    let all = (0..300).map(|n| imported(&format!("A{n}"), &format!("ID{n}"), &format!("secret {n}")));
    import(&f, org.id, all.collect(), false).await;
    let works = |n: usize| {
        let (client_id, secret) = (format!("ID{n}"), format!("secret {n}"));
        let app = f.app.clone();
        async move { app.authenticate(Presented { client_id: &client_id, secret: &secret }, HERE, "").await }
    };
    for n in 0..300 {
        works(n).await.unwrap();
    }
    let filter = Filter { name_prefix: Some("A1".into()), ..Filter::default() };
    let revoke =
        |revocation, resolve| f.app.revoke_applications(&f.operator, org.id, filter.clone(), revocation, resolve, None);
    let dry = done(revoke(Revocation::DeleteSecrets, Resolve::DryRun).await.unwrap());
    assert_eq!((dry.dry_run, dry.applications.len()), (true, 111));
    works(1).await.unwrap();
    done(revoke(Revocation::DeleteSecrets, Resolve::Expecting(111)).await.unwrap());
    for n in 0..300 {
        assert_eq!(works(n).await.is_ok(), !n.to_string().starts_with('1'), "{n}");
    }
}

async fn a_rehearsal_leaves_nothing(f: Fixture) {
    let org = f.organization("Acme").await;
    import(&f, org.id, vec![imported("SIEM", "DRY", "old secret")], true).await;
    assert_eq!(refusal(verify(&f.app, "DRY", "old secret").await), Refusal::Malformed);
    import(&f, org.id, vec![imported("SIEM", "DRY", "old secret")], false).await;
    verify(&f.app, "DRY", "old secret").await.unwrap();
}
