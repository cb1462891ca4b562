//! The address a request comes from, out of the peer that the edge saw and the forwarding headers.

use crate::Peer;
use claviger_domain::address::{Origin, origin};
use claviger_domain::network::Network;
use http::header::{FORWARDED, HeaderName};
use http::{HeaderMap, HeaderValue};

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Finds the origin. A request without a known peer has none: it is in no list of networks.
pub(crate) fn find(headers: &HeaderMap, peer: Option<&Peer>, trusted: &[Network]) -> Origin {
    let Some(Peer(peer)) = peer else { return Origin::Unknown };
    if trusted.is_empty() {
        return Origin::Known(peer.ip().to_canonical());
    }
    let values = |name: &'static HeaderName| headers.get_all(name).iter().map(text);
    origin(peer.ip(), trusted, values(&X_FORWARDED_FOR), values(&FORWARDED))
}

/// A value that is not plain text counts as a hop that is no address.
fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or("?")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find_from(peer: &str, trusted: &[&str], name: &'static str, value: &[u8]) -> Origin {
        let trusted: Vec<_> = trusted.iter().map(|net| Network::parse("", net).unwrap()).collect();
        let headers = HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap())]);
        find(&headers, Some(&Peer(peer.parse().unwrap())), &trusted)
    }

    #[test]
    fn headers_count_only_from_a_trusted_proxy() {
        let known = |text: &str| Origin::Known(text.parse().unwrap());
        for name in ["x-forwarded-for", "x-real-ip", "true-client-ip", "cf-connecting-ip", "x-client-ip"] {
            assert_eq!(find_from("198.51.100.7:1", &[], name, b"203.0.113.9"), known("198.51.100.7"), "{name}");
        }
        let trusted = ["198.51.100.0/24"];
        assert_eq!(find_from("198.51.100.7:1", &trusted, "x-forwarded-for", b"203.0.113.9"), known("203.0.113.9"));
        assert_eq!(find_from("198.51.100.7:1", &trusted, "x-real-ip", b"203.0.113.9"), known("198.51.100.7"));
        assert_eq!(find_from("198.51.100.7:1", &trusted, "forwarded", b"for=203.0.113.9"), known("203.0.113.9"));
        assert_eq!(find_from("198.51.100.7:1", &trusted, "x-forwarded-for", b"\xff"), Origin::Unknown);
    }

    #[test]
    fn without_a_peer_nothing_is_known() {
        assert_eq!(find(&HeaderMap::new(), None, &[]), Origin::Unknown);
    }
}
