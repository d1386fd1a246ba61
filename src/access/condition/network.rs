//! Ranges of addresses, for `aws:SourceIp`.

use std::net::IpAddr;

/// The addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    /// How many bits count: at most 32 or 128.
    bits: u8,
}

/// What is private by RFC 1918, however broad.
const PRIVATE: [Network; 3] = [
    Network { address: IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 0)), bits: 8 },
    Network { address: IpAddr::V4(std::net::Ipv4Addr::new(172, 16, 0, 0)), bits: 12 },
    Network { address: IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 0, 0)), bits: 16 },
];

/// The broadest ranges that S3 does not take for everyone.
const BROADEST: (u8, u8) = (8, 32);

impl Network {
    /// Reads an address, or a range in CIDR notation (RFC 4632) of either family.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => bits.parse().ok()?,
            Some(_) => return None,
            None => most,
        };
        (bits <= most).then_some(Self { address, bits })
    }

    /// Whether the address lies in the range. An IPv4 address that came over an IPv6 socket counts as what it is.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.checked_shr(32 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.checked_shr(128 - u32::from(self.bits)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }

    /// Whether S3 takes the range for nearly everyone: wider than /8 or /32 of IPv6, and not private.
    pub fn is_broad(&self) -> bool {
        let broadest = if self.address.is_ipv4() { BROADEST.0 } else { BROADEST.1 };
        let private = PRIVATE.iter().any(|range| self.bits >= range.bits && range.contains(self.address));
        self.bits < broadest && !private
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::parse(text).unwrap()
    }

    #[test]
    fn ranges_hold_the_addresses_with_their_first_bits() {
        for (range, inside, outside) in [
            ("203.0.113.0/24", "203.0.113.255", "203.0.114.0"),
            ("203.0.113.77/24", "203.0.113.1", "203.0.112.255"),
            ("203.0.113.7", "203.0.113.7", "203.0.113.6"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::1", "::1", "::2"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "ffff::", "1.2.3.4"),
            ("203.0.113.0/24", "::ffff:203.0.113.9", "::203.0.113.9"),
        ] {
            assert!(network(range).contains(inside.parse().unwrap()), "{range} {inside}");
            assert!(!network(range).contains(outside.parse().unwrap()), "{range} {outside}");
        }
        for text in ["", "/8", "1.2.3.4/", "1.2.3.4/33", "1.2.3.4/+8", "::/129", "1.2.3", "1.2.3.4/8/8", "a"] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }

    #[test]
    fn very_broad_ranges_are_nearly_everyone() {
        for text in ["0.0.0.0/0", "0.0.0.0/1", "8.0.0.0/7", "::/0", "2001::/31"] {
            assert!(network(text).is_broad(), "{text}");
        }
        for text in ["8.0.0.0/8", "10.0.0.0/8", "203.0.113.0/24", "2001:db8::/32", "::1"] {
            assert!(!network(text).is_broad(), "{text}");
        }
    }
}
