//! The rows of the table `distributions`.

use aws_lc_rs::digest;
use bytes::Bytes;

use super::{DistributionId, DistributionRecord, InvalidationRecord};
use crate::store::codec::decode;

pub const DISTRIBUTION: [u8; 1] = *b"d";
const INVALIDATION: u8 = b'i';
const REFERENCE: u8 = b'r';

/// The key of a distribution's row.
pub fn distribution(id: DistributionId) -> Bytes {
    row(DISTRIBUTION[0], id, &[])
}

pub fn parse_distribution(row: &[u8]) -> Option<DistributionId> {
    let (kind, id) = row.split_first()?;
    let id: [u8; 8] = id.try_into().ok()?;
    (*kind == DISTRIBUTION[0]).then(|| DistributionId::from_number(u64::from_be_bytes(id)))
}

/// The start of the rows of a distribution's invalidations, the newest of which comes first.
pub fn invalidations(id: DistributionId) -> Bytes {
    row(INVALIDATION, id, &[])
}

/// The key of an invalidation's row.
pub fn invalidation(id: DistributionId, number: u64) -> Bytes {
    row(INVALIDATION, id, &(!number).to_be_bytes())
}

/// The key of the row that says which invalidation has a reference.
pub fn reference(id: DistributionId, reference: &str) -> Bytes {
    row(REFERENCE, id, digest::digest(&digest::SHA256, reference.as_bytes()).as_ref())
}

fn row(kind: u8, id: DistributionId, rest: &[u8]) -> Bytes {
    [&[kind][..], &id.number().to_be_bytes(), rest].concat().into()
}

/// Whether a row is one that is written here.
pub fn check(key: &[u8], value: &[u8]) -> bool {
    match (key.first(), key.len()) {
        (Some(kind), 9) if *kind == DISTRIBUTION[0] => decode::<DistributionRecord>(value).is_ok(),
        (Some(&INVALIDATION), 17) => {
            decode::<InvalidationRecord>(value).is_ok_and(|record| key.ends_with(&(!record.number).to_be_bytes()))
        }
        (Some(&REFERENCE), 41) => decode::<u64>(value).is_ok(),
        _ => false,
    }
}
