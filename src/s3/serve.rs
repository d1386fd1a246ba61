//! Between actix and the operations: heads in, bytes out, one log line a request.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use actix_web::body::SizedStream;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder, web};
use bytes::Bytes;
use futures_util::{StreamExt, stream};

use super::admission::{Admitted, Refused};
use super::answer::{Answer, Body};
use super::body::RequestBody;
use super::cors::CrossOrigin;
use super::error::{Code, S3Error};
use super::operation::Operation;
use super::{Request, Service, ops, slow};
use crate::edges;
use crate::feed::{Dependency, Depends};
use crate::guard::Origin;
use crate::http::head::Head;
use crate::store;
use crate::store::read::ObjectReader;
use crate::telemetry::RequestId;
use crate::telemetry::metrics::Measured;
use crate::transport::download::{Download, NotStarted, Tally};
use crate::transport::head::{head_of, is_secure, source_address};
use crate::transport::pace::Pace;

/// A head that was admitted before `100 Continue`, kept with the request until its body is read.
pub struct Early(pub Admitted);

/// One request's line in the log and its share in the metrics: written when this is dropped, which for a streamed answer
/// is when its last byte is sent or the client is gone.
struct Line {
    service: Arc<Service>,
    start: Instant,
    id: RequestId,
    operation: Operation,
    bucket: Option<String>,
    /// What was addressed: for error documents and the lines about damage, not for every request's.
    resource: String,
    /// What every answer to the request says to browsers.
    cross_origin: CrossOrigin,
    /// What the answer depends on, where an edge is to know.
    depends: Depends,
    status: u16,
    received: u64,
    sent: u64,
}

impl Line {
    fn of_admitted(service: Arc<Service>, id: RequestId, admitted: &Admitted) -> Self {
        let (bucket, resource) = (admitted.target.bucket.clone(), admitted.target.resource());
        Self::new(service, id, admitted.operation, bucket, resource)
    }

    fn of_refused(service: Arc<Service>, id: RequestId, refused: &Refused) -> Self {
        Self::new(service, id, refused.operation, refused.bucket.clone(), refused.resource.clone())
    }

    fn new(
        service: Arc<Service>,
        id: RequestId,
        operation: Operation,
        bucket: Option<String>,
        resource: String,
    ) -> Self {
        let (start, cross_origin, depends) = (Instant::now(), CrossOrigin::default(), Depends::new());
        Self { service, start, id, operation, bucket, resource, cross_origin, depends, status: 0, received: 0, sent: 0 }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let duration = self.start.elapsed();
        tracing::info!(
            op = self.operation.name(),
            bucket = self.bucket.as_deref().unwrap_or("-"),
            status = self.status,
            bytes_in = self.received,
            bytes_out = self.sent,
            ms = duration.as_micros() as f64 / 1000.0,
            request_id = self.id.as_str(),
            "request"
        );
        self.service.metrics.record(Measured {
            operation: self.operation.index(),
            status: self.status,
            duration,
            received: self.received,
            sent: self.sent,
        });
    }
}

/// Answers one request.
pub async fn handle(http: HttpRequest, payload: web::Payload, service: Arc<Service>) -> HttpResponse {
    let id = RequestId::new();
    let head = head_of(http.method(), http.uri(), http.headers());
    if head.method == "OPTIONS" {
        return preflight(&service, id, &head).await;
    }
    let early = http.extensions_mut().remove::<Early>();
    let admitted = match early {
        Some(Early(admitted)) => Ok(admitted),
        None => service.admit(&head, Origin::of(http.peer_addr(), is_secure(&http))).await,
    };
    let admitted = match admitted {
        Ok(admitted) => admitted,
        Err(refused) => {
            let mut line = Line::of_refused(service.clone(), id, &refused);
            line.cross_origin = service.cross_origin_of_refused(&head, refused.bucket.as_deref()).await;
            let answer = service.refusal(&head, &refused, line.id.as_str());
            line.status = answer.status;
            return respond(&service, answer, line).await;
        }
    };
    let operation = admitted.operation;
    let mut line = Line::of_admitted(service.clone(), id, &admitted);
    if let Some(bucket) = &admitted.bucket {
        line.cross_origin = service.cross_origin(&head, bucket).await;
    }
    line.depends = service.depends_for_edge(&head, &admitted).await;
    let result = service.run(head, admitted, payload, source_address(&http), &mut line).await;
    let answer = match result {
        Ok(answer) => answer,
        Err((head, error)) => {
            let (bucket, resource) = (line.bucket.clone(), line.resource.clone());
            let refused = Refused { operation, bucket, resource, error };
            service.refusal(&head, &refused, line.id.as_str())
        }
    };
    line.status = answer.status;
    respond(&service, answer, line).await
}

/// Answers what a browser asks before it sends.
async fn preflight(service: &Arc<Service>, id: RequestId, head: &Head) -> HttpResponse {
    let (answer, mut line) = match service.preflight(head).await {
        Ok((answer, bucket)) => {
            (answer, Line::new(service.clone(), id, Operation::Preflight, bucket, head.path.clone()))
        }
        Err(refused) => {
            let line = Line::of_refused(service.clone(), id, &refused);
            (service.refusal(head, &refused, line.id.as_str()), line)
        }
    };
    line.status = answer.status;
    respond(service, answer, line).await
}

/// The response to a head that was refused before its body was asked for.
pub async fn refuse_early(service: &Arc<Service>, head: &Head, refused: &Refused) -> HttpResponse {
    let mut line = Line::of_refused(service.clone(), RequestId::new(), refused);
    line.cross_origin = service.cross_origin_of_refused(head, refused.bucket.as_deref()).await;
    let answer = service.refusal(head, refused, line.id.as_str());
    line.status = answer.status;
    let mut response = start_response(service, &answer, &line);
    let Body::Bytes(document) = answer.body else { return response.finish() };
    line.sent = document.len() as u64;
    response.body(document)
}

impl Service {
    async fn run(
        self: &Arc<Self>,
        head: Head,
        admitted: Admitted,
        payload: web::Payload,
        source_address: String,
        line: &mut Line,
    ) -> Result<Answer, (Head, S3Error)> {
        let Admitted { operation, target, query, caller, bucket, permission, payload: claim, body: plan } = admitted;
        let body = RequestBody::new(plan, claim, payload, self.pace(), self.document_memory.room());
        let mut request =
            Request { id: line.id, head, target, query, caller, bucket, permission, source_address, body };
        let result = match request.permit_stored(self).await {
            Ok(()) => ops::run(self, operation, &mut request).await,
            Err(error) => Err(error),
        };
        let result = result.map_err(|error| request.veil(self, error));
        line.received = request.body.received();
        result.map_err(|error| (request.head, error))
    }

    /// What the answer depends on, where the request is an edge's that follows the bucket: what there is of the key, and
    /// everything that is said of the bucket.
    async fn depends_for_edge(&self, head: &Head, admitted: &Admitted) -> Depends {
        let mut depends = Depends::new();
        let reads = matches!(admitted.operation, Operation::GetObject | Operation::HeadObject);
        let (true, Some(bucket), Some(_)) = (reads, &admitted.bucket, &admitted.caller.access_key_id) else {
            return depends;
        };
        let (owner, name) = (&bucket.record.account, &bucket.record.name);
        if let Ok(key) = admitted.target.object_key()
            && self.edges.follows(head, owner, name).await
        {
            depends.add(Dependency::Configuration { bucket: name.clone() });
            depends.add(Dependency::Object { bucket: name.clone(), key: key.as_str().to_owned() });
        }
        depends
    }

    fn pace(&self) -> Pace {
        Pace::new(self.options.body_idle, self.options.min_rate)
    }

    /// The answer to a request that failed. HEAD and 304 have no body.
    fn refusal(&self, head: &Head, refused: &Refused, id: &str) -> Answer {
        let error = &refused.error;
        log_cause(error, id);
        let mut answer = Answer::new(error.status());
        answer.headers.clone_from(&error.headers);
        if error.code == Code::NotModified {
            return answer;
        }
        answer = answer.header("content-type", "application/xml");
        let document = error.body(&refused.resource, id, self.host_id.as_str());
        if head.method == "HEAD" { answer } else { answer.body(Body::Bytes(document)) }
    }
}

/// Writes the cause of an error to the log, beside the id that the client is told.
pub(super) fn log_cause(error: &S3Error, id: &str) {
    let Some(cause) = &error.source else { return };
    if error.status() >= 500 {
        tracing::error!(request_id = id, code = error.code.as_str(), %cause, "request failed");
    } else {
        tracing::debug!(request_id = id, code = error.code.as_str(), %cause, "request refused");
    }
}

fn start_response(service: &Service, answer: &Answer, line: &Line) -> HttpResponseBuilder {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    let of_answer = answer.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in of_answer.chain(line.cross_origin.headers()) {
        // Values come from requests and have been headers before; one that no longer is one is left out.
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            response.append_header((name, value));
        }
    }
    let cache_control =
        answer.headers.iter().find(|(name, _)| name == "cache-control").map(|(_, value)| value.as_str());
    for header in edges::told(answer.status, &line.depends, cache_control).into_iter().flatten() {
        response.append_header(header);
    }
    response.append_header(("x-amz-request-id", line.id.as_str()));
    response.append_header(("x-amz-id-2", service.host_id.as_str()));
    response.append_header(("server", "Brim"));
    response
}

async fn respond(service: &Arc<Service>, answer: Answer, mut line: Line) -> HttpResponse {
    let mut response = start_response(service, &answer, &line);
    match answer.body {
        Body::Empty => response.finish(),
        Body::Head(length) => response.body(SizedStream::new(length, stream::empty::<Result<Bytes, std::io::Error>>())),
        Body::Bytes(bytes) => {
            line.sent = bytes.len() as u64;
            response.body(bytes)
        }
        Body::Slow(document) => {
            // The line is kept until the document is sent.
            let counted = slow::stream(document).inspect(move |sent| {
                let line = &mut line;
                line.sent += sent.as_ref().map_or(0, |bytes| bytes.len() as u64);
            });
            response.streaming(Box::pin(counted))
        }
        Body::Endless(pieces) => {
            let counted = pieces.map(move |piece| {
                let line = &mut line;
                line.sent += piece.len() as u64;
                Ok::<_, Infallible>(piece)
            });
            response.streaming(Box::pin(counted))
        }
        Body::Object(reader, length) => stream_object(service, response, reader, length, line).await,
    }
}

/// Sends an object; what is damaged at its beginning is an error and not a broken download.
async fn stream_object(
    service: &Arc<Service>,
    response: HttpResponseBuilder,
    reader: Box<ObjectReader>,
    length: u64,
    line: Line,
) -> HttpResponse {
    match Download::start(reader, length, &service.download_memory).await {
        Ok(download) => download.respond(response, line),
        Err(NotStarted::Busy) => failed_start(service, &S3Error::new(Code::SlowDown), line),
        Err(NotStarted::Unreadable(error)) => {
            let (resource, request_id) = (line.resource.as_str(), line.id.as_str());
            tracing::error!(resource, request_id, %error, "an object cannot be read");
            failed_start(service, &error.into(), line)
        }
    }
}

impl Tally for Line {
    fn sent(&mut self, bytes: u64) {
        self.sent += bytes;
    }

    fn cut_short(&mut self, error: &store::Error) {
        let (resource, request_id) = (self.resource.as_str(), self.id.as_str());
        tracing::error!(resource, request_id, %error, "a download was cut short");
    }
}

fn failed_start(service: &Arc<Service>, error: &S3Error, mut line: Line) -> HttpResponse {
    line.status = error.status();
    let document = error.body(&line.resource, line.id.as_str(), service.host_id.as_str());
    let answer = Answer::new(error.status()).header("content-type", "application/xml");
    start_response(service, &answer, &line).body(document)
}
