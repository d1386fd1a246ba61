//! What is logged of a request.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, COOKIE, HeaderName, REFERER, USER_AGENT};
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};

use super::super::super::engine::{Found, Outcome};
use super::super::super::rules::hygiene::X_FORWARDED_FOR;
use crate::clock::Timestamp;
use crate::telemetry::RequestId;

/// The longest value of a header that is kept, in bytes.
const MAX_VALUE_BYTES: usize = 2048;
/// Parameters whose values would let a reader of the log do what the client may.
const SECRETS: [&str; 8] = [
    "signature",
    "policy",
    "x-amz-signature",
    "x-amz-security-token",
    "x-amz-credential",
    "token",
    "access_token",
    "password",
];

/// A request that was answered.
#[derive(Debug, Clone)]
pub struct Record {
    pub at: Timestamp,
    pub id: RequestId,
    pub site: Arc<str>,
    pub client: SocketAddr,
    pub secure: bool,
    pub tls: Option<Tls>,
    pub method: Method,
    pub version: Version,
    /// The host that was asked for.
    pub host: Arc<str>,
    pub path: String,
    /// Without secrets.
    pub query: Option<String>,
    pub referer: Option<String>,
    pub user_agent: Option<String>,
    pub forwarded_for: Option<String>,
    /// Bytes of the request's head, as far as they are known.
    pub head_bytes: u64,
    pub status: StatusCode,
    pub outcome: Outcome,
    pub content_type: Option<String>,
    pub content_length: Option<u64>,
    /// The first and the last byte of a range that was sent.
    pub range: Option<(u64, u64)>,
    /// Bytes of the answer's head, as far as they are known.
    pub answer_head_bytes: u64,
    pub sent: u64,
    pub received: u64,
    /// Whether the answer broke off.
    pub broken: bool,
    pub to_first_byte: Duration,
    pub taken: Duration,
}

/// The TLS that a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tls {
    pub protocol: &'static str,
    pub cipher: &'static str,
}

/// What is known when a request begins.
pub struct Started<'r> {
    pub at: Timestamp,
    pub site: &'r str,
    pub client: SocketAddr,
    pub secure: bool,
    pub tls: Option<Tls>,
    pub host: &'r Arc<str>,
}

impl Record {
    /// Notes what a request says; what becomes of it is filled in later.
    pub fn begin<B>(started: &Started<'_>, request: &Request<B>) -> Self {
        let headers = request.headers();
        Self {
            at: started.at,
            id: RequestId::new(),
            site: started.site.into(),
            client: started.client,
            secure: started.secure,
            tls: started.tls,
            method: request.method().clone(),
            version: request.version(),
            host: Arc::clone(started.host),
            path: request.uri().path().to_owned(),
            query: request.uri().query().map(without_secrets),
            referer: text(headers, &REFERER).map(|referer| referer_without_secrets(&referer)),
            user_agent: text(headers, &USER_AGENT),
            forwarded_for: text(headers, &X_FORWARDED_FOR),
            head_bytes: request_line(request) + fields(headers),
            status: StatusCode::OK,
            outcome: Outcome::of(Found::Error),
            content_type: None,
            content_length: None,
            range: None,
            answer_head_bytes: 0,
            sent: 0,
            received: 0,
            broken: false,
            to_first_byte: Duration::ZERO,
            taken: Duration::ZERO,
        }
    }

    /// Notes the head of the answer.
    pub fn answered<B>(&mut self, response: &Response<B>, to_first_byte: Duration) {
        let headers = response.headers();
        self.to_first_byte = to_first_byte;
        self.content_type = text(headers, &CONTENT_TYPE);
        self.content_length = text(headers, &CONTENT_LENGTH).and_then(|length| length.parse().ok());
        self.range = text(headers, &CONTENT_RANGE).and_then(|range| sent_range(&range));
        // "HTTP/1.1 200 OK" and its line end.
        self.answer_head_bytes = 17 + fields(headers);
    }
}

fn request_line<B>(request: &Request<B>) -> u64 {
    let target = request.uri().path_and_query().map_or(1, |target| target.as_str().len());
    (request.method().as_str().len() + target + " HTTP/1.1\r\n".len() + 1) as u64
}

/// The bytes of header fields as HTTP/1.1 writes them, the empty line included.
fn fields(headers: &HeaderMap) -> u64 {
    let bytes = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    bytes.sum::<usize>() as u64 + 2
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    debug_assert!(*name != COOKIE, "cookies are not logged");
    let bytes = headers.get(name)?.as_bytes();
    Some(String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_VALUE_BYTES)]).into_owned())
}

/// `bytes 0-9/100`, taken apart.
fn sent_range(text: &str) -> Option<(u64, u64)> {
    let (first, last) = text.strip_prefix("bytes ")?.split_once('/')?.0.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// A query whose secret values are hyphens.
fn without_secrets(query: &str) -> String {
    let secret = |name: &str| SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret));
    let hidden = |part: &str| {
        let name = part.split('=').next().unwrap_or_default();
        let decoded = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
        if secret(&decoded) { format!("{name}=-") } else { part.to_owned() }
    };
    query.split('&').map(hidden).collect::<Vec<_>>().join("&")
}

/// The page that linked here may have been asked for with a signed URL, too.
fn referer_without_secrets(referer: &str) -> String {
    match referer.split_once('?') {
        Some((page, query)) => format!("{page}?{}", without_secrets(query)),
        None => referer.to_owned(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn record() -> Record {
        let request = Request::builder()
            .uri("/a b/ü?x=1&Signature=abc&Policy=p".replace(' ', "%20").replace('ü', "%C3%BC"))
            .header("user-agent", "A \"tester\"\t1")
            .header("referer", "https://b.example/?X-Amz-Signature=s3cret&y=2")
            .header("cookie", "session=s3cret")
            .header("authorization", "Bearer s3cret")
            .body(())
            .unwrap();
        let started = Started {
            at: Timestamp::from_millis(1_795_000_000_123),
            site: "shop",
            client: "192.0.2.1:4711".parse().unwrap(),
            secure: true,
            tls: Some(Tls { protocol: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256" }),
            host: &"www.example.com".into(),
        };
        let mut record = Record::begin(&started, &request);
        let response = Response::builder()
            .status(206)
            .header("content-type", "text/plain")
            .header("content-length", "10")
            .header("content-range", "bytes 5-14/100")
            .body(())
            .unwrap();
        record.answered(&response, Duration::from_millis(3));
        record.status = response.status();
        record.outcome = Outcome::of(Found::Hit);
        (record.sent, record.taken) = (10, Duration::from_millis(4));
        record
    }

    #[test]
    fn secrets_are_not_kept() {
        let record = record();
        assert_eq!(record.query.as_deref(), Some("x=1&Signature=-&Policy=-"));
        assert_eq!(record.referer.as_deref(), Some("https://b.example/?X-Amz-Signature=-&y=2"));
        assert!(!format!("{record:?}").contains("s3cret"));
        assert_eq!(without_secrets("%53ignature=1&a"), "%53ignature=-&a");
    }

    #[test]
    fn the_answer_is_noted() {
        let record = record();
        assert_eq!((record.content_length, record.range), (Some(10), Some((5, 14))));
        assert_eq!(record.content_type.as_deref(), Some("text/plain"));
    }
}
