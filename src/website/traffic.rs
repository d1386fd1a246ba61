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

    /// Counts an answer; `site` is a bucket that there is.
    pub fn record(&self, site: Option<&str>, status: u16, sent: u64) {
        match site {
            Some(site) => self.of(site).record(status, sent),
            None => self.others.record(status, sent),
        }
    }

    fn of(&self, site: &str) -> Arc<SiteMetrics> {
        if let Some(known) = self.sites.read().get(site) {
            return Arc::clone(known);
        }
        let mut sites = self.sites.write();
        if sites.len() >= COUNTED_SITES {
            return Arc::clone(&self.others);
        }
        Arc::clone(sites.entry(site.to_owned()).or_insert_with(|| Arc::new(SiteMetrics::new(site))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_sites_are_counted_by_name() {
        let traffic = Traffic::new();
        for number in 0..2 * COUNTED_SITES {
            traffic.record(Some(&format!("bucket-{number}")), 200, 1);
        }
        traffic.record(None, 404, 0);
        assert_eq!(traffic.sites.read().len(), COUNTED_SITES);
        assert!(Arc::ptr_eq(&traffic.of("bucket-999"), &traffic.others));
        assert!(!Arc::ptr_eq(&traffic.of("bucket-0"), &traffic.others));
    }
}
