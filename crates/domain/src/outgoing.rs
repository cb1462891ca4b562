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
mod tests;
