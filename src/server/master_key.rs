//! `master.key`: the master key as 64 hex digits.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::identity::{self, MASTER_KEY_BYTES, MasterKey};
use crate::private_file;

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{path} is not a master key: 64 hex digits")]
    Damaged { path: PathBuf },
    #[error(transparent)]
    Generate(#[from] identity::Error),
    #[error(transparent)]
    File(#[from] private_file::Error),
}

/// Reads the key at `path`.
pub fn read(path: &Path) -> Result<MasterKey, Error> {
    let damaged = || Error::Damaged { path: path.to_owned() };
    let text = private_file::read(path)?.ok_or_else(damaged)?;
    let mut bytes = Zeroizing::new([0; MASTER_KEY_BYTES]);
    hex::decode_to_slice(text.trim_ascii(), &mut *bytes).map_err(|_| damaged())?;
    Ok(MasterKey::new(bytes))
}

/// Makes a key at `path` unless there is one; one that is there is never replaced.
pub fn make_if_absent(path: &Path) -> Result<(), Error> {
    if private_file::read(path)?.is_some() {
        return Ok(());
    }
    write(path, &MasterKey::generate()?)
}

/// Puts `key` at `path`, whatever is there.
pub fn write(path: &Path, key: &MasterKey) -> Result<(), Error> {
    let mut text = Zeroizing::new(hex::encode(key.expose()));
    text.push('\n');
    Ok(private_file::write(path, text.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        make_if_absent(&path).unwrap();
        let first = *read(&path).unwrap().expose();
        make_if_absent(&path).unwrap();
        assert_eq!(*read(&path).unwrap().expose(), first);
    }

    #[test]
    fn anything_but_64_hex_digits_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        for wrong in ["", "00", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64)] {
            private_file::write(&path, wrong.as_bytes()).unwrap();
            assert!(matches!(read(&path), Err(Error::Damaged { .. })), "{wrong}");
        }
    }
}
