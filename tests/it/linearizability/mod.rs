//! Every operation takes effect at one moment between its request and its answer: what concurrent clients see could have
//! happened one after the other, also where the server is killed in between.

mod checker;
mod clients;
mod register;
mod set;

use std::time::{Duration, Instant};

use clients::{Clock, Door, History, Subject};
use register::Register;
use set::Set;

use tokio::task::JoinHandle;

use crate::dice::{Dice, first_seed};
use crate::harness::Server;

const CLIENTS: usize = 8;

/// Operations of each client in one history.
const EACH: usize = 40;

/// How many parts of [`EACH`] operations a history has in which the server is killed, once in each.
const PARTS: usize = 2;

/// How long a test goes on outside of `make soak`.
const BRIEFLY: Duration = Duration::from_secs(4);

/// A sweeper that never rests, so that bytes which are let go of too early are missed.
const SWEEPING: [(&str, &str); 1] = [("BRIM_STORE_SWEEP_INTERVAL", "20ms")];

/// The time that `make soak` gives, or a brief one.
fn until() -> Instant {
    let given = std::env::var("SOAK_SECONDS").map(|text| text.parse().expect("SOAK_SECONDS is a number of seconds"));
    Instant::now() + given.map_or(BRIEFLY, Duration::from_secs)
}

/// Checks history after history of one server; `path` gives each a place of its own.
async fn histories<S: Subject>(path: impl AsyncFn(&Server) -> String) {
    let server = Server::start_with(&SWEEPING);
    let door = Door::new(server.client());
    let (until, first) = (until(), first_seed());
    for seed in first.. {
        let path = path(&server).await;
        let history = clients::run::<S>(&door, &path, &Dice::new(seed), &Clock::default(), (CLIENTS, EACH)).await;
        let done = history.iter().filter(|operation| operation.answer != Some(S::BUSY)).count();
        assert!(history.len() == CLIENTS * EACH && 2 * done > history.len(), "{done} of {} operations", history.len());
        checker::check::<S>(&history).unwrap_or_else(|found| panic!("SOAK_SEED={seed}: {found}"));
        if Instant::now() > until {
            return;
        }
    }
}

/// The same with a server that is killed in every part of each history, and started again on its data.
async fn killed_histories<S: Subject>(path: impl AsyncFn(&Server) -> String) {
    let (until, first) = (until(), first_seed());
    let data = tempfile::tempdir().expect("a temporary directory");
    let mut server = Server::start_on(data.path(), &SWEEPING).expect("a start");
    let mut all_cut = 0;
    for seed in first.. {
        let mut dice = Dice::new(seed);
        let path = path(&server).await;
        let door = Door::new(server.client());
        let (running, clock) = start::<S>(&door, path, dice.fork(0), PARTS * EACH);
        for part in 0..PARTS {
            let operations = part * CLIENTS * EACH + CLIENTS + dice.below((CLIENTS * EACH / 2) as u64) as usize;
            clock.reaches(operations, &running).await;
            server.kill();
            server = Server::start_on(data.path(), &SWEEPING).expect("a start after kill -9");
            door.send_replace(server.client());
        }
        let history = running.await.expect("the clients end");
        let all = CLIENTS * PARTS * EACH;
        let cut = history.iter().filter(|operation| operation.answer.is_none()).count();
        // At the most every client loses one operation with each kill.
        assert!(history.len() == all && cut <= CLIENTS * PARTS, "{cut} of {all} were cut off");
        checker::check::<S>(&history).unwrap_or_else(|found| panic!("SOAK_SEED={seed}: {found}"));
        all_cut += cut;
        if Instant::now() > until {
            break;
        }
    }
    assert!(all_cut > 0, "no kill met an operation");
}

/// Has clients begin, each with this many operations to do.
fn start<S: Subject>(door: &Door, path: String, dice: Dice, each: usize) -> (JoinHandle<History<S>>, Clock) {
    let (door, clock) = (door.clone(), Clock::default());
    let own_clock = clock.clone();
    let running =
        tokio::spawn(async move { clients::run::<S>(&door, &path, &dice, &own_clock, (CLIENTS, each)).await });
    (running, clock)
}

async fn object(server: &Server) -> String {
    format!("/{}/register", server.bucket().await)
}

async fn bucket(server: &Server) -> String {
    format!("/{}", server.bucket().await)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_a_register_with_compare_and_swap() {
    histories::<Register>(object).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_shows_the_bucket_at_one_moment() {
    histories::<Set>(bucket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_forgets_nothing_that_anyone_saw_of_an_object() {
    killed_histories::<Register>(object).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_forgets_nothing_that_anyone_saw_of_a_listing() {
    killed_histories::<Set>(bucket).await;
}

/// That the whole of it can fail: what one server was told, another does not know.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_forgets_is_found_out() {
    let (first, second) = (Server::start(), Server::start());
    let mut found = 0;
    // By chance all that is forgotten may be removed before anyone looks: not every time.
    for seed in 0..4 {
        let path = bucket(&first).await;
        assert_eq!(second.client().put(&path, "").await.status, 200);
        let door = Door::new(first.client());
        let (running, clock) = start::<Set>(&door, path, Dice::new(seed), EACH);
        clock.reaches(CLIENTS * EACH / 2, &running).await;
        door.send_replace(second.client());
        let history = running.await.expect("the clients end");
        found += usize::from(checker::check::<Set>(&history).is_err());
    }
    assert!(found > 0, "two servers passed for one");
}
