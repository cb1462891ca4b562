//! Nobody gains what they do not hold: by creating, assigning, editing, regenerating or reaching.

use crate::fixture::{Fixture, done, grants, new, on_both, verify};
use claviger_app::caller::Caller;
use claviger_domain::access_level::{AccessLevelPatch, NewAccessLevel};
use claviger_domain::application::{ApplicationPatch, NewApplication, Reach, Rights};
use claviger_domain::name::Name;
use claviger_domain::tenant::{Kind, TenantPatch};
use claviger_domain::{Error, Result};

on_both![
    nothing_above_own_rights,
    nothing_out_of_reach,
    the_limit_holds_under_a_race,
    nobody_locks_themselves_out,
    levels_in_use_stay,
];

const EDITOR: &[(&str, &[&str])] = &[
    ("applications", &["CREATE", "READ", "UPDATE", "DELETE"]),
    ("access-levels", &["CREATE", "READ", "UPDATE", "DELETE"]),
    ("org.audits", &["READ"]),
];

async fn caller(f: &Fixture, tenant: claviger_domain::id::TenantId, application: NewApplication) -> Caller {
    let made = done(f.app.create_application(&f.operator, tenant, application, None).await.unwrap());
    verify(&f.app, made.application.client_id.as_str(), &made.secret.unwrap().text.reveal()).await.unwrap()
}

fn forbidden<T>(result: Result<T>) -> String {
    match result {
        Err(Error::Forbidden { detail, .. }) => detail,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("allowed"),
    }
}

fn not_found<T>(result: Result<T>) {
    assert!(matches!(result, Err(Error::NotFound(_))));
}

async fn nothing_above_own_rights(f: Fixture) {
    let org = f.organization("Acme").await;
    let editor = caller(&f, org.id, new("Editor", EDITOR)).await;
    let strong = done(
        f.app.create_application(&f.operator, org.id, new("Strong", &[("tenants", &["READ"])]), None).await.unwrap(),
    );
    let strong = strong.application.id;
    let level = |name: &str, rights: &[(&str, &[&str])]| NewAccessLevel {
        name: Name::parse("/name", name).unwrap(),
        description: String::new(),
        grants: grants(rights),
    };
    let above = done(
        f.app.create_access_level(&f.operator, org.id, level("Above", &[("tenants", &["READ"])]), None).await.unwrap(),
    );
    let own = done(
        f.app.create_access_level(&editor, org.id, level("Own", &[("org.audits", &["READ"])]), None).await.unwrap(),
    );
    let super_admin = f.app.catalogue().levels().last().unwrap().id;

    let said = forbidden(f.app.create_application(&editor, org.id, new("X", &[("tenants", &["READ"])]), None).await);
    assert_eq!(said, "tenants:READ lies above the credential's own rights");
    for id in [above.id, super_admin] {
        let new = NewApplication { rights: Rights::Level(id), ..new("X", &[]) };
        forbidden(f.app.create_application(&editor, org.id, new, None).await);
        forbidden(f.app.duplicate_access_level(&editor, org.id, id, None, None).await);
    }
    let reaching = NewApplication { reach: Reach::Beneath, ..new("X", &[]) };
    forbidden(f.app.create_application(&editor, org.id, reaching, None).await);
    forbidden(f.app.create_access_level(&editor, org.id, level("X", &[("tenants", &["READ"])]), None).await);
    let widen = AccessLevelPatch { grants: Some(grants(&[("tenants", &["READ"])])), ..AccessLevelPatch::default() };
    forbidden(f.app.update_access_level(&editor, org.id, own.id, widen.clone(), None).await);
    forbidden(f.app.update_access_level(&editor, org.id, above.id, widen, None).await);
    let export = f.app.export_access_level(&editor, org.id, above.id).await.unwrap();
    forbidden(f.app.import_access_level(&editor, org.id, export, None).await);
    forbidden(f.app.regenerate_secret(&editor, org.id, strong, None).await);
    forbidden(f.app.delete_application(&editor, org.id, strong, None).await);
    let narrow = ApplicationPatch { rights: Some(Rights::Inline(grants(&[]))), ..ApplicationPatch::default() };
    forbidden(f.app.update_application(&editor, org.id, strong, narrow, None).await);
    let itself = ApplicationPatch { rights: Some(Rights::Level(super_admin)), ..ApplicationPatch::default() };
    forbidden(f.app.update_application(&editor, org.id, editor.record().unwrap().id, itself, None).await);
}

async fn nothing_out_of_reach(f: Fixture) {
    let root = f.operator.tenant().id;
    let partner = f.tenant("Partner", Kind::Partner, root).await;
    let inside = f.tenant("Inside", Kind::Organization, partner.id).await;
    let outside = f.organization("Outside").await;
    let all: &[(&str, &[&str])] = &[
        ("applications", &["CREATE", "READ", "UPDATE", "DELETE"]),
        ("tenants", &["CREATE", "READ", "UPDATE"]),
        ("audit", &["READ"]),
    ];
    let reaching = caller(&f, partner.id, NewApplication { reach: Reach::Beneath, ..new("Reaching", all) }).await;
    let own = caller(&f, partner.id, new("Own", all)).await;
    let page = claviger_domain::page::PageRequest::parse(None, None).unwrap();

    f.app.list_applications(&reaching, inside.id, &page).await.unwrap();
    not_found(f.app.list_applications(&own, inside.id, &page).await);
    for caller in [&reaching, &own] {
        for tenant in [outside.id, root, claviger_domain::id::TenantId::from_u128(1)] {
            not_found(f.app.list_applications(caller, tenant, &page).await);
            not_found(f.app.find_tenant(caller, tenant).await);
            not_found(f.app.update_tenant(caller, tenant, TenantPatch::default(), None).await);
            not_found(f.app.create_application(caller, tenant, new("X", &[]), None).await);
            not_found(f.app.list_audit(caller, tenant, &claviger_domain::audit::Filter::default(), &page).await);
        }
    }
    let seen = f.app.list_tenants(&reaching, &Default::default(), &page).await.unwrap();
    let mut seen: Vec<_> = seen.items.iter().map(|tenant| tenant.name.as_str()).collect();
    seen.sort_unstable();
    assert_eq!(seen, ["Inside", "Partner"]);
    assert_eq!(f.app.list_tenants(&own, &Default::default(), &page).await.unwrap().items.len(), 1);
    forbidden(
        f.app
            .update_tenant(
                &reaching,
                partner.id,
                TenantPatch { application_limit: Some(99), ..TenantPatch::default() },
                None,
            )
            .await,
    );
    f.app
        .update_tenant(
            &reaching,
            inside.id,
            TenantPatch { application_limit: Some(99), ..TenantPatch::default() },
            None,
        )
        .await
        .unwrap();
}

async fn the_limit_holds_under_a_race(f: Fixture) {
    let org = f.organization("Acme").await;
    let racing: Vec<_> = (0..16)
        .map(|index| {
            let (app, operator) = (std::sync::Arc::clone(&f.app), f.operator.clone());
            tokio::spawn(async move {
                app.create_application(&operator, org.id, new(&format!("A{index}"), &[]), None).await
            })
        })
        .collect();
    let mut made = 0;
    for one in racing {
        match one.await.unwrap() {
            Ok(_) => made += 1,
            Err(Error::Conflict { code, detail, .. }) => {
                assert_eq!(code, "application_limit_reached");
                assert!(detail.contains("may have 10"), "{detail}");
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(made, 10);
}

async fn nobody_locks_themselves_out(f: Fixture) {
    let (tenant, own) = (f.operator.tenant().id, f.operator.record().unwrap().id);
    assert!(matches!(f.app.delete_application(&f.operator, tenant, own, None).await, Err(Error::Conflict { .. })));
    let disable = ApplicationPatch { enabled: Some(false), ..ApplicationPatch::default() };
    assert!(matches!(
        f.app.update_application(&f.operator, tenant, own, disable, None).await,
        Err(Error::Conflict { .. })
    ));
    let elsewhere = claviger_domain::network::parse_networks("", &["198.51.100.0/24".to_owned()]).unwrap();
    let patch = |confirm| ApplicationPatch {
        allowed_networks: Some(Some(elsewhere.clone())),
        confirm,
        ..ApplicationPatch::default()
    };
    assert!(matches!(
        f.app.update_application(&f.operator, tenant, own, patch(false), None).await,
        Err(Error::Invalid(_))
    ));
    f.app.update_application(&f.operator, tenant, own, patch(true), None).await.unwrap();
}

async fn levels_in_use_stay(f: Fixture) {
    let org = f.organization("Acme").await;
    let level =
        NewAccessLevel { name: Name::parse("/name", "L").unwrap(), description: String::new(), grants: grants(&[]) };
    let level = done(f.app.create_access_level(&f.operator, org.id, level, None).await.unwrap());
    let using = NewApplication { rights: Rights::Level(level.id), ..new("User", &[]) };
    let made = done(f.app.create_application(&f.operator, org.id, using, None).await.unwrap());
    match f.app.delete_access_level(&f.operator, org.id, level.id, None).await {
        Err(Error::Conflict { referrers, .. }) => assert_eq!(referrers[0].name, "User"),
        other => panic!("{other:?}"),
    }
    f.app.delete_application(&f.operator, org.id, made.application.id, None).await.unwrap();
    f.app.delete_access_level(&f.operator, org.id, level.id, None).await.unwrap();
    let built_in = f.app.catalogue().levels()[0].id;
    assert!(matches!(
        f.app.delete_access_level(&f.operator, org.id, built_in, None).await,
        Err(Error::Conflict { .. })
    ));
}
