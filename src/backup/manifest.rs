//! `brim-backup.json`: what a backup is of, and that it is whole.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Error, KvFile};
use crate::blob::Scrutiny;

/// The manifest's name in a backup.
pub const MANIFEST: &str = "brim-backup.json";

/// The format that this program writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// The largest manifest, in bytes: far more files than an engine has.
const MAX_BYTES: u64 = 64 << 20;

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    /// The version of the program that made it.
    pub brim: String,
    /// When it was begun, in RFC 3339: what was answered until then is in it.
    pub created: String,
    /// The data directory's id.
    pub instance: String,
    /// Where the change log stood.
    pub log: LogHead,
    /// The number of the last run of a server.
    pub last_run: u64,
    /// What tells the master key that the backup needs from any other.
    pub master_key: String,
    /// The secrets that are in the backup.
    pub secrets: Secrets,
    pub blobs: BlobTotals,
    /// The metadata's files.
    pub kv: Vec<KvFile>,
}

/// A position of the change log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogHead {
    pub id: String,
    /// The last position that was given out.
    pub position: u64,
}

/// Which secrets are in a backup.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secrets {
    pub master_key: bool,
    pub credentials: bool,
}

/// The blobs of a backup.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobTotals {
    pub count: u64,
    /// Without footers.
    pub bytes: u64,
    /// How many were missing or damaged already, where the backup was made all the same.
    pub damaged: u64,
}

/// What every format's manifest has.
#[derive(Deserialize)]
struct AnyManifest {
    format: u32,
}

impl Manifest {
    /// Reads the manifest of the backup in `directory`. Looks at nothing but the format before it knows the format.
    pub fn read(directory: &Path) -> Result<Self, Error> {
        let path = directory.join(MANIFEST);
        let file = File::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::NoManifest(directory.to_owned()),
            _ => Error::at(&path)(error),
        })?;
        let mut text = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut text).map_err(Error::at(&path))?;
        let damaged = |_| Error::DamagedManifest(path.clone());
        let AnyManifest { format } = serde_json::from_slice(&text).map_err(damaged)?;
        if format > FORMAT {
            return Err(Error::Newer { path, format });
        }
        let manifest: Self = serde_json::from_slice(&text).map_err(damaged)?;
        match manifest.kv.iter().all(KvFile::has_plain_name) {
            true => Ok(manifest),
            false => Err(Error::DamagedManifest(path)),
        }
    }

    /// How closely the backup's blobs have to be looked at before they are linked. They were synced before the manifest
    /// was written, so that their footers vouch for them; unless damaged ones were accepted.
    pub fn scrutiny(&self) -> Scrutiny {
        if self.blobs.damaged == 0 { Scrutiny::Footer } else { Scrutiny::Bytes }
    }

    /// Whether `directory` holds a backup that was finished.
    pub fn is_in(directory: &Path) -> bool {
        fs::exists(directory.join(MANIFEST)).unwrap_or(false)
    }

    /// The manifest as it is written.
    pub fn encode(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).expect("a manifest has only texts and numbers");
        text.push(b'\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(file: &str) -> Manifest {
        Manifest {
            format: FORMAT,
            brim: "0.1.0".to_owned(),
            created: "2026-01-01T00:00:00.000Z".to_owned(),
            instance: "i".to_owned(),
            log: LogHead { id: "l".to_owned(), position: 7 },
            last_run: 3,
            master_key: "k".to_owned(),
            secrets: Secrets::default(),
            blobs: BlobTotals::default(),
            kv: vec![KvFile { name: file.to_owned(), bytes: 1, crc64nvme: None }],
        }
    }

    fn read(text: &[u8]) -> Result<Manifest, Error> {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(MANIFEST), text).unwrap();
        Manifest::read(directory.path())
    }

    #[test]
    fn a_manifest_is_read_back() {
        let written = manifest("000001.sst");
        assert_eq!(read(&written.encode()).unwrap(), written);
    }

    #[test]
    fn without_manifest_there_is_no_backup() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(Manifest::read(directory.path()), Err(Error::NoManifest(_))));
        assert!(!Manifest::is_in(directory.path()));
    }

    #[test]
    fn newer_formats_and_damage_are_told_apart() {
        let newer = read(br#"{"format":2,"shape":"unknown"}"#).unwrap_err();
        assert!(newer.to_string().contains("a newer brim made this backup"), "{newer}");
        for text in [&b""[..], b"{", b"[]", br#"{"format":1}"#, &manifest("k").encode()[..50]] {
            assert!(matches!(read(text), Err(Error::DamagedManifest(_))), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn files_elsewhere_are_refused() {
        for name in ["../CURRENT", "/etc/passwd", "a/b", "", ".", "..", "a\0b"] {
            assert!(matches!(read(&manifest(name).encode()), Err(Error::DamagedManifest(_))), "{name:?}");
        }
    }
}
