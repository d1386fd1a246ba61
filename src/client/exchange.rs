//! Sending a request and reading its answer, within bounds, again where that helps.

use std::error::Error as StdError;
use std::io;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::{sleep, timeout};

use super::connect::{Connections, connections};
use super::request::Request;
use super::settings::Settings;
use super::{Endpoint, Error, ServiceError, xml};
use crate::signer::{Head, SignedBody, Signer};

/// How often a request is sent at most. All that are sent here may be: they say what is to be, not what to add. The one
/// that adds, CreateMultipartUpload, may leave an upload without parts where its answer was lost: it holds no bytes.
const MAX_ATTEMPTS: u32 = 6;
/// The pause after the first attempt, doubled after each: together about five seconds, enough for a server to restart.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest error document that is read, in bytes.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// A client of one service with one key. Cheap to share by reference; keeps its connections.
pub struct Client {
    connections: Connections,
    endpoint: Endpoint,
    signer: Signer,
}

/// An answer that is no error.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// A header's value; empty where there is none, or one that is no text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Client {
    /// A client with these settings. Fails where the authorities to trust cannot be read; nothing is sent.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let connections = connections(settings.endpoint.is_secure(), settings.ca_bundle.as_deref())?;
        let signer = Signer::new(settings.region, &settings.credentials);
        Ok(Self { connections, endpoint: settings.endpoint, signer })
    }

    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends a request until it is answered, or failed too often.
    pub(super) async fn send(&self, request: &Request<'_>) -> Result<Answer, Error> {
        let mut attempt = 1;
        loop {
            match self.attempt(request).await {
                Err(error) if error.is_passing() && attempt < MAX_ATTEMPTS => sleep(pause(attempt)).await,
                done => return done,
            }
            attempt += 1;
        }
    }

    /// As [`Self::send`]; `None` where the answer is an error with this status.
    pub(super) async fn send_unless(&self, request: &Request<'_>, status: u16) -> Result<Option<Answer>, Error> {
        match self.send(request).await {
            Ok(answer) => Ok(Some(answer)),
            Err(Error::Service(error)) if error.status == status && error.code != "NoSuchBucket" => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn attempt(&self, request: &Request<'_>) -> Result<Answer, Error> {
        let (status, headers, body) = self.exchange(request).await?;
        match status {
            200..300 if body.len() > request.most => Err(Error::TooLong(request.most)),
            200..300 => Ok(Answer { status, headers, body }),
            _ => Err(refusal(request, status, &body)),
        }
    }

    async fn exchange(&self, request: &Request<'_>) -> Result<(u16, HeaderMap, Bytes), Error> {
        let sent = self.signed(request).await?;
        let head = self.within(request.time_to_answer(), self.connections.request(sent)).await?;
        let response = head.map_err(|source| {
            let endpoint = self.endpoint.to_string();
            match source.is_connect() {
                true if is_tls(&source) => Error::Insecure { endpoint, source: source.into() },
                true => Error::Unreachable { endpoint, source: source.into() },
                false => Error::Broken { endpoint, source: source.into() },
            }
        })?;
        let (head, body) = response.into_parts();
        // Room for an error's document in any case.
        let bounded = Limited::new(body, request.most.max(MAX_ERROR_BYTES));
        let body = self.within(request.time_to_read(), bounded.collect()).await?.map_err(|source| {
            match source.is::<LengthLimitError>() {
                true => Error::TooLong(request.most),
                false => Error::Broken { endpoint: self.endpoint.to_string(), source },
            }
        })?;
        Ok((head.status.as_u16(), head.headers, body.to_bytes()))
    }

    /// Waits no longer than `time`.
    async fn within<T>(&self, time: Duration, work: impl Future<Output = T>) -> Result<T, Error> {
        timeout(time, work).await.map_err(|_| Error::Slow { endpoint: self.endpoint.to_string(), time })
    }

    async fn signed(&self, request: &Request<'_>) -> Result<http::Request<super::connect::Sent>, Error> {
        let uri = format!("{}{}", self.endpoint, request.target());
        let mut headers = vec![("host", self.endpoint.authority().to_owned())];
        headers.extend(request.headers.iter().cloned());
        let body = SignedBody::Sha256(hex::encode(request.body.sha256()));
        let head = Head { method: request.method, uri: &uri, headers: &headers, body };
        let signature = self.signer.sign(&head, SystemTime::now()).map_err(|error| Error::Request(error.into()))?;
        let mut builder = http::Request::builder().method(request.method).uri(&uri);
        for (name, value) in &headers {
            builder = builder.header(*name, value);
        }
        for (name, value) in &signature {
            builder = builder.header(name, value);
        }
        if !request.body.is_empty() || ["PUT", "POST"].contains(&request.method) {
            builder = builder.header("content-length", request.body.len());
        }
        builder.body(request.body.open().await?).map_err(|error| Error::Request(error.into()))
    }
}

/// Whether it was TLS that failed. An I/O error does not give what it carries as its source.
fn is_tls(error: &(dyn StdError + 'static)) -> bool {
    let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<rustls::Error>() || carried.is_some_and(|error| is_tls(error)) || error.source().is_some_and(is_tls)
}

/// The error that an answer is.
fn refusal(request: &Request<'_>, status: u16, body: &[u8]) -> Error {
    let (code, message) = xml::error(body).unwrap_or_else(|| (by_status(status), String::new()));
    let (operation, target) = (request.operation, request.shown());
    Error::Service(Box::new(ServiceError { operation, target, status, code, message }))
}

/// A code for answers without a body, as those to HEAD are.
fn by_status(status: u16) -> String {
    let status = http::StatusCode::from_u16(status).ok();
    let reason = status.and_then(|status| status.canonical_reason()).unwrap_or("unknown status");
    reason.replace(' ', "")
}

/// Half of the pause is fixed and half of it random, so that clients that failed together do not come back together.
fn pause(attempt: u32) -> Duration {
    let half = FIRST_PAUSE * 2_u32.saturating_pow(attempt - 1) / 2;
    let mut random = [0];
    // Without random bytes the pause is the longest.
    let share = aws_lc_rs::rand::fill(&mut random).map_or(u32::from(u8::MAX), |()| u32::from(random[0]));
    half + half * share / u32::from(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_outlast_a_restart() {
        let least: Duration = (1..MAX_ATTEMPTS).map(|attempt| FIRST_PAUSE * 2_u32.pow(attempt - 1) / 2).sum();
        assert!(least > Duration::from_secs(3));
        for attempt in 1..MAX_ATTEMPTS {
            let longest = FIRST_PAUSE * 2_u32.pow(attempt - 1);
            assert!((longest / 2..=longest).contains(&pause(attempt)));
        }
    }

    #[test]
    fn answers_without_a_body_have_a_code_too() {
        assert_eq!((by_status(404).as_str(), by_status(403).as_str()), ("NotFound", "Forbidden"));
        assert_eq!(by_status(799), "unknownstatus");
    }
}
