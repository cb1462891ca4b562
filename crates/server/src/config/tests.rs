//! What the configuration promises.

use super::keys::KEYS;
use super::*;

fn load(file: &str, env: &[(&str, &str)], flags: Overrides) -> Result<Config, ConfigError> {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let path = std::env::temp_dir().join(format!(
        "claviger-config-{}-{}.toml",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    ));
    std::fs::write(&path, file).unwrap();
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let loaded = Config::load(Some(&path), env, flags);
    std::fs::remove_file(&path).unwrap();
    loaded
}

fn refused(file: &str, env: &[(&str, &str)]) -> String {
    load(file, env, Overrides::default()).unwrap_err().to_string()
}

#[test]
fn the_default_file_names_every_key_and_the_edge_agrees_with_it() {
    for key in KEYS {
        let name = key.name.split_once('.').map_or(key.name, |(_, name)| name);
        let named = |line: &str| line.trim_start_matches("# ").starts_with(&format!("{name} = "));
        assert!(DEFAULTS.lines().any(named), "{} is not in config.default.toml", key.name);
    }
    let config = load("", &[], Overrides::default()).unwrap();
    assert_eq!(config.edge_limits(), edge::Limits::default());
}

#[test]
fn the_commented_out_examples_are_valid() {
    let key = |line: &str| KEYS.iter().any(|key| line.starts_with(&format!("# {} = ", key.name)));
    let text: String =
        DEFAULTS.lines().map(|line| if key(line) { &line[2..] } else { line }).collect::<Vec<_>>().join("\n");
    let config = load(&text, &[], Overrides::default()).unwrap();
    assert!(config.database.is_some() && config.metrics_listen.is_some() && config.tls_key.is_some());
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let file = "listen = \"127.0.0.1:1\"\ndata_dir = \"a\"\n[limits]\nbody = 4096\nurl = \"2KiB\"";
    let env = [("CLAVIGER_LISTEN", "127.0.0.1:2"), ("CLAVIGER_LIMITS_BODY", "2MiB"), ("HOME", "/")];
    let flags = Overrides { listen: Some("[::1]:3".to_owned()), ..Overrides::default() };
    let config = load(file, &env, flags).unwrap();
    assert_eq!(config.listen.to_string(), "[::1]:3");
    assert_eq!(config.limits.body, Size(2 << 20));
    assert_eq!(config.limits.url, Size(2 << 10));
    assert_eq!(config.data_dir, PathBuf::from("a"));
}

#[test]
fn unknown_keys_are_refused_with_the_closest_known_one() {
    let text = refused("lisen = \"127.0.0.1:1\"\n[limits]\nbdy = 1\n[zzzzzzzz]\n", &[("CLAVIGER_LOGS_LEVL", "info")]);
    assert!(text.contains("unknown key lisen; did you mean listen?"), "{text}");
    assert!(text.contains("unknown key limits.bdy; did you mean limits.body?"), "{text}");
    assert!(text.contains("unknown key zzzzzzzz\n"), "{text}");
    assert!(text.contains("CLAVIGER_LOGS_LEVL: unknown variable; did you mean CLAVIGER_LOGS_LEVEL?"), "{text}");
}

#[test]
fn variables_that_are_not_ours_are_left_alone() {
    let env = [
        ("CLAVIGER_SECRET", "x"),
        ("CLAVIGER_TEST_POSTGRES", "x"),
        ("CLAVIGER_BIN", "target/debug/claviger"),
        ("CLAVIGER_PORT_8443_TCP", "tcp://10.0.0.1:8443"),
        ("CLAVIGER_ROOT", "base64"),
        ("CLAVIGER_ROOT_KEY", "env:CLAVIGER_ROOT"),
    ];
    let config = load("", &env, Overrides::default()).unwrap();
    assert_eq!(config.root_key, RootKey::Env("CLAVIGER_ROOT".to_owned()));
}

#[test]
fn a_variable_that_is_no_text_is_refused_by_name() {
    let text = refused("", &[("CLAVIGER_DATA_DIR", "d\u{FFFD}")]);
    assert!(text.contains("CLAVIGER_DATA_DIR: its value is not UTF-8 text"), "{text}");
    assert!(load("", &[("LS_COLORS", "\u{FFFD}")], Overrides::default()).is_ok());
}

#[test]
fn a_bad_value_names_key_value_and_what_is_allowed() {
    for (file, expected) in [
        ("listen = \"localhost\"", "listen = \"localhost\" is not allowed: expected an address and a port"),
        ("tls = \"maybe\"", "tls = \"maybe\" is not allowed: expected \"on\" or \"off\""),
        ("trusted_proxies = [\"10.0.0.1/8\"]", "trusted_proxies = [\"10.0.0.1/8\"] is not allowed: expected networks"),
        ("[timers]\nidle = \"soon\"", "timers.idle = \"soon\" is not allowed: expected a duration"),
        ("[timers]\nidle = \"0s\"", "timers.idle = \"0s\" is not allowed"),
        ("[limits]\nstreams = 0", "limits.streams = 0 is not allowed: expected a whole number of at least 1"),
        ("[logs]\nlevel = \"\"", "logs.level = \"\" is not allowed: expected a log level"),
        ("root_key = \"env:\"", "root_key = (not shown) is not allowed"),
        ("tls_key = \"k\"", "tls_certificate and tls_key: expected both or neither"),
        ("metrics_listen = \"0.0.0.0:9\"", "expected a loopback address, or metrics_anywhere = true"),
        ("public_url = \"https://a.example/x\"", "public_url = \"https://a.example/x\" is not allowed"),
    ] {
        let text = refused(file, &[]);
        assert!(text.contains(expected), "{text}\nlacks\n{expected}");
    }
    let text = refused("database = \"mysql://u:hunter2@h/d\"", &[]);
    assert!(text.contains("database") && !text.contains("hunter2"), "{text}");
}

#[test]
fn what_is_shown_masks_secrets_and_can_be_read_again() {
    let file = "database = \"postgres://claviger:hun@ter2@db/claviger?sslmode=require&sslpassword=hunter3\"\n\
                root_key = \"command:fetch --token hunter4\"\ntrusted_proxies = [\"10.0.0.0/8\", \"::1\"]";
    let config = load(file, &[], Overrides::default()).unwrap();
    let shown = config.render_masked();
    assert!(!shown.contains("hun") && !shown.contains("ter2"), "{shown}");
    assert!(shown.contains("postgres://claviger:***@db/claviger?sslmode=require&sslpassword=***"), "{shown}");
    assert!(shown.contains("trusted_proxies = [\"10.0.0.0/8\", \"::1/128\"]"), "{shown}");
    assert!(!format!("{config:?}").contains("hunter3"), "Debug shows the database's password");
    assert_eq!(load(&shown, &[], Overrides::default()).unwrap().render_masked(), shown);
}

#[test]
fn hosts_of_instances_are_covered() {
    let config = load("instance_host_suffix = \"cy.example\"", &[], Overrides::default()).unwrap();
    assert!(config.host_names().contains(&"*.cy.example".to_owned()), "{:?}", config.host_names());
    assert!(load("instance_host_suffix = \"*.cy.example\"", &[], Overrides::default()).is_err());
}

#[test]
fn the_public_host_is_a_host_name() {
    let config = load("public_url = \"https://[2001:db8::1]:8443\"", &[], Overrides::default()).unwrap();
    assert!(config.host_names().contains(&"2001:db8::1".to_owned()), "{:?}", config.host_names());
}

#[test]
fn what_is_said_of_mail_fits_together() {
    for (text, told) in [
        ("transport = \"smtp\"", "without mail.host"),
        ("user = \"x\"", "expected both or neither"),
        ("transport = \"smtp\"\nhost = \"smtp.example\"\ntls = \"none\"", "on this machine"),
        ("host = \"localhost\"\ntls = \"none\"\nuser = \"x\"\npassword_file = \"y\"", "in clear"),
        ("from = \"nobody\"", "expected a mailbox"),
        ("tls = \"maybe\"", "starttls"),
    ] {
        let text = refused(&format!("[mail]\n{text}"), &[]);
        assert!(text.contains(told), "{text}");
    }
    let text = "[mail]\ntransport = \"smtp\"\nhost = \"127.0.0.1\"\nport = 2525\ntls = \"none\"\nfrom = \"X <a@b>\"";
    let config = load(text, &[], Overrides::default()).unwrap();
    assert_eq!(config.mail.port, Some(2_525));
    assert!(config.render_masked().contains("from = \"X <a@b>\""));
}

#[test]
fn any_host_is_answered_unless_some_are_listed() {
    let hosts = |file| load(file, &[], Overrides::default()).unwrap().edge_limits().hosts;
    assert_eq!(hosts("public_url = \"https://claviger.example\""), None);
    let listed = "public_url = \"https://claviger.example\"\nhosts = [\"inside\", \"10.0.0.7\"]";
    let names = ["inside", "10.0.0.7", "claviger.example"].map(str::to_owned);
    assert_eq!(hosts(listed), Some(edge::Hosts::new(names, None)));
    assert!(refused("hosts = [\"https://a.example\"]", &[]).contains("expected host names or addresses"));
}
