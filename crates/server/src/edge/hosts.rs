//! The hosts that requests may name, where the operator has said which.

use http::header::HOST;
use http::{HeaderMap, Uri};

/// What answers whatever host it is asked by: orchestrators name addresses that nobody knows ahead.
const PROBES: [&str; 2] = ["/healthz", "/readyz"];

/// Host names and addresses, and a suffix beneath which each label is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    names: Vec<String>,
    suffix: Option<String>,
}

impl Hosts {
    /// These, compared without regard to case, port and a dot at the end.
    pub fn new(names: impl IntoIterator<Item = String>, suffix: Option<&str>) -> Self {
        let names = names.into_iter().map(|name| plain(&name)).collect();
        Self { names, suffix: suffix.map(|suffix| format!(".{}", plain(suffix.trim_start_matches('.')))) }
    }

    /// Whether a request may go on: it names one host, and that is among these.
    pub(super) fn admit(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        if PROBES.contains(&uri.path()) {
            return true;
        }
        let mut named = headers.get_all(HOST).iter();
        let host = named.next();
        if named.next().is_some() {
            return false;
        }
        let asked = match (uri.host(), host.map(|host| host.to_str())) {
            (Some(host), _) => host,
            (None, Some(Ok(host))) => without_port(host),
            _ => return false,
        };
        let asked = plain(asked);
        self.names.contains(&asked)
            || self.suffix.as_deref().and_then(|suffix| asked.strip_suffix(suffix)).is_some_and(is_label)
    }
}

fn is_label(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn plain(name: &str) -> String {
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn admits(uri: &'static str, hosts: &[&'static str]) -> bool {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_static(host));
        }
        let names = ["Claviger.example", "192.0.2.1", "2001:db8::1"].map(str::to_owned);
        Hosts::new(names, Some("cy.example")).admit(&Uri::from_static(uri), &headers)
    }

    #[test]
    fn what_is_listed_is_admitted_however_it_is_spelt() {
        for host in [
            "claviger.example",
            "CLAVIGER.example:8443",
            "claviger.example.",
            "192.0.2.1:8443",
            "[2001:DB8::1]",
            "[2001:db8::1]:443",
            "ccab12.cy.example",
        ] {
            assert!(admits("/v1/whoami", &[host]), "{host}");
        }
        assert!(admits("https://claviger.example/v1", &[]), "HTTP/2 has it there");
        assert!(admits("https://claviger.example/v1", &["evil.example"]), "the target goes first");
    }

    #[test]
    fn everything_else_is_not() {
        for host in [
            "evil.example",
            "claviger.example.evil",
            "xclaviger.example",
            "claviger.example:8443:1",
            "claviger.example@evil.example",
            "cy.example",
            ".cy.example",
            "a.b.cy.example",
            "127.0.0.1",
            "",
        ] {
            assert!(!admits("/v1/whoami", &[host]), "{host}");
        }
        assert!(!admits("https://evil.example/v1", &["claviger.example"]));
        assert!(!admits("/v1/whoami", &[]));
        assert!(!admits("/v1/whoami", &["claviger.example", "evil.example"]), "which of them?");
    }

    #[test]
    fn probes_are_answered_by_any_name() {
        assert!(admits("/healthz", &["10.1.2.3:8443"]) && admits("/readyz", &[]));
        assert!(!admits("/healthz/", &["10.1.2.3:8443"]));
    }
}
