//! What can go wrong in the store, in the store's own words.

use super::admission::BacklogFull;
use super::checksum::{Algorithm, ChecksumType};
use crate::clock::Timestamp;
use crate::names::{BucketName, ObjectKey, UploadId, VersionId};
use crate::{blob, kv, report};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("bucket {0} does not exist")]
    NoSuchBucket(BucketName),
    #[error("bucket {0} belongs to the caller already")]
    BucketOwned(BucketName),
    #[error("bucket {0} belongs to someone else")]
    BucketTaken(BucketName),
    #[error("bucket {0} is not empty")]
    BucketNotEmpty(BucketName),
    /// The bucket is being deleted right now; the deletion may still be taken back.
    #[error("bucket {0} is being deleted")]
    BucketBusy(BucketName),
    #[error("object {0} does not exist")]
    NoSuchKey(ObjectKey),
    #[error("object {key} has no version {version}")]
    NoSuchVersion { key: ObjectKey, version: VersionId },
    /// What was asked for is a delete marker: the current version, or the one that was `named`.
    #[error("version {version} of object {key} is a delete marker")]
    DeleteMarker { key: ObjectKey, version: VersionId, modified: Timestamp, named: bool },
    #[error("upload {0} does not exist")]
    NoSuchUpload(UploadId),
    /// A condition on the object to be written does not hold.
    #[error("the precondition does not hold")]
    PreconditionFailed,
    /// The source of a copy changed between its reading and the commit; read it again and retry.
    #[error("the source of the copy changed")]
    SourceChanged,
    /// The token of a request was another request's.
    #[error("the token was used by another request")]
    TokenReused,
    /// Too many writers want the same key; retry later.
    #[error("too many writers of one key")]
    Contended,
    /// The change would have to be told to somebody who does not take what he is told. Nothing was changed.
    #[error(transparent)]
    Backlog(#[from] BacklogFull),
    /// The bytes received are not those that the client announced.
    #[error("the {0} of the bytes is not the announced one")]
    Digest(Digest),
    /// The client names another type of checksum than the upload was created with.
    #[error("the upload was created with the checksum type {}", .0.as_str())]
    ChecksumType(ChecksumType),
    /// A part of the list is unknown, or its entity tag or checksum is another.
    #[error("part {0} is not what was uploaded")]
    InvalidPart(u32),
    #[error("the parts are not in ascending order")]
    InvalidPartOrder,
    #[error("part {number} has only {size} bytes")]
    PartTooSmall { number: u32, size: u64 },
    #[error("the object would be larger than {limit} bytes")]
    TooLarge { limit: u64 },
    /// The completed object's size is not the announced one.
    #[error("the parts have {actual} bytes together")]
    SizeMismatch { actual: u64 },
    /// Free space is below the reserve, where deleting still works, or there is none at all. Nothing was changed.
    #[error("storage is full")]
    Full,
    /// The disk had no room for a commit, which may have happened or not.
    #[error("the commit had no room: {0}")]
    CommitFull(String),
    /// An engine takes no more writes until it is opened again; reading still works.
    #[error("storage stopped accepting writes: {0}")]
    Stopped(String),
    #[error("unreadable row: {0}")]
    Record(&'static str),
    #[error(
        "the blobs are at run {run}, but the metadata knows run {last}: one of them is older than the other; restore both \
         from the same backup, or, if only the blobs' file `run` is lost, write a larger number into it"
    )]
    RunWentBack { run: u64, last: u64 },
    #[error("the commit task ended early")]
    Aborted,
    /// One scrub at a time: two would read everything twice.
    #[error("a scrub is under way already")]
    ScrubRuns,
    /// A long piece of work was told to stop.
    #[error(transparent)]
    Interrupted(#[from] report::Stopped),
    #[error(transparent)]
    Kv(kv::Error),
    #[error(transparent)]
    Blob(blob::Error),
}

/// Which digest of a body did not agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    Md5,
    Sha256,
    Checksum(Algorithm),
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Md5 => f.write_str("MD5"),
            Self::Sha256 => f.write_str("SHA-256"),
            Self::Checksum(algorithm) => f.write_str(algorithm.as_str()),
        }
    }
}

impl From<kv::Error> for Error {
    fn from(error: kv::Error) -> Self {
        match error {
            kv::Error::ReadOnly(reason) => Self::Stopped(reason),
            kv::Error::Closed => Self::Stopped(error.to_string()),
            kv::Error::Paused(_) => Self::Full,
            kv::Error::Full(reason) => Self::CommitFull(reason),
            other => Self::Kv(other),
        }
    }
}

impl From<blob::Error> for Error {
    fn from(error: blob::Error) -> Self {
        match error {
            blob::Error::Full => Self::Full,
            blob::Error::ReadOnly(reason) => Self::Stopped(reason),
            other => Self::Blob(other),
        }
    }
}
