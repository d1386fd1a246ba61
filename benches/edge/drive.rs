//! Drives a load: so many connections, each with one request after the other, and what came of it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::{LocalSet, spawn_local};

use super::client::{Connection, Request};
use super::rows::Row;
use super::servers::Server;

/// How long a load runs before it is measured.
const WARM_UP: Duration = Duration::from_millis(300);

/// What a load came to.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    pub operations: u64,
    pub elapsed: Duration,
    pub p50: Duration,
    pub p99: Duration,
    /// Of the server.
    pub cpu: Duration,
}

impl Measured {
    pub fn per_second(&self) -> f64 {
        self.operations as f64 / self.elapsed.as_secs_f64()
    }

    /// Requests for each second of the server's processor time.
    pub fn per_cpu_second(&self) -> f64 {
        self.operations as f64 / self.cpu.as_secs_f64()
    }

    /// Of several rounds the one in the middle, by requests for each second of processor time; its p99 is the median p99.
    pub fn median(mut rounds: Vec<Self>) -> Self {
        rounds.sort_by_key(|round| round.p99);
        let p99 = rounds[rounds.len() / 2].p99;
        rounds.sort_by(|one, other| one.per_cpu_second().total_cmp(&other.per_cpu_second()));
        Self { p99, ..rounds[rounds.len() / 2] }
    }
}

/// What the connections of a load share.
struct Shared {
    requests: Vec<Request>,
    next: Cell<usize>,
    counting: Cell<bool>,
    stop: Cell<bool>,
    latencies: RefCell<Vec<Duration>>,
}

/// Sends each request of the row twice: nginx and others keep what they have seen.
pub fn send_all(server: &Server, row: &Row) {
    block_on(async {
        let mut connection = Connection::open(server.address).await.expect("a server that listens");
        for request in row.requests().iter().chain(&row.requests()) {
            let answer = connection.exchange(request, false).await.expect("an answer");
            assert_eq!((answer.status, answer.length), (200, row.bytes as u64), "{}: {}", server.name, answer.head);
        }
    });
}

/// Runs the row's load for the time given, after a warm-up. Every answer must be whole.
pub fn measure(server: &Server, row: &Row, time: Duration) -> Measured {
    block_on(async {
        let shared = Rc::new(Shared {
            requests: row.requests(),
            next: Cell::default(),
            counting: Cell::default(),
            stop: Cell::default(),
            latencies: RefCell::default(),
        });
        let ask = |_| spawn_local(keep_asking(server.address, Rc::clone(&shared), row.bytes as u64));
        let tasks: Vec<_> = (0..row.connections).map(ask).collect();
        tokio::time::sleep(WARM_UP).await;
        let (cpu, begun) = (server.process.cpu(), Instant::now());
        shared.counting.set(true);
        tokio::time::sleep(time).await;
        shared.counting.set(false);
        let (elapsed, cpu) = (begun.elapsed(), server.process.cpu() - cpu);
        shared.stop.set(true);
        for task in tasks {
            task.await.expect("connections do not panic");
        }
        let mut latencies = shared.latencies.take();
        latencies.sort_unstable();
        let at = |share: usize| latencies.get(latencies.len() * share / 100).copied().unwrap_or_default();
        Measured { operations: latencies.len() as u64, elapsed, p50: at(50), p99: at(99), cpu }
    })
}

async fn keep_asking(address: std::net::SocketAddr, shared: Rc<Shared>, bytes: u64) {
    let mut connection = Connection::open(address).await.expect("a server that listens");
    while !shared.stop.get() {
        let next = shared.next.get();
        shared.next.set(next + 1);
        let begun = Instant::now();
        let answer = connection.exchange(&shared.requests[next % shared.requests.len()], false).await;
        let answer = answer.expect("an answer");
        assert_eq!((answer.status, answer.length), (200, bytes), "{}", answer.head);
        if shared.counting.get() {
            shared.latencies.borrow_mut().push(begun.elapsed());
        }
    }
}

/// Runs `work` on this thread.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, work)
}
