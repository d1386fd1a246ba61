//! What is configured of origins, parsed.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{StatusCode, Uri};

use crate::names::BucketName;
use crate::signer::Credentials;
use crate::tls::{Authorities, Identity, OutgoingError};

/// Where a site's answers come from.
#[derive(Debug, Clone)]
pub struct Settings {
    pub primary: Origin,
    pub failover: Option<Failover>,
}

/// The second origin, and when it is asked besides on failures without an answer.
#[derive(Debug, Clone)]
pub struct Failover {
    pub origin: Origin,
    /// Answers of the first origin that count as failures.
    pub statuses: Vec<StatusCode>,
}

/// One origin.
#[derive(Debug, Clone)]
pub struct Origin {
    pub location: Location,
    pub kind: Kind,
    pub host: HostHeader,
    /// The name in the TLS handshake, and the one that the certificate must have; `None` is the location's host.
    pub server_name: Option<String>,
    pub authorities: Authorities,
    /// What the edge shows where the origin asks who it is.
    pub identity: Option<Identity>,
    pub protocols: Protocols,
    pub limits: Limits,
}

impl Origin {
    /// An origin with nothing out of the ordinary.
    pub fn at(location: Location, kind: Kind) -> Self {
        Self {
            location,
            kind,
            host: HostHeader::default(),
            server_name: None,
            authorities: Authorities::default(),
            identity: None,
            protocols: Protocols::default(),
            limits: Limits::default(),
        }
    }
}

/// What an origin is, and so what it is asked.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Any server: asked what the viewer asked, path and query byte for byte.
    Http,
    /// A bucket of an S3 service, addressed by path; requests are signed.
    Bucket { name: BucketName, signing: Signing },
    /// A website endpoint of Brim: asked what the viewer asked, with the viewer's host and protocol in the signed headers
    /// `Brim-Host` and `Brim-Proto`.
    Website { signing: Signing },
}

/// The key that requests are signed with.
#[derive(Debug, Clone)]
pub struct Signing {
    pub region: String,
    pub credentials: Credentials,
}

/// What an origin is told in `Host`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum HostHeader {
    /// The location's host and port.
    #[default]
    Origin,
    /// This host, perhaps with a port.
    Fixed(Authority),
    /// The viewer's host. Such an origin is asked over HTTP/1.1 alone: an HTTP/2 connection is for one authority.
    Viewer,
}

/// The versions of HTTP that an origin over TLS is offered. Without TLS it is HTTP/1.1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Protocols {
    /// HTTP/2 where the origin chooses it (ALPN), otherwise HTTP/1.1.
    #[default]
    Negotiated,
    Http1,
}

/// Bounds on what an origin costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// For a connection to come about, its TLS handshake included; also how long a request waits for its turn.
    pub connect: Duration,
    /// From the last byte of the request to the head of the answer.
    pub first_byte: Duration,
    /// Between two pieces of an answer's body.
    pub between_bytes: Duration,
    /// How long a tunnel may be silent in both directions.
    pub tunnel_silence: Duration,
    /// How long a connection that nobody uses is kept.
    pub keep: Duration,
    /// Requests under way at a time, tunnels included.
    pub requests: usize,
    /// Connections that are kept while nobody uses them.
    pub kept: usize,
    /// Connections in a row that did not come about, after which the origin is left alone; 0 is never.
    pub failures: u32,
    /// How long it is left alone before one request tries it again.
    pub pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(30),
            between_bytes: Duration::from_secs(30),
            tunnel_silence: Duration::from_secs(10 * 60),
            keep: Duration::from_secs(30),
            requests: 1024,
            kept: 64,
            failures: 5,
            pause: Duration::from_secs(5),
        }
    }
}

impl Limits {
    /// Refuses limits under which no request could come through.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        let durations = [
            ("connect", self.connect),
            ("first_byte", self.first_byte),
            ("between_bytes", self.between_bytes),
            ("tunnel_silence", self.tunnel_silence),
        ];
        let zero = durations.iter().find(|(_, duration)| duration.is_zero()).map(|(name, _)| *name);
        match zero.or((self.requests == 0).then_some("requests")) {
            Some(name) => Err(SettingsError::Zero(name)),
            None => Ok(()),
        }
    }
}

/// The address of an origin: `http://` or `https://`, a host, perhaps a port, perhaps a path that goes before every
/// request's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    pub(super) scheme: Scheme,
    pub(super) authority: Authority,
    /// Empty, or begins with a slash and does not end with one.
    pub(super) path: String,
}

/// Why a text is no location.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLocation {
    #[error("is no URL")]
    Url,
    #[error("begins neither with http:// nor with https://")]
    Scheme,
    #[error("has a user name, where only a host and a port belong")]
    User,
    #[error("has a query")]
    Query,
}

/// Why origins cannot be used as they are configured.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error(transparent)]
    Tls(#[from] OutgoingError),
    #[error("{0:?} is no name of a server")]
    ServerName(String),
    #[error("the limit {0} must be above zero")]
    Zero(&'static str),
}

impl Location {
    pub fn is_secure(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// The host alone, an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        self.authority.host().trim_start_matches('[').trim_end_matches(']')
    }

    /// Where connections go to.
    pub(super) fn uri(&self) -> Uri {
        let root = PathAndQuery::from_static("/");
        let uri = Uri::builder().scheme(self.scheme.clone()).authority(self.authority.clone()).path_and_query(root);
        uri.build().expect("a scheme, an authority and a path are a URI")
    }
}

impl FromStr for Location {
    type Err = InvalidLocation;

    fn from_str(text: &str) -> Result<Self, InvalidLocation> {
        let uri: Uri = text.parse().map_err(|_| InvalidLocation::Url)?;
        let scheme = uri.scheme().cloned().ok_or(InvalidLocation::Scheme)?;
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return Err(InvalidLocation::Scheme);
        }
        let authority = uri.authority().cloned().ok_or(InvalidLocation::Url)?;
        if authority.as_str().contains('@') {
            return Err(InvalidLocation::User);
        }
        if authority.host().is_empty() || authority.as_str().ends_with(':') {
            return Err(InvalidLocation::Url);
        }
        if uri.query().is_some() {
            return Err(InvalidLocation::Query);
        }
        Ok(Self { scheme, authority, path: uri.path().trim_end_matches('/').to_owned() })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_a_scheme_a_host_and_perhaps_a_path() {
        for (text, shown, host) in [
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000", "127.0.0.1"),
            ("https://a.example/", "https://a.example", "a.example"),
            ("https://a.example/b//c/", "https://a.example/b//c", "a.example"),
            ("http://[::1]:80", "http://[::1]:80", "::1"),
        ] {
            let location: Location = text.parse().unwrap();
            assert_eq!((location.to_string().as_str(), location.host()), (shown, host));
            assert_eq!(location.is_secure(), text.starts_with("https"));
        }
        for (text, wrong) in [
            ("", InvalidLocation::Url),
            ("/path", InvalidLocation::Scheme),
            ("a.example", InvalidLocation::Scheme),
            ("ftp://a", InvalidLocation::Scheme),
            ("http://", InvalidLocation::Url),
            ("http://a:", InvalidLocation::Url),
            ("http://:80", InvalidLocation::Url),
            ("http://u:p@a", InvalidLocation::User),
            ("http://a/?x", InvalidLocation::Query),
        ] {
            assert_eq!(text.parse::<Location>(), Err(wrong), "{text}");
        }
    }
}
