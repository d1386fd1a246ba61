//! What an origin's answer is: whether it is stored, whole or in slices, and what it can be purged by.

use std::ops::Range;
use std::sync::Arc;

use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName};
use http::{Method, StatusCode, Version};
use hyper::body::Body as _;

use super::answer::OriginPart;
use super::ask::Ask;
use super::fetch::Fetch;
use super::opened::Opened;
use crate::clock::Timestamp;
use crate::edge::cache::{SLICE_LENGTH, Sequence, SliceSet, StoredBody, Tags};
use crate::edge::origin::Received;
use crate::edge::rules::cache_status::Forward;
use crate::edge::rules::compress::{add_vary, compressible};
use crate::edge::rules::ranges::{self, Part};
use crate::edge::rules::store::{Exchange, NotStored, storable};
use crate::edge::rules::ttl::Freshness;
use crate::edge::rules::update::{self, BRIM_DEPENDS};
use crate::edge::rules::vary::Vary;
use crate::edge::rules::{age, conditional, hygiene};
use crate::feed::{Depends, UNWATCHED};
use crate::http::range::{self, Selection};
use crate::http::tag::EntityTag;

/// The longest body that is kept in slices: S3's longest object.
const MAX_SLICED: u64 = 5 * 1024 * 1024 * 1024 * 1024;

/// Headers that carry tags, with what stands between them.
const TAG_HEADERS: [(HeaderName, char); 3] = [
    (HeaderName::from_static("surrogate-key"), ' '),
    (HeaderName::from_static("cache-tag"), ','),
    (HeaderName::from_static("x-amz-meta-cache-tag"), ','),
];

/// An answer's head, and when it came.
pub(super) struct Answered {
    pub status: StatusCode,
    pub version: Version,
    pub headers: HeaderMap,
    pub request_time: Timestamp,
    pub response_time: Timestamp,
    pub origin: OriginPart,
    pub watch: Watch,
}

/// What the change feed has to do with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watch {
    /// Nothing: its own headers say how long it may be used.
    Nobody,
    /// It tells of what the answer depends on.
    Feed,
    /// It should, but is not followed, and the origin did not say what the answer depends on. The answer is validated with
    /// every use, and dropped once the feed is followed.
    Lost,
}

/// Gives the bytes that are asked for where a request has one range that begins somewhere, and slices are kept: from the slice
/// of its first byte to that of its last.
pub(super) fn ranged(ask: &Ask) -> Option<Range<u64>> {
    if !ask.behaviour.cached.slices || ask.method != Method::GET {
        return None;
    }
    let wanted = ask.range()?;
    let (first, last) = wanted.strip_prefix("bytes=")?.split_once('-')?;
    // Only a range that has a beginning can be told apart from others before the length is known.
    first.parse::<u64>().ok()?;
    let length = if last.is_empty() { MAX_SLICED } else { last.parse::<u64>().ok()?.checked_add(1)? };
    let Selection::Part(part) = range::select(Some(wanted), length.min(MAX_SLICED)) else { return None };
    let start = part.start / SLICE_LENGTH * SLICE_LENGTH;
    Some(start..part.end.div_ceil(SLICE_LENGTH) * SLICE_LENGTH)
}

impl Fetch {
    /// Whether what only edges are told is not kept: nobody asks here who is to be told.
    pub(super) fn hides(&self, answered: &Answered) -> bool {
        answered.watch == Watch::Feed && !self.engine.relays()
    }

    pub(super) fn exchange<'a>(
        &'a self,
        sent: &'a HeaderMap,
        answered: &'a Answered,
        status: StatusCode,
    ) -> Exchange<'a> {
        let cached = &self.ask.behaviour.cached;
        Exchange {
            method: &Method::GET,
            request_headers: sent,
            request: &self.ask.directives,
            status,
            response_headers: &answered.headers,
            request_time: answered.request_time,
            response_time: answered.response_time,
            policy: &cached.ttl,
            errors: &cached.errors,
            set_cookies: self.ask.set_cookies(),
            signed: self.ask.site.kind.is_signed(),
            fed: answered.watch != Watch::Nobody,
            keeps_parts: self.part.is_some(),
        }
    }

    /// Judges an answer: what is stored of it, and how it may be used.
    pub(super) fn open(&self, answered: &Answered, body: &Received, since: Sequence) -> Result<Opened, Reason> {
        let sent = self.sent();
        let freshness = storable(&self.exchange(&sent, answered, answered.status))?;
        let tags = self.tags(answered)?;
        let part = match answered.status {
            StatusCode::PARTIAL_CONTENT => {
                Some(ranges::part(answered.status, &answered.headers).map_err(|_| Reason::Part)?)
            }
            _ => None,
        };
        if let Some(part) = &part
            && !self.is_what_was_asked(part)
        {
            return Err(Reason::Part);
        }
        let total = part.as_ref().map(|part| part.total).or(body.size_hint().exact());
        let whole = part.as_ref().is_none_or(|part| part.range == (0..part.total));
        let set = self.sliced(answered, total, whole)?;
        let status = if part.is_some() { StatusCode::OK } else { answered.status };
        let part = part.filter(|_| !whole).map(|part| part.range);
        self.assemble(answered, freshness, tags, since, (status, total, part), set)
    }

    /// Puts together what is known of a response that is stored.
    fn assemble(
        &self,
        answered: &Answered,
        freshness: Freshness,
        tags: Tags,
        since: Sequence,
        (status, total, part): (StatusCode, Option<u64>, Option<Range<u64>>),
        set: Option<SliceSet>,
    ) -> Result<Opened, Reason> {
        let mut headers = update::stored_headers(
            &answered.headers,
            self.ask.set_cookies(),
            self.hides(answered),
            answered.response_time,
        );
        if answered.status == StatusCode::PARTIAL_CONTENT {
            headers.remove(CONTENT_RANGE);
        }
        headers.remove(CONTENT_LENGTH);
        if let Some(total) = total {
            Opened::note_length(&mut headers, status, total);
        }
        hygiene::add_via(&mut headers, answered.version, &self.engine.0.name);
        let vary = Vary::parse(&answered.headers);
        let compressed =
            self.ask.compresses() && set.is_none() && total.is_some_and(|total| compressible(status, &headers, total));
        if compressed {
            add_vary(&mut headers, &ACCEPT_ENCODING);
        }
        let mut opened = Opened {
            status,
            headers,
            named: update::named_headers(&answered.headers),
            request_time: answered.request_time,
            response_time: answered.response_time,
            initial_age: age::initial(&answered.headers, answered.request_time, answered.response_time),
            freshness,
            variation: self.ask.variation(vary),
            tags,
            since,
            total,
            part,
            sliced: None,
            compressible: compressed,
            origin: answered.origin,
        };
        if let Some(mut set) = set {
            set.secondary = opened.variation.secondary.clone();
            let set = Arc::new(set);
            let head = opened.stored(&self.ask, StoredBody::Sliced(Arc::clone(&set))).map_err(|_| Reason::Head)?;
            opened.sliced = Some((set, head));
        }
        Ok(opened)
    }

    /// Whether a part is the one that was asked for: cut at the end of the body, if anywhere.
    fn is_what_was_asked(&self, part: &Part) -> bool {
        let asked = self.part.as_ref();
        asked.is_some_and(|asked| part.range.start == asked.start && part.range.end == asked.end.min(part.total))
    }

    /// How a response is kept whose body is too long for one piece, or of which a part comes: in slices, or not at all.
    fn sliced(&self, answered: &Answered, total: Option<u64>, whole: bool) -> Result<Option<SliceSet>, Reason> {
        let Some(total) = total else { return Ok(None) };
        if whole && total <= self.engine.0.limits.whole {
            return Ok(None);
        }
        let tag = answered.headers.get(ETAG).and_then(|tag| tag.to_str().ok());
        let strong = tag.filter(|tag| EntityTag::parse(tag).is_ok_and(|tag| !tag.weak));
        let encoded = answered.headers.contains_key(CONTENT_ENCODING);
        let ok = matches!(answered.status, StatusCode::OK | StatusCode::PARTIAL_CONTENT);
        match strong.filter(|_| ok && !encoded && total <= MAX_SLICED && self.ask.behaviour.cached.slices) {
            None => Err(Reason::TooLong),
            Some(etag) => Ok(Some(SliceSet {
                key: self.ask.key.clone(),
                secondary: Default::default(),
                etag: etag.into(),
                total,
            })),
        }
    }

    pub(super) fn tags(&self, answered: &Answered) -> Result<Tags, Reason> {
        let mut tags = Vec::new();
        let own = self.ask.behaviour.tag_headers.iter().map(|name| (name.clone(), ','));
        for (name, between) in TAG_HEADERS.into_iter().chain(own) {
            for value in answered.headers.get_all(&name) {
                let text = value.to_str().map_err(|_| Reason::Tags)?;
                tags.extend(text.split(between).map(str::trim).filter(|tag| !tag.is_empty()));
            }
        }
        let depends = match (answered.watch, answered.headers.get(BRIM_DEPENDS)) {
            (Watch::Feed, Some(value)) => {
                let text = value.to_str().map_err(|_| Reason::Tags)?;
                Depends::parse(text).map_err(|_| Reason::Tags)?;
                text
            }
            (Watch::Lost, _) => UNWATCHED,
            (Watch::Feed | Watch::Nobody, _) => "",
        };
        let depends = depends.split(' ').filter(|tag| !tag.is_empty());
        Tags::new(tags, depends).map_err(|_| Reason::Tags)
    }

    /// The client's fields that the origin was sent, for the rules of storing.
    pub(super) fn sent(&self) -> HeaderMap {
        let mut sent = self.ask.headers.clone();
        conditional::remove_conditions(&mut sent);
        sent
    }
}

/// Why an answer is not shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Reason {
    #[error("{0}")]
    NotStored(#[from] NotStored),
    #[error("too-many-tags")]
    Tags,
    #[error("partial")]
    Part,
    #[error("too-long")]
    TooLong,
    #[error("head")]
    Head,
    #[error("memory")]
    Memory,
}

impl Reason {
    /// Whether the next one's answer will probably not be shared either: not where the reason was in the request.
    pub fn holds_for_others(self) -> bool {
        use NotStored::{Authorization, Precondition, RequestNoStore};
        !matches!(self, Self::NotStored(Authorization | Precondition | RequestNoStore) | Self::Memory)
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::NotStored(reason) => reason.word(),
            Self::Tags => "too-many-tags",
            Self::Part => "partial",
            Self::TooLong => "too-long",
            Self::Head => "head",
            Self::Memory => "memory",
        }
    }

    pub fn forward(self) -> Forward {
        Forward::UriMiss
    }
}
