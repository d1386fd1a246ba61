//! Which site a request is for: from its Host header, or its authority, to a bucket, a preview, or a custom domain.
//!
//! The forms are those of S3's website endpoints:
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteEndpoints.html>

#[cfg(test)]
mod fuzz;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::deploy::{DeployId, Rest, parse_preview_label};
use crate::names::{BucketName, HostName, InvalidHostName};

/// What stands between bucket and region in S3's own names, with a hyphen or a dot behind it.
const WEBSITE: &str = "s3-website";
/// The longest region, in bytes.
const MAX_REGION_BYTES: usize = 63;

/// Where a request was sent to. Displayed as a URL has it: the address of version 6 in brackets, the port if it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    pub host: Host,
    pub port: Option<u16>,
}

/// A host, without its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    Name(HostName),
    Address(IpAddr),
}

/// What is wrong with a Host header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAuthority {
    #[error(transparent)]
    Name(#[from] InvalidHostName),
    #[error("what stands in brackets is not an IPv6 address")]
    Address,
    #[error("a port is a number up to 65535")]
    Port,
}

/// Whose site a host is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addressed {
    /// `BUCKET.<domain>`, `BUCKET.s3-website-REGION.<domain>` or `BUCKET.s3-website.REGION.<domain>`.
    Bucket(BucketName),
    /// `ID--BUCKET` or `ID--HASH` in the place of a bucket: a deploy's preview host, where a bucket that is meant has that
    /// deploy.
    Preview(DeployId, Rest),
    /// No host of this server's own: a custom domain, or a bucket with just this name.
    Custom(HostName),
    /// No site at all: an IP address, a website domain itself, or one below it that cannot be a bucket.
    Nobody,
}

impl Authority {
    /// Reads `host [":" port]` (RFC 9110 section 7.2, RFC 3986 section 3.2.2). Userinfo and names outside ASCII are
    /// refused.
    pub fn parse(text: &str) -> Result<Self, InvalidAuthority> {
        if let Some(bracketed) = text.strip_prefix('[') {
            let (address, rest) = bracketed.split_once(']').ok_or(InvalidAuthority::Address)?;
            let address: Ipv6Addr = address.parse().map_err(|_| InvalidAuthority::Address)?;
            return Ok(Self { host: Host::Address(address.into()), port: port(rest)? });
        }
        let (name, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
        let host = match name.parse::<Ipv4Addr>() {
            Ok(address) => Host::Address(address.into()),
            Err(_) => Host::Name(HostName::parse(name)?),
        };
        Ok(Self { host, port: port(rest)? })
    }
}

/// Reads what stands behind a host: nothing, or a colon and a port, which may be empty.
fn port(rest: &str) -> Result<Option<u16>, InvalidAuthority> {
    if rest.is_empty() {
        return Ok(None);
    }
    let digits = rest.strip_prefix(':').ok_or(InvalidAuthority::Port)?;
    if digits.is_empty() {
        return Ok(None);
    }
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    number.map(Some).ok_or(InvalidAuthority::Port)
}

impl Addressed {
    /// Says whose site `host` is, where these are the website `domains`.
    pub fn of(host: &Host, domains: &[HostName]) -> Self {
        let Host::Name(name) = host else { return Self::Nobody };
        if domains.contains(name) {
            return Self::Nobody;
        }
        // Of domains below each other the longest counts, which leaves the shortest in front of it.
        match domains.iter().filter_map(|domain| name.below(domain)).min_by_key(|front| front.len()) {
            None => Self::Custom(name.clone()),
            Some(front) => Self::below_a_domain(without_region(front)),
        }
    }

    fn below_a_domain(front: &str) -> Self {
        match parse_preview_label(front).filter(|_| !front.contains('.')) {
            Some((deploy, rest)) => Self::Preview(deploy, rest),
            None => BucketName::parse(front).map_or(Self::Nobody, Self::Bucket),
        }
    }
}

/// What stands before `.s3-website-REGION` or `.s3-website.REGION`; all of it where neither ends it.
fn without_region(front: &str) -> &str {
    let Some((bucket, last)) = front.rsplit_once('.') else { return front };
    if last.strip_prefix(WEBSITE).and_then(|rest| rest.strip_prefix('-')).is_some_and(is_region) {
        return bucket;
    }
    match bucket.rsplit_once('.') {
        Some((bucket, WEBSITE)) if is_region(last) => bucket,
        _ => front,
    }
}

fn is_region(text: &str) -> bool {
    (1..=MAX_REGION_BYTES).contains(&text.len())
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => self.host.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(super) fn name(text: &str) -> HostName {
        HostName::parse(text).unwrap()
    }

    fn addressed(authority: &str) -> Result<Addressed, InvalidAuthority> {
        let domains = ["website.localhost", "example.com", "sites.example.com"].map(name);
        Ok(Addressed::of(&Authority::parse(authority)?.host, &domains))
    }

    fn bucket(text: &str) -> Result<Addressed, InvalidAuthority> {
        Ok(Addressed::Bucket(BucketName::parse(text).unwrap()))
    }

    fn preview(label: &str) -> Result<Addressed, InvalidAuthority> {
        let (deploy, rest) = parse_preview_label(label).unwrap();
        Ok(Addressed::Preview(deploy, rest))
    }

    fn custom(text: &str) -> Result<Addressed, InvalidAuthority> {
        Ok(Addressed::Custom(name(text)))
    }

    #[test]
    fn a_host_addresses_a_bucket_a_custom_domain_or_nobody() {
        for (host, expected) in [
            ("pail.website.localhost", bucket("pail")),
            ("pail.website.localhost:9080", bucket("pail")),
            ("pail.website.localhost:", bucket("pail")),
            ("PAIL.Website.LOCALHOST.:9080", bucket("pail")),
            ("my.pail.website.localhost", bucket("my.pail")),
            ("pail.s3-website-us-east-1.website.localhost", bucket("pail")),
            ("pail.s3-website.eu-central-1.website.localhost", bucket("pail")),
            ("my.pail.s3-website-us-east-1.website.localhost", bucket("my.pail")),
            ("my.pail.s3-website.us-east-1.website.localhost", bucket("my.pail")),
            // The longest domain counts.
            ("pail.sites.example.com", bucket("pail")),
            ("pail.example.com", bucket("pail")),
            ("abcdefghij--pail.website.localhost", preview("abcdefghij--pail")),
            ("ABCDEFGHIJ--pail.S3-website-us-east-1.website.localhost:80", preview("abcdefghij--pail")),
            // A preview is one label, and its id has ten letters and digits up to 7.
            ("abcdefghij--my.pail.website.localhost", bucket("abcdefghij--my.pail")),
            ("abcdefgh1j--pail.website.localhost", bucket("abcdefgh1j--pail")),
            ("abcdefghij--pail.example.org", custom("abcdefghij--pail.example.org")),
            // Labels that only begin alike are part of the name.
            ("s3-website-us-east-1.website.localhost", bucket("s3-website-us-east-1")),
            ("s3-website.us-east-1.website.localhost", bucket("s3-website.us-east-1")),
            ("pail.s3-websites.website.localhost", bucket("pail.s3-websites")),
            ("www.example.org", custom("www.example.org")),
            ("WWW.Example.ORG.:80", custom("www.example.org")),
            ("localhost", custom("localhost")),
            ("xwebsite.localhost", custom("xwebsite.localhost")),
            ("xn--bcher-kva.example:80", custom("xn--bcher-kva.example")),
            ("website.localhost", Ok(Addressed::Nobody)),
            ("sites.example.com", Ok(Addressed::Nobody)),
            ("ab.website.localhost", Ok(Addressed::Nobody)),
            ("xn--bcher-kva.website.localhost", Ok(Addressed::Nobody)),
            ("10.0.0.1.website.localhost", Ok(Addressed::Nobody)),
            ("127.0.0.1:9080", Ok(Addressed::Nobody)),
            ("[::1]:9080", Ok(Addressed::Nobody)),
            ("[::ffff:127.0.0.1]", Ok(Addressed::Nobody)),
        ] {
            assert_eq!(addressed(host), expected, "{host}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        let (long, long_label) = (format!("{}example", "a.".repeat(130)), format!("{}.example", "a".repeat(64)));
        for (host, wrong) in [
            ("", InvalidHostName::Length.into()),
            (":80", InvalidHostName::Length.into()),
            (".", InvalidHostName::Length.into()),
            (long.as_str(), InvalidHostName::Length.into()),
            (long_label.as_str(), InvalidHostName::Label.into()),
            ("a..example", InvalidHostName::Label.into()),
            ("user@pail.website.localhost", InvalidHostName::Character.into()),
            ("user:password@pail.website.localhost", InvalidAuthority::Port),
            ("pail website.localhost", InvalidHostName::Character.into()),
            (" pail.website.localhost", InvalidHostName::Character.into()),
            ("pail.website.localhost/", InvalidHostName::Character.into()),
            ("pail.website.localhost\r\nx: y", InvalidHostName::Character.into()),
            ("b\u{fc}cher.example", InvalidHostName::Character.into()),
            ("pail\u{ff0e}website.localhost", InvalidHostName::Character.into()),
            ("pail%2ewebsite.localhost", InvalidHostName::Character.into()),
            ("a,b.example", InvalidHostName::Character.into()),
            ("127.1", InvalidHostName::Address.into()),
            ("0x7f000001", InvalidHostName::Address.into()),
            ("2130706433:80", InvalidHostName::Address.into()),
            ("127.0.0.1.", InvalidHostName::Address.into()),
            ("a.example:80:80", InvalidAuthority::Port),
            ("a.example:+80", InvalidAuthority::Port),
            ("a.example:65536", InvalidAuthority::Port),
            ("a.example:8o", InvalidAuthority::Port),
            ("::1", InvalidHostName::Length.into()),
            ("[::1", InvalidAuthority::Address),
            ("[127.0.0.1]", InvalidAuthority::Address),
            ("[fe80::1%eth0]", InvalidAuthority::Address),
            ("[::1]80", InvalidAuthority::Port),
        ] {
            assert_eq!(Authority::parse(host), Err(wrong), "{host}");
        }
    }

    #[test]
    fn authorities_are_displayed_as_urls_have_them() {
        for (text, shown) in [
            ("A.example.:8080", "a.example:8080"),
            ("a.example:", "a.example"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("[0:0::1]:443", "[::1]:443"),
        ] {
            assert_eq!(Authority::parse(text).unwrap().to_string(), shown);
        }
    }

    proptest! {
        /// However a bucket is written, it is found; and without domains nobody's bucket is.
        #[test]
        fn a_bucket_is_found_in_every_form(
            label in "[a-z0-9]([a-z0-9-]{1,20}[a-z0-9])(\\.[a-z0-9]{1,9}){0,2}",
            region in "[a-z]{2}-[a-z]{4,9}-[1-9]",
            form in 0..3usize,
            port in proptest::option::of(any::<u16>()),
            dot in any::<bool>(),
            upper in any::<bool>(),
        ) {
            let Ok(bucket) = BucketName::parse(&label) else { return Ok(()) };
            prop_assume!(without_region(&label) == label && parse_preview_label(&label).is_none());
            let middle = [String::new(), format!(".s3-website-{region}"), format!(".s3-website.{region}")];
            let mut host = format!("{bucket}{}.website.localhost", middle[form]);
            if upper { host = host.to_ascii_uppercase() }
            if dot { host.push('.') }
            if let Some(port) = port { host = format!("{host}:{port}") }
            let authority = Authority::parse(&host).unwrap();
            prop_assert_eq!(authority.port, port);
            prop_assert_eq!(Addressed::of(&authority.host, &[name("website.localhost")]), Addressed::Bucket(bucket));
            prop_assert!(matches!(Addressed::of(&authority.host, &[]), Addressed::Custom(_)));
        }

        #[test]
        fn reading_what_is_displayed_changes_nothing(text in "\\PC{0,40}|[a-z.:0-9\\[\\]]{0,30}") {
            if let Ok(authority) = Authority::parse(&text) {
                prop_assert_eq!(Authority::parse(&authority.to_string()), Ok(authority));
            }
        }
    }
}
