//! kill -9 in a loop under load.

use std::time::{Duration, Instant};

use super::power_loss::{OFTEN, SMALL_BUFFERS, WORKERS, make_bucket, wrong};
use super::worker::{Mix, Worker, moment, run_all};
use crate::dice::Dice;
use crate::harness::Server;

/// How long the loop goes on in `make test`.
const BOUNDED: Duration = Duration::from_secs(20);

/// Kills and starts one server over and over for this long; gives how often.
pub async fn kill_for(time: Duration, seed: u64) -> u64 {
    let (data, mut dice) = (tempfile::tempdir().expect("a temporary directory"), Dice::new(seed));
    let options = [SMALL_BUFFERS, OFTEN];
    let mut workers = Worker::several(WORKERS, "w", Mix::All, &dice);
    let mut server = Server::start_on(data.path(), &options).unwrap();
    make_bucket(&server.client()).await;
    let (until, mut kills, mut acknowledged) = (Instant::now() + time, 0, 0);
    while Instant::now() < until {
        let (client, after) = (server.client(), moment(&mut dice, 50, 700));
        let killing = tokio::task::spawn_blocking(move || {
            std::thread::sleep(after);
            server.kill();
        });
        acknowledged += run_all(&mut workers, &client, usize::MAX).await;
        killing.await.expect("the process ends");
        kills += 1;
        server = Server::start_on(data.path(), &options).unwrap_or_else(|refused| panic!("seed {seed}: {refused}"));
        let wrong = wrong(&server, &mut workers).await;
        assert!(wrong.is_empty(), "seed {seed}, kill {kills}: {wrong:#?}");
    }
    assert!(acknowledged as u64 > 10 * kills, "only {acknowledged} changes were acknowledged");
    kills
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_under_load_lose_nothing_that_was_acknowledged() {
    let kills = kill_for(BOUNDED, 0x5eed).await;
    assert!(kills >= 3, "only {kills} kills");
}
