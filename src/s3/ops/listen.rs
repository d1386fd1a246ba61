//! MinIO's streams of events: what `mc watch` and `listen_bucket_notification` of its clients read.
//!
//! <https://github.com/minio/minio/blob/master/cmd/listen-notification-handlers.go>

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, stream};

use crate::auth;
use crate::events::stream::lines::{self, Ping};
use crate::events::stream::{Filter, Reader, Start, parse_patterns};
use crate::s3::answer::{Answer, Body};
use crate::s3::error::{Code, S3Error};
use crate::s3::{Request, Service};
use crate::streams::{Asked, Credentials, Listener};
use crate::telemetry::RequestId;

/// The longest time between two signs of life that a client may ask for, in seconds.
const MAX_PING: u32 = 3600;

/// Of one bucket, or of every bucket that the caller may hear of. What he may was judged with the head, and is judged again
/// while the stream runs.
pub async fn listen(cx: &Arc<Service>, request: &Request) -> Result<Answer, S3Error> {
    // Signatures of version 2 do not cover what makes the request a stream.
    if request.caller.signing.is_some_and(|signing| signing.version == "AWS") {
        let message = "Streams of events need signatures of version 4.";
        return Err(S3Error::with_message(Code::InvalidRequest, message));
    }
    let bucket = request.bucket.as_ref().map(|bucket| bucket.record.name.clone());
    let text = |name| request.query.get(name).unwrap_or_default().to_owned();
    let patterns = parse_patterns(request.query.all("events")).map_err(|error| {
        S3Error::invalid_argument("A specified event is not supported for notifications.", "events", &error.0)
    })?;
    let ping = request.query.number("ping", 1..=MAX_PING)?;
    let filter = Filter { bucket, prefix: text("prefix"), suffix: text("suffix"), patterns };
    let asked = Asked {
        head: request.head.clone(),
        origin: request.caller.origin,
        signing: request.caller.signing,
        credentials: credentials(cx, request)?,
        bucket: filter.bucket.clone(),
        prefix: filter.prefix.clone(),
    };
    let listener = Listener::new(Arc::clone(&cx.rights), asked, Arc::clone(&request.caller.identity));
    let streams = &cx.events.streams;
    let place = streams.enter(&listener.name()).map_err(|full| S3Error::new(Code::SlowDown).caused_by(full))?;
    let mut reader = streams.follow(place, filter, Start::Now, listener);
    if let Some(seconds) = ping {
        reader = reader.beating(Duration::from_secs(seconds.into()));
    }
    let ping = if ping.is_some() { Ping::Line } else { Ping::Space };
    let body = Body::Endless(Box::pin(told(reader, ping, request.id)));
    Ok(Answer::ok().header("content-type", lines::CONTENT_TYPE).header("cache-control", "no-store").body(body))
}

/// What the request was signed with, to be asked for again.
fn credentials(cx: &Service, request: &Request) -> Result<Option<Credentials>, S3Error> {
    let Some(access_key_id) = request.caller.access_key_id.clone() else { return Ok(None) };
    let claim = auth::parse(&request.head, &cx.options.auth)?;
    let session_token = claim.and_then(|claim| claim.session_token().map(str::to_owned));
    Ok(Some(Credentials { access_key_id, session_token }))
}

/// What is sent. The stream ends where there is no word for what is to be said: its client then opens another.
fn told(reader: Reader<Listener>, ping: Ping, id: RequestId) -> impl Stream<Item = Bytes> {
    stream::unfold(reader, move |mut reader| async move {
        let request_id = id.as_str();
        match reader.next().await {
            Ok(heard) => match lines::write(&heard, ping) {
                Ok(bytes) => Some((bytes, reader)),
                Err(gap) => {
                    tracing::warn!(request_id, ?gap, "a stream of events ends: its client is too far behind");
                    None
                }
            },
            Err(ended) => {
                crate::streams::serve::log_end(&ended, id);
                None
            }
        }
    })
}
