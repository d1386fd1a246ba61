//! `make soak`: the same by chance, for as long as `SOAK_SECONDS` says. Each test prints the seed of what it begins, and
//! `SOAK_SEED` begins with that one again. When the power goes is up to the machine's speed, so a seed gives the same
//! choices and not the same moments: have it run a few times.

use std::time::{Duration, Instant};

use super::{failing_calls, kill, power_loss};
use crate::dice::first_seed;

/// Rounds on one disk before a fresh one is taken.
const ROUNDS: u64 = 12;
const KILLING: Duration = Duration::from_secs(60);

/// How long to go on.
fn seconds() -> Duration {
    let given = std::env::var("SOAK_SECONDS").expect("SOAK_SECONDS says how long");
    Duration::from_secs(given.parse().expect("SOAK_SECONDS is a number of seconds"))
}

/// Runs `once` with one seed after the other until the time is up.
async fn soak(subject: &str, once: impl AsyncFn(u64)) {
    let until = Instant::now() + seconds();
    for seed in first_seed().. {
        println!("{subject}: SOAK_SEED={seed}");
        once(seed).await;
        if Instant::now() > until {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by make soak"]
async fn soak_power_loss_strict() {
    soak("power loss, strict", async |seed| power_loss::strict_rounds(seed, ROUNDS).await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by make soak"]
async fn soak_power_loss_relaxed() {
    soak("power loss, relaxed", async |seed| power_loss::relaxed_rounds(seed, ROUNDS).await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by make soak"]
async fn soak_failing_calls() {
    soak("failing calls", async |seed| failing_calls::soak(seed).await).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by make soak"]
async fn soak_kills() {
    soak("kills", async |seed| {
        kill::kill_for(KILLING, seed).await;
    })
    .await;
}
