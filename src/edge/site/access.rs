//! Who may ask at all: addresses, rates, signatures, HTTPS.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::super::rules::signed_url::KeyGroup;

/// What a request must pass before a behaviour answers it.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Where this is not empty, only these addresses may ask.
    pub allow: Vec<IpNet>,
    /// These may not, whatever `allow` says.
    pub deny: Vec<IpNet>,
    pub rate: Option<Rate>,
    /// Where given, every request carries a signature made by one of its keys.
    pub signed_by: Option<Arc<KeyGroup>>,
    pub secure: Secure,
}

/// How many requests one client may make: a bucket of tokens that fills at a steady rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// This many in `per`, at least 1.
    pub requests: u32,
    pub per: Duration,
    /// How many may come at once, at least 1.
    pub burst: u32,
}

/// What is demanded of the connection, as CloudFront's viewer protocol policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Secure {
    #[default]
    Optional,
    /// Plain requests are sent to HTTPS.
    Redirect,
    /// Plain requests are refused.
    Required,
}

impl Access {
    /// Whether the lists let `address` in.
    pub fn admits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let listed = |nets: &[IpNet]| nets.iter().any(|net| net.contains(&address));
        !listed(&self.deny) && (self.allow.is_empty() || listed(&self.allow))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_denied_address_stays_out_whoever_is_allowed() {
        let access = Access { allow: nets(&["10.0.0.0/8"]), deny: nets(&["10.1.0.0/16"]), ..Access::default() };
        for (address, expected) in
            [("10.2.0.1", true), ("10.1.0.1", false), ("11.0.0.1", false), ("::ffff:10.2.0.1", true), ("::1", false)]
        {
            assert_eq!(access.admits(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn without_lists_everybody_may_ask() {
        assert!(Access::default().admits("192.0.2.1".parse().unwrap()));
    }
}
