//! What a request asks for, read strictly: whatever two programs could read in two ways is refused.

use std::borrow::Cow;

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Request, StatusCode, Version};

use super::super::site::{Authority, BadAuthority};

/// Why a request is answered without being looked at further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Bad {
    #[error("The request names no host.")]
    NoHost,
    #[error("The request names more than one host.")]
    Hosts,
    #[error("The host is malformed: {0}.")]
    Host(#[from] BadAuthority),
    #[error("The target must be a path.")]
    Target,
    #[error("A tunnel to another server is not to be had here.")]
    Connect,
    /// It has an origin show what it was sent, the headers too that clients are not to see: RFC 9110 section 9.3.8.
    #[error("TRACE is not to be had here.")]
    Trace,
    #[error("No transfer coding but chunked is understood.")]
    Coding,
    #[error("The length of the body is said in two ways.")]
    Length,
}

impl Bad {
    /// RFC 9112 sections 3.2 and 6.1, RFC 9110 section 9.3.6.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Connect | Self::Trace => StatusCode::METHOD_NOT_ALLOWED,
            Self::Coding => StatusCode::NOT_IMPLEMENTED,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// Gives the one authority that a request names. An absolute target of HTTP/1.1 is what counts, whatever `Host` says (RFC 9112
/// section 3.2.2); over HTTP/2, two that differ make the request malformed (RFC 9113 section 8.3.1).
pub fn authority<B>(request: &Request<B>) -> Result<Authority<'_>, Bad> {
    let mut fields = request.headers().get_all(HOST).iter();
    let field = fields.next();
    if fields.next().is_some() {
        return Err(Bad::Hosts);
    }
    let field = field.map(|value| value.to_str().map_err(|_| Bad::Host(BadAuthority::Character))).transpose()?;
    let target = request.uri().authority().map(http::uri::Authority::as_str);
    match (target, field) {
        (None, None) => Err(Bad::NoHost),
        (Some(target), Some(_)) if request.version() < Version::HTTP_2 => Ok(Authority::parse(target)?),
        // Without `:authority`, `Host` stands for it.
        (Some(only), None) | (None, Some(only)) => Ok(Authority::parse(only)?),
        (Some(target), Some(field)) => {
            let (target, field) = (Authority::parse(target)?, Authority::parse(field)?);
            if target == field { Ok(target) } else { Err(Bad::Hosts) }
        }
    }
}

/// Refuses what is framed so that two readers could find two ends of it, and targets that are no path. hyper has refused
/// before: two lengths that differ, a length that is no number, a coding without `chunked` at its end, folded lines, space
/// before a colon, control characters. Where a coding comes with a length, it has taken the length away and closes the
/// connection after the answer (RFC 9112 section 6.3).
pub fn check<B>(request: &Request<B>) -> Result<(), Bad> {
    if *request.method() == Method::CONNECT {
        return Err(Bad::Connect);
    }
    if *request.method() == Method::TRACE {
        return Err(Bad::Trace);
    }
    check_framing(request.headers())?;
    let path = request.uri().path();
    let asterisk = path == "*" && (*request.method() == Method::OPTIONS || request.method().as_str() == "PURGE");
    if path.starts_with('/') || asterisk { Ok(()) } else { Err(Bad::Target) }
}

fn check_framing(headers: &HeaderMap) -> Result<(), Bad> {
    let Some(coding) = headers.get(TRANSFER_ENCODING) else { return Ok(()) };
    if headers.contains_key(CONTENT_LENGTH) {
        return Err(Bad::Length);
    }
    let once = headers.get_all(TRANSFER_ENCODING).iter().count() == 1;
    if once && coding.as_bytes().eq_ignore_ascii_case(b"chunked") { Ok(()) } else { Err(Bad::Coding) }
}

/// The path and the query that are looked up, without what a signed URL added; `None` where that is what was sent.
pub fn without_signature(path: &str, query: Option<&str>) -> Option<http::Uri> {
    use super::super::rules::signed_url::unsigned_query;
    let kept = unsigned_query(query);
    if let Some(Cow::Borrowed(_)) = kept {
        return None;
    }
    query?;
    let target = match kept {
        Some(kept) => format!("{path}?{kept}"),
        None => path.to_owned(),
    };
    target.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(target: &str, version: Version, hosts: &[&str]) -> Request<()> {
        let mut builder = Request::builder().uri(target).version(version);
        for host in hosts {
            builder = builder.header(HOST, *host);
        }
        builder.body(()).unwrap()
    }

    fn host(target: &str, version: Version, hosts: &[&str]) -> Result<String, Bad> {
        authority(&request(target, version, hosts)).map(|authority| authority.host.into_owned())
    }

    #[test]
    fn a_request_names_one_host() {
        let (one, two) = (Version::HTTP_11, Version::HTTP_2);
        for (target, version, hosts, expected) in [
            ("/", one, &["A.example:80"][..], Ok("a.example")),
            ("http://a.example/", one, &["a.example"], Ok("a.example")),
            ("http://a.example/", one, &["b.example"], Ok("a.example")),
            ("http://a.example/", one, &["b.example", "b.example"], Err(Bad::Hosts)),
            ("/", one, &[], Err(Bad::NoHost)),
            ("/", Version::HTTP_10, &[], Err(Bad::NoHost)),
            ("/", one, &["a.example", "a.example"], Err(Bad::Hosts)),
            ("/", one, &[""], Err(Bad::Host(BadAuthority::Length))),
            ("/", one, &["a.example, b.example"], Err(Bad::Host(BadAuthority::Character))),
            ("/", one, &["a.example/x"], Err(Bad::Host(BadAuthority::Character))),
            ("/", one, &["user@a.example"], Err(Bad::Host(BadAuthority::Character))),
            ("https://a.example/", two, &[], Ok("a.example")),
            ("https://a.example/", two, &["evil.example"], Err(Bad::Hosts)),
            ("https://user@a.example/", two, &[], Err(Bad::Host(BadAuthority::Character))),
            ("/", two, &["a.example"], Ok("a.example")),
        ] {
            assert_eq!(host(target, version, hosts).as_deref(), expected.as_deref(), "{target} {hosts:?}");
        }
    }

    #[test]
    fn framing_that_can_be_read_in_two_ways_is_refused() {
        let with = |fields: &[(&str, &str)]| {
            let mut builder = Request::builder().uri("/").method("POST");
            for (name, value) in fields {
                builder = builder.header(*name, *value);
            }
            check(&builder.body(()).unwrap())
        };
        assert_eq!(with(&[("content-length", "3")]), Ok(()));
        assert_eq!(with(&[("transfer-encoding", "Chunked")]), Ok(()));
        assert_eq!(with(&[("transfer-encoding", "gzip, chunked")]), Err(Bad::Coding));
        assert_eq!(with(&[("transfer-encoding", "chunked, chunked")]), Err(Bad::Coding));
        assert_eq!(with(&[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")]), Err(Bad::Coding));
        assert_eq!(with(&[("transfer-encoding", "xchunked")]), Err(Bad::Coding));
        assert_eq!(with(&[("transfer-encoding", "chunked"), ("content-length", "3")]), Err(Bad::Length));
    }

    #[test]
    fn a_target_is_a_path() {
        let target =
            |method: &str, target: &str| check(&Request::builder().method(method).uri(target).body(()).unwrap());
        assert_eq!(target("GET", "/a"), Ok(()));
        assert_eq!(target("OPTIONS", "*"), Ok(()));
        assert_eq!(target("PURGE", "*"), Ok(()));
        assert_eq!(target("GET", "*"), Err(Bad::Target));
        assert_eq!(target("CONNECT", "a.example:443"), Err(Bad::Connect));
        assert_eq!(target("TRACE", "/a"), Err(Bad::Trace));
    }

    #[test]
    fn what_a_signed_url_added_is_taken_out() {
        let unsigned = |query| without_signature("/a", query).map(|uri| uri.to_string());
        assert_eq!(unsigned(Some("x=1&Expires=1&Signature=s&Key-Pair-Id=k")).as_deref(), Some("/a?x=1"));
        assert_eq!(unsigned(Some("Policy=p&Signature=s&Key-Pair-Id=k")).as_deref(), Some("/a"));
        assert_eq!(unsigned(Some("x=1")), None);
        assert_eq!(unsigned(None), None);
    }
}
