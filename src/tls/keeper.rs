//! The certificates of a running process: read at the start, at SIGHUP and when their files change, and watched until they
//! end.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::certificate::Certificate;
use super::certificates::Certificates;
use super::files::{Error as FileError, Files, Pair};
use crate::clock::{Clock, Timestamp};
use crate::telemetry::metrics;

/// How often the files are looked at: a question to the file system for each.
const WATCH_INTERVAL: Duration = Duration::from_secs(5);
/// How often it is said that a certificate ends soon.
const REMINDER_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);
/// What "soon" is. Who renews at a third of ninety days has tried for more than two weeks then.
const SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// The most certificates that are measured, each a series of its own. Those that are gone count: a series stays until the
/// server ends.
const MAX_MEASURED: usize = 200;

/// All certificates, and the files that some of them come from.
pub struct CertificateKeeper {
    pub certificates: Arc<Certificates>,
    files: Mutex<Files>,
    /// The names that were ever reported.
    measured: Mutex<BTreeSet<String>>,
    clock: Clock,
}

impl CertificateKeeper {
    /// Reads the files of `pairs`; gives all that is wrong with them, which is reason enough not to start.
    pub async fn open(pairs: Vec<Pair>, clock: &Clock) -> Result<Arc<Self>, Vec<FileError>> {
        let keeper = Arc::new(Self {
            certificates: Arc::default(),
            files: Mutex::default(),
            measured: Mutex::default(),
            clock: clock.clone(),
        });
        let faults = Arc::clone(&keeper).load(pairs).await;
        if !faults.is_empty() {
            return Err(faults);
        }
        keeper.remind(Duration::ZERO);
        Ok(keeper)
    }

    /// Reads the files of `pairs`. What cannot be read keeps the certificate that it had.
    pub async fn reload(self: &Arc<Self>, pairs: Vec<Pair>) {
        let faults = Arc::clone(self).load(pairs).await;
        self.tell(&faults);
    }

    /// Reads files again that change, measures, and tells of certificates that end. Never returns.
    pub async fn watch(self: Arc<Self>) -> Infallible {
        let mut ticks = interval_at(Instant::now(), WATCH_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut reminded = Instant::now();
        loop {
            ticks.tick().await;
            self.measure();
            if let Some(faults) = Arc::clone(&self).load_changed().await {
                tracing::info!("the file of a certificate changed");
                self.tell(&faults);
            }
            if reminded.elapsed() >= REMINDER_INTERVAL {
                reminded = Instant::now();
                self.remind(SOON);
            }
        }
    }

    async fn load(self: Arc<Self>, pairs: Vec<Pair>) -> Vec<FileError> {
        let loading = move || {
            let mut files = self.files.lock();
            let faults = files.load(&pairs);
            self.certificates.set_files(files.loaded());
            faults
        };
        off_runtime(loading).await.unwrap_or_default()
    }

    /// `None` where all is as it was.
    async fn load_changed(self: Arc<Self>) -> Option<Vec<FileError>> {
        let loading = move || {
            let mut files = self.files.lock();
            let faults = files.refresh()?;
            // Under one lock with the reading: a list that SIGHUP brings meanwhile is not to be undone.
            self.certificates.set_files(files.loaded());
            Some(faults)
        };
        off_runtime(loading).await.flatten()
    }

    fn tell(&self, faults: &[FileError]) {
        for fault in faults {
            tracing::error!(%fault, "a certificate was not taken: the one before, if there is one, stays in use");
        }
        self.measure();
        tracing::info!(certificates = self.certificates.all().len(), "certificates are in force");
    }

    /// Warns of every certificate that ends within `soon`.
    fn remind(&self, soon: Duration) {
        let now = self.clock.now();
        for certificate in self.certificates.all() {
            let (label, until) = (&certificate.label, certificate.not_after);
            if until <= now {
                tracing::error!(certificate = label, %until, "a certificate has ended: clients refuse it");
            } else if now < certificate.not_before {
                tracing::error!(certificate = label, from = %certificate.not_before, "a certificate counts only later");
            } else if until <= now.plus(soon) {
                tracing::warn!(certificate = label, %until, "a certificate ends soon");
            }
        }
    }

    fn measure(&self) {
        let ends = ends(&self.certificates.all());
        let mut measured = self.measured.lock();
        admit(&mut measured, &ends);
        for label in measured.iter() {
            let end = ends.get(label).map_or(f64::INFINITY, |end| end.as_millis() as f64 / 1000.0);
            metrics::certificate_ends(label, end);
        }
    }
}

/// Runs what looks at files on a thread that may block.
async fn off_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.inspect_err(|error| tracing::error!(%error, "certificates were not read to their end")).ok()
}

/// When the certificates end, by name; of two with one name the earlier.
fn ends(certificates: &[Arc<Certificate>]) -> BTreeMap<String, Timestamp> {
    let mut ends = BTreeMap::new();
    for certificate in certificates {
        let end = ends.entry(certificate.label.clone()).or_insert(certificate.not_after);
        *end = certificate.not_after.min(*end);
    }
    ends
}

/// Adds the names of `ends` to `measured`, as long as there is room.
fn admit(measured: &mut BTreeSet<String>, ends: &BTreeMap<String, Timestamp>) {
    for label in ends.keys() {
        if measured.len() >= MAX_MEASURED {
            return;
        }
        measured.insert(label.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_gone_count_among_those_that_are_measured() {
        let ends =
            |from: usize| (from..from + 150).map(|n| (format!("{n}.test"), Timestamp::from_seconds(1))).collect();
        let mut measured = BTreeSet::new();
        admit(&mut measured, &ends(0));
        assert_eq!(measured.len(), 150);
        admit(&mut measured, &ends(1000));
        assert_eq!(measured.len(), MAX_MEASURED);
        assert!(measured.contains("0.test") && measured.contains("1000.test"));
    }
}
