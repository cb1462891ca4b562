//! The configuration: one struct. A TOML file over the defaults, the environment over the file, flags over that.
//!
//! Everything wrong is reported at once, each with its key, the value given and what is allowed.

mod keys;
mod mail;
mod types;
mod value;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use claviger_domain::signing::{Rhythm, parse_rhythm};
use ipnet::IpNet;
use toml::{Table, Value};

pub use self::mail::{MailKeys, MailSender, MailTls, MailTransport, Word};
pub use self::types::{DatabaseUrl, HostName, LogFormat, PublicUrl, RootKey, Size, TlsMode};

use self::keys::{Given, KEYS, nearest};
use crate::edge;

/// The defaults, and the manual of all keys.
pub const DEFAULTS: &str = include_str!("../../config.default.toml");

/// What the server is told. The meaning of each field stands in `config.default.toml`.
#[allow(missing_docs, reason = "documented where the operator reads it")]
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    pub database: Option<DatabaseUrl>,
    pub accept_data_loss: bool,
    pub credentials_file: Option<PathBuf>,
    pub public_url: Option<PublicUrl>,
    pub instance_host_suffix: Option<HostName>,
    pub tls: TlsMode,
    pub tls_certificate: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    pub tls_ca_file: Option<PathBuf>,
    pub public_names: Vec<HostName>,
    pub hosts: Vec<HostName>,
    pub trusted_proxies: Vec<IpNet>,
    pub catalogue_dirs: Vec<PathBuf>,
    pub metrics_listen: Option<SocketAddr>,
    pub metrics_anywhere: bool,
    pub root_key: RootKey,
    pub limits: Sizes,
    pub timers: Pauses,
    pub logs: Logs,
    pub tokens: TokenKeys,
    pub outgoing: WayOut,
    pub mail: MailKeys,
    pub ignored: Vec<String>,
}

/// The section `[limits]`.
#[allow(missing_docs, reason = "documented where the operator reads it")]
#[derive(Clone, Debug, Default)]
pub struct Sizes {
    pub connections: usize,
    pub connections_per_peer: u32,
    pub header_count: usize,
    pub header: Size,
    pub head: Size,
    pub url: Size,
    pub body: Size,
    pub streams: u32,
}

/// The section `[timers]`.
#[allow(missing_docs, reason = "documented where the operator reads it")]
#[derive(Clone, Debug, Default)]
pub struct Pauses {
    pub handshake: Duration,
    pub first_byte: Duration,
    pub headers: Duration,
    pub idle: Duration,
    pub window: Duration,
    pub bytes_per_second: u64,
    pub drain: Duration,
}

/// The section `[logs]`.
#[allow(missing_docs, reason = "documented where the operator reads it")]
#[derive(Clone, Debug, Default)]
pub struct Logs {
    pub format: LogFormat,
    pub level: String,
    pub access: bool,
}

/// The section `[tokens]`.
#[allow(missing_docs, reason = "documented where the operator reads it")]
#[derive(Clone, Debug, Default)]
pub struct TokenKeys {
    pub signing_days: u32,
    pub publish_lead: Duration,
}

/// The section `[outgoing]`.
#[allow(missing_docs, reason = "documented where the operator reads it")]
#[derive(Clone, Debug, Default)]
pub struct WayOut {
    pub allowed_networks: Vec<IpNet>,
    pub ca_file: Option<PathBuf>,
}

/// What the command line says; it wins over everything else.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--listen`
    pub listen: Option<String>,
    /// `--data-dir`
    pub data_dir: Option<String>,
    /// `--database`
    pub database: Option<String>,
    /// `--credentials-file`
    pub credentials_file: Option<String>,
    /// A command's own default of `data_dir`, which everything else wins over.
    pub data_dir_if_unset: Option<String>,
}

/// Everything that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

/// Variables with our prefix that are not settings: the file's own name, client credentials, the tests' own, and those that Kubernetes makes
/// for a service named `claviger`.
fn is_foreign(variable: &str) -> bool {
    ["CLAVIGER_CLIENT_ID", "CLAVIGER_SECRET", "CLAVIGER_TOKEN", "CLAVIGER_CONFIG", "CLAVIGER_BIN"].contains(&variable)
        || ["CLAVIGER_TEST_", "CLAVIGER_SERVICE_", "CLAVIGER_PORT"].iter().any(|prefix| variable.starts_with(prefix))
}

/// The variables of this process. What is no text in them is replaced by U+FFFD, which no setting accepts.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    let readable = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, text)| (readable(name), readable(text)))
}

impl Config {
    /// Puts the configuration together.
    ///
    /// # Errors
    /// With everything that is wrong in it.
    pub fn load(
        file: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
        flags: Overrides,
    ) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let mut config = Self::blank();
        config.apply_toml(DEFAULTS, "the defaults", &mut problems);
        if let Some(directory) = &flags.data_dir_if_unset {
            config.set("the defaults", "data_dir", &Given::Text(directory), &mut problems);
        }
        if let Some(path) = file {
            let origin = path.display().to_string();
            match std::fs::read_to_string(path) {
                Ok(text) => config.apply_toml(&text, &origin, &mut problems),
                Err(error) => problems.push(format!("{origin}: {error}")),
            }
        }
        config.apply_env(env, &mut problems);
        for (flag, key, text) in [
            ("--listen", "listen", flags.listen),
            ("--data-dir", "data_dir", flags.data_dir),
            ("--database", "database", flags.database),
            ("--credentials-file", "credentials_file", flags.credentials_file),
        ] {
            if let Some(text) = text {
                config.set(flag, key, &Given::Text(&text), &mut problems);
            }
        }
        config.cross_check(&mut problems);
        if problems.is_empty() { Ok(config) } else { Err(ConfigError(problems)) }
    }

    /// The effective configuration as TOML, secrets masked.
    pub fn render_masked(&self) -> String {
        let mut text = String::new();
        let mut section = "";
        for key in KEYS {
            let (group, name) = key.name.split_once('.').unwrap_or(("", key.name));
            if group != section {
                section = group;
                text.push_str(&format!("\n[{group}]\n"));
            }
            match (key.show)(self) {
                Some(value) => text.push_str(&format!("{name} = {value}\n")),
                None => text.push_str(&format!("# {name} is not set\n")),
            }
        }
        text
    }

    /// Each key with its effective value in TOML, secrets masked; none where it is not set.
    pub fn shown(&self) -> Vec<(&'static str, Option<String>)> {
        KEYS.iter().map(|key| (key.name, (key.show)(self))).collect()
    }

    /// What the edge is to enforce.
    pub fn edge_limits(&self) -> edge::Limits {
        edge::Limits {
            connections: self.limits.connections,
            connections_per_peer: self.limits.connections_per_peer,
            exempt: self.trusted_proxies.clone(),
            header_count: self.limits.header_count,
            header_bytes: self.limits.header.0,
            head_bytes: self.limits.head.0,
            url_bytes: self.limits.url.0,
            body_bytes: self.limits.body.0,
            streams: self.limits.streams,
            hosts: self.hosts(),
            timers: edge::Timers {
                handshake: self.timers.handshake,
                first_byte: self.timers.first_byte,
                headers: self.timers.headers,
                idle: self.timers.idle,
                window: self.timers.window,
                bytes_per_second: self.timers.bytes_per_second,
                drain: self.timers.drain,
            },
        }
    }

    /// The hosts that requests may name; none is any.
    fn hosts(&self) -> Option<edge::Hosts> {
        let public = self.public_url.as_ref().map(PublicUrl::host);
        let names = self.hosts.iter().map(|name| name.0.clone()).chain(public);
        let suffix = self.instance_host_suffix.as_ref().map(|suffix| suffix.0.as_str());
        (!self.hosts.is_empty()).then(|| edge::Hosts::new(names, suffix))
    }

    /// The hosts that the private CA's certificate is to cover.
    pub fn host_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.public_names.iter().map(|name| name.0.clone()).collect();
        names.extend(self.public_url.as_ref().map(PublicUrl::host));
        let mut names = crate::tls::host_names(self.listen.ip(), &names);
        names.extend(self.instance_host_suffix.as_ref().map(|suffix| format!("*.{suffix}")));
        names
    }

    fn blank() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data_dir: PathBuf::new(),
            database: None,
            accept_data_loss: false,
            credentials_file: None,
            public_url: None,
            instance_host_suffix: None,
            tls: TlsMode::default(),
            tls_certificate: None,
            tls_key: None,
            tls_ca_file: None,
            public_names: Vec::new(),
            hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            catalogue_dirs: Vec::new(),
            metrics_listen: None,
            metrics_anywhere: false,
            root_key: RootKey::default(),
            limits: Sizes::default(),
            timers: Pauses::default(),
            logs: Logs::default(),
            tokens: TokenKeys::default(),
            outgoing: WayOut::default(),
            mail: MailKeys::default(),
            ignored: Vec::new(),
        }
    }

    fn apply_toml(&mut self, text: &str, origin: &str, problems: &mut Vec<String>) {
        let table: Table = match text.parse() {
            Ok(table) => table,
            Err(error) => return problems.push(format!("{origin}: {error}")),
        };
        for (name, value) in &table {
            match value {
                Value::Table(section) => {
                    if section.is_empty() && !KEYS.iter().any(|key| key.name.starts_with(&format!("{name}."))) {
                        self.set(origin, name, &Given::Toml(value), problems);
                    }
                    for (key, value) in section {
                        self.set(origin, &format!("{name}.{key}"), &Given::Toml(value), problems);
                    }
                }
                value => self.set(origin, name, &Given::Toml(value), problems),
            }
        }
    }

    fn apply_env(&mut self, env: impl Iterator<Item = (String, String)>, problems: &mut Vec<String>) {
        let mut unknown = Vec::new();
        for (variable, text) in env.filter(|(name, _)| name.starts_with("CLAVIGER_") && !is_foreign(name)) {
            match KEYS.iter().find(|key| variable_of(key.name) == variable) {
                Some(_) if text.contains(char::REPLACEMENT_CHARACTER) => {
                    problems.push(format!("{variable}: its value is not UTF-8 text"));
                }
                Some(key) => self.set(&variable, key.name, &Given::Text(&text), problems),
                None => unknown.push(variable),
            }
        }
        // Only now is it known whether one of them holds the root key.
        let root_key = self.root_key.clone();
        for variable in unknown.into_iter().filter(|variable| root_key != RootKey::Env(variable.clone())) {
            let known: Vec<String> = KEYS.iter().map(|key| key.name.replace('.', "_").to_ascii_uppercase()).collect();
            let name = variable.trim_start_matches("CLAVIGER_");
            // What is close to a setting is a setting misspelt. Others may share the prefix: scripts, containers.
            match nearest(name, known.iter().map(String::as_str)) {
                Some(near) => problems.push(format!("{variable}: unknown variable; did you mean CLAVIGER_{near}?")),
                None => self.ignored.push(variable),
            }
        }
    }

    fn set(&mut self, origin: &str, name: &str, given: &Given<'_>, problems: &mut Vec<String>) {
        let Some(key) = KEYS.iter().find(|key| key.name == name) else {
            problems.push(format!("{origin}: unknown key {name}{}", hint(name, KEYS.iter().map(|key| key.name))));
            return;
        };
        if let Err(allowed) = (key.set)(self, given) {
            // A database URL that does not parse may hold a password all the same, and the key itself may stand where its source belongs.
            let shown = match given {
                _ if matches!(name, "database" | "root_key") => "(not shown)".to_owned(),
                Given::Toml(value) => value.to_string(),
                Given::Text(text) => format!("{text:?}"),
            };
            problems.push(format!("{origin}: {name} = {shown} is not allowed: expected {allowed}"));
        }
    }

    /// How signing keys follow each other.
    ///
    /// # Errors
    /// When a key of the section is out of its bounds.
    pub fn rhythm(&self) -> claviger_domain::Result<Rhythm> {
        let lead = i64::try_from(self.tokens.publish_lead.as_secs()).unwrap_or(i64::MAX);
        parse_rhythm(self.tokens.signing_days.into(), lead)
    }

    fn cross_check(&self, problems: &mut Vec<String>) {
        if let Err(claviger_domain::Error::Invalid(fields)) = self.rhythm() {
            let told = |field: &claviger_domain::FieldError| {
                format!("{}: {} is not allowed: {}", field.pointer, field.message, field.fix)
            };
            problems.extend(fields.iter().map(told));
        }
        if self.tls_certificate.is_some() != self.tls_key.is_some() {
            problems.push("tls_certificate and tls_key: expected both or neither".to_owned());
        }
        if self.tls == TlsMode::Off && self.tls_certificate.is_some() {
            problems.push("tls = \"off\" is not allowed with tls_certificate: remove one of them".to_owned());
        }
        if let Some(address) = self.metrics_listen
            && !address.ip().is_loopback()
            && !self.metrics_anywhere
        {
            problems.push(format!(
                "metrics_listen = \"{address}\" is not allowed: expected a loopback address, or metrics_anywhere = true"
            ));
        }
        self.mail.cross_check(problems);
        if self.limits.head.0 < 8192 {
            problems.push(format!("limits.head = {} is not allowed: expected at least \"8KiB\"", self.limits.head.0));
        }
    }
}

fn variable_of(key: &str) -> String {
    format!("CLAVIGER_{}", key.replace('.', "_").to_ascii_uppercase())
}

fn hint<'a>(unknown: &str, known: impl Iterator<Item = &'a str>) -> String {
    nearest(unknown, known).map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

#[cfg(test)]
mod tests;
