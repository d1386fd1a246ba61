//! Fuzz target: rows as a damaged disk would give them back.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::change::{Cause, Change, ChangeKind};
use super::checksum::{Algorithm, Checksum, ChecksumType};
use super::codec::{decode, encode};
use super::domains::DomainRecord;
use super::record::{
    BucketRecord, BucketState, CompletedRecord, Data, DeleteMarker, Entry, Head, InlineId, Metadata, ObjectRecord,
    PartRecord, StorageClass, Summary, Target, UploadRecord, Version, VersionRecord, VersionSummary, Versioning,
};
use super::tables;
use crate::blob::{BlobId, BlobRef, Footer, FooterBuilder};
use crate::clock::Timestamp;
use crate::fuzz::{self, Mutated};
use crate::names::{AccountId, BucketId, BucketName, ETag, HostName, ObjectKey, UploadId, VersionId};

const BLOB: BlobRef = BlobRef { id: BlobId { run: 3, number: 4 }, length: 100_000, footer_checksum: 5 };

fn object() -> ObjectRecord {
    ObjectRecord {
        summary: Summary {
            size: BLOB.length,
            etag: ETag { md5: [7; 16], parts: Some(2) },
            modified: Timestamp::from_seconds(1_000_000),
            owner: AccountId::default(),
            storage_class: StorageClass::StandardIa,
            algorithm: Algorithm::Crc32,
            checksum_type: ChecksumType::Composite,
        },
        data: Data::Blob(BLOB),
        crc64nvme: 6,
        checksum: Some(Checksum { algorithm: Algorithm::Crc32, value: vec![1, 2, 3, 4], parts: Some(2) }),
        metadata: Metadata {
            content_type: Some("text/plain".to_owned()),
            user: vec![("a".to_owned(), "b".to_owned())],
            tags: vec![("c".to_owned(), String::new())],
            ..Metadata::default()
        },
        version: Some(Version { ordinal: 3, random: Some([9; 16]) }),
        acl: vec![1, 2],
    }
}

/// One row of every kind.
fn rows() -> Vec<Vec<u8>> {
    let key = ObjectKey::parse("a/\u{0}b").unwrap();
    let bucket = BucketRecord {
        id: BucketId(9),
        name: BucketName::parse("bucket").unwrap(),
        account: AccountId::default(),
        created: Timestamp::from_seconds(1),
        region: "us-east-1".to_owned(),
        state: BucketState::Deleting,
        versioning: Versioning::Suspended,
        configuration: 300,
    };
    let upload = UploadRecord {
        initiated: Timestamp::from_seconds(2),
        owner: AccountId::default(),
        storage_class: StorageClass::Standard,
        checksum: Some((Algorithm::Crc64Nvme, ChecksumType::FullObject)),
        metadata: Metadata::default(),
        acl: vec![3],
    };
    let part = PartRecord {
        size: 5,
        md5: [8; 16],
        modified: Timestamp::from_seconds(3),
        crc64nvme: 4,
        checksum: None,
        data: Data::Inline(InlineId { run: 1, number: 2 }),
    };
    let completed = CompletedRecord {
        bucket: BucketId(9),
        key: key.clone(),
        completed: Timestamp::from_seconds(4),
        part_list: [1; 32],
        etag: ETag::single([2; 16]),
        crc64nvme: 3,
        checksum: None,
        version: Some(VersionId::Null),
    };
    let mut change = Change::of_bucket(&bucket, ChangeKind::Rename, Timestamp::from_seconds(5), Cause::default());
    change.key = Some(key.clone());
    let marker = DeleteMarker { modified: Timestamp::from_seconds(6), owner: AccountId::default() };
    let domain = DomainRecord {
        bucket: bucket.name.clone(),
        bucket_id: bucket.id,
        account: AccountId::default(),
        created: Timestamp::from_seconds(7),
    };
    let records = [
        encode(&object()),
        encode(&bucket),
        encode(&upload),
        encode(&part),
        encode(&completed),
        encode(&change),
        encode(&VersionRecord { random: Some([9; 16]), entry: Entry::Object(Box::new(object())) }),
        encode(&VersionRecord { random: None, entry: Entry::DeleteMarker(marker) }),
        encode(&Head { newest: 300, null: Some(1) }),
        encode(&domain),
        tables::domain(&HostName::parse("www.example.com").unwrap()),
    ];
    let id = UploadId([6; 16]);
    let version = tables::version(BucketId(9), &key, 3);
    let keys = [tables::upload(BucketId(9), &key, id), version, tables::part(id, 7), tables::offset(id, 8, 9)];
    let targets = [
        Target::Inline(InlineId { run: 1, number: 2 }),
        Target::Blob(BLOB.id),
        Target::Upload(id),
        Target::Bucket(BucketId(3)),
    ];
    let mut footer = FooterBuilder::new();
    footer.update(&[1; 100_000]);
    let rows = records.into_iter().chain(keys).chain(targets.map(|target| encode(&target)));
    rows.map(|row| row.to_vec()).chain([footer.finish().0]).collect()
}

/// What decodes is what was meant: written again, it is read as the same.
fn comes_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(row: &[u8]) {
    if let Ok(record) = decode::<T>(row) {
        let again = encode(&record);
        assert_eq!(decode::<T>(&again).unwrap(), record);
    }
}

#[test]
fn rows_of_every_table() {
    let known = rows();
    assert_eq!(decode::<ObjectRecord>(&known[0]).unwrap(), object());
    assert_eq!(decode::<Summary>(&known[0]).unwrap(), object().summary, "the beginning is what listings read");
    let words = ["\u{1}", "\u{2}", "\u{7f}", "BRIMBLB"];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(known, &words)).for_each(|row| {
        fuzz::promptly(|| {
            comes_back::<ObjectRecord>(row);
            comes_back::<Summary>(row);
            comes_back::<BucketRecord>(row);
            comes_back::<UploadRecord>(row);
            comes_back::<PartRecord>(row);
            comes_back::<CompletedRecord>(row);
            comes_back::<Change>(row);
            comes_back::<VersionRecord>(row);
            comes_back::<VersionSummary>(row);
            comes_back::<Head>(row);
            comes_back::<DomainRecord>(row);
            comes_back::<Target>(row);
            comes_back::<u64>(row);
            keys_come_back(row);
            footers_vouch_for_nothing_else(row);
        });
    });
}

fn keys_come_back(row: &[u8]) {
    if let Some((key, upload)) = tables::parse_upload(row) {
        let bucket = BucketId(u64::from_be_bytes(*row.first_chunk().expect("a row that was read")));
        assert_eq!(tables::upload(bucket, &key, upload), row);
    }
    if let Some(domain) = tables::parse_domain(row) {
        assert_eq!(tables::domain(&domain), row);
    }
    if let Some((bucket, key, ordinal)) = tables::parse_version(row) {
        assert_eq!(tables::version(bucket, &key, ordinal), row);
    }
    if let (Some(number), Some(id)) = (tables::parse_part(row), row.first_chunk().filter(|_| row.len() == 18)) {
        assert_eq!(tables::part(UploadId(*id), number), row);
    }
    if let (Some((end, number)), Some(id)) = (tables::parse_offset(row), row.first_chunk().filter(|_| row.len() == 26))
    {
        assert_eq!(tables::offset(UploadId(*id), end, number), row);
    }
    if let Some(key) = tables::unescape(row) {
        assert_eq!(tables::escaped(&key), row);
    }
}

/// Even bytes that have the checksum which the reference names must have the form of a footer.
fn footers_vouch_for_nothing_else(bytes: &[u8]) {
    let blob = BlobRef { footer_checksum: crc_fast::crc64_nvme(bytes), ..BLOB };
    if let Ok(footer) = Footer::decode(bytes, &blob) {
        assert!(footer.belongs_to(&blob));
        assert!(!footer.vouches_for(2, &[1]) && !footer.vouches_for(u64::MAX, &[1]), "there are two blocks");
    }
}

/// Rows as the program before wrote them, byte by byte.
#[test]
fn rows_of_the_version_before_still_read() {
    fn read<T: DeserializeOwned>(row: &str) -> T {
        decode(&hex::decode(row).unwrap()).unwrap()
    }
    let row = "01a08d060707070707070707070707070707070701028094ebdc030c3030303030303030303030300200010203\
               04a08d060506010004010203040102010a746578742f706c61696e000000000000010161016201016300";
    assert_eq!(read::<ObjectRecord>(row), ObjectRecord { version: None, acl: Vec::new(), ..object() });
    assert_eq!(read::<Summary>(row), object().summary);
    let bucket: BucketRecord = read("0109066275636b65740c303030303030303030303030e8070975732d656173742d3101");
    assert_eq!((bucket.id, bucket.state), (BucketId(9), BucketState::Deleting));
    assert_eq!((bucket.versioning, bucket.configuration), (Versioning::Never, 0));
    let upload: UploadRecord = read("01d00f0c30303030303030303030303000010200000000000000000000");
    assert_eq!((upload.initiated, upload.acl.len()), (Timestamp::from_seconds(2), 0));
    let row = "01090161a01f0101010101010101010101010101010101010101010101010101010101010101\
               02020202020202020202020202020202000300";
    let completed: CompletedRecord = read(row);
    assert_eq!((completed.crc64nvme, completed.version), (3, None));
    assert!(decode::<ObjectRecord>(&hex::decode(&row[..20]).unwrap()).is_err(), "more is missing than was added");
}
