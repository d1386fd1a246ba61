//! An edge under test: the real binary on free ports, stopped when dropped.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::{NamedTempFile, TempDir};

use super::scripted::Scripted;
use crate::raw::{Answer, Raw};

/// How long a graceful stop may take before the process is killed.
const PATIENCE: Duration = Duration::from_secs(15);

/// One running `brim-edge`. Dropping it ends the process.
pub struct Edge {
    child: Child,
    pub http: SocketAddr,
    /// Where `/healthz`, `/metrics`, `/sites` and `/purge` are.
    pub admin: SocketAddr,
    log: NamedTempFile,
    directory: TempDir,
}

impl Edge {
    /// An edge for every host, in front of this origin, with these further lines of the site's table.
    pub fn in_front_of(origin: &Scripted, site: &str) -> Self {
        Self::start(&format!("[[site]]\nhosts = [\"*\"]\norigin = \"{}\"\n{site}", origin.url()))
    }

    /// An edge with this configuration: what it listens on is put before it.
    pub fn start(config: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (file, log) = (directory.path().join("edge.toml"), NamedTempFile::new().expect("a temporary file"));
        let listen = "listen = [\"127.0.0.1:0\"]\nadmin_listen = \"127.0.0.1:0\"\nshutdown_grace = \"1s\"\n";
        std::fs::write(&file, format!("{listen}{config}")).expect("the file can be written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_brim-edge"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("BRIM_")) {
            command.env_remove(name);
        }
        command.arg("--config").arg(&file).stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(log.reopen().expect("the log can be opened again"));
        let mut child = command.spawn().expect("the binary starts");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        stdout.read_line(&mut line).expect("stdout is readable");
        let said = || String::from_utf8_lossy(&std::fs::read(log.path()).unwrap_or_default()).into_owned();
        let address = |name: &str| {
            let found = line.split_whitespace().find_map(|word| word.strip_prefix(name)?.parse().ok());
            found.unwrap_or_else(|| panic!("no {name} in {line:?}: {}", said()))
        };
        let (http, admin) = (address("http=http://"), address("admin=http://"));
        Self { child, http, admin, log, directory }
    }

    /// Ends the process as a crash does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Gets this from the host `site.test`.
    pub async fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, &[]).await
    }

    /// Asks the host `site.test` on a connection of its own.
    pub async fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
        let mut connection = self.asked(method, target, headers).await;
        connection.answer().await
    }

    /// A connection on which this was asked.
    pub async fn asked(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Raw {
        let mut connection = Raw::connect(self.http).await;
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        connection.send(format!("{method} {target} HTTP/1.1\r\nHost: site.test\r\n{headers}\r\n")).await;
        connection
    }

    /// How much memory the process has, in bytes.
    pub fn memory(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("the process is there");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it says how much");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    /// Has it read another configuration, but for what it listens on; returns once it is in force.
    pub fn reload(&self, config: &str) {
        let before = self.log().matches("are in force").count();
        let listen = "listen = [\"127.0.0.1:0\"]\nadmin_listen = \"127.0.0.1:0\"\n";
        std::fs::write(self.directory.path().join("edge.toml"), format!("{listen}{config}"))
            .expect("it can be written");
        self.signal("HUP");
        let deadline = Instant::now() + PATIENCE;
        // Certificates, then sites.
        while self.log().matches("are in force").count() < before + 2 {
            assert!(Instant::now() < deadline, "not taken: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        _ = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
    }

    /// Waits for the process to end, and tells whether that went well; false where it does not end.
    pub fn ended_well(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    /// Its directory: where paths of its configuration begin.
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// What it wrote to standard error so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log.path()).unwrap_or_default()).into_owned()
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        _ = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        let deadline = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        _ = self.child.kill();
        _ = self.child.wait();
        // Removed once nobody uses it.
        _ = self.directory.path();
    }
}
