//! The server under test: the real binary on a free port, on a fresh data directory or a given one, stopped when dropped.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tempfile::{NamedTempFile, TempDir};

use crate::signed::Signed;

/// How long a start or a graceful stop may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// One running `brim server`. Dropping it ends the process, and deletes its data unless the directory was given.
pub struct Server {
    child: Child,
    /// Where the S3 API listens.
    pub s3: SocketAddr,
    /// Where websites are served.
    pub website: SocketAddr,
    /// Where health and metrics are served.
    pub admin: SocketAddr,
    pub access_key: String,
    pub secret_key: String,
    /// The line that says where it listens.
    ready: String,
    data: PathBuf,
    /// Where standard error goes.
    log: NamedTempFile,
    _temporary: Option<TempDir>,
}

impl Server {
    /// Starts a server with the default configuration.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with options given as `BRIM_...` environment variables.
    pub fn start_with(options: &[(&str, &str)]) -> Self {
        let temporary = tempfile::tempdir().expect("a temporary directory");
        let mut server = Self::start_on(temporary.path(), options).unwrap_or_else(|refused| panic!("{refused}"));
        server._temporary = Some(temporary);
        server
    }

    /// Starts a server on `data`, with these environment variables. Where it does not start, gives what it said.
    pub fn start_on(data: &Path, environment: &[(&str, &str)]) -> Result<Self, String> {
        let log = NamedTempFile::new().expect("a temporary file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_brim"));
        command.arg("server").arg("--data").arg(data);
        command.args(["--listen", "127.0.0.1:0", "--website-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("BRIM_")) {
            command.env_remove(name);
        }
        // Temporary directories are on tmpfs or an overlay on many machines.
        command.env("BRIM_STORE_ALLOW_EPHEMERAL", "true");
        command.envs(environment.iter().copied()).stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(log.reopen().expect("the log can be opened again"));
        let mut child = command.spawn().expect("the binary starts");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        stdout.read_line(&mut line).expect("stdout is readable");
        if line.is_empty() {
            let status = child.wait().expect("it ended");
            return Err(format!("no ready line, {status}: {}", read_text(log.path())));
        }
        let (access_key, secret_key) = read_credentials(&data.join("credentials"));
        let [s3, website, admin] = ["s3", "website", "admin"].map(|name| address(&line, name));
        let data = data.to_owned();
        Ok(Self { child, s3, website, admin, access_key, secret_key, ready: line, data, log, _temporary: None })
    }

    /// Where it listens for HTTPS: `name` as in the ready line.
    pub fn https(&self, name: &str) -> SocketAddr {
        let found = self.ready.split_whitespace().find_map(|word| word.strip_prefix(&format!("{name}=https://")));
        found.and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("no {name} in {:?}", self.ready))
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// What it wrote to standard error so far.
    pub fn log(&self) -> String {
        read_text(self.log.path())
    }

    /// The process, for signals.
    pub fn process(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a process id")
    }

    /// What `brim fsck` finds in the running server's directory that is damage, in its words; `None` if nothing.
    pub fn damage(&self) -> Option<String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_brim"));
        let output = command.args(["fsck", "--json", "--data"]).arg(&self.data).output().expect("the binary starts");
        (!output.status.success())
            .then(|| String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    }

    /// Ends the process as a crash does: SIGKILL.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        self.child.wait().expect("a killed process ends");
    }

    /// Asks the process to stop: SIGTERM. Returns at once.
    pub fn terminate(&mut self) {
        if self.child.try_wait().expect("our own child").is_none() {
            let _ = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        }
    }

    /// Whether the process is still there.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for the process to end; `None` if it is still there after [`PATIENCE`].
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }

    /// A client that signs with the root key.
    pub fn client(&self) -> Signed {
        Signed::new(self.s3, &self.access_key, &self.secret_key)
    }

    /// Makes a bucket with a name of its own.
    pub async fn bucket(&self) -> String {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = format!("bucket-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let made = self.client().put(&format!("/{name}"), "").await;
        assert_eq!(made.status, 200, "{made:?}");
        name
    }

    /// How many bytes the files of the data directory take, to see that nothing was left behind.
    pub fn bytes_on_disk(&self) -> u64 {
        size_below(&self.data)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test that panicked may have left the process wedged: ask first, then insist.
        self.terminate();
        if self.ended().is_none() {
            self.kill();
        }
    }
}

fn address(line: &str, name: &str) -> SocketAddr {
    let start = format!("{name}=http://");
    let found = line.split_whitespace().find_map(|word| word.strip_prefix(&start));
    found.and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("no {name} address in {line:?}"))
}

fn read_text(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// Access key and secret of a credentials file.
pub fn read_credentials(path: &Path) -> (String, String) {
    let text = std::fs::read_to_string(path).expect("the credentials file is readable");
    let value = |name: &str| {
        let found = text.lines().find_map(|line| line.split_once('=').filter(|(key, _)| key.trim() == name));
        found.map(|(_, value)| value.trim().to_owned()).unwrap_or_else(|| panic!("no {name} in the credentials file"))
    };
    (value("aws_access_key_id"), value("aws_secret_access_key"))
}

fn size_below(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size_below(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0, // removed meanwhile
        })
        .sum()
}

/// Bytes that do not compress and are the same for the same seed.
pub fn noise(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).flatten().take(size).collect()
}

/// How many blobs a data directory has: files of their own, and what begins with a pack's seal in it.
pub fn stored_blobs(data: &Path) -> usize {
    let below = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let in_pack = |path: std::path::PathBuf| {
        let bytes = fs::read(path).unwrap_or_default();
        let Some(seal) = bytes.get(8..24) else { return 0 };
        bytes.chunks(4096).filter(|unit| unit.starts_with(seal)).count()
    };
    let fan_out = below(&data.join("blobs")).filter(|path| path.is_dir());
    let (packs, fan_out): (Vec<_>, Vec<_>) = fan_out.partition(|path| path.ends_with("packs"));
    let files: usize = fan_out.iter().map(|directory| below(directory).count()).sum();
    files + packs.iter().flat_map(|directory| below(directory)).map(in_pack).sum::<usize>()
}
