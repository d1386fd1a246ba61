//! Between actix and the sites: heads in, bytes out, one log line a request.

use std::sync::Arc;

use actix_web::body::SizedStream;
use actix_web::dev::RequestHead;
use actix_web::http::header::{self, HeaderName};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use bytes::Bytes;
use futures_util::stream;

use super::Service;
use super::answer::{Answer, Body};
use super::failure::{Code, Failure};
use super::line::Line;
use super::page::error_page;
use super::request::Request;
use crate::telemetry::RequestId;
use crate::transport::download::{Download, NotStarted, Tally};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");
const HOST_ID: HeaderName = HeaderName::from_static("x-amz-id-2");
const ERROR_CODE: HeaderName = HeaderName::from_static("x-amz-error-code");
const ERROR_MESSAGE: HeaderName = HeaderName::from_static("x-amz-error-message");

/// Answers one request, which came over TLS where that is `secure`. A body that it has is not read.
pub async fn handle(http: HttpRequest, service: Arc<Service>, secure: bool) -> HttpResponse {
    let id = RequestId::new();
    let request = Request::parse(id, http.head(), secure);
    let host = request.as_ref().map_or_else(|_| "-".to_owned(), |request| request.authority.host.to_string());
    let mut line = Line::new(Arc::clone(&service), id, host, http.head());
    let is_head = http.head().method == Method::HEAD;
    let answered = match request {
        Ok(mut request) => service.answer(&mut request, &mut line.site).await,
        Err(failure) => Err(failure),
    };
    let answer = answered.unwrap_or_else(|failure| service.failed(&failure, None, id, is_head));
    respond(&service, answer, line, is_head).await
}

/// The response to a head that is refused before its body is asked for; `None` where it is in order.
pub async fn refuse_early(http: &RequestHead, service: &Arc<Service>, secure: bool) -> Option<HttpResponse> {
    let id = RequestId::new();
    let failure = Request::parse(id, http, secure).err()?;
    let is_head = http.method == Method::HEAD;
    let line = Line::new(Arc::clone(service), id, "-".to_owned(), http);
    let answer = service.failed(&failure, None, id, is_head);
    Some(respond(service, answer, line, is_head).await)
}

impl Service {
    /// The page for a failure. HEAD gets its headers alone.
    pub(super) fn failed(&self, failure: &Failure, document: Option<&Failure>, id: RequestId, is_head: bool) -> Answer {
        log_cause(failure, id);
        let page = error_page(failure, document, id.as_str(), self.host_id.as_str());
        let answer =
            tell(Answer::new(failure.status()), failure).header(header::CONTENT_TYPE, "text/html; charset=utf-8");
        answer.body(if is_head { Body::Head(page.len() as u64) } else { Body::Page(page) })
    }
}

/// Adds what a failure is, for who reads headers: the page may be the site's own.
pub fn tell(answer: Answer, failure: &Failure) -> Answer {
    let mut answer = answer.header(ERROR_CODE, failure.code.as_str()).header(ERROR_MESSAGE, failure.message.as_bytes());
    for (name, value) in &failure.details {
        // As S3 sends it; a key that is no value of a header is left out.
        answer = answer.named(&format!("x-amz-error-detail-{name}"), value);
    }
    for (name, value) in &failure.headers {
        answer = answer.named(name, value);
    }
    answer
}

/// Writes the cause of a failure to the log, beside the id that the page has.
fn log_cause(failure: &Failure, id: RequestId) {
    let Some(cause) = &failure.source else { return };
    tracing::error!(request_id = id.as_str(), code = failure.code.as_str(), %cause, "request failed");
}

fn start_response(service: &Service, answer: &Answer, id: RequestId) -> HttpResponseBuilder {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for (name, value) in &answer.headers {
        response.append_header((name, value));
    }
    response.append_header((REQUEST_ID, id.as_str()));
    response.append_header((HOST_ID, service.host_id.as_str()));
    response.append_header((header::SERVER, "Brim"));
    response
}

async fn respond(service: &Arc<Service>, answer: Answer, mut line: Line, is_head: bool) -> HttpResponse {
    let id = line.id();
    line.status = answer.status;
    let mut response = start_response(service, &answer, id);
    match answer.body {
        Body::Empty => response.finish(),
        Body::Head(length) => response.body(SizedStream::new(length, stream::empty::<Result<Bytes, std::io::Error>>())),
        Body::Page(page) => {
            line.sent(page.len() as u64);
            response.body(page)
        }
        Body::File(reader, length) => match Download::start(reader, length, &service.download_memory).await {
            Ok(download) => download.respond(response, line),
            Err(not_started) => {
                let answer = service.failed(&failure_of(not_started), None, id, is_head);
                Box::pin(respond(service, answer, line, is_head)).await
            }
        },
    }
}

fn failure_of(not_started: NotStarted) -> Failure {
    match not_started {
        NotStarted::Busy => Failure::new(Code::SlowDown),
        NotStarted::Unreadable(error) => error.into(),
    }
}
