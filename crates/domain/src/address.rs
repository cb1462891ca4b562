//! The address a request comes from: the socket peer, or what a trusted proxy says of it (RFC 7239 and its forerunner).

use crate::network::Network;
use std::net::{IpAddr, SocketAddr};

/// Most hops that are looked at, from the right.
pub const HOPS_MAX: usize = 32;

/// Where a request comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Origin {
    /// This address.
    Known(IpAddr),
    /// A trusted proxy named a hop that is no address, or contradicted itself: allowed by no list of networks.
    Unknown,
}

impl Origin {
    /// The address, if it is known.
    pub fn address(self) -> Option<IpAddr> {
        match self {
            Self::Known(address) => Some(address),
            Self::Unknown => None,
        }
    }
}

/// Finds the origin of a request from `peer`. Only where the peer is in `trusted` are the headers looked at:
/// `x_forwarded_for` and `forwarded` are all values of these headers in their order. The right-most hop that is not itself
/// trusted counts; where both headers stand and disagree, the origin is unknown.
pub fn origin<'a>(
    peer: IpAddr,
    trusted: &[Network],
    x_forwarded_for: impl DoubleEndedIterator<Item = &'a str>,
    forwarded: impl DoubleEndedIterator<Item = &'a str>,
) -> Origin {
    let peer = peer.to_canonical();
    if !trusted.iter().any(|network| network.contains(peer)) {
        return Origin::Known(peer);
    }
    let plain = last_untrusted(trusted, x_forwarded_for.rev().flat_map(|line| line.rsplit(',')).map(parse_plain));
    let named = last_untrusted(trusted, forwarded.rev().flat_map(|line| line.rsplit(',')).map(parse_forwarded));
    match (plain, named) {
        (None, None) => Origin::Known(peer),
        (Some(one), None) | (None, Some(one)) => one,
        (Some(one), Some(other)) if one == other => one,
        (Some(_), Some(_)) => Origin::Unknown,
    }
}

fn last_untrusted(trusted: &[Network], hops: impl Iterator<Item = Option<IpAddr>>) -> Option<Origin> {
    let mut last = None;
    for (index, hop) in hops.enumerate() {
        let Some(hop) = hop.filter(|_| index < HOPS_MAX) else { return Some(Origin::Unknown) };
        if !trusted.iter().any(|network| network.contains(hop)) {
            return Some(Origin::Known(hop));
        }
        last = Some(hop);
    }
    // Every hop is one of our own proxies: the farthest of them is where the request began.
    last.map(Origin::Known)
}

fn parse_plain(hop: &str) -> Option<IpAddr> {
    hop.trim_start_matches([' ', '\t']).parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

fn parse_forwarded(element: &str) -> Option<IpAddr> {
    let pair = element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim_matches([' ', '\t']).eq_ignore_ascii_case("for").then(|| value.trim_matches([' ', '\t']))
    })?;
    let node = pair.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(pair);
    let bare = node.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(node);
    let address = bare.parse::<IpAddr>().ok().or_else(|| node.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(peer: &str, trusted: &[&str], plain: &[&str], forwarded: &[&str]) -> Origin {
        let trusted: Vec<_> = trusted.iter().map(|n| Network::parse("", n).unwrap()).collect();
        origin(peer.parse().unwrap(), &trusted, plain.iter().copied(), forwarded.iter().copied())
    }

    fn known(text: &str) -> Origin {
        Origin::Known(text.parse().unwrap())
    }

    #[test]
    fn an_untrusted_peer_is_believed_nothing() {
        assert_eq!(find("198.51.100.7", &[], &["203.0.113.9"], &["for=203.0.113.9"]), known("198.51.100.7"));
        assert_eq!(find("198.51.100.7", &["10.0.0.0/8"], &["203.0.113.9"], &[]), known("198.51.100.7"));
    }

    #[test]
    fn the_right_most_untrusted_hop_counts() {
        let trusted = ["10.0.0.0/8"];
        assert_eq!(find("10.0.0.1", &trusted, &["203.0.113.9, 198.51.100.7, 10.0.0.2"], &[]), known("198.51.100.7"));
        assert_eq!(find("10.0.0.1", &trusted, &["203.0.113.9", "198.51.100.7"], &[]), known("198.51.100.7"));
        assert_eq!(find("10.0.0.1", &trusted, &["10.0.0.3, 10.0.0.2"], &[]), known("10.0.0.3"));
        assert_eq!(find("10.0.0.1", &trusted, &[], &[]), known("10.0.0.1"));
        assert_eq!(find("::ffff:10.0.0.1", &trusted, &["::ffff:203.0.113.9"], &[]), known("203.0.113.9"));
    }

    #[test]
    fn the_standard_header_is_read_as_the_standard_says() {
        let trusted = ["10.0.0.0/8"];
        assert_eq!(find("10.0.0.1", &trusted, &[], &["For=\"[2001:db8::7]:4711\";proto=https"]), known("2001:db8::7"));
        assert_eq!(find("10.0.0.1", &trusted, &[], &["for=192.0.2.60;proto=http, for=10.0.0.9"]), known("192.0.2.60"));
        assert_eq!(find("10.0.0.1", &trusted, &[], &["for=_hidden"]), Origin::Unknown);
    }

    #[test]
    fn contradiction_and_nonsense_are_unknown() {
        let trusted = ["10.0.0.0/8"];
        assert_eq!(find("10.0.0.1", &trusted, &["203.0.113.9"], &["for=203.0.113.10"]), Origin::Unknown);
        for bad in
            ["unknown", "_hid", "[::1]:80", "127.0.0.1%00", "0x7f.1", "010.0.0.1", "127.0.0.1:80", "127.0.0.1  ", ""]
        {
            assert_eq!(find("10.0.0.1", &trusted, &[bad], &[]), Origin::Unknown, "{bad}");
        }
        let long = vec!["10.0.0.2"; 2_000].join(",");
        assert_eq!(find("10.0.0.1", &trusted, &[&long], &[]), Origin::Unknown);
        let spoofed = format!("{long}, 203.0.113.9");
        assert_eq!(find("10.0.0.1", &trusted, &[&spoofed], &[]), known("203.0.113.9"));
    }
}
