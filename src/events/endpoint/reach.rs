//! Which addresses endpoints of tenants may be at: what is public, and what the operator allows beside it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, LazyLock};

use ipnet::IpNet;

use super::url::{EndpointUrl, Host};

/// The special-purpose addresses, which lead into the operator's own networks or nowhere.
///
/// <https://www.iana.org/assignments/iana-ipv4-special-registry>, <https://www.iana.org/assignments/iana-ipv6-special-registry>
const SPECIAL: [&str; 23] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "2620:4f:8000::/48",
    "3fff::/20",
];

/// The only IPv6 addresses that are given out for use on the Internet.
const GLOBAL_UNICAST: &str = "2000::/3";

static RANGES: LazyLock<(Vec<IpNet>, IpNet)> = LazyLock::new(|| {
    let parsed = |text: &str| text.parse().expect("the table above holds ranges: a test reads it");
    (SPECIAL.iter().map(|text| parsed(text)).collect(), parsed(GLOBAL_UNICAST))
});

/// Where endpoints of tenants may be. The default allows public addresses alone.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    allowed: Arc<[IpNet]>,
}

/// An address that no endpoint of a tenant may be at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    #[error("{0} is not a public address, and no range in events.tenant_ranges allows it")]
    Address(IpAddr),
    #[error("localhost is this machine, and no range in events.tenant_ranges allows that")]
    Localhost,
}

impl Reach {
    /// Allows `allowed` beside what is public.
    pub fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed: allowed.into() }
    }

    /// Whether an endpoint of a tenant may be at `address`. To be asked of every address that a name resolves to, at every
    /// attempt, and the connection to be made to that very address: a name may lead elsewhere the next time.
    pub fn check(&self, address: IpAddr) -> Result<(), Unreachable> {
        let real = unwrapped(address);
        let allowed = self.allowed.iter().any(|range| range.contains(&address) || range.contains(&real));
        if allowed || is_public(real) { Ok(()) } else { Err(Unreachable::Address(address)) }
    }

    /// What of [`check`](Self::check) a URL tells by itself, before any name is resolved.
    pub fn check_url(&self, url: &EndpointUrl) -> Result<(), Unreachable> {
        match url.host() {
            Host::Address(address) => self.check(*address),
            // RFC 6761 section 6.3: these names are the loopback address.
            Host::Name(name) if name.as_str() == "localhost" || name.as_str().ends_with(".localhost") => {
                let loopback: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
                let reached = loopback.into_iter().any(|address| self.check(address).is_ok());
                if reached { Ok(()) } else { Err(Unreachable::Localhost) }
            }
            Host::Name(_) => Ok(()),
        }
    }
}

fn is_public(address: IpAddr) -> bool {
    let (special, global) = &*RANGES;
    (address.is_ipv4() || global.contains(&address)) && !special.iter().any(|range| range.contains(&address))
}

/// The IPv4 address that an IPv6 address leads to, where it does: mapped (RFC 4291 section 2.5.5.2), or by way of NAT64 (RFC
/// 6052 section 2.1). Other wrappings are not public at all.
fn unwrapped(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return v4.into();
    }
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)).into(),
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_reach_public_addresses_alone() {
        let reach = Reach::default();
        for public in ["93.184.215.14", "1.1.1.1", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"] {
            assert_eq!(reach.check(public.parse().unwrap()), Ok(()), "{public}");
        }
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.31.255.255",
            "192.168.0.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            let address = private.parse().unwrap();
            assert_eq!(reach.check(address), Err(Unreachable::Address(address)), "{private}");
        }
    }

    #[test]
    fn the_operator_may_allow_ranges() {
        let reach = Reach::new(vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
        for allowed in ["10.1.2.3", "::ffff:10.1.2.3", "::1"] {
            assert_eq!(reach.check(allowed.parse().unwrap()), Ok(()), "{allowed}");
        }
        assert!(reach.check("127.0.0.1".parse().unwrap()).is_err());
    }

    #[test]
    fn a_url_tells_what_is_known_without_resolving() {
        let check = |reach: &Reach, url: &str| reach.check_url(&EndpointUrl::parse(url).unwrap());
        let reach = Reach::default();
        assert!(check(&reach, "https://hooks.example.com/").is_ok());
        assert!(check(&reach, "http://[::ffff:169.254.169.254]/latest").is_err());
        assert_eq!(check(&reach, "http://a.LOCALHOST:9000/"), Err(Unreachable::Localhost));
        let machine = Reach::new(vec!["127.0.0.0/8".parse().unwrap()]);
        assert!(check(&machine, "http://localhost:9000/").is_ok());
    }
}
