//! A file of the disk tier: what is stored, and everything that it is found and purged by. Checksums cover all of it; a file
//! that is not as it was written is [`FileError::Corrupt`], whatever is wrong with it.
//!
//! ```text
//! magic 8 | cache id 16 | softened 8 | length of meta 4 | length of body 8 | checksum of body 8 | checksum 8 | meta | body
//! ```
//! `checksum` covers all before it but `softened`, which is written later and says so by one of two words.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

use super::super::sequence::Sequence;
use crate::clock::Timestamp;
use crate::edge::rules::ttl::Freshness;

const MAGIC: &[u8; 8] = b"brimfil1";
const HEADER: usize = 60;
const SOFTENED_AT: usize = 24;

/// The two words of `softened`: far enough apart that no flipped bit makes one of the other.
const NOT_SOFTENED: u64 = 0;
const SOFTENED: u64 = 0x736f_6674_736f_6674;

/// The most bytes of `meta`: above every head that an origin may send.
const MAX_META: usize = 4 * 1024 * 1024;

/// Everything about what is stored but its bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Meta {
    pub key: String,
    pub vary: Vec<String>,
    pub normalise: bool,
    pub secondary: Vec<u8>,
    pub site: String,
    pub tags: Vec<u64>,
    pub filled_at: Sequence,
    pub retained_until: Timestamp,
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in super::super) enum Content {
    Response {
        status: u16,
        head: Vec<u8>,
        request_time: Timestamp,
        response_time: Timestamp,
        initial_age: Duration,
        freshness: Freshness,
        /// The entity tag and the length of a body in slices.
        sliced: Option<(String, u64)>,
    },
    Slice {
        etag: String,
        total: u64,
        index: u32,
    },
}

#[derive(Debug, thiserror::Error)]
pub(in super::super) enum FileError {
    #[error("the file is gone")]
    Gone,
    /// Of a cache that was wiped.
    #[error("the file has another cache's id")]
    Foreign,
    #[error("the file is corrupt")]
    Corrupt,
    #[error("the file cannot be read")]
    Read(#[source] io::Error),
}

/// A file whose meta data were read and verified.
#[derive(Debug)]
pub(in super::super) struct Opened {
    pub meta: Meta,
    pub softened: bool,
    /// Of the whole file.
    pub length: u64,
    file: File,
    body_length: u64,
    body_checksum: u64,
}

/// Writes a file whole under `staging` and gives it its name. Gives its length. Not synced: checksums tell after a crash.
pub(in super::super) fn write(
    staging: &Path,
    path: &Path,
    id: [u8; 16],
    meta: &Meta,
    softened: bool,
    body: &Bytes,
) -> io::Result<u64> {
    let meta = postcard::to_stdvec(meta).map_err(io::Error::other)?;
    if meta.len() > MAX_META {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let header = header(id, softened, &meta, body.len() as u64, xxh3_64(body));
    let written = (|| {
        let mut file = File::create(staging)?;
        file.write_all(&header)?;
        file.write_all(&meta)?;
        file.write_all(body)?;
        fs::rename(staging, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(staging);
    }
    written.map(|()| (HEADER + meta.len() + body.len()) as u64)
}

/// Notes in a file that it was softly purged.
pub(super) fn soften(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.write_all_at(&SOFTENED.to_le_bytes(), SOFTENED_AT as u64)
}

/// Opens a file of the cache `id` and reads its meta data.
pub(in super::super) fn open(path: &Path, id: [u8; 16]) -> Result<Opened, FileError> {
    let mut file = File::open(path).map_err(of_io)?;
    let length = file.metadata().map_err(of_io)?.len();
    let mut header = [0; HEADER];
    file.read_exact(&mut header).map_err(of_io)?;
    if header[..8] != *MAGIC {
        return Err(FileError::Corrupt);
    }
    if header[8..24] != id {
        return Err(FileError::Foreign);
    }
    let softened = match number(&header, SOFTENED_AT) {
        NOT_SOFTENED => false,
        SOFTENED => true,
        _ => return Err(FileError::Corrupt),
    };
    let meta_length = header[32..36].try_into().map(u32::from_le_bytes).map_err(|_| FileError::Corrupt)? as usize;
    let body_length = number(&header, 36);
    let body_checksum = number(&header, 44);
    if meta_length > MAX_META || body_length.checked_add((HEADER + meta_length) as u64) != Some(length) {
        return Err(FileError::Corrupt);
    }
    let mut meta = vec![0; meta_length];
    file.read_exact(&mut meta).map_err(of_io)?;
    if number(&header, 52) != checksum(&header, &meta) {
        return Err(FileError::Corrupt);
    }
    let meta = postcard::from_bytes(&meta).map_err(|_| FileError::Corrupt)?;
    Ok(Opened { meta, softened, length, file, body_length, body_checksum })
}

impl Opened {
    /// Reads and verifies the body.
    pub fn read_body(&mut self) -> Result<Bytes, FileError> {
        // No more than the file has, which `open` compared it with.
        let mut body = vec![0; usize::try_from(self.body_length).map_err(|_| FileError::Corrupt)?];
        self.file.read_exact(&mut body).map_err(of_io)?;
        if xxh3_64(&body) != self.body_checksum {
            return Err(FileError::Corrupt);
        }
        Ok(body.into())
    }
}

fn header(id: [u8; 16], softened: bool, meta: &[u8], body_length: u64, body_checksum: u64) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(MAGIC);
    header[8..24].copy_from_slice(&id);
    let softened = if softened { SOFTENED } else { NOT_SOFTENED };
    header[24..32].copy_from_slice(&softened.to_le_bytes());
    let meta_length = u32::try_from(meta.len()).unwrap_or(u32::MAX);
    header[32..36].copy_from_slice(&meta_length.to_le_bytes());
    header[36..44].copy_from_slice(&body_length.to_le_bytes());
    header[44..52].copy_from_slice(&body_checksum.to_le_bytes());
    let checksum = checksum(&header, meta);
    header[52..].copy_from_slice(&checksum.to_le_bytes());
    header
}

fn checksum(header: &[u8; HEADER], meta: &[u8]) -> u64 {
    let mut hasher = Xxh3Default::new();
    hasher.update(&header[..SOFTENED_AT]);
    hasher.update(&header[32..52]);
    hasher.update(meta);
    hasher.digest()
}

fn number(bytes: &[u8; HEADER], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn of_io(error: io::Error) -> FileError {
    match error.kind() {
        io::ErrorKind::NotFound => FileError::Gone,
        io::ErrorKind::UnexpectedEof => FileError::Corrupt,
        _ => FileError::Read(error),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: [u8; 16] = *b"the id of a test";
    const BODY: &[u8] = b"the body of a response";

    fn meta() -> Meta {
        Meta {
            key: "https://a.test/".to_owned(),
            vary: vec!["accept-language".to_owned()],
            normalise: true,
            secondary: b"=de,\n".to_vec(),
            site: "shop".to_owned(),
            tags: vec![1, 2],
            filled_at: Sequence::new(7),
            retained_until: Timestamp::from_seconds(9),
            content: Content::Slice { etag: "\"1\"".to_owned(), total: 22, index: 0 },
        }
    }

    fn written(dir: &Path) -> std::path::PathBuf {
        let path = dir.join("file");
        let length = write(&dir.join("new"), &path, ID, &meta(), false, &Bytes::from_static(BODY)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), length);
        path
    }

    #[test]
    fn what_was_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = written(dir.path());
        let mut opened = open(&path, ID).unwrap();
        assert_eq!((opened.read_body().unwrap(), opened.softened, opened.meta), (BODY.into(), false, meta()));
        soften(&path).unwrap();
        let mut opened = open(&path, ID).unwrap();
        assert_eq!((opened.softened, opened.read_body().unwrap()), (true, BODY.into()));
    }

    #[test]
    fn files_of_another_cache_and_missing_ones_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = written(dir.path());
        assert!(matches!(open(&path, [0; 16]), Err(FileError::Foreign)));
        assert!(matches!(open(&dir.path().join("none"), ID), Err(FileError::Gone)));
    }

    #[test]
    fn a_file_that_was_cut_off_or_grew_is_corrupt() {
        let dir = tempfile::tempdir().unwrap();
        let path = written(dir.path());
        let bytes = fs::read(&path).unwrap();
        for length in 0..bytes.len() {
            fs::write(&path, &bytes[..length]).unwrap();
            assert!(matches!(open(&path, ID), Err(FileError::Corrupt)), "{length}");
        }
        fs::write(&path, [&bytes[..], b"x"].concat()).unwrap();
        assert!(matches!(open(&path, ID), Err(FileError::Corrupt)));
    }

    proptest! {
        #[test]
        fn a_flipped_bit_is_noticed(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let dir = tempfile::tempdir().unwrap();
            let path = written(dir.path());
            let mut bytes = fs::read(&path).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            fs::write(&path, &bytes).unwrap();
            let read = open(&path, ID).and_then(|mut opened| opened.read_body());
            prop_assert!(matches!(read, Err(FileError::Corrupt | FileError::Foreign)));
        }
    }
}
