//! The run counter: what makes blob ids unique over all openings of a directory.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::layout::{FAN_OUT, Layout, parse_name, sync_directory};
use super::pack;

const FILE_NAME: &str = "run";
const NEW_FILE_NAME: &str = "run.new";

/// Gives the number of the run that begins: one more than the last, and durably so before it is used.
pub(super) fn begin(layout: &Layout) -> io::Result<u64> {
    let last = match fs::read_to_string(layout.root().join(FILE_NAME)) {
        Ok(text) => parse(&text).ok_or_else(|| damaged(layout.root(), "is damaged"))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !any_blob(layout)? => 0,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(damaged(layout.root(), "is missing, yet there are blobs"));
        }
        Err(error) => return Err(error),
    };
    let run = last.checked_add(1).ok_or_else(|| damaged(layout.root(), "is used up"))?;
    persist(layout.root(), run)?;
    Ok(run)
}

/// Replaces the counter. New contents first, then the name: a crash leaves the old number or the new one.
pub(super) fn persist(root: &Path, run: u64) -> io::Result<()> {
    let new = root.join(NEW_FILE_NAME);
    let mut file = File::create(&new)?;
    writeln!(file, "{run}")?;
    file.sync_all()?;
    fs::rename(&new, root.join(FILE_NAME))?;
    sync_directory(root)
}

fn parse(text: &str) -> Option<u64> {
    let digits = text.strip_suffix('\n')?;
    digits.parse().ok().filter(|run: &u64| *run > 0 && run.to_string() == digits)
}

fn any_blob(layout: &Layout) -> io::Result<bool> {
    for index in 0..FAN_OUT {
        for entry in fs::read_dir(layout.directory(index))? {
            if parse_name(&entry?.file_name()).is_some() {
                return Ok(true);
            }
        }
    }
    Ok(!pack::packs(layout)?.is_empty())
}

fn damaged(root: &Path, what: &str) -> io::Error {
    let file = root.join(FILE_NAME);
    io::Error::new(io::ErrorKind::InvalidData, format!("the run counter {} {what}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::super::BlobId;
    use super::*;

    #[test]
    fn every_run_has_its_own_number() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::prepare(root.path()).unwrap();
        assert_eq!([1, 2, 3], std::array::from_fn(|_| begin(&layout).unwrap()));
        fs::write(root.path().join(NEW_FILE_NAME), "of a crash").unwrap();
        assert_eq!(begin(&layout).unwrap(), 4);
    }

    #[test]
    fn a_lost_counter_is_not_replaced_where_there_are_blobs() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::prepare(root.path()).unwrap();
        fs::write(layout.path(BlobId { run: 9, number: 0 }), "").unwrap();
        assert_eq!(begin(&layout).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_damaged_counter_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::prepare(root.path()).unwrap();
        for text in ["", "\n", "7", "0\n", "-1\n", "07\n", "7\n7\n", "18446744073709551615\n", "18446744073709551616\n"]
        {
            fs::write(root.path().join(FILE_NAME), text).unwrap();
            assert_eq!(begin(&layout).unwrap_err().kind(), io::ErrorKind::InvalidData, "{text:?}");
        }
    }
}
