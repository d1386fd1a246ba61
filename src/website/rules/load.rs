//! Reading what a site goes by out of its bucket.

use std::sync::Arc;

use super::manifests::{self, Manifests};
use super::{Deploy, Modern, SiteRules};
use crate::clock::Timestamp;
use crate::names::{ETag, ObjectKey};
use crate::site::configuration::Website;
use crate::site::deploy::{CURRENT, DeployId, MAX_POINTER_BYTES, Manifest, OPTIONS, Pointer, file_key};
use crate::site::headers::{self, HeaderRules};
use crate::site::options::{self, Options};
use crate::site::redirects::{self, Redirects};
use crate::site::{Fault, HEADERS, REDIRECTS};
use crate::store::bucket::Bucket;
use crate::store::configuration::Kind;
use crate::store::{self, Store};
use crate::website::failure::{Code, Failure};

/// Longer files are parsed where it keeps nobody waiting.
const QUICK_BYTES: usize = 64 * 1024;
/// What a site's rules count besides what they were read from.
const ENTRY_BYTES: usize = 4096;
/// What parsed rules take in memory, times their text.
const TIMES: usize = 8;

/// An object that was read whole.
pub enum Document {
    Missing,
    /// The entity tag is the one that the caller knows.
    Same,
    Read(ETag, Vec<u8>),
}

/// What makes rules of a text.
type Parser<T> = fn(&str) -> Result<T, Vec<Fault>>;

/// What a deploy names is not there: it was removed meanwhile, or is damaged.
#[derive(Debug, thiserror::Error)]
#[error("{what} of the deploy {deploy} is lost")]
struct Lost {
    what: String,
    deploy: DeployId,
}

/// Reads of one site's files, wherever they are.
pub(super) struct Loader<'l> {
    pub(super) store: &'l Arc<Store>,
    pub(super) bucket: &'l Bucket,
    pub(super) deploy: Option<&'l Deploy>,
    /// How many bytes were read.
    pub(super) read: usize,
}

/// Reads what a site goes by. What cannot be understood of its rules is left as it was `before`.
pub async fn load(
    store: &Arc<Store>,
    manifests: &Manifests,
    bucket: &Bucket,
    preview: Option<DeployId>,
    now: Timestamp,
    before: Option<&SiteRules>,
) -> Result<SiteRules, Failure> {
    again_where_lost(async || load_once(store, manifests, bucket, preview, now, before).await).await
}

/// Reads once more where something is lost: the pointer names another deploy by now, if that is why.
async fn again_where_lost<T>(read: impl AsyncFn() -> Result<T, Failure>) -> Result<T, Failure> {
    match read().await {
        Err(failure) if failure.source.as_ref().is_some_and(|source| source.is::<Lost>()) => read().await,
        result => result,
    }
}

async fn load_once(
    store: &Arc<Store>,
    manifests: &Manifests,
    bucket: &Bucket,
    preview: Option<DeployId>,
    now: Timestamp,
    before: Option<&SiteRules>,
) -> Result<SiteRules, Failure> {
    let name = bucket.record.name.as_str();
    let configuration = store.configuration(bucket).await?;
    let Some(document) = configuration.get(Kind::Website) else {
        return Err(Failure::new(Code::NoSuchWebsiteConfiguration).detail("BucketName", name));
    };
    let website = Website::decode(document).map_err(Failure::internal)?;
    let (deploy, heavy) = match preview {
        Some(id) => preview_of(store, manifests, bucket, id).await?,
        None => live(store, manifests, bucket, now).await?,
    };
    let mut loader = Loader { store, bucket, deploy: deploy.as_ref(), read: document.len() };
    let modern = loader.modern(before.and_then(|rules| rules.modern.as_ref())).await?;
    let password = loader.password(manifests, modern.as_ref(), preview, before).await?;
    let weight = u32::try_from(ENTRY_BYTES + TIMES * loader.read).unwrap_or(u32::MAX).saturating_add(heavy);
    Ok(SiteRules { generation: bucket.record.configuration, weight, website, modern, password, deploy })
}

/// The deploy that the pointer names, those before it, and what they take in memory.
async fn live(
    store: &Arc<Store>,
    manifests: &Manifests,
    bucket: &Bucket,
    now: Timestamp,
) -> Result<(Option<Deploy>, u32), Failure> {
    let Some(pointer) = pointer_of(store, bucket).await? else { return Ok((None, 0)) };
    let (manifest, mut weight) = pointed(store, manifests, bucket, &pointer).await?;
    let mut previous = Vec::new();
    for earlier in pointer.previous.iter().filter(|earlier| now < earlier.until) {
        // One that was removed, or is damaged, has no files to give; the live one is whole without it.
        if let Ok(Some((manifest, more))) = manifests.of(store, bucket, earlier.deploy).await {
            let Some(sum) = manifests::within(weight, more) else { break };
            previous.push((earlier.until, manifest));
            weight = sum;
        }
    }
    Ok((Some(Deploy { manifest, previous }), weight))
}

pub(super) async fn pointer_of(store: &Arc<Store>, bucket: &Bucket) -> Result<Option<Pointer>, Failure> {
    match read_document(store, bucket, CURRENT, MAX_POINTER_BYTES, None).await? {
        Document::Read(_, pointer) => Pointer::decode(&pointer).map_err(Failure::internal).map(Some),
        Document::Missing | Document::Same => Ok(None),
    }
}

/// The manifest that a pointer names, with what it takes in memory.
pub(super) async fn pointed(
    store: &Arc<Store>,
    manifests: &Manifests,
    bucket: &Bucket,
    pointer: &Pointer,
) -> Result<(Arc<Manifest>, u32), Failure> {
    let found = manifests.of(store, bucket, pointer.deploy).await?;
    found.ok_or_else(|| Failure::internal(Lost { what: "the manifest".to_owned(), deploy: pointer.deploy }))
}

async fn preview_of(
    store: &Arc<Store>,
    manifests: &Manifests,
    bucket: &Bucket,
    id: DeployId,
) -> Result<(Option<Deploy>, u32), Failure> {
    match manifests.of(store, bucket, id).await? {
        Some((manifest, weight)) => Ok((Some(Deploy { manifest, previous: Vec::new() }), weight)),
        None => Err(Failure::new(Code::NoSuchBucket).detail("BucketName", format!("{id}--{}", bucket.record.name))),
    }
}

impl Loader<'_> {
    async fn modern(&mut self, before: Option<&Modern>) -> Result<Option<Modern>, Failure> {
        // The deploy's own options, if it has some; else the bucket's.
        let text = match self.text(OPTIONS, options::MAX_FILE_BYTES).await? {
            Some(text) => Some(text),
            None if self.deploy.is_some() => self.object(OPTIONS, options::MAX_FILE_BYTES).await?,
            None => None,
        };
        let Some(text) = text else { return Ok(None) };
        let known = before.map(|modern| &modern.options);
        let Some(options) = self.valid(OPTIONS, parse(text, Options::parse).await?, known) else {
            // They may ask for a password: nothing is served by a guess.
            return Err(Failure::new(Code::ServiceUnavailable));
        };
        let redirects = match self.text(REDIRECTS, redirects::MAX_FILE_BYTES).await? {
            Some(text) => {
                let parsed = parse(text, Redirects::parse).await?;
                self.valid(REDIRECTS, parsed, before.map(|modern| &modern.redirects))
            }
            None => None,
        };
        let headers = match self.text(HEADERS, headers::MAX_FILE_BYTES).await? {
            Some(text) => {
                let parsed = parse(text, HeaderRules::parse).await?;
                self.valid(HEADERS, parsed, before.map(|modern| &modern.headers))
            }
            None => None,
        };
        Ok(Some(Modern { options, redirects: redirects.unwrap_or_default(), headers: headers.unwrap_or_default() }))
    }

    /// What was read, or, where it is at fault, the last that was not.
    pub(super) fn valid<T: Clone>(&self, file: &str, parsed: Result<T, Vec<Fault>>, before: Option<&T>) -> Option<T> {
        let faults = match parsed {
            Ok(valid) => return Some(valid),
            Err(faults) => faults,
        };
        let (bucket, count) = (self.bucket.record.name.as_str(), faults.len());
        let first = faults.first().map(ToString::to_string).unwrap_or_default();
        let kept = before.is_some();
        tracing::warn!(
            bucket,
            file,
            faults = count,
            first,
            kept,
            "a site's rules are at fault: `brim site check` tells all"
        );
        before.cloned()
    }

    /// The text of one of the site's own files. Fails where the deploy has it and its bytes are not there: they may ask for
    /// a password.
    pub(super) async fn text(&mut self, path: &str, limit: usize) -> Result<Option<String>, Failure> {
        let Some(deploy) = self.deploy else { return self.object(path, limit).await };
        let Some(entry) = deploy.manifest.files.get(path) else { return Ok(None) };
        let length = entry.size.min(limit as u64 + 1);
        match self.bytes(&file_key(&entry.sha256), limit).await? {
            Some(bytes) if bytes.len() as u64 == length => Ok(Some(text_of(&bytes))),
            _ => Err(Failure::internal(Lost { what: path.to_owned(), deploy: deploy.manifest.id })),
        }
    }

    pub(super) async fn object(&mut self, key: &str, limit: usize) -> Result<Option<String>, Failure> {
        Ok(self.bytes(key, limit).await?.map(|bytes| text_of(&bytes)))
    }

    async fn bytes(&mut self, key: &str, limit: usize) -> Result<Option<Vec<u8>>, Failure> {
        // One byte more than is allowed is enough for the parser to say so.
        match read_document(self.store, self.bucket, key, limit + 1, None).await? {
            Document::Read(_, bytes) => {
                self.read += bytes.len();
                Ok(Some(bytes))
            }
            Document::Missing | Document::Same => Ok(None),
        }
    }
}

async fn parse<T: Send + 'static>(text: String, parser: Parser<T>) -> Result<Result<T, Vec<Fault>>, Failure> {
    if text.len() <= QUICK_BYTES {
        return Ok(parser(&text));
    }
    tokio::task::spawn_blocking(move || parser(&text)).await.map_err(Failure::internal)
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Reads an object, but no more than `limit` bytes of it. `unless` is the entity tag of what is known of it.
pub async fn read_document(
    store: &Arc<Store>,
    bucket: &Bucket,
    key: &str,
    limit: usize,
    unless: Option<ETag>,
) -> Result<Document, Failure> {
    let key = ObjectKey::parse(key).map_err(Failure::internal)?;
    let object = match store.open_object(bucket, &key).await {
        Ok(object) => object,
        Err(store::Error::NoSuchKey(_) | store::Error::DeleteMarker { .. }) => return Ok(Document::Missing),
        Err(error) => return Err(error.into()),
    };
    let summary = &object.record().summary;
    let (etag, length) = (summary.etag, summary.size.min(limit as u64));
    if unless == Some(etag) {
        return Ok(Document::Same);
    }
    let mut bytes = Vec::new();
    let mut reader = object.read(0..length);
    while let Some(chunk) = reader.next().await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(Document::Read(etag, bytes))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn lost() -> Failure {
        Failure::internal(Lost { what: "the manifest".to_owned(), deploy: "aaaaaaaaaa".parse().unwrap() })
    }

    #[tokio::test]
    async fn what_is_lost_is_looked_for_once_more() {
        for (failures, fail, expected, times) in [
            (0, lost as fn() -> Failure, Ok(7), 1),
            (1, lost, Ok(7), 2),
            (9, lost, Err(Code::InternalError), 2),
            (1, || Failure::new(Code::ServiceUnavailable), Err(Code::ServiceUnavailable), 1),
            (1, || Failure::internal(store::Error::Aborted), Err(Code::InternalError), 1),
        ] {
            let asked = Cell::new(0);
            let read = async || {
                asked.set(asked.get() + 1);
                if asked.get() > failures { Ok(7) } else { Err(fail()) }
            };
            let result = again_where_lost(read).await;
            assert_eq!((result.map_err(|failure| failure.code), asked.get()), (expected, times), "{failures}");
        }
    }
}
