//! Drives a load: so many connections, each with one request after the other, and what came of it.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::{JoinHandle, LocalSet, spawn_local};

use super::client::{Answer, Connection, Request};
use super::options::WARM_UP;
use super::process::own_cpu;
use super::servers::Site;

/// How long a row may wait for its first answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// Requests over some connections.
pub struct Load {
    pub connections: usize,
    pub requests: Vec<Request>,
    /// Whether they start over when all were sent; otherwise that is the end of it.
    pub again: bool,
    /// Where they are sent; without it, where the site's objects are.
    pub address: Option<SocketAddr>,
}

/// What a load came to.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    pub operations: u64,
    /// Bytes of bodies, in either direction.
    pub bytes: u64,
    pub failures: u64,
    pub elapsed: Duration,
    pub p50: Duration,
    pub p99: Duration,
    pub server_cpu: Duration,
    pub client_cpu: Duration,
    /// The server's peak of resident memory while it was measured, in bytes.
    pub peak: u64,
}

/// What the connections of a load share.
#[derive(Default)]
struct Shared {
    requests: Vec<Request>,
    again: bool,
    next: Cell<usize>,
    counting: Cell<bool>,
    stop: Cell<bool>,
    latencies: RefCell<Vec<Duration>>,
    bytes: Cell<u64>,
    failures: Cell<u64>,
}

impl Load {
    /// Starts over with the requests until the time is up.
    pub fn again(connections: usize, requests: Vec<Request>) -> Self {
        Self { connections, requests, again: true, address: None }
    }

    /// Ends early when every request was sent.
    pub fn once(connections: usize, requests: Vec<Request>) -> Self {
        Self { connections, requests, again: false, address: None }
    }

    /// The same load, sent to another address of the server.
    pub fn at(self, address: SocketAddr) -> Self {
        Self { address: Some(address), ..self }
    }
}

impl Measured {
    pub fn per_second(&self) -> f64 {
        self.operations as f64 / self.elapsed.as_secs_f64()
    }

    /// In millions of bytes a second.
    pub fn megabytes_per_second(&self) -> f64 {
        self.bytes as f64 / 1e6 / self.elapsed.as_secs_f64()
    }

    /// Bytes of bodies for each second of the server's processor time.
    pub fn bytes_per_cpu_second(&self) -> f64 {
        self.bytes as f64 / self.server_cpu.as_secs_f64()
    }

    pub fn server_cpu_each(&self) -> Duration {
        self.server_cpu.div_f64(self.operations.max(1) as f64)
    }

    pub fn client_cpu_each(&self) -> Duration {
        self.client_cpu.div_f64(self.operations.max(1) as f64)
    }
}

/// Runs `load` for the time given, after a warm-up.
pub fn measure(site: &Site, load: Load, time: Duration) -> Measured {
    measure_beside(site, load, None, time)
}

/// Runs `load` and measures it, while `background` runs and is not measured.
pub fn measure_beside(site: &Site, load: Load, background: Option<Load>, time: Duration) -> Measured {
    block_on(async {
        let beside = background.map(|load| Running::start(site, load));
        let running = Running::start(site, load);
        tokio::time::sleep(WARM_UP).await;
        let measured = running.measure(site, time).await;
        if let Some(beside) = beside {
            beside.stop().await;
        }
        measured
    })
}

/// Sends every request once, from the first byte on, and measures all of it.
pub fn measure_all(site: &Site, connections: usize, requests: Vec<Request>) -> Measured {
    block_on(async {
        let running = Running::start(site, Load::once(connections, requests));
        running.measure(site, Duration::MAX).await
    })
}

/// Sends one request and gives its answer, whose status must be a success.
pub fn exchange(site: &Site, request: &Request) -> Answer {
    exchange_at(site.address, request)
}

/// Sends one request to an address and gives its answer, whose status must be a success.
pub fn exchange_at(address: SocketAddr, request: &Request) -> Answer {
    let answer = block_on(async { Connection::open(address).await?.exchange(request, true).await });
    let answer = answer.expect("a server that answers");
    assert!(is_success(answer.status), "{}\n{}", answer.head, String::from_utf8_lossy(&answer.body));
    answer
}

/// Whether a request is answered with success.
pub fn succeeds(site: &Site, request: &Request) -> bool {
    let answer = block_on(async { Connection::open(site.address).await?.exchange(request, false).await });
    answer.is_ok_and(|answer| is_success(answer.status))
}

/// Sends every request, which must all succeed.
pub fn send_all(site: &Site, connections: usize, requests: Vec<Request>) {
    let wanted = requests.len() as u64;
    let measured = measure_all(site, connections, requests);
    assert_eq!((measured.operations, measured.failures), (wanted, 0), "every request of a preparation succeeds");
}

struct Running {
    shared: Rc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

impl Running {
    fn start(site: &Site, load: Load) -> Self {
        let shared = Rc::new(Shared { requests: load.requests, again: load.again, ..Shared::default() });
        let address = load.address.unwrap_or(site.address);
        let connection = |_| spawn_local(keep_asking(address, Rc::clone(&shared)));
        let tasks = (0..load.connections).map(connection).collect();
        Self { shared, tasks }
    }

    async fn measure(self, site: &Site, time: Duration) -> Measured {
        site.process.forget_peak();
        let (server, client, begun) = (site.process.cpu(), own_cpu(), Instant::now());
        self.shared.counting.set(true);
        while !self.is_over(begun.elapsed(), time) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.shared.counting.set(false);
        let elapsed = begun.elapsed();
        let (server_cpu, client_cpu) = (site.process.cpu() - server, own_cpu() - client);
        let shared = Rc::clone(&self.shared);
        self.stop().await;
        let mut latencies = shared.latencies.take();
        latencies.sort_unstable();
        let at = |share: usize| latencies.get(latencies.len() * share / 100).copied().unwrap_or_default();
        Measured {
            operations: latencies.len() as u64,
            bytes: shared.bytes.get(),
            failures: shared.failures.get(),
            elapsed,
            p50: at(50),
            p99: at(99),
            server_cpu,
            client_cpu,
            peak: site.process.peak(),
        }
    }

    fn is_over(&self, elapsed: Duration, time: Duration) -> bool {
        let answered = !self.shared.latencies.borrow().is_empty() || elapsed > PATIENCE;
        self.tasks.iter().all(JoinHandle::is_finished) || elapsed >= time && answered
    }

    async fn stop(self) {
        self.shared.stop.set(true);
        for task in self.tasks {
            task.await.expect("connections do not panic");
        }
    }
}

async fn keep_asking(address: SocketAddr, shared: Rc<Shared>) {
    let mut connection = None;
    while let Some(request) = shared.next() {
        let begun = Instant::now();
        let answer = async {
            let open = match connection.take() {
                Some(open) => open,
                None => Connection::open(address).await?,
            };
            let answer = connection.insert(open).exchange(&request, false).await?;
            std::io::Result::Ok(answer)
        };
        match answer.await {
            Ok(answer) if is_success(answer.status) => {
                shared.count(begun.elapsed(), answer.length + request.body.len() as u64);
            }
            Ok(answer) => shared.fail(&answer.head),
            Err(error) => {
                connection = None;
                shared.fail(&error.to_string());
            }
        }
    }
}

impl Shared {
    fn next(&self) -> Option<Request> {
        let next = self.next.get();
        self.next.set(next + 1);
        if self.stop.get() || self.requests.is_empty() {
            return None;
        }
        match self.again {
            true => self.requests.get(next % self.requests.len()).cloned(),
            false => self.requests.get(next).cloned(),
        }
    }

    fn count(&self, latency: Duration, bytes: u64) {
        if self.counting.get() {
            self.latencies.borrow_mut().push(latency);
            self.bytes.set(self.bytes.get() + bytes);
        }
    }

    fn fail(&self, why: &str) {
        if self.failures.replace(self.failures.get() + 1) == 0 {
            eprintln!("the first failure: {why}");
        }
    }
}

/// 304 too: only requests that ask for it get it.
fn is_success(status: u16) -> bool {
    matches!(status, 200..300 | 304)
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, work)
}
