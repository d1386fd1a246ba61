//! Random writes and reads through several edges, and an oracle: no answer is older than what its edge had acknowledged when
//! it was asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::world::{World, applied, position};
use crate::dice::{Dice, first_seed};
use crate::edge::process::Edge;
use crate::raw::{Answer, Raw};
use crate::signed::Signed;

const KEYS: usize = 24;
const OPERATIONS: u64 = 10_000;
const READERS: u64 = 4;

/// What became of a key: one entry a write, in their order. Writes of one key follow each other.
#[derive(Default)]
struct History {
    writes: Vec<Write>,
}

#[derive(Clone, Copy)]
struct Write {
    deleted: bool,
    /// 0 while its answer is still to come.
    position: u64,
}

impl History {
    /// The number of the last write that was committed up to `acknowledged`; 0 before the first.
    fn floor(&self, acknowledged: u64) -> usize {
        let committed = |write: &Write| write.position != 0 && write.position <= acknowledged;
        self.writes.iter().rposition(committed).map_or(0, |index| index + 1)
    }

    /// Whether an answer may be what it is where everything up to write `floor` counts. Write 0 is that nothing is there.
    fn allows(&self, floor: usize, answer: &Answer) -> bool {
        match answer.status {
            200 => {
                let number: usize = answer.text().split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0);
                number >= floor.max(1) && number <= self.writes.len() && !self.writes[number - 1].deleted
            }
            404 => floor == 0 || self.writes[floor - 1..].iter().any(|write| write.deleted),
            _ => false,
        }
    }
}

struct Shared {
    histories: Vec<Mutex<History>>,
    /// Held by whoever writes a key.
    turns: Vec<tokio::sync::Mutex<()>>,
    acknowledged: Vec<AtomicI64>,
    hits: AtomicU64,
    done: AtomicBool,
}

impl Shared {
    async fn write(&self, client: &Signed, key: usize, deleted: bool) {
        let _turn = self.turns[key].lock().await;
        let number = {
            let mut history = self.histories[key].lock();
            history.writes.push(Write { deleted, position: 0 });
            history.writes.len()
        };
        let target = format!("/pail/k{key}");
        let answer = match deleted {
            true => client.delete(&target).await,
            false => client.put(&target, format!("{number} {}", "x".repeat(number % 700))).await,
        };
        assert!(answer.status == 200 || answer.status == 204, "{answer:?}");
        // Deleting what is not there changes nothing, and has no position: it is as the write before.
        let position = answer.header("x-brim-position").map(|_| position(&answer));
        let mut history = self.histories[key].lock();
        let before = history.writes[..number - 1].last().map_or(1, |write| write.position);
        history.writes[number - 1].position = position.unwrap_or(before);
    }

    async fn read(&self, connection: &mut Raw, edge: usize, key: usize) {
        let acknowledged = self.acknowledged[edge].load(Ordering::SeqCst).max(0) as u64;
        let floor = self.histories[key].lock().floor(acknowledged);
        connection.send(format!("GET /k{key} HTTP/1.1\r\nHost: site.test\r\n\r\n")).await;
        let answer = connection.answer().await;
        if super::is_hit(&answer) {
            self.hits.fetch_add(1, Ordering::Relaxed);
        }
        let history = self.histories[key].lock();
        assert!(
            history.allows(floor, &answer),
            "edge {edge} had acknowledged {acknowledged}, which is write {floor} of k{key}, and said {answer:?}"
        );
    }
}

/// Writes and reads at random through these edges, which are called as they are given.
pub async fn run(world: &World, edges: &[(&str, &Edge)]) {
    let seed = first_seed();
    println!("SOAK_SEED={seed}");
    let shared = Arc::new(Shared {
        histories: (0..KEYS).map(|_| Mutex::default()).collect(),
        turns: (0..KEYS).map(|_| tokio::sync::Mutex::default()).collect(),
        acknowledged: edges.iter().map(|_| AtomicI64::new(-1)).collect(),
        hits: AtomicU64::new(0),
        done: AtomicBool::new(false),
    });
    let names: Vec<String> = edges.iter().map(|(name, _)| (*name).to_owned()).collect();
    let watching = tokio::spawn(watch(Arc::clone(&shared), world.data.clone(), names));
    let mut tasks = Vec::new();
    for worker in 0..READERS {
        let (shared, client, mut dice) = (Arc::clone(&shared), world.server.client(), Dice::new(seed).fork(worker));
        let addresses: Vec<_> = edges.iter().map(|(_, edge)| edge.http).collect();
        tasks.push(tokio::spawn(async move {
            let mut connections = Vec::new();
            for address in addresses {
                connections.push(Raw::connect(address).await);
            }
            for _ in 0..OPERATIONS / READERS {
                let key = dice.below(KEYS as u64) as usize;
                match dice.below(10) {
                    0 => shared.write(&client, key, false).await,
                    1 => shared.write(&client, key, dice.percent(40)).await,
                    _ => {
                        let edge = dice.below(connections.len() as u64) as usize;
                        shared.read(&mut connections[edge], edge, key).await;
                    }
                }
            }
        }));
    }
    for task in tasks {
        task.await.expect("no answer was too old");
    }
    shared.done.store(true, Ordering::SeqCst);
    watching.await.expect("the edges are listed");
    let hits = shared.hits.load(Ordering::Relaxed);
    println!("{hits} hits among {OPERATIONS} operations");
    assert!(hits > OPERATIONS / 10, "only {hits} hits: nothing was shown");
}

/// Keeps what each edge has acknowledged up to date: always a little late, which makes nothing too strict.
async fn watch(shared: Arc<Shared>, data: std::path::PathBuf, names: Vec<String>) {
    while !shared.done.load(Ordering::SeqCst) {
        for (index, name) in names.iter().enumerate() {
            let applied = applied(&data, name).await;
            shared.acknowledged[index].fetch_max(applied, Ordering::SeqCst);
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_older_than_what_its_edge_has_acknowledged() {
    let world = World::new().await;
    let (one, two) = (world.edge("one").await, world.edge("two").await);
    let shield = world.shield("shield").await;
    let behind = world.behind(shield.http, "behind").await;
    run(&world, &[("one", &one), ("two", &two), ("shield", &shield), ("behind", &behind)]).await;
}

#[test]
fn the_oracle_sees_what_is_too_old() {
    let answer = |status: u16, body: &str| Answer::new(status, Vec::new(), body.as_bytes().to_vec());
    let write = |deleted, position| Write { deleted, position };
    let history = History { writes: vec![write(false, 5), write(true, 7), write(false, 9), write(false, 0)] };
    assert_eq!([4, 5, 8, 9, 100].map(|acknowledged| history.floor(acknowledged)), [0, 1, 2, 3, 3]);
    assert!(history.allows(0, &answer(404, "")) && history.allows(0, &answer(200, "1 x")));
    assert!(history.allows(2, &answer(404, "")) && history.allows(2, &answer(200, "3 x")));
    assert!(history.allows(3, &answer(200, "4 ")), "a write under way may be seen");
    for (floor, status, body) in [(2, 200, "1 x"), (3, 404, ""), (3, 200, "2 "), (0, 200, "5 "), (0, 502, "")] {
        assert!(!history.allows(floor, &answer(status, body)), "{floor} {status} {body}");
    }
}
