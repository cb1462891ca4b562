//! A small world with something of everything that pages show, and the list of all pages, for tests that look at all of them.

use super::account::key_and_form;
use super::browser::{Browser, leads_to};
use super::provisionings::over;
use crate::fixture::{Fixture, send};
use crate::mails::mails;
use crate::native::factors::code;
use crate::people::{SUPER_ADMIN, built_in, half_way, person, stepped_up, user};
use claviger_domain::id::{ProviderId, TenantId, UserId};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Who looks at a page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// An owner of the operator's tenant, who has just proved who she is.
    Owner,
    /// Somebody whose sign-in waits for the second factor.
    HalfWay,
    /// Nobody who has signed in.
    Stranger,
}

/// A page: what its snapshot is called, its route, what stands in the places of that, its query, and who looks.
pub(super) struct Page {
    pub(super) name: &'static str,
    pub(super) route: &'static str,
    places: &'static str,
    query: &'static str,
    pub(super) who: Who,
}

const fn page(name: &'static str, route: &'static str, places: &'static str) -> Page {
    Page { name, route, places, query: "", who: Who::Owner }
}

const fn asked(name: &'static str, route: &'static str, places: &'static str, query: &'static str) -> Page {
    Page { name, route, places, query, who: Who::Owner }
}

const fn bare(name: &'static str, route: &'static str, who: Who) -> Page {
    Page { name, route, places: "", query: "", who }
}

/// All pages that there are; where one looks quite different with other values, each of these.
#[rustfmt::skip]
pub(super) const PAGES: &[Page] = &[
    bare("sign_in", "/console/sign-in", Who::Stranger),
    bare("sign_in_sso", "/console/sign-in/sso", Who::Stranger),
    bare("sign_in_forgotten", "/console/sign-in/forgotten", Who::Stranger),
    bare("sign_in_first_person", "/console/first-person", Who::Stranger),
    bare("sign_in_second_factor", "/console/sign-in/second-factor", Who::HalfWay),
    page("step_up", "/console/step-up", ""),
    bare("link_invitation", "/people/invitation", Who::Stranger),
    bare("link_reset", "/people/password-reset", Who::Stranger),
    bare("link_address", "/people/email-change", Who::Stranger),
    asked("switch", "/console/switch", "", "?q=ac"),
    page("account", "/console/account", ""),
    page("account_email", "/console/account/email", ""),
    page("account_password", "/console/account/password", ""),
    page("account_security", "/console/account/security", ""),
    page("account_enrol", "/console/account/enrol", ""),
    page("account_sessions", "/console/account/sessions", ""),
    page("account_codes", "/console/account/recovery-codes", ""),
    page("account_factor_code", "/console/account/factors/{id}/confirm", "open-factor"),
    page("account_factor_name", "/console/account/factors/{id}/name", "factor"),
    page("account_factor_remove", "/console/account/factors/{id}/remove", "factor"),
    page("overview", "/console/tenants/{tenant_id}", "acme"),
    page("applications", "/console/tenants/{tenant_id}/applications", "acme"),
    page("applications_none", "/console/tenants/{tenant_id}/applications", "beta"),
    page("applications_new", "/console/tenants/{tenant_id}/applications/new", "acme"),
    page("application", "/console/tenants/{tenant_id}/applications/{id}", "acme siem"),
    page("application_edit", "/console/tenants/{tenant_id}/applications/{id}/edit", "acme siem"),
    page("application_rotate", "/console/tenants/{tenant_id}/applications/{id}/rotate", "acme siem"),
    page("application_delete", "/console/tenants/{tenant_id}/applications/{id}/delete", "acme siem"),
    page("application_shrink", "/console/tenants/{tenant_id}/applications/{id}/shrink", "acme siem"),
    page("application_usage", "/console/tenants/{tenant_id}/applications/{id}/usage", "acme siem"),
    page("application_audit", "/console/tenants/{tenant_id}/applications/{id}/audit", "acme siem"),
    asked("application_simulate", "/console/tenants/{tenant_id}/applications/{id}/simulate", "acme siem", "?right=org.alerts:READ&address=192.0.2.7"),
    page("levels", "/console/tenants/{tenant_id}/access-levels", "acme"),
    page("levels_new", "/console/tenants/{tenant_id}/access-levels/new", "acme"),
    page("levels_import", "/console/tenants/{tenant_id}/access-levels/import", "acme"),
    asked("levels_compare", "/console/tenants/{tenant_id}/access-levels/compare", "acme", "?one={level}&other={owner}"),
    page("level", "/console/tenants/{tenant_id}/access-levels/{id}", "acme level"),
    page("level_delete", "/console/tenants/{tenant_id}/access-levels/{id}/delete", "acme level"),
    page("security", "/console/tenants/{tenant_id}/security", "acme"),
    page("security_remove_secret", "/console/tenants/{tenant_id}/security/remove-secret", "acme"),
    page("security_limits", "/console/tenants/{tenant_id}/security/limits", "acme"),
    page("security_policy", "/console/tenants/{tenant_id}/security/policy", "acme"),
    page("security_tokens", "/console/tenants/{tenant_id}/security/tokens", "acme"),
    page("security_key_types", "/console/tenants/{tenant_id}/security/key-types", "acme"),
    page("security_migrate", "/console/tenants/{tenant_id}/security/key-types/{id}/migrate", "acme old"),
    page("issuers", "/console/tenants/{tenant_id}/security/issuers", "acme"),
    page("issuers_new", "/console/tenants/{tenant_id}/security/issuers/new", "acme"),
    page("issuer", "/console/tenants/{tenant_id}/security/issuers/{id}", "acme issuer"),
    page("issuer_delete", "/console/tenants/{tenant_id}/security/issuers/{id}/delete", "acme issuer"),
    page("issuer_trial", "/console/tenants/{tenant_id}/security/issuers/{id}/trial", "acme issuer"),
    page("bindings_new", "/console/tenants/{tenant_id}/security/issuers/{id}/bindings/new", "acme issuer"),
    page("binding", "/console/tenants/{tenant_id}/security/issuers/{id}/bindings/{binding_id}", "acme issuer binding"),
    page("tenants", "/console/tenants/{tenant_id}/tenants", "root"),
    page("tenants_none", "/console/tenants/{tenant_id}/tenants", "acme"),
    page("tenants_tree", "/console/tenants/{tenant_id}/tenants/tree", "root"),
    page("tenants_new", "/console/tenants/{tenant_id}/tenants/new", "root"),
    page("provisionings", "/console/tenants/{tenant_id}/provisionings", "root"),
    page("provisioning", "/console/tenants/{tenant_id}/provisionings/{id}", "root provisioning"),
    page("receipts", "/console/tenants/{tenant_id}/purge-receipts", "root"),
    page("details", "/console/tenants/{tenant_id}/details", "acme"),
    page("details_edit", "/console/tenants/{tenant_id}/details/edit", "acme"),
    page("details_mfa", "/console/tenants/{tenant_id}/details/mfa", "acme"),
    page("details_suspend", "/console/tenants/{tenant_id}/details/suspend", "acme"),
    page("details_reactivate", "/console/tenants/{tenant_id}/details/reactivate", "gamma"),
    page("details_convert", "/console/tenants/{tenant_id}/details/convert", "gamma"),
    page("details_delete", "/console/tenants/{tenant_id}/details/delete", "gamma"),
    page("utilization", "/console/tenants/{tenant_id}/utilization", "acme"),
    page("people", "/console/tenants/{tenant_id}/people", "acme"),
    page("people_new", "/console/tenants/{tenant_id}/people/new", "acme"),
    page("person", "/console/tenants/{tenant_id}/people/{id}", "acme bob"),
    page("person_edit", "/console/tenants/{tenant_id}/people/{id}/edit", "acme bob"),
    page("person_roles", "/console/tenants/{tenant_id}/people/{id}/roles", "acme bob"),
    page("person_delete", "/console/tenants/{tenant_id}/people/{id}/delete", "acme bob"),
    page("person_factors", "/console/tenants/{tenant_id}/people/{id}/factors/reset", "acme bob"),
    page("person_identities", "/console/tenants/{tenant_id}/people/{id}/identities/forget", "acme bob"),
    page("sso", "/console/tenants/{tenant_id}/sso", "acme"),
    page("sso_new", "/console/tenants/{tenant_id}/sso/new", "acme"),
    page("sso_one", "/console/tenants/{tenant_id}/sso/{id}", "acme provider"),
    page("sso_delete", "/console/tenants/{tenant_id}/sso/{id}/delete", "acme provider"),
    page("audit", "/console/tenants/{tenant_id}/audit", "acme"),
    page("audit_entry", "/console/tenants/{tenant_id}/audit/{number}", "acme number"),
    asked("audit_verify", "/console/tenants/{tenant_id}/audit/verify", "acme", "?after=0"),
    page("access_record", "/console/tenants/{tenant_id}/access-record", "acme"),
    page("usage", "/console/tenants/{tenant_id}/usage", "acme"),
    page("operator_health", "/console/tenants/{tenant_id}/operator", "root"),
    page("operator_nodes", "/console/tenants/{tenant_id}/operator/nodes", "root"),
    page("operator_jobs", "/console/tenants/{tenant_id}/operator/jobs", "root"),
    page("operator_keys", "/console/tenants/{tenant_id}/operator/signing-keys", "root"),
    page("operator_rotate", "/console/tenants/{tenant_id}/operator/signing-keys/rotate", "root"),
    page("operator_revoke", "/console/tenants/{tenant_id}/operator/signing-keys/{kid}/revoke", "root kid"),
    page("operator_configuration", "/console/tenants/{tenant_id}/operator/configuration", "root"),
];

/// Files that are tables.
pub(super) const FILES: &[Page] = &[
    page("", "/console/tenants/{tenant_id}/applications.csv", "acme"),
    page("", "/console/tenants/{tenant_id}/access-record/export", "acme"),
    asked("", "/console/tenants/{tenant_id}/audit/export", "acme", "?format=csv"),
    asked("", "/console/tenants/{tenant_id}/usage/export", "acme", "?per=day"),
];

/// What is there to be looked at.
pub(super) struct World {
    browsers: [Browser; 3],
    ids: BTreeMap<&'static str, String>,
}

impl World {
    /// The id that goes by that word.
    pub(super) fn id(&self, word: &str) -> &str {
        &self.ids[word]
    }

    /// The path of a page.
    pub(super) fn path(&self, page: &Page) -> String {
        let mut places = page.places.split(' ');
        let filled = |segment: &str| match segment.starts_with('{') {
            true => self.ids[places.next().unwrap()].clone(),
            false => segment.to_owned(),
        };
        let path = page.route.split('/').map(filled).collect::<Vec<_>>().join("/");
        let query = page.query.replace("{level}", &self.ids["level"]).replace("{owner}", &self.ids["owner"]);
        path + &query
    }

    /// The browser of whoever looks.
    pub(super) fn browser(&self, who: Who) -> &Browser {
        let [owner, half_way, stranger] = &self.browsers;
        match who {
            Who::Owner => owner,
            Who::HalfWay => half_way,
            Who::Stranger => stranger,
        }
    }

    /// Makes it: `say` gives each text that somebody can write, of a word for it.
    pub(super) async fn begin(f: &Fixture, say: &dyn Fn(&str) -> String) -> Self {
        let owner = built_in(f, SUPER_ADMIN).await;
        let tick = || f.app.clock().advance(1);
        let ada = person(f, &f.root, "ada@example.com", &[&owner]).await;
        tick();
        let browser = Browser::of(f, &stepped_up(f, &ada).await);
        let mut ids = BTreeMap::from([("root", f.root.clone()), ("owner", owner.clone())]);
        tick();
        Self::tenants(f, say, &browser, &mut ids).await;
        Self::applications(f, say, &mut ids).await;
        Self::people(f, say, &mut ids).await;
        Self::issuers(f, say, &mut ids).await;
        Self::account(f, say, &browser, &mut ids).await;
        Self::calls(f, say, &ids).await;
        let keys = f.operator.get("/v1/signing-keys").await.expect(200);
        ids.insert("kid", keys["items"][0]["kid"].as_str().unwrap().to_owned());
        ids.insert("number", "2".to_owned());
        let half = half_way(f, &ada).await;
        // None of them waits any more, however fast they were sent.
        mails(f).await;
        Self { browsers: [browser, Browser::of(f, &half), Browser::new(f)], ids }
    }

    async fn tenants(
        f: &Fixture,
        say: &dyn Fn(&str) -> String,
        browser: &Browser,
        ids: &mut BTreeMap<&'static str, String>,
    ) {
        let (tick, base) = (|| f.app.clock().advance(1), format!("/console/tenants/{}", f.root));
        let settings = json!({ say("key"): say("value") }).to_string();
        let texts = ["Acme", "CRM-7", "Acme", "Street", "8000", "Town", "Canton", "Foreign", "Portal", "First", "Last"];
        let said = texts.map(say);
        let [name, external, short, street, postal, city, state, foreign, portal, first, last] = said.each_ref();
        let values = [
            ("name", name.as_str()),
            ("kind", "organization"),
            ("external_id", external),
            ("short_name", short),
            ("street", street),
            ("postal", postal),
            ("city", city),
            ("state", state),
            ("foreign_tenant_id", foreign),
            ("country", "Switzerland"),
            ("mfa_required", "none"),
            ("settings", &settings),
            ("application_name", portal),
            ("application_access_level_id", &ids["owner"]),
            ("administrator_email", "eve@acme.example"),
            ("administrator_first_name", first),
            ("administrator_last_name", last),
            ("administrator_access_level_ids", &ids["owner"]),
        ];
        let place = leads_to(&browser.post(&format!("{base}/tenants/new"), &values).await);
        over(browser, &place).await;
        let id = place.rsplit('/').next().unwrap().to_owned();
        let job = f.operator.get(&format!("/v1/tenants/{}/provisionings/{id}", f.root)).await.expect(200);
        ids.insert("provisioning", id);
        let acme = job["tenant_id"].as_str().unwrap().to_owned();
        let made = f.operator.get(&format!("/v1/tenants/{acme}")).await.expect(200);
        ids.extend([("acme", acme), ("org_key", made["org_key"].as_str().unwrap().to_owned())]);
        tick();
        ids.insert("beta", f.organization(&say("Beta")).await.0);
        tick();
        let gamma = f.organization(&say("Gamma")).await.0;
        f.operator.post(&format!("/v1/tenants/{gamma}/suspend"), &json!({})).await.expect(200);
        ids.insert("gamma", gamma);
        tick();
        let delta = f.organization(&say("Delta")).await.0;
        f.operator.post(&format!("/v1/tenants/{delta}/suspend"), &json!({})).await.expect(200);
        f.operator.delete(&format!("/v1/tenants/{delta}")).await.expect(202);
        tick();
        f.operator.put(&format!("/v1/tenants/{}/endpoints", ids["acme"]), &json!({"count": 7})).await.expect(200);
    }

    async fn applications(f: &Fixture, say: &dyn Fn(&str) -> String, ids: &mut BTreeMap<&'static str, String>) {
        let (tick, acme) = (|| f.app.clock().advance(1), ids["acme"].clone());
        f.operator
            .put(&format!("/v1/tenants/{acme}/secret-visibility"), &json!({"visibility": "retaining"}))
            .await
            .expect(200);
        tick();
        let body = json!({"name": say("Readers"), "description": say("Level"),
            "grants": {"org.audits": ["READ"], "org.alerts": ["READ"]}});
        let level = f.operator.post(&format!("/v1/tenants/{acme}/access-levels"), &body).await.expect(201);
        ids.insert("level", level["id"].as_str().unwrap().to_owned());
        tick();
        let body = json!({"name": say("SIEM"), "description": say("About"), "access_level_id": ids["level"],
            "owner": "ops@example.com", "rate_limit": {"requests": 100, "window_seconds": 60}});
        ids.insert("siem", f.application_with(&acme, body).await.0);
        tick();
        let sunset = f.app.clock().now().plus_seconds(60 * 86_400).to_string();
        let rules = json!({"siem": {"allowed": true, "sunset": &sunset[..10]}});
        f.operator.put(&format!("/v1/tenants/{acme}/legacy-key-types"), &rules).await.expect(200);
        tick();
        ids.insert("old", f.application_with(&acme, json!({"name": say("Old"), "key_type": "siem"})).await.0);
        tick();
    }

    async fn people(f: &Fixture, say: &dyn Fn(&str) -> String, ids: &mut BTreeMap<&'static str, String>) {
        let (tick, acme) = (|| f.app.clock().advance(1), ids["acme"].clone());
        let bob = user(f, &acme, "bob@acme.example", &[&ids["level"]]).await;
        let names = json!({"first_name": say("Bob"), "last_name": say("B")});
        f.operator.patch(&format!("/v1/tenants/{acme}/users/{bob}"), &names).await.expect(200);
        tick();
        crate::people::session_as(f, &acme, &bob, |session| claviger_domain::user_session::UserSession {
            user_agent: say("Browser"),
            ..session
        })
        .await;
        let provider = json!({"name": say("Provider"), "issuer": "https://idp.example", "client_id": say("client"),
            "domains": ["other.example"], "role_mapping": [
                {"claim": "groups", "value": say("group"), "access_level_ids": [ids["level"]]}]});
        let all = format!("/v1/tenants/{acme}/identity-providers");
        let provider = f.operator.post(&all, &provider).await.expect(201)["id"].as_str().unwrap().to_owned();
        let who = (UserId::parse(&bob).unwrap(), ProviderId::parse(&provider).unwrap());
        let mut tx = f.app.store().begin().await.unwrap();
        let (tenant, now) = (TenantId::parse(&acme).unwrap(), f.app.clock().now());
        tx.insert_user_identity(tenant, who, &say("subject"), now).await.unwrap();
        tx.commit().await.unwrap();
        tick();
        ids.extend([("bob", bob), ("provider", provider)]);
    }

    async fn issuers(f: &Fixture, say: &dyn Fn(&str) -> String, ids: &mut BTreeMap<&'static str, String>) {
        let body = json!({"name": say("CI"), "issuer": "https://ci.example", "audience": say("audience"),
            "algorithms": ["ES256"], "bindings": [{
                "description": say("deploys"), "application_id": ids["siem"], "conditions": [
                    {"claim": "sub", "equals": say("sub")},
                    {"claim": say("claim"), "one_of": [say("one"), say("two")]}]}]});
        let all = format!("/v1/tenants/{}/trusted-issuers", ids["acme"]);
        let made: Value = f.operator.post(&all, &body).await.expect(201);
        ids.insert("issuer", made["id"].as_str().unwrap().to_owned());
        ids.insert("binding", made["bindings"][0]["id"].as_str().unwrap().to_owned());
        f.app.clock().advance(1);
    }

    async fn account(
        f: &Fixture,
        say: &dyn Fn(&str) -> String,
        browser: &Browser,
        ids: &mut BTreeMap<&'static str, String>,
    ) {
        let profile = [("first_name", say("Ada")), ("last_name", say("A"))];
        let profile = profile.each_ref().map(|(name, value)| (*name, value.as_str()));
        leads_to(&browser.post("/console/account", &profile).await);
        let (enrol, phone, other) = ("/console/account/authenticator", say("Phone"), say("Other"));
        let made = browser.post(enrol, &[("name", &phone), ("next", "/console")]).await;
        let (key, form) = key_and_form(&made.text);
        let confirmed = browser.post(&form, &[("code", &code(f, &key, 0)), ("next", "/console")]).await;
        assert_eq!(confirmed.status, 200, "{}", confirmed.text);
        let id = |form: &str| form.split('/').nth(4).unwrap().to_owned();
        ids.insert("factor", id(&form));
        f.app.clock().advance(1);
        let open = browser.post(enrol, &[("name", &other), ("next", "/console")]).await;
        ids.insert("open-factor", id(&key_and_form(&open.text).1));
        f.app.clock().advance(1);
    }

    async fn calls(f: &Fixture, say: &dyn Fn(&str) -> String, ids: &BTreeMap<&'static str, String>) {
        let acme = &ids["acme"];
        let (_, client) = f.application(acme, &say("Caller"), json!({"audit": ["READ"]})).await;
        client.get(&format!("/v1/tenants/{acme}/audit")).await.expect(200);
        client.get(&format!("/v1/tenants/{acme}/applications")).await.expect(403);
        let form =
            format!("grant_type=client_credentials&client_id={}&client_secret={}", client.client_id, client.secret);
        let request =
            f.operator.bare(Method::POST, "/oauth2/token").header("content-type", "application/x-www-form-urlencoded");
        assert_eq!(send(request.header("user-agent", say("Client")).body(form)).await.status, 200);
        f.app.flush_usage().await.unwrap();
        f.app.flush_denials().await.unwrap();
        f.app.sign_heads().await.unwrap();
    }
}
