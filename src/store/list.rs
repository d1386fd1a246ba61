//! Listing objects: a page costs the page, never the bucket.

use super::Store;
use super::bucket::{behind, behind_prefix};
use super::codec::decode;
use super::error::Error;
use super::record::Summary;
use super::tables::{self, BUCKET_ID_BYTES, CURRENT};
use crate::kv::{Grouping, Item, Scan};
use crate::names::BucketId;

/// Which objects to list.
#[derive(Debug, Clone, Default)]
pub struct ListObjects {
    pub prefix: String,
    /// Folds keys that share what comes up to the first delimiter behind the prefix; not empty.
    pub delimiter: Option<String>,
    /// Only keys and common prefixes behind this text. Where it lies inside a common prefix, all of that is passed over:
    /// it was on the page before.
    pub after: String,
    /// The most keys and common prefixes together.
    pub limit: usize,
}

/// A page of a listing, in the order of UTF-8 bytes.
#[derive(Debug, Clone, Default)]
pub struct ObjectPage {
    pub objects: Vec<(String, Summary)>,
    pub common_prefixes: Vec<String>,
    /// Where the next page starts, for [`ListObjects::after`]; `None` on the last page.
    pub next: Option<String>,
}

impl Store {
    pub async fn list_objects(&self, bucket: BucketId, list: &ListObjects) -> Result<ObjectPage, Error> {
        if list.limit == 0 {
            return Ok(ObjectPage::default());
        }
        let page = self.kv.scan(list.scan(bucket)).await?;
        let mut found = ObjectPage::default();
        let mut last = None;
        for item in page.items {
            match item {
                Item::Row { key, value } => {
                    let key = object_key(&key)?;
                    found.objects.push((key.clone(), decode(&value)?));
                    last = Some(key);
                }
                Item::Group(prefix) => {
                    let prefix = object_key(&prefix)?;
                    found.common_prefixes.push(prefix.clone());
                    last = Some(prefix);
                }
            }
        }
        found.next = last.filter(|_| page.more);
        Ok(found)
    }
}

impl ListObjects {
    pub(super) fn scan(&self, bucket: BucketId) -> Scan {
        let prefix = tables::current(bucket, self.prefix.as_bytes());
        let group = self.delimiter.as_ref().map(|delimiter| Grouping {
            skip: prefix.len(),
            delimiter: delimiter.as_bytes().to_vec(),
            until: None,
        });
        let after = tables::current(bucket, self.after.as_bytes());
        let start = match group.as_ref().filter(|_| after.starts_with(&prefix)).and_then(|group| group.group_of(&after))
        {
            Some(group) => behind_prefix(group),
            None if self.after.is_empty() => prefix.to_vec(),
            None => behind(&after).max(prefix.to_vec()),
        };
        Scan { table: CURRENT, start, end: behind_prefix(&prefix), limit: self.limit, group }
    }
}

pub(super) fn object_key(row: &[u8]) -> Result<String, Error> {
    let key = row.get(BUCKET_ID_BYTES..).unwrap_or_default().to_vec();
    String::from_utf8(key).map_err(|_| Error::Record("a key that is not UTF-8"))
}
