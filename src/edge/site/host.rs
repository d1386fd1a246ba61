//! Hosts: as requests name them, and as a configuration does.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest host, in bytes: RFC 1035 section 3.1, without the final dot.
const MAX_HOST_BYTES: usize = 253;
/// The longest label, in bytes: RFC 1035 section 2.3.4.
const MAX_LABEL_BYTES: usize = 63;

/// Which hosts a site has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// `*`: every host that is nobody else's.
    Any,
    /// One host, in lower case.
    Exact(String),
    /// `*.` and this: every host below it, however many labels are in between, as CloudFront's alternate domain names.
    Below(String),
}

/// What a request says it is for (RFC 9110 section 7.2), in the one form in which hosts are compared: lower case, without
/// final dot. Borrowed where it came in that form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority<'r> {
    /// An address of version 6 stands in brackets.
    pub host: Cow<'r, str>,
    pub port: Option<u16>,
}

/// What is wrong with an authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAuthority {
    #[error("a host has 1 to 253 characters")]
    Length,
    #[error("a label of a host has 1 to 63 characters")]
    Label,
    #[error("a host has only letters, digits, dots, hyphens and underscores")]
    Character,
    #[error("what stands in brackets is not an IPv6 address")]
    Address,
    #[error("a port is a number from 1 to 65535")]
    Port,
}

impl HostPattern {
    /// Reads `*`, `*.example.com`, `www.example.com`, or an address.
    pub fn parse(text: &str) -> Result<Self, BadAuthority> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let (below, host) = match text.strip_prefix("*.") {
            Some(host) => (true, host),
            None => (false, text),
        };
        let authority = Authority::parse(host)?;
        if authority.port.is_some() || host.ends_with(':') {
            return Err(BadAuthority::Port);
        }
        let host = authority.host.into_owned();
        if !below {
            return Ok(Self::Exact(host));
        }
        if host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok() {
            return Err(BadAuthority::Character);
        }
        Ok(Self::Below(host))
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(host) => f.write_str(host),
            Self::Below(host) => write!(f, "*.{host}"),
        }
    }
}

impl<'r> Authority<'r> {
    /// Reads `host [":" port]`. Userinfo is refused, and every character that a host cannot have.
    pub fn parse(text: &'r str) -> Result<Self, BadAuthority> {
        if let Some(bracketed) = text.strip_prefix('[') {
            let (address, rest) = bracketed.split_once(']').ok_or(BadAuthority::Address)?;
            let address: Ipv6Addr = address.parse().map_err(|_| BadAuthority::Address)?;
            return Ok(Self { host: Cow::Owned(format!("[{address}]")), port: port(rest)? });
        }
        let (host, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
        let host = host.strip_suffix('.').unwrap_or(host);
        check(host)?;
        let host = match host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(host.to_ascii_lowercase()),
            false => Cow::Borrowed(host),
        };
        Ok(Self { host, port: port(rest)? })
    }

    /// The host, with its port where that is not the one of the protocol.
    pub fn without_default_port(&self, secure: bool) -> Cow<'_, str> {
        let default = if secure { 443 } else { 80 };
        match self.port {
            Some(port) if port != default => Cow::Owned(format!("{}:{port}", self.host)),
            _ => Cow::Borrowed(&self.host),
        }
    }

    /// The address, where the host is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }
}

fn check(host: &str) -> Result<(), BadAuthority> {
    if !(1..=MAX_HOST_BYTES).contains(&host.len()) {
        return Err(BadAuthority::Length);
    }
    let mut label = 0;
    for byte in host.bytes() {
        match byte {
            b'.' if label == 0 => return Err(BadAuthority::Label),
            b'.' => label = 0,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => label += 1,
            _ => return Err(BadAuthority::Character),
        }
        if label > MAX_LABEL_BYTES {
            return Err(BadAuthority::Label);
        }
    }
    if label == 0 { Err(BadAuthority::Label) } else { Ok(()) }
}

/// Reads what stands behind a host: nothing, or a colon and a port, which may be empty.
fn port(rest: &str) -> Result<Option<u16>, BadAuthority> {
    let digits = match rest.strip_prefix(':') {
        Some("") => return Ok(None),
        Some(digits) => digits,
        None if rest.is_empty() => return Ok(None),
        None => return Err(BadAuthority::Port),
    };
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    number.filter(|port| *port != 0).map(Some).ok_or(BadAuthority::Port)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_authority_is_read_into_one_form() {
        for (text, host, port) in [
            ("www.example.com", "www.example.com", None),
            ("WWW.Example.COM.:8080", "www.example.com", Some(8080)),
            ("a_b.local:", "a_b.local", None),
            ("127.0.0.1:80", "127.0.0.1", Some(80)),
            ("[0:0::1]:443", "[::1]", Some(443)),
            ("localhost", "localhost", None),
        ] {
            let authority = Authority::parse(text).unwrap();
            assert_eq!((authority.host.as_ref(), authority.port), (host, port), "{text}");
        }
    }

    #[test]
    fn what_is_no_authority_is_refused() {
        let long = "a.".repeat(130) + "a";
        for text in [
            "",
            ".",
            ":80",
            "a..b",
            ".a",
            "user@a",
            "user:pass@a",
            "a b",
            "a/b",
            "a\tb",
            "a,b",
            "a%41",
            "a:0",
            "a:65536",
            "a:+1",
            "a:80:80",
            "[::1",
            "[::1]80",
            "[127.0.0.1]",
            "b\u{fc}cher",
            long.as_str(),
        ] {
            assert!(Authority::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_default_port_is_left_out() {
        let shown = |text, secure| Authority::parse(text).unwrap().without_default_port(secure).into_owned();
        assert_eq!(shown("a:80", false), "a");
        assert_eq!(shown("a:80", true), "a:80");
        assert_eq!(shown("a:443", true), "a");
        assert_eq!(shown("[::1]:8443", true), "[::1]:8443");
    }

    #[test]
    fn patterns_are_a_host_everything_below_one_or_everything() {
        assert_eq!(HostPattern::parse("*"), Ok(HostPattern::Any));
        assert_eq!(HostPattern::parse("*.Example.com"), Ok(HostPattern::Below("example.com".into())));
        assert_eq!(HostPattern::parse("127.0.0.1"), Ok(HostPattern::Exact("127.0.0.1".into())));
        for wrong in ["", "*.", "a.*", "*a.b", "a:80", "a:", "*.*", "*.127.0.0.1", "*.[::1]"] {
            assert!(HostPattern::parse(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn reading_again_changes_nothing(text in "\\PC{0,40}|[a-zA-Z.:0-9\\[\\]_-]{0,30}") {
            if let Ok(authority) = Authority::parse(&text) {
                prop_assert_eq!(Authority::parse(&authority.host).map(|again| again.host), Ok(authority.host.clone()));
            }
        }
    }
}
