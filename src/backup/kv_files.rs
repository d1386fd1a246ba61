//! The files of the metadata engine's checkpoint.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crc_fast::{CrcAlgorithm, Digest};
use serde::{Deserialize, Serialize};

use super::Error;
use crate::report::{Report, Unit};

const BUFFER_BYTES: usize = 1 << 20;

/// What a progress bar says.
const PHASE: &str = "copying metadata";

/// One file of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvFile {
    pub name: String,
    pub bytes: u64,
    /// Its CRC64NVME, in hex. Missing where the file is a link: it was not read then. The engine has a checksum of its own
    /// in each block of such a file, and compares it when it reads the block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc64nvme: Option<String>,
}

impl KvFile {
    /// Whether the file is in the directory itself, wherever a manifest comes from.
    pub fn has_plain_name(&self) -> bool {
        !matches!(self.name.as_str(), "" | "." | "..") && !self.name.contains(['/', '\0'])
    }

    /// Whether the engine never changes this file, so that it can be shared: a table, or a file of values.
    fn is_immutable(&self) -> bool {
        self.name.ends_with(".sst") || self.name.ends_with(".blob")
    }
}

/// Copies the checkpoint in `from` to `to`, which is empty, durably but for the names. Immutable files are hard links
/// where `link` allows it and the file system can. Blocks.
pub fn copy_out(from: &Path, to: &Path, link: bool, report: &Report) -> Result<Vec<KvFile>, Error> {
    let mut files = list(from)?;
    let mut meter = Meter::new(report, &files);
    for file in &mut files {
        let (source, copy) = (from.join(&file.name), to.join(&file.name));
        if link && file.is_immutable() && fs::hard_link(&source, &copy).is_ok() {
            meter.add(file.bytes)?;
            continue;
        }
        file.crc64nvme = Some(copy_file(&source, &copy, &mut meter)?);
    }
    Ok(files)
}

/// Copies the files of a backup from `from` to `to`, which is empty, and makes sure that they are what was backed up: of
/// those without checksum, that they have the length. Durable but for the names. Blocks.
pub fn copy_in(from: &Path, to: &Path, files: &[KvFile], link: bool, report: &Report) -> Result<(), Error> {
    let mut meter = Meter::new(report, files);
    for file in files {
        let (source, copy) = (from.join(&file.name), to.join(&file.name));
        let bytes = fs::metadata(&source).map_err(Error::at(&source))?.len();
        if bytes != file.bytes {
            return Err(Error::DamagedFile(source));
        }
        if link && file.is_immutable() && fs::hard_link(&source, &copy).is_ok() {
            meter.add(file.bytes)?;
            continue;
        }
        let checksum = copy_file(&source, &copy, &mut meter)?;
        if file.crc64nvme.as_ref().is_some_and(|expected| *expected != checksum) {
            return Err(Error::DamagedFile(source));
        }
    }
    Ok(())
}

/// The files that make up the checkpoint; not the messages for people.
fn list(from: &Path) -> Result<Vec<KvFile>, Error> {
    let mut files = Vec::new();
    for entry in fs::read_dir(from).map_err(Error::at(from))? {
        let entry = entry.map_err(Error::at(from))?;
        let metadata = entry.metadata().map_err(Error::at(&entry.path()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if metadata.is_file() && name != "LOCK" && !name.starts_with("LOG") {
            files.push(KvFile { name, bytes: metadata.len(), crc64nvme: None });
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// Copies one file durably and gives its CRC64NVME.
fn copy_file(from: &Path, to: &Path, meter: &mut Meter) -> Result<String, Error> {
    let mut source = File::open(from).map_err(Error::at(from))?;
    let mut copy = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(Error::at(to))?;
    let mut digest = Digest::new(CrcAlgorithm::Crc64Nvme);
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::at(from)(error)),
        };
        digest.update(&buffer[..read]);
        copy.write_all(&buffer[..read]).map_err(Error::at(to))?;
        meter.add(read as u64)?;
    }
    copy.sync_all().map_err(Error::at(to))?;
    Ok(format!("{:016x}", digest.finalize()))
}

/// How far it is.
struct Meter<'r> {
    report: &'r Report,
    done: u64,
    total: u64,
}

impl<'r> Meter<'r> {
    fn new(report: &'r Report, files: &[KvFile]) -> Self {
        Self { report, done: 0, total: files.iter().map(|file| file.bytes).sum() }
    }

    fn add(&mut self, bytes: u64) -> Result<(), Error> {
        self.done += bytes;
        Ok(self.report.progress(PHASE, self.done, Some(self.total), Unit::Bytes)?)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use tempfile::TempDir;
    use tokio_util::sync::CancellationToken;

    use super::*;

    fn directory(files: &[(&str, &[u8])]) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            fs::write(directory.path().join(name), bytes).unwrap();
        }
        directory
    }

    fn checkpoint() -> TempDir {
        let table = vec![7; BUFFER_BYTES + 1];
        directory(&[("1.sst", &table), ("2.blob", b"values"), ("CURRENT", b"123456789"), ("LOG", b"x"), ("LOCK", b"")])
    }

    #[test]
    fn immutable_files_are_linked_and_the_others_copied_with_their_checksum() {
        let (from, to, (report, _notes)) = (checkpoint(), directory(&[]), Report::new(CancellationToken::new()));
        let files = copy_out(from.path(), to.path(), true, &report).unwrap();
        let names: Vec<_> = files.iter().map(|file| (file.name.as_str(), file.crc64nvme.as_deref())).collect();
        // The published check value of CRC-64/NVME.
        assert_eq!(names, [("1.sst", None), ("2.blob", None), ("CURRENT", Some("ae8b14860a799888"))]);
        let inode = |directory: &TempDir, name| fs::metadata(directory.path().join(name)).unwrap().ino();
        assert_eq!(inode(&from, "1.sst"), inode(&to, "1.sst"));
        assert_ne!(inode(&from, "CURRENT"), inode(&to, "CURRENT"));
    }

    #[test]
    fn what_comes_back_is_what_was_copied_or_an_error() {
        let (from, to, (report, _notes)) = (checkpoint(), directory(&[]), Report::new(CancellationToken::new()));
        let files = copy_out(from.path(), to.path(), false, &report).unwrap();
        let back = directory(&[]);
        copy_in(to.path(), back.path(), &files, false, &report).unwrap();
        for file in &files {
            assert!(fs::read(back.path().join(&file.name)).unwrap() == fs::read(from.path().join(&file.name)).unwrap());
        }
        for spoilt in [&b"12345x789"[..], b"12345678", b""] {
            fs::write(to.path().join("CURRENT"), spoilt).unwrap();
            let refused = copy_in(to.path(), directory(&[]).path(), &files, false, &report);
            assert!(matches!(refused, Err(Error::DamagedFile(path)) if path.ends_with("CURRENT")));
        }
        fs::remove_file(to.path().join("CURRENT")).unwrap();
        assert!(matches!(copy_in(to.path(), directory(&[]).path(), &files, false, &report), Err(Error::Io { .. })));
    }

    #[test]
    fn copying_stops_when_nobody_wants_it_any_more() {
        let (from, to, (report, notes)) = (checkpoint(), directory(&[]), Report::new(CancellationToken::new()));
        drop(notes);
        assert!(matches!(copy_out(from.path(), to.path(), false, &report), Err(Error::Stopped(_))));
    }
}
