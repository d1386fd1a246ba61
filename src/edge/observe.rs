//! Measures what no request measures: what the cache holds, what is being fetched, how far the feed was followed.

use std::convert::Infallible;
use std::sync::Arc;

use tokio::time::{MissedTickBehavior, interval};

use super::engine::Engine;
use super::front::LogSender;
use crate::feed::{FeedState, Moment};
use crate::telemetry::metrics;

/// What is looked at.
pub struct Observed {
    pub engine: Engine,
    /// `None` where there is no feed.
    pub state: Option<Arc<FeedState>>,
    /// `None` where requests are not logged.
    pub log: Option<LogSender>,
}

/// Measures again and again. Never returns.
pub async fn run(observed: &Observed) -> Infallible {
    let mut ticks = interval(metrics::UPKEEP_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        metrics::upkeep();
        observed.measure();
    }
}

impl Observed {
    fn measure(&self) {
        let figures = self.engine.cache().figures();
        metrics::set(metrics::EDGE_MEMORY_BYTES, figures.memory_bytes);
        metrics::set(metrics::EDGE_MEMORY_ENTRIES, figures.memory_entries);
        metrics::count_to(metrics::EDGE_MEMORY_EVICTIONS, figures.memory_evictions);
        metrics::set(metrics::EDGE_DISK_BYTES, figures.disk_bytes);
        metrics::set(metrics::EDGE_DISK_ENTRIES, figures.disk_entries);
        metrics::count_to(metrics::EDGE_DISK_EVICTIONS, figures.disk_evictions);
        metrics::count_to(metrics::EDGE_DISK_DROPPED, figures.disk_writes_dropped);
        metrics::count_to(metrics::EDGE_DISK_CORRUPT, figures.disk_corrupt);
        metrics::set(metrics::EDGE_PURGE_RULES, figures.purge_rules);
        metrics::count_to(metrics::EDGE_PURGE_FOLDED, figures.purge_rules_folded);
        let under_way = self.engine.under_way();
        metrics::set(metrics::EDGE_FILLS, (under_way.fills + under_way.sliced) as u64);
        metrics::set(metrics::EDGE_FILL_BYTES, under_way.bytes);
        if let Some(state) = &self.state {
            metrics::set(metrics::EDGE_FEED_LIVE, u64::from(state.is_live()));
            metrics::set(metrics::EDGE_FEED_LEASE, state.left(Moment::now()).as_secs());
            metrics::set(metrics::EDGE_FEED_OFFSET, state.offset());
        }
        if let Some(log) = &self.log {
            metrics::count_to(metrics::EDGE_LOG_LOST, log.lost());
        }
    }
}
