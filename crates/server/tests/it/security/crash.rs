//! V1, V3: what was acknowledged is there after the process was killed; and what ends the real binary.

use crate::fixture::{Client, send};
use reqwest::Method;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The real binary on a data directory of its own; killed when dropped.
struct Process {
    operator: Client,
    root: String,
    _child: Killed,
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn start(directory: &Path, database: Option<&str>) -> Process {
    let file = directory.join("credentials.json");
    let before = std::fs::read_to_string(&file).ok();
    let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(directory.join("data"));
    command.arg("--credentials-file").arg(&file).env("CLAVIGER_TLS", "off");
    if let Some(url) = database {
        command.env("CLAVIGER_DATABASE", url);
    }
    let child = Killed(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let deadline = Instant::now() + Duration::from_secs(30);
    let http = crate::fixture::http();
    loop {
        assert!(Instant::now() < deadline, "the server did not start");
        let text = std::fs::read_to_string(&file).ok().filter(|text| Some(text) != before.as_ref());
        if let Some(known) = text.and_then(|text| serde_json::from_str::<Value>(&text).ok())
            && let (Some(base), Some(operator)) = (known["base_url"].as_str(), known.get("operator"))
            && http.get(format!("{base}/readyz")).send().await.is_ok_and(|answer| answer.status() == 200)
        {
            let text = |name: &str| operator[name].as_str().unwrap().to_owned();
            let client = Client { http, base: base.to_owned(), client_id: text("client_id"), secret: text("secret") };
            return Process { operator: client, root: text("tenant_id"), _child: child };
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn scratch(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("claviger-crash-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// Writers create and revoke without pause until the process is killed under them; returns what was acknowledged.
async fn kill_under_load(process: Process, round: usize) -> Vec<(String, bool)> {
    let path = format!("/v1/tenants/{}/access-levels", process.root);
    let answers = Arc::new(AtomicUsize::new(0));
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let (client, path, answers) = (process.operator.clone(), path.clone(), Arc::clone(&answers));
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                for number in 0.. {
                    let body = json!({"name": format!("L{round}.{writer}.{number}"), "description": "", "grants": {}});
                    let Ok(answer) = client.request(Method::POST, &path).json(&body).send().await else { break };
                    if answer.status() != 201 {
                        break;
                    }
                    let Ok(made) = answer.json::<Value>().await else { break };
                    let id = made["id"].as_str().unwrap().to_owned();
                    let deleted = number % 3 == 0
                        && client
                            .request(Method::DELETE, &format!("{path}/{id}"))
                            .send()
                            .await
                            .is_ok_and(|a| a.status() == 204);
                    let known = deleted || number % 3 != 0;
                    if known {
                        answers.fetch_add(1, Ordering::Relaxed);
                        acknowledged.push((id, !deleted));
                    }
                }
                acknowledged
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    // A busy machine may take longer to answer at all.
    let deadline = Instant::now() + Duration::from_secs(30);
    while answers.load(Ordering::Relaxed) < 8 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(process);
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    acknowledged
}

async fn acknowledged_is_durable(name: &str, database: Option<&str>) {
    let directory = scratch(name);
    for round in 0..3 {
        let acknowledged = kill_under_load(start(&directory, database).await, round).await;
        assert!(!acknowledged.is_empty(), "nothing was acknowledged before the kill");
        let again = start(&directory, database).await;
        for (id, exists) in &acknowledged {
            let answer = again.operator.get(&format!("/v1/tenants/{}/access-levels/{id}", again.root)).await;
            assert_eq!(answer.status == 200, *exists, "{id} in round {round} of {}", acknowledged.len());
        }
    }
    std::fs::remove_dir_all(directory).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v1_acknowledged_is_durable_sqlite() {
    acknowledged_is_durable("sqlite", None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v1_acknowledged_is_durable_postgres() {
    let Some(guard) = claviger_store::testing::fresh(claviger_store::Engine::Postgres).await else { return };
    let claviger_store::Location::Postgres { url } = guard.location() else { panic!("not PostgreSQL") };
    acknowledged_is_durable("postgres", Some(&url)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audit_verify_tells_by_its_exit_code() {
    let directory = scratch("audit");
    let process = start(&directory, None).await;
    process
        .operator
        .post("/v1/tenants", &json!({"name": "Acme", "kind": "organization", "parent_id": process.root}))
        .await
        .expect(201);
    let data = directory.join("data");
    let verify = || {
        Command::new(env!("CARGO_BIN_EXE_claviger"))
            .args(["audit", "verify", "--data-dir"])
            .arg(&data)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .code()
    };
    assert_eq!(verify(), Some(2), "a server runs on it");
    drop(process);
    assert_eq!(verify(), Some(0));
    let store = claviger_store::testing::open_sqlite(&data).await;
    let mut tx = store.begin().await.unwrap();
    claviger_store::testing::execute(&mut tx, "update audit_entries set body = replace(body, 'Acme', 'Evil')")
        .await
        .unwrap();
    tx.commit().await.unwrap();
    store.close().await;
    assert_eq!(verify(), Some(1));
    std::fs::remove_dir_all(directory).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_loses_at_most_a_second_in_a_kill() {
    let directory = scratch("usage");
    let process = start(&directory, None).await;
    let usage = |process: &Process| {
        let path = format!(
            "/v1/tenants/{}/usage?since=2020-01-01T00:00:00Z&until=2099-01-01T00:00:00Z&grain=day",
            process.root
        );
        let client = process.operator.clone();
        async move {
            let body = client.get(&path).await.expect(200);
            let rows = body["items"].as_array().unwrap().clone();
            rows.iter()
                .filter(|row| row["right"] == "org.audits:READ")
                .map(|row| row["count"].as_i64().unwrap())
                .sum::<i64>()
        }
    };
    for _ in 0..25 {
        assert_eq!(
            send(process.operator.request(Method::GET, "/v1/verify?permission=org.audits:READ&tenant=any"))
                .await
                .status,
            204
        );
    }
    let called = Instant::now();
    while usage(&process).await < 25 {
        assert!(called.elapsed() < Duration::from_secs(10), "usage was not written");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(called.elapsed() < Duration::from_millis(2_500), "{:?}", called.elapsed());
    drop(process);
    assert_eq!(usage(&start(&directory, None).await).await, 25);
    std::fs::remove_dir_all(directory).unwrap();
}
