//! Keeping what is behind a gap between two logs out of the replay.
//!
//! In relaxed durability a power loss may keep a log and lose the end of the one before it: the two are files of their own, and
//! nothing was synced yet. RocksDB takes the end that is left for the end that was, and replays what follows. The state is to
//! be a prefix of the commits, so the logs behind the gap get a name that RocksDB does not know. None of them was synced: a sync
//! takes every log before the last one first.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::super::Error;
use super::wal::Loss;

/// The suffix of a log that is kept out.
const SUFFIX: &str = "behind-a-gap";

/// Logs that were put aside: their names before and now.
pub(super) struct Aside {
    directory: PathBuf,
    logs: Vec<(PathBuf, PathBuf)>,
}

impl Aside {
    /// Puts the logs behind `loss` aside, durably, the last one first: after a crash in between the gap is still there.
    pub fn put(directory: &Path, loss: Loss) -> Result<Self, Error> {
        let mut aside = Self { directory: directory.to_owned(), logs: Vec::new() };
        for log in loss.behind.into_iter().rev() {
            let hidden = log.with_extension(SUFFIX);
            fs::rename(&log, &hidden).map_err(|error| failed(&log, &error))?;
            aside.logs.push((log, hidden));
        }
        aside.sync().map_err(|error| failed(directory, &error))?;
        if !aside.logs.is_empty() {
            let (place, logs) = (loss.place, aside.logs.len());
            tracing::warn!(
                place,
                logs,
                "the last commits before a crash are lost; the logs behind the gap are put aside"
            );
        }
        Ok(aside)
    }

    /// Gives the logs their names back, durably.
    pub fn put_back(self) -> Result<(), Error> {
        for (log, hidden) in self.logs.iter().rev() {
            fs::rename(hidden, log).map_err(|error| failed(hidden, &error))?;
        }
        self.sync().map_err(|error| failed(&self.directory, &error))
    }

    fn sync(&self) -> io::Result<()> {
        if self.logs.is_empty() { Ok(()) } else { File::open(&self.directory)?.sync_all() }
    }
}

fn failed(path: &Path, error: &io::Error) -> Error {
    Error::Engine(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn logs_are_put_aside_with_their_bytes_and_back() {
        let directory = TempDir::new().unwrap();
        let log = directory.path().join("000007.log");
        fs::write(&log, "records").unwrap();
        let loss = || Loss { place: String::new(), behind: vec![log.clone()] };
        let aside = Aside::put(directory.path(), loss()).unwrap();
        assert!(!log.exists());
        assert_eq!(fs::read(directory.path().join("000007.behind-a-gap")).unwrap(), b"records");
        aside.put_back().unwrap();
        assert_eq!(fs::read(&log).unwrap(), b"records");
        fs::remove_file(&log).unwrap();
        assert!(Aside::put(directory.path(), loss()).is_err());
    }
}
