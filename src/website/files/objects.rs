//! The objects of a bucket as the files of its site.

use std::cell::RefCell;
use std::sync::Arc;

use super::{Content, File, Files, Found};
use crate::feed::{Dependency, Depends};
use crate::names::ObjectKey;
use crate::site::path::{is_internal, is_reserved};
use crate::store::bucket::Bucket;
use crate::store::{self, Store};
use crate::website::failure::Failure;
use crate::website::judge::Judge;

/// The objects of a bucket, by their keys.
pub struct Objects<'r> {
    pub store: &'r Arc<Store>,
    pub bucket: &'r Bucket,
    pub judge: &'r Judge<'r>,
    /// Whether the site has options. Without, it is S3's website endpoint and nothing more: `_redirects` and `_headers`
    /// are objects like others.
    pub modern: bool,
    /// Whether files are opened, or only looked at.
    pub open: bool,
    /// Every key that was looked for.
    pub depends: &'r RefCell<Depends>,
}

impl Objects<'_> {
    fn looks_at(&self, key: &ObjectKey) {
        let (bucket, key) = (self.bucket.record.name.clone(), key.as_str().to_owned());
        self.depends.borrow_mut().add(Dependency::Object { bucket, key });
    }

    fn is_reserved(&self, key: &str) -> bool {
        if self.modern { is_reserved(key) } else { is_internal(key) }
    }

    /// Whether what a visitor may not read is to look as if it were not there. Where every object has a say, nobody can
    /// tell what may be read of what is missing; a site with options says 404 for that, and so for this.
    fn hides(&self) -> bool {
        self.modern && self.judge.asks_object() && !self.judge.may_list()
    }

    async fn read(&self, key: &ObjectKey) -> Result<Option<File>, Failure> {
        self.looks_at(key);
        let content = match self.open {
            true => self.store.open_object(self.bucket, key).await.map(|object| Content::Open(Box::new(object))),
            false => self.store.object(self.bucket, key).await.map(|row| Content::Described(Box::new(row.record))),
        };
        match content {
            Ok(content) => Ok(Some(File::new(key.as_str(), content))),
            Err(store::Error::NoSuchKey(_) | store::Error::DeleteMarker { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the object itself lets the visitor read it, where it has a say.
    fn may_read(&self, file: &File) -> Result<bool, Failure> {
        match file.content.record() {
            Some(record) => self.judge.may_read_object(&file.key, record),
            None => Ok(false),
        }
    }
}

impl Files for Objects<'_> {
    async fn find(&self, key: &str) -> Result<Found, Failure> {
        if self.is_reserved(key) {
            return Ok(Found::Missing);
        }
        let asks_object = self.judge.asks_object();
        if !asks_object && !self.judge.may_read(key) {
            return Ok(Found::Denied);
        }
        // No object has a key that is none.
        let Ok(parsed) = ObjectKey::parse(key) else { return Ok(Found::Missing) };
        match self.read(&parsed).await? {
            None => Ok(Found::Missing),
            Some(file) if asks_object && !self.may_read(&file)? => match self.hides() {
                true => Ok(Found::Missing),
                false => Ok(Found::Denied),
            },
            Some(file) => Ok(Found::File(Box::new(file))),
        }
    }

    async fn has(&self, key: &str) -> Result<bool, Failure> {
        if self.is_reserved(key) {
            return Ok(false);
        }
        if self.hides() {
            return Ok(matches!(self.find(key).await?, Found::File(_)));
        }
        let Ok(key) = ObjectKey::parse(key) else { return Ok(false) };
        self.looks_at(&key);
        match self.store.object(self.bucket, &key).await {
            Ok(_) => Ok(true),
            Err(store::Error::NoSuchKey(_) | store::Error::DeleteMarker { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn lists(&self) -> bool {
        self.judge.may_list()
    }
}
