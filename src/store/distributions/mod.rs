//! Distributions, as CloudFront calls them: the sites that edges have told of, and what was invalidated in each.
//!
//! | row | value |
//! | --- | --- |
//! | `d`, distribution id | [`DistributionRecord`] |
//! | `i`, distribution id, inverted number | [`InvalidationRecord`]: the newest first |
//! | `r`, distribution id, SHA-256 of the caller's reference | the number of the invalidation that has it |
//!
//! They change here and nowhere else, one after the other. An invalidation, the purge that it is in the change log, and what
//! finds it again by its reference are one commit.

mod id;
mod invalidate;
mod rows;

use serde::{Deserialize, Serialize};

pub use self::id::{DistributionId, InvalidId, InvalidationId};
pub use self::invalidate::{Invalidate, Invalidated, MAX_KEPT};

pub(super) use self::rows::check;

use super::codec::{decode, encode};
use super::mutation::Mutation;
use super::tables::DISTRIBUTIONS;
use super::{Error as StoreError, Store};
use crate::clock::Timestamp;
use crate::kv::{Item, Scan};
use crate::names::AccountId;

/// The most distributions of all accounts.
pub const MAX_DISTRIBUTIONS: usize = 10_000;

/// The most distributions of one account: no account takes all.
pub const MAX_OF_ACCOUNT: usize = 2500;

/// What is stored of a distribution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DistributionRecord {
    pub account: AccountId,
    /// The site's id, which is the account's to choose.
    pub site: String,
    /// Whose key the edge signed with that told of it as it is: the id of the principal.
    pub registrant: String,
    /// What the edge told: opaque to the store.
    pub document: Vec<u8>,
    pub created: Timestamp,
    pub modified: Timestamp,
    /// The number of the last invalidation.
    pub invalidations: u64,
}

/// What is stored of an invalidation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvalidationRecord {
    pub number: u64,
    pub reference: String,
    /// As they were given.
    pub items: Vec<String>,
    pub created: Timestamp,
    /// Where its purge is in the log. 0 where a crash came between: then it is before the end of the log.
    pub position: u64,
    /// Nothing of it is left anywhere. What was so once stays so.
    pub completed: bool,
}

/// An edge's site that is to be a distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    pub account: AccountId,
    pub site: String,
    pub registrant: String,
    pub document: Vec<u8>,
}

/// Why a distribution was not changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there are {MAX_DISTRIBUTIONS} distributions already")]
    TooMany,
    #[error("the account has {MAX_OF_ACCOUNT} distributions already")]
    TooManyOfAccount,
    #[error("there is no such distribution")]
    NoSuchDistribution,
    /// The reference was used before, for other items.
    #[error("the reference was used before")]
    ReferenceTaken,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A distribution with its id.
pub type Distribution = (DistributionId, DistributionRecord);

impl Store {
    /// Stores what an edge told of a site, which may be what is stored already. Returns when it is durable.
    pub async fn register_distribution(&self, register: Register) -> Result<DistributionId, Error> {
        let _turn = self.distributing.lock().await;
        let id = DistributionId::of(&register.account, &register.site);
        let now = self.clock.now();
        let record = match self.distribution_record(id).await? {
            Some(known) if known.document == register.document => return Ok(id),
            Some(known) => DistributionRecord {
                registrant: register.registrant,
                document: register.document,
                modified: now,
                ..known
            },
            None => {
                self.check_number(&register.account).await?;
                DistributionRecord {
                    account: register.account,
                    site: register.site,
                    registrant: register.registrant,
                    document: register.document,
                    created: now,
                    modified: now,
                    invalidations: 0,
                }
            }
        };
        let mutation = Mutation::new().put(DISTRIBUTIONS, rows::distribution(id), encode(&record));
        let _ = self.commit(mutation).await?;
        Ok(id)
    }

    async fn check_number(&self, account: &AccountId) -> Result<(), Error> {
        let all = self.distributions(None).await?;
        if all.len() >= MAX_DISTRIBUTIONS {
            return Err(Error::TooMany);
        }
        match all.iter().filter(|(_, record)| record.account == *account).count() {
            MAX_OF_ACCOUNT.. => Err(Error::TooManyOfAccount),
            _ => Ok(()),
        }
    }

    /// Gives a distribution of this account.
    pub async fn distribution(&self, account: &AccountId, id: DistributionId) -> Result<DistributionRecord, Error> {
        let record = self.distribution_record(id).await?.filter(|record| record.account == *account);
        record.ok_or(Error::NoSuchDistribution)
    }

    async fn distribution_record(&self, id: DistributionId) -> Result<Option<DistributionRecord>, StoreError> {
        let bytes = self.kv.get(DISTRIBUTIONS, &rows::distribution(id)).await?;
        bytes.map(|bytes| decode(&bytes)).transpose()
    }

    /// Gives every distribution, or those of one account, ordered by id.
    pub async fn distributions(&self, account: Option<&AccountId>) -> Result<Vec<Distribution>, StoreError> {
        let page = self.kv.scan(Scan::prefix(DISTRIBUTIONS, &rows::DISTRIBUTION, MAX_DISTRIBUTIONS)).await?;
        let mut found = Vec::new();
        for item in page.items {
            let Item::Row { key, value } = item else { continue };
            let id = rows::parse_distribution(&key).ok_or(StoreError::Record("a distribution's key"))?;
            let record: DistributionRecord = decode(&value)?;
            if account.is_none_or(|account| *account == record.account) {
                found.push((id, record));
            }
        }
        Ok(found)
    }
}
