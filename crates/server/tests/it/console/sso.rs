//! Single sign-on as it is set in the console.

use super::browser::{Browser, field, leads_to};
use crate::fixture::{Fixture, on_both};
use crate::mails::newest;
use crate::people::{SUPER_ADMIN, built_in, person, stepped_up, user};
use claviger_domain::id::{ProviderId, TenantId, UserId};
use serde_json::json;
use std::sync::Arc;

on_both!(
    a_provider_is_made_changed_and_deleted,
    what_is_wrong_with_a_provider_stands_at_its_field,
    who_must_sign_in_there_is_told_so,
);

async fn a_provider_is_made_changed_and_deleted(f: Arc<Fixture>) {
    let level = built_in(&f, SUPER_ADMIN).await;
    let (acme, _) = f.organization("Acme").await;
    let (beside, _) = f.organization("Beta").await;
    let bob = person(&f, &acme, "bob@bank.example", &[&level]).await;
    let stale = Browser::of(&f, &bob);
    let path = format!("/console/tenants/{acme}/sso");
    assert!(stale.page(&path).await.contains("No identity provider yet"));
    assert!(leads_to(&stale.get(&format!("{path}/new")).await).starts_with("/console/step-up?next="));
    let browser = Browser::of(&f, &stepped_up(&f, &bob).await);
    assert_eq!(field(&browser.page(&format!("{path}/new")).await, "scopes"), "openid email profile");
    let values = [
        ("name", "Acme"),
        ("issuer", "https://idp.example"),
        ("client_id", "claviger"),
        ("client_secret", "hush-hush"),
        ("scopes", "openid email groups"),
        ("domains", "acme.example\r\nacme.test"),
        ("enabled", "true"),
        ("rule_claim", "groups"),
        ("rule_value", "admins"),
        ("rule_level", level.as_str()),
        ("rule_claim", ""),
        ("rule_value", ""),
        ("rule_level", ""),
    ];
    assert_eq!(leads_to(&browser.post(&path, &values).await), path);
    let all = format!("/v1/tenants/{acme}/identity-providers");
    let made = f.operator.get(&all).await.expect(200)["items"][0].clone();
    assert_eq!((&made["domains"], &made["has_client_secret"]), (&json!(["acme.example", "acme.test"]), &json!(true)));
    let rules = json!([{"claim": "groups", "value": "admins", "access_level_ids": [level]}]);
    assert_eq!((&made["role_mapping"], &made["required"]), (&rules, &json!(false)));
    let id = made["id"].as_str().unwrap();
    let list = browser.page(&path).await;
    assert!(list.contains("https://idp.example") && !list.contains("hush-hush"), "{list}");
    let form = browser.page(&format!("{path}/{id}")).await;
    assert!(!form.contains("hush-hush") && form.contains("Leave this empty to keep it"), "{form}");
    assert_eq!((field(&form, "rule_value"), field(&form, "client_secret")), ("admins".into(), String::new()));
    let version = field(&form, "version");
    let changed = [
        ("version", version.as_str()),
        ("name", "Acme"),
        ("issuer", "https://idp.example"),
        ("client_id", "claviger"),
        ("scopes", "openid"),
        ("domains", "acme.example"),
        ("create_users", "true"),
        ("default_access_level_ids", level.as_str()),
    ];
    assert_eq!(leads_to(&browser.post(&format!("{path}/{id}"), &changed).await), path);
    let after = f.operator.get(&format!("{all}/{id}")).await.expect(200);
    assert_eq!((&after["has_client_secret"], &after["enabled"]), (&json!(true), &json!(false)), "the secret is kept");
    assert_eq!((&after["role_mapping"], &after["default_access_level_ids"]), (&json!([]), &json!([level])));
    assert_eq!(browser.post(&format!("{path}/{id}"), &changed).await.status, 412);
    let beside = format!("/console/tenants/{beside}/sso");
    for path in [beside.clone(), format!("{beside}/new"), format!("{beside}/{id}"), format!("{beside}/{id}/delete")] {
        assert_eq!(browser.get(&path).await.status, 404, "{path}");
    }
    let delete = format!("{path}/{id}/delete");
    assert!(browser.page(&delete).await.contains("Sessions that were begun there last"));
    let wrong = browser.post(&delete, &[("confirm", "Beta")]).await;
    assert!(wrong.status == 422 && wrong.text.contains("id=\"confirm-told\""), "{}", wrong.text);
    assert_eq!(leads_to(&browser.post(&delete, &[("confirm", "Acme")]).await), path);
    assert_eq!(f.operator.get(&all).await.expect(200)["items"], json!([]));
}

async fn what_is_wrong_with_a_provider_stands_at_its_field(f: Arc<Fixture>) {
    let level = built_in(&f, SUPER_ADMIN).await;
    let (acme, _) = f.organization("Acme").await;
    let bob = person(&f, &acme, "bob@bank.example", &[&level]).await;
    let browser = Browser::of(&f, &stepped_up(&f, &bob).await);
    let path = format!("/console/tenants/{acme}/sso");
    let values = [
        ("name", "\"><img src=x onerror=alert(1)>"),
        ("issuer", "nowhere"),
        ("client_secret", "hush-hush"),
        ("domains", ""),
        ("rule_claim", "groups"),
        ("rule_value", "admins"),
        ("rule_level", ""),
    ];
    let refused = browser.post(&path, &values).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    for name in ["issuer", "client_id", "domains", "role_mapping"] {
        assert!(refused.text.contains(&format!("id=\"{name}-told\"")), "{name}: {}", refused.text);
    }
    assert!(!refused.text.contains("hush-hush"), "a secret is never sent back: {}", refused.text);
    assert!(!refused.text.contains("<img src=x"), "K7: {}", refused.text);
}

async fn who_must_sign_in_there_is_told_so(f: Arc<Fixture>) {
    let level = built_in(&f, SUPER_ADMIN).await;
    let (acme, _) = f.organization("Acme").await;
    let ada = person(&f, &f.root, "ada@example.com", &[&level]).await;
    let browser = Browser::of(&f, &stepped_up(&f, &ada).await);
    let provider = json!({"name": "Acme <b>", "issuer": "https://idp.example", "client_id": "claviger",
        "domains": ["acme.example"], "required": true});
    let all = format!("/v1/tenants/{acme}/identity-providers");
    let provider = f.operator.post(&all, &provider).await.expect(201)["id"].as_str().unwrap().to_owned();
    let bob = user(&f, &acme, "bob@acme.example", &[&level]).await;
    let mail = newest(&f, "bob@acme.example").await;
    assert!(mail.subject == "You are invited" && mail.link().ends_with("/console/sign-in/sso"), "{mail:?}");
    user(&f, &acme, "eve@other.example", &[&level]).await;
    assert!(newest(&f, "eve@other.example").await.link().contains("/people/invitation#"));
    let page = format!("/console/tenants/{acme}/people/{bob}");
    assert!(!browser.page(&page).await.contains("Accounts of"));
    let ids = (UserId::parse(&bob).unwrap(), ProviderId::parse(&provider).unwrap());
    let mut tx = f.app.store().begin().await.unwrap();
    tx.insert_user_identity(TenantId::parse(&acme).unwrap(), ids, "sub <7>", f.app.clock().now()).await.unwrap();
    tx.commit().await.unwrap();
    let shown = browser.page(&page).await;
    assert!(shown.contains("sub &#60;7&#62;") && shown.contains("Acme &#60;b&#62;"), "{shown}");
    let forget = format!("{page}/identities/forget");
    assert!(leads_to(&Browser::of(&f, &ada).get(&forget).await).starts_with("/console/step-up?next="));
    assert!(browser.page(&forget).await.contains("sub &#60;7&#62;"));
    assert_eq!(leads_to(&browser.post(&forget, &[]).await), format!("{page}?told=forgotten"));
    assert!(!browser.page(&page).await.contains("Accounts of"));
}
