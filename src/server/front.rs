//! What the website listeners answer before any site does: the challenges of certificate authorities, and, in the clear, the
//! way to HTTPS.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::dev::RequestHead;
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};

use crate::clock::Clock;
use crate::config::HttpsRedirect;
use crate::feed::HOST_HEADER;
use crate::site::host::{Authority, Host};
use crate::tls::{CHALLENGE_PATH, Certificates, Challenges};

/// The port of HTTPS, which addresses leave out.
const HTTPS_PORT: u16 = 443;

/// What there is to answer with.
pub struct Front {
    pub challenges: Challenges,
    pub certificates: Arc<Certificates>,
    pub redirect: HttpsRedirect,
    /// Where HTTPS is served; `None` redirects nobody.
    pub port: Option<u16>,
    pub clock: Clock,
}

impl Front {
    /// The answer to a request, which came over TLS where that is `secure`; `None` where it is the site's turn.
    pub fn answer(&self, head: &RequestHead, secure: bool) -> Option<HttpResponse> {
        // Over TLS too: authorities follow a redirect there, which a proxy before this server may send.
        if let Some(token) = head.uri.path().strip_prefix(CHALLENGE_PATH) {
            // Challenges that are not ours may be files of the site, put there by another tool. They are never redirected:
            // the certificate may be the one that is still to come.
            return self.challenge(head, token);
        }
        // An edge says itself by which protocol its visitor came; whether it is one, the signature tells later.
        if secure || is_signed_for_a_visitor(head) { None } else { self.redirected(head) }
    }

    fn challenge(&self, head: &RequestHead, token: &str) -> Option<HttpResponse> {
        if head.method != Method::GET && head.method != Method::HEAD {
            return None;
        }
        let answer = self.challenges.answer(token)?;
        tracing::info!(token, "an authority asked for a challenge");
        // RFC 8555 section 8.3. actix leaves out the body for HEAD.
        Some(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "application/octet-stream")).body(answer))
    }

    fn redirected(&self, head: &RequestHead) -> Option<HttpResponse> {
        let port = self.port.filter(|_| self.redirect != HttpsRedirect::Never)?;
        let name = match host_of(head)? {
            Host::Name(name) => name.as_str().to_owned(),
            Host::Address(address) if address.is_ipv6() => format!("[{address}]"),
            Host::Address(address) => address.to_string(),
        };
        if self.redirect == HttpsRedirect::Auto && !self.certificates.covers(&name, self.clock.now()) {
            return None;
        }
        let port = if port == HTTPS_PORT { String::new() } else { format!(":{port}") };
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let location = HeaderValue::from_str(&format!("https://{name}{port}{target}")).ok()?;
        // 308 keeps the method and the body: RFC 9110 section 15.4.9.
        let status = match head.method {
            Method::GET | Method::HEAD => StatusCode::MOVED_PERMANENTLY,
            _ => StatusCode::PERMANENT_REDIRECT,
        };
        tracing::info!(host = name, path = head.uri.path(), status = status.as_u16(), "to https");
        Some(HttpResponse::build(status).insert_header((header::LOCATION, location)).finish())
    }
}

/// Whether a request claims to be an edge's, for a visitor whose host it names: where it is not signed so, the site refuses it
/// and answers nobody in the clear.
fn is_signed_for_a_visitor(head: &RequestHead) -> bool {
    head.headers.contains_key(HOST_HEADER) && head.headers.contains_key(header::AUTHORIZATION)
}

/// The host that is asked for: that of an absolute target, otherwise that of the one Host header.
fn host_of(head: &RequestHead) -> Option<Host> {
    let mut given = head.headers.get_all(header::HOST);
    let (first, second) = (given.next(), given.next());
    let authority = match head.uri.authority() {
        Some(authority) => authority.as_str(),
        None if second.is_none() => first?.to_str().ok()?,
        None => return None,
    };
    Authority::parse(authority).ok().map(|authority| authority.host)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn only_who_signs_for_a_visitor_is_not_sent_to_https() {
        let front = Front {
            challenges: Challenges::default(),
            certificates: Arc::default(),
            redirect: HttpsRedirect::Always,
            port: Some(443),
            clock: Clock::system(),
        };
        let claim = (HOST_HEADER, "www.example.com");
        let signature = ("authorization", "AWS4-HMAC-SHA256 Credential=AKID");
        for (fields, redirected) in
            [(&[][..], true), (&[claim][..], true), (&[signature][..], true), (&[claim, signature][..], false)]
        {
            let mut request = TestRequest::get().uri("/a").insert_header(("host", "www.example.com"));
            for field in fields {
                request = request.insert_header(*field);
            }
            let request = request.to_http_request();
            assert_eq!(front.answer(request.head(), false).is_some(), redirected, "{fields:?}");
            assert!(front.answer(request.head(), true).is_none());
        }
    }
}
