//! Which bucket a preview's label means: it ends with the bucket's name, or with a hash of it where the name is too long for
//! a label, or more than one.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::Mutex;

use super::failure::Failure;
use crate::names::BucketName;
use crate::site::deploy::{Rest, rest_of};
use crate::store::bucket::Bucket;
use crate::store::{self, Store};

/// How many buckets are read at a time.
const PAGE: usize = 1000;

/// The names of buckets by their hashes, learned when a hash is asked for.
pub struct Previews {
    known: RwLock<Known>,
    /// Held while the names are read.
    learning: Mutex<()>,
}

#[derive(Default)]
struct Known {
    /// How many buckets had been made when the names were read.
    made: u64,
    names: HashMap<String, BucketName>,
}

impl Previews {
    pub fn new() -> Self {
        Self { known: RwLock::default(), learning: Mutex::default() }
    }

    /// The bucket that is meant, if there is one.
    pub async fn bucket_of(&self, store: &Arc<Store>, rest: &Rest) -> Result<Option<Bucket>, Failure> {
        if let Some(name) = rest.as_bucket()
            && rest.means(&name)
            && let Some(bucket) = existing(store, &name).await?
        {
            return Ok(Some(bucket));
        }
        if !rest.is_hash_shaped() {
            return Ok(None);
        }
        match self.hashed(store, rest).await? {
            Some(name) => existing(store, &name).await,
            None => Ok(None),
        }
    }

    async fn hashed(&self, store: &Arc<Store>, rest: &Rest) -> Result<Option<BucketName>, Failure> {
        if let Some(name) = self.known.read().names.get(rest.as_str()) {
            return Ok(Some(name.clone()));
        }
        let _turn = self.learning.lock().await;
        // Where no bucket was made since, a hash that was not known then is nobody's.
        let made = store.buckets_made().await?;
        if self.known.read().made != made {
            let names = self.learn(store).await?;
            *self.known.write() = Known { made, names };
        }
        Ok(self.known.read().names.get(rest.as_str()).cloned())
    }

    async fn learn(&self, store: &Arc<Store>) -> Result<HashMap<String, BucketName>, Failure> {
        let (mut names, mut after) = (HashMap::new(), None);
        loop {
            let page = store.bucket_names(after.as_ref(), PAGE).await?;
            after = page.last().cloned();
            if after.is_none() {
                return Ok(names);
            }
            for name in page {
                let rest = rest_of(&name);
                if rest != name.as_str() {
                    names.insert(rest, name);
                }
            }
        }
    }
}

/// The bucket of this name, if there is one.
pub async fn existing(store: &Store, name: &BucketName) -> Result<Option<Bucket>, Failure> {
    match store.bucket(name).await {
        Ok(bucket) => Ok(Some(bucket)),
        Err(store::Error::NoSuchBucket(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
