//! Where an endpoint is.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::uri::PathAndQuery;

use crate::names::{HostName, InvalidHostName};

/// The longest URL, in bytes.
pub const MAX_URL_BYTES: usize = 2048;

/// An absolute `http` or `https` URL without credentials and fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointUrl {
    tls: bool,
    host: Host,
    port: u16,
    target: PathAndQuery,
}

/// The host of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    Name(HostName),
    Address(IpAddr),
}

/// What is wrong with a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("a URL has at most {MAX_URL_BYTES} bytes")]
    Length,
    #[error("a URL has only visible ASCII characters; others are written as %..")]
    Characters,
    #[error("a URL begins with https:// or http://")]
    Scheme,
    /// URLs are shown in lists.
    #[error("a URL with a user name or a password: give them as the authorization")]
    Credentials,
    #[error("a URL names a host")]
    NoHost,
    #[error(transparent)]
    Host(#[from] InvalidHostName),
    #[error("a port is a number from 1 to 65535")]
    Port,
    #[error("a URL with a fragment, which no server would be told")]
    Fragment,
}

impl EndpointUrl {
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.len() > MAX_URL_BYTES {
            return Err(UrlError::Length);
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(UrlError::Characters);
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(UrlError::Scheme),
        };
        if rest.contains('#') {
            return Err(UrlError::Fragment);
        }
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(UrlError::Credentials);
        }
        let (host, port) = host_and_port(authority)?;
        let port = port.unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { tls, host, port, target: target_of(target)? })
    }

    /// Whether it is `https`.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    pub fn host(&self) -> &Host {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path and the query, as the request line has them.
    pub fn target(&self) -> &PathAndQuery {
        &self.target
    }

    /// The host, and the port where it is not the scheme's own: what the header `Host` has.
    pub fn authority(&self) -> String {
        let usual = if self.tls { 443 } else { 80 };
        if self.port == usual { self.host.to_string() } else { format!("{}:{}", self.host, self.port) }
    }

    /// The URL without its path, which some receivers take a secret in: for logs.
    pub fn origin(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.authority())
    }
}

fn target_of(text: &str) -> Result<PathAndQuery, UrlError> {
    let text = if text.starts_with('/') { text.to_owned() } else { format!("/{text}") };
    PathAndQuery::try_from(text).map_err(|_| UrlError::Characters)
}

fn host_and_port(authority: &str) -> Result<(Host, Option<u16>), UrlError> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').ok_or(UrlError::NoHost)?;
        let address: Ipv6Addr = address.parse().map_err(|_| UrlError::NoHost)?;
        return Ok((Host::Address(address.into()), port_of(rest)?));
    }
    let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
    if host.is_empty() {
        return Err(UrlError::NoHost);
    }
    let host = match host.parse::<Ipv4Addr>() {
        Ok(address) => Host::Address(address.into()),
        Err(_) => Host::Name(HostName::parse(host)?),
    };
    Ok((host, port_of(port)?))
}

/// What stands behind the host: nothing, or a colon and a port.
fn port_of(text: &str) -> Result<Option<u16>, UrlError> {
    let Some(digits) = text.strip_prefix(':') else {
        return if text.is_empty() { Ok(None) } else { Err(UrlError::NoHost) };
    };
    let number = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    number.filter(|port| *port > 0).map(Some).ok_or(UrlError::Port)
}

impl fmt::Display for Host {
    /// As it stands in a URL: an IPv6 address in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name.as_str()),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.target)
    }
}

impl fmt::Debug for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EndpointUrl({})", self.origin())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_url_is_kept_in_one_form() {
        for (text, kept) in [
            ("https://Hooks.Example.com", "https://hooks.example.com/"),
            ("HTTP://hooks.example.com:80/a?b=c", "http://hooks.example.com/a?b=c"),
            ("https://hooks.example.com.:8443?token", "https://hooks.example.com:8443/?token"),
            ("http://127.0.0.1:9/", "http://127.0.0.1:9/"),
            ("https://[2001:DB8:0::1]:443/a", "https://[2001:db8::1]/a"),
            ("http://localhost/", "http://localhost/"),
        ] {
            assert_eq!(EndpointUrl::parse(text).unwrap().to_string(), kept);
        }
        let url = EndpointUrl::parse("https://a.example/secret-path?x").unwrap();
        assert_eq!((url.authority().as_str(), url.origin().as_str()), ("a.example", "https://a.example"));
        assert_eq!(format!("{url:?}"), "EndpointUrl(https://a.example)");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, error) in [
            ("", UrlError::Scheme),
            ("hooks.example.com", UrlError::Scheme),
            ("ftp://a.example", UrlError::Scheme),
            ("https://user:pass@a.example", UrlError::Credentials),
            ("https://user@a.example/x", UrlError::Credentials),
            ("https://", UrlError::NoHost),
            ("https://:80", UrlError::NoHost),
            ("https:///path", UrlError::NoHost),
            ("https://[::1", UrlError::NoHost),
            ("https://[::1]x", UrlError::NoHost),
            ("https://[fe80::1%25eth0]", UrlError::NoHost),
            ("https://a.example:0", UrlError::Port),
            ("https://a.example:", UrlError::Port),
            ("https://a.example:+1", UrlError::Port),
            ("https://a.example:65536", UrlError::Port),
            ("https://a.example/#x", UrlError::Fragment),
            ("https://a example", UrlError::Characters),
            ("https://a.example/é", UrlError::Characters),
            // Addresses in the forms that only some programs read as such.
            ("http://2130706433/", UrlError::Host(InvalidHostName::Address)),
            ("http://127.1/", UrlError::Host(InvalidHostName::Address)),
            ("http://0x7f.0x1/", UrlError::Host(InvalidHostName::Address)),
            ("https://a_b.example", UrlError::Host(InvalidHostName::Character)),
        ] {
            assert_eq!(EndpointUrl::parse(text), Err(error), "{text}");
        }
        assert_eq!(EndpointUrl::parse(&format!("https://a.example/{}", "x".repeat(2048))), Err(UrlError::Length));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_parsed_to_the_same(text in "(http|https)://[a-z0-9.:\\[\\]@]{0,12}[/?]?[ -~]{0,12}") {
            if let Ok(url) = EndpointUrl::parse(&text) {
                prop_assert_eq!(EndpointUrl::parse(&url.to_string()), Ok(url));
            }
        }
    }
}
