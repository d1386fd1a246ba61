//! The file system of the data directory: its kind, what a sync costs, and its room.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock, statvfs};

use super::Diagnosis;
use crate::config::ServerConfig;
use crate::server::data_dir::TRIAL;
use crate::server::file_system::{FileSystem, Nature, existing};
use crate::store::space::Reserve;

/// How many syncs are measured.
const SYNCS: usize = 32;
/// No disk writes through in less time than this; one with a battery behind its cache needs some more.
const TOO_FAST: Duration = Duration::from_micros(20);
/// A server that syncs this slowly serves tens of writes a second to one client.
const SLOW: Duration = Duration::from_millis(25);
/// What is reserved and written in the trial.
const TRIAL_BYTES: u64 = 64 * 1024;
/// Inodes that should be free: as many large objects can still be stored.
const FEW_INODES: u64 = 100_000;

/// What one trial of writing showed.
struct Trial {
    syncs: Vec<Duration>,
    reserves: bool,
}

/// A file that goes away with this value.
struct TrialFile(PathBuf);

pub fn examine(config: &ServerConfig) -> Vec<Diagnosis> {
    let place = existing(&config.process.data);
    let system = FileSystem::of(place);
    let mut found = vec![kind(place, &system, config.store.allow_ephemeral)];
    let in_memory = system.is_ok_and(|system| system.nature == Nature::Memory);
    match trial(place) {
        Ok(trial) => found.extend([sync(trial.syncs, in_memory), reservation(trial.reserves)]),
        Err(error) => found.push(Diagnosis::bad(
            "sync",
            format!("writing, syncing and renaming a file in {} failed: {error}", place.display()),
            "make the directory writable for the user that the server runs as, and look at the kernel's log",
        )),
    }
    let reserve = config.store.reserve;
    found.extend(room(place, Reserve { bytes: reserve.bytes, percent: reserve.percent }));
    found
}

fn kind(place: &Path, system: &io::Result<FileSystem>, allowed: bool) -> Diagnosis {
    const SUBJECT: &str = "file system";
    let system = match system {
        Ok(system) => system,
        Err(error) => return Diagnosis::warn(SUBJECT, format!("{}: {error}", place.display()), "see the message"),
    };
    let found = format!("{} is on {}", place.display(), system.name);
    if let Some(fate) = system.fate() {
        let found = format!("{found}, which {fate}");
        let advice = "give --data a directory on a disk";
        return if allowed { Diagnosis::warn(SUBJECT, found, advice) } else { Diagnosis::bad(SUBJECT, found, advice) };
    }
    match system.nature {
        Nature::Disk => Diagnosis::ok(SUBJECT, found),
        Nature::Remote => Diagnosis::warn(
            SUBJECT,
            found,
            "use a local file system: fsync, flock and O_EXCL must mean what they say, and latency is everything",
        ),
        _ => Diagnosis::warn(SUBJECT, found, "ext4 and xfs are known to keep what was synced"),
    }
}

/// Writes, syncs and renames as the server does.
fn trial(place: &Path) -> io::Result<Trial> {
    let path = place.join(format!("{TRIAL}{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    let mut guard = TrialFile(path);
    // Says that the file is in use: a server that starts removes those that are not. Without locks it removes none.
    let _ = flock(&file, FlockOperation::NonBlockingLockExclusive);
    let reserves = fallocate(&file, FallocateFlags::empty(), 0, TRIAL_BYTES).is_ok();
    let block = vec![0xa5; 4096];
    let mut syncs = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        file.write_all(&block)?;
        let began = Instant::now();
        file.sync_data()?;
        syncs.push(began.elapsed());
    }
    let renamed = guard.0.with_extension("renamed");
    fs::rename(&guard.0, &renamed)?;
    guard.0 = renamed;
    File::open(place)?.sync_all()?;
    Ok(Trial { syncs, reserves })
}

impl Drop for TrialFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "the trial's file was not removed");
        }
    }
}

fn sync(mut syncs: Vec<Duration>, in_memory: bool) -> Diagnosis {
    const SUBJECT: &str = "sync";
    syncs.sort_unstable();
    let median = syncs[syncs.len() / 2];
    let found = format!("fdatasync of 4 KiB takes {median:.1?} (median of {SYNCS})");
    if in_memory {
        return Diagnosis::ok(SUBJECT, format!("{found}, in memory"));
    }
    if median < TOO_FAST {
        return Diagnosis::warn(
            SUBJECT,
            format!("{found}, faster than any disk"),
            "something acknowledges flushes without doing them (a hypervisor's cache mode, `nobarrier`, libeatmydata): \
             acknowledged writes can be lost with the power",
        );
    }
    if median > SLOW {
        let advice = "use an SSD, or a controller whose write cache has a battery";
        return Diagnosis::warn(SUBJECT, format!("{found}, which bounds every write"), advice);
    }
    Diagnosis::ok(SUBJECT, found)
}

fn reservation(reserves: bool) -> Diagnosis {
    const SUBJECT: &str = "fallocate";
    match reserves {
        true => Diagnosis::ok(SUBJECT, "room can be reserved before it is written"),
        false => Diagnosis::warn(
            SUBJECT,
            "the file system cannot reserve room",
            "uploads that come together may fill the disk further than the reserve; keep more room free",
        ),
    }
}

fn room(place: &Path, reserve: Reserve) -> Vec<Diagnosis> {
    let space = match statvfs(place) {
        Ok(space) => space,
        Err(error) => return vec![Diagnosis::warn("free space", error.to_string(), "see the message")],
    };
    let bytes = |blocks: u64| blocks.saturating_mul(space.f_frsize);
    let inodes = (space.f_files > 0).then_some(space.f_favail);
    let mut found = vec![free(bytes(space.f_bavail), bytes(space.f_blocks), reserve)];
    found.extend(inodes.map(inodes_left));
    found
}

fn free(free: u64, total: u64, reserve: Reserve) -> Diagnosis {
    const SUBJECT: &str = "free space";
    let kept = reserve.of(total);
    let mib = |bytes: u64| format!("{} MiB", bytes >> 20);
    let found = format!("{} of {} free, {} of them in reserve", mib(free), mib(total), mib(kept));
    if free < kept {
        return Diagnosis::bad(
            SUBJECT,
            found,
            "uploads are refused with 507: delete something or make the disk larger",
        );
    }
    if free < kept.saturating_mul(2) {
        return Diagnosis::warn(
            SUBJECT,
            found,
            "uploads will soon be refused: delete something or make the disk larger",
        );
    }
    Diagnosis::ok(SUBJECT, found)
}

fn inodes_left(inodes: u64) -> Diagnosis {
    const SUBJECT: &str = "inodes";
    let found = format!("{inodes} free; every large object needs one");
    match inodes {
        0..1000 => {
            Diagnosis::bad(SUBJECT, found, "make a file system with more inodes (mkfs.ext4 -i) and move the data")
        }
        1000..FEW_INODES => Diagnosis::warn(SUBJECT, found, "move the data to a file system with more inodes in time"),
        _ => Diagnosis::ok(SUBJECT, found),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Health;
    use super::*;

    #[test]
    fn a_trial_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(trial(dir.path()).unwrap().syncs.len(), SYNCS);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(trial(&dir.path().join("missing")).is_err());
    }

    #[test]
    fn syncs_that_are_too_fast_are_not_believed() {
        let health = |micros| sync(vec![Duration::from_micros(micros); SYNCS], false).health;
        assert_eq!([3, 300, 50_000].map(health), [Health::Warn, Health::Ok, Health::Warn]);
    }

    #[test]
    fn room_is_measured_against_the_reserve() {
        let reserve = Reserve { bytes: 1000, percent: 2 };
        let health = |bytes| free(bytes, 100_000, reserve).health;
        assert_eq!([1999, 3999, 4000].map(health), [Health::Bad, Health::Warn, Health::Ok]);
        assert_eq!(
            [999, 1000, FEW_INODES].map(|inodes| inodes_left(inodes).health),
            [Health::Bad, Health::Warn, Health::Ok]
        );
    }

    #[test]
    fn memory_is_bad_unless_it_is_allowed() {
        let memory = Ok(FileSystem { name: "tmpfs", nature: Nature::Memory });
        assert_eq!(kind(Path::new("/x"), &memory, false).health, Health::Bad);
        assert_eq!(kind(Path::new("/x"), &memory, true).health, Health::Warn);
    }
}
