//! The way to a provider and back, and who somebody is afterwards.

use super::{Begun, Scene, ask, come_back};
use crate::console::browser::Browser;
use crate::fixture::{Fixture, on_both_outgoing, send};
use crate::native::sign_in::{PASSWORD, cookie, give_password, seen, sign_in};
use crate::people::{built_in, user};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use std::sync::Arc;

on_both_outgoing![
    somebody_signs_in_at_the_provider,
    the_console_leads_there_and_back,
    a_browser_goes_on_within_this_server,
    the_domain_alone_says_where_to_sign_in,
    a_client_proves_itself_as_the_provider_wants_it,
    whoever_proves_who_it_is_there_has_proved_it_here,
    users_are_made_where_the_provider_may_make_them,
    more_is_asked_for_where_the_id_token_says_too_little,
    an_account_is_one_person_for_good,
    passwords_are_refused_where_the_provider_is_required,
    no_other_site_begins_a_sign_in,
    who_begins_too_many_sign_ins_waits,
];

async fn the_console_leads_there_and_back(f: Arc<Fixture>) {
    let scene = Scene::set(&f, json!({})).await;
    user(&f, &scene.org, "ada@acme.example", &[&built_in(&f, "View All").await]).await;
    let browser = Browser::new(&f);
    let begin = async |email: &str| {
        browser.post("/console/sign-in/sso", &[("email", email), ("next", "/console/switch")]).await
    };
    let told = begin("ada@elsewhere.example").await;
    assert!(told.text.contains("sign in here by password"), "{}", told.text);
    assert!(browser.cookie("__Host-claviger_sso").is_none());
    let page = begin("ada@acme.example").await;
    assert_eq!(page.status, 200, "{}", page.text);
    let (_, link) = page.text.split_once(r#"<a class="button main" href=""#).expect("a link");
    let link = link.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
    let url = Url::parse(&link).unwrap();
    assert!(url.as_str().starts_with(&format!("{}/authorize?", scene.idp.url)), "{url}");
    let cookie = browser.cookie("__Host-claviger_sso").expect("a cookie");
    let begun = Begun { query: url.query_pairs().into_owned().collect(), cookie };
    let token = scene.idp.token(&scene.claims(&f, &begun, "ada@acme.example"));
    let back = scene.back_with(&f, &begun, json!({ "id_token": token })).await;
    assert_eq!(back.status, 200, "{}", back.text);
    assert!(back.text.contains("/console/switch"), "{}", back.text);
}

async fn somebody_signs_in_at_the_provider(f: Arc<Fixture>) {
    let scene = Scene::set(&f, json!({})).await;
    let ada = user(&f, &scene.org, "Ada@acme.example", &[&built_in(&f, "View All").await]).await;
    let begun = scene.begin(&f, " ada@ACME.example").await;
    let query = &begun.query;
    let redirect_uri = format!("{}/v1/sign-in/sso/callback", f.operator.base);
    for (name, expected) in [
        ("response_type", "code"),
        ("client_id", "claviger"),
        ("redirect_uri", redirect_uri.as_str()),
        ("scope", "openid email profile"),
        ("code_challenge_method", "S256"),
        ("login_hint", "ada@ACME.example"),
    ] {
        assert_eq!(query[name], expected, "{name}");
    }
    let token = scene.idp.token(&scene.claims(&f, &begun, "ada@acme.example"));
    let code = scene.code(&begun, json!({"id_token": token}));
    let back = [("state", query["state"].as_str()), ("code", code.as_str()), ("session_state", "x")];
    let answer = come_back(&f, &begun.cookie, &back).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    let set: Vec<_> = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert!(set.iter().any(|text| text.starts_with("__Host-claviger_session=") && text.ends_with("SameSite=Strict")));
    assert!(set.contains(&"__Host-claviger_sso=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"), "{set:?}");
    let session = cookie(&answer, "session").unwrap();
    assert!(!answer.text.contains(&session));
    let me = f.operator.bare(Method::GET, "/v1/me").header("cookie", format!("__Host-claviger_session={session}"));
    let me = send(me).await.expect(200);
    assert_eq!((&me["user"]["id"], &me["user"]["status"]), (&json!(ada), &json!("active")));
    assert_eq!(me["session"]["methods"], json!(["sso"]));
    let (authorization, form) = scene.idp.asked.lock()[0].clone();
    assert_eq!(authorization.unwrap(), format!("Basic {}", STANDARD.encode("claviger:hush%3A%20hush")));
    assert_eq!(
        (form["grant_type"].as_str(), form["redirect_uri"].as_str()),
        ("authorization_code", redirect_uri.as_str())
    );
    assert!(!form.contains_key("client_secret"));
    let audit = f.audit(&scene.org).await;
    let entry = &audit[0];
    assert_eq!((&entry["action"], &entry["actor"]["id"]), (&json!("user.signed_in"), &json!(ada)));
    assert_eq!(entry["request"], "GET /v1/sign-in/sso/callback");
    assert_eq!(entry["details"]["identity_provider_id"], scene.provider["id"]);
    assert_eq!(entry["details"]["identity_linked"], true);
    assert_eq!(come_back(&f, &begun.cookie, &back).await.code(401), "sign_in_failed", "once");
}

async fn a_browser_goes_on_within_this_server(f: Arc<Fixture>) {
    let scene =
        Scene::set(&f, json!({"create_users": true, "default_access_level_ids": [built_in(&f, "View All").await]}))
            .await;
    let answer = ask(&f, &json!({"email": "ada@acme.example", "return_to": "/console?a=1&b=2"})).await;
    let url = answer.json()["redirect_url"].as_str().unwrap().to_owned();
    let url = reqwest::Url::parse(&url).unwrap();
    let begun =
        super::Begun { query: url.query_pairs().into_owned().collect(), cookie: cookie(&answer, "sso").unwrap() };
    let token = scene.idp.token(&scene.claims(&f, &begun, "ada@acme.example"));
    let page = scene.back_with(&f, &begun, json!({"id_token": token})).await;
    assert!(page.text.contains("content=\"0; url=/console?a=1&amp;b=2\""), "{}", page.text);
    for bad in ["//evil.example", "https://evil.example", "/\\evil.example", "console", ""] {
        assert_eq!(ask(&f, &json!({"email": "ada@acme.example", "return_to": bad})).await.status, 422, "{bad}");
    }
}

async fn the_domain_alone_says_where_to_sign_in(f: Arc<Fixture>) {
    let scene = Scene::set(&f, json!({"domains": ["acme.example", "acme.test"]})).await;
    user(&f, &scene.org, "ada@acme.example", &[]).await;
    user(&f, &scene.org, "bob@elsewhere.example", &[]).await;
    let password = json!({"method": "password", "redirect_url": null});
    for email in ["bob@elsewhere.example", "nobody@elsewhere.example", "ada@sub.acme.example", "nonsense", "@", ""] {
        let answer = ask(&f, &json!({"email": email})).await;
        assert_eq!(cookie(&answer, "sso"), None);
        assert_eq!(answer.expect(200), password, "{email}");
    }
    for email in ["ada@acme.example", "nobody@acme.example", "x@ACME.test"] {
        scene.begin(&f, email).await;
    }
    let padded = format!("{:>512}{}", "@acme.example", "x".repeat(10_000));
    let begun = ask(&f, &json!({"email": padded})).await.expect(200);
    assert!(begun.to_string().len() < 2_000, "what is typed is not passed on at any length");
    scene.change(&f, json!({"enabled": false})).await;
    assert_eq!(ask(&f, &json!({"email": "ada@acme.example"})).await.expect(200), password, "disabled");
    scene.change(&f, json!({"enabled": true})).await;
    f.operator.patch(&format!("/v1/tenants/{}", scene.org), &json!({"status": "suspended"})).await.expect(200);
    assert_eq!(ask(&f, &json!({"email": "ada@acme.example"})).await.expect(200), password, "suspended");
}

async fn a_client_proves_itself_as_the_provider_wants_it(f: Arc<Fixture>) {
    let roles = json!({"create_users": true, "default_access_level_ids": [built_in(&f, "View All").await]});
    let scene = Scene::set(&f, roles).await;
    scene.idp.says.lock().insert("token_endpoint_auth_methods_supported".into(), json!(["client_secret_post"]));
    scene.enter(&f, "ada@acme.example", json!({})).await;
    let (authorization, form) = scene.idp.asked.lock().pop().unwrap();
    assert_eq!((authorization, form["client_secret"].as_str()), (None, "hush: hush"));
    scene.change(&f, json!({"client_secret": null})).await;
    scene.enter(&f, "ada@acme.example", json!({})).await;
    let (authorization, form) = scene.idp.asked.lock().pop().unwrap();
    assert_eq!((authorization, form["client_id"].as_str()), (None, "claviger"));
    assert!(!form.contains_key("client_secret"), "PKCE alone");
}

async fn whoever_proves_who_it_is_there_has_proved_it_here(f: Arc<Fixture>) {
    let scene = Scene::set(&f, json!({})).await;
    user(&f, &scene.org, "ada@acme.example", &[&built_in(&f, "Super Admin").await]).await;
    let rename = json!({"name": "Ours"});
    let at = |seconds: i64| json!({"auth_time": f.app.clock().now().seconds() + seconds});
    for known in [json!({}), at(-3_600), at(3_600)] {
        let ada = scene.enter(&f, "ada@acme.example", known.clone()).await;
        let refused = ada.send(Method::PATCH, &scene.path(), &rename).await;
        assert_eq!(refused.code(401), "step_up_needed", "{known}");
    }
    let ada = scene.enter(&f, "ada@acme.example", at(0)).await;
    ada.send(Method::PATCH, &scene.path(), &rename).await.expect(200);
    let url =
        ask(&f, &json!({"email": "ada@acme.example", "fresh": true})).await.expect(200)["redirect_url"].to_string();
    assert!(url.contains("&prompt=login&max_age=0"), "{url}");
}

async fn users_are_made_where_the_provider_may_make_them(f: Arc<Fixture>) {
    let view = built_in(&f, "View All").await;
    let scene = Scene::set(&f, json!({"default_access_level_ids": [view]})).await;
    assert_eq!(scene.sign_in(&f, "ada@acme.example", json!({})).await.code(401), "sign_in_failed");
    scene.change(&f, json!({"create_users": true})).await;
    let ada = scene.enter(&f, "ada@acme.example", json!({})).await;
    let made = f.operator.get(&ada.path()).await.expect(200);
    assert_eq!((&made["email"], &made["status"]), (&json!("ada@acme.example"), &json!("active")));
    assert_eq!((&made["first_name"], &made["last_name"]), (&json!("Ada"), &json!("Lovelace")));
    assert_eq!(made["access_level_ids"], json!([view]));
    let audit = f.audit(&scene.org).await;
    assert_eq!(audit[0]["details"]["user_created"], true);
    scene.change(&f, json!({"default_access_level_ids": []})).await;
    assert_eq!(scene.sign_in(&f, "eve@acme.example", json!({})).await.code(401), "sign_in_failed");
    let again = scene.enter(&f, "ada@acme.example", json!({})).await;
    assert_eq!(again.id, ada.id, "whoever is there stays");
    let reasons = scene.reasons(&f).await;
    assert!(
        ["user_unknown", "sso_no_access_level"].iter().all(|one| reasons.iter().any(|told| told == one)),
        "{reasons:?}"
    );
    // Nor are more made than the tenant may have.
    f.operator.patch(&format!("/v1/tenants/{}", scene.org), &json!({"user_limit": 1})).await.expect(200);
    scene.change(&f, json!({"default_access_level_ids": [view]})).await;
    assert_eq!(scene.sign_in(&f, "eve@acme.example", json!({})).await.code(401), "sign_in_failed");
    assert!(scene.reasons(&f).await.contains(&"user_limit_reached".to_owned()));
    // Somebody of another tenant is not taken over, whatever the provider says.
    let (other, _) = f.organization("Other").await;
    user(&f, &other, "mallory@acme.example", &[&view]).await;
    assert_eq!(scene.sign_in(&f, "mallory@acme.example", json!({})).await.code(401), "sign_in_failed");
    assert!(scene.reasons(&f).await.contains(&"sso_user_of_another_tenant".to_owned()));
}

async fn more_is_asked_for_where_the_id_token_says_too_little(f: Arc<Fixture>) {
    let view = built_in(&f, "View All").await;
    let scene = Scene::set(&f, json!({})).await;
    user(&f, &scene.org, "ada@acme.example", &[]).await;
    let silent = || json!({"email": null, "email_verified": null, "sub": "ada"});
    let told =
        |sub: &str| json!({"sub": sub, "email": "ada@acme.example", "email_verified": true, "groups": ["viewers"]});
    assert_eq!(scene.sign_in(&f, "ada@acme.example", silent()).await.code(401), "sign_in_failed");
    for (token, sub) in [("b", "ada"), ("a", "eve")] {
        scene.idp.told.lock().insert(token.into(), told(sub));
        assert_eq!(scene.sign_in(&f, "ada@acme.example", silent()).await.code(401), "sign_in_failed", "{token}");
    }
    let reasons = scene.reasons(&f).await;
    for reason in ["sso_email_missing", "sso_provider_tells_nothing", "sso_other_subject_told"] {
        assert!(reasons.iter().any(|told| told == reason), "{reason} in {reasons:?}");
    }
    scene.idp.told.lock().insert("a".into(), told("ada"));
    scene.enter(&f, "ada@acme.example", silent()).await;
    let rule = json!({"claim": "groups", "value": "viewers", "access_level_ids": [view]});
    scene.change(&f, json!({"role_mapping": [rule]})).await;
    let ada = scene.enter(&f, "ada@acme.example", json!({"sub": "ada"})).await;
    assert_eq!(
        f.operator.get(&ada.path()).await.expect(200)["access_level_ids"],
        json!([view]),
        "groups are told there"
    );
}

async fn an_account_is_one_person_for_good(f: Arc<Fixture>) {
    let scene = Scene::set(&f, json!({})).await;
    let view = built_in(&f, "View All").await;
    let ada = user(&f, &scene.org, "ada@acme.example", &[&view]).await;
    let bob = user(&f, &scene.org, "bob@acme.example", &[&view]).await;
    let subject = |sub: &str| json!({"sub": sub});
    assert_eq!(scene.enter(&f, "ada@acme.example", subject("one")).await.id, ada);
    // The address has been given to somebody else.
    assert_eq!(scene.sign_in(&f, "ada@acme.example", subject("two")).await.code(401), "sign_in_failed");
    assert!(scene.reasons(&f).await.contains(&"sso_other_subject".to_owned()));
    // The same account under another address is the same person.
    assert_eq!(scene.enter(&f, "bob@acme.example", subject("one")).await.id, ada);
    assert_eq!(scene.enter(&f, "bob@acme.example", subject("two")).await.id, bob);
    let users = format!("/v1/tenants/{}/users/{ada}", scene.org);
    let pinned = f.operator.get(&format!("{users}/identities")).await.expect(200);
    assert_eq!((&pinned["items"][0]["subject"], pinned["items"].as_array().unwrap().len()), (&json!("one"), 1));
    assert_eq!(pinned["items"][0]["identity_provider_id"], scene.provider["id"]);
    assert_eq!(f.operator.delete(&format!("{users}/identities")).await.status, 204);
    assert_eq!(scene.enter(&f, "ada@acme.example", subject("three")).await.id, ada, "forgotten by an administrator");
    f.operator.post(&format!("{users}/disable"), &json!({})).await.expect(200);
    assert_eq!(scene.sign_in(&f, "ada@acme.example", subject("three")).await.code(401), "sign_in_failed");
    assert!(scene.reasons(&f).await.contains(&"user_disabled".to_owned()));
}

async fn passwords_are_refused_where_the_provider_is_required(f: Arc<Fixture>) {
    let scene = Scene::set(&f, json!({})).await;
    let ada = user(&f, &scene.org, "ada@acme.example", &[]).await;
    give_password(&f, &scene.org, &ada, PASSWORD).await;
    let (other, _) = f.organization("Other").await;
    let eve = user(&f, &other, "eve@acme.example", &[]).await;
    give_password(&f, &other, &eve, PASSWORD).await;
    assert_eq!(sign_in(&f.operator, "ada@acme.example", PASSWORD).await.status, 200, "not required");
    scene.change(&f, json!({"required": true})).await;
    let stranger = seen(sign_in(&f.operator, "nobody@acme.example", PASSWORD).await);
    assert_eq!(seen(sign_in(&f.operator, "ada@acme.example", PASSWORD).await), stranger);
    assert!(scene.reasons(&f).await.contains(&"sso_required".to_owned()));
    assert_eq!(sign_in(&f.operator, "eve@acme.example", PASSWORD).await.status, 200, "another tenant's person");
    scene.enter(&f, "ada@acme.example", json!({})).await;
    scene.change(&f, json!({"enabled": false})).await;
    assert_eq!(
        sign_in(&f.operator, "ada@acme.example", PASSWORD).await.status,
        200,
        "a provider that is off forbids nothing"
    );
}

async fn no_other_site_begins_a_sign_in(f: Arc<Fixture>) {
    let _scene = Scene::set(&f, json!({})).await;
    let body = json!({"email": "ada@acme.example"});
    for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        let request = f.operator.bare(Method::POST, "/v1/sign-in/sso").header(name, value).json(&body);
        assert_eq!(send(request).await.status, 403, "{name}");
    }
    for body in [json!({}), json!({"email": 7}), json!({"email": "a@b.example", "password": "x"}), Value::Null] {
        assert_eq!(ask(&f, &body).await.status, 422, "{body}");
    }
}

async fn who_begins_too_many_sign_ins_waits(f: Arc<Fixture>) {
    let _scene = Scene::set(&f, json!({})).await;
    let body = json!({"email": "ada@elsewhere.example"});
    for _ in 0..200 {
        ask(&f, &body).await.expect(200);
    }
    let limited = ask(&f, &body).await;
    assert_eq!(limited.status, 429);
    assert!(limited.header("retry-after").is_some());
    f.app.clock().advance(900);
    ask(&f, &body).await.expect(200);
}
