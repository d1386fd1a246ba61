//! The power goes under load, again and again on one disk.

use super::disk::{Disk, Survival};
use super::ledger::{Ledger, Object, list, losses};
use super::machine::Machine;
use super::worker::{BUCKET, Mix, Worker, moment, run_all};
use crate::dice::Dice;
use crate::harness::Server;
use crate::signed::Signed;

pub const WORKERS: u64 = 4;

/// How often the power goes in `make test`, a third of the times with each kind of survival.
const ROUNDS: u64 = 6;

/// Small write buffers: tables are flushed and logs change all the time.
pub const SMALL_BUFFERS: (&str, &str) = ("BRIM_STORE_KV_MEMORY", "16MiB");
/// The sweeper has its part in it.
pub const OFTEN: (&str, &str) = ("BRIM_STORE_SWEEP_INTERVAL", "1s");
const RELAXED: (&str, &str) = ("BRIM_STORE_DURABILITY", "relaxed");

/// The kinds in turn.
pub fn survival(round: u64, dice: &Dice) -> Survival {
    match round % 3 {
        0 => Survival::Anything(dice.fork(round)),
        1 => Survival::Beginnings(dice.fork(round)),
        _ => Survival::Nothing,
    }
}

/// Loads the server and cuts the power; gives how many changes were acknowledged.
async fn load_and_lose_power(
    machine: &mut Machine,
    mut server: Server,
    workers: &mut Vec<Worker>,
    dice: &mut Dice,
    survival: &mut Survival,
) -> usize {
    let (client, after) = (server.client(), moment(dice, 200, 1000));
    let cut = tokio::task::spawn_blocking(move || {
        std::thread::sleep(after);
        server.kill();
        server
    });
    let acknowledged = run_all(workers, &client, usize::MAX).await;
    drop(cut.await.expect("the process ends"));
    machine.lose_power(survival);
    acknowledged
}

pub async fn make_bucket(client: &Signed) {
    assert_eq!(client.put(&format!("/{BUCKET}"), "").await.status, 200);
}

/// Everything that is wrong after a start, in words.
pub async fn wrong(server: &Server, workers: &mut [Worker]) -> Vec<String> {
    let client = &server.client();
    let mut ledgers: Vec<Ledger> = workers.iter().map(|worker| worker.ledger.clone()).collect();
    let mut wrong = losses(client, BUCKET, &mut ledgers).await;
    for (worker, ledger) in workers.iter_mut().zip(ledgers) {
        worker.ledger = ledger;
        wrong.extend(worker.side_bucket_loss(client).await);
    }
    wrong.extend(server.damage());
    wrong
}

/// Cuts the power `rounds` times in strict durability.
pub async fn strict_rounds(seed: u64, rounds: u64) {
    let mut dice = Dice::new(seed);
    let mut machine = Machine::new();
    let mut workers = Worker::several(WORKERS, "w", Mix::All, &dice);
    let mut server = machine.start(&[SMALL_BUFFERS, OFTEN]).unwrap();
    make_bucket(&server.client()).await;
    let mut acknowledged = 0;
    for round in 0..rounds {
        let mut survival = survival(round, &dice);
        acknowledged += load_and_lose_power(&mut machine, server, &mut workers, &mut dice, &mut survival).await;
        let started = machine.start(&[SMALL_BUFFERS, OFTEN]);
        server = started.unwrap_or_else(|refused| panic!("seed {seed}, round {round}, {survival:?}: {refused}"));
        let wrong = wrong(&server, &mut workers).await;
        assert!(wrong.is_empty(), "seed {seed}, round {round}, {survival:?}: {wrong:#?}");
    }
    assert!(acknowledged as u64 > 20 * rounds, "seed {seed}: only {acknowledged} changes were acknowledged");
}

/// Cuts the power `rounds` times in relaxed durability.
pub async fn relaxed_rounds(seed: u64, rounds: u64) {
    let mut dice = Dice::new(seed);
    let mut machine = Machine::new();
    let options = [SMALL_BUFFERS, OFTEN, RELAXED];
    let mut server = machine.start(&options).unwrap();
    make_bucket(&server.client()).await;
    // Long enough for the bucket to be synced.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let mut acknowledged = 0;
    for round in 0..rounds {
        let mut workers = Worker::several(WORKERS, &format!("r{round}-"), Mix::Positioned, &dice);
        let mut survival = survival(round, &dice);
        acknowledged += load_and_lose_power(&mut machine, server, &mut workers, &mut dice, &mut survival).await;
        let context = format!("seed {seed}, round {round}, {survival:?}");
        server = machine.start(&options).unwrap_or_else(|refused| panic!("{context}: {refused}"));
        check_prefix(&server.client(), &workers, &context).await;
        assert_eq!(server.damage(), None, "{context}");
    }
    assert!(acknowledged as u64 > 20 * rounds, "seed {seed}: only {acknowledged} changes were acknowledged");
}

/// What is found must be what was there at some position of the change log, the same one for all keys.
async fn check_prefix(client: &Signed, workers: &[Worker], context: &str) {
    let mut found: Vec<(&Ledger, &str, Object)> = Vec::new();
    for ledger in workers.iter().map(|worker| &worker.ledger) {
        for key in ledger.keys() {
            let object = ledger.read(client, BUCKET, key).await;
            found.push((ledger, key, object.unwrap_or_else(|wrong| panic!("{context}: {wrong}"))));
        }
    }
    let mut positions: Vec<u64> = workers.iter().flat_map(|worker| worker.ledger.positions()).chain([0]).collect();
    positions.sort_unstable();
    let fits = |position: &u64| found.iter().all(|(ledger, key, object)| ledger.was(key, *position, object));
    assert!(positions.iter().rev().any(fits), "{context}: no prefix of the {} commits", positions.len());
    let listed = list(client, BUCKET).await;
    for (_, key, object) in &found {
        assert_eq!(listed.contains(*key), *object != Object::Absent, "{context}: {key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn power_loss_takes_nothing_that_was_acknowledged() {
    strict_rounds(0x5eed, ROUNDS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn power_loss_leaves_a_prefix_of_relaxed_commits() {
    relaxed_rounds(0x5eed, ROUNDS).await;
}

/// A change that the library missed would make every test here too kind.
#[tokio::test(flavor = "multi_thread")]
async fn the_library_sees_every_change_of_the_data_directory() {
    let mut machine = Machine::new();
    let mut server = machine.start(&[SMALL_BUFFERS, OFTEN]).unwrap();
    make_bucket(&server.client()).await;
    let mut workers = Worker::several(WORKERS, "w", Mix::All, &Dice::new(1));
    run_all(&mut workers, &server.client(), 120).await;
    server.terminate();
    assert!(server.ended().is_some_and(|status| status.success()), "{}", server.log());
    let journalled = machine.replay().now();
    let real = Disk::scan(&machine.data()).now();
    assert!(journalled.keys().any(|path| path.ends_with(".sst")), "no table was flushed");
    for path in journalled.keys().chain(real.keys()) {
        assert!(journalled.get(path) == real.get(path), "{path} is not what the journal says");
    }
}
