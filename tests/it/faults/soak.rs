//! `make soak`: the same with other seeds, for as long as `SOAK_SECONDS` says.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::power_loss;

/// Rounds on one disk before a fresh one is taken.
const ROUNDS: u64 = 12;

/// How long to go on; `None` outside of `make soak`.
pub fn seconds() -> Option<Duration> {
    let given = std::env::var("SOAK_SECONDS").ok()?;
    Some(Duration::from_secs(given.parse().expect("SOAK_SECONDS is a number of seconds")))
}

/// A seed nobody chose, or the one in `SOAK_SEED` to have a run again.
pub fn first_seed() -> u64 {
    match std::env::var("SOAK_SEED") {
        Ok(given) => given.parse().expect("SOAK_SEED is a number"),
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos() as u64,
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by make soak"]
async fn soak_power_loss() {
    let (until, first) = (Instant::now() + seconds().expect("SOAK_SECONDS"), first_seed());
    for seed in first.. {
        println!("power loss: SOAK_SEED={seed}");
        power_loss::strict_rounds(seed, ROUNDS).await;
        power_loss::relaxed_rounds(seed, ROUNDS).await;
        if Instant::now() > until {
            return;
        }
    }
}
