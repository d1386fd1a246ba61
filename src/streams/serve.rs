//! Between actix and streams: signed requests in, server-sent events out.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::{Stream, stream};

use super::ask::Ask;
use super::refusal::Refusal;
use super::{Asked, Credentials, Listener, PATH, SERVICE, Service};
use crate::auth::Claim;
use crate::events::stream::{Audience, Ended, Reader, sse};
use crate::guard::{NotSigned, Origin, Signing};
use crate::http::head::Head;
use crate::telemetry::RequestId;
use crate::telemetry::metrics::Measured;
use crate::transport::head::{head_of, is_secure};

/// One request's line in the log and its share in the metrics: written when this is dropped, at the end of the stream.
struct Line {
    service: Arc<Service>,
    start: Instant,
    id: RequestId,
    bucket: Option<String>,
    status: u16,
    sent: u64,
}

impl Drop for Line {
    fn drop(&mut self) {
        let duration = self.start.elapsed();
        tracing::info!(
            op = super::OPERATIONS[0],
            bucket = self.bucket.as_deref().unwrap_or("-"),
            status = self.status,
            bytes_out = self.sent,
            ms = duration.as_micros() as f64 / 1000.0,
            request_id = self.id.as_str(),
            "request"
        );
        let (status, sent) = (self.status, self.sent);
        self.service.metrics.record(Measured { operation: 0, status, duration, received: 0, sent });
    }
}

impl Service {
    /// Whether a request is for this transport. No bucket has such a name, but a bucket in a host may have such a key: the
    /// service in the scope of the signature tells the two apart.
    pub fn is_addressed(&self, head: &Head) -> bool {
        self.claim(head).is_some()
    }

    fn claim(&self, head: &Head) -> Option<Claim> {
        if head.method != "GET" || head.path != PATH {
            return None;
        }
        self.signers.claim(head, SERVICE)
    }
}

/// Answers one request, of which [`Service::is_addressed`] is true.
pub async fn handle(http: HttpRequest, service: Arc<Service>) -> HttpResponse {
    let mut line = Line {
        service: Arc::clone(&service),
        start: Instant::now(),
        id: RequestId::new(),
        bucket: None,
        status: 200,
        sent: 0,
    };
    let head = head_of(http.method(), http.uri(), http.headers());
    let origin = Origin::of(http.peer_addr(), is_secure(&http));
    match service.open(head, origin, &mut line).await {
        Ok(reader) => HttpResponse::Ok()
            .content_type(sse::CONTENT_TYPE)
            .append_header(("x-amz-request-id", line.id.as_str()))
            .append_header(("cache-control", "no-store"))
            // Proxies that collect what they pass on would hold events back.
            .append_header(("x-accel-buffering", "no"))
            .append_header(("server", "Brim"))
            .streaming(Box::pin(told(reader, line))),
        Err(refusal) => refuse(&refusal, &mut line),
    }
}

impl Service {
    async fn open(&self, head: Head, origin: Origin, line: &mut Line) -> Result<Reader<Listener>, Refusal> {
        let claim = self.claim(&head).ok_or(NotSigned::UnknownKey)?;
        let key = self.signers.key_of(&claim).await?;
        self.signers.verify(&claim, &head, b"", &key)?;
        let Ask { filter, start } = Ask::parse(&head)?;
        line.bucket = filter.bucket.as_ref().map(ToString::to_string);
        if let Some(bucket) = &filter.bucket {
            self.rights.store.bucket(bucket).await?;
        }
        let session_token = claim.session_token().map(str::to_owned);
        let asked = Asked {
            head,
            origin,
            signing: Some(Signing::of(&claim, self.clock.now())),
            credentials: Some(Credentials { access_key_id: Arc::clone(&key.access_key_id), session_token }),
            bucket: filter.bucket.clone(),
            prefix: filter.prefix.clone(),
        };
        let mut listener = Listener::new(Arc::clone(&self.rights), asked, Arc::clone(&key.caller));
        if !listener.may_listen().await? {
            return Err(Refusal::denied(&key.caller, filter.bucket.as_ref()));
        }
        let place = self.streams.enter(&listener.name())?;
        Ok(self.streams.follow(place, filter, start, listener))
    }
}

/// What is sent. The next event is looked for when the client has taken the one before.
fn told(reader: Reader<Listener>, line: Line) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(Some((reader, line)), |telling| async move {
        let (mut reader, mut line) = telling?;
        let (bytes, rest) = match reader.next().await {
            Ok(heard) => (sse::write(&heard), Some(reader)),
            Err(ended) => {
                log_end(&ended, line.id);
                (sse::write_end(&ended), None)
            }
        };
        line.sent += bytes.len() as u64;
        Some((Ok(bytes), rest.map(|reader| (reader, line))))
    })
}

/// Writes to the log why a stream ends that its client did not end.
pub fn log_end(ended: &Ended, id: RequestId) {
    let request_id = id.as_str();
    match ended {
        Ended::Stopping | Ended::NotAllowed => tracing::info!(request_id, because = %ended, "a stream of events ends"),
        Ended::NotJudged(_) | Ended::Store(_) => tracing::error!(request_id, error = %ended, "a stream of events ends"),
    }
}

fn refuse(refusal: &Refusal, line: &mut Line) -> HttpResponse {
    let (status, code) = refusal.code();
    let request_id = line.id.as_str();
    match status {
        500.. => tracing::error!(request_id, code, error = %refusal, "a stream of events is refused"),
        _ => tracing::debug!(request_id, code, error = %refusal, "a stream of events is refused"),
    }
    line.status = status;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    HttpResponse::build(status).append_header(("x-amz-request-id", line.id.as_str())).json(refusal.document())
}
