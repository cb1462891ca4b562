//! Hosts of instances: where a suffix is set, each instance has one of its own beneath it, `cc` and its org key in small
//! letters. Only the host that the client asked for counts, never what a header says was forwarded.

use http::HeaderMap;
use http::Uri;
use http::header::HOST;
use std::sync::Arc;

const PREFIX: &str = "cc";

/// The suffix, if there is one.
#[derive(Clone, Debug, Default)]
pub struct InstanceHosts(Option<Arc<str>>);

impl InstanceHosts {
    /// Hosts beneath this suffix; none is one host for everything.
    pub fn new(suffix: Option<&str>) -> Self {
        let suffix = suffix.map(|suffix| suffix.trim_matches('.').to_ascii_lowercase());
        Self(suffix.filter(|suffix| !suffix.is_empty()).map(Into::into))
    }

    /// Whether there is one host for everything.
    pub fn are_one(&self) -> bool {
        self.0.is_none()
    }

    /// The host of an instance, where the server as a whole is reached at `url`: with its port, if that names one.
    pub fn name(&self, org_key: &str, url: &str) -> String {
        let authority = url.split_once("://").map_or(url, |(_, rest)| rest).split('/').next().unwrap_or_default();
        match &self.0 {
            None => authority.to_owned(),
            Some(suffix) => {
                let (_, port) = split(authority);
                let port = port.map(|port| format!(":{port}")).unwrap_or_default();
                format!("{PREFIX}{}.{suffix}{port}", org_key.to_ascii_lowercase())
            }
        }
    }

    /// The org key of the instance whose host was asked for; none for every other host.
    pub fn find(&self, uri: &Uri, headers: &HeaderMap) -> Option<String> {
        let suffix = self.0.as_deref()?;
        let asked = match uri.authority() {
            Some(authority) => authority.as_str(),
            None => {
                let mut values = headers.get_all(HOST).iter();
                let host = values.next()?.to_str().ok()?;
                if values.next().is_some() {
                    return None;
                }
                host
            }
        };
        let (host, _) = split(asked);
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let label = host.strip_suffix(suffix)?.strip_suffix('.')?.strip_prefix(PREFIX)?;
        let plain = !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric());
        plain.then(|| label.to_ascii_uppercase())
    }
}

/// Host and port of an authority.
fn split(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => (host, Some(port)),
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn find(suffix: Option<&str>, uri: &'static str, hosts: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_static(host));
        }
        InstanceHosts::new(suffix).find(&Uri::from_static(uri), &headers)
    }

    #[test]
    fn the_host_that_was_asked_for_names_the_instance() {
        let key = Some("AB12CD34".to_owned());
        for host in
            ["ccab12cd34.cy.example", "CCAB12CD34.CY.example", "ccab12cd34.cy.example:8443", "ccab12cd34.cy.example."]
        {
            assert_eq!(find(Some(".Cy.example"), "/x", &[host]), key, "{host}");
        }
        assert_eq!(find(Some("cy.example"), "https://ccab12cd34.cy.example/x", &["other"]), key, "HTTP/2 has it there");
        for host in [
            "cy.example",
            "api.cy.example",
            "cc.cy.example",
            "ccab12cd34.cy.example.evil",
            "ccab12cd34cy.example",
            "ccab.12cd34.cy.example",
            "cc\u{61}-b.cy.example",
            "",
        ] {
            assert_eq!(find(Some("cy.example"), "/x", &[host]), None, "{host}");
        }
        assert_eq!(find(None, "/x", &["ccab12cd34.cy.example"]), None);
        assert_eq!(find(Some("cy.example"), "/x", &[]), None);
        let both = ["ccab12cd34.cy.example", "ccab12cd34.cy.example"];
        assert_eq!(find(Some("cy.example"), "/x", &both), None, "which of them?");
    }

    #[test]
    fn instances_are_told_their_hosts() {
        let hosts = InstanceHosts::new(Some("cy.example"));
        assert_eq!(hosts.name("AB12CD34", "https://api.cy.example"), "ccab12cd34.cy.example");
        assert_eq!(hosts.name("AB12CD34", "https://[::1]:8443"), "ccab12cd34.cy.example:8443");
        let one = InstanceHosts::new(Some(""));
        assert!(one.are_one() && !hosts.are_one());
        assert_eq!(one.name("AB12CD34", "https://api.cy.example:8443"), "api.cy.example:8443");
    }
}
