//! Manifests, parsed: large ones take a while and much memory, so they are kept apart from the rules of sites, and few are
//! read at a time.

use std::sync::Arc;

use moka::sync::Cache;
use tokio::sync::Semaphore;

use super::load::{Document, read_document};
use crate::names::{BucketId, ETag, ObjectKey};
use crate::site::deploy::{DeployId, MAX_MANIFEST_BYTES, Manifest, manifest_key};
use crate::store::bucket::Bucket;
use crate::store::{self, Store};
use crate::website::failure::Failure;

/// How many bytes of manifests are kept in memory.
const KEPT_BYTES: u64 = 256 * 1024 * 1024;
/// What a manifest takes in memory, times its text.
const TIMES: usize = 2;
/// The most that the manifests of one site take in memory: a part of what is kept, so that the rules of every site can be.
/// The live one alone takes less.
const MAX_HEAVY_BYTES: u32 = 128 * 1024 * 1024;
/// Longer ones are parsed where it keeps nobody waiting.
const QUICK_BYTES: usize = 64 * 1024;

/// A manifest, and the entity tag of the object that it was read from.
#[derive(Clone)]
struct Kept {
    etag: ETag,
    weight: u32,
    manifest: Arc<Manifest>,
}

/// The manifests of all deploys that were asked for lately.
pub struct Manifests {
    kept: Cache<(BucketId, DeployId), Kept>,
    /// Held while a manifest is read: one at a time, so that their texts take no more memory than the largest.
    reading: Semaphore,
}

impl Manifests {
    pub fn new() -> Self {
        let weigher = |_: &(BucketId, DeployId), kept: &Kept| kept.weight;
        Self { kept: Cache::builder().weigher(weigher).max_capacity(KEPT_BYTES).build(), reading: Semaphore::new(1) }
    }

    /// The manifest of a deploy with what it takes in memory; `None` where there is no such deploy.
    pub async fn of(
        &self,
        store: &Arc<Store>,
        bucket: &Bucket,
        id: DeployId,
    ) -> Result<Option<(Arc<Manifest>, u32)>, Failure> {
        let (name, key) = ((bucket.record.id, id), manifest_key(&id));
        // What is known and still the same is for everybody at once.
        if let Some(kept) = self.kept.get(&name)
            && etag_of(store, bucket, &key).await? == Some(kept.etag)
        {
            return Ok(Some((kept.manifest, kept.weight)));
        }
        let _turn = self.reading.acquire().await.map_err(Failure::internal)?;
        // Who had the turn before may have read it.
        let known = self.kept.get(&name);
        let unless = known.as_ref().map(|kept| kept.etag);
        match (read_document(store, bucket, &key, MAX_MANIFEST_BYTES, unless).await?, known) {
            (Document::Missing, _) => Ok(None),
            (Document::Same, Some(kept)) => Ok(Some((kept.manifest, kept.weight))),
            (Document::Same, None) => Ok(None),
            (Document::Read(etag, bytes), _) => {
                let weight = weight(bytes.len());
                let kept = Kept { etag, weight, manifest: Arc::new(parse(bytes, id).await?) };
                self.kept.insert(name, kept.clone());
                Ok(Some((kept.manifest, weight)))
            }
        }
    }
}

/// What a manifest with so many bytes of text takes in memory.
fn weight(bytes: usize) -> u32 {
    u32::try_from(TIMES * bytes).unwrap_or(u32::MAX)
}

/// The sum, where a site may have that much of manifests.
pub fn within(weight: u32, more: u32) -> Option<u32> {
    weight.checked_add(more).filter(|sum| *sum <= MAX_HEAVY_BYTES)
}

async fn etag_of(store: &Arc<Store>, bucket: &Bucket, key: &str) -> Result<Option<ETag>, Failure> {
    let key = ObjectKey::parse(key).map_err(Failure::internal)?;
    match store.object(bucket, &key).await {
        Ok(row) => Ok(Some(row.record.summary.etag)),
        Err(store::Error::NoSuchKey(_) | store::Error::DeleteMarker { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn parse(bytes: Vec<u8>, id: DeployId) -> Result<Manifest, Failure> {
    if bytes.len() <= QUICK_BYTES {
        return Manifest::decode(&bytes, id).map_err(Failure::internal);
    }
    let parsed = tokio::task::spawn_blocking(move || Manifest::decode(&bytes, id)).await;
    parsed.map_err(Failure::internal)?.map_err(Failure::internal)
}

#[cfg(test)]
mod tests {
    use super::super::KEPT_BYTES as KEPT_RULES_BYTES;
    use super::*;

    #[test]
    fn the_rules_of_the_heaviest_site_can_be_kept() {
        assert!(weight(MAX_MANIFEST_BYTES) <= MAX_HEAVY_BYTES);
        // As much again is left for what else a site goes by.
        assert!(u64::from(MAX_HEAVY_BYTES) <= KEPT_RULES_BYTES / 2);
    }

    #[test]
    fn earlier_deploys_are_given_up_before_the_site_is_too_heavy_to_keep() {
        assert_eq!(within(1, 2), Some(3));
        assert_eq!(within(MAX_HEAVY_BYTES - 1, 1), Some(MAX_HEAVY_BYTES));
        assert_eq!(within(MAX_HEAVY_BYTES, 1), None);
        assert_eq!(within(1, u32::MAX), None);
    }
}
