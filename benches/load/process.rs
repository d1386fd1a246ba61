//! A server process: what it costs, and its end.

use std::fs;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// How long a graceful stop may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The kernel's clock tick in `/proc/PID/stat`: `USER_HZ`, the same on every Linux machine.
const TICK: Duration = Duration::from_millis(10);

/// A child process, stopped when dropped.
pub struct Process(Child);

impl Process {
    pub fn new(child: Child) -> Self {
        Self(child)
    }

    /// The processor time that the process used since its start, in the kernel and outside.
    pub fn cpu(&self) -> Duration {
        cpu_of(&self.0.id().to_string())
    }

    /// The most memory that was resident since the last [`Self::forget_peak`], in bytes.
    pub fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    /// Lets the peak begin at what is resident now.
    pub fn forget_peak(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.0.id()), "5").expect("a process of ours");
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

/// The processor time of this process: the client's.
pub fn own_cpu() -> Duration {
    cpu_of("self")
}

fn cpu_of(process: &str) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("a running process");
    // The name, in parentheses, may hold spaces.
    let (_, fields) = stat.rsplit_once(") ").expect("a line of stat");
    let ticks = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u32>().expect("a number of ticks"));
    TICK * ticks.sum()
}
