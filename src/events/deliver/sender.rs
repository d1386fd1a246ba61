//! One attempt: a request to the receiver, and what it made of it.

use std::error::Error as StdError;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use tokio::time::{Instant, timeout};

use super::line::{Line, LineError, Lines};
use super::schedule;
use crate::clock::Timestamp;
use crate::events::endpoint::{Endpoint, Reach};
use crate::events::record::Message;
use crate::events::sign::sign;

/// How much of an answer's body is kept.
pub const KEPT_ANSWER_BYTES: usize = 1024;
/// How much of it is read, and for how long, so that the connection can be used again.
const READ_ANSWER_BYTES: usize = 64 * 1024;
const READ_ANSWER_TIME: Duration = Duration::from_secs(2);
/// The longest description of what went wrong, in bytes.
const MAX_ERROR_BYTES: usize = 512;

const AGENT: &str = concat!("Brim/", env!("CARGO_PKG_VERSION"));

/// The headers of Standard Webhooks 1.0.0.
const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// What an attempt came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempt {
    pub status: Option<u16>,
    /// Why there was no answer.
    pub error: Option<String>,
    /// The beginning of the answer's body, without control characters.
    pub answer: String,
    pub latency: Duration,
    pub retry_after: Option<Duration>,
}

/// What an attempt means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Delivered,
    /// 410: the receiver wants to hear nothing any more.
    Gone,
    Failed {
        /// It is asked too much, or says so.
        overloaded: bool,
    },
}

impl Attempt {
    /// By the rules of Standard Webhooks: only 2xx is a success; redirections are failures and never followed.
    pub fn verdict(&self) -> Verdict {
        match self.status {
            Some(200..=299) => Verdict::Delivered,
            Some(410) => Verdict::Gone,
            status => Verdict::Failed { overloaded: matches!(status, Some(429 | 502 | 503 | 504)) },
        }
    }

    /// Why it failed, in words; empty where it did not.
    pub fn failure(&self) -> String {
        match (&self.error, self.status) {
            (Some(error), _) => error.clone(),
            (None, Some(200..=299)) | (None, None) => String::new(),
            (None, Some(status @ 300..=399)) => format!("status {status}: redirections are not followed"),
            (None, Some(status)) => format!("status {status}"),
        }
    }

    fn failed(error: impl Into<String>, since: Instant) -> Self {
        Self { error: Some(bounded(error.into())), latency: since.elapsed(), ..Self::default() }
    }
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error(transparent)]
    Line(#[from] LineError),
    /// A kept connection was closed before an answer began to come: that may be no fault of the receiver's.
    #[error("a kept connection was closed")]
    Stale,
    #[error("no answer: {}", chain(.0))]
    Broken(hyper::Error),
    #[error("the request cannot be written: {0}")]
    Request(#[from] http::Error),
}

/// Sends to one endpoint, as it is defined now.
pub struct Sender {
    /// `Err`: why nothing can be sent at all.
    lines: Result<Lines, String>,
    url: http::Uri,
    /// What every request has.
    headers: HeaderMap,
    timeout: Duration,
}

impl Sender {
    /// Reads the files that the endpoint names. Where something is wrong with them every attempt says so.
    pub async fn new(endpoint: &Endpoint, reach: &Reach) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        for (name, value) in &endpoint.headers {
            headers.append(name, value.clone());
        }
        if let Some(value) = &endpoint.authorization {
            headers.insert(AUTHORIZATION, value.clone());
        }
        let lines = match HeaderValue::try_from(endpoint.url.authority()) {
            Ok(host) => {
                headers.insert(HOST, host);
                Lines::new(endpoint, reach).await
            }
            Err(error) => Err(error.to_string()),
        };
        Self { lines, url: http::Uri::from(endpoint.url.target().clone()), headers, timeout: endpoint.timeout }
    }

    /// Sends a message once. `webhook-timestamp` is `now`, `webhook-id` the message's id, however often it is sent.
    pub async fn send(&self, message: &Message, endpoint: &Endpoint, now: Timestamp) -> Attempt {
        let since = Instant::now();
        let lines = match &self.lines {
            Ok(lines) => lines,
            Err(why) => return Attempt::failed(why.clone(), since),
        };
        let headers = match self.headers_of(message, endpoint, now) {
            Ok(headers) => headers,
            Err(error) => return Attempt::failed(error.to_string(), since),
        };
        let exchange = timeout(self.timeout, self.exchange(lines, &headers, &message.body));
        match exchange.await {
            Err(_) => Attempt::failed(format!("no answer within {} s", self.timeout.as_secs_f64()), since),
            Ok(Err(error)) => Attempt::failed(error.to_string(), since),
            Ok(Ok((line, response))) => {
                let latency = since.elapsed();
                let (head, body) = response.into_parts();
                let patience = self.timeout.saturating_sub(latency).min(READ_ANSWER_TIME);
                let (answer, whole) = read(body, patience).await;
                if whole {
                    lines.keep(line);
                }
                let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
                Attempt {
                    status: Some(head.status.as_u16()),
                    error: None,
                    answer,
                    latency,
                    retry_after: retry_after.and_then(|value| schedule::retry_after(value, now)),
                }
            }
        }
    }

    fn headers_of(&self, message: &Message, endpoint: &Endpoint, now: Timestamp) -> Result<HeaderMap, http::Error> {
        let mut headers = self.headers.clone();
        for (name, value) in &message.headers {
            headers.insert(name, value.clone());
        }
        let signature = sign(&endpoint.secrets.active(now), &message.id, now.as_seconds(), &message.body);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(message.content_type));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(message.body.len()));
        headers.insert(WEBHOOK_ID, HeaderValue::try_from(&message.id)?);
        headers.insert(WEBHOOK_TIMESTAMP, HeaderValue::from(now.as_seconds()));
        headers.insert(WEBHOOK_SIGNATURE, signature);
        Ok(headers)
    }

    /// Closes connections that nobody uses any more.
    pub fn close_idle(&self) {
        if let Ok(lines) = &self.lines {
            lines.close_idle();
        }
    }

    /// Asks over a kept connection, and once more over a new one where the kept one turns out to be dead.
    async fn exchange(
        &self,
        lines: &Lines,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<(Line, http::Response<Incoming>), SendError> {
        match self.ask(lines.get(false).await?, headers, body).await {
            Err(SendError::Stale) => self.ask(lines.get(true).await?, headers, body).await,
            asked => asked,
        }
    }

    async fn ask(
        &self,
        mut line: Line,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<(Line, http::Response<Incoming>), SendError> {
        let mut request =
            Request::builder().method(Method::POST).uri(self.url.clone()).body(Full::new(body.clone()))?;
        *request.headers_mut() = headers.clone();
        let response = async {
            line.sender.ready().await?;
            line.sender.send_request(request).await
        };
        match response.await {
            Ok(response) => Ok((line, response)),
            Err(error) if line.used && !error.is_parse() && !error.is_timeout() => {
                tracing::debug!(%error, "a kept connection was closed by the receiver");
                Err(SendError::Stale)
            }
            Err(error) => Err(SendError::Broken(error)),
        }
    }
}

/// Reads the beginning of a body, and its end if that comes soon; whether it came.
async fn read(mut body: Incoming, patience: Duration) -> (String, bool) {
    let (mut kept, mut length) = (Vec::new(), 0);
    let reading = async {
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return false };
            let Some(data) = frame.data_ref() else { continue };
            let room = KEPT_ANSWER_BYTES - kept.len();
            kept.extend_from_slice(&data[..data.len().min(room)]);
            length += data.len();
            if length > READ_ANSWER_BYTES {
                return false;
            }
        }
        body.is_end_stream()
    };
    let whole = timeout(patience, reading).await.unwrap_or(false);
    (shown(&kept), whole)
}

/// Bytes of others as text for a terminal: what is no text, and control characters, are escaped.
fn shown(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for character in String::from_utf8_lossy(bytes).chars() {
        match character.is_control() {
            true => text.extend(character.escape_default()),
            false => text.push(character),
        }
    }
    text
}

fn bounded(text: String) -> String {
    let text = shown(text.as_bytes());
    text[..text.floor_char_boundary(MAX_ERROR_BYTES)].to_owned()
}

/// An error with its causes.
fn chain(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_2xx_is_a_success_and_410_is_the_end() {
        let verdict = |status| Attempt { status: Some(status), ..Attempt::default() }.verdict();
        assert_eq!(
            (verdict(200), verdict(204), verdict(299)),
            (Verdict::Delivered, Verdict::Delivered, Verdict::Delivered)
        );
        assert_eq!(verdict(410), Verdict::Gone);
        for status in [101, 301, 302, 304, 307, 308, 400, 404, 500, 501] {
            assert_eq!(verdict(status), Verdict::Failed { overloaded: false }, "{status}");
        }
        for status in [429, 502, 503, 504] {
            assert_eq!(verdict(status), Verdict::Failed { overloaded: true }, "{status}");
        }
        assert_eq!(Attempt::default().verdict(), Verdict::Failed { overloaded: false });
    }

    #[test]
    fn answers_cannot_write_to_a_terminal() {
        assert_eq!(shown(b"a\x1b[31mb\r\n\0\xff\xc2\x9b"), "a\\u{1b}[31mb\\r\\n\\u{0}\u{fffd}\\u{9b}");
        assert_eq!(shown("naïve 日本".as_bytes()), "naïve 日本");
    }
}
