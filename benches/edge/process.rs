//! A server with the processes that it starts: what they cost, where they run, and their end.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a graceful stop may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The kernel's clock tick in `/proc/PID/stat`: `USER_HZ`, the same on every Linux machine.
const TICK: Duration = Duration::from_millis(10);
/// The processor that the servers have for themselves.
const SERVERS_PROCESSOR: &str = "0";

/// A child process on the servers' processor, stopped when dropped.
pub struct Process(Child);

impl Process {
    /// Starts `command`, whose standard output is kept where `piped`.
    pub fn start(command: &Command, piped: bool) -> (Self, Option<std::process::ChildStdout>) {
        let mut pinned = Command::new("taskset");
        pinned.args(["-c", SERVERS_PROCESSOR]).arg(command.get_program()).args(command.get_args());
        pinned.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        pinned.stdin(Stdio::null()).stderr(Stdio::null());
        pinned.stdout(if piped { Stdio::piped() } else { Stdio::null() });
        let mut child = pinned.spawn().expect("taskset starts the program");
        let stdout = child.stdout.take();
        (Self(child), stdout)
    }

    /// Starts `command` and waits for the line that says that it is ready: gives the address in it behind `name`.
    pub fn start_ready(command: &Command, name: &str) -> (Self, SocketAddr) {
        let (process, stdout) = Self::start(command, true);
        let mut line = String::new();
        BufReader::new(stdout.expect("a pipe was asked for")).read_line(&mut line).expect("stdout is readable");
        let address = line.split_whitespace().find_map(|word| word.strip_prefix(name)?.parse().ok());
        (process, address.unwrap_or_else(|| panic!("{:?} did not start: {line}", command.get_program())))
    }

    /// The processor time of the process and of its children since their start, in the kernel and outside.
    pub fn cpu(&self) -> Duration {
        let own = self.0.id();
        let processes = fs::read_dir("/proc").expect("Linux").flatten();
        let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let family = ids.filter_map(stat).filter(|stat| stat.id == own || stat.parent == own);
        family.map(|stat| stat.cpu).sum()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg("-TERM").arg(self.0.id().to_string()).status();
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Ok(Some(_)) = self.0.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Has this process, and all threads that it starts from now on, run on this processor alone.
pub fn stay_on(processor: usize) {
    let own = std::process::id().to_string();
    let done = Command::new("taskset").args(["-cp", &processor.to_string(), &own]).stdout(Stdio::null()).status();
    assert!(done.is_ok_and(|status| status.success()), "taskset, of util-linux, is needed, and two processors");
}

struct Stat {
    id: u32,
    parent: u32,
    cpu: Duration,
}

/// `None` where the process has ended meanwhile.
fn stat(id: u32) -> Option<Stat> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in parentheses, may hold spaces.
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks = fields[11].parse::<u32>().ok()? + fields[12].parse::<u32>().ok()?;
    Some(Stat { id, parent: fields[1].parse().ok()?, cpu: TICK * ticks })
}
