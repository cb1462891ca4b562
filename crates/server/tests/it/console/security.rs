//! What holds for the credentials of a tenant, in the console.

use super::browser::{Browser, field, leads_to};
use crate::fixture::{Fixture, START, on_both};
use crate::keys::Key;
use crate::people::{SUPER_ADMIN, built_in, person, stepped_up};
use serde_json::json;
use std::sync::Arc;

on_both!(
    secrets_are_removed_once_and_for_all,
    a_policy_is_set_and_bites,
    tokens_are_shortened_and_invalidated,
    an_issuer_is_trusted_bound_and_tried,
    legacy_types_are_reported_and_migrated,
    nobody_sees_beside_or_without_the_right,
);

async fn owner(f: &Fixture) -> Browser {
    let owner = built_in(f, SUPER_ADMIN).await;
    Browser::of(f, &person(f, &f.root, "ada@example.com", &[&owner]).await)
}

async fn secrets_are_removed_once_and_for_all(f: Arc<Fixture>) {
    let owner = built_in(&f, SUPER_ADMIN).await;
    let ada = person(&f, &f.root, "ada@example.com", &[&owner]).await;
    let browser = Browser::of(&f, &ada);
    let (acme, _) = f.organization("Acme").await;
    let path = format!("/console/tenants/{acme}/security");
    let page = browser.page(&path).await;
    assert!(page.contains("shown once") && !page.contains("Improved security available"), "{page}");
    let kept = browser.post(&format!("{path}/retain-secrets"), &[]).await;
    assert_eq!(leads_to(&kept), format!("{path}?told=retaining"));
    let (_, client) = f.application(&acme, "SIEM", json!({"org.audits": ["READ"]})).await;
    let page = browser.page(&path).await;
    assert!(page.contains("Improved security available") && page.contains("1 secret can"), "{page}");
    let remove = format!("{path}/remove-secret");
    assert!(leads_to(&browser.get(&remove).await).starts_with("/console/step-up?next="));
    let refused = browser.post(&remove, &[("confirm", "Acme")]).await;
    assert_eq!(refused.status, 401, "{}", refused.text);
    let browser = Browser::of(&f, &stepped_up(&f, &ada).await);
    let page = browser.page(&remove).await;
    assert!(page.contains("cannot be undone") && page.contains("1 secret"), "{page}");
    let refused = browser.post(&remove, &[("confirm", "acme")]).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("id=\"confirm-told\""), "{}", refused.text);
    assert_eq!(leads_to(&browser.post(&remove, &[("confirm", "Acme")]).await), format!("{path}?told=removed"));
    client.get("/v1/whoami").await.expect(200);
    let page = browser.page(&path).await;
    assert!(page.contains("Nothing makes this tenant keep any again"), "{page}");
    assert!(!page.contains("Remove Secret") && !page.contains("retain-secrets"), "there is no way back: {page}");
    assert_eq!(leads_to(&browser.get(&remove).await), path);
    assert_eq!(browser.post(&format!("{path}/retain-secrets"), &[]).await.status, 409);
}

async fn a_policy_is_set_and_bites(f: Arc<Fixture>) {
    let browser = owner(&f).await;
    let (acme, _) = f.organization("Acme").await;
    let (_, client) = f.application(&acme, "SIEM", json!({"org.audits": ["READ"]})).await;
    let path = format!("/console/tenants/{acme}/security");
    let form = browser.page(&format!("{path}/policy")).await;
    let version = field(&form, "version");
    let values = [
        ("version", version.as_str()),
        ("max_secret_lifetime_seconds", "90"),
        ("secret_unit", "days"),
        ("rotate_every_days", "30"),
        ("on_leak", "quarantine"),
        ("static_secrets", "forbidden"),
    ];
    assert_eq!(leads_to(&browser.post(&format!("{path}/policy"), &values).await), format!("{path}?told=saved"));
    client.get("/v1/whoami").await.expect(401);
    let page = browser.page(&path).await;
    for told in ["90 days after they were made", "every 30 days", "forbidden", "disabled until somebody"] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert_eq!(browser.post(&format!("{path}/policy"), &values).await.status, 412);
    let bad = [("max_secret_lifetime_seconds", "ninety"), ("rotate_every_days", "0")];
    let refused = browser.post(&format!("{path}/policy"), &bad).await;
    assert_eq!(refused.status, 422);
    for told in ["id=\"max_secret_lifetime_seconds-told\"", "id=\"rotate_every_days-told\""] {
        assert!(refused.text.contains(told), "{told}: {}", refused.text);
    }
    let limits = browser.page(&format!("{path}/limits")).await;
    let version = field(&limits, "version");
    let set = browser.post(&format!("{path}/limits"), &[("version", &version), ("application_limit", "3")]).await;
    assert_eq!(leads_to(&set), format!("{path}?told=saved"));
    assert!(browser.page(&path).await.contains("at most 3"));
}

async fn tokens_are_shortened_and_invalidated(f: Arc<Fixture>) {
    let browser = owner(&f).await;
    let (acme, _) = f.organization("Acme").await;
    let path = format!("/console/tenants/{acme}/security/tokens");
    assert!(browser.page(&path).await.contains("15 minutes"));
    let set = browser.post(&path, &[("lifetime_seconds", "5"), ("lifetime_unit", "minutes")]).await;
    leads_to(&set);
    assert!(browser.page(&path).await.contains("5 minutes at most"));
    let refused = browser.post(&path, &[("lifetime_seconds", "5"), ("lifetime_unit", "hours")]).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("id=\"lifetime_seconds-told\""), "{}", refused.text);
    let all = format!("{path}/invalidate");
    assert_eq!(browser.post(&all, &[("confirm", "")]).await.status, 422);
    assert_eq!(leads_to(&browser.post(&all, &[("confirm", "Acme")]).await), format!("{path}?told=invalidated"));
    assert!(browser.page(&path).await.contains("all from before"));
}

async fn an_issuer_is_trusted_bound_and_tried(f: Arc<Fixture>) {
    let browser = owner(&f).await;
    let (acme, _) = f.organization("Acme").await;
    let (application, _) = f.application(&acme, "Build", json!({"org.audits": ["READ"]})).await;
    let path = format!("/console/tenants/{acme}/security/issuers");
    assert!(browser.page(&path).await.contains("No trusted issuer yet"));
    assert!(browser.page(&format!("{path}/new")).await.contains("value=\"EdDSA\""));
    let key = Key::edwards();
    let mut jwk = key.jwk();
    jwk["kid"] = "k1".into();
    let keys = json!({ "keys": [jwk] }).to_string();
    let values = [
        ("name", "CI"),
        ("issuer", "https://ci.example"),
        ("audience", "claviger"),
        ("keys", "pinned"),
        ("jwks", keys.as_str()),
        ("algorithms", "EdDSA"),
        ("max_token_age_seconds", "1"),
        ("age_unit", "hours"),
        ("enabled", "true"),
    ];
    let refused = browser.post(&path, &[("name", ""), ("issuer", "ci"), ("keys", "pinned")]).await;
    assert_eq!(refused.status, 422);
    for told in ["name-told", "issuer-told", "jwks-told", "algorithms-told"] {
        assert!(refused.text.contains(&format!("id=\"{told}\"")), "{told}: {}", refused.text);
    }
    let made = leads_to(&browser.post(&path, &values).await);
    let one = made.split('?').next().unwrap().to_owned();
    assert!(browser.page(&made).await.contains("No binding yet"));
    let form = browser.page(&format!("{one}/bindings/new")).await;
    assert!(form.contains("Build") && field(&form, "claim0") == "sub", "{form}");
    let version = field(&form, "version");
    let bindings = format!("{one}/bindings");
    let refused = browser.post(&bindings, &[("version", &version), ("claim0", "ref"), ("value0", "main")]).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("id=\"conditions-told\"") && field(&refused.text, "claim0") == "ref");
    let values = [
        ("version", version.as_str()),
        ("application_id", application.as_str()),
        ("description", "deploys"),
        ("claim0", "sub"),
        ("how0", "matches"),
        ("value0", "repo:acme/*"),
    ];
    assert_eq!(leads_to(&browser.post(&bindings, &values).await), format!("{one}?told=saved"));
    assert_eq!(browser.post(&bindings, &values).await.status, 412);
    let page = browser.page(&one).await;
    assert!(page.contains("sub fits repo:acme/*") && page.contains("deploys"), "{page}");
    let now = f.app.clock().now().seconds();
    let token = |sub: &str| {
        let claims = json!({"iss": "https://ci.example", "sub": sub, "aud": "claviger", "iat": now, "exp": now + 300});
        key.sign(&json!({"alg": "EdDSA", "kid": "k1"}), &claims)
    };
    let trial = format!("{one}/trial");
    let good = token("repo:acme/app");
    let tried = browser.post(&trial, &[("token", &good)]).await;
    assert!(tried.status == 200 && tried.text.contains("It would be accepted"), "{}", tried.text);
    assert!(!tried.text.contains(&good), "a token is not sent back");
    let tried = browser.post(&trial, &[("token", &token("repo:other/app"))]).await;
    assert!(tried.text.contains("It would be refused") && tried.text.contains("not reached"), "{}", tried.text);
    assert_eq!(browser.post(&trial, &[("token", "")]).await.status, 422);
    let binding = page.split('"').find(|text| text.starts_with(&format!("{bindings}/")) && !text.ends_with("new"));
    let binding = binding.unwrap().trim_end_matches("/delete");
    let form = browser.page(binding).await;
    assert!(form.contains(">repo:acme/*</textarea>") && field(&form, "description") == "deploys", "{form}");
    let version = field(&form, "version");
    let names: Vec<_> = (0..9).map(|row| ["claim", "how", "value"].map(|name| format!("{name}{row}"))).collect();
    let mut values = vec![("version", version.as_str()), ("application_id", application.as_str())];
    for (row, [claim, how, value]) in names.iter().enumerate() {
        values.extend([
            (claim.as_str(), if row == 0 { "sub" } else { claim.as_str() }),
            (how.as_str(), if row == 8 { "one_of" } else { "equals" }),
            (value.as_str(), if row == 8 { "main branch\r\nnext" } else { "x" }),
        ]);
    }
    assert_eq!(leads_to(&browser.post(binding, &values).await), format!("{one}?told=saved"));
    let issuers = f.operator.get(&format!("/v1/tenants/{acme}/trusted-issuers")).await.expect(200);
    let conditions = &issuers["items"][0]["bindings"][0]["conditions"];
    assert_eq!(conditions.as_array().unwrap().len(), 9, "{conditions}");
    assert_eq!(conditions[8]["one_of"], json!(["main branch", "next"]));
    let page = browser.page(&one).await;
    let bound = page.split('"').find(|text| text.starts_with(&format!("{bindings}/")) && !text.ends_with("new"));
    let binding = bound.unwrap().trim_end_matches("/delete");
    let form = browser.page(binding).await;
    assert!(form.contains("name=\"claim10\"") && form.contains(">main branch\nnext</textarea>"), "{form}");
    let version = field(&form, "version");
    let removed = browser.post(&format!("{binding}/delete"), &[("version", &version)]).await;
    assert_eq!(leads_to(&removed), format!("{one}?told=saved"));
    let ask = browser.page(&format!("{one}/delete")).await;
    let version = field(&ask, "version");
    leads_to(&browser.post(&format!("{one}/delete"), &[("version", &version)]).await);
    assert_eq!(browser.get(&one).await.status, 404);
}

async fn legacy_types_are_reported_and_migrated(f: Arc<Fixture>) {
    let browser = owner(&f).await;
    let (acme, _) = f.organization("Acme").await;
    let path = format!("/console/tenants/{acme}/security/key-types");
    assert!(browser.page(&path).await.contains("Nobody"));
    let refused = browser.post(&path, &[("siem_allowed", "true"), ("siem", "")]).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("id=\"siem-told\""), "{}", refused.text);
    let day = START.plus_seconds(30 * 86_400).to_string()[..10].to_owned();
    let set = browser.post(&path, &[("siem_allowed", "true"), ("siem", &day)]).await;
    assert_eq!(leads_to(&set), format!("{path}?told=saved"));
    let rules = format!("/v1/tenants/{acme}/legacy-key-types");
    let exact = json!({"siem": {"allowed": true, "sunset": format!("{day}T18:30:15.5Z")}});
    f.operator.put(&rules, &exact).await.expect(200);
    let before = f.operator.get(&rules).await.expect(200)["own"]["siem"]["sunset"].clone();
    let shown = field(&browser.page(&path).await, "siem");
    assert_eq!(shown, format!("{day}T18:30"));
    for (sent, kept) in [(shown.clone(), before), (format!("{day}T19:45"), json!(format!("{day}T19:45:00.000000Z")))] {
        leads_to(&browser.post(&path, &[("siem_allowed", "true"), ("siem", &sent)]).await);
        assert_eq!(f.operator.get(&rules).await.expect(200)["own"]["siem"]["sunset"], kept);
    }
    let (id, client) = f.application_with(&acme, json!({"name": "Old", "key_type": "siem"})).await;
    let above = browser.page(&format!("/console/tenants/{}/security/key-types", f.root)).await;
    assert!(above.contains("Old") && above.contains("in a tenant beneath"), "{above}");
    let page = browser.page(&path).await;
    assert!(page.contains(&day) && page.contains("Migrate"), "{page}");
    let plan = browser.page(&format!("{path}/{id}/migrate")).await;
    assert!(plan.contains("nothing was changed yet") && plan.contains("which is made for it"), "{plan}");
    let version = field(&plan, "version");
    let done = browser.post(&format!("{path}/{id}/migrate"), &[("version", &version)]).await;
    assert_eq!(leads_to(&done), format!("/console/tenants/{acme}/applications/{id}"));
    client.get("/v1/whoami").await.expect(200);
    assert!(browser.page(&path).await.contains("Nobody"));
}

async fn nobody_sees_beside_or_without_the_right(f: Arc<Fixture>) {
    let (acme, _) = f.organization("Acme").await;
    let (beside, _) = f.organization("Beside").await;
    let level = json!({"name": "Tokens", "grants": {"sessions": ["READ"]}});
    let level = f.operator.post(&format!("/v1/tenants/{acme}/access-levels"), &level).await.expect(201);
    let bob = person(&f, &acme, "bob@example.com", &[level["id"].as_str().unwrap()]).await;
    let browser = Browser::of(&f, &bob);
    let path = format!("/console/tenants/{acme}/security");
    let page = browser.page(&path).await;
    assert!(page.contains("15 minutes") && !page.contains("Credential policy"), "{page}");
    assert_eq!(browser.get(&format!("{path}/policy")).await.status, 403);
    assert_eq!(browser.post(&format!("{path}/tokens"), &[("lifetime_seconds", "")]).await.status, 403);
    assert_eq!(browser.post(&format!("{path}/retain-secrets"), &[]).await.status, 403);
    for tenant in [&beside, &f.root] {
        for page in ["", "/policy", "/tokens", "/issuers", "/key-types", "/limits", "/remove-secret"] {
            let path = format!("/console/tenants/{tenant}/security{page}");
            assert_eq!(browser.get(&path).await.status, 404, "{path}");
        }
    }
}
