//! Refusing writes whose notifications would be too many: for endpoints that must not lose one.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::desk::{Desk, Shared};
use crate::events::rules::TargetName;
use crate::names::ObjectKey;
use crate::store::admission::{Admission, BacklogFull};
use crate::store::record::BucketRecord;

/// Asks the endpoints with `reject-writes` whether there is room.
pub(super) struct Doorkeeper(pub Arc<Shared>);

impl Admission for Doorkeeper {
    fn admit(&self, bucket: &BucketRecord, key: &ObjectKey) -> Result<(), BacklogFull> {
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
    /// Whether the endpoint would hear of some change of the key. Which one it will be is not known yet.
    fn hears(&self, desk: &Desk, bucket: &BucketRecord, key: &ObjectKey) -> bool {
        let endpoint = Arc::clone(&desk.endpoint.borrow());
        if endpoint.id.account != bucket.account {
            return false;
        }
        let Some(rules) = self.0.ports.rules.current(bucket.id) else { return false };
        let Ok(target) = endpoint.target().parse::<TargetName>() else { return false };
        rules.iter().any(|rule| rule.target == target && rule.filter.matches(key))
    }
}

impl Desk {
    fn is_full(&self, head: u64) -> bool {
        let behind = head.saturating_sub(self.reached.load(Ordering::Acquire));
        behind >= self.endpoint.borrow().limits.entries || self.too_old.load(Ordering::Acquire)
    }
}
