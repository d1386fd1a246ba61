//! From the change log to the feed: what an edge hears of each row, if anything.

use std::collections::HashMap;

use super::READ_FEED;
use super::refusal::Refusal;
use crate::access::{self, Arn, Caller, Context, Rules};
use crate::feed::{Entry, Purge, What};
use crate::names::{AccountId, BucketName};
use crate::site;
use crate::store::Position;
use crate::store::change::Change;
use crate::store::log::{Logged, PurgeRecord};

/// What one edge may hear of.
pub struct Ear<'c> {
    caller: &'c Caller,
    context: Context<'c>,
    /// What was decided already: most rows are of few buckets.
    decided: HashMap<(AccountId, BucketName), bool>,
}

impl<'c> Ear<'c> {
    pub fn new(caller: &'c Caller, context: Context<'c>) -> Self {
        Self { caller, context, decided: HashMap::new() }
    }

    /// The entry for a row; `None` where it is nothing to this edge.
    pub fn entry(&mut self, position: Position, row: Logged) -> Result<Option<Entry>, Refusal> {
        let at = row.at();
        let what = match row {
            Logged::Change(change) if self.may_hear(&change.account, &change.bucket) => Some(changed(change)),
            Logged::Purge(purge) if self.is_meant(&purge) => Some(purged(&purge)),
            Logged::Change(_) | Logged::Purge(_) => None,
        };
        Ok(what.map(|what| Entry { offset: position.0, at, what }))
    }

    fn is_meant(&self, purge: &PurgeRecord) -> bool {
        purge.account.is_none() || purge.account.as_ref() == self.caller.principal.account()
    }

    fn may_hear(&mut self, account: &AccountId, bucket: &BucketName) -> bool {
        let name = (account.clone(), bucket.clone());
        if let Some(known) = self.decided.get(&name) {
            return *known;
        }
        let may = may_read_feed(self.caller, account, bucket, &self.context);
        self.decided.insert(name, may);
        may
    }
}

/// Whether `caller` may hear of changes in the bucket, which may be gone: its owner's policies decide, and not its own.
pub fn may_read_feed(caller: &Caller, account: &AccountId, bucket: &BucketName, context: &Context<'_>) -> bool {
    access::decide(caller, READ_FEED, &Arn::bucket(bucket), context, &Rules::of_account(account)).allowed
}

fn changed(change: Change) -> What {
    match change.key {
        None => What::Configuration { bucket: change.bucket },
        Some(key) => {
            let configuration = site::steers(key.as_str());
            What::Object { bucket: change.bucket, key: key.as_str().to_owned(), configuration }
        }
    }
}

/// A purge that this program does not understand is one of everything.
fn purged(purge: &PurgeRecord) -> What {
    match serde_json::from_slice::<Vec<Purge>>(&purge.document) {
        Ok(purges) => What::Purge { purges },
        Err(_) => What::Unknown,
    }
}
