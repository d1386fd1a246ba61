//! The server under test: the real binary on a free port with a fresh data directory, stopped when dropped.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::signed::Signed;

/// How long a start or a graceful stop may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// One running `brim server`. Dropping it ends the process and deletes its data.
pub struct Server {
    child: Child,
    /// Where the S3 API listens.
    pub s3: SocketAddr,
    /// Where health and metrics are served.
    pub admin: SocketAddr,
    pub access_key: String,
    pub secret_key: String,
    data: TempDir,
}

impl Server {
    /// Starts a server with the default configuration.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with options given as `BRIM_...` environment variables.
    pub fn start_with(options: &[(&str, &str)]) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        let mut command = Command::new(env!("CARGO_BIN_EXE_brim"));
        command.arg("server").arg("--data").arg(data.path());
        command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("BRIM_")) {
            command.env_remove(name);
        }
        // Temporary directories are on tmpfs or an overlay on many machines.
        command.env("BRIM_STORE_ALLOW_EPHEMERAL", "true");
        command.envs(options.iter().copied()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the binary starts");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        stdout.read_line(&mut line).expect("stdout is readable");
        let (access_key, secret_key) = match line.is_empty() {
            false => read_credentials(&data.path().join("credentials")),
            true => panic!("the server ended without a ready line: {:?}", child.wait()),
        };
        Self { s3: address(&line, "s3"), admin: address(&line, "admin"), child, access_key, secret_key, data }
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
        size_below(self.data.path())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test that panicked may have left the process wedged: ask first, then insist.
        let _ = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address(line: &str, name: &str) -> SocketAddr {
    let start = format!("{name}=http://");
    let found = line.split_whitespace().find_map(|word| word.strip_prefix(&start));
    found.and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("no {name} address in {line:?}"))
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
