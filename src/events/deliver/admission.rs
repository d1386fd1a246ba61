//! Refusing writes whose notifications would be too many: for endpoints that must not lose one.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::desk::{Desk, Shared};
use crate::events::rules::TargetName;
use crate::names::{BucketId, ObjectKey};
use crate::store::admission::{Admission, BacklogFull};

/// Asks the endpoints with `reject-writes` whether there is room.
pub(super) struct Doorkeeper(pub Arc<Shared>);

impl Admission for Doorkeeper {
    fn admit(&self, bucket: BucketId, key: &ObjectKey) -> Result<(), BacklogFull> {
        // Nearly always: nobody is that strict.
        if !self.0.any_strict.load(Ordering::Acquire) {
            return Ok(());
        }
        let strict = Arc::clone(&self.0.strict.read());
        let head = self.0.head();
        let full = |desk: &&Arc<Desk>| desk.is_full(head) && self.hears(desk, bucket, key);
        match strict.iter().find(full) {
            Some(desk) => Err(BacklogFull { endpoint: desk.endpoint.borrow().id.name.as_str().to_owned() }),
            None => Ok(()),
        }
    }
}

impl Doorkeeper {
    /// Whether the endpoint would hear of some change of the key. Which one it will be is not known yet. A bucket's account is
    /// not known here either: an endpoint of the same name in another account holds up more than it had to, and only while it
    /// is full.
    fn hears(&self, desk: &Desk, bucket: BucketId, key: &ObjectKey) -> bool {
        let Some(rules) = self.0.ports.rules.current(bucket) else { return false };
        let Ok(target) = desk.endpoint.borrow().target().parse::<TargetName>() else { return false };
        rules.iter().any(|rule| rule.target == target && rule.filter.matches(key))
    }
}

impl Desk {
    fn is_full(&self, head: u64) -> bool {
        let behind = head.saturating_sub(self.reached.load(Ordering::Acquire));
        behind >= self.endpoint.borrow().limits.entries || self.too_old.load(Ordering::Acquire)
    }
}
