//! D6 and V20 for people: what was taken from somebody since a backup was made does not come back with it.

use crate::fixture::{Client, Fixture, START, run, start_again};
use crate::mails::newest;
use crate::native::factors::code;
use crate::native::sign_in::{PASSWORD, give_password, sign_in};
use crate::people::{Person, SUPER_ADMIN, built_in, person, stepped_up, user};
use claviger_app::clock::Clock;
use claviger_app::random::Random;
use claviger_app::restore::{self, Reapplied};
use claviger_store::testing::copies::Copy;
use claviger_store::testing::fresh;
use claviger_store::{Engine, Location, Options, Store};
use reqwest::Method;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

const OTHER: &str = "an even longer and quieter river";

async fn confirm(location: &Location, file: &Path) -> Option<Reapplied> {
    let store = Store::open(Options { location: location.clone(), accept_data_loss: false }).await.unwrap();
    let done = restore::confirm(&store, &Clock::fixed(START), &Random::System, file).await.unwrap();
    store.close().await;
    done
}

/// Somebody who can sign in.
async fn somebody(f: &Fixture, org: &str, name: &str, roles: &[&str]) -> Person {
    let person = person(f, org, &email(name), roles).await;
    give_password(f, org, &person.id, PASSWORD).await;
    person
}

/// The same person, at the server that runs now.
fn at(f: &Fixture, person: &Person) -> Person {
    Person { client: f.operator.clone(), ..person.clone() }
}

fn email(name: &str) -> String {
    format!("{name}@acme.example")
}

async fn status(f: &Fixture, person: &Person) -> Value {
    f.operator.get(&person.path()).await.expect(200)["status"].clone()
}

/// Sets up an authenticator; its path.
async fn authenticator(f: &Fixture, person: &Person) -> String {
    let person = stepped_up(f, person).await;
    let made = person.post("/v1/me/factors/totp", &json!({"name": "Phone"})).await.expect(201);
    let path = format!("/v1/me/factors/{}", made["factor"]["id"].as_str().unwrap());
    let given = json!({"code": code(f, made["secret"].as_str().unwrap(), 0)});
    person.post(&format!("{path}/confirm"), &given).await.expect(200);
    path
}

async fn reset(f: &Fixture, name: &str, password: &str) -> u16 {
    // Mails lie in the order of their times.
    f.app.clock().advance(60);
    let ask = f.operator.bare(Method::POST, "/v1/password-resets").header("origin", &f.operator.base);
    crate::fixture::send(ask.json(&json!({"email": email(name)}))).await;
    let token = newest(f, &email(name)).await.token();
    let complete = f.operator.bare(Method::POST, "/v1/password-resets/complete").header("origin", &f.operator.base);
    let body = json!({"token": token, "password": password});
    crate::fixture::send(complete.json(&body)).await.status.as_u16()
}

/// People of an organisation, each with what becomes of them after the backup.
struct People {
    disabled: Person,
    deleted: Person,
    demoted: Person,
    shortened: Person,
    unprofiled: Person,
    changed: Person,
    forgetful: Person,
    robbed: Person,
    back: Person,
    kept: Person,
    widened: Person,
}

impl People {
    async fn make(f: &Fixture, org: &str, role: &str) -> Self {
        Self {
            disabled: somebody(f, org, "disabled", &[]).await,
            deleted: somebody(f, org, "deleted", &[]).await,
            demoted: somebody(f, org, "demoted", &[role]).await,
            shortened: somebody(f, org, "shortened", &[role]).await,
            unprofiled: somebody(f, org, "unprofiled", &[]).await,
            changed: somebody(f, org, "changed", &[role]).await,
            forgetful: somebody(f, org, "forgetful", &[role]).await,
            robbed: somebody(f, org, "robbed", &[role]).await,
            back: somebody(f, org, "back", &[role]).await,
            kept: somebody(f, org, "kept", &[role]).await,
            widened: somebody(f, org, "widened", &[]).await,
        }
    }

    /// What becomes of them; `grant` is what the manager takes away from the one with a profile.
    async fn narrow(&self, f: &Fixture, role: &str, (manager, grant): (&Client, &str), factor: &str) {
        let none = json!({});
        f.operator.post(&format!("{}/disable", self.disabled.path()), &none).await.expect(200);
        assert_eq!(f.operator.delete(&self.deleted.path()).await.status, 204);
        let roles = |person: &Person| format!("{}/roles", person.path());
        f.operator.put(&roles(&self.demoted), &json!({"access_level_ids": []})).await.expect(200);
        f.operator.put(&roles(&self.widened), &json!({"access_level_ids": [role]})).await.expect(200);
        f.operator.patch(&self.shortened.path(), &json!({"reach": "own"})).await.expect(200);
        let gone = manager.delete(grant).await;
        assert_eq!(gone.status, 200, "{}", gone.text);
        let change = json!({"current_password": PASSWORD, "new_password": OTHER});
        let own = stepped_up(f, &at(f, &self.changed)).await;
        assert_eq!(own.send(Method::PUT, "/v1/me/password", &change).await.status, 204);
        assert_eq!(reset(f, "forgetful", OTHER).await, 204);
        let robbed = stepped_up(f, &at(f, &self.robbed)).await;
        assert_eq!(robbed.delete(factor).await.status, 204);
        for verb in ["disable", "enable"] {
            f.operator.post(&format!("{}/{verb}", self.back.path()), &none).await.expect(200);
        }
    }
}

async fn nobody_comes_back_with_a_backup(engine: Engine) {
    let Some(guard) = fresh(engine).await else { return };
    let f = start_again(guard, &[], 31).await;
    let (org, key) = f.organization("Acme").await;
    let role = built_in(&f, "View All").await;
    let people = People::make(&f, &org, &role).await;
    let factor = authenticator(&f, &people.robbed).await;
    let number = f.operator.get(&people.unprofiled.path()).await.expect(200)["number"].clone();
    let grants = format!("/access/v2/orgs/{key}/grants");
    let profile = json!({"orgs": {"allow": [format!("psc:org:{key}")]}, "roles": ["psc:role::BETA_VIEW_ALL"]});
    let grant = json!({
        "principal": format!("psc:user:{key}:{number}"), "org_ref": format!("psc:org:{key}"), "profiles": [profile],
    });
    let all = json!({"name": "Manager", "access_level_id": built_in(&f, SUPER_ADMIN).await, "reach": "beneath"});
    let (_, manager) = f.application_with(&org, all).await;
    manager.post(&grants, &grant).await.expect(200);
    let grant = format!("{grants}/psc:user:{key}:{number}");
    let (location, data_dir) = (f.location.clone(), f.data_dir.clone());
    let guard = f.stop().await;
    let older = Copy::take(&location).await;

    let f = start_again(guard, &[], 32).await;
    let manager = f.client(&manager.client_id, &manager.secret);
    people.narrow(&f, &role, (&manager, &grant), &factor).await;
    f.operator.patch(&format!("/v1/tenants/{org}"), &json!({"mfa_required": "email"})).await.expect(200);
    let guard = f.stop().await;
    older.put_back(&location).await;

    let file = data_dir.join("revocations");
    let done = confirm(&location, &file).await.unwrap();
    assert_eq!((done.users, done.passwords, done.tenants), (6, 2, 1), "{done:?}");
    assert_eq!(confirm(&location, &file).await, None, "once");
    let f = start_again(guard, &[], 33).await;
    f.app.clock().advance(1_000);
    assert_eq!(f.operator.get(&format!("/v1/tenants/{org}")).await.expect(200)["mfa_required"], "email");
    let People { disabled, deleted, demoted, shortened, unprofiled, changed, forgetful, robbed, back, kept, widened } =
        &people;
    for (person, name) in [
        (disabled, "disabled"),
        (deleted, "deleted"),
        (demoted, "demoted"),
        (shortened, "shortened"),
        (unprofiled, "unprofiled"),
        (robbed, "robbed"),
    ] {
        assert_eq!(status(&f, person).await, "disabled", "{name}");
        assert_eq!(sign_in(&f.operator, &email(name), PASSWORD).await.status, 401, "{name}");
    }
    for (person, name) in [(changed, "changed"), (forgetful, "forgetful")] {
        assert_eq!(status(&f, person).await, "active", "{name}");
        for password in [PASSWORD, OTHER] {
            assert_eq!(sign_in(&f.operator, &email(name), password).await.status, 401, "{name}");
        }
        assert_eq!(reset(&f, name, "a third and quite different river").await, 204, "{name}");
        let back = sign_in(&f.operator, &email(name), "a third and quite different river").await;
        assert_eq!(back.status, 200, "{name}: {}", back.text);
    }
    for (person, name) in [(back, "back"), (kept, "kept"), (widened, "widened")] {
        assert_eq!(status(&f, person).await, "active", "{name}");
        assert_eq!(sign_in(&f.operator, &email(name), PASSWORD).await.status, 200, "{name}");
        assert_eq!(at(&f, person).get("/v1/me").await.status, 401, "sessions are over");
    }
    let entries = f.audit(&f.root).await;
    let restored = entries.iter().find(|entry| entry["action"] == "store.restored").unwrap();
    assert_eq!((&restored["details"]["users"], &restored["details"]["passwords"]), (&json!(6), &json!(2)));
    // Whoever is looked at and let in again stays so.
    f.operator.post(&format!("{}/enable", demoted.path()), &json!({})).await.expect(200);
    let guard = f.stop().await;
    assert_eq!(confirm(&location, &file).await, None, "the store goes on");
    let f = start_again(guard, &[], 34).await;
    assert_eq!(status(&f, demoted).await, "active");
    drop(f.stop().await);
    if let Location::Postgres { .. } = location {
        std::fs::remove_dir_all(data_dir).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d6_nobody_comes_back_with_a_backup_on_sqlite() {
    nobody_comes_back_with_a_backup(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d6_nobody_comes_back_with_a_backup_on_postgres() {
    nobody_comes_back_with_a_backup(Engine::Postgres).await;
}

/// What one node does is in the other one's file, too, before it is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d6_every_node_keeps_what_one_has_narrowed() {
    run(Engine::Postgres, &[], async |f: Arc<Fixture>| {
        let (org, _) = f.organization("Acme").await;
        let ada = somebody(&f, &org, "ada", &[]).await;
        let node = f.join("two").await;
        let files = [f.data_dir.join("revocations"), f.data_dir.with_extension("two").join("revocations")];
        let lines = || {
            files.each_ref().map(|file| {
                let text = std::fs::read_to_string(file).unwrap();
                let lines = text.lines().filter(|line| line.contains(&ada.id));
                lines.map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>()
            })
        };
        let own = stepped_up(&f, &ada).await;
        let change = json!({"current_password": PASSWORD, "new_password": OTHER});
        assert_eq!(own.send(Method::PUT, "/v1/me/password", &change).await.status, 204);
        for lines in lines() {
            let [line] = &lines[..] else { panic!("{lines:?}") };
            assert_eq!(
                (&line["kind"], &line["active"], &line["narrowed"]),
                (&json!("user"), &json!(true), &Value::Null)
            );
            assert_eq!(line["password"], line["revision"]);
        }
        let disabled = node.operator.post(&format!("{}/disable", ada.path()), &json!({})).await;
        assert_eq!(disabled.header("claviger-confirmed-by").unwrap().split(", ").count(), 2);
        for lines in lines() {
            assert_eq!(lines.last().unwrap()["active"], false, "{lines:?}");
        }
        node.stop().await;
    })
    .await;
}

/// Where people of an organisation sign in, each with what becomes of it after the backup.
struct Providers {
    deleted: String,
    loose: String,
    off: String,
    open: String,
}

impl Providers {
    async fn make(f: &Fixture, org: &str, role: &str) -> Self {
        let make = async |name: &str, more: Value| {
            let mut body = json!({
                "name": name, "issuer": "https://login.acme.example", "client_id": "claviger", "client_secret": "hush hush",
                "domains": [format!("{name}.example")],
            });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let path = format!("/v1/tenants/{org}/identity-providers");
            let made = f.operator.post(&path, &body).await.expect(201);
            format!("{path}/{}", made["id"].as_str().unwrap())
        };
        make("kept", json!({})).await;
        Self {
            deleted: make("deleted", json!({})).await,
            loose: make(
                "loose",
                json!({"domains": ["loose.example", "moved.example"], "create_users": true, "default_access_level_ids": [role]}),
            )
            .await,
            off: make("off", json!({})).await,
            open: make("open", json!({"domains": ["acme.example"]})).await,
        }
    }

    /// What becomes of them; and one that is made.
    async fn narrow(&self, f: &Fixture, org: &str) {
        assert_eq!(f.operator.delete(&self.deleted).await.status, 204);
        let less = json!({"domains": ["loose.example"], "create_users": false, "default_access_level_ids": []});
        f.operator.patch(&self.loose, &less).await.expect(200);
        f.operator.patch(&self.off, &json!({"enabled": false})).await.expect(200);
        f.operator.patch(&self.open, &json!({"required": true})).await.expect(200);
        let new = json!({
            "name": "new", "issuer": "https://login.acme.example/new", "client_id": "new", "client_secret": "hush hush",
            "domains": ["moved.example"], "required": true,
        });
        f.operator.post(&format!("/v1/tenants/{org}/identity-providers"), &new).await.expect(201);
    }
}

async fn no_provider_lets_in_more_after_a_backup(engine: Engine) {
    let Some(guard) = fresh(engine).await else { return };
    let f = start_again(guard, &[], 41).await;
    let (org, _) = f.organization("Acme").await;
    let role = built_in(&f, "View All").await;
    let providers = Providers::make(&f, &org, &role).await;
    somebody(&f, &org, "ada", &[&role]).await;
    let id = user(&f, &org, "bob@moved.example", &[&role]).await;
    give_password(&f, &org, &id, PASSWORD).await;
    for email in ["ada@acme.example", "bob@moved.example"] {
        assert_eq!(sign_in(&f.operator, email, PASSWORD).await.status, 200, "{email}");
    }
    let (location, data_dir) = (f.location.clone(), f.data_dir.clone());
    let guard = f.stop().await;
    let older = Copy::take(&location).await;
    let f = start_again(guard, &[], 42).await;
    providers.narrow(&f, &org).await;
    let guard = f.stop().await;
    older.put_back(&location).await;
    let file = data_dir.join("revocations");
    assert_eq!(confirm(&location, &file).await.unwrap().providers, 5);
    assert_eq!(confirm(&location, &file).await, None, "once");

    let f = start_again(guard, &[], 43).await;
    let Providers { deleted, loose, off, open } = &providers;
    assert_eq!(f.operator.get(deleted).await.status, 404);
    let loose = f.operator.get(loose).await.expect(200);
    assert_eq!(
        (&loose["domains"], &loose["create_users"], &loose["default_access_level_ids"], &loose["name"]),
        (&json!(["loose.example"]), &json!(false), &json!([]), &json!("loose"))
    );
    assert_eq!(loose["has_client_secret"], true, "the secret of the backup");
    assert_eq!(f.operator.get(off).await.expect(200)["enabled"], false);
    assert_eq!(f.operator.get(open).await.expect(200)["required"], true);
    let all = f.operator.get(&format!("/v1/tenants/{org}/identity-providers")).await.expect(200);
    let again = all["items"].as_array().unwrap().iter().find(|one| one["domains"] == json!(["moved.example"])).unwrap();
    assert!(again["name"].as_str().unwrap().starts_with("Restored "), "{again}");
    assert_eq!((&again["required"], &again["has_client_secret"]), (&json!(true), &json!(false)));
    assert_eq!(again["client_id"], "new");
    for email in ["ada@acme.example", "bob@moved.example"] {
        assert_eq!(sign_in(&f.operator, email, PASSWORD).await.status, 401, "{email} must come from the provider");
    }
    drop(f.stop().await);
    if let Location::Postgres { .. } = location {
        std::fs::remove_dir_all(data_dir).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d6_no_provider_lets_in_more_after_a_backup_on_sqlite() {
    no_provider_lets_in_more_after_a_backup(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d6_no_provider_lets_in_more_after_a_backup_on_postgres() {
    no_provider_lets_in_more_after_a_backup(Engine::Postgres).await;
}
