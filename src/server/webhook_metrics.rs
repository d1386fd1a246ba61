//! How webhooks fare, as metrics. The series are bounded: a webhook's name is chosen by whoever makes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::events::endpoint::{Endpoint, Endpoints};
use crate::events::operate::{Breaker, Deliveries, EndpointStatus, LATENCY_BOUNDS};
use crate::telemetry::metrics::{self, WebhookMeasured};

/// How many webhooks have series of their own until the next start; all others are one.
const MAX_NAMED: usize = 200;
/// What the others are called.
const OTHERS: &str = "-";

/// Measures webhooks.
pub struct WebhookMetrics {
    endpoints: Arc<Endpoints>,
    deliveries: Arc<dyn Deliveries>,
    /// Those that have series.
    named: Mutex<BTreeSet<String>>,
}

impl WebhookMetrics {
    pub fn new(endpoints: Arc<Endpoints>, deliveries: Arc<dyn Deliveries>) -> Self {
        Self { endpoints, deliveries, named: Mutex::default() }
    }

    /// Sets every series to what it is now. Those that are gone have nothing before them any more.
    pub fn measure(&self) {
        let mut named = self.named.lock();
        let mut measured: BTreeMap<String, WebhookMeasured> =
            named.iter().map(|name| (name.clone(), WebhookMeasured::default())).collect();
        for endpoint in self.endpoints.all() {
            let name = label(&mut named, endpoint.id.to_string());
            let status = self.deliveries.status(&endpoint.id).unwrap_or_default();
            add(measured.entry(name).or_default(), &endpoint, &status);
        }
        for (name, measured) in measured {
            metrics::webhook(&name, &measured);
        }
    }
}

fn label(named: &mut BTreeSet<String>, name: String) -> String {
    if !named.contains(&name) && named.len() >= MAX_NAMED {
        return OTHERS.to_owned();
    }
    named.insert(name.clone());
    name
}

fn add(sum: &mut WebhookMeasured, endpoint: &Endpoint, status: &EndpointStatus) {
    sum.delivered += status.delivered;
    sum.failed += status.failed;
    sum.dead += status.dead;
    sum.left_out += status.gap;
    sum.backlog += status.backlog;
    sum.deferred += status.deferred;
    sum.oldest = sum.oldest.max(status.oldest.unwrap_or_default());
    sum.stopped += u64::from(!endpoint.is_active());
    sum.failing += u64::from(status.breaker != Breaker::Closed);
    let (mut below, ends) = (0, LATENCY_BOUNDS.iter().copied().chain([u64::MAX]));
    for (end, count) in ends.zip(status.latency) {
        below += count;
        *sum.latency.entry(end).or_default() += below;
    }
    sum.latency_sum += status.latency_sum;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_a_bound_webhooks_share_their_series() {
        let mut named = BTreeSet::new();
        for number in 0..MAX_NAMED {
            assert_ne!(label(&mut named, format!("hook-{number}")), OTHERS);
        }
        assert_eq!(label(&mut named, "one-more".into()), OTHERS);
        assert_eq!(label(&mut named, "hook-0".into()), "hook-0");
        assert_eq!(named.len(), MAX_NAMED);
    }
}
