//! Listing versions: a page costs the page, whatever the number of versions.
//!
//! What was written before there were versions is in `current` alone, so both tables are read and merged by key. A key
//! that has rows in `versions` has all its versions there: its row in `current` is passed over.

use std::cmp::Ordering;
use std::iter::Peekable;
use std::vec;

use bytes::Bytes;

use crate::kv::{Grouping, Item, Page, Scan};
use crate::names::{BucketId, ObjectKey, VersionId};
use crate::store::Store;
use crate::store::bucket::{behind, behind_prefix};
use crate::store::codec::decode;
use crate::store::error::Error;
use crate::store::list::{ListObjects, object_key};
use crate::store::record::{EntrySummary, Head, ObjectRecord, VersionSummary};
use crate::store::tables::{self, BUCKET_ID_BYTES, HEADS, TERMINATOR, VERSIONS};

/// Which versions of a bucket to list.
#[derive(Debug, Clone, Default)]
pub struct ListVersions {
    pub prefix: String,
    /// Folds keys that share what comes up to the first delimiter behind the prefix; not empty.
    pub delimiter: Option<String>,
    pub after: VersionMarker,
    /// The most versions, delete markers and common prefixes together.
    pub limit: usize,
}

/// Where a listing of versions goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum VersionMarker {
    #[default]
    Start,
    /// Behind every version of this key, or behind this common prefix.
    Key(String),
    /// Behind this version of the key, or where it would be if it was removed meanwhile.
    Version(String, VersionId),
}

/// A page of versions, ordered by key and then from the newest to the oldest.
#[derive(Debug, Clone, Default)]
pub struct VersionPage {
    pub versions: Vec<ListedVersion>,
    pub common_prefixes: Vec<String>,
    /// `None` on the last page.
    pub next: Option<VersionMarker>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedVersion {
    pub key: String,
    pub version: VersionId,
    /// Whether it is what reading the key finds.
    pub latest: bool,
    pub entry: EntrySummary,
}

/// The rest of one table's page.
struct Rest {
    items: Peekable<vec::IntoIter<Named>>,
    /// Whether there is more behind it.
    more: bool,
}

/// An item and the key, or the common prefix, that it is sorted by.
struct Named {
    name: String,
    row: Option<NamedRow>,
}

struct NamedRow {
    ordinal: u64,
    value: Bytes,
}

impl Store {
    /// Gives a page of versions and delete markers, those of the buckets' objects without versions included.
    pub async fn list_versions(&self, bucket: BucketId, list: &ListVersions) -> Result<VersionPage, Error> {
        if list.limit == 0 {
            return Ok(VersionPage::default());
        }
        let resumed = self.resume(bucket, &list.after).await?;
        // In this order: an object that gets its row in between is in both, and its row in `versions` counts.
        let current = self.kv.scan(list.current_scan(bucket)).await?;
        let versions = self.kv.scan(list.version_scan(bucket, &resumed)).await?;
        let mut merge = Merge {
            current: Rest::of(current, named_object)?,
            versions: Rest::of(versions, named_version)?,
            latest_of: resumed,
            page: VersionPage::default(),
            left: list.limit,
            last: None,
        };
        while merge.left > 0 && merge.step()? {}
        Ok(merge.finish())
    }

    /// Finds where among its key's versions a marker is.
    async fn resume(&self, bucket: BucketId, after: &VersionMarker) -> Result<Option<Resumed>, Error> {
        let VersionMarker::Version(name, version) = after else { return Ok(None) };
        let Ok(key) = ObjectKey::parse(name.as_bytes()) else { return Ok(None) };
        let head = self.row::<Head>(HEADS, &tables::head(bucket, &key)).await?.map(|row| row.record);
        // Without a head the one version that the key may have is the marker's.
        let Some(head) = head else { return Ok(None) };
        let ordinal = match version {
            VersionId::Numbered { ordinal, .. } => Some(*ordinal),
            VersionId::Null => head.null,
        };
        Ok(Some(Resumed {
            name: name.clone(),
            newest: head.newest,
            start: ordinal.map(|at| tables::version(bucket, &key, at)),
        }))
    }
}

/// A listing that goes on within a key's versions.
struct Resumed {
    name: String,
    newest: u64,
    /// The row behind which it goes on; `None` for the null version that is no longer there: then with the key's first.
    start: Option<Bytes>,
}

impl ListVersions {
    fn marker(&self) -> &str {
        match &self.after {
            VersionMarker::Start => "",
            VersionMarker::Key(key) | VersionMarker::Version(key, _) => key,
        }
    }

    fn current_scan(&self, bucket: BucketId) -> Scan {
        let (prefix, delimiter) = (self.prefix.clone(), self.delimiter.clone());
        ListObjects { prefix, delimiter, after: self.marker().to_owned(), limit: self.limit }.scan(bucket)
    }

    fn version_scan(&self, bucket: BucketId, resumed: &Option<Resumed>) -> Scan {
        let prefix = tables::versions(bucket, self.prefix.as_bytes());
        let group = self.delimiter.as_ref().map(|delimiter| Grouping {
            skip: prefix.len(),
            delimiter: tables::escaped(delimiter.as_bytes()),
            until: Some(TERMINATOR.to_vec()),
        });
        let row = tables::versions(bucket, self.marker().as_bytes());
        let of_key = tables::versions_of(bucket, self.marker().as_bytes());
        let within = group.as_ref().filter(|_| row.starts_with(&prefix)).and_then(|group| group.group_of(&row));
        let start = match (within, resumed) {
            (Some(group), _) => behind_prefix(group),
            (None, Some(Resumed { start: Some(row), .. })) => behind(row),
            (None, Some(Resumed { start: None, .. })) => of_key.to_vec(),
            (None, None) if self.marker().is_empty() => prefix.to_vec(),
            (None, None) => behind_prefix(&of_key),
        };
        let start = start.max(prefix.to_vec());
        Scan { table: VERSIONS, start, end: behind_prefix(&prefix), limit: self.limit, group }
    }
}

struct Merge {
    current: Rest,
    versions: Rest,
    /// The key within whose versions the page begins, where its first row need not be the latest.
    latest_of: Option<Resumed>,
    page: VersionPage,
    left: usize,
    last: Option<VersionMarker>,
}

impl Merge {
    /// Takes what comes next; `false` at the end of what was read.
    fn step(&mut self) -> Result<bool, Error> {
        let order = match (self.current.items.peek(), self.versions.items.peek()) {
            (None, _) if self.current.more => return Ok(false),
            (_, None) if self.versions.more => return Ok(false),
            (None, None) => return Ok(false),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(current), Some(version)) => current.name.cmp(&version.name),
        };
        if order == Ordering::Equal {
            // A copy of the newest version, or the same common prefix.
            self.current.items.next();
        }
        let from = if order == Ordering::Less { &mut self.current } else { &mut self.versions };
        let Some(Named { name, row }) = from.items.next() else { return Ok(false) };
        match row {
            None => self.add_prefix(name),
            Some(row) if order == Ordering::Less => self.add_unnumbered(name, &row.value)?,
            Some(row) => self.add_version(name, &row)?,
        }
        Ok(true)
    }

    fn add_prefix(&mut self, prefix: String) {
        self.last = Some(VersionMarker::Key(prefix.clone()));
        self.page.common_prefixes.push(prefix);
        self.left -= 1;
    }

    fn add_unnumbered(&mut self, key: String, value: &[u8]) -> Result<(), Error> {
        let record: ObjectRecord = decode(value)?;
        self.last = Some(VersionMarker::Key(key.clone()));
        // The copy of a version that was removed between the two reads.
        if record.version.is_some() {
            return Ok(());
        }
        let entry = EntrySummary::Object(record.summary);
        self.page.versions.push(ListedVersion { key, version: VersionId::Null, latest: true, entry });
        self.left -= 1;
        Ok(())
    }

    fn add_version(&mut self, key: String, row: &NamedRow) -> Result<(), Error> {
        let VersionSummary { random, entry } = decode(&row.value)?;
        let latest = match (self.page.versions.last(), &self.latest_of) {
            (Some(before), _) if before.key == key => false,
            (None, Some(resumed)) if resumed.name == key => row.ordinal == resumed.newest,
            _ => true,
        };
        let numbered = |random| VersionId::Numbered { ordinal: row.ordinal, random };
        let version = random.map_or(VersionId::Null, numbered);
        // By its number also where it is the null version: that may be removed before the next page is asked for.
        self.last = Some(VersionMarker::Version(key.clone(), numbered(random.unwrap_or_default())));
        self.page.versions.push(ListedVersion { key, version, latest, entry });
        self.left -= 1;
        Ok(())
    }

    fn finish(mut self) -> VersionPage {
        let more = self.current.has_more() || self.versions.has_more();
        self.page.next = self.last.filter(|_| more);
        self.page
    }
}

impl Rest {
    fn of(page: Page, name: fn(Item) -> Result<Named, Error>) -> Result<Self, Error> {
        let items: Vec<_> = page.items.into_iter().map(name).collect::<Result<_, _>>()?;
        Ok(Self { items: items.into_iter().peekable(), more: page.more })
    }

    fn has_more(&mut self) -> bool {
        self.more || self.items.peek().is_some()
    }
}

fn named_object(item: Item) -> Result<Named, Error> {
    Ok(match item {
        Item::Row { key, value } => Named { name: object_key(&key)?, row: Some(NamedRow { ordinal: 0, value }) },
        Item::Group(prefix) => Named { name: object_key(&prefix)?, row: None },
    })
}

fn named_version(item: Item) -> Result<Named, Error> {
    match item {
        Item::Row { key, value } => {
            let (_, key, ordinal) = tables::parse_version(&key).ok_or(Error::Record("a version's key"))?;
            Ok(Named { name: key.as_str().to_owned(), row: Some(NamedRow { ordinal, value }) })
        }
        Item::Group(prefix) => {
            let escaped = prefix.get(BUCKET_ID_BYTES..).unwrap_or_default();
            let name = tables::unescape(escaped).and_then(|name| String::from_utf8(name).ok());
            Ok(Named { name: name.ok_or(Error::Record("a version's key"))?, row: None })
        }
    }
}
