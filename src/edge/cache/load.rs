//! The cache under load: its bound in bytes, what an object costs, and purges against fills on many threads.

use bytes::Bytes;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use super::fixtures::*;
use super::*;

const MIB: u64 = 1 << 20;

fn url(number: u64) -> String {
    format!("https://www.example.test/assets/images/{number:08}.webp")
}

/// A cheap sequence of numbers that look random (xorshift).
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn the_bound_in_bytes_holds_while_objects_of_all_sizes_are_stored() {
    let bound = 64 * MIB;
    let cache = in_memory(bound);
    let (highest, kept, refused) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for seed in 1..=4_u64 {
            let (cache, highest, kept, refused) = (&cache, &highest, &kept, &refused);
            scope.spawn(move || {
                let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                for _ in 0..4000 {
                    let size = match next(&mut state) % 10 {
                        0 => MIB,
                        1..=3 => 100_000,
                        _ => next(&mut state) % 4096,
                    };
                    let key = key(&url(next(&mut state) % 3000));
                    let stored = sized(vec![0; size as usize].into(), footing(cache));
                    match cache.store(&key, &Variation::default(), &stored) {
                        Ok(()) => kept.fetch_add(1, Ordering::Relaxed),
                        Err(_) => refused.fetch_add(1, Ordering::Relaxed),
                    };
                    cache.lookup(&key, &HeaderMap::new());
                    highest.fetch_max(cache.figures().memory_bytes, Ordering::Relaxed);
                }
            });
        }
    });
    let (highest, kept, refused) = (highest.into_inner(), kept.into_inner(), refused.into_inner());
    println!("highest {highest} of {bound}, kept {kept}, refused {refused}, {:?}", cache.figures());
    // A store under way is counted before it is refused: at most one of each thread.
    assert!(highest <= bound + 4 * (MIB + 1024), "{highest}");
    assert!(refused * 20 < kept, "{refused} of {kept} were refused");
    assert!(cache.figures().memory_bytes > bound / 2, "most of the room is used");
}

#[test]
fn what_is_still_being_sent_counts_until_it_is_sent() {
    let cache = in_memory(8 * MIB);
    let mut sending = Vec::new();
    for number in 0..100 {
        let stored = sized(vec![0; MIB as usize].into(), footing(&cache));
        if cache.store(&key(&url(number)), &Variation::default(), &stored).is_ok() {
            sending.push(stored);
        }
        let refused = MIB + 4096;
        assert!(cache.figures().memory_bytes <= 8 * MIB + refused);
    }
    assert!(sending.len() < 8);
    sending.clear();
    cache.tiers.memory.settle();
    let stored = sized(vec![0; MIB as usize].into(), footing(&cache));
    assert_eq!(cache.store(&key(&url(0)), &Variation::default(), &stored), Ok(()));
}

#[test]
fn one_response_takes_no_more_than_a_part_of_the_room() {
    let cache = in_memory(8 * MIB);
    let stored = sized(vec![0; 3 * MIB as usize].into(), footing(&cache));
    assert_eq!(cache.store(&key(&url(0)), &Variation::default(), &stored), Err(NotKept::NoRoom));
}

/// Bodies are the numbers of versions that are counted up before each purge: a fill reads the version as an origin would.
/// Who saw a purge end must never find a version from before it.
#[test]
fn no_fill_outlives_a_purge_that_came_while_it_was_under_way() {
    const URLS: u64 = 4;
    /// Where processors are scarce, threads find something only in a purge here and there: they are waited for.
    const HITS: u64 = 1000;
    let patience = Instant::now() + Duration::from_secs(60);
    let cache = in_memory(8 * MIB);
    let versions: Vec<AtomicU64> = (0..URLS).map(|_| AtomicU64::new(1)).collect();
    let purged: Vec<AtomicU64> = (0..URLS).map(|_| AtomicU64::new(0)).collect();
    let (stop, hits) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for thread in 0..3_u64 {
            let (cache, versions, purged, stop, hits) = (&cache, &versions, &purged, &stop, &hits);
            scope.spawn(move || {
                let mut state = thread + 1;
                while !stop.load(Ordering::SeqCst) {
                    let number = next(&mut state) % URLS;
                    let at = number as usize;
                    let least = purged[at].load(Ordering::SeqCst);
                    if let Some((body, _)) = find(cache, &url(number), &HeaderMap::new()) {
                        let version: u64 = body.parse().unwrap();
                        assert!(version > least, "{version} was found after the purge of {least} had ended");
                        hits.fetch_add(1, Ordering::Relaxed);
                    }
                    let footing = footing(cache);
                    let version = versions[at].load(Ordering::SeqCst);
                    if next(&mut state).is_multiple_of(2) {
                        thread::yield_now();
                    }
                    let stored = response(&version.to_string(), footing);
                    let _ = cache.store(&key(&url(number)), &Variation::default(), &stored);
                }
            });
        }
        for round in 0_u64.. {
            let found = hits.load(Ordering::Relaxed);
            if round >= 3000 && (found >= HITS || Instant::now() > patience) {
                break;
            }
            if found < HITS.min(round) {
                thread::yield_now();
            }
            let number = round % URLS;
            let old = versions[number as usize].fetch_add(1, Ordering::SeqCst);
            let path = format!("/assets/images/{number:08}.webp");
            let what = if round.is_multiple_of(3) { What::Prefix(path) } else { What::Path(path) };
            purge(&cache, &[Purge::hard(Scope::Site(site()), what)]);
            purged[number as usize].store(old, Ordering::SeqCst);
            if round.is_multiple_of(500) {
                cache.tiers.queue.ask_for_sweep();
            }
        }
        stop.store(true, Ordering::SeqCst);
    });
    assert!(hits.into_inner() >= HITS);
}

/// The bytes of memory that this process takes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
}

/// The bar: a million objects of 1 KiB within 1.2 times body and headers, and 700 bytes each.
#[test]
#[ignore = "a measurement, alone in its process: --ignored --exact --nocapture"]
fn a_million_objects_of_one_kilobyte() {
    const OBJECTS: u64 = 1_000_000;
    let cache = in_memory(8 << 30);
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("content-type", "image/webp"),
        ("content-length", "1024"),
        ("cache-control", "public, max-age=31536000, immutable"),
        ("last-modified", "Tue, 03 Nov 2026 10:00:00 GMT"),
        ("date", "Mon, 23 Nov 2026 18:00:00 GMT"),
        ("accept-ranges", "bytes"),
        ("x-amz-request-id", "4442587FB7D0A2F9"),
    ] {
        headers.insert(name, http::HeaderValue::from_static(value));
    }
    headers.insert("etag", http::HeaderValue::from_static("\"d41d8cd98f00b204e9800998ecf8427e\""));
    let text: u64 = headers.iter().map(|(name, value)| (name.as_str().len() + value.len() + 4) as u64).sum();
    let before = resident();
    for number in 0..OBJECTS {
        let draft = Draft {
            status: http::StatusCode::OK,
            headers: &headers,
            body: StoredBody::Whole(Bytes::from(vec![1; 1024]).into()),
            request_time: NOW,
            response_time: NOW,
            initial_age: Duration::ZERO,
            freshness: freshness(60),
            footing: tagged(&cache, &["one"], &["bucket/key"]),
        };
        cache.store(&key(&url(number)), &Variation::default(), &Arc::new(Stored::new(draft).unwrap())).unwrap();
    }
    // A hit slices the block and the body, which may cost memory once.
    for number in 0..OBJECTS {
        let Found::Stored(hit) = cache.lookup(&key(&url(number)), &HeaderMap::new()) else { panic!("it is there") };
        let StoredBody::Whole(body) = hit.stored.body() else { panic!("it is whole") };
        drop((hit.stored.head().to_headers(), body.clone()));
    }
    let each = (resident() - before) / OBJECTS;
    let bar = (1024 + text) * 12 / 10 + 700;
    println!("{each} bytes each, headers {text}, overhead {}, bar {bar}, {:?}", each - 1024 - text, cache.figures());
    assert!(each <= bar);
}

/// What a hit costs: looking up and making the headers.
#[test]
#[ignore = "a measurement: --ignored --exact --nocapture"]
fn a_hit() {
    const HITS: u64 = 2_000_000;
    let cache = in_memory(64 * MIB);
    for number in 0..1000 {
        cache.store(&key(&url(number)), &Variation::default(), &response("body", footing(&cache))).unwrap();
    }
    let keys: Vec<PrimaryKey> = (0..1000).map(|number| key(&url(number))).collect();
    let none = HeaderMap::new();
    for what in ["lookup", "lookup and headers"] {
        let start = std::time::Instant::now();
        for number in 0..HITS {
            let Found::Stored(hit) = cache.lookup(&keys[(number % 1000) as usize], &none) else {
                panic!("it is there")
            };
            if what != "lookup" {
                std::hint::black_box(hit.stored.head().to_headers());
            }
        }
        println!("{what}: {} ns", start.elapsed().as_nanos() as u64 / HITS);
    }
}
