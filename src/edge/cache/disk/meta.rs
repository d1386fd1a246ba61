//! From what is stored to the meta data of its file, and back.

use bytes::Bytes;
use http::header::VARY;
use http::{HeaderMap, HeaderValue, StatusCode};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128;

use super::super::head::HeadBlock;
use super::super::memory::Key;
use super::super::purge::Footing;
use super::super::sequence::Sequence;
use super::super::site::SiteId;
use super::super::slices::{Slice, SliceKey, SliceSet};
use super::super::stored::{Received, Stored, StoredBody};
use super::super::tags::Tags;
use super::super::variants::Variation;
use super::catalog::FileEntry;
use super::file::{Content, FileError, Meta};
use crate::clock::Timestamp;
use crate::edge::rules::key::PrimaryKey;
use crate::edge::rules::vary::{SecondaryKey, Vary};

impl Meta {
    pub fn of_response(key: &PrimaryKey, variation: &Variation, stored: &Stored) -> Self {
        let sliced = match stored.body() {
            StoredBody::Whole(_) => None,
            StoredBody::Sliced(set) => Some((set.etag.to_string(), set.total)),
        };
        let content = Content::Response {
            status: stored.status().as_u16(),
            head: stored.head().bytes().to_vec(),
            request_time: stored.request_time(),
            response_time: stored.response_time(),
            initial_age: stored.initial_age(),
            freshness: *stored.freshness(),
            sliced,
        };
        Self::new(key, variation, stored.footing(), stored.retained_until(), content)
    }

    pub fn of_slice(key: &SliceKey, slice: &Slice) -> Self {
        let set = &key.set;
        let variation = Variation { secondary: set.secondary.clone(), ..Variation::default() };
        let content = Content::Slice { etag: set.etag.to_string(), total: set.total, index: key.index };
        // Slices go when their head is gone and nobody asks for them: by eviction.
        Self::new(&set.key, &variation, &slice.footing, Timestamp::from_millis(u64::MAX), content)
    }

    fn new(
        key: &PrimaryKey,
        variation: &Variation,
        footing: &Footing,
        retained_until: Timestamp,
        content: Content,
    ) -> Self {
        Self {
            key: key.as_str().to_owned(),
            vary: variation.vary.names().iter().map(|name| name.as_str().to_owned()).collect(),
            normalise: variation.normalise,
            secondary: variation.secondary.as_bytes().to_vec(),
            site: footing.site().as_str().to_owned(),
            tags: footing.tags().hashes().to_vec(),
            filled_at: footing.filled_at(),
            retained_until,
            content,
        }
    }

    /// The name of the file, which only what takes this one's place has too, but for collisions; who reads a file
    /// compares what is in it.
    pub fn name(&self) -> u128 {
        let mut text = self.key.as_bytes().to_vec();
        for name in &self.vary {
            text.push(b'\n');
            text.extend(name.as_bytes());
        }
        text.extend([b'\n', u8::from(self.normalise)]);
        text.extend(&self.secondary);
        if let Content::Slice { etag, total, index } = &self.content {
            text.extend(format!("\n{index} {total} {etag}").as_bytes());
        }
        xxh3_128(&text)
    }

    /// What the tiers find it by.
    pub fn tier_key(&self) -> Key {
        let key = PrimaryKey::from_stored(&self.key);
        match &self.content {
            Content::Response { .. } => Key::Response(key),
            Content::Slice { etag, total, index } => {
                let secondary = SecondaryKey::from_stored(&self.secondary);
                let set = SliceSet { key, secondary, etag: etag.as_str().into(), total: *total };
                Key::Slice(SliceKey { set: Arc::new(set), index: *index })
            }
        }
    }

    /// The variation among those of its tier key; slices have one.
    pub fn variation(&self) -> Variation {
        if matches!(self.content, Content::Slice { .. }) {
            return Variation::default();
        }
        let names = self.vary.join(",");
        let vary = HeaderValue::try_from(names).map(|names| Vary::parse(&HeaderMap::from_iter([(VARY, names)])));
        Variation {
            vary: if self.vary.is_empty() { Vary::default() } else { vary.unwrap_or_default() },
            normalise: self.normalise,
            secondary: SecondaryKey::from_stored(&self.secondary),
        }
    }

    /// When the response arrived; slices, which have no such time, go by the end of theirs.
    pub fn arrived_at(&self) -> Timestamp {
        match self.content {
            Content::Response { response_time, .. } => response_time,
            Content::Slice { .. } => self.retained_until,
        }
    }

    /// The entry of the catalog for the file, of which purges up to `checked` are known not to be about.
    pub fn entry(&self, length: u64, checked: Sequence, softened: bool) -> FileEntry {
        let footing = Footing::new(SiteId::new(&self.site), Tags::from_hashes(self.tags.clone()), self.filled_at);
        FileEntry {
            name: self.name(),
            length,
            footing: footing.known(checked, softened),
            response_time: self.arrived_at(),
            retained_until: self.retained_until,
            softened: softened.into(),
        }
    }

    /// The response that the file holds, with the footing of its entry.
    pub fn into_stored(self, body: Bytes, footing: Footing) -> Result<Stored, FileError> {
        let Content::Response { status, head, request_time, response_time, initial_age, freshness, sliced } =
            self.content
        else {
            return Err(FileError::Corrupt);
        };
        let body = match sliced {
            None => StoredBody::Whole(body.into()),
            Some((etag, total)) => StoredBody::Sliced(Arc::new(SliceSet {
                key: PrimaryKey::from_stored(&self.key),
                secondary: SecondaryKey::from_stored(&self.secondary),
                etag: etag.into(),
                total,
            })),
        };
        let status = StatusCode::from_u16(status).map_err(|_| FileError::Corrupt)?;
        let head = HeadBlock::from_bytes(head.into()).map_err(|_| FileError::Corrupt)?;
        Ok(Stored::received(Received {
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
}
