//! Networks from which an application may call: IPv4 and IPv6 in CIDR notation (RFC 4632, RFC 4291).

use crate::{Error, Result};
use ipnet::IpNet;
use std::fmt;
use std::net::IpAddr;

/// Most networks one application may list.
pub const NETWORKS_MAX: usize = 256;

/// One network. An IPv4-mapped IPv6 network (`::ffff:0:0/96` and below) is held as the IPv4 network it means.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Network(IpNet);

impl Network {
    /// Accepts a network in CIDR notation, or a single address. Host bits set are an error that names the network meant.
    pub fn parse(pointer: &str, text: &str) -> Result<Self> {
        let net = match text.parse::<IpNet>() {
            Ok(net) => net,
            Err(_) => match text.parse::<IpAddr>() {
                Ok(address) => IpNet::from(address),
                Err(_) => {
                    let message = format!("{:?} is not a network", cut(text));
                    return Err(Error::invalid(pointer, message, "write 192.0.2.0/24, 2001:db8::/32 or one address"));
                }
            },
        };
        if net.trunc() != net {
            let message = format!("{net} has host bits set");
            return Err(Error::invalid(
                pointer,
                message,
                format!("write {} for the network, or {} for the one address", net.trunc(), net.addr()),
            ));
        }
        Ok(Self(unmap(net)))
    }

    /// Whether every address of `other` is one of this network, too.
    pub fn covers(&self, other: &Self) -> bool {
        self.0.contains(&other.0)
    }

    /// Whether the network holds `address`; an IPv4-mapped address counts as the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn unmap(net: IpNet) -> IpNet {
    match net {
        IpNet::V6(v6) if v6.prefix_len() >= 96 => match v6.addr().to_ipv4_mapped() {
            Some(v4) => ipnet::Ipv4Net::new(v4, v6.prefix_len() - 96).map_or(net, IpNet::V4),
            None => net,
        },
        _ => net,
    }
}

fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}

/// A list of networks, compiled to base and mask pairs: the form in which the hot path asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Networks {
    v4: Box<[(u32, u32)]>,
    v6: Box<[(u128, u128)]>,
}

impl Networks {
    /// Compiles a list. An empty list allows nobody.
    pub fn compile(networks: &[Network]) -> Self {
        let mut v4 = Vec::new();
        let mut v6 = Vec::new();
        for network in networks {
            match network.0 {
                IpNet::V4(net) => v4.push((net.addr().to_bits(), net.netmask().to_bits())),
                IpNet::V6(net) => v6.push((net.addr().to_bits(), net.netmask().to_bits())),
            }
        }
        Self { v4: v4.into(), v6: v6.into() }
    }

    /// Whether any of the networks holds `address`.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => self.v4.iter().any(|(base, mask)| address.to_bits() & mask == *base),
            IpAddr::V6(address) => self.v6.iter().any(|(base, mask)| address.to_bits() & mask == *base),
        }
    }

    /// The narrowest of the networks that hold `address`.
    pub fn narrowest(&self, address: IpAddr) -> Option<Network> {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let held = self.v4.iter().filter(|(base, mask)| address.to_bits() & mask == *base);
                let (base, mask) = held.max_by_key(|(_, mask)| *mask)?;
                let prefix = u8::try_from(mask.count_ones()).ok()?;
                Some(Network(IpNet::V4(ipnet::Ipv4Net::new((*base).into(), prefix).ok()?)))
            }
            IpAddr::V6(address) => {
                let held = self.v6.iter().filter(|(base, mask)| address.to_bits() & mask == *base);
                let (base, mask) = held.max_by_key(|(_, mask)| *mask)?;
                let prefix = u8::try_from(mask.count_ones()).ok()?;
                Some(Network(IpNet::V6(ipnet::Ipv6Net::new((*base).into(), prefix).ok()?)))
            }
        }
    }
}

/// Parses a list of networks at `pointer`, each error pointing at its element; duplicates are dropped.
pub fn parse_networks(pointer: &str, texts: &[String]) -> Result<Vec<Network>> {
    if texts.len() > NETWORKS_MAX {
        let message = format!("{} networks are listed", texts.len());
        return Err(Error::invalid(pointer, message, format!("list at most {NETWORKS_MAX}")));
    }
    let mut networks: Vec<Network> = Vec::with_capacity(texts.len());
    let mut errors = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        match Network::parse(&format!("{pointer}/{index}"), text) {
            Ok(network) if !networks.contains(&network) => networks.push(network),
            Ok(_) => {}
            Err(Error::Invalid(found)) => errors.extend(found),
            Err(other) => return Err(other),
        }
    }
    if errors.is_empty() { Ok(networks) } else { Err(Error::Invalid(errors)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn parse(text: &str) -> Result<Network> {
        Network::parse("/allowed_networks/0", text)
    }

    #[test]
    fn host_bits_name_the_network_meant() {
        let error = parse("203.0.113.9/24").unwrap_err();
        let Error::Invalid(fields) = error else { panic!("{error}") };
        assert_eq!(fields[0].message, "203.0.113.9/24 has host bits set");
        assert_eq!(fields[0].fix, "write 203.0.113.0/24 for the network, or 203.0.113.9 for the one address");
    }

    #[test]
    fn mapped_addresses_are_the_same_address() {
        let compiled = Networks::compile(&[parse("203.0.113.0/24").unwrap()]);
        assert!(compiled.contains("::ffff:203.0.113.9".parse().unwrap()));
        assert_eq!(parse("::ffff:203.0.113.0/120").unwrap(), parse("203.0.113.0/24").unwrap());
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in
            ["", "0x7f.1", "010.0.0.1", "1.2.3.4/33", "::/129", "fe80::1%eth0", "1.2.3.4 ", "1.2.3.4/-1", "１.2.3.4"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_narrowest_network_is_found() {
        let texts = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "2001:db8::/32", "2001:db8:1::/48"];
        let networks = texts.map(|text| parse(text).unwrap());
        let compiled = Networks::compile(&networks);
        let narrowest = |text: &str| compiled.narrowest(text.parse().unwrap()).map(|network| network.to_string());
        assert_eq!(narrowest("10.1.2.3").as_deref(), Some("10.1.2.3/32"));
        assert_eq!(narrowest("::ffff:10.1.2.4").as_deref(), Some("10.1.0.0/16"));
        assert_eq!(narrowest("10.2.0.1").as_deref(), Some("10.0.0.0/8"));
        assert_eq!(narrowest("2001:db8:1::1").as_deref(), Some("2001:db8:1::/48"));
        assert_eq!(narrowest("192.0.2.1"), None);
        assert!(networks[0].covers(&networks[1]) && networks[0].covers(&networks[0]));
        assert!(!networks[1].covers(&networks[0]) && !networks[0].covers(&networks[3]));
    }

    #[test]
    fn an_empty_list_allows_nobody() {
        assert!(!Networks::compile(&[]).contains(Ipv4Addr::LOCALHOST.into()));
    }

    proptest! {
        #[test]
        fn compiled_lists_agree_with_the_networks(bits in any::<u32>(), prefix in 0_u8..=32, probe in any::<u32>(), wide in any::<u128>(), wide_prefix in 0_u8..=95, wide_probe in any::<u128>()) {
            let v4 = ipnet::Ipv4Net::new(Ipv4Addr::from_bits(bits), prefix).unwrap().trunc();
            let v6 = ipnet::Ipv6Net::new(Ipv6Addr::from_bits(wide), wide_prefix).unwrap().trunc();
            let networks = [parse(&v4.to_string()).unwrap(), parse(&v6.to_string()).unwrap()];
            let compiled = Networks::compile(&networks);
            for address in [IpAddr::V4(Ipv4Addr::from_bits(probe)), IpAddr::V4(v4.addr()), IpAddr::V6(Ipv6Addr::from_bits(wide_probe)), IpAddr::V6(v6.addr())] {
                prop_assert_eq!(compiled.contains(address), networks.iter().any(|n| n.contains(address)));
                let narrowest = compiled.narrowest(address);
                prop_assert_eq!(narrowest.is_some(), compiled.contains(address));
                if let Some(network) = narrowest { prop_assert!(network.contains(address) && networks.contains(&network)); }
            }
        }
    }
}
