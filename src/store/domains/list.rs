//! Custom domains as operators see them.

use serde::{Deserialize, Serialize};

use super::known::Known;
use crate::clock::Timestamp;
use crate::names::{AccountId, BucketName, HostName};
use crate::store::{Error, Store};

/// A domain at a bucket. One that is both declared and claimed is listed twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub domain: HostName,
    pub bucket: BucketName,
    pub source: Source,
    pub state: State,
}

/// Who gave the domain to the bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Configuration,
    Claim { account: AccountId, created: Timestamp },
}

/// Whether the domain leads to the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    InForce,
    /// The configuration gives the domain to a bucket, and that counts.
    Overridden,
    /// The bucket does not exist, or is not the one that the domain was given to.
    NoBucket,
}

/// Domains in order, and where the next page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainPage {
    pub domains: Vec<Summary>,
    pub after: Option<HostName>,
}

impl Store {
    /// Gives a page of at most `limit` domains behind `after`, whoever has them.
    pub async fn domains(&self, after: Option<&HostName>, limit: usize) -> Result<DomainPage, Error> {
        let page = self.domains.page(after, limit);
        let after = (page.len() == limit).then(|| page.last().map(|known| known.domain.clone())).flatten();
        let mut domains = Vec::with_capacity(page.len());
        for known in page {
            self.summarise(known, &mut domains).await?;
        }
        Ok(DomainPage { domains, after })
    }

    async fn summarise(&self, known: Known, into: &mut Vec<Summary>) -> Result<(), Error> {
        let Known { domain, declared, claimed } = known;
        let overridden = declared.is_some();
        if let Some(bucket) = declared {
            let state = match self.bucket(&bucket).await {
                Ok(_) => State::InForce,
                Err(Error::NoSuchBucket(_)) => State::NoBucket,
                Err(error) => return Err(error),
            };
            into.push(Summary { domain: domain.clone(), bucket, source: Source::Configuration, state });
        }
        if let Some(record) = claimed {
            let state = match self.living(&record).await? {
                None => State::NoBucket,
                Some(_) if overridden => State::Overridden,
                Some(_) => State::InForce,
            };
            let source = Source::Claim { account: record.account.clone(), created: record.created };
            into.push(Summary { domain, bucket: record.bucket.clone(), source, state });
        }
        Ok(())
    }
}
