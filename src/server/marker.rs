//! `brim.json`: what marks a directory as a data directory, and says which binaries can read it.

use std::path::{Path, PathBuf};
use std::{fs, io};

use aws_lc_rs::rand;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::private_file;

/// The format that this binary writes, and the newest that it reads.
const FORMAT: u32 = 1;

/// The length of an instance id, in bytes before hex.
const INSTANCE_BYTES: usize = 16;

/// What the marker says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    pub format: u32,
    /// A random id that stays with the directory.
    pub instance: String,
    /// When the directory was made, in RFC 3339.
    pub created: String,
}

/// What every format's marker has.
#[derive(Deserialize)]
struct AnyMarker {
    format: u32,
}

/// Why a marker cannot be read or made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{path} has format {format}: a newer brim wrote it; this one reads formats up to {FORMAT}")]
    Newer { path: PathBuf, format: u32 },
    #[error("{path} is damaged: restore it from a backup of the directory")]
    Damaged { path: PathBuf },
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("no random bytes")]
    Random,
    #[error(transparent)]
    File(#[from] private_file::Error),
}

impl Marker {
    pub fn new(now: Timestamp) -> Result<Self, Error> {
        let mut instance = [0; INSTANCE_BYTES];
        rand::fill(&mut instance).map_err(|_| Error::Random)?;
        Ok(Self { format: FORMAT, instance: hex::encode(instance), created: now.to_string() })
    }

    /// Gives the marker, or `None` if there is none. Looks at nothing but the format before it knows the format.
    pub fn read(path: &Path) -> Result<Option<Self>, Error> {
        // Not a secret: after a restore it may well be readable by others.
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::Read { path: path.to_owned(), source }),
        };
        let damaged = |_| Error::Damaged { path: path.to_owned() };
        let AnyMarker { format } = serde_json::from_slice(&bytes).map_err(damaged)?;
        if format > FORMAT {
            return Err(Error::Newer { path: path.to_owned(), format });
        }
        serde_json::from_slice(&bytes).map(Some).map_err(damaged)
    }

    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let mut text = serde_json::to_vec_pretty(self).expect("a marker has only texts and numbers");
        text.push(b'\n');
        Ok(private_file::write(path, &text)?)
    }
}
