//! Custom domains: which bucket a host name is the site of.
//!
//! A domain is stored as a row that names its bucket by name and number, and belongs to the account that claimed it first.
//! The row of a bucket that is gone serves nothing, and whoever wants the domain then may claim it. Domains that the
//! configuration declares are kept in memory alone, and count before any row.
//!
//! Every request of a website asks, so all rows are kept in memory too. They change here and nowhere else, one after the
//! other, and in memory before the change returns.

mod known;
mod list;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use self::list::{DomainPage, Source, State, Summary};

pub(super) use self::known::Domains;

use super::bucket::{ATTEMPTS, Bucket};
use super::change::{Cause, Change, ChangeKind};
use super::codec::{decode, encode};
use super::mutation::{Mutation, Row};
use super::tables::{self, DOMAINS};
use super::{Error as StoreError, Store};
use crate::clock::Timestamp;
use crate::names::{AccountId, BucketId, BucketName, HostName};

/// The most domains that buckets can claim. All are kept in memory, some hundred bytes each.
pub const MAX_DOMAINS: usize = 100_000;

/// What is stored of a domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainRecord {
    pub bucket: BucketName,
    /// A later bucket of the same name has another number, and not this domain.
    pub bucket_id: BucketId,
    pub account: AccountId,
    pub created: Timestamp,
}

/// A bucket that is to get a domain.
#[derive(Debug, Clone)]
pub struct ClaimDomain {
    pub domain: HostName,
    pub bucket: BucketName,
    pub cause: Cause,
}

/// What a claim came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    pub account: AccountId,
    /// The account's bucket that the domain was at before; this very bucket where nothing changed.
    pub before: Option<BucketName>,
}

/// Why a domain was not claimed or released.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("domain {domain} belongs to account {account}, for bucket {bucket}")]
    Taken { domain: HostName, account: AccountId, bucket: BucketName },
    #[error("domain {domain} is at bucket {bucket} by the configuration file, and can be changed only there")]
    Declared { domain: HostName, bucket: BucketName },
    #[error("domain {0} is at no bucket")]
    NoSuchDomain(HostName),
    #[error("there are {MAX_DOMAINS} custom domains already")]
    TooMany,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A domain's row as it was read, and the bucket's where that lives.
struct Current {
    row: Row<DomainRecord>,
    bucket: Option<Bucket>,
}

impl Store {
    /// Gives the bucket whose site the host is: that of the configuration, otherwise that of a claim; `None` where there
    /// is neither, or the claiming bucket is gone. Fails with [`StoreError::NoSuchBucket`] where the configuration names a
    /// bucket that is not there. Reads nothing but the bucket's row.
    pub async fn domain(&self, host: &HostName) -> Result<Option<Bucket>, StoreError> {
        if let Some(name) = self.domains.declared(host) {
            return self.bucket(&name).await.map(Some);
        }
        match self.domains.claimed(host) {
            Some(record) => self.living(&record).await,
            None => Ok(None),
        }
    }

    /// Sets the domains that the configuration declares, in place of those before; from the next request on.
    pub fn declare_domains(&self, declared: BTreeMap<HostName, BucketName>) {
        self.domains.declare(declared);
    }

    /// Gives a domain to a bucket: one that nobody has, that a bucket had which is gone, or that another bucket of the same
    /// account has. Returns when it is durable, and every request that begins later finds it. A caller that goes away does
    /// not cut the commit.
    pub async fn claim_domain(self: &Arc<Self>, claim: ClaimDomain) -> Result<Claimed, Error> {
        let store = self.clone();
        let task = tokio::spawn(async move {
            let _turn = store.domains.turn().await?;
            let done = store.claim(&claim).await;
            store.settle(&claim.domain, done).await
        });
        task.await.map_err(|_| StoreError::Aborted)?
    }

    /// Takes a domain from the bucket that has it, whoever owns that. Durable, and seen, as with
    /// [`claim_domain`](Self::claim_domain).
    pub async fn release_domain(self: &Arc<Self>, domain: HostName, cause: Cause) -> Result<DomainRecord, Error> {
        let store = self.clone();
        let task = tokio::spawn(async move {
            let _turn = store.domains.turn().await?;
            let done = store.release(&domain, &cause).await;
            store.settle(&domain, done).await
        });
        task.await.map_err(|_| StoreError::Aborted)?
    }

    async fn claim(&self, claim: &ClaimDomain) -> Result<Claimed, Error> {
        self.not_declared(&claim.domain)?;
        for _ in 0..ATTEMPTS {
            let bucket = self.bucket(&claim.bucket).await?;
            let current = self.current_domain(&claim.domain).await?;
            let before = claimable(claim, &bucket, current.as_ref())?;
            let claimed = Claimed { account: bucket.record.account.clone(), before };
            if claimed.before.as_ref() == Some(&claim.bucket) {
                return Ok(claimed);
            }
            if current.is_none() && self.domains.len() >= MAX_DOMAINS {
                return Err(Error::TooMany);
            }
            let record = self.record_of(&bucket);
            // Whoever reads of the change finds it in memory too.
            let _closed = self.log_gate.close().await;
            if self.commit(claiming(claim, &record, &bucket, current)?).await?.is_ok() {
                self.domains.learn(&claim.domain, Some(record));
                return Ok(claimed);
            }
        }
        Err(StoreError::Contended.into())
    }

    fn record_of(&self, bucket: &Bucket) -> DomainRecord {
        DomainRecord {
            bucket: bucket.record.name.clone(),
            bucket_id: bucket.record.id,
            account: bucket.record.account.clone(),
            created: self.clock.now(),
        }
    }

    async fn release(&self, domain: &HostName, cause: &Cause) -> Result<DomainRecord, Error> {
        for _ in 0..ATTEMPTS {
            let Some(Current { row, bucket }) = self.current_domain(domain).await? else {
                self.not_declared(domain)?;
                return Err(Error::NoSuchDomain(domain.clone()));
            };
            let key = tables::domain(domain);
            let mut mutation = Mutation::new().expect(DOMAINS, key.clone(), Some(row.bytes)).delete(DOMAINS, key);
            if let Some(bucket) = &bucket {
                mutation = mutation.log(&change(bucket, self.clock.now(), cause));
            }
            let _closed = self.log_gate.close().await;
            if self.commit(mutation).await?.is_ok() {
                self.domains.learn(domain, None);
                return Ok(row.record);
            }
        }
        Err(StoreError::Contended.into())
    }

    /// Brings the memory to what is stored after a commit whose outcome is not known. Where nothing can be read either, no
    /// request is served.
    async fn settle<T>(&self, domain: &HostName, done: Result<T, Error>) -> Result<T, Error> {
        if matches!(done, Err(Error::Store(_)))
            && let Ok(stored) = self.row::<DomainRecord>(DOMAINS, domain.as_str().as_bytes()).await
        {
            self.domains.learn(domain, stored.map(|row| row.record));
        }
        done
    }

    fn not_declared(&self, domain: &HostName) -> Result<(), Error> {
        match self.domains.declared(domain) {
            Some(bucket) => Err(Error::Declared { domain: domain.clone(), bucket }),
            None => Ok(()),
        }
    }

    async fn current_domain(&self, domain: &HostName) -> Result<Option<Current>, StoreError> {
        let Some(row) = self.row::<DomainRecord>(DOMAINS, domain.as_str().as_bytes()).await? else { return Ok(None) };
        let bucket = self.living(&row.record).await?;
        Ok(Some(Current { row, bucket }))
    }

    /// The bucket that a claim was made for, where that very bucket is still there.
    pub(super) async fn living(&self, record: &DomainRecord) -> Result<Option<Bucket>, StoreError> {
        match self.bucket(&record.bucket).await {
            Ok(bucket) => Ok(Some(bucket).filter(|bucket| bucket.record.id == record.bucket_id)),
            Err(StoreError::NoSuchBucket(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The bucket that has the domain now, or why this claim is refused.
fn claimable(claim: &ClaimDomain, bucket: &Bucket, current: Option<&Current>) -> Result<Option<BucketName>, Error> {
    // A row whose bucket is gone is nobody's.
    let Some(Current { row, bucket: Some(_) }) = current else { return Ok(None) };
    let DomainRecord { account, bucket: before, .. } = row.record.clone();
    if account != bucket.record.account {
        return Err(Error::Taken { domain: claim.domain.clone(), account, bucket: before });
    }
    Ok(Some(before))
}

/// Expects the bucket to live and the domain to be as it was read, and logs the change for every bucket that it touches.
fn claiming(
    claim: &ClaimDomain,
    record: &DomainRecord,
    bucket: &Bucket,
    current: Option<Current>,
) -> Result<Mutation, StoreError> {
    let key = tables::domain(&claim.domain);
    let expected = current.as_ref().map(|current| current.row.bytes.clone());
    let mut mutation =
        Mutation::in_bucket(bucket)?.expect(DOMAINS, key.clone(), expected).put(DOMAINS, key, encode(record));
    for touched in current.iter().filter_map(|current| current.bucket.as_ref()).chain([bucket]) {
        mutation = mutation.log(&change(touched, record.created, &claim.cause));
    }
    Ok(mutation)
}

fn change(bucket: &Bucket, at: Timestamp, cause: &Cause) -> Change {
    Change::of_bucket(&bucket.record, ChangeKind::BucketConfiguration, at, cause.clone())
}

/// Reads a row back: the domain, and what is stored of it.
pub(super) fn parse(key: &Bytes, value: &Bytes) -> Result<(HostName, DomainRecord), StoreError> {
    let domain = tables::parse_domain(key).ok_or(StoreError::Record("a domain's key"))?;
    Ok((domain, decode(value)?))
}
