//! What the rows of the store say.

use serde::{Deserialize, Serialize};

use super::checksum::{Algorithm, Checksum, ChecksumType};
use crate::blob::{BlobId, BlobRef};
use crate::clock::Timestamp;
use crate::names::{AccountId, BucketId, BucketName, ETag, ObjectKey, UploadId, VersionId};

/// A bucket. Every commit that touches the bucket's objects or uploads expects this row unchanged, so it stays small.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketRecord {
    pub id: BucketId,
    pub name: BucketName,
    pub account: AccountId,
    pub created: Timestamp,
    pub region: String,
    pub state: BucketState,
    pub versioning: Versioning,
    /// Raised by every change of the bucket's configuration rows; 0 while there never was any.
    pub configuration: u64,
}

/// Whether a bucket keeps what is overwritten and deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Versioning {
    /// As it was created. A bucket that was anything else never is this again.
    #[default]
    Never,
    Enabled,
    /// Versions stay; what is written now replaces the null version.
    Suspended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BucketState {
    Live,
    /// DeleteBucket is making sure that the bucket is empty: nothing may be added meanwhile.
    Deleting,
}

/// An object. The summary comes first so that listings can stop reading there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRecord {
    pub summary: Summary,
    pub data: Data,
    /// The CRC64NVME of the whole object, whatever checksum the client chose.
    pub crc64nvme: u64,
    /// The value of the checksum that the client chose; `None` if it chose none.
    pub checksum: Option<Checksum>,
    pub metadata: Metadata,
    /// `None` for an object whose key has no rows in the table `versions`.
    pub version: Option<Version>,
    /// Who else may do what with it, as whoever put it encoded it; empty for an object that is its owner's alone.
    pub acl: Vec<u8>,
}

/// Which of its key's versions an object or a delete marker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Versions of a key are numbered in the order in which they were made, from 1 on.
    pub ordinal: u64,
    /// What makes its identifier its own; `None` for the null version.
    pub random: Option<[u8; 16]>,
}

/// Where a key's versions stand; a key has this row as long as it has rows in the table `versions`. Every commit that adds
/// a version or removes one expects it unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The ordinal of the newest version. The next one's is greater by 1.
    pub newest: u64,
    /// The ordinal of the null version, where there is one.
    pub null: Option<u64>,
}

/// A version of a key; its ordinal is in the row's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRecord {
    /// As [`Version::random`].
    pub random: Option<[u8; 16]>,
    pub entry: Entry,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// Its `version` is the row's. Where it is the newest one, the key's row in `current` is a copy of it.
    Object(Box<ObjectRecord>),
    DeleteMarker(DeleteMarker),
}

/// Says that an object was deleted, while its versions stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteMarker {
    pub modified: Timestamp,
    pub owner: AccountId,
}

/// What listings show of a version: the beginning of a [`VersionRecord`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionSummary {
    pub random: Option<[u8; 16]>,
    pub entry: EntrySummary,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntrySummary {
    Object(Summary),
    DeleteMarker(DeleteMarker),
}

/// What listings show of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub size: u64,
    pub etag: ETag,
    pub modified: Timestamp,
    pub owner: AccountId,
    pub storage_class: StorageClass,
    pub algorithm: Algorithm,
    pub checksum_type: ChecksumType,
}

/// The storage classes that Brim takes. They are kept and shown; all bytes are stored alike.
///
/// The archive classes are not here: an object in them could not be read as S3 says it must not be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StorageClass {
    #[default]
    Standard,
    ReducedRedundancy,
    StandardIa,
    OnezoneIa,
    IntelligentTiering,
}

/// The headers that come back as they were sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    pub content_type: Option<String>,
    pub content_encoding: Option<String>,
    pub content_language: Option<String>,
    pub content_disposition: Option<String>,
    pub cache_control: Option<String>,
    pub expires: Option<String>,
    pub website_redirect_location: Option<String>,
    /// Names without `x-amz-meta-`, in lower case, with their values.
    pub user: Vec<(String, String)>,
    pub tags: Vec<(String, String)>,
}

/// Where an object's or a part's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Data {
    Empty,
    Inline(InlineId),
    Blob(BlobRef),
    /// The parts of the completed upload with this id, one after the other.
    Parts(UploadId),
}

/// The identifier of bytes kept in the key-value store; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InlineId {
    pub run: u64,
    pub number: u64,
}

/// Something that lives as long as it is referenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Target {
    Inline(InlineId),
    Blob(BlobId),
    /// The parts of an upload: held by the upload while it is open, by objects once it is completed.
    Upload(UploadId),
    /// The uploads left in a deleted bucket.
    Bucket(BucketId),
}

/// An open multipart upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadRecord {
    pub initiated: Timestamp,
    pub owner: AccountId,
    pub storage_class: StorageClass,
    /// The checksum that the client asked for; `None` means CRC64NVME of the full object.
    pub checksum: Option<(Algorithm, ChecksumType)>,
    pub metadata: Metadata,
    /// The object's.
    pub acl: Vec<u8>,
}

/// An uploaded part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRecord {
    pub size: u64,
    pub md5: [u8; 16],
    pub modified: Timestamp,
    pub crc64nvme: u64,
    /// The part's checksum by the upload's algorithm, or by the one that the client sent.
    pub checksum: Option<Checksum>,
    pub data: Data,
}

/// What CompleteMultipartUpload answered, kept for a client that asks again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompletedRecord {
    pub bucket: BucketId,
    pub key: ObjectKey,
    pub completed: Timestamp,
    /// The SHA-256 of the part list: only the same list gets the same answer.
    pub part_list: [u8; 32],
    pub etag: ETag,
    pub crc64nvme: u64,
    pub checksum: Option<Checksum>,
    /// The version that the upload became; `None` in a bucket without versions.
    pub version: Option<VersionId>,
}

/// That a rename with a client's token was carried out, kept for a client that asks again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenamedRecord {
    pub renamed: Timestamp,
    /// The SHA-256 of what was asked for: only the same request gets the same answer.
    pub request: [u8; 32],
}

impl Data {
    /// What a row with this data holds a reference on.
    pub fn target(&self) -> Option<Target> {
        match self {
            Self::Empty => None,
            Self::Inline(id) => Some(Target::Inline(*id)),
            Self::Blob(blob) => Some(Target::Blob(blob.id)),
            Self::Parts(id) => Some(Target::Upload(*id)),
        }
    }
}

impl Version {
    pub fn id(&self) -> VersionId {
        match self.random {
            None => VersionId::Null,
            Some(random) => VersionId::Numbered { ordinal: self.ordinal, random },
        }
    }
}

impl ObjectRecord {
    /// The checksum that S3 shows: the client's, or the CRC64NVME that was computed without being asked for.
    pub fn shown_checksum(&self) -> Checksum {
        self.checksum.clone().unwrap_or_else(|| Checksum::crc64nvme(self.crc64nvme))
    }
}

impl PartRecord {
    /// The checksum that S3 shows.
    pub fn shown_checksum(&self) -> Checksum {
        self.checksum.clone().unwrap_or_else(|| Checksum::crc64nvme(self.crc64nvme))
    }
}

impl StorageClass {
    const NAMES: [(Self, &'static str); 5] = [
        (Self::Standard, "STANDARD"),
        (Self::ReducedRedundancy, "REDUCED_REDUNDANCY"),
        (Self::StandardIa, "STANDARD_IA"),
        (Self::OnezoneIa, "ONEZONE_IA"),
        (Self::IntelligentTiering, "INTELLIGENT_TIERING"),
    ];

    /// The class of this S3 name, if Brim takes it.
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(class, _)| *class)
    }

    pub fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(class, _)| *class == self).map_or("STANDARD", |(_, name)| name)
    }
}
