//! Many clients at once: whatever the order, one outcome, nothing half done, and nothing left behind.

mod buckets;
mod copies;
mod objects;
mod reading;
mod uploads;

use std::collections::BTreeMap;
use std::future::Future;
use std::time::{Duration, Instant};

use crate::harness::{Server, stored_blobs};
use crate::raw::Answer;

const PART: usize = 5 * 1024 * 1024;

/// Larger than what travels in a commit: bytes in a file of their own.
const LARGE: usize = 100_000;

/// How soon what nobody points at must be gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that sweeps all the time: bytes that are let go of too early are gone at once.
fn sweeping() -> Server {
    Server::start_with(&[("BRIM_STORE_SWEEP_INTERVAL", "20ms")])
}

/// Runs all of them at once; gives the answers in order.
async fn at_once<F: Future<Output = Answer> + Send + 'static>(racers: impl IntoIterator<Item = F>) -> Vec<Answer> {
    let running: Vec<_> = racers.into_iter().map(tokio::spawn).collect();
    let mut answers = Vec::new();
    for one in running {
        answers.push(one.await.expect("a racer ends"));
    }
    answers
}

fn count(answers: &[Answer]) -> BTreeMap<(u16, String), usize> {
    answers.iter().fold(BTreeMap::new(), |mut counts, answer| {
        *counts.entry(answer.error()).or_default() += 1;
        counts
    })
}

/// Waits until the data directory holds exactly as many blobs as objects and parts need: no more, which would be
/// orphans, and no fewer, which would be lost bytes.
async fn settles_to(server: &Server, blobs: usize) {
    let deadline = Instant::now() + PATIENCE;
    while blobs_of(server) != blobs {
        assert!(Instant::now() < deadline, "{} blobs instead of {blobs}: {}", blobs_of(server), server.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // And stays there: several rounds of the sweeper later they are the same.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(blobs_of(server), blobs, "blobs after the sweeper settled");
}

fn blobs_of(server: &Server) -> usize {
    stored_blobs(server.data())
}
