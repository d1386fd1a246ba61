//! No room and broken disks: the n-th call of every kind, on every kind of file, fails under a fixed load.
//!
//! Every request gets an answer of S3, reading goes on, and what was acknowledged outlives a power loss right after.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::disk::Survival;
use super::library::{ALLOCATE, CREATE, DIRECT, REMOVE, RENAME, Rule, SYNC, WRITE};
use super::machine::Machine;
use super::power_loss::{OFTEN, SMALL_BUFFERS, make_bucket, wrong};
use super::worker::{BUCKET, KINDS, Mix, Worker};
use crate::dice::Dice;
use crate::signed::Signed;

/// Which calls, on which files, and with which errors.
type Row = (u32, &'static str, &'static [i32]);

/// What fails.
const WALK: [Row; 23] = [
    (CREATE, "blobs/??/*", &BOTH),
    (ALLOCATE, "blobs/??/*", &BOTH),
    (WRITE, "blobs/??/*", &BOTH),
    // A disk that wants another alignment is written to through the page cache.
    (DIRECT, "blobs/??/*", &[libc::ENOSPC, libc::EIO, libc::EINVAL]),
    (SYNC, "blobs/??/*", &BOTH),
    (SYNC, "blobs/??", &[libc::EIO]),
    (REMOVE, "blobs/??/*", &[libc::EIO]),
    (CREATE, "blobs/packs/*", &BOTH),
    (WRITE, "blobs/packs/*", &BOTH),
    (SYNC, "blobs/packs/*", &BOTH),
    (SYNC, "blobs/packs", &[libc::EIO]),
    // Freeing what was removed.
    (ALLOCATE, "blobs/packs/*", &BOTH),
    (CREATE | RENAME, "kv/*.log", &BOTH),
    (WRITE, "kv/*.log", &BOTH),
    (SYNC, "kv/*.log", &BOTH),
    (CREATE, "kv/*.sst", &BOTH),
    (WRITE, "kv/*.sst", &BOTH),
    (SYNC, "kv/*.sst", &[libc::EIO]),
    (WRITE, "kv/*.blob", &BOTH),
    (SYNC, "kv/*.blob", &[libc::EIO]),
    (WRITE, "kv/MANIFEST*", &BOTH),
    (SYNC, "kv/MANIFEST*", &[libc::EIO]),
    (SYNC, "kv", &[libc::EIO]),
];
const BOTH: [i32; 2] = [libc::ENOSPC, libc::EIO];

/// The kind of change that puts the most into the metadata engine: bytes that lie beside their record.
const SMALL: u64 = 2;

/// How many cases run at once: they mostly wait for the disk.
const AT_ONCE: usize = 3;

/// How long after the load a table may be written in the background.
const BACKGROUND: Duration = Duration::from_secs(2);

/// How long writing may take to come back by itself.
const COMES_BACK: Duration = Duration::from_secs(15);

/// One failing call.
#[derive(Debug, Clone)]
struct Case {
    rule: Rule,
    dice: Dice,
}

/// The kinds of changes, each several times, in an order of their own; then small objects until the metadata engine has
/// written a table, for which [`fill`] has brought it close enough.
fn load() -> Vec<u64> {
    (0..4 * KINDS).map(|number| number * 7 % KINDS).chain([SMALL; 40]).collect()
}

/// Fills the metadata engine's write buffer, but not so far that it writes a table.
async fn fill(worker: &mut Worker, client: &Signed) {
    worker.run_fixed(client, &[SMALL; 70]).await;
}

impl Case {
    /// Runs the load with this fault; gives whether it was met.
    async fn run(&self) -> bool {
        let mut machine = Machine::new();
        let mut server = machine.start(&[SMALL_BUFFERS, OFTEN]).unwrap();
        let client = server.client();
        make_bucket(&client).await;
        let mut workers = Worker::several(1, "w", Mix::All, &self.dice);
        fill(&mut workers[0], &client).await;
        machine.control.set(0, &self.rule);
        workers[0].run_fixed(&client, &load()).await;
        let met = is_met(&machine).await;
        machine.control.clear(0);

        self.reads_go_on(&client, &workers[0]).await;
        if self.rule.error == libc::ENOSPC {
            self.writes_come_back(&client).await;
        }
        assert!(server.is_running(), "{self:?}: {}", server.log());
        server.kill();
        drop(server);
        machine.lose_power(&mut Survival::Nothing);
        let server = machine.start(&[SMALL_BUFFERS, OFTEN]).unwrap_or_else(|refused| panic!("{self:?}: {refused}"));
        let client = server.client();
        let wrong = wrong(&server, &mut workers).await;
        assert!(wrong.is_empty(), "{self:?}: {wrong:#?}");
        workers[0].run_fixed(&client, &[0, 2, 5, 7, 8, 10, 14]).await;
        met
    }

    async fn reads_go_on(&self, client: &Signed, worker: &Worker) {
        let ledger = &worker.ledger;
        for key in ledger.keys() {
            let found = ledger.read(client, BUCKET, key).await.unwrap_or_else(|wrong| panic!("{self:?}: {wrong}"));
            assert!(ledger.allowed(key).contains(&found), "{self:?}: {key} is {found:?}");
        }
    }

    /// A disk without room is no broken disk: when there is room again, so is the server.
    async fn writes_come_back(&self, client: &Signed) {
        let deadline = Instant::now() + COMES_BACK;
        loop {
            let answer = client.put(&format!("/{BUCKET}/back"), "again").await;
            if answer.status == 200 {
                assert_eq!(client.delete(&format!("/{BUCKET}/back")).await.status, 204);
                return;
            }
            assert!(answer.status >= 500 && Instant::now() < deadline, "{self:?}: {answer:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Whether the fault was met, be it by what goes on after the load.
async fn is_met(machine: &Machine) -> bool {
    let deadline = Instant::now() + BACKGROUND;
    while machine.control.counts(0).1 == 0 {
        if Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    true
}

/// The rows that there can be on this machine, and how often each is called by the load.
async fn calls(seed: u64) -> Vec<(Row, u64)> {
    let mut machine = Machine::new();
    let direct = machine.allows_direct_writes();
    let rows: Vec<Row> = WALK.into_iter().filter(|(calls, ..)| direct || *calls != DIRECT).collect();
    let server = machine.start(&[SMALL_BUFFERS, OFTEN]).unwrap();
    let client = server.client();
    make_bucket(&client).await;
    let mut worker = Worker::several(1, "w", Mix::All, &Dice::new(seed)).remove(0);
    fill(&mut worker, &client).await;
    for (slot, (calls, pattern, _)) in (0..).zip(&rows) {
        machine.control.set(slot, &Rule { calls: *calls, pattern, error: 0, skip: 0, times: 0 });
    }
    worker.run_fixed(&client, &load()).await;
    tokio::time::sleep(BACKGROUND).await;
    (0..).zip(rows).map(|(slot, row)| (row, machine.control.counts(slot).0)).collect()
}

/// Runs all cases, some at a time; gives the rules of those that met their fault.
async fn run_all(cases: Vec<Case>) -> Vec<Rule> {
    let queue = Arc::new(Mutex::new(cases));
    let runners: Vec<_> = (0..AT_ONCE)
        .map(|_| {
            let queue = queue.clone();
            tokio::spawn(async move {
                let mut met = Vec::new();
                loop {
                    let Some(case) = queue.lock().expect("no runner panics here").pop() else { return met };
                    if case.run().await {
                        met.push(case.rule);
                    }
                }
            })
        })
        .collect();
    let mut met = Vec::new();
    for runner in runners {
        met.extend(runner.await.expect("every case ends well"));
    }
    met
}

/// Cases in which the call numbered by `choose`, of so many, fails; gives the rows of which none met its fault.
async fn walk(seed: u64, choose: impl Fn(u64) -> Vec<u64>) -> Vec<Row> {
    let (mut cases, counted) = (Vec::new(), calls(seed).await);
    for ((calls, pattern, errors), count) in &counted {
        assert!(*count > 0, "the load makes no call {calls} of {pattern}");
        for error in *errors {
            for skip in choose(*count) {
                let rule = Rule { calls: *calls, pattern, error: *error, skip, times: 1 };
                cases.push(Case { rule, dice: Dice::new(seed) });
            }
        }
    }
    let all = cases.len();
    let met = run_all(cases).await;
    // Background work differs from run to run, so that a later call may not come.
    assert!(met.len() * 2 >= all, "only {} of {all} cases met their fault", met.len());
    let is_met = |(calls, pattern, _): &Row| met.iter().any(|rule| (rule.calls, rule.pattern) == (*calls, *pattern));
    counted.into_iter().map(|(row, _)| row).filter(|row| !is_met(row)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_call_loses_nothing_that_was_acknowledged() {
    let unmet = walk(1, |count| if count > 3 { vec![0, count / 2] } else { vec![0] }).await;
    assert!(unmet.is_empty(), "no case met its fault: {unmet:?}");
}

/// As above with calls by chance, for `make soak`: such a call may never come.
pub async fn soak(seed: u64) {
    let dice = Dice::new(seed);
    walk(seed, |count| vec![dice.fork(count).below(count)]).await;
}
