//! The files of a deploy: its manifest says what there is, and every file is stored under the hash of its bytes.

use std::cell::Cell;
use std::sync::Arc;

use super::{Content, File, Files, Found, sibling_of};
use crate::http::encoding::Coding;
use crate::names::ObjectKey;
use crate::site::caching::is_fingerprinted;
use crate::site::deploy::{self, Manifest, file_key};
use crate::site::path::is_reserved;
use crate::store::bucket::Bucket;
use crate::store::read::OpenObject;
use crate::store::{self, Store};
use crate::website::failure::Failure;
use crate::website::judge::Judge;
use crate::website::rules::SiteRules;

/// The files of the deploy that a site's rules are of.
pub struct Deployed<'r> {
    pub store: &'r Arc<Store>,
    pub bucket: &'r Bucket,
    pub judge: &'r Judge<'r>,
    pub rules: &'r SiteRules,
    pub deploy: &'r crate::website::rules::Deploy,
    /// Whether files are opened, or only looked at.
    pub open: bool,
    /// Set where the bytes of a file that the manifest names are gone: the deploy was removed meanwhile, or is damaged.
    pub lost: Cell<bool>,
}

/// A file of a deploy whose bytes are not there.
#[derive(Debug, thiserror::Error)]
#[error("the file {0} of a deploy is lost")]
struct Lost(String);

impl Deployed<'_> {
    /// The manifest that a path is of. A page that is open asks for the assets that it was made with: names that change
    /// with their content come from the deploys before, too.
    fn manifest(&self, path: &str) -> Option<&Manifest> {
        let live = &*self.deploy.manifest;
        if live.files.contains_key(path) {
            return Some(live);
        }
        let immutable = is_fingerprinted(path) || self.rules.is_immutable(path);
        let mut earlier = self.deploy.earlier(self.judge.now()).filter(|_| immutable);
        earlier.find(|manifest| manifest.files.contains_key(path))
    }

    /// What there is of `key` for the visitor, if that is what `manifest` says of it.
    async fn find_in(&self, manifest: Option<&Manifest>, key: &str) -> Result<Found, Failure> {
        if is_reserved(key) {
            return Ok(Found::Missing);
        }
        if !self.judge.may_read(key) {
            return Ok(Found::Denied);
        }
        let Some(entry) = manifest.and_then(|manifest| manifest.files.get(key)) else { return Ok(Found::Missing) };
        if !self.open {
            return Ok(Found::File(Box::new(File::new(key, Content::Deployed(entry.clone(), None)))));
        }
        let Some(object) = self.read(entry).await? else {
            self.lost.set(true);
            return Err(Failure::internal(Lost(key.to_owned())));
        };
        let content = Content::Deployed(entry.clone(), Some(Box::new(object)));
        Ok(Found::File(Box::new(File::new(key, content))))
    }

    async fn read(&self, entry: &deploy::File) -> Result<Option<OpenObject>, Failure> {
        let key = ObjectKey::parse(file_key(&entry.sha256)).map_err(Failure::internal)?;
        match self.store.open_object(self.bucket, &key).await {
            Ok(object) if object.record().summary.size == entry.size => Ok(Some(object)),
            // Other bytes than those of the deploy are none of it.
            Ok(_) | Err(store::Error::NoSuchKey(_) | store::Error::DeleteMarker { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Files for Deployed<'_> {
    async fn find(&self, key: &str) -> Result<Found, Failure> {
        self.find_in(self.manifest(key), key).await
    }

    async fn sibling(&self, key: &str, coding: Coding) -> Result<Found, Failure> {
        // Not that of another deploy: its bytes would be of another file.
        self.find_in(self.manifest(key), &sibling_of(key, coding)).await
    }

    async fn has(&self, key: &str) -> Result<bool, Failure> {
        Ok(!is_reserved(key) && self.manifest(key).is_some())
    }

    fn lists(&self) -> bool {
        self.judge.may_list()
    }
}
