//! A response that is being fetched and may be stored: everything that is known of it when its head has come.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::{CONTENT_LENGTH, ETAG, HeaderMap, LAST_MODIFIED};

use super::answer::OriginPart;
use super::ask::Ask;
use crate::clock::Timestamp;
use crate::edge::cache::{Draft, Footing, NotKept, Sequence, SliceSet, Stored, StoredBody, Tags, Variation};
use crate::edge::rules::age;
use crate::edge::rules::conditional::Facts;
use crate::edge::rules::ttl::Freshness;
use crate::http::conditional::Validators;
use crate::http::date;
use crate::http::tag::EntityTag;

/// A storable response.
#[derive(Debug)]
pub(super) struct Opened {
    pub status: StatusCode,
    /// As they are stored and sent.
    pub headers: HeaderMap,
    /// Those for the client alone whose request was answered.
    pub named: HeaderMap,
    pub request_time: Timestamp,
    pub response_time: Timestamp,
    pub initial_age: Duration,
    pub freshness: Freshness,
    pub variation: Variation,
    pub tags: Tags,
    /// The last purge before the request was sent.
    pub since: Sequence,
    /// The length of the whole body, where it is known.
    pub total: Option<u64>,
    /// The bytes of it that come; `None` for all of them.
    pub part: Option<Range<u64>>,
    /// The head of what is kept in slices.
    pub sliced: Option<(Arc<SliceSet>, Arc<Stored>)>,
    /// Whether the body is one that the edge compresses.
    pub compressible: bool,
    pub origin: OriginPart,
}

impl Opened {
    pub fn age(&self, now: Timestamp) -> Duration {
        age::current(self.initial_age, self.response_time, now)
    }

    /// Whether others than the one who asked for it may be sent it: it is fresh.
    pub fn is_shared(&self, now: Timestamp, feed_live: bool) -> bool {
        let watched = !self.freshness.by_feed || feed_live;
        watched && !self.freshness.validate_always && self.freshness.fresh > self.age(now)
    }

    /// Whether it answers this request, apart from purges and age.
    pub fn is_for(&self, ask: &Ask) -> bool {
        ask.variation(self.variation.vary.clone()) == self.variation
    }

    pub fn facts(&self) -> Facts {
        facts(self.status, &self.headers, self.response_time, self.total)
    }

    pub fn footing(&self, ask: &Ask) -> Footing {
        Footing::new(ask.site.id.clone(), self.tags.clone(), self.since)
    }

    /// What is stored, with this body.
    pub fn stored(&self, ask: &Ask, body: StoredBody) -> Result<Arc<Stored>, NotKept> {
        self.with_headers(ask, &self.headers, body)
    }

    /// What is stored, with this body and its fields.
    pub fn with_headers(&self, ask: &Ask, headers: &HeaderMap, body: StoredBody) -> Result<Arc<Stored>, NotKept> {
        let draft = Draft {
            status: self.status,
            headers,
            body,
            request_time: self.request_time,
            response_time: self.response_time,
            initial_age: self.initial_age,
            freshness: self.freshness,
            footing: self.footing(ask),
        };
        Stored::new(draft).map(Arc::new).map_err(|_| NotKept::NoRoom)
    }

    /// Notes the length of the body among the fields, so that every answer from the store has it.
    pub fn note_length(headers: &mut HeaderMap, status: StatusCode, length: u64) {
        if !matches!(status.as_u16(), 100..=199 | 204 | 304) {
            headers.insert(CONTENT_LENGTH, length.into());
        }
    }
}

/// What conditions and ranges are about.
pub(super) fn facts(status: StatusCode, headers: &HeaderMap, arrived: Timestamp, length: Option<u64>) -> Facts {
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    let validators = Validators {
        etag: text(ETAG).and_then(|tag| EntityTag::parse(tag).ok()),
        modified: text(LAST_MODIFIED).and_then(date::parse_http),
    };
    Facts { status, validators, date: age::date_of(headers).unwrap_or(arrived), length }
}

/// The same response with other bytes and the fields of those; `None` where it has too many fields.
pub(super) fn with_other_body(stored: &Stored, headers: &HeaderMap, bytes: bytes::Bytes) -> Option<Stored> {
    let footing = stored.footing();
    let footing = Footing::new(footing.site().clone(), footing.tags().clone(), footing.filled_at());
    let draft = Draft {
        status: stored.status(),
        headers,
        body: StoredBody::Whole(bytes.into()),
        request_time: stored.request_time(),
        response_time: stored.response_time(),
        initial_age: stored.initial_age(),
        freshness: *stored.freshness(),
        footing,
    };
    Stored::new(draft).ok()
}
