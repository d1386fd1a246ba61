//! A request as a site sees it: where it was sent to, by what protocol, and its head.

use actix_web::dev::RequestHead;

use super::failure::{Code, Failure};
use super::visitor::Forwarded;
use crate::guard::Origin;
use crate::http::head::{Head, Headers};
use crate::site::configuration::Protocol;
use crate::site::host::Authority;
use crate::telemetry::RequestId;
use crate::transport::head::head_of;

/// The most bytes of all headers, names and values. Policies may compare any of them.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// Headers by which an answer may have no body (RFC 9110 section 13.1).
const CONDITIONS: [&str; 4] = ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since"];

/// A request whose head is in order.
pub struct Request {
    pub id: RequestId,
    pub head: Head,
    /// Where it was sent to: whose site it is.
    pub sent_to: Authority,
    /// What the visitor asked for, who may be an edge's: what the site's own addresses are made of.
    pub authority: Authority,
    pub origin: Origin,
    /// By which protocol the visitor came, who may be an edge's.
    pub protocol: Protocol,
}

impl Request {
    /// Reads the head of a request that came over TLS where that is `secure`.
    pub fn parse(id: RequestId, http: &RequestHead, secure: bool) -> Result<Self, Failure> {
        let head = head_of(&http.method, &http.uri, &http.headers);
        if !matches!(head.method.as_str(), "GET" | "HEAD") {
            return Err(Failure::new(Code::MethodNotAllowed)
                .detail("Method", head.method)
                .detail("ResourceType", "OBJECT")
                .header("allow", "GET, HEAD"));
        }
        if head.headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > MAX_HEADER_BYTES {
            return Err(Failure::new(Code::RequestHeaderSectionTooLarge));
        }
        let target = http.uri.authority().map(|authority| authority.as_str());
        let authority = authority(target, &head.headers)?;
        let protocol = if secure { Protocol::Https } else { Protocol::Http };
        let sent_to = authority.clone();
        Ok(Self { id, head, sent_to, authority, origin: Origin::of(http.peer_addr, secure), protocol })
    }

    /// Whether only the head of the answer is wanted.
    pub fn is_head(&self) -> bool {
        self.head.method == "HEAD"
    }

    /// Whether the answer may turn out to need no bytes: that of HEAD, or what follows from a condition.
    pub fn may_need_no_bytes(&self) -> bool {
        self.is_head() || self.head.headers.iter().any(|(name, _)| CONDITIONS.contains(&name))
    }

    /// Takes the request for the one that an edge was asked.
    pub fn forward(&mut self, forwarded: &Forwarded) {
        if let Some(host) = &forwarded.host {
            self.authority = host.clone();
        }
        self.protocol = forwarded.protocol.unwrap_or(self.protocol);
    }
}

/// Where a request was sent to: what its target names counts more than the header (RFC 9112 section 3.2.2), of which there
/// is one in every request (section 3.2).
fn authority(target: Option<&str>, headers: &Headers) -> Result<Authority, Failure> {
    let invalid = |why: String| Failure::with_message(Code::InvalidRequest, why);
    let host = headers.text("host").map_err(|_| invalid("There is one Host header, and it is text.".to_owned()))?;
    let Some(given) = target.or(host) else {
        return Err(invalid("The request names no host.".to_owned()));
    };
    Authority::parse(given).map_err(|error| invalid(format!("The host of the request is not valid: {error}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(target: Option<&str>, hosts: &[&str]) -> Result<String, Code> {
        let headers = hosts.iter().map(|host| ("host", *host)).collect();
        authority(target, &headers).map(|authority| authority.to_string()).map_err(|failure| failure.code)
    }

    #[test]
    fn a_request_is_for_the_host_of_its_target_or_of_its_one_header() {
        assert_eq!(host(None, &["A.example:9080"]), Ok("a.example:9080".to_owned()));
        assert_eq!(host(Some("b.example"), &["a.example"]), Ok("b.example".to_owned()));
        assert_eq!(host(Some("b.example"), &[]), Ok("b.example".to_owned()));
        let long = "a".repeat(5000);
        for (target, hosts) in [
            (None, [].as_slice()),
            (None, &[""]),
            (None, &["a.example", "b.example"]),
            (None, &["a.example", "a.example"]),
            (Some("b.example"), &["a.example", "a.example"]),
            (Some("user@b.example"), &["a.example"]),
            (None, &["a example"]),
            (None, &["a.example/x"]),
            (None, &[long.as_str()]),
        ] {
            assert_eq!(host(target, hosts), Err(Code::InvalidRequest), "{target:?} {hosts:?}");
        }
    }
}
