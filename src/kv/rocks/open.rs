//! Opening the directory, and refusing one that this program must not write to.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use rocksdb::{Cache, ColumnFamily, DBWithThreadMode, ErrorKind, Options, SingleThreaded};

use super::super::{Commit, Error, Table};
use super::aside::Aside;
use super::options::{Durability, Layout, RocksOptions};
use super::read::Gets;
use super::resident::Resident;
use super::wal::{self, Loss};

/// What an operator can do about a damaged directory.
pub(super) const RUNBOOK: &str = "nothing was changed; copy the directory away, check the disk, then restore the last \
                                  backup, or start once with relaxed durability to keep the commits before the damage";

/// The words of RocksDB, and of the C library, for ENOSPC and EDQUOT.
const NO_ROOM: &str = "No space left on device";
const NO_QUOTA: &str = "Disk quota exceeded";

/// A property of RocksDB.
const OLDEST_NEEDED_LOG: &str = "rocksdb.min-log-number-to-keep";

/// RocksDB with its column families, one per table. Tables cannot come or go while it is open: finding one is lock-free.
pub(super) struct Database {
    pub rocks: DBWithThreadMode<SingleThreaded>,
    pub tables: Vec<Table>,
    pub cache: Cache,
    pub resident: Resident,
    pub gets: Gets,
}

impl Database {
    /// Opens or makes the database in `path` with a column family for each of `tables`.
    pub fn open(path: &Path, options: &RocksOptions, tables: &[Table]) -> Result<Self, Error> {
        options.check()?;
        check_tables(tables)?;
        refuse_foreign_directory(path, tables)?;
        match (options.durability, lost_commits(path, options, tables)?) {
            (_, None) => Self::replay(path, options, tables),
            (Durability::Strict, Some(Loss { place, .. })) => {
                Err(Error::Engine(format!("{place}, with commits behind it; {RUNBOOK}")))
            }
            (Durability::Relaxed, Some(loss)) => {
                let aside = Aside::put(path, loss)?;
                // Refused without them: they were synced, so it was no power loss, and RocksDB sees the damage itself.
                Self::replay(path, options, tables).or_else(|_| {
                    aside.put_back()?;
                    Self::replay(path, options, tables)
                })
            }
        }
    }

    fn replay(path: &Path, options: &RocksOptions, tables: &[Table]) -> Result<Self, Error> {
        let layout = Layout::new(options);
        let families = layout.families(tables)?;
        let rocks = DBWithThreadMode::open_cf_descriptors(&layout.database, path, families).map_err(explain)?;
        Ok(Self {
            rocks,
            tables: tables.to_vec(),
            cache: layout.cache,
            resident: Resident::default(),
            gets: Gets::default(),
        })
    }

    /// Opens the database in `path` without writing to it, apart from a file of messages.
    pub fn open_read_only(path: &Path, options: &RocksOptions, tables: &[Table]) -> Result<Self, Error> {
        options.check()?;
        check_tables(tables)?;
        refuse_foreign_directory(path, tables)?;
        let layout = Layout::new(options);
        let families = layout.families(tables)?;
        let rocks = DBWithThreadMode::open_cf_descriptors_read_only(&layout.database, path, families, false);
        Ok(Self {
            rocks: rocks.map_err(explain)?,
            tables: tables.to_vec(),
            cache: layout.cache,
            resident: Resident::default(),
            gets: Gets::default(),
        })
    }

    pub fn path(&self) -> &Path {
        self.rocks.path()
    }

    /// Gives the column family of `table`, or an error for a table that the store was not opened with.
    pub fn family(&self, table: Table) -> Result<&ColumnFamily, Error> {
        check_table(table, &self.tables)?;
        self.rocks.cf_handle(table.name).ok_or_else(|| unknown(table))
    }
}

/// Makes sure that every table a commit names is one of `tables`, so that merging it cannot stop half-way.
pub(super) fn check_tables_of(commit: &Commit, tables: &[Table]) -> Result<(), Error> {
    let expected = commit.expectations.iter().map(|expectation| expectation.table);
    let written = commit.writes.iter().map(|write| write.table());
    expected.chain(written).try_for_each(|table| check_table(table, tables))
}

fn check_table(table: Table, tables: &[Table]) -> Result<(), Error> {
    match tables.get(table.id) {
        Some(open) if *open == table => Ok(()),
        _ => Err(unknown(table)),
    }
}

/// Gives RocksDB's own words. What ended for want of room is told apart by them: the binding does not give the subcode.
pub(super) fn engine_error(error: rocksdb::Error) -> Error {
    let kind = error.kind();
    let words = error.into_string();
    match kind {
        ErrorKind::IOError if words.contains(NO_ROOM) || words.contains(NO_QUOTA) => Error::Full(words),
        _ => Error::Engine(words),
    }
}

/// Finds commits that a replay of the write-ahead log would lose, with others behind them.
fn lost_commits(path: &Path, options: &RocksOptions, tables: &[Table]) -> Result<Option<Loss>, Error> {
    if wal::find_loss(path, 0)?.is_none() {
        return Ok(None);
    }
    // Rare: most of the time a power loss while a log was being reused. That one is not needed any more.
    wal::find_loss(path, oldest_needed_log(path, options, tables)?)
}

/// Gives the number of the oldest log that a replay begins with; 0 where that cannot be told. Changes no data.
fn oldest_needed_log(path: &Path, options: &RocksOptions, tables: &[Table]) -> Result<u64, Error> {
    let on_disk = DBWithThreadMode::<SingleThreaded>::list_cf(&Options::default(), path).map_err(explain)?;
    let is_there = |table: &&Table| on_disk.iter().any(|name| name == table.name);
    let tables: Vec<Table> = tables.iter().filter(is_there).copied().collect();
    let layout = Layout::new(options);
    let (database, families) = (&layout.database, layout.families(&tables)?);
    match DBWithThreadMode::<SingleThreaded>::open_cf_descriptors_read_only(database, path, families, false) {
        Ok(rocks) => Ok(rocks.property_int_value(OLDEST_NEEDED_LOG).map_err(engine_error)?.unwrap_or(0)),
        Err(error) if error.kind() == ErrorKind::Corruption => Ok(0),
        Err(error) => Err(engine_error(error)),
    }
}

fn unknown(table: Table) -> Error {
    Error::Engine(format!("table {} was not opened", table.name))
}

fn explain(error: rocksdb::Error) -> Error {
    if error.kind() == ErrorKind::Corruption {
        return Error::Engine(format!("the data is damaged: {}; {RUNBOOK}", error.into_string()));
    }
    engine_error(error)
}

fn check_tables(tables: &[Table]) -> Result<(), Error> {
    let mut names = HashSet::from([rocksdb::DEFAULT_COLUMN_FAMILY_NAME]);
    for (id, table) in tables.iter().enumerate() {
        if table.id != id || !names.insert(table.name) {
            return Err(Error::Engine(format!("table {} has a wrong id or a name that is taken", table.name)));
        }
    }
    Ok(())
}

/// Refuses a directory of a newer version, and one that lost the file which says what the others are.
fn refuse_foreign_directory(path: &Path, tables: &[Table]) -> Result<(), Error> {
    if !path.join("CURRENT").exists() {
        return match database_files(path)?.first() {
            Some(file) => Err(Error::Engine(format!("{} exists but CURRENT does not; {RUNBOOK}", file.display()))),
            None => Ok(()),
        };
    }
    let on_disk = DBWithThreadMode::<SingleThreaded>::list_cf(&Options::default(), path).map_err(explain)?;
    let known = |name: &String| {
        name == rocksdb::DEFAULT_COLUMN_FAMILY_NAME || tables.iter().any(|table| table.name == name.as_str())
    };
    match on_disk.iter().find(|name| !known(name)) {
        Some(name) => Err(Error::Engine(format!(
            "{} holds table {name}, which this version does not know: a newer version wrote it, start that one",
            path.display()
        ))),
        None => Ok(()),
    }
}

/// The files in `path` that only a database can have left there.
fn database_files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = files_in(path)?;
    files.retain(|file| {
        let manifest = file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("MANIFEST-"));
        manifest || file.extension().is_some_and(|extension| extension == "sst" || extension == "log")
    });
    Ok(files)
}

/// The paths of everything in the directory `path`, in order; none if it does not exist.
pub(super) fn files_in(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |error: std::io::Error| Error::Engine(format!("{}: {error}", path.display()));
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        files.push(entry.map_err(failed)?.path());
    }
    files.sort();
    Ok(files)
}
