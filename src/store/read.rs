//! Reading objects: the record first, then any range of the bytes, under a lease.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::Store;
use super::bucket::{Bucket, behind, behind_prefix};
use super::codec::decode;
use super::error::Error;
use super::lease::Lease;
use super::record::{Data, InlineId, ObjectRecord, PartRecord, Target};
use super::tables::{self, INLINE, OFFSETS, PARTS};
use super::versions::ObjectRow;
use crate::blob::BlobReader;
use crate::kv::{Item, Scan};
use crate::names::{ObjectKey, UploadId, VersionId};

/// How many parts are looked up ahead while a multipart object is read.
const PARTS_AHEAD: usize = 64;
/// How often a read starts over because the object was replaced and swept in between.
const ATTEMPTS: usize = 8;

/// An object held for reading: its bytes stay as they are until this is dropped, whatever happens to the key.
pub struct OpenObject {
    pub row: ObjectRow,
    store: Arc<Store>,
    inline: Option<Bytes>,
    _lease: Option<Lease>,
}

/// One part of a multipart object.
#[derive(Debug, Clone)]
pub struct ObjectPart {
    /// Where its bytes are in the object.
    pub range: Range<u64>,
    pub record: PartRecord,
}

/// The bytes of a range of an object, in order. Holds the object open.
pub struct ObjectReader {
    object: OpenObject,
    remaining: Range<u64>,
    /// The parts that come next, with where each begins.
    parts: VecDeque<(u64, PartRecord)>,
    current: Source,
}

enum Source {
    None,
    Bytes(Bytes),
    Blob(Box<dyn BlobReader>),
}

impl Store {
    /// Opens the object for reading. Fails as [`Self::object`] does.
    pub async fn open_object(self: &Arc<Self>, bucket: &Bucket, key: &ObjectKey) -> Result<OpenObject, Error> {
        self.open_version(bucket, key, None).await
    }

    /// Opens a version for reading, or the object where none is named. Fails as [`Self::object_version`] does.
    pub async fn open_version(
        self: &Arc<Self>,
        bucket: &Bucket,
        key: &ObjectKey,
        version: Option<&VersionId>,
    ) -> Result<OpenObject, Error> {
        for _ in 0..ATTEMPTS {
            let inside = self.leases.enter().await;
            let row = self.object_version(bucket, key, version).await?;
            let lease = match row.record.data.target() {
                Some(target @ (Target::Blob(_) | Target::Upload(_))) => Some(self.leases.lease(target)),
                _ => None,
            };
            drop(inside);
            let inline = match row.record.data {
                // Small bytes are read at once instead of leased; if they are gone, so is the record that pointed there.
                Data::Inline(id) => match self.inline(id).await? {
                    Some(bytes) => Some(bytes),
                    None => continue,
                },
                _ => None,
            };
            return Ok(OpenObject { row, store: self.clone(), inline, _lease: lease });
        }
        Err(Error::Contended)
    }

    async fn inline(&self, id: InlineId) -> Result<Option<Bytes>, Error> {
        Ok(self.kv.get(INLINE, &tables::inline(id)).await?)
    }

    /// Gives the parts of the completed upload `id` from `start` on, at most `limit`, and whether there are more.
    async fn parts_of(&self, id: UploadId, start: Bytes, limit: usize) -> Result<(Vec<ObjectPart>, bool), Error> {
        let scan = Scan { table: OFFSETS, start: start.to_vec(), end: behind_prefix(&id.0), limit, group: None };
        let page = self.kv.scan(scan).await?;
        let mut parts = Vec::with_capacity(page.items.len());
        for item in page.items {
            let Item::Row { key, .. } = item else { continue };
            let (end, number) = tables::parse_offset(&key).ok_or(Error::Record("a part's offset"))?;
            let bytes = self.kv.get(PARTS, &tables::part(id, number)).await?;
            let record: PartRecord = decode(&bytes.ok_or(Error::Record("a part of an object is missing"))?)?;
            parts.push(ObjectPart { range: end.saturating_sub(record.size)..end, record });
        }
        Ok((parts, page.more))
    }
}

impl OpenObject {
    pub fn record(&self) -> &ObjectRecord {
        &self.row.record
    }

    /// Where the `position`th part is, counted from 1, or `None`. An object that was not uploaded in parts is its own
    /// first part. The numbers that parts were uploaded under may have gaps; clients count to the number of parts.
    pub async fn part(&self, position: u16) -> Result<Option<Range<u64>>, Error> {
        let Data::Parts(id) = self.record().data else {
            return Ok((position == 1).then_some(0..self.record().summary.size));
        };
        if position == 0 {
            return Ok(None);
        }
        let before = self.offsets(id, usize::from(position)).await?;
        let start = before.iter().rev().nth(1).map_or(0, |(end, _)| *end);
        let found = before.last().filter(|_| before.len() == usize::from(position));
        Ok(found.map(|(end, _)| start..*end))
    }

    /// Gives the parts behind the first `after` ones, at most `limit`, and whether there are more. Empty for an object
    /// that was not uploaded in parts.
    pub async fn parts(&self, after: u16, limit: usize) -> Result<(Vec<ObjectPart>, bool), Error> {
        let Data::Parts(id) = self.record().data else { return Ok((Vec::new(), false)) };
        let before = self.offsets(id, usize::from(after)).await?;
        let start = match before.last() {
            Some((end, number)) => Bytes::from(behind(&tables::offset(id, *end, *number))),
            None => tables::offset(id, 0, 0),
        };
        self.store.parts_of(id, start, limit).await
    }

    /// The end and the number of an upload's first parts: rows that hold nothing but their keys, at most 10,000 of them.
    async fn offsets(&self, id: UploadId, limit: usize) -> Result<Vec<(u64, u16)>, Error> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let page = self.store.kv.scan(Scan::prefix(OFFSETS, &id.0, limit)).await?;
        let mut offsets = Vec::with_capacity(page.items.len());
        for item in page.items {
            let Item::Row { key, .. } = item else { continue };
            offsets.push(tables::parse_offset(&key).ok_or(Error::Record("a part's offset"))?);
        }
        Ok(offsets)
    }

    /// Begins reading `range`, which the object must have.
    pub fn read(self, range: Range<u64>) -> ObjectReader {
        ObjectReader { object: self, remaining: range, parts: VecDeque::new(), current: Source::None }
    }

    async fn open(&self, data: Data, range: Range<u64>) -> Result<Source, Error> {
        let bytes = match data {
            Data::Blob(blob) => return Ok(Source::Blob(self.store.blobs.read(blob, range).await?)),
            Data::Inline(id) => match &self.inline {
                Some(bytes) => Some(bytes.clone()),
                None => self.store.inline(id).await?,
            },
            Data::Empty | Data::Parts(_) => None,
        };
        let bytes = bytes.ok_or(Error::Record("the bytes of an object are missing"))?;
        let range = range.start as usize..range.end as usize;
        if range.end > bytes.len() {
            return Err(Error::Record("the bytes of an object are fewer than its record says"));
        }
        Ok(Source::Bytes(bytes.slice(range)))
    }
}

impl ObjectReader {
    /// Gives the next bytes, at most 1 MiB of them, or `None` at the end of the range. Every byte is verified.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        while !self.remaining.is_empty() {
            let chunk = match &mut self.current {
                Source::None => None,
                Source::Bytes(bytes) => Some(std::mem::take(bytes)),
                Source::Blob(reader) => reader.next().await?,
            };
            match chunk {
                Some(chunk) if !chunk.is_empty() => {
                    self.remaining.start += chunk.len() as u64;
                    return Ok(Some(chunk));
                }
                _ => self.advance().await?,
            }
        }
        Ok(None)
    }

    /// Opens what holds the first remaining byte.
    async fn advance(&mut self) -> Result<(), Error> {
        let record = self.object.record();
        let (begin, size, data) = match record.data {
            Data::Parts(id) => {
                let (begin, part) = self.next_part(id).await?;
                (begin, part.size, part.data)
            }
            data => (0, record.summary.size, data),
        };
        let within = self.remaining.start.saturating_sub(begin)..self.remaining.end.saturating_sub(begin).min(size);
        let shorter = matches!(data, Data::Blob(blob) if blob.length != size);
        // A source that ends before the range does would be opened here again and again.
        if within.is_empty() || shorter {
            return Err(Error::Record("an object is not as long as its record says"));
        }
        self.current = self.object.open(data, within).await?;
        // Only now: after an error the same part is opened again, never the next one in its place.
        self.parts.pop_front();
        Ok(())
    }

    async fn next_part(&mut self, id: UploadId) -> Result<(u64, PartRecord), Error> {
        if self.parts.is_empty() {
            // The first part that ends behind the first remaining byte holds it.
            let start = tables::offset(id, self.remaining.start + 1, 0);
            let (parts, _) = self.object.store.parts_of(id, start, PARTS_AHEAD).await?;
            self.parts = parts.into_iter().map(|part| (part.range.start, part.record)).collect();
        }
        self.parts.front().cloned().ok_or(Error::Record("an object has fewer parts than its record says"))
    }
}
