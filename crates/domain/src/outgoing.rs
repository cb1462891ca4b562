//! Where the server may call out to on somebody's behalf: which URLs, and which addresses behind them. One strict reading of
//! a URL serves whoever registers one and whoever dials it, so that the two cannot disagree.

use crate::{Error, Result};
use ipnet::IpNet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Most characters of a URL.
pub const URL_MAX: usize = 1_024;
/// Ports of public addresses that may be called.
const PORTS: [u16; 4] = [443, 80, 8443, 8080];

/// A host as it stands in a URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name in lower case.
    Name(String),
    /// An address.
    Address(IpAddr),
}

/// A URL that may be called, if its addresses may.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    text: String,
    host: Host,
    port: u16,
    secure: bool,
    path: usize,
}

impl Target {
    /// Accepts the URL at `pointer`: `https`, or `http` to this very machine; a host in plain spelling; no user, no fragment.
    pub fn parse(pointer: &str, text: &str) -> Result<Self> {
        let refuse = |message: String| {
            Error::invalid(pointer, message, "give a URL such as https://issuer.example/path, in plain ASCII")
        };
        if text.len() > URL_MAX {
            return Err(refuse(format!("the URL has more than {URL_MAX} characters")));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic())
            || text.contains(['\\', '#', '"', '<', '>', '^', '`', '{', '|', '}'])
        {
            return Err(refuse("the URL holds a blank, a fragment or a character that URLs do not have".into()));
        }
        let (secure, rest) = match text.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            _ => return Err(refuse("the URL begins neither with https:// nor with http://".into())),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, _) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let (host, port) = split_authority(authority).ok_or_else(|| refuse(format!("{authority:?} is not a host")))?;
        let host = parse_host(host).ok_or_else(|| refuse(format!("{host:?} is not a host in plain spelling")))?;
        let port = match port {
            None => {
                if secure {
                    443
                } else {
                    80
                }
            }
            Some(port) => parse_port(port).ok_or_else(|| refuse(format!("{port:?} is not a port")))?,
        };
        let target = Self { path: text.len() - rest.len() + end, text: text.to_owned(), host, port, secure };
        if !secure && !target.is_this_machine() {
            let fix = "give a URL that begins with https://; only this machine itself may be called without TLS";
            return Err(Error::invalid(pointer, "the URL is without TLS", fix));
        }
        Ok(target)
    }

    /// The URL as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is called by TLS.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Path and query, as a request line has them.
    pub fn path_and_query(&self) -> String {
        let rest = self.text.get(self.path..).unwrap_or_default();
        if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") }
    }

    /// Whether there is a query.
    pub fn has_query(&self) -> bool {
        self.text.contains('?')
    }

    /// The `Host` of a request.
    pub fn authority(&self) -> String {
        let usual = if self.secure { 443 } else { 80 };
        if self.port == usual { self.host.to_string() } else { format!("{}:{}", self.host, self.port) }
    }

    fn is_this_machine(&self) -> bool {
        match &self.host {
            Host::Name(name) => name == "localhost",
            Host::Address(address) => address.to_canonical().is_loopback(),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

fn split_authority(authority: &str) -> Option<(&str, Option<&str>)> {
    if authority.contains('@') {
        return None;
    }
    if let Some(rest) = authority.strip_prefix('[') {
        let (_, after) = rest.split_once(']')?;
        let host = authority.get(..authority.len() - after.len())?;
        return match after.strip_prefix(':') {
            None if after.is_empty() => Some((host, None)),
            None => None,
            Some(port) => Some((host, Some(port))),
        };
    }
    Some(authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))))
}

fn parse_port(text: &str) -> Option<u16> {
    let plain = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// One spelling for each host: other ways to write an address (`0x7f.1`, `127.1`, `2130706433`) are none.
fn parse_host(text: &str) -> Option<Host> {
    if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().ok().map(|address| Host::Address(address.into()));
    }
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Some(Host::Address(address.into()));
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    let looks_numeric = last.starts_with(|c: char| c.is_ascii_digit());
    let is_name = text.len() <= 253 && !looks_numeric && text.split('.').all(is_label);
    is_name.then(|| Host::Name(text.to_ascii_lowercase()))
}

/// Which addresses may be called: all public ones, on the ports of HTTP, and what the operator allows besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// Networks that may be called although they are not public, on any port.
    pub networks: Vec<IpNet>,
}

impl Allowance {
    /// Whether an address may be called at a port.
    pub fn admits(&self, address: IpAddr, port: u16) -> bool {
        self.lists(address) || (is_public(address) && PORTS.contains(&port))
    }

    /// Whether the operator has allowed an address by name.
    pub fn lists(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// Refuses the URL at `pointer` where it can be told already that it will not be called.
    pub fn check(&self, pointer: &str, target: &Target) -> Result<()> {
        let refuse = |message: &str| {
            let fix = "give a public address and the port 443 or 8443, or ask the operator to allow it in outgoing.allowed_networks";
            Err(Error::invalid(pointer, message, fix))
        };
        match target.host() {
            Host::Address(address) if !self.admits(*address, target.port()) => {
                refuse("the URL names an address or a port that this server does not call")
            }
            Host::Name(name) if name == "localhost" || name.ends_with(".localhost") => {
                let lists = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
                if lists.into_iter().any(|address| self.lists(address)) {
                    return Ok(());
                }
                refuse("the URL names this machine, which this server does not call")
            }
            Host::Name(_) if !PORTS.contains(&target.port()) && self.networks.is_empty() => {
                refuse("the URL names a port that this server does not call")
            }
            _ => Ok(()),
        }
    }
}

/// Whether an address is one of the public internet. IPv4 in any wrapping of IPv6 is never public: who writes it so has
/// something to hide.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // 2000::/3 alone is unicast of the internet; in it lie protocols (Teredo among them), documentation and 6to4.
    (0x2000..=0x3fff).contains(&a)
        && !matches!((a, b), (0x2001, 0..=0x01ff | 0x0db8) | (0x2002, _) | (0x3fff, 0..=0x0fff))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Target> {
        Target::parse("/issuer", text)
    }

    #[test]
    fn urls_are_read_in_one_way() {
        let target = parse("https://Issuer.example:8443/a/b?c=d").unwrap();
        assert_eq!((target.host(), target.port()), (&Host::Name("issuer.example".into()), 8443));
        assert_eq!(
            (target.path_and_query().as_str(), target.authority().as_str()),
            ("/a/b?c=d", "issuer.example:8443")
        );
        assert_eq!(parse("https://a.example").unwrap().path_and_query(), "/");
        assert_eq!(parse("https://a.example?x").unwrap().path_and_query(), "/?x");
        assert_eq!(parse("https://[2001:db8::1]/").unwrap().authority(), "[2001:db8::1]");
        assert!(
            parse("http://127.0.0.1:8080/").is_ok()
                && parse("http://localhost/").is_ok()
                && parse("http://[::1]/").is_ok()
        );
        for bad in [
            "",
            "issuer.example",
            "http://issuer.example/",
            "ftp://a.example/",
            "file:///etc/passwd",
            "gopher://a/",
            "https://",
            "https:///x",
            "https://a@b.example/",
            "https://good@10.0.0.1/",
            "https://good#@bad/",
            "https://a.example\\@b/",
            "https://a.example/#x",
            "https://a b/",
            "https://a\tb/",
            "https://a.example\n/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://localhost./",
            "https://127。0。0。1/",
            "https://①②⑦.0.0.1/",
            "https://1.2.3.4.5/",
            "https://a..b/",
            "https://-a.example/",
            "https://a.example:0/",
            "https://a.example:65536/",
            "https://a.example:+1/",
            "https://a.example:01/",
            "https://a.example:/",
            "https://[::1/",
            "https://[::1]x/",
            "https://[fe80::1%25eth0]/",
            "https://%31.example/",
            "https://é.example/",
            "HTTPS://a.example/",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse(&format!("https://a.example/{}", "x".repeat(URL_MAX))).is_err());
    }

    #[test]
    fn no_address_of_ours_is_public() {
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "5f00::1",
            "100::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in [
            "1.1.1.1",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.1",
            "2606:4700::1",
            "2a00::1",
            "2001:4860::8888",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn the_operator_may_allow_more() {
        let nothing = Allowance::default();
        let loopback = Allowance { networks: vec!["127.0.0.0/8".parse().unwrap()] };
        let here = "127.0.0.1".parse().unwrap();
        assert!(!nothing.admits(here, 443) && loopback.admits(here, 4321));
        assert!(loopback.admits("::ffff:127.0.0.1".parse().unwrap(), 1), "the same address");
        let public = "1.1.1.1".parse().unwrap();
        assert!(nothing.admits(public, 443) && !nothing.admits(public, 22) && !nothing.admits(public, 6379));
        for url in
            ["https://127.0.0.1/", "http://localhost/", "https://10.0.0.1/", "https://a.example:22/", "https://[::1]/"]
        {
            assert!(nothing.check("/x", &parse(url).unwrap()).is_err(), "{url}");
        }
        assert!(loopback.check("/x", &parse("http://127.0.0.1:99/").unwrap()).is_ok());
        assert!(loopback.check("/x", &parse("http://localhost:99/").unwrap()).is_ok());
        assert!(loopback.check("/x", &parse("https://10.0.0.1/").unwrap()).is_err());
        assert!(nothing.check("/x", &parse("https://a.example/").unwrap()).is_ok());
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_again(host in "[a-z]{1,9}(\\.[a-z]{1,9}){0,3}", port in 1_u16.., path in "(/[a-z0-9._~-]{0,9}){0,4}") {
            let target = parse(&format!("https://{host}:{port}{path}")).unwrap();
            prop_assert_eq!(target.host(), &Host::Name(host));
            prop_assert_eq!(target.port(), port);
            prop_assert!(target.path_and_query().starts_with('/') && target.path_and_query().ends_with(&path));
        }

        #[test]
        fn any_text_is_answered(text in "https?://\\PC{0,60}|\\PC{0,60}") {
            if let Ok(target) = parse(&text) {
                let _ = Allowance::default().check("/x", &target);
                prop_assert!(!target.authority().contains(['@', '/', ' ']));
            }
        }
    }
}
