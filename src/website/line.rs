//! What is told of a request: one line in the log, and its share in the metrics.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use actix_web::dev::RequestHead;
use actix_web::http::header::{self, HeaderName};

use super::Service;
use crate::store;
use crate::telemetry::RequestId;
use crate::telemetry::metrics::Measured;
use crate::transport::download::Tally;

/// The most bytes of a path that the log shows, and of what a client says of itself.
const SHOWN_BYTES: usize = 1024;
/// The most bytes of a method.
const SHOWN_METHOD_BYTES: usize = 32;
/// What stands for a value that there is not.
const NONE: &str = "-";

/// One request's line and counts: written when this is dropped, which for a streamed answer is when its last byte is sent
/// or the client is gone.
pub struct Line {
    service: Arc<Service>,
    start: Instant,
    id: RequestId,
    /// The bucket; `None` where the host names none that there is.
    pub site: Option<String>,
    host: String,
    asked: Asked,
    pub status: u16,
    sent: u64,
}

/// What the log shows of a request's head.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    method: String,
    /// Raw, without its query.
    path: String,
    remote: Option<IpAddr>,
    /// Without its query, which is another page's and may be signed.
    referer: String,
    user_agent: String,
}

impl Line {
    pub fn new(service: Arc<Service>, id: RequestId, host: String, head: &RequestHead) -> Self {
        Self { service, start: Instant::now(), id, site: None, host, asked: Asked::of(head), status: 0, sent: 0 }
    }

    pub fn id(&self) -> RequestId {
        self.id
    }
}

impl Asked {
    fn of(head: &RequestHead) -> Self {
        let referer = text(head, &header::REFERER);
        let page = referer.split(['?', '#']).next().unwrap_or_default();
        Self {
            method: clipped(head.method.as_str(), SHOWN_METHOD_BYTES),
            path: clipped(head.uri.path(), SHOWN_BYTES),
            remote: head.peer_addr.map(|address| address.ip()),
            referer: clipped(page, SHOWN_BYTES),
            user_agent: clipped(&text(head, &header::USER_AGENT), SHOWN_BYTES),
        }
    }
}

impl Tally for Line {
    fn sent(&mut self, bytes: u64) {
        self.sent += bytes;
    }

    fn cut_short(&mut self, error: &store::Error) {
        let (site, path, request_id) = (self.site.as_deref(), self.asked.path.as_str(), self.id.as_str());
        tracing::error!(site, path, request_id, %error, "a download was cut short");
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let duration = self.start.elapsed();
        tracing::info!(
            site = self.site.as_deref().unwrap_or(NONE),
            host = self.host,
            method = self.asked.method,
            path = self.asked.path,
            status = self.status,
            bytes_out = self.sent,
            ms = duration.as_micros() as f64 / 1000.0,
            remote = self.asked.remote.map(tracing::field::display),
            referer = self.asked.referer,
            user_agent = self.asked.user_agent,
            request_id = self.id.as_str(),
            "page"
        );
        let (status, sent) = (self.status, self.sent);
        self.service.metrics.record(Measured { operation: 0, status, duration, received: 0, sent });
        self.service.traffic.record(self.site.as_deref(), status, sent);
    }
}

/// The first value of a header, be it text or not.
fn text<'h>(head: &'h RequestHead, name: &HeaderName) -> Cow<'h, str> {
    head.headers.get(name).map_or(Cow::Borrowed(NONE), |value| String::from_utf8_lossy(value.as_bytes()))
}

/// The whole characters of the first so many bytes.
fn clipped(text: &str, most: usize) -> String {
    text[..text.floor_char_boundary(most)].to_owned()
}

#[cfg(test)]
mod tests {
    use actix_web::http::Method;
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_line_shows_who_asked_for_what_and_no_queries() {
        let request = TestRequest::with_uri("/page?token=1")
            .method(Method::HEAD)
            .peer_addr("192.0.2.7:1234".parse().unwrap())
            .insert_header(("referer", "https://a.example/b?X-Amz-Signature=00#c"))
            .insert_header(("user-agent", "curl/8"))
            .to_http_request();
        let expected = Asked {
            method: "HEAD".to_owned(),
            path: "/page".to_owned(),
            remote: Some(IpAddr::from([192, 0, 2, 7])),
            referer: "https://a.example/b".to_owned(),
            user_agent: "curl/8".to_owned(),
        };
        assert_eq!(Asked::of(request.head()), expected);
        let bare = Asked::of(TestRequest::default().to_http_request().head());
        assert_eq!((bare.referer.as_str(), bare.user_agent.as_str(), bare.remote), (NONE, NONE, None));
    }

    #[test]
    fn what_a_line_shows_is_bounded_and_whole_characters() {
        let long = [b"x".as_slice(), "\u{e9}".repeat(SHOWN_BYTES).as_bytes()].concat();
        let value = header::HeaderValue::from_bytes(&long).unwrap();
        let request = TestRequest::with_uri(&format!("/{}", "a".repeat(2 * SHOWN_BYTES)))
            .method(Method::from_bytes(&[b'A'; 100]).unwrap())
            .insert_header(("referer", value.clone()))
            .insert_header(("user-agent", value))
            .to_http_request();
        let asked = Asked::of(request.head());
        assert_eq!((asked.method.len(), asked.path.len()), (SHOWN_METHOD_BYTES, SHOWN_BYTES));
        for shown in [asked.referer, asked.user_agent] {
            assert_eq!(shown.len(), SHOWN_BYTES - 1);
            assert!(shown.ends_with('\u{e9}'));
        }
    }
}
