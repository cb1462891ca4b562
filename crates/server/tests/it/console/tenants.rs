//! Tenants in the console.

use super::browser::{Browser, field, leads_to};
use super::provisionings::over;
use crate::fixture::{Fixture, on_both};
use crate::people::{SUPER_ADMIN, built_in, person, stepped_up};
use serde_json::{Value, json};
use std::sync::Arc;

on_both!(
    tenants_are_listed_searched_and_unfolded,
    details_are_changed_where_they_may_be,
    a_tenant_is_suspended_deleted_and_taken_back,
    a_trial_is_converted_once,
    the_second_factor_asks_for_a_fresh_proof,
    endpoints_are_told_tenant_by_tenant,
    a_person_beneath_sees_nothing_beside,
    k7_what_is_written_is_shown_as_text,
);

pub(super) async fn owner(f: &Fixture) -> Browser {
    let level = built_in(f, SUPER_ADMIN).await;
    Browser::of(f, &person(f, &f.root, "ada@example.com", &[&level]).await)
}

async fn fresh_owner(f: &Fixture) -> Browser {
    let level = built_in(f, SUPER_ADMIN).await;
    let ada = person(f, &f.root, "eve@example.com", &[&level]).await;
    Browser::of(f, &stepped_up(f, &ada).await)
}

async fn child(f: &Fixture, parent: &str, name: &str, kind: &str) -> String {
    child_with(f, json!({"name": name, "kind": kind, "parent_id": parent})).await
}

async fn child_with(f: &Fixture, body: Value) -> String {
    f.operator.post("/v1/tenants", &body).await.expect(201)["id"].as_str().unwrap().to_owned()
}

async fn read(f: &Fixture, tenant: &str) -> Value {
    f.operator.get(&format!("/v1/tenants/{tenant}")).await.expect(200)
}

async fn tenants_are_listed_searched_and_unfolded(f: Arc<Fixture>) {
    let browser = owner(&f).await;
    let path = format!("/console/tenants/{}/tenants", f.root);
    assert!(browser.page(&path).await.contains("No tenant stands beneath this one yet"));
    let partner = child(&f, &f.root, "Zeta Partner", "partner").await;
    let bern = child(&f, &partner, "Bank of Bern", "organization").await;
    child(&f, &bern, "West", "instance").await;
    let basel = child(&f, &f.root, "Bank of Basel", "organization").await;
    f.operator.post(&format!("/v1/tenants/{basel}/suspend"), &json!({})).await.expect(200);
    let all = browser.page(&path).await;
    let at =
        |name: &str| all.find(&format!("class=\"wrap\">{name}</a></th>")).unwrap_or_else(|| panic!("{name}: {all}"));
    assert!(at("Bank of Basel") < at("Bank of Bern") && at("Bank of Bern") < at("West"), "by name");
    assert!(!all.contains(&format!("<th scope=\"row\"><a href=\"/console/tenants/{}\"", f.root)), "not itself");
    let rows = |page: &str| page.matches("<th scope=\"row\">").count();
    assert_eq!(rows(&all), 4);
    for (query, count) in [
        ("q=ban+ber", 1),
        ("q=bank&kind=&status=&cursor=", 2),
        ("kind=instance", 1),
        ("status=suspended", 1),
        ("within=here", 2),
        ("within=here&q=bank", 1),
        ("external_id=x", 0),
    ] {
        assert_eq!(rows(&browser.page(&format!("{path}?{query}")).await), count, "{query}");
    }
    let beneath = browser.page(&format!("/console/tenants/{partner}/tenants")).await;
    assert_eq!(rows(&beneath), 2, "{beneath}");
    assert!(!beneath.contains("Bank of Basel"), "{beneath}");
    let refused = browser.get(&format!("{path}?q=a+b+c+d+e")).await;
    assert!(refused.status == 422 && refused.text.contains("id=\"q-told\""), "{}", refused.text);
    let tree = browser.page(&format!("{path}/tree")).await;
    assert!(tree.contains("Zeta Partner") && !tree.contains("Bank of Bern"), "{tree}");
    assert!(tree.contains(&format!("hx-get=\"/console/tenants/{partner}/tenants/tree\"")), "{tree}");
    assert!(browser.page(&format!("/console/tenants/{bern}/tenants/tree")).await.contains("West"));
    let found = f.operator.get(&format!("/v1/tenants?beneath={partner}&sort=name")).await.expect(200);
    let names: Vec<_> = found["items"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Bank of Bern", "West", "Zeta Partner"]);
    let found = f.operator.get(&format!("/v1/tenants?beneath={partner}&q=bank")).await.expect(200);
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
}

async fn details_are_changed_where_they_may_be(f: Arc<Fixture>) {
    let browser = owner(&f).await;
    let body = json!({"name": "Acme", "kind": "organization", "parent_id": f.root, "email": "ops@acme.example",
        "settings": {"a": 1, "b": {"c": 2}}, "endpoint_limit": 5});
    let acme = child_with(&f, body).await;
    let path = format!("/console/tenants/{acme}/details");
    let before = read(&f, &acme).await;
    let page = browser.page(&path).await;
    for told in [before["org_key"].as_str().unwrap(), before["agent_key"].as_str().unwrap(), "ops@acme.example"] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert!(page.contains(&format!("href=\"/v1/tenants/{acme}/configuration\"")), "{page}");
    let form = browser.page(&format!("{path}/edit")).await;
    let version = field(&form, "version");
    let values = [
        ("version", version.as_str()),
        ("name", "Acme Ltd"),
        ("email", ""),
        ("external_id", "A-1"),
        ("application_limit", "12"),
        ("user_limit", ""),
        ("endpoint_limit", "5"),
        ("city", "Bern"),
        ("settings", "{\"b\": {\"d\": 3}}"),
    ];
    assert_eq!(leads_to(&browser.post(&format!("{path}/edit"), &values).await), path);
    let after = read(&f, &acme).await;
    assert_eq!(
        (&after["name"], &after["email"], &after["external_id"]),
        (&json!("Acme Ltd"), &Value::Null, &json!("A-1"))
    );
    assert_eq!((&after["application_limit"], &after["endpoint_limit"]), (&json!(12), &json!(5)));
    assert_eq!((&after["settings"], &after["address"]["city"]), (&json!({"b": {"d": 3}}), &json!("Bern")));
    let stale = browser.post(&format!("{path}/edit"), &values).await;
    assert!(stale.status == 412 && stale.text.contains("older version"), "{}", stale.text);
    let level = built_in(&f, SUPER_ADMIN).await;
    let bob = Browser::of(&f, &person(&f, &acme, "bob@acme.example", &[&level]).await);
    let form = bob.page(&format!("{path}/edit")).await;
    assert!(!form.contains("name=\"application_limit\"") && form.contains("set by the tenant above"), "{form}");
    let values = [("version", "2"), ("name", "Acme"), ("city", "Basel")];
    assert_eq!(leads_to(&bob.post(&format!("{path}/edit"), &values).await), path);
    let after = read(&f, &acme).await;
    assert_eq!(
        (&after["name"], &after["application_limit"], &after["external_id"]),
        (&json!("Acme"), &json!(12), &json!("A-1"))
    );
    let forced = [("version", "3"), ("name", "Acme"), ("application_limit", "99")];
    assert_eq!(bob.post(&format!("{path}/edit"), &forced).await.status, 403);
    assert!(!bob.page(&path).await.contains("/details/suspend"), "not one's own");
}

async fn a_tenant_is_suspended_deleted_and_taken_back(f: Arc<Fixture>) {
    let acme = child(&f, &f.root, "Acme", "organization").await;
    let west = child(&f, &acme, "West", "instance").await;
    let (_, client) = f.application(&west, "Client", json!({"org.audits": ["READ"]})).await;
    let path = format!("/console/tenants/{acme}/details");
    let stale = owner(&f).await;
    let page = stale.page(&format!("{path}/suspend")).await;
    assert!(page.contains("nor anything beneath it") && page.contains("West"), "{page}");
    assert!(leads_to(&stale.get(&format!("{path}/delete")).await).starts_with("/console/step-up?next="));
    let browser = fresh_owner(&f).await;
    assert!(browser.page(&format!("{path}/delete")).await.contains("Suspend it first"));
    let early = browser.post(&format!("{path}/delete"), &[("confirm", "Acme")]).await;
    assert!(early.status == 409 && early.text.contains("suspend it first"), "{}", early.text);
    assert_eq!(leads_to(&browser.post(&format!("{path}/suspend"), &[]).await), path);
    client.get("/v1/whoami").await.expect(401);
    let page = browser.page(&path).await;
    assert!(page.contains("This tenant is suspended") && page.contains("/details/delete"), "{page}");
    let wrong = browser.post(&format!("{path}/delete"), &[("confirm", "Acne")]).await;
    assert!(wrong.status == 422 && wrong.text.contains("id=\"confirm-told\""), "{}", wrong.text);
    let unproved = stale.post(&format!("{path}/delete"), &[("confirm", "Acme")]).await;
    assert!(unproved.status == 401 && unproved.text.contains("/console/step-up?next="), "{}", unproved.text);
    assert_eq!(leads_to(&browser.post(&format!("{path}/delete"), &[("confirm", "Acme")]).await), path);
    assert_eq!(read(&f, &acme).await["status"], "deleting");
    assert!(browser.page(&path).await.contains("2027-02-14 08:00 UTC"), "30 days");
    assert_eq!(leads_to(&browser.post(&format!("{path}/reactivate"), &[]).await), path);
    client.get("/v1/whoami").await.expect(200);
    let receipts = format!("/console/tenants/{}/purge-receipts", f.root);
    assert!(browser.page(&receipts).await.contains("No tenant is gone for good"));
    f.operator.post(&format!("/v1/tenants/{acme}/suspend"), &json!({})).await.expect(200);
    f.operator.delete(&format!("/v1/tenants/{acme}")).await.expect(202);
    f.app.clock().advance(30 * 86_400 + 60);
    f.app.purge_tenants().await.unwrap();
    let page = owner_again(&f).await.page(&receipts).await;
    for told in ["Acme", "West", &acme, "up to entry"] {
        assert!(page.contains(told), "{told}: {page}");
    }
}

/// Somebody whose session has not ended while the clock went on.
async fn owner_again(f: &Fixture) -> Browser {
    let level = built_in(f, SUPER_ADMIN).await;
    Browser::of(f, &person(f, &f.root, "zoe@example.com", &[&level]).await)
}

async fn a_trial_is_converted_once(f: Arc<Fixture>) {
    let browser = owner(&f).await;
    let acme = child(&f, &f.root, "Acme", "organization").await;
    let new = format!("/console/tenants/{acme}/tenants/new");
    let values = [("name", "West"), ("kind", "instance"), ("trial", "true"), ("trial_ends_at", "2027-03-01")];
    over(&browser, &leads_to(&browser.post(&new, &values).await)).await;
    let found = f.operator.get("/v1/tenants?kind=instance").await.expect(200);
    let west = found["items"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/console/tenants/{west}/details");
    assert!(browser.page(&path).await.contains("on trial"));
    assert_eq!(field(&browser.page(&format!("{path}/edit")).await, "trial_ends_at"), "2027-03-01");
    assert!(browser.page(&format!("{path}/convert")).await.contains("There is no way back"));
    assert_eq!(leads_to(&browser.post(&format!("{path}/convert"), &[]).await), path);
    assert!(!browser.page(&path).await.contains("on trial"));
    let other = browser.post(&format!("/console/tenants/{acme}/details/convert"), &[]).await;
    assert!(other.status == 409 && other.text.contains("not an instance"), "{}", other.text);
    assert_eq!(browser.get(&format!("/console/tenants/{west}/tenants/new")).await.status, 404, "nothing stands there");
}

async fn the_second_factor_asks_for_a_fresh_proof(f: Arc<Fixture>) {
    let acme = child(&f, &f.root, "Acme", "organization").await;
    let path = format!("/console/tenants/{acme}/details/mfa");
    assert!(leads_to(&owner(&f).await.get(&path).await).starts_with("/console/step-up?next="));
    let browser = fresh_owner(&f).await;
    assert!(browser.page(&path).await.contains("An authenticator or a passkey"));
    let refused = browser.post(&path, &[("mfa_required", "magic")]).await;
    assert!(refused.status == 422 && refused.text.contains("id=\"mfa_required-told\""), "{}", refused.text);
    leads_to(&browser.post(&path, &[("mfa_required", "totp")]).await);
    assert_eq!(read(&f, &acme).await["mfa_required"], "totp");
}

async fn endpoints_are_told_tenant_by_tenant(f: Arc<Fixture>) {
    let browser = owner(&f).await;
    let acme =
        child_with(&f, json!({"name": "Acme", "kind": "organization", "parent_id": f.root, "endpoint_limit": 5})).await;
    let beta = child(&f, &f.root, "Beta", "organization").await;
    let path = format!("/console/tenants/{acme}/utilization");
    assert!(browser.page(&path).await.contains("Nothing was reported in this month"));
    let refused = browser.post(&path, &[("count", "-1")]).await;
    assert!(refused.status == 422 && refused.text.contains("id=\"count-told\""), "{}", refused.text);
    assert_eq!(leads_to(&browser.post(&path, &[("count", "1,200")]).await), path);
    f.operator.put(&format!("/v1/tenants/{beta}/endpoints"), &json!({"count": 7})).await.expect(200);
    let page = browser.page(&path).await;
    assert!(page.contains("over the limit") && page.contains("1,200") && !page.contains("Beta"), "{page}");
    let all = browser.page(&format!("/console/tenants/{}/utilization?grain=month&from=&to=", f.root)).await;
    for (tenant, count) in [(&acme, "1,200"), (&beta, "7")] {
        let row = all.split(&format!("href=\"/console/tenants/{tenant}/utilization\"")).nth(1).unwrap();
        assert!(row.split("</tr>").next().unwrap().contains(&format!("<td class=\"number\">{count}</td>")), "{all}");
    }
    assert!(all.contains("<td class=\"number\">1,207</td>"), "with everything beneath: {all}");
    let refused = browser.get(&format!("{path}?from=soon&month=")).await;
    assert!(refused.status == 422 && refused.text.contains("id=\"from-told\""), "{}", refused.text);
}

async fn a_person_beneath_sees_nothing_beside(f: Arc<Fixture>) {
    let level = built_in(&f, SUPER_ADMIN).await;
    let (acme, beside) =
        (child(&f, &f.root, "Acme", "organization").await, child(&f, &f.root, "Beta", "organization").await);
    let bob = Browser::of(&f, &person(&f, &acme, "bob@acme.example", &[&level]).await);
    for rest in [
        "/tenants",
        "/tenants/tree",
        "/tenants/new",
        "/provisionings",
        "/purge-receipts",
        "/details",
        "/details/edit",
        "/details/mfa",
        "/details/suspend",
        "/details/delete",
        "/utilization",
    ] {
        for tenant in [&beside, &f.root] {
            assert_eq!(bob.get(&format!("/console/tenants/{tenant}{rest}")).await.status, 404, "{rest}");
        }
    }
    for rest in ["/details/suspend", "/details/edit", "/tenants/new", "/utilization"] {
        assert_eq!(bob.post(&format!("/console/tenants/{beside}{rest}"), &[("name", "x")]).await.status, 404, "{rest}");
    }
    assert_eq!(read(&f, &beside).await["status"], "active");
    let nobody = Browser::of(&f, &person(&f, &acme, "eve@acme.example", &[]).await);
    let page = nobody.page(&format!("/console/tenants/{acme}")).await;
    assert!(!page.contains("/details\"") && !page.contains("/utilization\""), "{page}");
    assert_eq!(nobody.get(&format!("/console/tenants/{acme}/tenants")).await.status, 403);
    assert_eq!(nobody.get(&format!("/console/tenants/{acme}/details")).await.status, 403);
}

async fn k7_what_is_written_is_shown_as_text(f: Arc<Fixture>) {
    let browser = owner(&f).await;
    let probe = "\"><img src=x onerror=alert(1)>";
    let body = json!({"name": format!("Acme {probe}"), "kind": "organization", "parent_id": f.root,
        "external_id": probe, "short_name": probe, "address": {"city": probe}, "settings": {probe: probe}});
    let acme = child_with(&f, body).await;
    for path in [
        format!("/console/tenants/{}/tenants?q=acme", f.root),
        format!("/console/tenants/{}/tenants/tree", f.root),
        format!("/console/tenants/{acme}/details"),
        format!("/console/tenants/{acme}/details/edit"),
        format!("/console/tenants/{acme}/details/suspend"),
        format!("/console/tenants/{acme}/utilization"),
    ] {
        let page = browser.page(&path).await;
        assert!(!page.contains("<img src=x") && page.contains("&#60;img"), "{path}: {page}");
        assert!(!page.contains("style=\"") && page.matches("<h1").count() == 1, "{path}");
    }
}
