//! CloudEvents 1.0 around S3's records.
//!
//! Attributes: <https://github.com/cloudevents/spec/blob/main/cloudevents/adapters/aws-s3.md>. The adapter makes the id of the
//! request's two ids, which all keys of a DeleteObjects share; here the sequencer is added.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;

use super::s3::Record;
use super::{Event, json};
use crate::http::{date, percent};

const DOCUMENT: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";

/// What a header's value must not have as it is: section 3.1.3.2 of the HTTP protocol binding.
const HEADER: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

#[derive(Serialize)]
struct CloudEvent<'e> {
    specversion: &'static str,
    id: String,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    subject: String,
    time: String,
    datacontenttype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Record<'e>>,
}

/// The content type and the body of a message in structured mode: a batch where there are several events.
pub fn document(events: &[Event]) -> (&'static str, Bytes) {
    let structured = |event| CloudEvent { data: Some(Record::of(event)), ..CloudEvent::of(event) };
    match events {
        [one] => (DOCUMENT, json(&structured(one))),
        several => (BATCH, json(&several.iter().map(structured).collect::<Vec<_>>())),
    }
}

/// The headers of a message in binary mode, but for the content type.
pub fn headers(event: &Event) -> Vec<(HeaderName, HeaderValue)> {
    let CloudEvent { specversion, id, source, kind, subject, time, .. } = CloudEvent::of(event);
    let attributes = [
        ("ce-specversion", specversion.to_owned()),
        ("ce-id", id),
        ("ce-source", source),
        ("ce-type", kind),
        ("ce-subject", subject),
        ("ce-time", time),
    ];
    let header = |(name, value): (&'static str, String)| {
        let value = utf8_percent_encode(&value, HEADER).to_string();
        // Nothing but visible ASCII is left of it.
        HeaderValue::try_from(value).ok().map(|value| (HeaderName::from_static(name), value))
    };
    attributes.into_iter().filter_map(header).collect()
}

impl CloudEvent<'_> {
    /// The attributes, without data.
    fn of(event: &Event) -> Self {
        let (change, cause) = (&event.change, &event.change.cause);
        Self {
            specversion: "1.0",
            id: format!("{}.{}.{}", cause.request_id, event.host_id, event.sequencer()),
            source: format!("aws:s3.{}.{}", event.region, change.bucket),
            kind: format!("com.amazonaws.s3.{}", event.name),
            subject: percent::encode_listing(event.key()).into_owned(),
            time: date::format_iso8601(change.at),
            datacontenttype: "application/json",
            data: None,
        }
    }
}
