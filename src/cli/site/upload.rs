//! Which files of a deploy must be sent, and sending them.
//!
//! A stored file may be one that [`super::prune`] is about to remove. It is used again where it will stay: where the live
//! deploy names it, since that deploy is kept, or where it is young, since young files are kept. Any other is sent again,
//! which makes it young. `docs/decisions/0028-deploys-are-manifests-and-a-pointer.md` has the whole argument.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;

use super::failure::of_client;
use super::remote::Site;
use crate::cli::Failure;
use crate::cli::progress::Meter;
use crate::client::{Condition, FileBody, Listed, Put};
use crate::clock::Timestamp;
use crate::report::{Progress, Unit};
use crate::site::deploy::{ContentHash, Manifest, file_key};

/// How old a stored file may be to be used again by a deploy that has it not from the live one.
pub const REUSE_AGE: Duration = Duration::from_secs(12 * 60 * 60);

/// What stored files are, to whoever reads the bucket: their names say nothing of a type.
const CONTENT_TYPE: &str = "application/octet-stream";

/// A file to be sent.
#[derive(Debug, Clone)]
pub struct Upload {
    pub sha256: ContentHash,
    pub body: FileBody,
    /// Whether one is stored, too old to rely on: it is replaced by the same bytes.
    pub replaces: bool,
}

/// What is stored, and what of it can be relied on.
pub struct Stored<'a> {
    pub files: &'a BTreeMap<ContentHash, Listed>,
    pub live: Option<&'a Manifest>,
    pub now: Timestamp,
}

impl Stored<'_> {
    /// The files that must be sent for these contents.
    pub fn missing(&self, contents: &BTreeMap<ContentHash, FileBody>) -> Vec<Upload> {
        let live: BTreeSet<ContentHash> =
            self.live.iter().flat_map(|manifest| manifest.files.values()).map(|file| file.sha256).collect();
        let needed = contents.iter().filter_map(|(sha256, body)| {
            let stored = self.files.get(sha256);
            let relied_on = stored.is_some_and(|stored| {
                let stays = live.contains(sha256) || self.now.since(stored.modified) < REUSE_AGE;
                // A file of another length was damaged or replaced by somebody.
                stays && stored.size == body.size
            });
            (!relied_on).then(|| Upload { sha256: *sha256, body: body.clone(), replaces: stored.is_some() })
        });
        needed.collect()
    }
}

/// How many bytes these files have.
pub fn size(uploads: &[Upload]) -> u64 {
    uploads.iter().map(|upload| upload.body.size).sum()
}

/// Sends files, `concurrency` at a time. Stops at the first that fails; those that were sent stay and are not sent again.
pub async fn send(site: &Site, uploads: &[Upload], concurrency: usize, meter: &mut Meter) -> Result<(), Failure> {
    let (done, total) = (AtomicU64::new(0), size(uploads));
    let meter = Mutex::new(meter);
    let sent = |bytes: u64| {
        let done = done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let progress = Progress { phase: "uploading".to_owned(), done, total: Some(total), unit: Unit::Bytes };
        meter.lock().show(&progress);
    };
    let sending = stream::iter(uploads).map(|upload| send_one(site, upload, &sent)).buffer_unordered(concurrency);
    sending.try_collect().await
}

async fn send_one(site: &Site, upload: &Upload, sent: &(dyn Fn(u64) + Sync)) -> Result<(), Failure> {
    let key = file_key(&upload.sha256);
    let condition = if upload.replaces { Condition::Always } else { Condition::Absent };
    let put = Put { bucket: &site.bucket, key: &key, content_type: CONTENT_TYPE, condition, body: Default::default() };
    // Where it is refused, another deploy sent the same bytes meanwhile, or this one did and lost the answer.
    site.client.put_file(&put, &upload.body, sent).await.map(drop).map_err(of_client)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::deploy::{ContentType, DeployId, File, FilePath};

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000_000);

    fn listed(size: u64, age: Duration) -> Listed {
        let modified = Timestamp::from_millis(NOW.as_millis() - age.as_millis() as u64);
        Listed { key: String::new(), size, modified, modified_text: String::new() }
    }

    fn manifest(hash: ContentHash) -> Manifest {
        let file = File { sha256: hash, size: 1, content_type: ContentType::parse("a/b").unwrap() };
        let files = [(FilePath::parse("f").unwrap(), file)].into();
        Manifest::new(DeployId::from_random([0; 10]), NOW, String::new(), files).unwrap()
    }

    #[test]
    fn stored_files_are_used_again_where_they_will_stay() {
        let hash = ContentHash::of(b"x");
        let contents = BTreeMap::from([(hash, FileBody { path: "f".into(), size: 1, sha256: hash.0 })]);
        let live = manifest(hash);
        let second = Duration::from_secs(1);
        for (stored, live, sent) in [
            (None, None, Some(false)),
            (Some(listed(1, second)), None, None),
            (Some(listed(1, REUSE_AGE - second)), None, None),
            (Some(listed(1, REUSE_AGE)), None, Some(true)),
            (Some(listed(1, REUSE_AGE * 100)), Some(&live), None),
            (Some(listed(2, second)), Some(&live), Some(true)),
            (None, Some(&live), Some(false)),
        ] {
            let files = stored.clone().map(|listed| (hash, listed)).into_iter().collect();
            let missing = Stored { files: &files, live, now: NOW }.missing(&contents);
            assert_eq!(missing.first().map(|upload| upload.replaces), sent, "{stored:?}");
        }
    }
}
