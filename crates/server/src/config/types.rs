//! The types that only the configuration needs; parsing one is validating it.

use std::fmt;
use std::path::PathBuf;

use http::Uri;
use rustls_pki_types::ServerName;

/// A size in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size(pub usize);

/// Whether the listener speaks TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// Always TLS.
    #[default]
    On,
    /// Always plain HTTP: a proxy in front ends TLS.
    Off,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines: one object per line.
    Json,
}

/// A PostgreSQL URL. Printing it masks its passwords.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

/// The scheme, host and port under which clients reach the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

/// A host name or address that a certificate can be made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(pub String);

/// Where the root key comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RootKey {
    /// The file in the data directory, made on first start.
    #[default]
    DataDir,
    /// A file of mode 0600.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// A command: the program and its arguments.
    Command(Vec<String>),
}

impl TlsMode {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "on" => Some(Self::On),
            "off" => Some(Self::Off),
            _ => None,
        }
    }
}

impl fmt::Display for TlsMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::On { "on" } else { "off" })
    }
}

impl LogFormat {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Text { "text" } else { "json" })
    }
}

impl DatabaseUrl {
    /// Takes a PostgreSQL URL.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"))?;
        (!rest.is_empty() && !rest.contains(char::is_whitespace)).then(|| Self(text.to_owned()))
    }

    /// The whole URL, password included, for the one who connects.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn masked(&self) -> String {
        let (head, query) = self.0.split_once('?').map_or((self.0.as_str(), None), |(head, query)| (head, Some(query)));
        let (scheme, rest) = head.split_once("://").unwrap_or(("postgres", head));
        // An unescaped @ in a password is wrong, but must not show half of it.
        let mut text = match rest.rsplit_once('@') {
            Some((user, host)) => match user.split_once(':') {
                Some((user, _)) => format!("{scheme}://{user}:***@{host}"),
                None => format!("{scheme}://{user}@{host}"),
            },
            None => format!("{scheme}://{rest}"),
        };
        for (at, pair) in query.into_iter().flat_map(|query| query.split('&')).enumerate() {
            text.push(if at == 0 { '?' } else { '&' });
            match pair.split_once('=') {
                Some((name, _)) if name.to_ascii_lowercase().contains("pass") => text.push_str(&format!("{name}=***")),
                _ => text.push_str(pair),
            }
        }
        text
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl PublicUrl {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let scheme = uri.scheme_str().filter(|scheme| ["http", "https"].contains(scheme))?;
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        (uri.path() == "/" && uri.query().is_none()).then(|| Self(format!("{scheme}://{authority}")))
    }

    /// The host alone, without brackets.
    pub fn host(&self) -> String {
        let host = self.0.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']').to_owned()
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HostName {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        ServerName::try_from(text).is_ok().then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl RootKey {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text == "file" {
            return Some(Self::DataDir);
        }
        let (kind, rest) = text.split_once(':').filter(|(_, rest)| !rest.trim().is_empty())?;
        match kind {
            "file" => Some(Self::File(rest.into())),
            "env" => Some(Self::Env(rest.to_owned())),
            "command" => Some(Self::Command(rest.split_whitespace().map(str::to_owned).collect())),
            _ => None,
        }
    }
}

impl fmt::Display for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DataDir => f.write_str("file"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Env(name) => write!(f, "env:{name}"),
            // Arguments may hold secrets; the program's name suffices to recognise it.
            Self::Command(words) => {
                write!(f, "command:{}", words.first().map_or("", String::as_str))?;
                if words.len() > 1 { f.write_str(" ***") } else { Ok(()) }
            }
        }
    }
}
