//! Listing uploads and their parts.

use super::Upload;
use crate::kv::{Grouping, Item, Scan};
use crate::names::{BucketId, ObjectKey, UploadId};
use crate::store::Store;
use crate::store::bucket::{behind, behind_prefix};
use crate::store::codec::decode;
use crate::store::error::Error;
use crate::store::record::{PartRecord, UploadRecord};
use crate::store::tables::{self, PARTS, TERMINATOR, UPLOADS};

/// Which uploads of a bucket to list.
#[derive(Debug, Clone, Default)]
pub struct ListUploads {
    pub prefix: String,
    pub delimiter: Option<String>,
    pub after: UploadMarker,
    pub limit: usize,
}

/// Where a listing of uploads goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum UploadMarker {
    #[default]
    Start,
    /// Behind every upload of this key, or behind this common prefix.
    Key(String),
    /// Behind this upload of the key.
    Upload(String, UploadId),
}

/// A page of uploads, ordered by key and then by the time of their creation.
#[derive(Debug, Clone, Default)]
pub struct UploadPage {
    pub uploads: Vec<ListedUpload>,
    pub common_prefixes: Vec<String>,
    pub next: Option<UploadMarker>,
}

#[derive(Debug, Clone)]
pub struct ListedUpload {
    pub key: ObjectKey,
    pub id: UploadId,
    pub record: UploadRecord,
}

pub struct ListParts {
    /// Only parts with numbers above this one.
    pub after: u16,
    pub limit: usize,
}

/// A page of an upload's parts, by number.
#[derive(Debug, Clone, Default)]
pub struct PartPage {
    pub parts: Vec<(u16, PartRecord)>,
    pub more: bool,
}

impl Store {
    pub async fn list_uploads(&self, bucket: BucketId, list: &ListUploads) -> Result<UploadPage, Error> {
        let mut found = UploadPage::default();
        if list.limit == 0 {
            return Ok(found);
        }
        let page = self.kv.scan(list.scan(bucket)).await?;
        let mut last = None;
        for item in page.items {
            match item {
                Item::Row { key, value } => {
                    let (key, id) = tables::parse_upload(&key).ok_or(Error::Record("an upload's key"))?;
                    last = Some(UploadMarker::Upload(key.as_str().to_owned(), id));
                    found.uploads.push(ListedUpload { key, id, record: decode(&value)? });
                }
                Item::Group(prefix) => {
                    let prefix = object_key_prefix(&prefix)?;
                    last = Some(UploadMarker::Key(prefix.clone()));
                    found.common_prefixes.push(prefix);
                }
            }
        }
        found.next = last.filter(|_| page.more);
        Ok(found)
    }

    pub async fn list_parts(&self, upload: &Upload, list: &ListParts) -> Result<PartPage, Error> {
        if list.limit == 0 {
            return Ok(PartPage::default());
        }
        let scan = Scan {
            table: PARTS,
            start: tables::part(upload.id, list.after.saturating_add(1)).to_vec(),
            end: behind_prefix(&upload.id.0),
            limit: list.limit,
            group: None,
        };
        let page = self.kv.scan(scan).await?;
        let mut parts = Vec::with_capacity(page.items.len());
        for item in page.items {
            let Item::Row { key, value } = item else { continue };
            parts.push((tables::parse_part(&key).ok_or(Error::Record("a part's number"))?, decode(&value)?));
        }
        Ok(PartPage { parts, more: page.more })
    }
}

impl ListUploads {
    fn scan(&self, bucket: BucketId) -> Scan {
        let prefix = tables::uploads(bucket, self.prefix.as_bytes());
        let group = self.delimiter.as_ref().map(|delimiter| Grouping {
            skip: prefix.len(),
            delimiter: tables::escaped(delimiter.as_bytes()),
            until: Some(TERMINATOR.to_vec()),
        });
        let start = match &self.after {
            UploadMarker::Start => prefix.to_vec(),
            UploadMarker::Key(key) => {
                let row = tables::uploads(bucket, key.as_bytes());
                let within = group.as_ref().filter(|_| row.starts_with(&prefix)).and_then(|group| group.group_of(&row));
                match within {
                    Some(group) => behind_prefix(group),
                    None => behind_prefix(&[row.as_ref(), &TERMINATOR].concat()),
                }
            }
            UploadMarker::Upload(key, id) => {
                behind(&[tables::uploads(bucket, key.as_bytes()).as_ref(), &TERMINATOR, &id.0].concat())
            }
        };
        let start = start.max(prefix.to_vec());
        Scan { table: UPLOADS, start, end: behind_prefix(&prefix), limit: self.limit, group }
    }
}

fn object_key_prefix(row: &[u8]) -> Result<String, Error> {
    let escaped = row.get(tables::BUCKET_ID_BYTES..).unwrap_or_default();
    let key = tables::unescape(escaped).ok_or(Error::Record("an upload's key"))?;
    String::from_utf8(key).map_err(|_| Error::Record("a key that is not UTF-8"))
}
