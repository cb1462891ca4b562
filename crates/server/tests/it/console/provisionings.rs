//! Provisioning a tenant in the console: the order, how far it is, its first secret, and what has failed.

use super::browser::{Browser, field, leads_to};
use super::tenants::owner;
use crate::fixture::{Fixture, on_both};
use crate::native::provisionings::fail;
use crate::people::{SUPER_ADMIN, built_in};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

on_both!(
    a_tenant_is_provisioned_and_its_secret_shown_once,
    what_has_failed_is_tried_again,
    what_is_wrong_with_an_order_stands_at_its_field,
);

/// The page of a provisioning, once that is over.
pub(super) async fn over(browser: &Browser, path: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let page = browser.page(path).await;
        if !page.contains("hx-trigger=\"every 2s\"") {
            return page;
        }
        assert!(Instant::now() < deadline, "never over: {page}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn a_tenant_is_provisioned_and_its_secret_shown_once(f: Arc<Fixture>) {
    let browser = owner(&f).await;
    let level = built_in(&f, SUPER_ADMIN).await;
    let base = format!("/console/tenants/{}", f.root);
    assert!(browser.page(&format!("{base}/provisionings")).await.contains("Nothing was provisioned here yet"));
    let form = browser.page(&format!("{base}/tenants/new")).await;
    assert_eq!(form.matches("<h1").count(), 1);
    let values = [
        ("name", "Acme"),
        ("kind", "organization"),
        ("external_id", "CRM-7"),
        ("country", "Switzerland"),
        ("mfa_required", "totp"),
        ("user_limit", "5"),
        ("settings", "{\"tier\": 1}"),
        ("application_name", "Portal"),
        ("application_access_level_id", &level),
        ("administrator_email", "bob@acme.example"),
        ("administrator_access_level_ids", &level),
    ];
    let place = leads_to(&browser.post(&format!("{base}/tenants/new"), &values).await);
    assert!(place.starts_with(&format!("{base}/provisionings/")), "{place}");
    let page = over(&browser, &place).await;
    for told in ["complete", "Its first application", "Show the secret once", "first person"] {
        assert!(page.contains(told), "{told}: {page}");
    }
    let found = f.operator.get("/v1/tenants?external_id=CRM-7").await.expect(200);
    let acme = &found["items"][0];
    assert_eq!(
        (&acme["country"], &acme["mfa_required"], &acme["user_limit"]),
        (&json!("CH"), &json!("totp"), &json!(5))
    );
    assert_eq!((&acme["settings"], &acme["provisioning"]), (&json!({"tier": 1}), &Value::Null));
    let claimed = browser.post(&format!("{place}/secret"), &[]).await;
    assert_eq!((claimed.status.as_u16(), claimed.header("cache-control")), (200, Some("no-store")));
    assert!(claimed.text.contains("data-once") && claimed.text.contains("Temporary secret"), "{}", claimed.text);
    let secret = claimed.text.split("id=\"secret\"").nth(1).unwrap().split("value=\"").nth(1).unwrap();
    let secret = secret.split('"').next().unwrap().to_owned();
    assert!(secret.starts_with("clv_"), "{secret}");
    let again = browser.post(&format!("{place}/secret"), &[]).await;
    assert_eq!(again.status, 410);
    assert!(again.text.contains("claimed before") && !again.text.contains(&secret), "{}", again.text);
    let page = browser.page(&place).await;
    assert!(!page.contains(&secret) && page.contains("was shown") && !page.contains("Show the secret once"), "{page}");
    let list = browser.page(&format!("{base}/provisionings")).await;
    assert!(list.contains("was shown") && list.contains(">Acme</a>"), "{list}");
}

async fn what_has_failed_is_tried_again(f: Arc<Fixture>) {
    let browser = owner(&f).await;
    let base = format!("/console/tenants/{}", f.root);
    let body = json!({"name": "Portals", "grants": {"org.audits": ["READ"]}});
    let level = f.operator.post(&format!("/v1/tenants/{}/access-levels", f.root), &body).await.expect(201);
    let level = level["id"].as_str().unwrap();
    let form = browser.page(&format!("{base}/tenants/new")).await;
    assert!(form.contains(&format!("<option value=\"{level}\">Portals</option>")), "{form}");
    let values = [
        ("name", "Acme"),
        ("kind", "organization"),
        ("external_id", "CRM-7"),
        ("mfa_required", "none"),
        ("application_name", "Portal"),
        ("application_access_level_id", level),
    ];
    let place = leads_to(&browser.post(&format!("{base}/tenants/new"), &values).await);
    assert!(!over(&browser, &place).await.contains("Try again"));
    let early = browser.post(&format!("{place}/retry"), &[]).await;
    assert!(early.status == 409 && early.text.contains("only what has failed"), "{}", early.text);
    let job = f.operator.get(&place.replace("/console/", "/v1/")).await.expect(200);
    let (tenant, made) = (job["tenant_id"].as_str().unwrap(), job["application_id"].as_str().unwrap());
    let application = format!("/v1/tenants/{tenant}/applications/{made}");
    assert_eq!(f.operator.get(&application).await.expect(200)["grants"], json!({"org.audits": ["READ"]}));
    f.operator.delete(&application).await.expect(204);
    fail(&f, &place).await;
    let failed = browser.page(&place).await;
    assert!(failed.contains("A name was taken.") && failed.contains("Try again"), "{failed}");
    assert_eq!(leads_to(&browser.post(&format!("{place}/retry"), &[]).await), place);
    assert!(over(&browser, &place).await.contains("complete"));
}

async fn what_is_wrong_with_an_order_stands_at_its_field(f: Arc<Fixture>) {
    let browser = owner(&f).await;
    let path = format!("/console/tenants/{}/tenants/new", f.root);
    let values = [
        ("name", "root"),
        ("country", "Atlantis"),
        ("user_limit", "many"),
        ("settings", "{"),
        ("application_name", "Portal"),
        ("administrator_email", "nobody"),
    ];
    let refused = browser.post(&path, &values).await;
    assert_eq!(refused.status, 422);
    for name in [
        "name",
        "kind",
        "country",
        "user_limit",
        "settings",
        "application_access_level_id",
        "administrator_email",
        "administrator_access_level_ids",
    ] {
        assert!(refused.text.contains(&format!("id=\"{name}-told\"")), "{name}: {}", refused.text);
        assert!(refused.text.contains(&format!("href=\"#{name}\"")), "{name}: {}", refused.text);
    }
    assert_eq!(field(&refused.text, "country"), "Atlantis");
    let level = built_in(&f, SUPER_ADMIN).await;
    let no_room = [
        ("name", "Acme"),
        ("kind", "organization"),
        ("user_limit", "0"),
        ("administrator_email", "bob@acme.example"),
        ("administrator_access_level_ids", &level),
    ];
    let refused = browser.post(&path, &no_room).await;
    assert!(refused.status == 422 && refused.text.contains("id=\"user_limit-told\""), "{}", refused.text);
    let found = f.operator.get("/v1/tenants").await.expect(200);
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "nothing was made");
}
