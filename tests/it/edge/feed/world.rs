//! A server, edges, and the wires between them, which a test may cut.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::edge::process::Edge;
use crate::harness::Server;

/// How long anything may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A place that stays while what it leads to comes and goes.
pub struct Wire {
    pub address: SocketAddr,
    to: Arc<Mutex<Option<SocketAddr>>>,
    lines: Arc<Mutex<JoinSet<()>>>,
    task: JoinHandle<()>,
}

impl Wire {
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (to, lines) = (Arc::new(Mutex::new(Some(target))), Arc::new(Mutex::new(JoinSet::new())));
        let (target, connections) = (Arc::clone(&to), Arc::clone(&lines));
        let task = tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let Some(target) = *target.lock() else { continue };
                connections.lock().spawn(async move {
                    let Ok(mut far) = TcpStream::connect(target).await else { return };
                    let _ = (near.set_nodelay(true), far.set_nodelay(true));
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        Self { address, to, lines, task }
    }

    /// Ends every connection, and takes no new one.
    pub fn cut(&self) {
        *self.to.lock() = None;
        self.lines.lock().abort_all();
    }

    pub fn lead_to(&self, target: SocketAddr) {
        *self.to.lock() = Some(target);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.cut();
        self.task.abort();
    }
}

/// A server whose process may be another one over time.
pub struct World {
    pub server: Server,
    pub data: PathBuf,
    /// What edges read the feed over.
    pub feed: Wire,
    /// What edges ask for objects over.
    pub objects: Wire,
    /// What edges ask for pages over.
    pub pages: Wire,
    /// The key of edges.
    pub key: (String, String),
    _directory: TempDir,
}

impl World {
    /// A server with the bucket `pail`, which is a website, and a key for its edges.
    pub async fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let data = directory.path().join("data");
        let server = Server::start_on(&data, &[]).unwrap_or_else(|refused| panic!("{refused}"));
        let feed = Wire::to(server.s3).await;
        let objects = Wire::to(server.s3).await;
        let pages = Wire::to(server.website).await;
        assert_eq!(server.client().put("/pail", "").await.status, 200);
        let website = "<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument>\
            </WebsiteConfiguration>";
        assert_eq!(server.client().put("/pail?website", website).await.status, 200);
        let key = edge_key(&data);
        Self { server, data, feed, objects, pages, key, _directory: directory }
    }

    /// The lines of an edge's configuration that are alike for all.
    pub fn config(&self, name: &str) -> String {
        self.config_behind(name, self.feed.address)
    }

    /// The same, of an edge that reads the feed elsewhere.
    fn config_behind(&self, name: &str, feed: SocketAddr) -> String {
        let (id, secret) = &self.key;
        format!(
            "name = \"{name}\"\n[feed]\nurl = \"http://{}\"\naccess_key_id = \"{id}\"\nsecret_access_key = \"{secret}\"\n",
            feed
        )
    }

    /// An edge that others read the feed from.
    pub async fn shield(&self, name: &str) -> Edge {
        let edge = Edge::start(&(self.config(name) + "relay = true\n" + &self.sites()));
        self.is_live(name).await;
        edge
    }

    /// An edge that knows nobody but a shield.
    pub async fn behind(&self, shield: SocketAddr, name: &str) -> Edge {
        let site = format!(
            "[[site]]\nid = \"objects\"\nhosts = [\"site.test\"]\n[site.origin]\nurl = \"http://{shield}\"\nhost = \"viewer\"\n"
        );
        let edge = Edge::start(&(self.config_behind(name, shield) + &site));
        self.is_live(name).await;
        edge
    }

    /// A site of the bucket's objects, and one of its pages.
    pub fn sites(&self) -> String {
        let (id, secret) = &self.key;
        let site = |name: &str, host: &str, kind: &str, wire: &Wire| {
            format!(
                "[[site]]\nid = \"{name}\"\nhosts = [\"{host}\"]\n[site.origin]\nurl = \"http://{}\"\n{kind} = \"pail\"\n\
                 access_key_id = \"{id}\"\nsecret_access_key = \"{secret}\"\n",
                wire.address
            )
        };
        site("objects", "site.test", "bucket", &self.objects) + &site("pages", "pages.test", "website", &self.pages)
    }

    /// An edge that follows the feed, once it does.
    pub async fn edge(&self, name: &str) -> Edge {
        let edge = Edge::start(&(self.config(name) + &self.sites()));
        self.is_live(name).await;
        edge
    }

    /// Puts an object; gives the position of the write.
    pub async fn put(&self, key: &str, body: impl AsRef<[u8]>) -> u64 {
        let answer = self.server.client().put(&format!("/pail/{key}"), body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        position(&answer)
    }

    pub async fn delete(&self, key: &str) -> u64 {
        let answer = self.server.client().delete(&format!("/pail/{key}")).await;
        assert_eq!(answer.status, 204, "{answer:?}");
        answer.header("x-brim-position").map_or(0, |text| text.parse().expect("a number"))
    }

    /// Ends the server and starts it again on its directory.
    pub async fn restart(&mut self) {
        self.server.terminate();
        assert!(self.server.ended().is_some());
        self.start_on(&self.data.clone());
    }

    /// Goes on with the server on another directory.
    pub fn start_on(&mut self, data: &Path) {
        self.data = data.to_owned();
        self.server = Server::start_on(data, &[]).unwrap_or_else(|refused| panic!("{refused}"));
        for (wire, target) in
            [(&self.feed, self.server.s3), (&self.objects, self.server.s3), (&self.pages, self.server.website)]
        {
            wire.cut();
            wire.lead_to(target);
        }
    }

    /// Waits until no live edge holds anything of before this position.
    pub async fn gone(&self, position: u64) {
        let answer = ask(&self.data, json!({"do": "wait", "position": position, "time": 20_000})).await;
        assert_eq!(answer["gone"]["gone"], true, "{answer}");
    }

    /// Whether all that is known says so now.
    pub async fn is_gone(&self, position: u64) -> bool {
        ask(&self.data, json!({"do": "wait", "position": position, "time": 0})).await["gone"]["gone"] == true
    }

    /// Up to where each edge has applied the log; -1 for those that are not live.
    pub async fn applied(&self, name: &str) -> i64 {
        applied(&self.data, name).await
    }

    pub async fn is_live(&self, name: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.applied(name).await <= 0 {
            assert!(Instant::now() < deadline, "edge {name} does not follow");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// As [`World::applied`], of a server on `data`.
pub async fn applied(data: &Path, name: &str) -> i64 {
    let answer = ask(data, json!({"do": "list"})).await;
    let edges = answer["edges"]["edges"].as_array().cloned().unwrap_or_default();
    let live = edges.iter().filter(|edge| edge["name"] == name && edge["state"] == "live");
    live.filter_map(|edge| edge["applied"].as_i64()).max().unwrap_or(-1)
}

/// Asks the operator socket something about edges.
async fn ask(data: &Path, work: Value) -> Value {
    let socket = data.join("admin.sock");
    let line = json!({"command": "edge", "work": work}).to_string();
    let asked = tokio::task::spawn_blocking(move || {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(format!("{line}\n").as_bytes())?;
        for line in BufReader::new(stream).lines() {
            let line: Value = serde_json::from_str(&line?)?;
            // What comes before says that the command goes on.
            if line.get("ok").is_some() || line.get("error").is_some() {
                return Ok(line);
            }
        }
        std::io::Result::Err(std::io::ErrorKind::UnexpectedEof.into())
    });
    let answer = asked.await.expect("no panic").expect("the socket answers");
    assert!(answer.get("ok").is_some(), "{answer}");
    answer["ok"].clone()
}

fn edge_key(data: &Path) -> (String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_brim"))
        .args(["key", "create", "--edge", "pail", "--json", "--data"])
        .arg(data)
        .output()
        .expect("the binary starts");
    let made: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let text = |name: &str| made[name].as_str().expect("a text").to_owned();
    (text("access_key_id"), text("secret_access_key"))
}

pub fn position(answer: &crate::raw::Answer) -> u64 {
    answer.header("x-brim-position").and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{answer:?}"))
}

/// Whether an answer came out of the cache without asking: the last cache that says something is the nearest (RFC 9211).
pub fn is_hit(answer: &crate::raw::Answer) -> bool {
    answer.last_header("cache-status").is_some_and(|status| status.contains("; hit"))
}
