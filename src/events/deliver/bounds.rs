//! What an endpoint may keep waiting, and what is shown of it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::breaker::Gate;
use super::dispatcher::Dispatcher;
use super::error::Error;
use super::rows::{Delivery, GapReason};
use crate::events::endpoint::OnFull;
use crate::events::operate::{Breaker, EndpointStatus};
use crate::events::tables::{self, DEAD_LETTERS, DELIVERIES};
use crate::kv::{Item, Scan};
use crate::store::codec::decode;

/// The most dead letters of an endpoint: beyond, the oldest make room.
pub const MAX_DEAD_LETTERS: u64 = 100_000;
/// How long attempts are kept.
pub const ATTEMPTS_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// How often what is kept for too long is looked for.
const CLEANING: Duration = Duration::from_secs(60);
/// How many rows are removed at a time.
const PAGE: usize = 500;

impl Dispatcher {
    /// Holds the endpoint to its limits, whether or not it is being delivered to.
    pub async fn keep_bounds(&mut self) -> Result<(), Error> {
        if self.halted && self.endpoint.is_active() {
            // It could not be disabled yet: the receiver is asked again.
            self.halted = false;
        }
        let (limits, head, cursor) = (self.endpoint.limits, self.shared.head(), self.window.cursor());
        let oldest = self.now().as_millis().saturating_sub(u64::try_from(limits.age.as_millis()).unwrap_or(u64::MAX));
        let oldest = crate::clock::Timestamp::from_millis(oldest);
        let too_old = cursor < head && self.time_behind(cursor).await?.is_some_and(|at| at < oldest);
        self.desk.too_old.store(too_old && limits.on_full == OnFull::RejectWrites, Ordering::Release);
        if limits.on_full == OnFull::RejectWrites {
            return Ok(());
        }
        if head.saturating_sub(cursor) > limits.entries {
            self.leave_out(head - limits.entries, GapReason::Entries);
        } else if too_old {
            let to = self.last_before(cursor, oldest).await?;
            self.leave_out(to, GapReason::Age);
        }
        Ok(())
    }

    /// Removes what is kept for too long.
    pub async fn clean(&mut self) -> Result<(), Error> {
        let now = self.now();
        if now < self.next_cleaning {
            return Ok(());
        }
        self.next_cleaning = now.plus(CLEANING);
        self.forget_attempts().await?;
        self.forget_letters().await
    }

    async fn forget_attempts(&mut self) -> Result<(), Error> {
        let (number, now) = (self.endpoint.number, self.now());
        let start = tables::numbered(number, self.progress.attempts.0).to_vec();
        let scan = Scan { start, ..Scan::prefix(DELIVERIES, &tables::endpoint(number), PAGE) };
        for item in self.shared.ports.kv.scan(scan).await?.items {
            let Item::Row { key, value } = item else { continue };
            let (Some(sequence), delivery) = (tables::parse_numbered(&key), decode::<Delivery>(&value)?) else {
                continue;
            };
            if now.since(delivery.at) <= self.shared.attempts_kept() {
                break;
            }
            self.pending.delete(DELIVERIES, key);
            self.progress.attempts.0 = sequence + 1;
            self.pending.settled(0, now);
        }
        Ok(())
    }

    async fn forget_letters(&mut self) -> Result<(), Error> {
        let (number, now) = (self.endpoint.number, self.now());
        let counts = &mut self.progress.counts;
        let surplus = usize::try_from(counts.letters.saturating_sub(MAX_DEAD_LETTERS)).unwrap_or(usize::MAX).min(PAGE);
        if surplus == 0 {
            return Ok(());
        }
        let scan = Scan::prefix(DEAD_LETTERS, &tables::endpoint(number), surplus);
        let items = self.shared.ports.kv.scan(scan).await?.items;
        tracing::warn!(webhook = %self.endpoint.id, letters = items.len(), "dead letters are removed to make room for newer ones");
        for item in items {
            let Item::Row { key, .. } = item else { continue };
            self.pending.delete(DEAD_LETTERS, key);
            counts.letters -= 1;
            counts.forgotten += 1;
        }
        self.pending.settled(0, now);
        // There may be more of them.
        self.next_cleaning = now;
        Ok(())
    }

    /// Finds out how old the oldest is that is not settled.
    pub async fn look_for_age(&mut self) -> Result<(), Error> {
        let cursor = self.window.cursor();
        let in_log = if cursor < self.shared.head() { self.time_behind(cursor).await? } else { None };
        let oldest = in_log.into_iter().chain(self.queue.oldest_held()).min();
        self.desk.status.lock().oldest = oldest.map(|oldest| self.now().since(oldest));
        Ok(())
    }

    /// Brings up to date what others see.
    pub fn show(&self) {
        let now = self.now();
        let breaker = match (self.breaker.is_tripped(), self.breaker.gate(now)) {
            (false, _) => Breaker::Closed,
            (true, Gate::Shut(Some(_))) => Breaker::Open,
            (true, _) => Breaker::HalfOpen,
        };
        let counts = &self.progress.counts;
        let latency = *self.desk.latency.lock();
        let mut status = self.desk.status.lock();
        *status = EndpointStatus {
            delivered: counts.delivered,
            failed: counts.failed,
            dead: counts.dead,
            gap: counts.skipped,
            backlog: self.shared.head().saturating_sub(self.window.cursor()),
            deferred: self.queue.held_len() as u64,
            in_flight: self.flying as u64,
            oldest: status.oldest,
            breaker,
            latency: latency.classes,
            latency_sum: latency.sum_micros / 1000,
        };
    }
}
