//! Metrics in the Prometheus text format.
//!
//! Names are declared once, in `METRICS`. On the hot path nothing is looked up: [`RequestMetrics`] registers a handle per
//! operation and status class at the start, and recording is an index and a few atomic additions.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

pub const REQUESTS: &str = "brim_requests_total";
pub const REQUEST_SECONDS: &str = "brim_request_seconds";
pub const REQUEST_BYTES: &str = "brim_request_bytes_total";
pub const RESPONSE_BYTES: &str = "brim_response_bytes_total";
pub const SITE_REQUESTS: &str = "brim_site_requests_total";
pub const SITE_BYTES: &str = "brim_site_response_bytes_total";
pub const CONNECTIONS: &str = "brim_connections";
pub const STORAGE_FREE: &str = "brim_storage_free_bytes";
pub const STORAGE_TOTAL: &str = "brim_storage_total_bytes";
pub const STORAGE_RESERVE: &str = "brim_storage_reserve_bytes";
pub const TLS_FAILED: &str = "brim_tls_handshakes_failed_total";
pub const CERTIFICATE_END: &str = "brim_certificate_not_after_seconds";
pub const ACME_FAILING: &str = "brim_acme_failing_domains";
pub const ACME_ORDERS: &str = "brim_acme_orders_total";
pub const WRITABLE: &str = "brim_writable";
pub const SWEEP_BACKLOG: &str = "brim_sweep_queue_entries";
pub const SCRUB_BYTES: &str = "brim_scrub_bytes_total";
pub const SCRUB_DAMAGED: &str = "brim_scrub_damaged_total";
pub const KV_MEMTABLE: &str = "brim_kv_memtable_bytes";
pub const KV_CACHE: &str = "brim_kv_cache_bytes";
pub const KV_PENDING_COMPACTION: &str = "brim_kv_pending_compaction_bytes";
pub const KV_WAL: &str = "brim_kv_wal_bytes";
pub const KV_QUEUED: &str = "brim_kv_queued_commits";
pub const WEBHOOK_DELIVERED: &str = "brim_webhook_delivered_total";
pub const WEBHOOK_FAILED: &str = "brim_webhook_failed_total";
pub const WEBHOOK_DEAD: &str = "brim_webhook_dead_total";
pub const WEBHOOK_LEFT_OUT: &str = "brim_webhook_left_out_total";
pub const WEBHOOK_BACKLOG: &str = "brim_webhook_backlog";
pub const WEBHOOK_DEFERRED: &str = "brim_webhook_deferred";
pub const WEBHOOK_OLDEST: &str = "brim_webhook_oldest_seconds";
pub const WEBHOOK_STOPPED: &str = "brim_webhook_stopped";
pub const WEBHOOK_FAILING: &str = "brim_webhook_failing";
pub const WEBHOOK_SECONDS_BUCKET: &str = "brim_webhook_seconds_bucket";
pub const WEBHOOK_SECONDS_SUM: &str = "brim_webhook_seconds_sum";
pub const WEBHOOK_SECONDS_COUNT: &str = "brim_webhook_seconds_count";
pub const START_TIME: &str = "brim_start_time_seconds";

pub const EDGE_REQUESTS: &str = "brim_edge_requests_total";
pub const EDGE_SENT: &str = "brim_edge_response_bytes_total";
pub const EDGE_RECEIVED: &str = "brim_edge_request_bytes_total";
pub const EDGE_COLLAPSED: &str = "brim_edge_collapsed_total";
pub const EDGE_REFUSED: &str = "brim_edge_refused_total";
pub const EDGE_ORIGIN_SECONDS: &str = "brim_edge_origin_seconds";
pub const EDGE_CONNECTIONS: &str = "brim_edge_connections";
pub const EDGE_MEMORY_BYTES: &str = "brim_edge_memory_bytes";
pub const EDGE_MEMORY_ENTRIES: &str = "brim_edge_memory_entries";
pub const EDGE_MEMORY_EVICTIONS: &str = "brim_edge_memory_evictions_total";
pub const EDGE_DISK_BYTES: &str = "brim_edge_disk_bytes";
pub const EDGE_DISK_ENTRIES: &str = "brim_edge_disk_entries";
pub const EDGE_DISK_EVICTIONS: &str = "brim_edge_disk_evictions_total";
pub const EDGE_DISK_DROPPED: &str = "brim_edge_disk_writes_dropped_total";
pub const EDGE_DISK_CORRUPT: &str = "brim_edge_disk_corrupt_total";
pub const EDGE_PURGE_RULES: &str = "brim_edge_purge_rules";
pub const EDGE_PURGE_FOLDED: &str = "brim_edge_purge_rules_folded_total";
pub const EDGE_FILLS: &str = "brim_edge_fills";
pub const EDGE_FILL_BYTES: &str = "brim_edge_fill_bytes";
pub const EDGE_FEED_LIVE: &str = "brim_edge_feed_live";
pub const EDGE_FEED_LEASE: &str = "brim_edge_feed_lease_seconds";
pub const EDGE_FEED_OFFSET: &str = "brim_edge_feed_offset";
pub const EDGE_LOG_LOST: &str = "brim_edge_log_lost_total";
pub const EDGE_LOG_UPLOADS: &str = "brim_edge_log_uploads_total";

/// How often [`upkeep`] has to run: histogram samples wait in memory in between.
pub const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Upper bounds of the request duration buckets, in seconds.
const DURATION_BUCKETS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0];

const STATUS_CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

enum Type {
    Counter,
    Gauge,
    Histogram,
}

/// Every metric: its type, its name, and what it counts.
const METRICS: &[(Type, &str, &str)] = &[
    (Type::Counter, REQUESTS, "Requests answered, by operation and class of status."),
    (Type::Histogram, REQUEST_SECONDS, "Seconds from a request's head to the end of its answer, by operation."),
    (Type::Counter, REQUEST_BYTES, "Bytes of request bodies received, by operation."),
    (Type::Counter, RESPONSE_BYTES, "Bytes of response bodies sent, by operation."),
    (
        Type::Counter,
        SITE_REQUESTS,
        "Requests of websites answered, by site and class of status. Sites beyond 256 are one.",
    ),
    (Type::Counter, SITE_BYTES, "Bytes of response bodies sent by websites, by site."),
    (Type::Gauge, CONNECTIONS, "Open connections to the S3 endpoint and to websites."),
    (Type::Counter, TLS_FAILED, "Connections that ended before TLS was agreed on, by listener and reason."),
    (
        Type::Gauge,
        CERTIFICATE_END,
        "When a certificate ends, in seconds since the Unix epoch; +Inf once it is not used any more.",
    ),
    (Type::Gauge, ACME_FAILING, "Domains whose last order for a certificate failed."),
    (Type::Counter, ACME_ORDERS, "Orders for certificates, by outcome."),
    (Type::Gauge, STORAGE_FREE, "Bytes free on the file system of the data directory."),
    (Type::Gauge, STORAGE_TOTAL, "Size in bytes of the file system of the data directory."),
    (Type::Gauge, STORAGE_RESERVE, "Bytes that uploads must leave free."),
    (Type::Gauge, WRITABLE, "1 while writes are taken; 0 while free space is below the reserve or an engine stopped."),
    (Type::Gauge, SWEEP_BACKLOG, "Entries of the sweep queue: what was deleted and still takes room."),
    (Type::Counter, SCRUB_BYTES, "Bytes that scrubs read and verified."),
    (Type::Counter, SCRUB_DAMAGED, "Blobs and inline values that scrubs found damaged."),
    (Type::Gauge, KV_MEMTABLE, "Bytes of metadata written but not yet in table files."),
    (Type::Gauge, KV_CACHE, "Bytes in the metadata engine's cache, unflushed writes included."),
    (Type::Gauge, KV_PENDING_COMPACTION, "Estimated bytes that compaction of metadata has to rewrite."),
    (Type::Gauge, KV_WAL, "Bytes of the metadata's write-ahead log files."),
    (Type::Gauge, KV_QUEUED, "Commits that wait to be written."),
    (
        Type::Counter,
        WEBHOOK_DELIVERED,
        "Changes that a webhook's receiver took, by webhook. Webhooks beyond 200 are one.",
    ),
    (Type::Counter, WEBHOOK_FAILED, "Attempts that failed, by webhook."),
    (Type::Counter, WEBHOOK_DEAD, "Changes that were given up, by webhook."),
    (Type::Counter, WEBHOOK_LEFT_OUT, "Entries of the log that were left out, by webhook: it was too far behind."),
    (Type::Gauge, WEBHOOK_BACKLOG, "Entries of the log that are not read yet, by webhook."),
    (Type::Gauge, WEBHOOK_DEFERRED, "Messages that wait for another attempt, by webhook."),
    (Type::Gauge, WEBHOOK_OLDEST, "Seconds since the oldest of what is not delivered yet, by webhook."),
    (Type::Gauge, WEBHOOK_STOPPED, "1 while a webhook is paused or disabled."),
    (Type::Gauge, WEBHOOK_FAILING, "1 while a webhook is spared, because attempts kept failing."),
    (Type::Counter, WEBHOOK_SECONDS_BUCKET, "Attempts that were answered within `le` seconds, by webhook."),
    (Type::Gauge, WEBHOOK_SECONDS_SUM, "Seconds that answered attempts took together, by webhook."),
    (Type::Counter, WEBHOOK_SECONDS_COUNT, "Attempts that were answered, by webhook."),
    (Type::Counter, EDGE_REQUESTS, "Requests that sites answered, by site, result and class of status."),
    (Type::Counter, EDGE_SENT, "Bytes of response bodies sent to clients, by site."),
    (Type::Counter, EDGE_RECEIVED, "Bytes of request bodies received from clients, by site."),
    (Type::Counter, EDGE_COLLAPSED, "Requests answered by a fetch that another one had begun, by site."),
    (Type::Counter, EDGE_REFUSED, "Requests that were malformed, or no site's."),
    (Type::Histogram, EDGE_ORIGIN_SECONDS, "Seconds from a request to an origin to the head of its answer, by site."),
    (Type::Gauge, EDGE_CONNECTIONS, "Open connections of clients."),
    (Type::Gauge, EDGE_MEMORY_BYTES, "Bytes in the memory tier."),
    (Type::Gauge, EDGE_MEMORY_ENTRIES, "Responses and slices in the memory tier."),
    (Type::Counter, EDGE_MEMORY_EVICTIONS, "Responses and slices that the memory tier had no room for any more."),
    (Type::Gauge, EDGE_DISK_BYTES, "Bytes in the disk tier."),
    (Type::Gauge, EDGE_DISK_ENTRIES, "Responses and slices in the disk tier."),
    (Type::Counter, EDGE_DISK_EVICTIONS, "Responses and slices that the disk tier had no room for any more."),
    (Type::Counter, EDGE_DISK_DROPPED, "Writes to the disk tier that were left out because too many waited."),
    (Type::Counter, EDGE_DISK_CORRUPT, "Files of the disk tier that were found corrupt."),
    (Type::Gauge, EDGE_PURGE_RULES, "Purges in force."),
    (Type::Counter, EDGE_PURGE_FOLDED, "Purges that counted for a whole site, because there were too many."),
    (Type::Gauge, EDGE_FILLS, "Responses that are being fetched."),
    (Type::Gauge, EDGE_FILL_BYTES, "Bytes of bodies that are being fetched."),
    (
        Type::Gauge,
        EDGE_FEED_LIVE,
        "1 while the change feed is followed; 0 while what it keeps fresh is validated instead.",
    ),
    (Type::Gauge, EDGE_FEED_LEASE, "Seconds until what the feed keeps fresh is validated, if nothing is heard of it."),
    (Type::Gauge, EDGE_FEED_OFFSET, "The offset in the change log that everything up to was applied."),
    (Type::Counter, EDGE_LOG_LOST, "Requests that are missing in the access log because it could not keep up."),
    (Type::Counter, EDGE_LOG_UPLOADS, "Access logs that were put into the bucket, or were given up, by result."),
    (Type::Gauge, START_TIME, "When the process started, in seconds since the Unix epoch."),
];

/// Why metrics cannot be collected.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("another metrics recorder is installed in this process")]
    Installed,
}

static HANDLE: OnceLock<Result<PrometheusHandle, ()>> = OnceLock::new();

/// Begins to collect, for the whole process. Further calls change nothing.
///
/// Handles taken before the first call count nothing: call this before anything else that measures.
pub fn describe() -> Result<(), Error> {
    handle().map(drop)
}

/// Gives all metrics in the Prometheus text format; empty before [`describe`].
pub fn render() -> String {
    match HANDLE.get() {
        Some(Ok(handle)) => handle.render(),
        _ => String::new(),
    }
}

/// Folds the histogram samples that came in since the last call into their buckets; a few microseconds each thousand.
pub fn upkeep() {
    if let Some(Ok(handle)) = HANDLE.get() {
        handle.run_upkeep();
    }
}

/// Open connections to the S3 endpoint.
pub fn connections() -> Gauge {
    gauge!(CONNECTIONS)
}

/// Open connections of clients of an edge.
pub fn edge_connections() -> Gauge {
    gauge!(EDGE_CONNECTIONS)
}

/// Requests that an edge answered for `site`, with this result and class of status.
pub fn edge_requests(site: &str, result: &'static str, class: &'static str) -> Counter {
    counter!(EDGE_REQUESTS, "site" => site.to_owned(), "result" => result, "status" => class)
}

/// The counter `name` of an edge's `site`.
pub fn edge_counter(name: &'static str, site: &str) -> Counter {
    counter!(name, "site" => site.to_owned())
}

/// The counter `name` of an edge.
pub fn edge_total(name: &'static str) -> Counter {
    counter!(name)
}

/// Access logs that were put into a bucket (`done`), or that the bucket did not take (`failed`).
pub fn edge_log_uploads(result: &'static str) -> Counter {
    counter!(EDGE_LOG_UPLOADS, "result" => result)
}

/// How long the origins of `site` take.
pub fn edge_origin_seconds(site: &str) -> Histogram {
    histogram!(EDGE_ORIGIN_SECONDS, "site" => site.to_owned())
}

/// Connections to the listener `listener` that ended before TLS was agreed on, because of `reason`.
pub fn tls_failed(listener: &'static str, reason: &'static str) -> Counter {
    counter!(TLS_FAILED, "listener" => listener, "reason" => reason)
}

/// Reports that the certificate called `label` ends at `seconds` since the Unix epoch.
pub fn certificate_ends(label: &str, seconds: f64) {
    gauge!(CERTIFICATE_END, "certificate" => label.to_owned()).set(seconds);
}

/// Reports that `total` orders for certificates ended as `outcome` says.
pub fn acme_orders(outcome: &'static str, total: u64) {
    counter!(ACME_ORDERS, "outcome" => outcome).absolute(total);
}

/// How a webhook fares, or several together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebhookMeasured {
    pub delivered: u64,
    pub failed: u64,
    pub dead: u64,
    pub left_out: u64,
    pub backlog: u64,
    pub deferred: u64,
    pub oldest: Duration,
    /// How many of them are paused or disabled.
    pub stopped: u64,
    /// How many of them are spared for failing.
    pub failing: u64,
    /// How many attempts were answered within so many milliseconds; the last class has no end, `u64::MAX`.
    pub latency: BTreeMap<u64, u64>,
    /// The milliseconds of all of them together.
    pub latency_sum: u64,
}

/// Reports how the webhook called `label` fares.
pub fn webhook(label: &str, measured: &WebhookMeasured) {
    let count = |name, value| counter!(name, "webhook" => label.to_owned()).absolute(value);
    let set = |name, value: f64| gauge!(name, "webhook" => label.to_owned()).set(value);
    count(WEBHOOK_DELIVERED, measured.delivered);
    count(WEBHOOK_FAILED, measured.failed);
    count(WEBHOOK_DEAD, measured.dead);
    count(WEBHOOK_LEFT_OUT, measured.left_out);
    set(WEBHOOK_BACKLOG, measured.backlog as f64);
    set(WEBHOOK_DEFERRED, measured.deferred as f64);
    set(WEBHOOK_OLDEST, measured.oldest.as_secs_f64());
    set(WEBHOOK_STOPPED, measured.stopped as f64);
    set(WEBHOOK_FAILING, measured.failing as f64);
    for (end, answered) in &measured.latency {
        let le = if *end == u64::MAX { "+Inf".to_owned() } else { (*end as f64 / 1000.0).to_string() };
        counter!(WEBHOOK_SECONDS_BUCKET, "webhook" => label.to_owned(), "le" => le).absolute(*answered);
    }
    set(WEBHOOK_SECONDS_SUM, measured.latency_sum as f64 / 1000.0);
    count(WEBHOOK_SECONDS_COUNT, measured.latency.get(&u64::MAX).copied().unwrap_or_default());
}

/// Sets the gauge `name` to `value`.
pub fn set(name: &'static str, value: u64) {
    gauge!(name).set(value as f64);
}

/// Sets the counter `name`, which is kept elsewhere, to `value`.
pub fn count_to(name: &'static str, value: u64) {
    counter!(name).absolute(value);
}

/// The names of all metrics; a histogram's series have `_bucket`, `_sum` and `_count` behind it.
pub fn names() -> impl Iterator<Item = &'static str> {
    METRICS.iter().map(|(_, name, _)| *name)
}

/// Reports when the process started.
pub fn started(at: crate::clock::Timestamp) {
    gauge!(START_TIME).set(at.as_millis() as f64 / 1000.0);
}

fn handle() -> Result<&'static PrometheusHandle, Error> {
    HANDLE.get_or_init(install).as_ref().map_err(|()| Error::Installed)
}

fn install() -> Result<PrometheusHandle, ()> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(REQUEST_SECONDS.to_owned()), &DURATION_BUCKETS)
        .and_then(|builder| {
            builder.set_buckets_for_metric(Matcher::Full(EDGE_ORIGIN_SECONDS.to_owned()), &DURATION_BUCKETS)
        })
        .map_err(drop)?;
    let handle = builder.install_recorder().map_err(drop)?;
    for (kind, name, help) in METRICS {
        match kind {
            Type::Counter => describe_counter!(*name, *help),
            Type::Gauge => describe_gauge!(*name, *help),
            Type::Histogram => describe_histogram!(*name, *help),
        }
    }
    Ok(handle)
}

/// Handles for the requests of one transport, registered once for all of its operations.
pub struct RequestMetrics {
    operations: Vec<OperationMetrics>,
}

struct OperationMetrics {
    by_class: [Counter; STATUS_CLASSES.len()],
    seconds: Histogram,
    received: Counter,
    sent: Counter,
}

/// What is counted of one request.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// The operation's index in the list that [`RequestMetrics::new`] was given.
    pub operation: usize,
    pub status: u16,
    pub duration: Duration,
    /// Bytes of the request's body.
    pub received: u64,
    /// Bytes of the response's body.
    pub sent: u64,
}

impl RequestMetrics {
    /// Registers every operation, so that all series exist, at zero, from the start. Needs [`describe`] before it.
    pub fn new(operations: &[&'static str]) -> Self {
        Self { operations: operations.iter().map(|operation| OperationMetrics::new(operation)).collect() }
    }

    /// Counts a request; one of an unknown operation is not counted.
    pub fn record(&self, measured: Measured) {
        let Some(operation) = self.operations.get(measured.operation) else { return };
        operation.received.increment(measured.received);
        operation.sent.increment(measured.sent);
        operation.seconds.record(measured.duration);
        count(&operation.by_class, measured.status);
    }
}

fn count(by_class: &[Counter; STATUS_CLASSES.len()], status: u16) {
    let class = usize::from(status / 100).wrapping_sub(1);
    if let Some(counter) = by_class.get(class) {
        counter.increment(1);
    }
}

/// Handles for the requests of one website. They stay for as long as the process runs: make few.
pub struct SiteMetrics {
    by_class: [Counter; STATUS_CLASSES.len()],
    sent: Counter,
}

impl SiteMetrics {
    /// Registers the series of `site`. Needs [`describe`] before it.
    pub fn new(site: &str) -> Self {
        Self {
            by_class: STATUS_CLASSES.map(|class| counter!(SITE_REQUESTS, "site" => site.to_owned(), "status" => class)),
            sent: counter!(SITE_BYTES, "site" => site.to_owned()),
        }
    }

    /// Counts an answer with a body of `sent` bytes.
    pub fn record(&self, status: u16, sent: u64) {
        self.sent.increment(sent);
        count(&self.by_class, status);
    }
}

impl OperationMetrics {
    fn new(operation: &'static str) -> Self {
        Self {
            by_class: STATUS_CLASSES.map(|class| counter!(REQUESTS, "op" => operation, "status" => class)),
            seconds: histogram!(REQUEST_SECONDS, "op" => operation),
            received: counter!(REQUEST_BYTES, "op" => operation),
            sent: counter!(RESPONSE_BYTES, "op" => operation),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_operation_and_status_class() {
        describe().unwrap();
        describe().unwrap();
        let metrics = RequestMetrics::new(&["TestGet", "TestPut"]);
        let request = Measured { operation: 1, status: 200, duration: Duration::from_millis(3), received: 5, sent: 0 };
        metrics.record(request);
        metrics.record(Measured { status: 204, ..request });
        metrics.record(Measured { operation: 0, status: 404, sent: 7, ..request });
        metrics.record(Measured { operation: 9, status: 999, ..request });
        upkeep();
        let text = render();
        for line in [
            "# TYPE brim_requests_total counter",
            "brim_requests_total{op=\"TestPut\",status=\"2xx\"} 2",
            "brim_requests_total{op=\"TestGet\",status=\"4xx\"} 1",
            "brim_requests_total{op=\"TestGet\",status=\"5xx\"} 0",
            "# TYPE brim_request_seconds histogram",
            "brim_request_seconds_bucket{op=\"TestPut\",le=\"0.0025\"} 0",
            "brim_request_seconds_bucket{op=\"TestPut\",le=\"0.005\"} 2",
            "brim_request_seconds_count{op=\"TestPut\"} 2",
            "brim_request_bytes_total{op=\"TestPut\"} 10",
            "brim_response_bytes_total{op=\"TestGet\"} 7",
        ] {
            assert!(text.lines().any(|given| given == line), "{line}\nnot in\n{text}");
        }
    }

    #[test]
    fn webhooks_are_measured_by_name() {
        describe().unwrap();
        let latency = BTreeMap::from([(5, 1), (u64::MAX, 3)]);
        let measured = WebhookMeasured {
            delivered: 2,
            oldest: Duration::from_millis(1500),
            latency,
            ..WebhookMeasured::default()
        };
        webhook("000000000000/hook", &measured);
        let text = render();
        for line in [
            "brim_webhook_delivered_total{webhook=\"000000000000/hook\"} 2",
            "brim_webhook_oldest_seconds{webhook=\"000000000000/hook\"} 1.5",
            "brim_webhook_seconds_bucket{webhook=\"000000000000/hook\",le=\"0.005\"} 1",
            "brim_webhook_seconds_bucket{webhook=\"000000000000/hook\",le=\"+Inf\"} 3",
            "brim_webhook_seconds_count{webhook=\"000000000000/hook\"} 3",
        ] {
            assert!(text.lines().any(|given| given == line), "{line}\nnot in\n{text}");
        }
    }

    /// The metrics that a page names.
    fn named(page: &str) -> std::collections::BTreeSet<String> {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page);
        let text = std::fs::read_to_string(path).unwrap();
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let series = words.filter(|word| word.starts_with("brim_"));
        let metric = |series: &str| {
            let (ends, histograms) = (["_bucket", "_sum", "_count"], [REQUEST_SECONDS, EDGE_ORIGIN_SECONDS]);
            let histogram =
                ends.iter().find_map(|end| series.strip_suffix(end)).filter(|name| histograms.contains(name));
            histogram.unwrap_or(series).to_owned()
        };
        series.map(metric).collect()
    }

    #[test]
    fn pages_name_metrics_that_exist_and_the_page_of_metrics_names_all() {
        let known: std::collections::BTreeSet<_> = names().map(str::to_owned).collect();
        for page in ["monitoring/rules.yml", "monitoring/dashboard.json"] {
            let named = named(page);
            assert!(
                !named.is_empty() && named.is_subset(&known),
                "{page}: {:?}",
                Vec::from_iter(named.difference(&known))
            );
        }
        assert_eq!(named("monitoring.md"), known);
    }

    #[test]
    fn every_metric_is_named_once() {
        let names: std::collections::BTreeSet<_> = METRICS.iter().map(|(_, name, _)| name).collect();
        assert_eq!(names.len(), METRICS.len());
        assert!(names.iter().all(|name| name.starts_with("brim_")));
    }
}
