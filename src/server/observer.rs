//! What is measured from time to time rather than when it happens: disk space, and how full the engines are.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use super::foundation::Foundation;
use super::notifications::Notifications;
use super::storage::Storage;
use super::webhook_metrics::WebhookMetrics;
use crate::kv::rocks::RocksKv;
use crate::store::Store;
use crate::telemetry::metrics;

/// A task that measures every [`metrics::UPKEEP_INTERVAL`].
pub struct Observer {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// What is looked at.
#[derive(Clone)]
struct Observed {
    kv: Arc<RocksKv>,
    store: Arc<Store>,
    data: PathBuf,
    webhooks: Arc<WebhookMetrics>,
}

impl Observer {
    /// Measures, so that no metric is missing from the first scrape, and goes on in the background.
    pub async fn start(foundation: &Foundation, storage: &Storage, notifications: &Notifications) -> Self {
        let observed = Observed {
            kv: Arc::clone(&foundation.kv),
            store: Arc::clone(&storage.store),
            data: foundation.dir.path().to_owned(),
            webhooks: Arc::new(webhook_metrics(notifications)),
        };
        observed.measure_store().await;
        observed.clone().measure_off_runtime().await;
        let stop = CancellationToken::new();
        let task = tokio::spawn(observe(observed, stop.clone()));
        Self { stop, task }
    }

    /// Ends after a measurement that is under way; the engines are no longer in use then.
    pub async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "measuring ended badly");
        }
    }
}

fn webhook_metrics(notifications: &Notifications) -> WebhookMetrics {
    WebhookMetrics::new(Arc::clone(&notifications.events.endpoints), notifications.dispatchers.clone())
}

async fn observe(observed: Observed, stop: CancellationToken) {
    let mut ticks = interval_at(Instant::now() + metrics::UPKEEP_INTERVAL, metrics::UPKEEP_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        metrics::upkeep();
        observed.measure_store().await;
        observed.clone().measure_off_runtime().await;
    }
}

impl Observed {
    /// On a thread that may block: both look at the disk.
    async fn measure_off_runtime(self) {
        let measuring = tokio::task::spawn_blocking(move || {
            self.measure_disk();
            self.measure_kv();
        });
        if let Err(error) = measuring.await {
            tracing::warn!(%error, "nothing was measured");
        }
    }

    async fn measure_store(&self) {
        metrics::set(metrics::WRITABLE, u64::from(self.store.writable().is_ok()));
        self.webhooks.measure();
        metrics::count_to(metrics::SCRUB_BYTES, self.store.scrubbed().bytes());
        metrics::count_to(metrics::SCRUB_DAMAGED, self.store.scrubbed().damaged());
        match self.store.sweep_backlog().await {
            Ok(entries) => metrics::set(metrics::SWEEP_BACKLOG, entries),
            Err(error) => tracing::warn!(%error, "the sweep queue does not tell its length"),
        }
    }

    fn measure_disk(&self) {
        match rustix::fs::statvfs(&self.data) {
            Ok(space) => {
                metrics::set(metrics::STORAGE_FREE, space.f_bavail.saturating_mul(space.f_frsize));
                let total = space.f_blocks.saturating_mul(space.f_frsize);
                metrics::set(metrics::STORAGE_TOTAL, total);
                metrics::set(metrics::STORAGE_RESERVE, self.store.reserve(total));
            }
            Err(error) => tracing::warn!(%error, "the disk does not tell its space"),
        }
    }

    fn measure_kv(&self) {
        match self.kv.gauges() {
            Ok(gauges) => {
                metrics::set(metrics::KV_MEMTABLE, gauges.memtable_bytes);
                metrics::set(metrics::KV_CACHE, gauges.cache_bytes);
                metrics::set(metrics::KV_PENDING_COMPACTION, gauges.pending_compaction_bytes);
                metrics::set(metrics::KV_WAL, gauges.wal_bytes);
                metrics::set(metrics::KV_QUEUED, gauges.queued_commits);
            }
            Err(error) => tracing::warn!(%error, "the metadata engine does not tell its state"),
        }
    }
}
