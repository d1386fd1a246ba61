//! What an operator sees of the binary: its ready line, its exit statuses, and `brim key`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::harness::read_credentials;
use crate::signed::Signed;

/// A server that ends with this value, at the latest.
pub struct Running {
    process: Child,
    ready: String,
    data: PathBuf,
}

impl Running {
    pub fn start(data: &Path) -> Self {
        let mut command = brim(&[
            "server",
            "--listen",
            "127.0.0.1:0",
            "--website-listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
        ]);
        let mut process = command.arg("--data").arg(data).stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        Self { process, ready, data: data.to_owned() }
    }

    fn address(&self, name: &str) -> &str {
        let start = self.ready.find(&format!("{name}=http://")).unwrap() + name.len() + "=http://".len();
        self.ready[start..].split_whitespace().next().unwrap()
    }

    /// A client that signs with the root key.
    pub fn client(&self) -> Signed {
        let (access_key, secret_key) = read_credentials(&self.data.join("credentials"));
        Signed::new(self.address("s3").parse().unwrap(), &access_key, &secret_key)
    }

    /// Stops the server in order.
    pub fn stop(&mut self) {
        self.signal("-TERM");
        assert_eq!(self.process.wait().unwrap().code(), Some(0));
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.process.id().to_string()]).status().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The binary with nothing of this process's environment.
pub fn brim(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brim"));
    // Temporary directories are on tmpfs or an overlay on many machines.
    command.env_clear().env("BRIM_STORE_ALLOW_EPHEMERAL", "true").args(arguments);
    command
}

fn key(data: &Path, arguments: &[&str]) -> Output {
    brim(&["key"]).args(arguments).arg("--json").arg("--data").arg(data).output().unwrap()
}

fn json(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A data directory to be made.
pub fn data() -> (tempfile::TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("data");
    (parent, data)
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: brim\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_server_says_that_it_is_ready_and_stops_in_order() {
    let (_parent, data) = data();
    let mut server = Running::start(&data);
    assert!(server.ready.starts_with("brim: ready "), "{}", server.ready);
    assert!(server.ready.contains(&format!("credentials={}", data.join("credentials").display())), "{}", server.ready);
    assert!(get(server.address("admin"), "/health/ready").starts_with("HTTP/1.1 200"));
    let metrics = get(server.address("admin"), "/metrics");
    for name in ["brim_start_time_seconds", "brim_storage_free_bytes", "brim_kv_cache_bytes"] {
        let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        assert!(value.is_some_and(|value| value > 0.0), "{name} in\n{metrics}");
    }

    server.signal("-TERM");
    assert_eq!(server.process.wait().unwrap().code(), Some(0));
    assert!(!data.join("admin.sock").exists());
}

#[test]
fn keys_are_managed_while_the_server_runs_after_it_was_killed_and_while_it_is_down() {
    let (_parent, data) = data();
    let server = Running::start(&data);
    let made = json(&key(&data, &["create", "--description", "laptop"]));
    let id = made["access_key_id"].as_str().unwrap();
    assert_eq!(made["secret_access_key"].as_str().unwrap().len(), 40);
    assert_eq!(json(&key(&data, &["disable", id]))["status"], "disabled");

    // Killed: the socket stays behind, what was answered stays done.
    server.signal("-KILL");
    drop(server);
    assert!(data.join("admin.sock").exists());
    let listed = json(&key(&data, &["list"]));
    assert_eq!((&listed[0]["access_key_id"], &listed[0]["status"]), (&made["access_key_id"], &"disabled".into()));
    assert!(!listed.to_string().contains(made["secret_access_key"].as_str().unwrap()));
    assert_eq!(json(&key(&data, &["enable", id]))["status"], "active");

    let _server = Running::start(&data);
    assert_eq!(json(&key(&data, &["list"]))[0]["status"], "active");
    assert_eq!(json(&key(&data, &["delete", id]))["status"], "deleted");
    assert_eq!(json(&key(&data, &["list"])), serde_json::json!([]));
    let again = key(&data, &["delete", id]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("there is no access key"), "{again:?}");
}

#[test]
fn a_server_that_cannot_start_says_why_in_one_line() {
    let (_parent, data) = data();
    let first = Running::start(&data);
    let second = brim(&["server", "--listen", "127.0.0.1:0", "--data"]).arg(&data).output().unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert_eq!(said, format!("brim: another brim is running on {} (pid {})\n", data.display(), first.process.id()));

    let taken = brim(&[
        "server",
        "--listen",
        "127.0.0.1:0",
        "--website-listen",
        "127.0.0.1:0",
        "--admin-listen",
        first.address("admin"),
        "--data",
    ])
    .arg(data.with_file_name("other"))
    .output()
    .unwrap();
    let said = String::from_utf8(taken.stderr).unwrap();
    assert_eq!(taken.status.code(), Some(1));
    assert!(said.contains("cannot listen on") && said.contains("(admin.listen)"), "{said}");
}

#[test]
fn wrong_configuration_is_told_in_full_before_anything_is_made() {
    let (_parent, data) = data();
    let output =
        brim(&["server", "--listen", "here", "--data"]).arg(&data).env("BRIM_S3_REGOIN", "x").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("s3.listen (flag --listen)") && said.contains("did you mean BRIM_S3_REGION?"), "{said}");
    assert!(!data.exists());
}

#[test]
fn commands_make_no_data_directory() {
    let (_parent, data) = data();
    assert_eq!(key(&data, &["list"]).status.code(), Some(1));
    assert!(!data.exists());
}
