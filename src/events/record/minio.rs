//! Messages as MinIO sends them to webhooks: S3's record in an envelope, with names that begin with `s3:`.
//!
//! <https://github.com/minio/minio/blob/master/cmd/event-notification.go>

use bytes::Bytes;
use serde::Serialize;

use super::s3::{Record, RequestParameters};
use super::{Event, json};
use crate::http::percent;

/// The version that MinIO writes.
const VERSION: &str = "2.0";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope<'e> {
    event_name: String,
    /// Bucket and key as they are, not encoded. Of the first, where there are several.
    key: String,
    records: Vec<MinioRecord<'e>>,
}

#[derive(Serialize)]
struct MinioRecord<'e> {
    #[serde(flatten)]
    record: Record<'e>,
    source: Source<'e>,
}

/// Who asked for the change; port and user agent are not known.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Source<'e> {
    host: &'e str,
    port: &'static str,
    user_agent: &'static str,
}

/// The body of a message.
pub fn document(events: &[Event]) -> Bytes {
    let first = events.first();
    json(&Envelope {
        event_name: first.map(|event| format!("s3:{}", event.name)).unwrap_or_default(),
        key: first.map(|event| format!("{}/{}", event.change.bucket, event.key())).unwrap_or_default(),
        records: events.iter().map(record).collect(),
    })
}

fn record(event: &Event) -> MinioRecord<'_> {
    let cause = &event.change.cause;
    let mut record = Record::of(event);
    record.event_version = VERSION;
    record.event_source = "minio:s3";
    record.event_name = format!("s3:{}", event.name);
    record.request_parameters = RequestParameters {
        principal_id: Some(&cause.principal),
        region: Some(&event.region),
        source_ip_address: &cause.source_address,
    };
    // Go's url.QueryEscape, which leaves no slash as it is.
    record.s3.object.key = percent::encode_component(event.key()).replace("%20", "+");
    MinioRecord { record, source: Source { host: &cause.source_address, port: "", user_agent: "" } }
}
