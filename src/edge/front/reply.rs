//! The edge's own answers: short, plain, never stored.

use std::fmt::Display;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use http::{Method, Response, StatusCode};

use super::super::engine::Body;
use super::super::rules::signed_url::Refused;
use super::super::site::Maintenance;

/// An answer with a sentence for whoever reads it.
pub fn plain(status: StatusCode, sentence: impl Display) -> Response<Body> {
    let mut response = Response::new(Body::whole(Bytes::from(format!("{sentence}\n"))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An answer without a body.
pub fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status;
    response
}

/// 405, with the methods that there are.
pub fn method_not_allowed(allowed: &[Method]) -> Response<Body> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "This method is not allowed here.");
    response.headers_mut().insert(ALLOW, allow(allowed));
    response
}

/// 204 to OPTIONS, with the methods that there are.
pub fn options(allowed: &[Method]) -> Response<Body> {
    let mut response = empty(StatusCode::NO_CONTENT);
    response.headers_mut().insert(ALLOW, allow(allowed));
    response
}

fn allow(methods: &[Method]) -> HeaderValue {
    let list = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    HeaderValue::from_str(&list).unwrap_or(HeaderValue::from_static("GET, HEAD"))
}

/// 429, with the seconds after which there is room again.
pub fn too_many(seconds: u64) -> Response<Body> {
    let mut response = plain(StatusCode::TOO_MANY_REQUESTS, "Too many requests. Please come back later.");
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    response
}

/// The way to HTTPS: 308 keeps the method and the body (RFC 9110 section 15.4.9).
pub fn to_https(method: &Method, host: &str, port: u16, target: &str) -> Response<Body> {
    let port = if port == 443 { String::new() } else { format!(":{port}") };
    let Ok(location) = HeaderValue::from_str(&format!("https://{host}{port}{target}")) else {
        return plain(StatusCode::BAD_REQUEST, "The target is malformed.");
    };
    let read = *method == Method::GET || *method == Method::HEAD;
    let mut response = empty(if read { StatusCode::MOVED_PERMANENTLY } else { StatusCode::PERMANENT_REDIRECT });
    response.headers_mut().insert(LOCATION, location);
    response
}

/// 503 while a site is being worked on.
pub fn maintenance(maintenance: &Maintenance) -> Response<Body> {
    let mut response = Response::new(Body::whole(maintenance.page.clone()));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, maintenance.content_type.clone());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(RETRY_AFTER, HeaderValue::from(maintenance.retry_after));
    response
}

/// 403 to a request whose signature does not hold, in the XML that CloudFront answers with.
pub fn signature(refused: &Refused) -> Response<Body> {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{}</Code><Message>{refused}</Message></Error>",
        refused.code()
    );
    let mut response = Response::new(Body::whole(Bytes::from(text)));
    *response.status_mut() = StatusCode::FORBIDDEN;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The answer to a challenge: RFC 8555 section 8.3.
pub fn challenge(answer: String) -> Response<Body> {
    let mut response = Response::new(Body::whole(Bytes::from(answer)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    response
}
