//! Who asks: the peer of the connection, or whom a trusted proxy says it asks for.

use std::net::IpAddr;

use http::HeaderMap;
use ipnet::IpNet;

use super::super::rules::hygiene::{X_FORWARDED_FOR, X_FORWARDED_PROTO};

/// The most addresses of `X-Forwarded-For` that are looked at, from its end.
const MAX_HOPS: usize = 32;

/// A client, as far as it can be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    pub address: IpAddr,
    /// Whether it speaks TLS, to us or to a trusted proxy.
    pub secure: bool,
}

impl Client {
    /// Who asks on a connection of `peer`. Of `X-Forwarded-For` the last address counts that is not a trusted proxy's own:
    /// what stands before it, anybody may have written. Nonsense there makes the proxy itself the client.
    pub fn of(peer: IpAddr, secure: bool, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let peer = peer.to_canonical();
        let believed = |address: IpAddr| trusted.iter().any(|net| net.contains(&address));
        if trusted.is_empty() || !believed(peer) {
            return Self { address: peer, secure };
        }
        let mut address = peer;
        let lines: Vec<&str> = headers.get_all(X_FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok()).collect();
        for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')).take(MAX_HOPS) {
            let Some(hop) = hop_address(hop.trim()) else { break };
            address = hop;
            if !believed(hop) {
                break;
            }
        }
        Self { address, secure: forwarded_secure(headers).unwrap_or(secure) }
    }
}

/// An address, perhaps with a port, perhaps in brackets.
fn hop_address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Ok(socket) = text.parse::<std::net::SocketAddr>() {
        return Some(socket.ip().to_canonical());
    }
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    inner.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// What the nearest proxy says of the protocol; `None` where it says nothing that makes sense.
fn forwarded_secure(headers: &HeaderMap) -> Option<bool> {
    let last = headers.get_all(X_FORWARDED_PROTO).iter().next_back()?.to_str().ok()?;
    match last.rsplit(',').next()?.trim() {
        proto if proto.eq_ignore_ascii_case("https") => Some(true),
        proto if proto.eq_ignore_ascii_case("http") => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn client(peer: &str, forwarded: &[&'static str], proto: Option<&'static str>) -> Client {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "::1/128"].iter().map(|net| net.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_static(line));
        }
        if let Some(proto) = proto {
            headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(proto));
        }
        Client::of(peer.parse().unwrap(), false, &headers, &trusted)
    }

    #[test]
    fn the_last_address_that_is_not_a_trusted_proxys_is_the_client() {
        for (peer, forwarded, expected) in [
            ("192.0.2.1", &["198.51.100.1"][..], "192.0.2.1"),
            ("10.0.0.1", &[][..], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1"][..], "198.51.100.1"),
            ("10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.9.9.9"][..], "198.51.100.1"),
            ("10.0.0.1", &["1.1.1.1", "198.51.100.1"][..], "198.51.100.1"),
            ("10.0.0.1", &["10.0.0.5, 10.0.0.6"][..], "10.0.0.5"),
            ("10.0.0.1", &["198.51.100.1, nonsense"][..], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1:4711"][..], "198.51.100.1"),
            ("::1", &["[2001:db8::1]"][..], "2001:db8::1"),
            ("::ffff:10.0.0.1", &["198.51.100.1"][..], "198.51.100.1"),
        ] {
            assert_eq!(client(peer, forwarded, None).address, expected.parse::<IpAddr>().unwrap(), "{forwarded:?}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_says_that_there_was_tls() {
        assert!(client("10.0.0.1", &[], Some("https")).secure);
        assert!(client("10.0.0.1", &[], Some("http, HTTPS")).secure);
        assert!(!client("192.0.2.1", &[], Some("https")).secure);
        assert!(!client("10.0.0.1", &[], Some("gopher")).secure);
    }
}
