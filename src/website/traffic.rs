//! What each site is asked for, for the metrics.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::telemetry::metrics::SiteMetrics;

/// How many sites are counted each by its name, for as long as the process runs: the first ones. Metrics are kept for ever.
const COUNTED_SITES: usize = 256;

/// The name under which all other sites are counted, and requests for none. No bucket's name has so few characters.
const OTHERS: &str = "-";

/// Counts requests by site.
pub struct Traffic {
    sites: RwLock<HashMap<String, Arc<SiteMetrics>>>,
    others: Arc<SiteMetrics>,
}

impl Traffic {
    pub fn new() -> Self {
        Self { sites: RwLock::default(), others: Arc::new(SiteMetrics::new(OTHERS)) }
    }

    /// Counts an answer; `site` is a bucket that there is. It is counted by its name from its first answer on that is no
    /// failure: who asks for buckets that are no sites takes no site's place.
    pub fn record(&self, site: Option<&str>, status: u16, sent: u64) {
        let of_site = site.and_then(|site| self.of(site, status < 400));
        of_site.as_ref().unwrap_or(&self.others).record(status, sent);
    }

    /// The counts of a site; of one that has none yet where there is room, and it `may_begin`.
    fn of(&self, site: &str, may_begin: bool) -> Option<Arc<SiteMetrics>> {
        {
            let sites = self.sites.read();
            if let Some(known) = sites.get(site) {
                return Some(Arc::clone(known));
            }
            if !may_begin || sites.len() >= COUNTED_SITES {
                return None;
            }
        }
        let mut sites = self.sites.write();
        // Others may have begun between the two locks.
        if sites.len() >= COUNTED_SITES {
            return sites.get(site).cloned();
        }
        Some(Arc::clone(sites.entry(site.to_owned()).or_insert_with(|| Arc::new(SiteMetrics::new(site)))))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_so_many_sites_are_counted_by_name() {
        let traffic = Traffic::new();
        for number in 0..2 * COUNTED_SITES {
            traffic.record(Some(&format!("bucket-{number}")), 200, 1);
        }
        traffic.record(None, 404, 0);
        assert_eq!(traffic.sites.read().len(), COUNTED_SITES);
        assert!(traffic.of("bucket-511", true).is_none());
        assert!(traffic.of("bucket-0", true).is_some());
    }

    #[test]
    fn a_bucket_that_only_fails_takes_no_sites_place() {
        let traffic = Traffic::new();
        traffic.record(Some("bucket"), 404, 1);
        assert!(traffic.sites.read().is_empty());
        traffic.record(Some("bucket"), 304, 0);
        traffic.record(Some("bucket"), 404, 1);
        assert!(traffic.of("bucket", false).is_some());
    }

    #[test]
    fn a_site_that_is_not_counted_waits_for_no_other() {
        let traffic = Arc::new(Traffic::new());
        for number in 0..COUNTED_SITES {
            traffic.record(Some(&format!("bucket-{number}")), 200, 1);
        }
        // Who wants to write has to wait for this one.
        let _reader = traffic.sites.read();
        let (done, counted) = std::sync::mpsc::channel();
        let shared = Arc::clone(&traffic);
        std::thread::spawn(move || {
            shared.record(Some("another"), 200, 1);
            done.send(())
        });
        assert_eq!(counted.recv_timeout(Duration::from_secs(10)), Ok(()));
    }
}
