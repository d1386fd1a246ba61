//! What the cache's tests store, purge and look for. Compiled for tests alone.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_LANGUAGE, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::*;
use crate::clock::Timestamp;
use crate::edge::rules::ttl::Freshness;
use crate::edge::rules::vary::Vary;

pub const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

pub fn key(url: &str) -> PrimaryKey {
    PrimaryKey::from_stored(url)
}

pub fn site() -> SiteId {
    SiteId::new("shop")
}

pub fn freshness(seconds: u64) -> Freshness {
    Freshness {
        fresh: Duration::from_secs(seconds),
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        may_serve_stale: true,
        validate_always: false,
        by_feed: false,
    }
}

pub fn in_memory(bytes: u64) -> Arc<Cache> {
    Cache::open(CacheOptions { memory: bytes, disk: None }, Clock::fixed(NOW)).unwrap()
}

/// A cache with a disk tier of 64 MiB, whose files of an earlier run are found.
pub fn on_disk(path: &Path) -> Arc<Cache> {
    on_disk_of(path, 64 << 20)
}

/// A cache with so many bytes of disk.
pub fn on_disk_of(path: &Path, capacity: u64) -> Arc<Cache> {
    let disk = DiskOptions { path: path.to_owned(), capacity };
    let options = CacheOptions { memory: 64 << 20, disk: Some(disk) };
    let cache = loop {
        match Cache::open(options.clone(), Clock::fixed(NOW)) {
            // A process that another test starts has the lock, which this one gave back, until it becomes its program.
            Err(DiskError::InUse(_)) => std::thread::yield_now(),
            opened => break opened.unwrap(),
        }
    };
    cache.tiers.queue.wait_until_loaded();
    cache
}

pub fn flush(cache: &Cache) {
    cache.flush(Duration::from_secs(20));
}

/// A response of the site, fresh for an hour.
pub fn response(body: &str, footing: Footing) -> Arc<Stored> {
    sized(Bytes::copy_from_slice(body.as_bytes()), footing)
}

pub fn sized(body: Bytes, footing: Footing) -> Arc<Stored> {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("text/plain"));
    headers.insert("etag", HeaderValue::from_static("\"one\""));
    headers.insert("content-length", HeaderValue::from(body.len()));
    let draft = Draft {
        status: StatusCode::OK,
        headers: &headers,
        body: StoredBody::Whole(body.into()),
        request_time: NOW,
        response_time: NOW,
        initial_age: Duration::ZERO,
        freshness: freshness(3600),
        footing,
    };
    Arc::new(Stored::new(draft).unwrap())
}

pub fn footing(cache: &Cache) -> Footing {
    Footing::new(site(), Tags::default(), cache.sequence())
}

pub fn tagged(cache: &Cache, surrogate: &[&str], dependencies: &[&str]) -> Footing {
    let tags = Tags::new(surrogate.iter().copied(), dependencies.iter().copied()).unwrap();
    Footing::new(site(), tags, cache.sequence())
}

pub fn language(language: &str) -> HeaderMap {
    HeaderMap::from_iter([(ACCEPT_LANGUAGE, HeaderValue::from_str(language).unwrap())])
}

/// The variation of a response that varies by language.
pub fn by_language(of: &str) -> Variation {
    let vary = Vary::parse(&HeaderMap::from_iter([(VARY, HeaderValue::from_static("accept-language"))]));
    Variation::of(vary, &language(of), true)
}

pub fn body_of(stored: &Stored) -> String {
    match stored.body() {
        StoredBody::Whole(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        StoredBody::Sliced(_) => panic!("a whole body was stored"),
    }
}

/// What a request finds, from whichever tier: the body, and whether it was softly purged.
pub fn find(cache: &Cache, url: &str, headers: &HeaderMap) -> Option<(String, bool)> {
    let hit = match cache.lookup(&key(url), headers) {
        Found::Miss | Found::VaryMiss => return None,
        Found::Stored(hit) => hit,
        Found::Disk(candidate) => wait(candidate.load())?,
    };
    Some((body_of(&hit.stored), hit.soft_purged))
}

pub fn purge(cache: &Cache, purges: &[Purge]) {
    wait(cache.purge(purges)).unwrap();
}

/// Runs a future that needs threads for what blocks.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}
