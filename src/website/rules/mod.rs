//! What sites go by: S3's website configuration, the site's options and rules, and the deploy that is live. Parsed, and kept
//! in memory for as long as nothing that they are made of changes.
//!
//! The bucket's row, which every request reads, has a generation that is raised by every change of the bucket's
//! configuration, and by every change of an object that a site goes by ([`steers`](crate::site::steers)), in the same
//! commit. So nothing else is read while a site stays as it is, and what changed counts for the next request.

mod load;
mod manifests;
mod passwords;

use std::sync::Arc;

use moka::sync::Cache;
use tokio::sync::Mutex;

use self::manifests::Manifests;
use super::failure::{Code, Failure};
use crate::clock::Timestamp;
use crate::names::BucketId;
use crate::site::configuration::Website;
use crate::site::deploy::{DeployId, Manifest};
use crate::site::headers::HeaderRules;
use crate::site::options::Options;
use crate::site::password::Password;
use crate::site::redirects::Redirects;
use crate::store::Store;
use crate::store::bucket::Bucket;

/// How many bytes of rules and manifests are kept in memory.
const KEPT_BYTES: u64 = 256 * 1024 * 1024;
/// Of how many sites is known that they have no rules to go by.
const MAX_FAULTY: u64 = 10_000;
/// How many sites are read at the same time.
const LANES: usize = 16;

/// What a site goes by.
pub struct SiteRules {
    /// The generation of the bucket's configuration that these are of.
    generation: u64,
    /// What these take in memory, at most.
    weight: u32,
    pub website: Website,
    /// `None`: the site is S3's website endpoint and nothing more.
    pub modern: Option<Modern>,
    /// What visitors must know.
    pub password: Option<Password>,
    /// `None`: the site's files are the bucket's objects.
    pub deploy: Option<Deploy>,
}

/// What a site has beyond S3's website endpoint.
pub struct Modern {
    pub options: Options,
    pub redirects: Redirects,
    pub headers: HeaderRules,
}

/// The deploy that a site is.
pub struct Deploy {
    pub manifest: Arc<Manifest>,
    /// Those that were live before, newest first, and until when their fingerprinted files are served.
    previous: Vec<(Timestamp, Arc<Manifest>)>,
}

/// Which of a bucket's sites: the live one, or the preview of a deploy.
type Name = (BucketId, Option<DeployId>);

/// The rules of all sites. Bounded: what does not fit is read again.
pub struct RulesCache {
    kept: Cache<Name, Arc<SiteRules>>,
    /// Sites whose options are at fault and always were, and the generation that this is of.
    faulty: Cache<Name, u64>,
    manifests: Manifests,
    /// Whoever reads the rules of a site holds its lane, so that everybody who waits for them finds them read.
    lanes: [Mutex<()>; LANES],
}

impl RulesCache {
    pub fn new() -> Self {
        let weigher = |_: &Name, rules: &Arc<SiteRules>| rules.weight;
        let kept = Cache::builder().weigher(weigher).max_capacity(KEPT_BYTES).build();
        let faulty = Cache::new(MAX_FAULTY);
        Self { kept, faulty, manifests: Manifests::new(), lanes: std::array::from_fn(|_| Mutex::default()) }
    }

    /// The rules of a bucket's site as of the row that is given or later; of the preview of a deploy where one is named.
    /// Fails where there is no such site.
    pub async fn of(
        &self,
        store: &Arc<Store>,
        bucket: &Bucket,
        preview: Option<DeployId>,
        now: Timestamp,
    ) -> Result<Arc<SiteRules>, Failure> {
        let name = (bucket.record.id, preview);
        if let Some(known) = self.current(&name, bucket) {
            return known;
        }
        let _turn = self.lanes[bucket.record.id.0 as usize % LANES].lock().await;
        if let Some(known) = self.current(&name, bucket) {
            return known;
        }
        let before = self.kept.get(&name);
        match load::load(store, &self.manifests, bucket, preview, now, before.as_deref()).await {
            Ok(rules) => {
                let rules = Arc::new(rules);
                self.kept.insert(name, Arc::clone(&rules));
                Ok(rules)
            }
            Err(failure) => {
                if is_fault(&failure) {
                    self.faulty.insert(name, bucket.record.configuration);
                }
                Err(failure)
            }
        }
    }

    /// What is known of the site as of the bucket's row.
    fn current(&self, name: &Name, bucket: &Bucket) -> Option<Result<Arc<SiteRules>, Failure>> {
        let generation = bucket.record.configuration;
        if let Some(rules) = self.kept.get(name).filter(|rules| rules.generation >= generation) {
            return Some(Ok(rules));
        }
        let is_faulty = self.faulty.get(name).is_some_and(|known| known >= generation);
        is_faulty.then(|| Err(Failure::new(Code::ServiceUnavailable)))
    }
}

/// Whether a site's rules cannot be read until they are others: nothing else is unavailable for no cause.
fn is_fault(failure: &Failure) -> bool {
    failure.code == Code::ServiceUnavailable && failure.source.is_none()
}

impl SiteRules {
    /// Whether the site's options say that this file never changes.
    pub fn is_immutable(&self, key: &str) -> bool {
        self.modern.as_ref().is_some_and(|modern| modern.options.is_immutable(key))
    }

    /// Whether these are of another state of the site than `other`.
    pub fn differ(&self, other: &Self) -> bool {
        self.generation != other.generation
    }
}

impl Deploy {
    /// The deploys before, newest first, whose fingerprinted files are still served.
    pub fn earlier(&self, now: Timestamp) -> impl Iterator<Item = &Manifest> {
        self.previous.iter().filter(move |(until, _)| now < *until).map(|(_, manifest)| &**manifest)
    }
}
