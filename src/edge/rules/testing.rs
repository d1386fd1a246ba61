//! What tests of rules share.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};

use super::directives::RequestDirectives;
use super::store::{Exchange, SetCookies};
use super::ttl::{ErrorTtls, TtlPolicy};
use crate::clock::Timestamp;

/// A moment, and dates around it.
pub const NOW: Timestamp = Timestamp::from_seconds(784_111_777);
pub const AT_NOW: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
pub const HOUR_BEFORE: &str = "Sun, 06 Nov 1994 07:49:37 GMT";
pub const HOUR_AFTER: &str = "Sun, 06 Nov 1994 09:49:37 GMT";

/// The fields, in order; names may repeat, values may hold any bytes that a value may.
pub fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

static NO_ERRORS: ErrorTtls = ErrorTtls::none();

/// The heads of a request and of its response, which has a `Date` whatever it is given.
pub struct Heads {
    request: HeaderMap,
    directives: RequestDirectives,
    response: HeaderMap,
}

impl Heads {
    pub fn of(request: &[(&str, &str)], response: &[(&str, &str)]) -> Self {
        let (request, mut response) = (headers(request), headers(response));
        response.entry("date").or_insert(HeaderValue::from_static(AT_NOW));
        Self { directives: RequestDirectives::parse(&request), request, response }
    }

    /// A GET with nothing configured, answered at once.
    pub fn exchange(&self, status: u16) -> Exchange<'_> {
        Exchange {
            method: &Method::GET,
            request_headers: &self.request,
            request: &self.directives,
            status: StatusCode::from_u16(status).unwrap(),
            response_headers: &self.response,
            request_time: NOW,
            response_time: NOW,
            policy: const { &TtlPolicy::headers_alone() },
            errors: &NO_ERRORS,
            set_cookies: SetCookies::WhereShared,
            signed: false,
            fed: false,
            keeps_parts: false,
        }
    }
}
