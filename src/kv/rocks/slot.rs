//! Where the open database is kept, so that it can be opened anew while readers and the committer hold on to its place.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use parking_lot::{MappedRwLockReadGuard, RwLock, RwLockReadGuard};
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;

use super::super::{Error, Table};
use super::gauges::log_bytes;
use super::open::Database;
use super::options::RocksOptions;

/// What must be free beside the write-ahead log's own size for the database to be opened anew, in bytes: replaying writes
/// what the log holds to table files, and then begins a new log.
const REOPENING_BYTES: u64 = 16 * 1024 * 1024;

/// A file that has a name for a moment only, and no suffix that RocksDB knows.
const TRIAL: &str = "room.trial";

/// The database of one directory, open but for the moments in which it is opened anew.
pub(super) struct Slot {
    path: PathBuf,
    options: RocksOptions,
    tables: Vec<Table>,
    /// The error is for those who come while it is not open.
    database: RwLock<Result<Database, Error>>,
}

/// Keeps the database open while it is in use. Not to be held across an await.
pub(super) type Open<'s> = MappedRwLockReadGuard<'s, Database>;

impl Slot {
    /// Opens the database in `path`.
    pub fn open(path: &Path, options: RocksOptions, tables: &[Table]) -> Result<Self, Error> {
        Ok(Self::of(Database::open(path, &options, tables)?, path, options, tables))
    }

    /// Opens the database in `path` for reading alone. It is not to be opened anew.
    pub fn open_read_only(path: &Path, options: RocksOptions, tables: &[Table]) -> Result<Self, Error> {
        Ok(Self::of(Database::open_read_only(path, &options, tables)?, path, options, tables))
    }

    fn of(database: Database, path: &Path, options: RocksOptions, tables: &[Table]) -> Self {
        Self { path: path.to_owned(), options, tables: tables.to_vec(), database: RwLock::new(Ok(database)) }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// Gives the open database; blocks while it is being opened anew.
    pub fn read(&self) -> Result<Open<'_>, Error> {
        opened(self.database.read())
    }

    /// As [`Self::read`], but gives `None` where that would block.
    pub fn try_read(&self) -> Option<Result<Open<'_>, Error>> {
        self.database.try_read().map(opened)
    }

    /// Whether the disk has the room that [`Self::reopen`] needs: what the log holds, and a new log. The room is taken for a
    /// moment to see it, because free space tells nothing of quotas.
    pub fn has_room(&self) -> Result<bool, Error> {
        let needed = log_bytes(&self.path)?.saturating_add(REOPENING_BYTES);
        match take_room(&self.path, needed) {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => Ok(false),
            Err(error) => Err(Error::Engine(format!("{}: {error}", self.path.display()))),
        }
    }

    /// Closes the database and opens it anew: what the log holds is replayed and written to table files. Readers wait
    /// meanwhile. After an error it is not open, and this may be called again.
    ///
    /// Sound after a write that failed for want of room: a commit torn by that is dropped, one that lacks nothing but its
    /// sync is kept, and kept durably, because the replayed rows leave the log for files of their own that are synced.
    pub fn reopen(&self) -> Result<(), Error> {
        let mut database = self.database.write();
        // First of all closed, because that gives up the directory's lock.
        *database = Err(Error::Engine("the database is closed".to_owned()));
        *database = Database::open(&self.path, &self.options, &self.tables);
        database.as_ref().map(drop).map_err(Error::clone)
    }
}

/// Takes `bytes` of the disk and gives them back. Where a file system cannot reserve room, its free space has to do.
fn take_room(directory: &Path, bytes: u64) -> io::Result<()> {
    let path = directory.join(TRIAL);
    let file = File::create(&path)?;
    // Without a name it goes away with this process, whatever happens.
    fs::remove_file(&path)?;
    match fallocate(&file, FallocateFlags::KEEP_SIZE, 0, bytes) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
            let space = statvfs(directory)?;
            let free = space.f_bavail.saturating_mul(space.f_frsize);
            if free >= bytes { Ok(()) } else { Err(ErrorKind::StorageFull.into()) }
        }
        taken => Ok(taken?),
    }
}

fn opened(slot: RwLockReadGuard<'_, Result<Database, Error>>) -> Result<Open<'_>, Error> {
    if let Err(error) = &*slot {
        return Err(error.clone());
    }
    Ok(RwLockReadGuard::map(slot, |database| database.as_ref().expect("an error was given back above")))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use tempfile::TempDir;

    use super::super::super::contract::{RECORDS, TABLES};
    use super::super::read::Tier;
    use super::*;

    #[test]
    fn readers_find_their_rows_while_the_database_is_opened_anew() {
        let directory = TempDir::new().unwrap();
        let slot = Slot::open(directory.path(), RocksOptions::default(), TABLES).unwrap();
        let put = |slot: &Slot, key: &str| {
            let database = slot.read().unwrap();
            database.rocks.put_cf(database.family(RECORDS).unwrap(), key, "v").unwrap();
        };
        put(&slot, "k");
        let (done, reads) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    assert!(slot.read().unwrap().get(RECORDS, b"k", Tier::Disk).unwrap().is_some());
                    reads.fetch_add(1, Ordering::SeqCst);
                }
            });
            for round in 0..3 {
                let before = reads.load(Ordering::SeqCst);
                slot.reopen().unwrap();
                put(&slot, &format!("k{round}"));
                while reads.load(Ordering::SeqCst) == before {
                    std::thread::yield_now();
                }
            }
            done.store(true, Ordering::SeqCst);
        });
        assert!(slot.read().unwrap().get(RECORDS, b"k2", Tier::Memory).is_ok());
    }

    #[test]
    fn one_that_could_not_be_opened_tells_why_until_it_can_be() {
        let directory = TempDir::new().unwrap();
        let slot = Slot::open(directory.path(), RocksOptions::default(), TABLES).unwrap();
        let (current, hidden) = (directory.path().join("CURRENT"), directory.path().join("hidden"));
        std::fs::rename(&current, &hidden).unwrap();
        assert!(slot.reopen().is_err());
        let refused = slot.read().err().unwrap().to_string();
        assert!(refused.contains("CURRENT does not"), "{refused}");
        assert!(slot.try_read().unwrap().is_err());
        assert!(slot.has_room().unwrap());
        std::fs::rename(&hidden, &current).unwrap();
        slot.reopen().unwrap();
        assert!(slot.read().is_ok());
    }
}
