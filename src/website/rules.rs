//! The rules of sites, parsed, and kept in memory for as long as nothing they are made of changes.

use std::sync::Arc;

use moka::sync::Cache;

use super::failure::{Code, Failure};
use crate::names::BucketId;
use crate::site::configuration::Website;
use crate::store::Store;
use crate::store::bucket::Bucket;
use crate::store::configuration::Kind;

/// How many bytes of rules are kept in memory.
const KEPT_BYTES: u64 = 64 * 1024 * 1024;
/// What a site's rules count besides what they were read from.
const ENTRY_BYTES: usize = 1024;
/// How much longer parsed rules may be than their text.
const TIMES: usize = 4;

/// What a site goes by.
pub struct SiteRules {
    /// The generation of the bucket's configuration that these are of.
    generation: u64,
    weight: u32,
    pub website: Website,
}

/// The rules of all sites. Bounded: what does not fit is read again.
pub struct RulesCache(Cache<BucketId, Arc<SiteRules>>);

impl RulesCache {
    pub fn new() -> Self {
        let weigher = |_: &BucketId, rules: &Arc<SiteRules>| rules.weight;
        Self(Cache::builder().weigher(weigher).max_capacity(KEPT_BYTES).build())
    }

    /// The rules of a bucket's site, as its row has their generation; fails where it has none.
    pub async fn of(&self, store: &Store, bucket: &Bucket) -> Result<Arc<SiteRules>, Failure> {
        let (id, generation) = (bucket.record.id, bucket.record.configuration);
        if let Some(rules) = self.0.get(&id)
            && rules.generation == generation
        {
            return Ok(rules);
        }
        let rules = Arc::new(SiteRules::read(store, bucket).await?);
        self.0.insert(id, Arc::clone(&rules));
        Ok(rules)
    }
}

impl SiteRules {
    async fn read(store: &Store, bucket: &Bucket) -> Result<Self, Failure> {
        let configuration = store.configuration(bucket).await?;
        let Some(document) = configuration.get(Kind::Website) else {
            let name = bucket.record.name.as_str();
            return Err(Failure::new(Code::NoSuchWebsiteConfiguration).detail("BucketName", name));
        };
        let website = Website::decode(document).map_err(Failure::internal)?;
        let weight = u32::try_from(ENTRY_BYTES + TIMES * document.len()).unwrap_or(u32::MAX);
        Ok(Self { generation: bucket.record.configuration, weight, website })
    }
}
