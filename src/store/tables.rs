//! The tables of the store and the bytes of their keys.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `meta` | a name | small state of the store itself |
//! | `buckets` | bucket name | [`BucketRecord`](super::record::BucketRecord) |
//! | `current` | bucket id, object key | [`ObjectRecord`](super::record::ObjectRecord) |
//! | `inline` | inline id | the bytes of a small object or part |
//! | `refs` | target, owner | nothing: the row is the reference |
//! | `uploads` | bucket id, escaped object key, upload id | [`UploadRecord`](super::record::UploadRecord) |
//! | `parts` | upload id, part number | [`PartRecord`](super::record::PartRecord) |
//! | `offsets` | upload id, end offset, part number | nothing: where each part of a completed upload ends |
//! | `completed` | upload id | what a finished upload answered, for a client that asks again |
//! | `renamed` | bucket id, client token | that a rename was carried out, for a client that asks again |
//! | `sweep` | position | a target that may have become unreferenced |
//! | `log` | position | [`Logged`](super::log::Logged): a change or a purge |
//! | `versions` | bucket id, escaped object key, inverted ordinal | [`VersionRecord`](super::record::VersionRecord) |
//! | `heads` | bucket id, object key | [`Head`](super::record::Head): where the key's versions stand |
//! | `configurations` | bucket id, kind | a document of the bucket's configuration |
//! | `domains` | host name | [`DomainRecord`](super::domains::DomainRecord): whose site a custom domain is |
//! | `notifications` | bucket id, inverted generation | since when a bucket wants to be told of what: see [`notifications`](super::notifications) |
//! | `distributions` | a letter for the kind, distribution id, number or hash | sites of edges, and what was invalidated in them: see [`distributions`](super::distributions) |

use bytes::{BufMut, Bytes, BytesMut};

use super::record::{InlineId, Target};
use crate::blob::BlobId;
use crate::kv::{Profile, Table};
use crate::names::{BucketId, BucketName, HostName, ObjectKey, UploadId};

pub const META: Table = Table { id: 1, name: "meta", profile: Profile::Records };
pub const BUCKETS: Table = Table { id: 2, name: "buckets", profile: Profile::Resident };
pub const CURRENT: Table = Table { id: 3, name: "current", profile: Profile::Records };
pub const INLINE: Table = Table { id: 4, name: "inline", profile: Profile::Values };
pub const REFS: Table = Table { id: 5, name: "refs", profile: Profile::Records };
pub const UPLOADS: Table = Table { id: 6, name: "uploads", profile: Profile::Records };
pub const PARTS: Table = Table { id: 7, name: "parts", profile: Profile::Records };
pub const OFFSETS: Table = Table { id: 8, name: "offsets", profile: Profile::Records };
pub const COMPLETED: Table = Table { id: 9, name: "completed", profile: Profile::Records };
pub const SWEEP: Table = Table { id: 10, name: "sweep", profile: Profile::Queue };
pub const LOG: Table = Table { id: 11, name: "log", profile: Profile::Queue };
pub const RENAMED: Table = Table { id: 12, name: "renamed", profile: Profile::Records };
pub const CONFIGURATIONS: Table = Table { id: 13, name: "configurations", profile: Profile::Records };
pub const VERSIONS: Table = Table { id: 14, name: "versions", profile: Profile::Records };
pub const HEADS: Table = Table { id: 15, name: "heads", profile: Profile::Records };
pub const DOMAINS: Table = Table { id: 17, name: "domains", profile: Profile::Records };
pub const DISTRIBUTIONS: Table = Table { id: 18, name: "distributions", profile: Profile::Records };
pub const NOTIFICATIONS: Table = Table { id: 19, name: "notifications", profile: Profile::Records };

/// Who holds a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    Object {
        bucket: BucketId,
        key: ObjectKey,
    },
    /// A version of an object, also where it is the current one: the row in `current`, a copy, holds nothing then.
    Version {
        bucket: BucketId,
        key: ObjectKey,
        ordinal: u64,
    },
    /// An upload, open or completed, holds the bytes of its parts.
    Part {
        upload: UploadId,
        number: u16,
    },
}

/// Every table of the store, for opening an engine. The ids that are missing here are tables of identities.
pub const TABLES: [Table; 18] = [
    META,
    BUCKETS,
    CURRENT,
    INLINE,
    REFS,
    UPLOADS,
    PARTS,
    OFFSETS,
    COMPLETED,
    SWEEP,
    LOG,
    RENAMED,
    CONFIGURATIONS,
    VERSIONS,
    HEADS,
    DOMAINS,
    DISTRIBUTIONS,
    NOTIFICATIONS,
];

/// Stands between an escaped key and what follows it: below every escaped byte, so that shorter keys sort first.
pub const TERMINATOR: [u8; 2] = [0x00, 0x01];
const ESCAPED_ZERO: [u8; 2] = [0x00, 0xff];

/// How many bytes of a `current` or `uploads` key come before the object key.
pub const BUCKET_ID_BYTES: usize = 8;
const UPLOAD_ID_BYTES: usize = 16;

/// The key of a bucket's row.
pub fn bucket(name: &BucketName) -> Bytes {
    Bytes::copy_from_slice(name.as_str().as_bytes())
}

/// The key of a live object's row. Rows of one bucket sort as S3 lists keys: by their UTF-8 bytes.
pub fn current(bucket: BucketId, key: &[u8]) -> Bytes {
    let mut row = BytesMut::with_capacity(BUCKET_ID_BYTES + key.len());
    row.put_u64(bucket.0);
    row.put_slice(key);
    row.freeze()
}

/// Reads the bucket and the object's key back out of the key of a row of `current`.
pub fn parse_current(row: &[u8]) -> Option<(BucketId, ObjectKey)> {
    let (bucket, key) = row.split_first_chunk::<BUCKET_ID_BYTES>()?;
    Some((BucketId(u64::from_be_bytes(*bucket)), ObjectKey::parse(key).ok()?))
}

/// The key of the row that says where a key's versions stand; [`parse_current`] reads it back.
pub fn head(bucket: BucketId, key: &ObjectKey) -> Bytes {
    current(bucket, key.as_bytes())
}

/// The start of the rows of the versions of a bucket's keys that start with `key`.
pub fn versions(bucket: BucketId, key: &[u8]) -> Bytes {
    uploads(bucket, key)
}

/// The start of the rows of the versions of `key` itself.
pub fn versions_of(bucket: BucketId, key: &[u8]) -> Bytes {
    [versions(bucket, key).as_ref(), &TERMINATOR].concat().into()
}

/// The key of a version's row: by bucket, object key, then the newest first.
pub fn version(bucket: BucketId, key: &ObjectKey, ordinal: u64) -> Bytes {
    [versions_of(bucket, key.as_bytes()).as_ref(), &(!ordinal).to_be_bytes()].concat().into()
}

/// Reads the bucket, the object key and the ordinal back out of a version's row key.
pub fn parse_version(row: &[u8]) -> Option<(BucketId, ObjectKey, u64)> {
    let (bucket, rest) = row.split_first_chunk::<BUCKET_ID_BYTES>()?;
    let (escaped, ordinal) = rest.split_last_chunk::<8>()?;
    let escaped = escaped.strip_suffix(&TERMINATOR)?;
    let key = ObjectKey::parse(unescape(escaped)?).ok()?;
    Some((BucketId(u64::from_be_bytes(*bucket)), key, !u64::from_be_bytes(*ordinal)))
}

/// The key of an inline value.
pub fn inline(id: InlineId) -> Bytes {
    let mut row = BytesMut::with_capacity(16);
    row.put_u64(id.run);
    row.put_u64(id.number);
    row.freeze()
}

/// Reads the id back out of an inline value's key.
pub fn parse_inline(row: &[u8]) -> Option<InlineId> {
    let (run, number) = row.split_first_chunk::<8>()?;
    Some(InlineId { run: u64::from_be_bytes(*run), number: u64::from_be_bytes(number.try_into().ok()?) })
}

/// The start of the rows of a bucket's uploads whose key starts with `key`.
pub fn uploads(bucket: BucketId, key: &[u8]) -> Bytes {
    let mut row = BytesMut::with_capacity(BUCKET_ID_BYTES + key.len() + TERMINATOR.len() + UPLOAD_ID_BYTES);
    row.put_u64(bucket.0);
    escape(key, &mut row);
    row.freeze()
}

/// The key of an upload's row: by bucket, object key, then the time of its creation.
pub fn upload(bucket: BucketId, key: &ObjectKey, id: UploadId) -> Bytes {
    let mut row = BytesMut::from(uploads(bucket, key.as_bytes()));
    row.put_slice(&TERMINATOR);
    row.put_slice(&id.0);
    row.freeze()
}

/// Reads the object key and upload id back out of an upload's row key.
pub fn parse_upload(row: &[u8]) -> Option<(ObjectKey, UploadId)> {
    let (escaped, id) = row.get(BUCKET_ID_BYTES..)?.split_last_chunk::<UPLOAD_ID_BYTES>()?;
    let escaped = escaped.strip_suffix(&TERMINATOR)?;
    Some((ObjectKey::parse(unescape(escaped)?).ok()?, UploadId(*id)))
}

/// The key of a part's row; with `number` 0 the start of an upload's parts.
pub fn part(upload: UploadId, number: u16) -> Bytes {
    let mut row = BytesMut::with_capacity(UPLOAD_ID_BYTES + 2);
    row.put_slice(&upload.0);
    row.put_u16(number);
    row.freeze()
}

/// Reads the part number back out of a part's row key.
pub fn parse_part(row: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(*row.last_chunk()?))
}

/// Reads the upload and the part number back out of a part's row key.
pub fn parse_part_row(row: &[u8]) -> Option<(UploadId, u16)> {
    let (upload, number) = row.split_first_chunk::<UPLOAD_ID_BYTES>()?;
    Some((UploadId(*upload), u16::from_be_bytes(number.try_into().ok()?)))
}

/// The key of the row that says where a part ends in the completed object.
pub fn offset(upload: UploadId, end: u64, number: u16) -> Bytes {
    let mut row = BytesMut::with_capacity(UPLOAD_ID_BYTES + 10);
    row.put_slice(&upload.0);
    row.put_u64(end);
    row.put_u16(number);
    row.freeze()
}

/// Reads the end offset and part number back out of an offset's row key.
pub fn parse_offset(row: &[u8]) -> Option<(u64, u16)> {
    let (rest, number) = row.split_last_chunk::<2>()?;
    Some((u64::from_be_bytes(*rest.last_chunk()?), u16::from_be_bytes(*number)))
}

/// The key of the row that says a rename with a client's token was carried out.
pub fn renamed(bucket: BucketId, token: &[u8]) -> Bytes {
    let mut row = BytesMut::with_capacity(BUCKET_ID_BYTES + token.len());
    row.put_u64(bucket.0);
    row.put_slice(token);
    row.freeze()
}

/// The start of the rows of a bucket's configuration.
pub fn configurations(bucket: BucketId) -> Bytes {
    Bytes::copy_from_slice(&bucket.0.to_be_bytes())
}

/// The key of one document of a bucket's configuration.
pub fn configuration(bucket: BucketId, kind: u8) -> Bytes {
    let mut row = BytesMut::with_capacity(BUCKET_ID_BYTES + 1);
    row.put_u64(bucket.0);
    row.put_u8(kind);
    row.freeze()
}

/// Reads the bucket and the kind back out of the key of a row of `configurations`.
pub fn parse_configuration(row: &[u8]) -> Option<(BucketId, u8)> {
    let (bucket, kind) = row.split_first_chunk::<BUCKET_ID_BYTES>()?;
    let [kind] = kind else { return None };
    Some((BucketId(u64::from_be_bytes(*bucket)), *kind))
}

/// The start of the rows of what a bucket wants, and wanted, to be told of.
pub fn notifications(bucket: BucketId) -> Bytes {
    Bytes::copy_from_slice(&bucket.0.to_be_bytes())
}

/// The key of what a bucket wants to be told of since a generation: the newest sorts first.
pub fn notification(bucket: BucketId, generation: u64) -> Bytes {
    let mut row = BytesMut::with_capacity(BUCKET_ID_BYTES + 8);
    row.put_u64(bucket.0);
    row.put_u64(!generation);
    row.freeze()
}

/// Reads the bucket and the generation back out of the key of a row of `notifications`.
pub fn parse_notification(row: &[u8]) -> Option<(BucketId, u64)> {
    let (bucket, generation) = row.split_first_chunk::<BUCKET_ID_BYTES>()?;
    Some((BucketId(u64::from_be_bytes(*bucket)), !u64::from_be_bytes(generation.try_into().ok()?)))
}

/// The key of a custom domain's row.
pub fn domain(domain: &HostName) -> Bytes {
    Bytes::copy_from_slice(domain.as_str().as_bytes())
}

/// Reads the domain back out of its row's key; `None` for a name that is not written as rows are.
pub fn parse_domain(row: &[u8]) -> Option<HostName> {
    let text = std::str::from_utf8(row).ok()?;
    HostName::parse(text).ok().filter(|domain| domain.as_str() == text)
}

/// The key of a finished upload's answer.
pub fn completed(upload: UploadId) -> Bytes {
    Bytes::copy_from_slice(&upload.0)
}

/// The start of the rows of all references to `target`.
pub fn references(target: Target) -> Bytes {
    let mut row = BytesMut::with_capacity(64);
    put_target(target, &mut row);
    row.freeze()
}

/// The key of the reference that a live object holds on `target`.
pub fn object_reference(target: Target, bucket: BucketId, key: &ObjectKey) -> Bytes {
    let mut row = BytesMut::with_capacity(32 + key.as_bytes().len());
    put_target(target, &mut row);
    row.put_u8(b'o');
    row.put_u64(bucket.0);
    row.put_slice(key.as_bytes());
    row.freeze()
}

/// The key of the reference that an upload, open or completed, holds on a part's bytes.
pub fn part_reference(target: Target, upload: UploadId, number: u16) -> Bytes {
    let mut row = BytesMut::with_capacity(40);
    put_target(target, &mut row);
    row.put_u8(b'p');
    row.put_slice(&upload.0);
    row.put_u16(number);
    row.freeze()
}

/// The key of the reference that a version holds on `target`.
pub fn version_reference(target: Target, bucket: BucketId, key: &ObjectKey, ordinal: u64) -> Bytes {
    let mut row = BytesMut::with_capacity(40 + key.as_bytes().len());
    put_target(target, &mut row);
    row.put_u8(b'v');
    row.put_u64(bucket.0);
    row.put_slice(key.as_bytes());
    row.put_u64(ordinal);
    row.freeze()
}

/// The key of the reference that `owner` holds on `target`.
pub fn reference(target: Target, owner: &Owner) -> Bytes {
    match owner {
        Owner::Object { bucket, key } => object_reference(target, *bucket, key),
        Owner::Version { bucket, key, ordinal } => version_reference(target, *bucket, key, *ordinal),
        Owner::Part { upload, number } => part_reference(target, *upload, *number),
    }
}

/// Reads target and owner back out of a reference's row key.
pub fn parse_reference(row: &[u8]) -> Option<(Target, Owner)> {
    let (kind, rest) = row.split_first()?;
    let (id, rest) = rest.split_first_chunk::<16>()?;
    let (run, number) = (u64::from_be_bytes(*id.first_chunk()?), u64::from_be_bytes(*id.last_chunk()?));
    let target = match kind {
        b'i' => Target::Inline(InlineId { run, number }),
        b'b' => Target::Blob(BlobId { run, number }),
        b'm' => Target::Upload(UploadId(*id)),
        _ => return None,
    };
    let (kind, rest) = rest.split_first()?;
    let owner = match kind {
        b'o' => {
            let (bucket, key) = parse_current(rest)?;
            Owner::Object { bucket, key }
        }
        b'v' => {
            let (rest, ordinal) = rest.split_last_chunk::<8>()?;
            let (bucket, key) = parse_current(rest)?;
            Owner::Version { bucket, key, ordinal: u64::from_be_bytes(*ordinal) }
        }
        b'p' => {
            let (upload, number) = parse_part_row(rest)?;
            Owner::Part { upload, number }
        }
        _ => return None,
    };
    Some((target, owner))
}

fn put_target(target: Target, row: &mut BytesMut) {
    match target {
        Target::Inline(id) => {
            row.put_u8(b'i');
            row.put_u64(id.run);
            row.put_u64(id.number);
        }
        Target::Blob(id) => {
            row.put_u8(b'b');
            row.put_u64(id.run);
            row.put_u64(id.number);
        }
        Target::Upload(id) => {
            row.put_u8(b'm');
            row.put_slice(&id.0);
        }
        Target::Bucket(id) => {
            row.put_u8(b'u');
            row.put_u64(id.0);
        }
    }
}

/// The escaped form of `text`.
pub fn escaped(text: &[u8]) -> Vec<u8> {
    let mut row = BytesMut::with_capacity(text.len());
    escape(text, &mut row);
    row.to_vec()
}

/// Appends `key` so that it can be followed by more without upsetting the order of keys. Escaping is byte by byte, so
/// the escaped form of a prefix is a prefix of the escaped form.
pub fn escape(key: &[u8], row: &mut BytesMut) {
    for &byte in key {
        match byte {
            0 => row.put_slice(&ESCAPED_ZERO),
            byte => row.put_u8(byte),
        }
    }
}

/// The inverse of [`escape`]; `None` for bytes that it never writes.
pub fn unescape(escaped: &[u8]) -> Option<Vec<u8>> {
    let mut key = Vec::with_capacity(escaped.len());
    let mut bytes = escaped.iter();
    while let Some(&byte) = bytes.next() {
        if byte == 0 && bytes.next() != Some(&ESCAPED_ZERO[1]) {
            return None;
        }
        key.push(byte);
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> impl Strategy<Value = ObjectKey> {
        "[\0\u{1}a/é]{1,6}".prop_map(|key| ObjectKey::parse(key).unwrap())
    }

    proptest! {
        #[test]
        fn upload_rows_sort_by_bucket_then_key_then_upload(
            left in (0..3u64, key(), any::<[u8; 16]>()),
            right in (0..3u64, key(), any::<[u8; 16]>()),
        ) {
            let row = |(bucket, key, id): &(u64, ObjectKey, [u8; 16])| upload(BucketId(*bucket), key, UploadId(*id));
            prop_assert_eq!(row(&left).cmp(&row(&right)), left.cmp(&right));
        }

        #[test]
        fn upload_rows_read_back(bucket: u64, key in key(), id: [u8; 16]) {
            let row = upload(BucketId(bucket), &key, UploadId(id));
            prop_assert_eq!(parse_upload(&row), Some((key, UploadId(id))));
        }

        #[test]
        fn version_rows_sort_by_bucket_then_key_then_newest_first_and_read_back(
            left in (0..3u64, key(), any::<u64>()),
            right in (0..3u64, key(), any::<u64>()),
        ) {
            let row = |(bucket, key, ordinal): &(u64, ObjectKey, u64)| version(BucketId(*bucket), key, *ordinal);
            let place = |(bucket, key, ordinal): &(u64, ObjectKey, u64)| (*bucket, key.clone(), !*ordinal);
            prop_assert_eq!(row(&left).cmp(&row(&right)), place(&left).cmp(&place(&right)));
            prop_assert!(row(&left).starts_with(&versions_of(BucketId(left.0), left.1.as_bytes())));
            prop_assert_eq!(parse_version(&row(&left)), Some((BucketId(left.0), left.1, left.2)));
        }

        #[test]
        fn escaping_keeps_prefixes(key: Vec<u8>, more: Vec<u8>) {
            let (mut short, mut long) = (BytesMut::new(), BytesMut::new());
            escape(&key, &mut short);
            escape(&[key.clone(), more].concat(), &mut long);
            prop_assert!(long.starts_with(&short));
            prop_assert_eq!(unescape(&short), Some(key));
        }

        #[test]
        fn offsets_sort_by_end_and_read_back(ends: [u64; 2], numbers: [u16; 2]) {
            let [left, right] = [0, 1].map(|i| offset(UploadId([7; 16]), ends[i], numbers[i]));
            prop_assert_eq!(left.cmp(&right), (ends[0], numbers[0]).cmp(&(ends[1], numbers[1])));
            prop_assert_eq!(parse_offset(&left), Some((ends[0], numbers[0])));
        }

        #[test]
        fn references_and_parts_and_inline_ids_read_back(
            id: [u8; 16], run: u64, number: u64, bucket: u64, key in key(), part: u16,
        ) {
            let targets = [
                Target::Inline(InlineId { run, number }),
                Target::Blob(BlobId { run, number }),
                Target::Upload(UploadId(id)),
            ];
            let owners = [
                Owner::Object { bucket: BucketId(bucket), key: key.clone() },
                Owner::Version { bucket: BucketId(bucket), key, ordinal: number },
                Owner::Part { upload: UploadId(id), number: part },
            ];
            for target in targets {
                for owner in &owners {
                    let row = reference(target, owner);
                    prop_assert!(row.starts_with(&references(target)));
                    prop_assert_eq!(parse_reference(&row), Some((target, owner.clone())));
                }
            }
            prop_assert_eq!(parse_part_row(&super::part(UploadId(id), part)), Some((UploadId(id), part)));
            prop_assert_eq!(parse_inline(&inline(InlineId { run, number })), Some(InlineId { run, number }));
            prop_assert_eq!(parse_notification(&notification(BucketId(bucket), number)), Some((BucketId(bucket), number)));
        }

        #[test]
        fn damaged_rows_are_refused_without_panic(row: Vec<u8>) {
            let _ = (parse_upload(&row), parse_part(&row), parse_offset(&row), unescape(&row));
            let _ = (parse_reference(&row), parse_part_row(&row), parse_inline(&row), parse_version(&row));
        }
    }
}
