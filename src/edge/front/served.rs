//! The sites that are served just now, each with what belongs to it while it is: measures and buckets of tokens.

use std::sync::Arc;

use super::super::config::{LimitsOptions, ProxiesOptions, PurgeOptions};
use super::super::site::{Site, Sites};
use super::measures::Measures;
use super::rate::Limiter;

/// A site, and what is kept of its clients.
pub struct Served {
    pub site: Arc<Site>,
    pub measures: Arc<Measures>,
    /// One for each behaviour with a rate, in the order of the site's behaviours.
    pub limiters: Vec<Option<Limiter>>,
}

/// What a reload replaces, all at once.
pub struct Table {
    pub sites: Sites<Arc<Served>>,
    pub proxies: ProxiesOptions,
    pub purge: PurgeOptions,
    pub limits: LimitsOptions,
}

impl Served {
    /// Serves `site`. What was measured of `before`, the same site in the table before, goes on.
    pub fn new(site: Arc<Site>, before: Option<&Self>) -> Self {
        let measures = match before {
            Some(before) => Arc::clone(&before.measures),
            None => Arc::new(Measures::new(site.id.as_str())),
        };
        let limiters = site.behaviours.iter().map(|behaviour| behaviour.access.rate.map(Limiter::new)).collect();
        Self { site, measures, limiters }
    }
}

impl Table {
    pub fn new(
        sites: Vec<Arc<Site>>,
        proxies: ProxiesOptions,
        purge: PurgeOptions,
        limits: LimitsOptions,
        before: Option<&Self>,
    ) -> Self {
        let served = sites.into_iter().map(|site| {
            let same = before.and_then(|table| table.sites.of_id(site.id.as_str()));
            Arc::new(Served::new(site, same.map(Arc::as_ref)))
        });
        Self { sites: Sites::new(served.collect(), |served| &served.site), proxies, purge, limits }
    }
}
