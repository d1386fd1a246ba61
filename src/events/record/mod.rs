//! Records: what a change is told as, in each of the shapes that receivers know. Pure.

mod cloudevents;
mod eventbridge;
mod minio;
mod s3;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use super::rules::{EventName, RecordVersion, Rule};
use crate::clock::Timestamp;
use crate::http::date;
use crate::names::{BucketName, LogId};
use crate::store::Position;
use crate::store::change::Change;

const JSON: &str = "application/json";

/// A change that a rule is about.
#[derive(Debug, Clone)]
pub struct Event {
    pub rule_id: Arc<str>,
    pub version: RecordVersion,
    pub name: EventName,
    /// Of an object: it has a key.
    pub change: Arc<Change>,
    pub position: Position,
    pub log: LogId,
    pub region: Arc<str>,
    /// What answers have as `x-amz-id-2`.
    pub host_id: Arc<str>,
}

/// Where events come from: what all of them say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub log: LogId,
    pub region: Arc<str>,
    pub host_id: Arc<str>,
}

/// How messages look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// As S3 sends them to queues.
    #[default]
    S3,
    /// As MinIO sends them to webhooks.
    Minio,
    /// CloudEvents 1.0 with attributes as headers; several events as a batch, in one document.
    #[serde(rename = "cloudevents-binary")]
    CloudEventsBinary,
    /// CloudEvents 1.0 in one document.
    #[serde(rename = "cloudevents-structured")]
    CloudEventsStructured,
    /// As EventBridge sends S3's events to targets.
    #[serde(rename = "eventbridge")]
    EventBridge,
}

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The same for the same events, however often they are sent and to whom.
    pub id: String,
    /// Headers that the format has besides.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub content_type: &'static str,
    pub body: Bytes,
}

impl Event {
    pub fn new(rule: &Rule, name: EventName, change: Arc<Change>, position: Position, origin: &Origin) -> Self {
        Self {
            rule_id: Arc::from(rule.id.as_str()),
            version: rule.version,
            name,
            change,
            position,
            log: origin.log,
            region: Arc::clone(&origin.region),
            host_id: Arc::clone(&origin.host_id),
        }
    }

    /// The object's key; changes that are events have one.
    fn key(&self) -> &str {
        self.change.key.as_ref().map_or("", |key| key.as_str())
    }

    /// Later events of a key have greater ones: the position in the log, as 16 hex digits.
    fn sequencer(&self) -> String {
        format!("{:016X}", self.position.0)
    }
}

impl Format {
    const NAMES: [(Self, &'static str); 5] = [
        (Self::S3, "s3"),
        (Self::Minio, "minio"),
        (Self::CloudEventsBinary, "cloudevents-binary"),
        (Self::CloudEventsStructured, "cloudevents-structured"),
        (Self::EventBridge, "eventbridge"),
    ];

    pub fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(format, _)| *format == self).map_or("s3", |(_, name)| name)
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, name)| *name == text).map(|(format, _)| *format)
    }

    /// Whether receivers of this format know messages of several events. The others get a list where they expect one.
    pub const fn takes_several(self) -> bool {
        matches!(self, Self::S3 | Self::CloudEventsStructured)
    }
}

/// Makes the message that tells of `events`, of which there is at least one, in their order.
pub fn render(format: Format, events: &[Event]) -> Message {
    let (headers, content_type, body) = match format {
        Format::S3 => (Vec::new(), JSON, s3::document(events)),
        Format::Minio => (Vec::new(), JSON, minio::document(events)),
        Format::CloudEventsBinary if events.len() == 1 => {
            (cloudevents::headers(&events[0]), JSON, s3::record(&events[0]))
        }
        Format::CloudEventsBinary | Format::CloudEventsStructured => {
            let (content_type, body) = cloudevents::document(events);
            (Vec::new(), content_type, body)
        }
        Format::EventBridge => (Vec::new(), JSON, eventbridge::document(events)),
    };
    Message { id: message_id(events), headers, content_type, body }
}

/// `msg_`, the log's id and the positions of the first and, if there are several, the last event: no dot, as signatures need.
fn message_id(events: &[Event]) -> String {
    match events {
        [] => "msg_none".to_owned(),
        [one] => format!("msg_{}_{:016x}", one.log, one.position.0),
        [first, .., last] => format!("msg_{}_{:016x}_{:016x}", first.log, first.position.0, last.position.0),
    }
}

/// Reads the log and the first and last position back out of a message's id.
pub fn parse_message_id(id: &str) -> Option<(LogId, Position, Position)> {
    let mut parts = id.strip_prefix("msg_")?.split('_');
    let mut log = [0; 16];
    hex::decode_to_slice(parts.next()?, &mut log).ok()?;
    let mut position = || {
        let digits = parts.next()?;
        let parsed = u64::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 16)?;
        Some(Position(parsed))
    };
    let first = position()?;
    let last = position().unwrap_or(first);
    let canonical = match first == last {
        true => format!("msg_{}_{:016x}", LogId(log), first.0),
        false => format!("msg_{}_{:016x}_{:016x}", LogId(log), first.0, last.0),
    };
    (canonical == id).then_some((LogId(log), first, last))
}

/// What S3 sends to every destination of rules that are put.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>
pub fn test_event(bucket: &BucketName, request_id: &str, host_id: &str, time: Timestamp) -> Message {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct TestEvent<'t> {
        service: &'static str,
        event: &'static str,
        time: String,
        bucket: &'t str,
        request_id: &'t str,
        host_id: &'t str,
    }
    let event = TestEvent {
        service: "Amazon S3",
        event: "s3:TestEvent",
        time: date::format_iso8601(time),
        bucket: bucket.as_str(),
        request_id,
        host_id,
    };
    Message { id: format!("msg_test_{request_id}"), headers: Vec::new(), content_type: JSON, body: json(&event) }
}

/// A value of this module as JSON: structs of texts and numbers, which cannot fail to be written into memory.
fn json(value: &impl Serialize) -> Bytes {
    Bytes::from(serde_json::to_vec(value).expect("plain structs with texts as keys are JSON"))
}
