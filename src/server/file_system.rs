//! What kind of file system a directory is on, and whether data is safe there.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::data_dir::{BLOBS, KV};

/// What a kind of file system means for a data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// Keeps what was synced.
    Disk,
    /// Gone with the next start of the machine.
    Memory,
    /// A container's own layer: gone with the container.
    Overlay,
    /// Another machine's, or a program's: its locks and syncs are whatever it makes of them.
    Remote,
    Unknown,
}

/// A kind of file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSystem {
    pub name: &'static str,
    pub nature: Nature,
}

/// The numbers of statfs(2).
const KINDS: [(u32, &str, Nature); 16] = [
    (0x0102_1994, "tmpfs", Nature::Memory),
    (0x8584_58f6, "ramfs", Nature::Memory),
    (0x794c_7630, "overlayfs", Nature::Overlay),
    (0x6175_6673, "aufs", Nature::Overlay),
    (0x0000_ef53, "ext4", Nature::Disk),
    (0x5846_5342, "xfs", Nature::Disk),
    (0x9123_683e, "btrfs", Nature::Disk),
    (0x2fc1_2fc1, "zfs", Nature::Disk),
    (0xf2f5_2010, "f2fs", Nature::Disk),
    (0xca45_1a4e, "bcachefs", Nature::Disk),
    (0x0000_6969, "nfs", Nature::Remote),
    (0xff53_4d42, "cifs", Nature::Remote),
    (0xfe53_4d42, "smb", Nature::Remote),
    (0x6573_5546, FUSE, Nature::Remote),
    (0x0102_1997, "9p", Nature::Remote),
    (0x00c3_6400, "ceph", Nature::Remote),
];

/// What containers of ordinary users have for an overlay. By its number it is like any other program's file system.
const FUSE_OVERLAY: FileSystem = FileSystem { name: "fuse-overlayfs", nature: Nature::Overlay };
const FUSE: &str = "fuse";

/// The directory is where data does not stay.
#[derive(Debug, thiserror::Error)]
#[error(
    "{path} is on {name}, which {fate}: give --data a directory on a disk, or set store.allow_ephemeral = true \
     (BRIM_STORE_ALLOW_EPHEMERAL=true) if all of its data may be lost"
)]
pub struct Ephemeral {
    path: PathBuf,
    name: &'static str,
    fate: &'static str,
}

impl FileSystem {
    /// The file system of `path`, or of what will hold it once it is made.
    pub fn of(path: &Path) -> io::Result<Self> {
        let path = existing(path);
        let numbers = rustix::fs::statfs(path)?;
        // The type's width differs between machines; the numbers fit 32 bits.
        let system = Self::of_number(numbers.f_type as u32);
        match system.name {
            // Where the mounts cannot be read it stays what its number says.
            FUSE => {
                Ok(system.of_mount(&fs::read("/proc/self/mountinfo").unwrap_or_default(), fs::metadata(path)?.dev()))
            }
            _ => Ok(system),
        }
    }

    /// What the mount of `device` says of which program serves it.
    fn of_mount(self, mounts: &[u8], device: u64) -> Self {
        let mounts = String::from_utf8_lossy(mounts);
        match mounts.lines().filter_map(mount_type).find(|(number, _)| *number == device) {
            Some((_, "fuse.fuse-overlayfs")) => FUSE_OVERLAY,
            _ => self,
        }
    }

    fn of_number(number: u32) -> Self {
        let found = KINDS.iter().find(|(known, ..)| *known == number);
        found.map_or(Self { name: "an unknown file system", nature: Nature::Unknown }, |(_, name, nature)| Self {
            name,
            nature: *nature,
        })
    }

    /// What becomes of data there, where it does not stay.
    pub fn fate(self) -> Option<&'static str> {
        match self.nature {
            Nature::Memory => Some("is emptied by a restart of the machine"),
            Nature::Overlay => Some("goes away with its container"),
            Nature::Disk | Nature::Remote | Nature::Unknown => None,
        }
    }
}

/// Refuses a data directory that is, in whole or in part, where data does not stay. Makes nothing.
pub fn refuse_ephemeral(directory: &Path) -> Result<(), Ephemeral> {
    for path in [directory.to_owned(), directory.join(KV), directory.join(BLOBS)] {
        // A path that cannot be looked at is refused by whoever opens it, and in better words.
        let Ok(system) = FileSystem::of(&path) else { continue };
        if let Some(fate) = system.fate() {
            return Err(Ephemeral { path, name: system.name, fate });
        }
    }
    Ok(())
}

/// The device and the type of a mount, from a line of proc_pid_mountinfo(5):
/// `36 35 98:0 / /mnt rw,noatime master:1 - ext3 /dev/root rw`.
fn mount_type(line: &str) -> Option<(u64, &str)> {
    // A path has its spaces escaped, so that the hyphen between two stands for itself.
    let (mount, system) = line.split_once(" - ")?;
    let (major, minor) = mount.split(' ').nth(2)?.split_once(':')?;
    let device = rustix::fs::makedev(major.parse().ok()?, minor.parse().ok()?);
    Some((device, system.split(' ').next()?))
}

/// The nearest directory on the way to `path` that exists.
pub fn existing(path: &Path) -> &Path {
    let found = path.ancestors().find(|ancestor| ancestor.exists());
    // A relative path begins where the process is.
    found.filter(|found| !found.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_their_numbers() {
        assert_eq!(FileSystem::of_number(0xef53), FileSystem { name: "ext4", nature: Nature::Disk });
        assert_eq!(FileSystem::of_number(7).nature, Nature::Unknown);
        assert!(FileSystem::of_number(0x0102_1994).fate().is_some());
        assert!(FileSystem::of(Path::new("/proc")).is_ok());
    }

    #[test]
    fn the_overlay_of_a_rootless_container_is_told_by_its_mount() {
        let mounts = b"31 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\nnonsense - \n\
            40 31 0:52 / /mnt/a\\040-\\040b rw,nosuid - fuse.sshfs host: rw\n\
            41 31 0:53 / /merged rw,nodev,noatime - fuse.fuse-overlayfs fuse-overlayfs rw,user_id=0\n";
        let fuse = FileSystem::of_number(0x6573_5546);
        assert_eq!(fuse.nature, Nature::Remote);
        assert_eq!(fuse.of_mount(mounts, rustix::fs::makedev(0, 52)), fuse);
        assert_eq!(fuse.of_mount(mounts, rustix::fs::makedev(0, 54)), fuse);
        assert!(fuse.of_mount(mounts, rustix::fs::makedev(0, 53)).fate().is_some());
    }

    #[test]
    fn this_machines_mounts_are_understood() {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert_eq!(mounts.lines().filter_map(mount_type).count(), mounts.lines().count());
    }

    #[test]
    fn a_path_that_does_not_exist_is_where_its_parents_are() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(existing(&dir.path().join("a/b/c")), dir.path());
        assert_eq!(existing(Path::new("no-such-directory/data")), Path::new("."));
    }

    #[test]
    fn memory_is_refused_before_anything_is_made() {
        let memory = Path::new("/dev/shm");
        if FileSystem::of(memory).is_ok_and(|system| system.nature == Nature::Memory) {
            let path = memory.join(format!("brim-refused-{}", std::process::id()));
            let refused = refuse_ephemeral(&path.join("data")).unwrap_err().to_string();
            assert!(refused.contains("is on tmpfs") && refused.contains("store.allow_ephemeral"), "{refused}");
            assert!(!path.exists());
        }
    }
}
