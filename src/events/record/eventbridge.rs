//! Events as EventBridge gives them to its targets.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use serde::Serialize;

use super::s3::{etag, sequencer, size};
use super::{Event, json};
use crate::clock::Timestamp;
use crate::events::rules::EventName;
use crate::http::date;

/// What the schema is called since it has a name.
const EVENT_VERSION: &str = "1.0";

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Envelope<'e> {
    version: &'static str,
    id: String,
    detail_type: &'static str,
    source: &'static str,
    account: &'e str,
    time: String,
    region: &'e str,
    resources: [String; 1],
    detail: Detail<'e>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Detail<'e> {
    version: &'static str,
    event_version: &'static str,
    bucket: Bucket<'e>,
    object: Object<'e>,
    request_id: &'e str,
    requester: &'e str,
    source_ip_address: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion_type: Option<&'static str>,
}

#[derive(Serialize)]
struct Bucket<'e> {
    name: &'e str,
}

/// The key is as it is here, not encoded.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Object<'e> {
    key: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequencer: Option<String>,
}

/// The body of a message: a list where there are several events.
pub fn document(events: &[Event]) -> Bytes {
    match events {
        [one] => json(&Envelope::of(one)),
        several => json(&several.iter().map(Envelope::of).collect::<Vec<_>>()),
    }
}

impl<'e> Envelope<'e> {
    fn of(event: &'e Event) -> Self {
        let (change, cause) = (&event.change, &event.change.cause);
        Self {
            version: "0",
            id: uuid(event),
            detail_type: detail_type(event.name),
            source: "aws.s3",
            account: change.account.as_str(),
            time: whole_seconds(change.at),
            region: &event.region,
            resources: [format!("arn:aws:s3:::{}", change.bucket)],
            detail: Detail {
                version: "0",
                event_version: EVENT_VERSION,
                bucket: Bucket { name: change.bucket.as_str() },
                object: Object {
                    key: event.key(),
                    size: size(event),
                    etag: etag(event).map(|etag| etag.to_string()),
                    version_id: change.version.as_deref(),
                    sequencer: sequencer(event),
                },
                request_id: &cause.request_id,
                requester: &cause.principal,
                source_ip_address: &cause.source_address,
                reason: reason(event.name),
                deletion_type: deletion_type(event.name),
            },
        }
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventBridge.html>
fn detail_type(name: EventName) -> &'static str {
    match name {
        EventName::CreatedPut
        | EventName::CreatedPost
        | EventName::CreatedCopy
        | EventName::CreatedCompleteMultipartUpload => "Object Created",
        EventName::RemovedDelete
        | EventName::RemovedDeleteMarkerCreated
        | EventName::LifecycleExpirationDelete
        | EventName::LifecycleExpirationDeleteMarkerCreated => "Object Deleted",
        EventName::RestorePost => "Object Restore Initiated",
        EventName::RestoreCompleted => "Object Restore Completed",
        EventName::RestoreDelete => "Object Restore Expired",
        EventName::LifecycleTransition => "Object Storage Class Changed",
        EventName::IntelligentTiering => "Object Access Tier Changed",
        EventName::AclPut => "Object ACL Updated",
        EventName::TaggingPut => "Object Tags Added",
        EventName::TaggingDelete => "Object Tags Deleted",
        // What EventBridge is not told of at AWS keeps its own name.
        other => other.as_str(),
    }
}

fn reason(name: EventName) -> Option<&'static str> {
    match name {
        EventName::CreatedPut => Some("PutObject"),
        EventName::CreatedPost => Some("POST Object"),
        EventName::CreatedCopy => Some("CopyObject"),
        EventName::CreatedCompleteMultipartUpload => Some("CompleteMultipartUpload"),
        name if name.removes() => Some("DeleteObject"),
        _ => None,
    }
}

fn deletion_type(name: EventName) -> Option<&'static str> {
    match name {
        EventName::RemovedDelete => Some("Permanently Deleted"),
        EventName::RemovedDeleteMarkerCreated => Some("Delete Marker Created"),
        _ => None,
    }
}

fn whole_seconds(time: Timestamp) -> String {
    date::format_iso8601(Timestamp::from_seconds(time.as_seconds())).replace(".000Z", "Z")
}

/// An id made of what the event is, so that it stays the same: RFC 9562 section 5.8.
fn uuid(event: &Event) -> String {
    let mut context = Context::new(&SHA256);
    context.update(&event.log.0);
    context.update(&event.position.0.to_be_bytes());
    context.update(event.key().as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&context.finish().as_ref()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex::encode(bytes);
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}
