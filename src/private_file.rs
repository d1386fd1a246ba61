//! Small files that only their owner may read: written whole or not at all, refused when others can read them.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

const OWNER_ONLY: u32 = 0o600;
const GROUP: u32 = 0o070;
const OTHERS: u32 = 0o007;

/// The largest private file, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// Why a private file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
    /// Not mended in silence: the secret may have been read already, and only an operator can tell.
    #[error("{path} can be read or written by other users: make sure that nobody did, then `chmod 600 {path}`")]
    OpenToOthers { path: PathBuf },
    #[error("{path} is not a file of at most {MAX_BYTES} bytes")]
    NotAFile { path: PathBuf },
}

/// Gives the file's bytes, or `None` if there is no such file.
///
/// Files open to other users are refused. Files open to their group only warn: Kubernetes sets those bits on every
/// volume mounted with an `fsGroup`.
pub fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() || metadata.len() > MAX_BYTES {
        return Err(Error::NotAFile { path: path.to_owned() });
    }
    if metadata.mode() & OTHERS != 0 {
        return Err(Error::OpenToOthers { path: path.to_owned() });
    }
    if metadata.mode() & GROUP != 0 {
        tracing::warn!(path = %path.display(), "the file's group can read or write it");
    }
    // Room for all of it at once: a reallocation would leave a copy behind that is never wiped.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES as usize));
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Some(bytes))
}

/// Puts `bytes` at `path`, durably, readable by the owner alone. A crash leaves the old file, the new one, or none
/// where there was none, never a part.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let staging = staging_of(path);
    let written = write_through(&staging, path, bytes);
    if written.is_err() {
        let _ = fs::remove_file(&staging);
    }
    written.map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// The name that a file has while it is being written.
pub fn staging_of(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".tmp");
    PathBuf::from(name)
}

/// Makes the entries of the directory `path` durable.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    // The parent of a bare name is the current directory.
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path)?.sync_all()
}

fn write_through(staging: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    // One left behind by a crash was never renamed: nobody has seen it.
    match fs::remove_file(staging) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(staging)?;
    file.write_all(bytes)?;
    // Bytes before name, name before return: whoever sees the name sees the bytes, even after power loss.
    file.sync_all()?;
    fs::rename(staging, path)?;
    sync_directory(path.parent().unwrap_or(Path::new("")))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_private_file_is_the_owners_alone_and_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        assert!(read(&path).unwrap().is_none());
        fs::write(staging_of(&path), "left by a crash").unwrap();
        write(&path, b"first").unwrap();
        write(&path, b"second").unwrap();
        assert_eq!(**read(&path).unwrap().unwrap(), *b"second");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, OWNER_ONLY);
        assert!(!staging_of(&path).exists());
    }

    #[test]
    fn files_open_to_others_are_refused_and_files_open_to_the_group_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        write(&path, b"secret").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o660)).unwrap();
        assert!(read(&path).is_ok());
        for mode in [0o604, 0o602, 0o644] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(read(&path), Err(Error::OpenToOthers { .. })), "{mode:o}");
        }
    }

    #[test]
    fn directories_and_large_files_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(read(dir.path()), Err(Error::NotAFile { .. })));
        let path = dir.path().join("large");
        write(&path, &vec![0; MAX_BYTES as usize + 1]).unwrap();
        assert!(matches!(read(&path), Err(Error::NotAFile { .. })));
    }
}
