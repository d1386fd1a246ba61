//! Ports for who delivers the change log: holding what was not delivered yet, and refusing writes when that is too much.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::error::Error;
use super::record::BucketRecord;
use super::{Position, Store};
use crate::names::ObjectKey;

/// Who is asked before an object changes.
pub trait Admission: Send + Sync + 'static {
    /// Whether `key` may change now. Asked for every mutation of an object, before it is committed: must not block.
    fn admit(&self, bucket: &BucketRecord, key: &ObjectKey) -> Result<(), BacklogFull>;
}

/// Nobody takes the notifications of a change, and it may not be lost: so it may not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the endpoint {endpoint} does not take notifications, and so many wait for it that its bucket takes no more writes"
)]
pub struct BacklogFull {
    /// The endpoint that everything waits for, as its owner knows it.
    pub endpoint: String,
}

/// What the ports hold. By itself nothing is held and everything admitted.
pub(super) struct Ports {
    admission: OnceLock<Arc<dyn Admission>>,
    /// Rows behind this position are not trimmed.
    held: AtomicU64,
}

impl Default for Ports {
    fn default() -> Self {
        Self { admission: OnceLock::new(), held: AtomicU64::new(u64::MAX) }
    }
}

impl Store {
    /// Has `admission` asked before every mutation of an object from now on. Only the first call counts.
    pub fn set_admission(&self, admission: Arc<dyn Admission>) {
        let _ = self.ports.admission.set(admission);
    }

    /// Keeps what is behind `position` from being trimmed; `None`: nothing, as at the beginning. The last call counts. A trim
    /// that is under way may still remove what was behind the position of the call before.
    pub fn hold_log(&self, position: Option<Position>) {
        self.ports.held.store(position.map_or(u64::MAX, |position| position.0), Ordering::Release);
    }

    /// The first position that a trim leaves, whatever its age.
    pub(super) fn first_held(&self) -> u64 {
        self.ports.held.load(Ordering::Acquire).saturating_add(1)
    }

    /// Fails with [`Error::Backlog`] where `key` may not change now.
    pub(super) fn admit(&self, bucket: &BucketRecord, key: &ObjectKey) -> Result<(), Error> {
        self.ports.admission.get().map_or(Ok(()), |admission| Ok(admission.admit(bucket, key)?))
    }
}
