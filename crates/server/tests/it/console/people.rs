//! People in the console.

use super::browser::{Browser, field, leads_to};
use crate::fixture::{Fixture, on_both};
use crate::mails::newest;
use crate::people::{Person, SUPER_ADMIN, built_in, person, stepped_up, user};
use serde_json::json;
use std::sync::Arc;

on_both!(
    somebody_is_invited,
    people_are_listed_searched_and_filtered,
    roles_are_ticked,
    the_last_owner_is_protected,
    whoever_leaves_hands_over,
    sessions_and_factors_are_ended,
    profiles_are_shown,
    what_is_beside_or_above_is_out_of_reach,
);

/// An owner of the operator's tenant who has just proved anew who it is, an organization with another owner, and where its people are.
async fn begin(f: &Fixture) -> (Person, Browser, String, String) {
    let owner = built_in(f, SUPER_ADMIN).await;
    let ada = person(f, &f.root, "ada@example.com", &[&owner]).await;
    let ada = stepped_up(f, &ada).await;
    let (acme, _) = f.organization("Acme").await;
    let browser = Browser::of(f, &ada);
    let path = format!("/console/tenants/{acme}/people");
    (ada, browser, acme, path)
}

async fn somebody_is_invited(f: Arc<Fixture>) {
    let (_, browser, acme, path) = begin(&f).await;
    assert!(browser.page(&path).await.contains("Nobody here yet"));
    let form = browser.page(&format!("{path}/new")).await;
    assert!(form.contains("Super Admin") && form.contains("name=\"access_level_ids\""), "{form}");
    let refused = browser.post(&path, &[("email", "nobody"), ("phone", "call me"), ("reach", "own")]).await;
    assert_eq!(refused.status, 422);
    for told in ["id=\"email-told\"", "id=\"phone-told\"", "value=\"own\" checked"] {
        assert!(refused.text.contains(told), "{told}: {}", refused.text);
    }
    let owner = built_in(&f, SUPER_ADMIN).await;
    let values = [("email", "bob@example.com"), ("first_name", "Bob"), ("access_level_ids", &owner), ("reach", "own")];
    let made = leads_to(&browser.post(&path, &values).await);
    let one = browser.page(&made).await;
    for told in ["The invitation is on its way", "Super Admin", "this tenant alone", "invited", "Invite again"] {
        assert!(one.contains(told), "{told}: {one}");
    }
    let link = newest(&f, "bob@example.com").await;
    let taken = browser.post(&path, &[("email", "BOB@example.com"), ("reach", "own")]).await;
    assert_eq!(taken.status, 409);
    assert!(taken.text.contains("signs in with"), "{}", taken.text);
    let one = made.split('?').next().unwrap();
    assert!(leads_to(&browser.post(&format!("{one}/invitation/cancel"), &[]).await).ends_with("told=cancelled"));
    let dead = json!({ "token": link.token(), "password": "several words that mean nothing" });
    assert_eq!(f.operator.post("/v1/invitations/accept", &dead).await.status, 409);
    f.app.clock().advance(1);
    assert!(leads_to(&browser.post(&format!("{one}/invitation"), &[]).await).ends_with("told=again"));
    assert_ne!(newest(&f, "bob@example.com").await.token(), link.token());
    assert!(browser.page(&format!("/console/tenants/{acme}")).await.contains(&format!("href=\"{path}\"")));
}

async fn people_are_listed_searched_and_filtered(f: Arc<Fixture>) {
    let (_, browser, acme, path) = begin(&f).await;
    let owner = built_in(&f, SUPER_ADMIN).await;
    person(&f, &acme, "bob@example.com", &[&owner]).await;
    f.operator
        .post(&format!("/v1/tenants/{acme}/users"), &json!({"email": "eve@example.com", "first_name": "<i>Eve</i>"}))
        .await
        .expect(201);
    let list = browser.page(&path).await;
    for told in
        ["bob@<wbr>example.com", "eve@<wbr>example.com", "Super Admin", "<time datetime=", "never", "&#60;i&#62;Eve"]
    {
        assert!(list.contains(told), "{told}: {list}");
    }
    let found = browser.page(&format!("{path}?q=bo&status=&cursor=")).await;
    assert!(found.contains("bob@<wbr>example.com") && !found.contains("eve@<wbr>example.com"), "{found}");
    let invited = browser.page(&format!("{path}?status=invited")).await;
    assert!(invited.contains("eve@<wbr>example.com") && !invited.contains("bob@<wbr>example.com"), "{invited}");
    assert!(browser.page(&format!("{path}?q=zoe")).await.contains("Nobody fits"));
    for number in 0..50 {
        user(&f, &acme, &format!("user{number}@example.com"), &[]).await;
    }
    let list = browser.page(&path).await;
    let next = list.split('"').find(|text| text.contains("cursor=")).unwrap();
    let rest = browser.page(next).await;
    assert!(rest.contains("First page"), "{rest}");
    assert_eq!(list.matches("<tr>").count() + rest.matches("<tr>").count(), 54);
}

async fn roles_are_ticked(f: Arc<Fixture>) {
    let (_, browser, acme, path) = begin(&f).await;
    let bob = person(&f, &acme, "bob@example.com", &[]).await;
    let level = json!({"name": "Auditors", "description": "Reads", "grants": {"org.audits": ["READ"]}});
    let level = f.operator.post(&format!("/v1/tenants/{acme}/access-levels"), &level).await.expect(201);
    let (level, one) = (level["id"].as_str().unwrap(), format!("{path}/{}", bob.id));
    let form = browser.page(&format!("{one}/roles")).await;
    let version = field(&form, "version");
    let values = [("version", version.as_str()), ("access_level_ids", level)];
    assert!(leads_to(&browser.post(&format!("{one}/roles"), &values).await).ends_with("told=roles"));
    assert!(browser.page(&one).await.contains("Auditors"));
    let form = browser.page(&format!("{one}/roles")).await;
    assert!(form.contains(&format!("value=\"{level}\" checked")), "{form}");
    let stale = browser.post(&format!("{one}/roles"), &values).await;
    assert_eq!(stale.status, 412);
    assert!(stale.text.contains("older version"), "{}", stale.text);
    let form = browser.page(&format!("{one}/edit")).await;
    let version = field(&form, "version");
    let values = [("version", version.as_str()), ("first_name", "Robert"), ("phone", "+44 1"), ("reach", "own")];
    assert!(leads_to(&browser.post(&format!("{one}/edit"), &values).await).ends_with("told=saved"));
    let shown = browser.page(&one).await;
    assert!(shown.contains("Robert") && shown.contains("+44 1") && shown.contains("this tenant alone"), "{shown}");
}

async fn the_last_owner_is_protected(f: Arc<Fixture>) {
    let (_, browser, acme, path) = begin(&f).await;
    let owner = built_in(&f, SUPER_ADMIN).await;
    let bob = person(&f, &acme, "bob@example.com", &[&owner]).await;
    let one = format!("{path}/{}", bob.id);
    let version = field(&browser.page(&one).await, "version");
    let refused = browser.post(&format!("{one}/enabled"), &[("version", &version), ("enabled", "false")]).await;
    assert_eq!(refused.status, 409);
    assert!(refused.text.contains("the last active user"), "{}", refused.text);
    person(&f, &acme, "eve@example.com", &[&owner]).await;
    let done = browser.post(&format!("{one}/enabled"), &[("version", &version), ("enabled", "false")]).await;
    assert!(leads_to(&done).ends_with("told=disabled"));
    assert_eq!(bob.get("/v1/me").await.status, 401);
    let page = browser.page(&one).await;
    let version = field(&page, "version");
    assert!(page.contains(">Enable<"), "{page}");
    let done = browser.post(&format!("{one}/enabled"), &[("version", &version), ("enabled", "true")]).await;
    assert!(leads_to(&done).ends_with("told=enabled"));
}

async fn whoever_leaves_hands_over(f: Arc<Fixture>) {
    let (ada, browser, acme, path) = begin(&f).await;
    let bob = person(&f, &acme, "bob@example.com", &[]).await;
    person(&f, &acme, "eve@example.com", &[]).await;
    let (application, _) = f.application(&acme, "SIEM", json!({})).await;
    let owned = json!({ "owner_id": bob.id });
    f.operator.patch(&format!("/v1/tenants/{acme}/applications/{application}"), &owned).await.expect(200);
    let one = format!("{path}/{}", bob.id);
    // A session that was not proved anew is led to where that is done, and back.
    let tired = crate::people::session(&f, &f.root, &ada.id).await;
    let tired = Browser::of(&f, &Person { session: tired.0, cookie: tired.1, ..ada });
    let to = leads_to(&tired.get(&format!("{one}/delete")).await);
    assert!(to.starts_with("/console/step-up?next=%2Fconsole%2Ftenants"), "{to}");
    assert!(browser.page(&one).await.contains(&format!("{one}/delete")));
    let form = browser.page(&format!("{one}/delete")).await;
    assert!(form.contains("SIEM") && form.contains("1 application:"), "{form}");
    let version = field(&form, "version");
    let delete = async |confirm: &str, successor: &str| {
        let values = [("version", version.as_str()), ("confirm", confirm), ("successor_id", successor)];
        browser.post(&format!("{one}/delete"), &values).await
    };
    let refused = delete("bob", "eve@example.com").await;
    assert!(refused.status == 422 && refused.text.contains("id=\"confirm-told\""), "{}", refused.text);
    let refused = delete("bob@example.com", "zoe@example.com").await;
    assert!(refused.status == 422 && refused.text.contains("id=\"successor_id-told\""), "{}", refused.text);
    let refused = delete("bob@example.com", "").await;
    assert!(refused.status == 409 && refused.text.contains("SIEM"), "{}", refused.text);
    assert_eq!(leads_to(&delete("Bob@example.com", "eve@example.com").await), format!("{path}?told=deleted"));
    assert_eq!(browser.get(&one).await.status, 404);
}

async fn sessions_and_factors_are_ended(f: Arc<Fixture>) {
    let (_, browser, acme, path) = begin(&f).await;
    let bob = stepped_up(&f, &person(&f, &acme, "bob@example.com", &[]).await).await;
    bob.post("/v1/me/factors/totp", &json!({ "name": "Phone" })).await.expect(201);
    let one = format!("{path}/{}", bob.id);
    let page = browser.page(&one).await;
    assert!(page.contains("Phone") && page.contains("not confirmed") && page.contains(&bob.session), "{page}");
    let ended = browser.post(&format!("{one}/sessions/{}/end", bob.session), &[]).await;
    assert!(leads_to(&ended).ends_with("told=ended"));
    assert_eq!(bob.get("/v1/me").await.status, 401);
    assert!(leads_to(&browser.post(&format!("{one}/sessions/end"), &[]).await).ends_with("told=all-ended"));
    assert!(browser.page(&one).await.contains("not signed in anywhere"));
    assert!(browser.page(&format!("{one}/factors/reset")).await.contains("1 second factor and"));
    assert!(leads_to(&browser.post(&format!("{one}/factors/reset"), &[]).await).ends_with("told=reset"));
    assert!(!browser.page(&one).await.contains("Phone"));
}

async fn profiles_are_shown(f: Arc<Fixture>) {
    use claviger_domain::access_profile::{AccessProfile, Conditions};
    use claviger_domain::application::Reach;
    use claviger_domain::id::{AccessLevelId, AccessProfileId, TenantId, UserId};
    let (_, browser, acme, path) = begin(&f).await;
    let bob = person(&f, &acme, "bob@example.com", &[]).await;
    let owner = AccessLevelId::parse(&built_in(&f, SUPER_ADMIN).await).unwrap();
    let networks = vec![claviger_domain::network::Network::parse("/networks", "192.0.2.0/24").unwrap()];
    let profile = AccessProfile {
        id: AccessProfileId::new(f.app.clock().now(), [1; 10]),
        reach: Reach::Own,
        roles: vec![owner],
        conditions: Conditions { networks: Some(networks), expires_at: None, disabled: true },
    };
    let mut tx = f.app.store().begin().await.unwrap();
    let (tenant, id) = (TenantId::parse(&acme).unwrap(), UserId::parse(&bob.id).unwrap());
    tx.put_access_profiles(tenant, id, &[profile]).await.unwrap();
    tx.commit().await.unwrap();
    let page = browser.page(&format!("{path}/{}", bob.id)).await;
    for told in ["Access profiles", "Super Admin", "switched off; from 192.0.2.0/24", "for ever"] {
        assert!(page.contains(told), "{told}: {page}");
    }
}

async fn what_is_beside_or_above_is_out_of_reach(f: Arc<Fixture>) {
    let (ada, _, acme, path) = begin(&f).await;
    let (beta, _) = f.organization("Beta").await;
    let level = json!({"name": "People", "description": "", "grants": {"users": ["READ", "UPDATE", "DELETE"]}});
    let level = f.operator.post(&format!("/v1/tenants/{acme}/access-levels"), &level).await.expect(201);
    let owner = built_in(&f, SUPER_ADMIN).await;
    let bob = stepped_up(&f, &person(&f, &acme, "bob@example.com", &[level["id"].as_str().unwrap()]).await).await;
    let boss = person(&f, &acme, "boss@example.com", &[&owner]).await;
    let eve = person(&f, &beta, "eve@example.com", &[]).await;
    let browser = Browser::of(&f, &bob);
    for page in [
        format!("/console/tenants/{beta}/people"),
        format!("/console/tenants/{beta}/people/{}", eve.id),
        format!("{path}/{}", eve.id),
        format!("{path}/{}/delete", ada.id),
        format!("{path}/{}/roles", eve.id),
    ] {
        assert_eq!(browser.get(&page).await.status, 404, "{page}");
    }
    // One with more rights can be looked at, and no more.
    let one = format!("{path}/{}", boss.id);
    let page = browser.page(&one).await;
    assert!(page.contains("rights that you do not have") && !page.contains(">Disable<"), "{page}");
    let refused = browser.post(&format!("{one}/enabled"), &[("enabled", "false")]).await;
    assert_eq!(refused.status, 403);
    assert_eq!(boss.get("/v1/me").await.status, 200);
    // Whoever may not see people finds no entry either.
    let nobody = person(&f, &acme, "nobody@example.com", &[]).await;
    let nobody = Browser::of(&f, &nobody);
    assert!(!nobody.page(&format!("/console/tenants/{acme}")).await.contains("/people\""));
    assert_eq!(nobody.get(&path).await.status, 403);
}
