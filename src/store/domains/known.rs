//! The domains in memory: every row, and what the configuration declares.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;

use super::{DomainRecord, parse};
use crate::kv::Kv;
use crate::names::{BucketName, HostName};
use crate::store::Error;
use crate::store::tables::DOMAINS;
use crate::store::walk::Walk;

/// How many rows are read at a time.
const PAGE: usize = 1000;
/// How long a change waits for those before it.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is known of domains. Looking one up waits for no disk and for no change under way.
#[derive(Debug, Default)]
pub struct Domains {
    claimed: RwLock<BTreeMap<HostName, Arc<DomainRecord>>>,
    declared: RwLock<BTreeMap<HostName, BucketName>>,
    /// Held by whoever changes a row, until the memory says the same.
    changing: Mutex<()>,
}

impl Domains {
    /// Reads every row of `kv`. One that does not decode serves nothing, and is for `fsck` to find.
    pub async fn load(kv: &dyn Kv) -> Result<Self, Error> {
        let (mut claimed, mut walk) = (BTreeMap::new(), Walk::over(DOMAINS, PAGE));
        loop {
            let rows = walk.next(kv).await?;
            if rows.is_empty() {
                return Ok(Self { claimed: RwLock::new(claimed), ..Self::default() });
            }
            for (key, value) in rows {
                match parse(&key, &value) {
                    Ok((domain, record)) => drop(claimed.insert(domain, Arc::new(record))),
                    Err(error) => tracing::error!(row = %key.escape_ascii(), %error, "a custom domain is not served"),
                }
            }
        }
    }

    pub fn declared(&self, host: &HostName) -> Option<BucketName> {
        self.declared.read().get(host).cloned()
    }

    pub fn claimed(&self, host: &HostName) -> Option<Arc<DomainRecord>> {
        self.claimed.read().get(host).cloned()
    }

    pub fn declare(&self, declared: BTreeMap<HostName, BucketName>) {
        *self.declared.write() = declared;
    }

    /// Waits until nobody else changes rows, for a while.
    pub async fn turn(&self) -> Result<MutexGuard<'_, ()>, Error> {
        timeout(PATIENCE, self.changing.lock()).await.map_err(|_| Error::Contended)
    }

    /// Notes what is stored of a domain now.
    pub fn learn(&self, domain: &HostName, record: Option<DomainRecord>) {
        let mut claimed = self.claimed.write();
        match record {
            Some(record) => drop(claimed.insert(domain.clone(), Arc::new(record))),
            None => drop(claimed.remove(domain)),
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.claimed.read().len()
    }

    /// The first `limit` domains behind `after`, in order, with what the configuration and a row say of each.
    pub fn page(&self, after: Option<&HostName>, limit: usize) -> Vec<Known> {
        let range = (after.map_or(Unbounded, Excluded), Unbounded);
        let (declared, claimed) = (self.declared.read(), self.claimed.read());
        let mut page: BTreeMap<&HostName, Known> = BTreeMap::new();
        let known = |domain: &HostName| Known { domain: domain.clone(), declared: None, claimed: None };
        for (domain, bucket) in declared.range::<HostName, _>(range).take(limit) {
            page.entry(domain).or_insert_with(|| known(domain)).declared = Some(bucket.clone());
        }
        for (domain, record) in claimed.range::<HostName, _>(range).take(limit) {
            page.entry(domain).or_insert_with(|| known(domain)).claimed = Some(record.clone());
        }
        page.into_values().take(limit).collect()
    }
}

/// What is known of one domain; one of the two is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub domain: HostName,
    pub declared: Option<BucketName>,
    pub claimed: Option<Arc<DomainRecord>>,
}
