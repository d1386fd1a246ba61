//! How long what was overwritten stays at an edge: from the `200` of the PUT to the first answer with the new bytes, for a
//! client that asks over and over. A server, and an edge that follows its feed; alone, and beside other requests.

use std::cell::Cell;
use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tempfile::TempDir;
use tokio::task::spawn_local;

use super::client::{Connection, Request};
use super::drive::block_on;
use super::options::Options;
use super::process::Process;
use super::signer::{ACCESS_KEY, SECRET_KEY, Signer};

/// How often the object is overwritten.
const ROUNDS: usize = 1000;
/// How many connections put objects of 4 KiB, and how many get what the edge holds, beside it.
const PUTTERS: usize = 4;
const GETTERS: usize = 4;
const BUCKET: &str = "bench";
const OBJECT: &str = "page";

/// The name of each row, whether it has other requests beside it, and the most that its p99 may be.
pub const ROWS: [(&str, bool, Duration); 2] = [
    ("write to gone", false, Duration::from_millis(10)),
    ("write to gone, under load", true, Duration::from_millis(50)),
];

/// A server with an edge in front of its bucket.
pub struct Pair {
    server: SocketAddr,
    edge: SocketAddr,
    signer: Signer,
    // Dropped before the directory that they use, the edge first.
    _processes: [Process; 2],
    _directory: TempDir,
}

/// How long it took, in order.
pub struct Gone(Vec<Duration>);

impl Pair {
    pub fn start(options: &Options) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut command = Command::new(&options.brim);
        command.arg("server").arg("--data").arg(directory.path().join("data"));
        command.args(["--listen", "127.0.0.1:0", "--website-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        command.env("BRIM_ROOT_ACCESS_KEY_ID", ACCESS_KEY).env("BRIM_ROOT_SECRET_ACCESS_KEY", SECRET_KEY);
        let (server, address) = Process::start_ready(&command, "s3=http://");
        let signer = Signer::new(address);
        block_on(put(address, signer.presigned("PUT", &format!("/{BUCKET}"), &[], Bytes::new())));
        let config = directory.path().join("edge.toml");
        fs::write(&config, edge_config(address)).expect("a writable directory");
        let mut command = Command::new(&options.edge);
        command.arg("--config").arg(&config);
        let (edge, behind) = Process::start_ready(&command, "http=http://");
        Self { server: address, edge: behind, signer, _processes: [edge, server], _directory: directory }
    }

    /// Overwrites an object that the edge holds, again and again.
    pub fn measure(&self, loaded: bool) -> Gone {
        block_on(async {
            let stop = Rc::new(Cell::new(false));
            let others: Vec<_> = if loaded { self.others(&stop) } else { Vec::new() };
            let gone = self.overwrite().await;
            stop.set(true);
            for other in others {
                other.await.expect("connections do not panic");
            }
            gone
        })
    }

    async fn overwrite(&self) -> Gone {
        let mut server = Connection::open(self.server).await.expect("a server that listens");
        let mut edge = Connection::open(self.edge).await.expect("an edge that listens");
        let asked = get(OBJECT);
        let (mut taken, mut held) = (Vec::with_capacity(ROUNDS), 0);
        for round in 0..ROUNDS {
            let body = format!("{round:08}");
            let overwrite = self.put(OBJECT, body.clone().into());
            let answer = server.exchange(&overwrite, false).await.expect("an answer");
            let begun = Instant::now();
            assert_eq!(answer.status, 200, "{}", answer.head);
            while edge.exchange(&asked, true).await.expect("an answer").body != body.as_bytes() {}
            taken.push(begun.elapsed());
            let again = edge.exchange(&asked, true).await.expect("an answer");
            held += usize::from(again.header("cache-status").is_some_and(|status| status.contains("hit")));
        }
        assert!(held > ROUNDS / 2, "the edge held the object in {held} rounds of {ROUNDS} alone");
        taken.sort_unstable();
        Gone(taken)
    }

    /// Connections that put objects, and such that get one that the edge holds, until they are to stop.
    fn others(&self, stop: &Rc<Cell<bool>>) -> Vec<tokio::task::JoinHandle<()>> {
        let puts = (0..PUTTERS).map(|number| (self.server, self.put(&format!("other-{number}"), vec![1; 4096].into())));
        let gets = (0..GETTERS).map(|_| (self.edge, get("other-0")));
        let keep = |(address, request)| spawn_local(keep_asking(address, request, Rc::clone(stop)));
        puts.chain(gets).map(keep).collect()
    }

    fn put(&self, key: &str, body: Bytes) -> Request {
        self.signer.presigned("PUT", &format!("/{BUCKET}/{key}"), &[], body)
    }
}

impl Gone {
    /// So many in a thousand took no longer.
    pub fn at(&self, share: usize) -> Duration {
        self.0[(self.0.len() * share / 1000).min(self.0.len() - 1)]
    }
}

async fn keep_asking(address: SocketAddr, request: Request, stop: Rc<Cell<bool>>) {
    let mut connection = Connection::open(address).await.expect("a server that listens");
    while !stop.get() {
        connection.exchange(&request, false).await.expect("an answer");
    }
}

async fn put(address: SocketAddr, request: Request) {
    let mut connection = Connection::open(address).await.expect("a server that listens");
    let answer = connection.exchange(&request, true).await.expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.head);
}

fn get(key: &str) -> Request {
    let head = format!("GET /{key} HTTP/1.1\r\nHost: bench.test\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n");
    Request { head: head.into(), body: Bytes::new(), bodiless_answer: false }
}

fn edge_config(server: SocketAddr) -> String {
    let key = format!("access_key_id = \"{ACCESS_KEY}\"\nsecret_access_key = \"{SECRET_KEY}\"\n");
    format!(
        "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\nworkers = 1\nmemory = \"1GiB\"\n\
         [feed]\nurl = \"http://{server}\"\n{key}\
         [[site]]\nid = \"bench\"\nhosts = [\"*\"]\n[site.origin]\nurl = \"http://{server}\"\nbucket = \"{BUCKET}\"\n{key}"
    )
}
