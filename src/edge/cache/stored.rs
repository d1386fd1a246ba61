//! A stored response: immutable but for what purges find out about it and for the compressed forms made of it.

use std::ops::{Deref, Range};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, ETAG, LAST_MODIFIED};
use http::{HeaderMap, StatusCode};

use super::head::{HeadBlock, TooManyHeaders};
use super::memory::{Held, Part};
use super::purge::Footing;
use super::slices::SliceSet;
use crate::clock::Timestamp;
use crate::edge::rules::ttl::Freshness;
use crate::http::date;
use crate::http::encoding::Coding;

/// What every stored response costs beside its bytes and its key: measured, and rounded up.
pub(super) const OVERHEAD: usize = 512;

/// Bodies up to this length are kept in one piece with the headers.
const SMALL_BODY: usize = 4096;

/// From this length on, a body counts for as long as anybody is sent it. Of shorter ones, all that clients can hold is little,
/// and connections take their bytes at once.
const COUNTED_APART: usize = 16 * 1024;

/// What a response to be stored is made of.
#[derive(Debug)]
pub struct Draft<'r> {
    pub status: StatusCode,
    /// What is stored of the response's headers.
    pub headers: &'r HeaderMap,
    pub body: StoredBody,
    pub request_time: Timestamp,
    pub response_time: Timestamp,
    /// Its age when it arrived (RFC 9111 section 4.2.3).
    pub initial_age: Duration,
    pub freshness: Freshness,
    pub footing: Footing,
}

/// A response as it is kept.
#[derive(Debug)]
pub(super) struct Received {
    pub status: StatusCode,
    pub head: HeadBlock,
    pub body: StoredBody,
    pub request_time: Timestamp,
    pub response_time: Timestamp,
    pub initial_age: Duration,
    pub freshness: Freshness,
    pub footing: Footing,
}

/// One complete stored response, or the head of one whose body is in slices.
#[derive(Debug)]
pub struct Stored {
    response: Received,
    /// Where it is in the head.
    etag: Option<(u32, u32)>,
    last_modified: Option<Timestamp>,
    compressed: OnceLock<Box<[OnceLock<Arc<Stored>>; 3]>>,
    /// Its part of the memory tier's bytes, from when it was put there until nobody uses it any more; but for its body's.
    pub(super) held: OnceLock<Held>,
}

/// Where the bytes are. Clones share them.
#[derive(Debug, Clone)]
pub enum StoredBody {
    Whole(WholeBody),
    /// In slices, each of which may be missing.
    Sliced(Arc<SliceSet>),
}

/// A body in one piece. Clones share it, and so does whoever is sent a part of it: as long as one of them has it, it counts
/// among the bytes of the memory tier.
#[derive(Debug, Clone)]
pub struct WholeBody {
    bytes: Bytes,
    /// `None` for a short one, which counts with its head.
    part: Option<Arc<Part>>,
}

/// What the bytes of a [`WholeBody`] belong to.
struct Owner {
    bytes: Bytes,
    _part: Arc<Part>,
}

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl From<Bytes> for WholeBody {
    fn from(bytes: Bytes) -> Self {
        if bytes.len() < COUNTED_APART {
            return Self { bytes, part: None };
        }
        let part = Arc::new(Part::default());
        Self { bytes: Bytes::from_owner(Owner { bytes, _part: part.clone() }), part: Some(part) }
    }
}

impl Deref for WholeBody {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        &self.bytes
    }
}

impl Stored {
    /// # Errors
    /// [`TooManyHeaders`] where the head is larger than any origin's may be.
    pub fn new(draft: Draft<'_>) -> Result<Self, TooManyHeaders> {
        let head = HeadBlock::new(draft.headers)?;
        let Draft { status, body, request_time, response_time, initial_age, freshness, footing, .. } = draft;
        Ok(Self::received(Received {
            status,
            head,
            body,
            request_time,
            response_time,
            initial_age,
            freshness,
            footing,
        }))
    }

    /// Reads from the head what is asked for often.
    pub(super) fn received(mut response: Received) -> Self {
        if let StoredBody::Whole(body) = &mut response.body
            && body.len() <= SMALL_BODY
        {
            let (head, bytes) = response.head.joined_with(body);
            *body = bytes.into();
            response.head = head;
        }
        let head = &response.head;
        let text = |name| head.get(name).and_then(|value| str::from_utf8(value).ok());
        let last_modified = text(&LAST_MODIFIED).and_then(date::parse_http);
        let place = |range: Range<usize>| Some((range.start.try_into().ok()?, range.end.try_into().ok()?));
        let etag = head.find(&ETAG).and_then(place);
        Self { response, etag, last_modified, compressed: OnceLock::new(), held: OnceLock::new() }
    }

    pub fn status(&self) -> StatusCode {
        self.response.status
    }

    /// The stored headers. `to_headers` gives them as a map whose values are slices of it.
    pub fn head(&self) -> &HeadBlock {
        &self.response.head
    }

    pub fn body(&self) -> &StoredBody {
        &self.response.body
    }

    /// When the request was sent that the response answered, or that last confirmed it.
    pub fn request_time(&self) -> Timestamp {
        self.response.request_time
    }

    pub fn response_time(&self) -> Timestamp {
        self.response.response_time
    }

    pub fn initial_age(&self) -> Duration {
        self.response.initial_age
    }

    pub fn freshness(&self) -> &Freshness {
        &self.response.freshness
    }

    pub fn footing(&self) -> &Footing {
        &self.response.footing
    }

    /// `ETag` as it was received.
    pub fn etag(&self) -> Option<&str> {
        let (start, end) = self.etag?;
        str::from_utf8(&self.response.head.bytes()[start as usize..end as usize]).ok()
    }

    /// `Last-Modified`, where it is a date.
    pub fn last_modified(&self) -> Option<Timestamp> {
        self.last_modified
    }

    /// `Content-Length` as it was received, which an answer to HEAD may have without a body.
    pub fn content_length(&self) -> Option<u64> {
        let value = self.response.head.get(&CONTENT_LENGTH)?;
        digits(str::from_utf8(value).ok()?)
    }

    pub fn has_validator(&self) -> bool {
        self.etag.is_some() || self.last_modified.is_some()
    }

    /// The form compressed with `coding`, if it was made.
    pub fn compressed(&self, coding: Coding) -> Option<&Arc<Stored>> {
        self.compressed.get()?[place_of(coding)].get()
    }

    /// Sets a compressed form; the first one counts.
    pub(super) fn set_compressed(&self, coding: Coding, form: Arc<Stored>) {
        let forms = self.compressed.get_or_init(Box::default);
        // Refused where there is one: that one is as good.
        let _ = forms[place_of(coding)].set(form);
    }

    /// The bytes of memory that it takes, without its key and with its compressed forms.
    pub(super) fn weight(&self) -> u64 {
        let forms = self.compressed.get().into_iter().flat_map(|forms| forms.iter().filter_map(OnceLock::get));
        self.own_weight() + forms.map(|form| form.own_weight()).sum::<u64>()
    }

    /// The bytes of memory that it takes, without its key and its compressed forms.
    pub(super) fn own_weight(&self) -> u64 {
        let body = match &self.response.body {
            StoredBody::Whole(bytes) => bytes.len() as u64,
            StoredBody::Sliced(_) => 0,
        };
        self.head_weight() + body
    }

    /// The bytes of memory that it takes without its body.
    fn head_weight(&self) -> u64 {
        (OVERHEAD + self.response.head.bytes().len() + size_of_val(self.response.footing.tags().hashes())) as u64
    }

    /// The body's part of the memory tier's bytes, and how many these are; `None` where it has none of its own.
    pub(super) fn body_part(&self) -> Option<(&Part, u64)> {
        match &self.response.body {
            StoredBody::Whole(body) => Some((body.part.as_deref()?, body.len() as u64)),
            StoredBody::Sliced(_) => None,
        }
    }

    /// When it is worth nothing any more: neither fresh, nor to be sent stale, nor to be validated.
    pub(super) fn retained_until(&self) -> Timestamp {
        self.response
            .response_time
            .plus(self.response.freshness.retention(self.response.initial_age, self.has_validator()))
    }
}

impl StoredBody {
    /// The length in bytes.
    pub fn length(&self) -> u64 {
        match self {
            Self::Whole(bytes) => bytes.len() as u64,
            Self::Sliced(set) => set.total,
        }
    }
}

const fn place_of(coding: Coding) -> usize {
    match coding {
        Coding::Brotli => 0,
        Coding::Zstd => 1,
        Coding::Gzip => 2,
    }
}

/// A number of digits alone (RFC 9110 section 8.6), not `+1`.
fn digits(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}
