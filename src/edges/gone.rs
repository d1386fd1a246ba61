//! Whether anything is left at an edge of what was before a change.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::Edges;
use crate::access::Principal;
use crate::feed::{Moment, Position};
use crate::names::AccountId;

/// How often is looked again although nothing was heard: leases end in silence.
const LOOK: Duration = Duration::from_millis(500);

impl Edges {
    /// Whether every live edge, or every one of an account, has dropped what was to go with the change at `offset` and those
    /// before. An edge that may not hear of a change has nothing to drop.
    ///
    /// For a while after a start the answer is no: edges may hold leases of the run before.
    pub fn is_gone(&self, offset: u64, account: Option<&AccountId>) -> bool {
        self.is_gone_at(offset, account, Moment::now())
    }

    pub(super) fn is_gone_at(&self, offset: u64, account: Option<&AccountId>, now: Moment) -> bool {
        if now < self.known_from {
            return false;
        }
        let registry = self.registry.lock();
        let of_account = |principal: &Principal| account.is_none() || principal.account() == account;
        let mut behind = registry.behind(Position { log: self.log(), offset }, now);
        !behind.any(|(_, known)| of_account(&known.details.caller.principal))
    }

    /// Waits until [`Self::is_gone`], no longer than `patience`. Tells whether it is.
    pub async fn wait_until_gone(&self, offset: u64, account: Option<&AccountId>, patience: Duration) -> bool {
        let end = Instant::now() + patience;
        let mut heard = self.heard.subscribe();
        loop {
            heard.mark_unchanged();
            if self.is_gone(offset, account) {
                return true;
            }
            let look = (Instant::now() + LOOK).min(end);
            let _ = timeout_at(look, heard.changed()).await;
            if Instant::now() >= end {
                return self.is_gone(offset, account);
            }
        }
    }
}
