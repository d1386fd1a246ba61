//! One origin: its connections, and how one request is put to it.

use std::error::Error as StdError;
use std::io;
use std::pin::pin;
use std::sync::Arc;

use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use hyper::body::{Body, Incoming};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::select;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until, timeout};

use super::address::Address;
use super::breaker::Breaker;
use super::dial::{Dial, Line, TooMuch};
use super::error::FetchError;
use super::origins::ViewerFacts;
use super::sent::{OriginBody, Progress, Sent, empty};
use super::settings::{Limits, Origin, SettingsError};
use crate::clock::{Clock, Timestamp};
use crate::tls::{Authorities, client_configuration};

/// The longest head of an answer, in bytes. Also the most of a body that is read ahead of who takes it.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// The most lines of a head.
const MAX_HEADERS: usize = 256;
/// What one HTTP/2 stream, and all of a connection, may send ahead of who takes it, in bytes.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

type Client = legacy::Client<Dial, Sent>;

/// One origin.
pub(super) struct Endpoint {
    pooled: Client,
    /// Connections for one request each, in HTTP/1.1: what a tunnel needs.
    single: Client,
    address: Address,
    places: Arc<Semaphore>,
    breaker: Breaker,
    limits: Limits,
    clock: Clock,
}

/// The head of an answer, with all that comes after it.
pub(super) struct Answer {
    pub response: Response<Incoming>,
    pub place: OwnedSemaphorePermit,
    pub request_time: Timestamp,
    pub response_time: Timestamp,
    /// Whether the request told who follows the feed.
    pub fed: bool,
    /// Whether the feed is to tell of what the origin answers.
    pub watched: bool,
}

/// Why a request was not answered.
struct Failure {
    error: FetchError,
    /// Whether a connection that was kept had died before it.
    dead_connection: bool,
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Self { error, dead_connection: false }
    }
}

/// Whether a request may be sent again: RFC 9110 section 9.2.2, and nothing that would have to be kept for it.
pub(super) fn is_repeatable(method: &Method, body: &OriginBody) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS].contains(method) && body.is_end_stream()
}

impl Endpoint {
    /// Reads the files that `origin` names; blocks. Nothing is sent.
    pub fn new(origin: &Origin, clock: Clock) -> Result<Self, SettingsError> {
        let limits = origin.limits.clone();
        limits.check()?;
        let authorities = match origin.location.is_secure() {
            true => &origin.authorities,
            false => &Authorities::Nobody,
        };
        let tls = client_configuration(authorities, origin.identity.as_ref())?;
        let pooled = client(&limits).build(Dial::new(origin, tls.clone(), true)?);
        let single = client(&limits).pool_max_idle_per_host(0).build(Dial::new(origin, tls, false)?);
        Ok(Self {
            pooled,
            single,
            address: Address::new(origin),
            places: Arc::new(Semaphore::new(limits.requests)),
            breaker: Breaker::new(limits.failures, limits.pause),
            limits,
            clock,
        })
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether it could not be reached so often that it is left alone.
    pub fn is_suspended(&self) -> bool {
        self.breaker.is_open()
    }

    /// Puts a request to the origin; again where that cannot matter and the connection was dead.
    pub async fn ask(&self, head: &Parts, body: OriginBody, viewer: &ViewerFacts<'_>) -> Result<Answer, FetchError> {
        let repeatable = is_repeatable(&head.method, &body);
        self.judged(async {
            match self.attempt(&self.pooled, head, body, viewer, None).await {
                Err(Failure { dead_connection: true, .. }) if repeatable => {
                    self.attempt(&self.pooled, head, empty(), viewer, None).await
                }
                answer => answer,
            }
        })
        .await
    }

    /// Asks for another protocol on a connection of its own. The answer may be 101, or any other.
    pub async fn ask_upgrade(&self, head: &Parts, viewer: &ViewerFacts<'_>) -> Result<Answer, FetchError> {
        let protocol = head.headers.get(UPGRADE);
        self.judged(self.attempt(&self.single, head, empty(), viewer, protocol)).await
    }

    /// Lets the breaker decide, and learn.
    async fn judged(&self, work: impl Future<Output = Result<Answer, Failure>>) -> Result<Answer, FetchError> {
        let pass = self.breaker.admit(self.clock.now()).ok_or(FetchError::Suspended)?;
        match work.await {
            Ok(answer) => {
                pass.succeeded();
                Ok(answer)
            }
            Err(Failure { error, .. }) => {
                if error.is_unreachable() {
                    pass.failed(self.clock.now());
                } else if !error.is_ours() {
                    // It was reached. What then went wrong may be this request's doing, and must not cost the others.
                    pass.succeeded();
                }
                Err(error)
            }
        }
    }

    async fn attempt(
        &self,
        client: &Client,
        head: &Parts,
        body: OriginBody,
        viewer: &ViewerFacts<'_>,
        protocol: Option<&HeaderValue>,
    ) -> Result<Answer, Failure> {
        let place = timeout(self.limits.connect, Arc::clone(&self.places).acquire_owned()).await;
        let place = place.map_err(|_| FetchError::Busy)?.map_err(|_| FetchError::Busy)?;
        let request_time = self.clock.now();
        let progress = Progress::new();
        let request = self.address.write(head, !body.is_end_stream(), viewer, request_time)?;
        let mut request = request.map(|()| Sent::new(body, Arc::clone(&progress)));
        if let Some(protocol) = protocol {
            request.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
            request.headers_mut().insert(UPGRADE, protocol.clone());
        }
        let connection = capture_connection(&mut request);
        let response = self.awaited(client.request(request), connection, &progress).await?;
        check(&response, protocol)?;
        let response_time = self.clock.now();
        let (fed, watched) = (self.address.is_fed(viewer), self.address.is_watched(viewer));
        Ok(Answer { response, place, request_time, response_time, fed, watched })
    }

    /// Waits for a connection, then for the head of the answer.
    async fn awaited(
        &self,
        answer: legacy::ResponseFuture,
        mut connection: CaptureConnection,
        progress: &Progress,
    ) -> Result<Response<Incoming>, Failure> {
        let mut answer = pin!(answer);
        let line = async { connection.wait_for_connection_metadata().await.as_ref().and_then(Line::of) };
        let line = select! {
            biased;
            answer = &mut answer => return head_of(answer, progress),
            line = timeout(self.limits.connect, line) => line,
        };
        let line = line.map_err(|_| FetchError::ConnectSlow)?;
        line.inspect(Line::wait);
        let mut deadline = Instant::now() + self.limits.first_byte;
        loop {
            select! {
                biased;
                answer = &mut answer => return head_of(answer, progress),
                () = sleep_until(deadline) => {}
            }
            // A long upload is no silence.
            let patience = progress.last() + self.limits.first_byte;
            if patience <= deadline {
                return Err(FetchError::Slow(self.limits.first_byte).into());
            }
            deadline = patience;
        }
    }
}

fn client(limits: &Limits) -> legacy::Builder {
    let mut builder = legacy::Client::builder(TokioExecutor::new());
    builder.timer(TokioTimer::new()).pool_timer(TokioTimer::new());
    builder.pool_idle_timeout(limits.keep).pool_max_idle_per_host(limits.kept);
    builder.http1_max_buf_size(MAX_HEAD_BYTES).http1_max_headers(MAX_HEADERS);
    // RFC 9112 section 5.1: a proxy takes it out of answers.
    builder.http1_allow_spaces_after_header_name_in_responses(true);
    builder.http2_max_header_list_size(MAX_HEAD_BYTES as u32);
    builder.http2_initial_stream_window_size(STREAM_WINDOW);
    builder.http2_initial_connection_window_size(CONNECTION_WINDOW);
    builder.http2_keep_alive_interval(limits.first_byte).http2_keep_alive_timeout(limits.connect);
    builder
}

fn head_of(
    answer: Result<Response<Incoming>, legacy::Error>,
    progress: &Progress,
) -> Result<Response<Incoming>, Failure> {
    let response = answer.map_err(|error| failure(error, progress))?;
    if let Some(line) = response.extensions().get::<Line>() {
        line.answered();
    }
    Ok(response)
}

/// What went wrong, as far as the client tells.
fn failure(error: legacy::Error, progress: &Progress) -> Failure {
    if progress.is_broken() {
        return FetchError::Upload.into();
    }
    if error.is_connect() {
        return match is_caused_by(&error, |cause| cause.is::<tokio::time::error::Elapsed>() || is_timeout(cause)) {
            true => FetchError::ConnectSlow.into(),
            false => FetchError::Connect(error.into()).into(),
        };
    }
    let connected = error.connect_info();
    let line = connected.and_then(Line::of);
    let multiplexed = connected.is_some_and(legacy::connect::Connected::is_negotiated_h2);
    let was_used = line.as_ref().is_some_and(Line::was_used);
    // Over HTTP/2 other answers come meanwhile; that this one did not begin is known by its not being here.
    let untouched = multiplexed || line.as_ref().is_some_and(Line::is_silent);
    let error = broken(error);
    let dead_connection = was_used && untouched && matches!(error, FetchError::Broken(_));
    Failure { error, dead_connection }
}

/// A connection that there was broke: because of what came over it, or for no reason that is known.
fn broken(error: legacy::Error) -> FetchError {
    let cause = |is: fn(&hyper::Error) -> bool| {
        is_caused_by(&error, |cause| cause.downcast_ref::<hyper::Error>().is_some_and(is))
    };
    if cause(hyper::Error::is_parse_too_large) || is_caused_by(&error, |cause| cause.is::<TooMuch>()) {
        return FetchError::HeadTooLong;
    }
    if cause(hyper::Error::is_parse) {
        return FetchError::Garbage(error.into());
    }
    if cause(hyper::Error::is_user) {
        return FetchError::Request(error.into());
    }
    FetchError::Broken(error.into())
}

fn is_timeout(error: &(dyn StdError + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

/// Whether an error, or what caused it, is such. An I/O error does not give what it carries as its source.
fn is_caused_by(error: &(dyn StdError + 'static), is: impl Fn(&(dyn StdError + 'static)) -> bool + Copy) -> bool {
    let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    is(error)
        || carried.is_some_and(|carried| is_caused_by(carried, is))
        || error.source().is_some_and(|source| is_caused_by(source, is))
}

/// Holds a head to what it must be, beyond what the client checked.
fn check(response: &Response<Incoming>, protocol: Option<&HeaderValue>) -> Result<(), FetchError> {
    let headers = response.headers();
    // RFC 9112 section 6.3: it may be an attempt to have the two taken for different ends.
    if headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH) {
        return Err(FetchError::Garbage("it has both Content-Length and Transfer-Encoding".into()));
    }
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(());
    }
    // RFC 9110 section 7.8: only to a protocol that was asked for.
    let chosen = headers.get(UPGRADE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let asked = protocol.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut offers = asked.split(',').map(str::trim).filter(|offer| !offer.is_empty());
    match offers.any(|offer| offer.eq_ignore_ascii_case(chosen)) {
        true => Ok(()),
        false => Err(FetchError::Garbage("it switches to a protocol that was not asked for".into())),
    }
}
