//! Q: the first start, wrong keys, and errors that tell nothing of the inside.

use claviger_app::clock::Clock;
use claviger_app::random::Random;
use claviger_server::config::{Config, Overrides};
use claviger_server::server::Server;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

async fn open(directory: &Path) -> Result<Server, String> {
    let overrides = Overrides {
        listen: Some("127.0.0.1:0".to_owned()),
        data_dir: Some(directory.display().to_string()),
        credentials_file: Some(directory.join("credentials.json").display().to_string()),
        ..Overrides::default()
    };
    let config = Config::load(None, std::iter::empty(), overrides).map_err(|error| error.to_string())?;
    Server::open(config, Clock::system(), Random::System, async |_, _| Ok(())).await.map_err(|error| error.to_string())
}

fn scratch(name: &str) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("claviger-start-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    path
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q6_a_second_start_keeps_the_credentials_and_private_files_stay_private() {
    let directory = scratch("second");
    let first = open(&directory).await.unwrap();
    assert!(first.first_start);
    let operator = first.credentials.operator.clone().unwrap();
    let url = first.credentials.base_url.clone();
    assert!(open(&directory).await.err().unwrap().contains("another claviger"), "one at a time");
    first.serve(async {}).await.unwrap();
    let second = open(&directory).await.unwrap();
    assert!(!second.first_start);
    assert_eq!(second.credentials.operator, Some(operator));
    assert_ne!(second.credentials.base_url, url, "another port");
    for name in ["credentials.json", "root.key", claviger_store::SQLITE_FILE] {
        let mode = std::fs::metadata(directory.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
    }
    assert_eq!(std::fs::metadata(&directory).unwrap().permissions().mode() & 0o077, 0);
    second.serve(async {}).await.unwrap();
    std::fs::remove_dir_all(directory).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q6_a_root_key_that_does_not_fit_or_is_open_to_others_stops_the_start() {
    let directory = scratch("key");
    open(&directory).await.unwrap().serve(async {}).await.unwrap();
    let key = directory.join("root.key");
    let right = std::fs::read_to_string(&key).unwrap();
    std::fs::write(&key, "00".repeat(32)).unwrap();
    assert!(open(&directory).await.err().unwrap().contains("not the one this store was set up with"));
    std::fs::write(&key, "short").unwrap();
    assert!(open(&directory).await.err().unwrap().contains("64 hexadecimal digits"));
    std::fs::remove_file(&key).unwrap();
    assert!(open(&directory).await.err().unwrap().contains("there is no root key"));
    assert!(!key.exists(), "a key that fits nothing is not left behind");
    std::fs::write(&key, right).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(open(&directory).await.err().unwrap().contains("chmod 600"));
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    open(&directory).await.unwrap().serve(async {}).await.unwrap();
    std::fs::remove_dir_all(directory).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_survives_a_clean_stop() {
    let directory = scratch("usage");
    let server = open(&directory).await.unwrap();
    let operator = server.credentials.operator.clone().unwrap();
    let app = std::sync::Arc::clone(&server.app);
    let here = claviger_domain::address::Origin::Known(std::net::Ipv4Addr::LOCALHOST.into());
    let presented = claviger_app::verify::Presented { client_id: &operator.client_id, secret: &operator.secret };
    for _ in 0..7 {
        let caller = app.authenticate(presented, here, "test").await.unwrap();
        caller.allow("org.audits", claviger_domain::grants::Verb::Read).unwrap();
    }
    server.serve(async {}).await.unwrap();
    drop(app);
    let again = open(&directory).await.unwrap();
    let caller = again.app.authenticate(presented, here, "test").await.unwrap();
    let now = again.app.clock().now();
    let query = claviger_app::usage::UsageQuery {
        application: None,
        since: now.plus_seconds(-86_400),
        until: now.plus_seconds(86_400),
        grain: claviger_domain::usage::Grain::Hour,
    };
    let page = claviger_domain::page::PageRequest::parse(None, None).unwrap();
    let (tenant, application) = (caller.tenant().id, caller.record().unwrap().id);
    let (_, rights) = again.app.application_usage(&caller, tenant, application, query, &page).await.unwrap();
    assert!(rights.iter().any(|(right, _)| right == "org.audits:READ"), "{rights:?}");
    again.serve(async {}).await.unwrap();
    std::fs::remove_dir_all(directory).unwrap();
}

/// V20, with the file of a real store put back, and the real command.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_was_put_back_is_served_only_after_what_was_revoked_is_revoked_again() {
    let directory = scratch("restore");
    let server = open(&directory).await.unwrap();
    let operator = server.credentials.operator.clone().unwrap();
    let app = std::sync::Arc::clone(&server.app);
    app.load_keyring().await.unwrap();
    let here = claviger_domain::address::Origin::Known(std::net::Ipv4Addr::LOCALHOST.into());
    let presented = claviger_app::verify::Presented { client_id: &operator.client_id, secret: &operator.secret };
    let caller = app.authenticate(presented, here, "test").await.unwrap();
    let (tenant, level) = (caller.tenant().id, app.catalogue().levels().last().unwrap().id);
    let new = claviger_domain::application::NewApplication {
        name: claviger_domain::name::Name::parse("/name", "Second").unwrap(),
        description: String::new(),
        owner: None,
        owner_id: None,
        rights: claviger_domain::application::Rights::Level(level),
        reach: claviger_domain::application::Reach::Beneath,
        allowed_networks: None,
        expires_at: None,
        secret_expires_at: None,
        enabled: true,
        rate_limit: None,
        dpop_bound: false,
    };
    let claviger_app::unit::Posted::Done(made) = app.create_application(&caller, tenant, new, None).await.unwrap()
    else {
        panic!("replayed")
    };
    let (client_id, secret) = (made.application.client_id.to_string(), made.secret.unwrap().text.reveal());
    let second = claviger_app::verify::Presented { client_id: &client_id, secret: &secret };
    server.serve(async {}).await.unwrap();
    drop((caller, app));
    let (file, backup) = (directory.join(claviger_store::SQLITE_FILE), directory.join("backup"));
    std::fs::copy(&file, &backup).unwrap();

    let server = open(&directory).await.unwrap();
    server.app.load_keyring().await.unwrap();
    let caller = server.app.authenticate(presented, here, "test").await.unwrap();
    server.app.delete_application(&caller, tenant, made.application.id, None).await.unwrap();
    drop(caller);
    server.serve(async {}).await.unwrap();

    std::fs::copy(&backup, &file).unwrap();
    assert!(open(&directory).await.err().unwrap().contains("claviger restore confirm"));
    let confirm = || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_claviger"));
        let ran = command.args(["restore", "confirm", "--data-dir"]).arg(&directory).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap()
    };
    assert!(confirm().contains("1 applications disabled"));
    assert!(confirm().contains("nothing was done"));
    let server = open(&directory).await.unwrap();
    assert!(server.app.authenticate(second, here, "test").await.is_err());
    assert!(server.app.authenticate(presented, here, "test").await.is_ok());
    server.serve(async {}).await.unwrap();
    std::fs::remove_dir_all(directory).unwrap();
}
