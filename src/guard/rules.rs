//! A bucket's rules, read from its configuration rows once and kept as they are judged by.

use std::sync::Arc;

use bytes::Bytes;

use super::Error;
use crate::access::{Acl, Ownership, Policy, PolicyKind, PublicAccessBlock};
use crate::store::configuration::{Configuration, Kind};
use crate::store::record::BucketRecord;

/// Everything that a bucket says of access to it.
#[derive(Debug, Clone)]
pub struct BucketRules {
    /// The generation of the bucket's configuration that these are of.
    pub(super) generation: u64,
    /// How many bytes these take in memory, at most.
    pub(super) weight: u32,
    pub policy: Option<Arc<Policy>>,
    /// `None`: private.
    pub acl: Option<Acl>,
    pub ownership: OwnershipSetting,
    /// `None`: never set, or removed.
    pub block: Option<PublicAccessBlock>,
}

/// A bucket's ownership controls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnershipSetting {
    /// Set, or as every bucket begins: `BucketOwnerEnforced`.
    Set(Ownership),
    /// Removed by DeleteBucketOwnershipControls: then writers own what they write.
    Removed,
}

/// The document that stands for removed ownership controls.
const REMOVED: &[u8] = b"removed";

impl OwnershipSetting {
    pub fn effective(self) -> Ownership {
        match self {
            Self::Set(ownership) => ownership,
            Self::Removed => Ownership::ObjectWriter,
        }
    }
}

impl BucketRules {
    pub(super) fn read(bucket: &BucketRecord, configuration: &Configuration) -> Result<Self, Error> {
        let damaged = |what| Error::Document(what, bucket.name.to_string());
        let policy = match configuration.get(Kind::Policy) {
            Some(text) => {
                let policy = Policy::parse(text, PolicyKind::Bucket { bucket: &bucket.name });
                Some(Arc::new(policy.map_err(|_| damaged("policy"))?))
            }
            None => None,
        };
        let acl = configuration.get(Kind::Acl).map(|bytes| Acl::decode(bytes).map_err(|_| damaged("ACL")));
        let ownership = match configuration.get(Kind::OwnershipControls).map(|bytes| &bytes[..]) {
            None => OwnershipSetting::Set(Ownership::default()),
            Some(REMOVED) => OwnershipSetting::Removed,
            Some(word) => {
                let ownership = std::str::from_utf8(word).ok().and_then(Ownership::parse);
                OwnershipSetting::Set(ownership.ok_or_else(|| damaged("ownership controls"))?)
            }
        };
        let block = configuration.get(Kind::PublicAccessBlock);
        let block = block.map(|bytes| decode_block(bytes).ok_or_else(|| damaged("public access block")));
        Ok(Self {
            generation: bucket.configuration,
            weight: weight(configuration),
            policy,
            acl: acl.transpose()?,
            ownership,
            block: block.transpose()?,
        })
    }
}

/// What rules take: a policy, compiled, up to so many times its text.
fn weight(configuration: &Configuration) -> u32 {
    const FIXED_BYTES: usize = 4096;
    const TIMES: usize = 80;
    let policy = configuration.get(Kind::Policy).map_or(0, |text| text.len());
    u32::try_from(FIXED_BYTES + TIMES * policy).unwrap_or(u32::MAX)
}

/// The document of ownership controls.
pub fn encode_ownership(setting: OwnershipSetting) -> Bytes {
    match setting {
        OwnershipSetting::Set(ownership) => Bytes::from_static(ownership.name().as_bytes()),
        OwnershipSetting::Removed => Bytes::from_static(REMOVED),
    }
}

/// The document of a public access block: a bit for each of its four rules.
pub fn encode_block(block: PublicAccessBlock) -> Bytes {
    let bits =
        [block.block_public_acls, block.ignore_public_acls, block.block_public_policy, block.restrict_public_buckets];
    Bytes::from(vec![bits.iter().zip(0..).map(|(bit, place)| u8::from(*bit) << place).sum::<u8>()])
}

fn decode_block(bytes: &[u8]) -> Option<PublicAccessBlock> {
    let &[bits @ 0..16] = bytes else { return None };
    Some(PublicAccessBlock {
        block_public_acls: bits & 1 != 0,
        ignore_public_acls: bits & 2 != 0,
        block_public_policy: bits & 4 != 0,
        restrict_public_buckets: bits & 8 != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_round_trip_and_damage_is_not_a_block() {
        for bits in 0..16 {
            let block = decode_block(&[bits]).unwrap();
            assert_eq!(&encode_block(block)[..], [bits]);
        }
        assert!(decode_block(&[]).is_none() && decode_block(&[16]).is_none() && decode_block(&[0, 0]).is_none());
    }

    #[test]
    fn a_bucket_without_controls_is_its_owners_alone_and_one_whose_controls_were_removed_is_its_writers() {
        assert_eq!(OwnershipSetting::Set(Ownership::default()).effective(), Ownership::BucketOwnerEnforced);
        assert_eq!(OwnershipSetting::Removed.effective(), Ownership::ObjectWriter);
        assert_eq!(&encode_ownership(OwnershipSetting::Set(Ownership::ObjectWriter))[..], b"ObjectWriter");
        assert_eq!(&encode_ownership(OwnershipSetting::Removed)[..], REMOVED);
    }
}
