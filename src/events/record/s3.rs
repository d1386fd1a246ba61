//! Records as S3 sends them to queues, topics and functions.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>

use bytes::Bytes;
use serde::Serialize;

use super::{Event, json};
use crate::events::rules::EventName;
use crate::http::{date, percent};
use crate::names::ETag;

/// The entity tag that S3 gives delete markers: that of no bytes.
const MARKER: ETag =
    ETag::single([0xd4, 0x1d, 0x8c, 0xd9, 0x8f, 0x00, 0xb2, 0x04, 0xe9, 0x80, 0x09, 0x98, 0xec, 0xf8, 0x42, 0x7e]);

#[derive(Serialize)]
struct Document<'e> {
    #[serde(rename = "Records")]
    records: Vec<Record<'e>>,
}

/// Shared with MinIO's, which differs in single words.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record<'e> {
    pub event_version: &'static str,
    pub event_source: &'static str,
    pub aws_region: &'e str,
    event_time: String,
    pub event_name: String,
    user_identity: Identity<'e>,
    pub request_parameters: RequestParameters<'e>,
    response_elements: ResponseElements<'e>,
    pub s3: Entity<'e>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'e> {
    principal_id: &'e str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RequestParameters<'e> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal_id: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<&'e str>,
    #[serde(rename = "sourceIPAddress")]
    pub source_ip_address: &'e str,
}

#[derive(Serialize)]
struct ResponseElements<'e> {
    #[serde(rename = "x-amz-request-id")]
    request_id: &'e str,
    #[serde(rename = "x-amz-id-2")]
    host_id: &'e str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entity<'e> {
    s3_schema_version: &'static str,
    configuration_id: &'e str,
    bucket: Bucket<'e>,
    pub object: Object<'e>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bucket<'e> {
    name: &'e str,
    owner_identity: Identity<'e>,
    arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Object<'e> {
    pub key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e_tag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequencer: Option<String>,
}

/// The body of a message.
pub fn document(events: &[Event]) -> Bytes {
    json(&Document { records: events.iter().map(Record::of).collect() })
}

/// One record alone.
pub fn record(event: &Event) -> Bytes {
    json(&Record::of(event))
}

impl<'e> Record<'e> {
    pub fn of(event: &'e Event) -> Self {
        let (change, cause) = (&event.change, &event.change.cause);
        Self {
            event_version: event.version.of_event(event.name),
            event_source: "aws:s3",
            aws_region: &event.region,
            event_time: date::format_iso8601(change.at),
            event_name: event.name.as_str().to_owned(),
            user_identity: Identity { principal_id: &cause.principal },
            request_parameters: RequestParameters {
                principal_id: None,
                region: None,
                source_ip_address: &cause.source_address,
            },
            response_elements: ResponseElements { request_id: &cause.request_id, host_id: &event.host_id },
            s3: Entity {
                s3_schema_version: "1.0",
                configuration_id: &event.rule_id,
                bucket: Bucket {
                    name: change.bucket.as_str(),
                    owner_identity: Identity { principal_id: change.account.as_str() },
                    arn: format!("arn:aws:s3:::{}", change.bucket),
                },
                object: Object {
                    key: percent::encode_listing(event.key()).into_owned(),
                    size: size(event),
                    e_tag: etag(event).map(|etag| etag.to_string()),
                    version_id: change.version.as_deref(),
                    sequencer: sequencer(event),
                },
            },
        }
    }
}

/// The size: of what came to be alone, as at S3.
pub(super) fn size(event: &Event) -> Option<u64> {
    event.name.creates().then_some(event.change.size)
}

/// The entity tag: of what is there, and of delete markers; nothing is said of what was removed.
pub(super) fn etag(event: &Event) -> Option<ETag> {
    match event.name {
        EventName::RemovedDeleteMarkerCreated => Some(MARKER),
        name if name.removes() => None,
        _ => event.change.etag,
    }
}

/// Only of what came to be and of what was removed, as at S3.
pub(super) fn sequencer(event: &Event) -> Option<String> {
    (event.name.creates() || event.name.removes()).then(|| event.sequencer())
}
