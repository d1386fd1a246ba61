//! What a follower works on: whatever holds responses, and drops them when it is told.

use async_trait::async_trait;
use bytes::Bytes;

use crate::feed::{Entry, Purge, What};

/// What is to be dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gone {
    /// Whatever depends on what this tag stands for: see [`Dependency::tag`](crate::feed::Dependency::tag).
    Dependents(String),
    Purged(Purge),
}

/// Why something may not be dropped: then nothing is acknowledged, and the lease runs out.
#[derive(Debug, thiserror::Error)]
#[error("what is to go could not be noted: {0}")]
pub struct HolderError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Holds responses.
#[async_trait]
pub trait Holder: Send + Sync + 'static {
    /// Drops what is gone, and keeps fills under way from storing it. Returns when no crash brings any of it back.
    async fn drop_all(&self, gone: Vec<Gone>) -> Result<(), HolderError>;

    /// Drops everything, as [`Self::drop_all`] does.
    async fn flush(&self) -> Result<(), HolderError>;

    /// What was saved last, if what is held is from that time or later.
    fn cursor(&self) -> Option<Bytes>;

    /// Saves where the follower is. Losing the newest costs having some of it dropped again.
    async fn save_cursor(&self, cursor: Bytes);
}

/// What an entry has dropped; `None` where it may be anything.
pub fn gone(entry: Entry) -> Option<Vec<Gone>> {
    use crate::feed::Dependency;
    match entry.what {
        What::Object { bucket, key, configuration } => {
            let object = Dependency::Object { bucket: bucket.clone(), key };
            let mut gone = vec![Gone::Dependents(object.tag().into_owned())];
            if configuration {
                gone.push(Gone::Dependents(Dependency::Configuration { bucket }.tag().into_owned()));
            }
            Some(gone)
        }
        What::Configuration { bucket } => {
            Some(vec![Gone::Dependents(Dependency::Configuration { bucket }.tag().into_owned())])
        }
        What::Purge { purges } => Some(purges.into_iter().map(Gone::Purged).collect()),
        What::Unknown => None,
    }
}
