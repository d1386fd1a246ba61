//! The machine around the process: open files, memory, the clock.

use std::fs;
use std::time::SystemTime;

use rustix::process::{Resource, getrlimit};

use super::Diagnosis;
use crate::config::ServerConfig;

/// Descriptors for everything but connections: table files, logs, blobs being read and written.
const FILES_BESIDE_CONNECTIONS: u64 = 4096;
/// What the process takes beside its caches and buffers.
const MEMORY_BESIDE_BUFFERS: u64 = 64 << 20;

pub fn examine(config: &ServerConfig) -> Vec<Diagnosis> {
    let wanted = config.limits.connections as u64 + FILES_BESIDE_CONNECTIONS;
    let memory =
        config.store.kv_memory + config.limits.upload_memory + config.limits.download_memory + MEMORY_BESIDE_BUFFERS;
    let available = fs::read_to_string("/proc/meminfo").ok().and_then(|text| available(&text));
    let bound = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    vec![
        open_files(getrlimit(Resource::Nofile).current, wanted),
        self::memory(available.into_iter().chain(bound).min(), memory),
        clock(synchronised(), SystemTime::now(), built()),
    ]
}

fn open_files(limit: Option<u64>, wanted: u64) -> Diagnosis {
    const SUBJECT: &str = "open files";
    match limit {
        Some(limit) if limit < wanted => Diagnosis::warn(
            SUBJECT,
            format!("the limit is {limit}, and up to {wanted} may be needed"),
            format!("raise it: `LimitNOFILE={wanted}` in a systemd unit, or `ulimit -n {wanted}`"),
        ),
        Some(limit) => Diagnosis::ok(SUBJECT, format!("the limit is {limit}")),
        None => Diagnosis::ok(SUBJECT, "no limit"),
    }
}

fn memory(available: Option<u64>, wanted: u64) -> Diagnosis {
    const SUBJECT: &str = "memory";
    let wanted_mib = wanted >> 20;
    match available {
        Some(available) if available < wanted => Diagnosis::warn(
            SUBJECT,
            format!("{} MiB available, and up to {wanted_mib} MiB may be needed", available >> 20),
            "lower store.kv_memory, limits.upload_memory and limits.download_memory, or give the server more",
        ),
        Some(available) => {
            Diagnosis::ok(SUBJECT, format!("{} MiB available, {wanted_mib} MiB needed at most", available >> 20))
        }
        None => Diagnosis::ok(SUBJECT, format!("{wanted_mib} MiB needed at most; what is available is not told")),
    }
}

/// `MemAvailable` of /proc/meminfo, in bytes.
fn available(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Signatures are refused when the clocks of client and server differ by more than 15 minutes.
fn clock(synchronised: Option<bool>, now: SystemTime, built: Option<SystemTime>) -> Diagnosis {
    const SUBJECT: &str = "clock";
    if built.is_some_and(|built| now < built) {
        let advice = "set the clock: signed requests are refused when it is off by 15 minutes";
        return Diagnosis::bad(SUBJECT, "it is earlier than this program was made", advice);
    }
    match synchronised {
        Some(true) => Diagnosis::ok(SUBJECT, "synchronised"),
        Some(false) => Diagnosis::warn(
            SUBJECT,
            "the kernel does not know it to be synchronised",
            "run chrony or systemd-timesyncd, here or on the host of this machine: signed requests are refused when the \
             clock is off by 15 minutes",
        ),
        None => Diagnosis::ok(SUBJECT, "plausible; whether it is synchronised is not told"),
    }
}

fn built() -> Option<SystemTime> {
    fs::metadata(std::env::current_exe().ok()?).ok()?.modified().ok()
}

/// Whether a time service keeps the kernel's clock; `None` where the kernel does not say.
fn synchronised() -> Option<bool> {
    // SAFETY: all zeroes is a valid `timex`, which says in `modes` that nothing is to be changed; the kernel only fills it.
    let (state, status) = unsafe {
        let mut time: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut time), time.status)
    };
    (state >= 0).then_some(state != libc::TIME_ERROR && status & libc::STA_UNSYNC == 0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Health;
    use super::*;

    #[test]
    fn limits_are_measured_against_what_may_be_needed() {
        assert_eq!(open_files(Some(1024), 8192).health, Health::Warn);
        assert_eq!(open_files(None, 8192).health, Health::Ok);
        assert_eq!(memory(Some(1), 2).health, Health::Warn);
        assert_eq!(memory(None, 2).health, Health::Ok);
        assert_eq!(available("MemTotal: 9 kB\nMemAvailable:   2048 kB\n"), Some(2 << 20));
        assert_eq!(available("MemAvailable: much"), None);
    }

    #[test]
    fn a_clock_from_before_the_program_was_made_is_bad() {
        let built = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        assert_eq!(clock(Some(true), SystemTime::UNIX_EPOCH, Some(built)).health, Health::Bad);
        assert_eq!(clock(Some(false), built, Some(built)).health, Health::Warn);
        assert_eq!(clock(None, built, None).health, Health::Ok);
    }
}
