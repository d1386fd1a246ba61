//! The labels of preview hosts: every deploy is served under a name of its own.

use aws_lc_rs::digest::{SHA256, digest};

use super::base32;
use super::id::{DeployId, ID_LENGTH};
use crate::names::BucketName;

/// The longest label of a host name, in bytes (RFC 1035 section 2.3.4).
const MAX_LABEL_BYTES: usize = 63;
/// What stands between the deploy and the bucket.
const SEPARATOR: &str = "--";
/// How many characters of the hash of a bucket's name stand for the name.
const HASH_LENGTH: usize = 26;

/// What a preview label says of the bucket: its name, or the hash of its name. The two can look alike, so that only a
/// bucket can tell whether it is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rest(String);

impl Rest {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The bucket that is meant if this is a name; `None` where it cannot be one.
    pub fn as_bucket(&self) -> Option<BucketName> {
        BucketName::parse(&self.0).ok()
    }

    /// Whether this can be the hash of a bucket's name.
    pub fn is_hash_shaped(&self) -> bool {
        self.0.len() == HASH_LENGTH && self.0.bytes().all(base32::is_digit)
    }

    /// Whether this bucket is meant: its own preview labels end so.
    pub fn means(&self, bucket: &BucketName) -> bool {
        self.0 == rest_of(bucket)
    }
}

/// Gives the label of a deploy's preview host: `ID--BUCKET`; `ID--HASH` where that would be over 63 bytes, or more than
/// one label because the bucket's name has dots.
pub fn preview_label(id: &DeployId, bucket: &BucketName) -> String {
    format!("{id}{SEPARATOR}{}", rest_of(bucket))
}

/// Takes a preview label apart; `None` where it has not the shape of one.
pub fn parse_preview_label(label: &str) -> Option<(DeployId, Rest)> {
    let (id, rest) = label.split_at_checked(ID_LENGTH)?;
    let rest = rest.strip_prefix(SEPARATOR).filter(|rest| !rest.is_empty())?;
    Some((id.parse().ok()?, Rest(rest.to_owned())))
}

/// Whether a bucket of this name would stand where previews do. No such bucket is made.
pub fn is_preview_shaped(name: &str) -> bool {
    parse_preview_label(name).is_some()
}

/// What stands behind the separator in the labels of this bucket's previews: its name, or 26 characters of the name's hash.
pub fn rest_of(bucket: &BucketName) -> String {
    let name = bucket.as_str();
    if !name.contains('.') && ID_LENGTH + SEPARATOR.len() + name.len() <= MAX_LABEL_BYTES {
        return name.to_owned();
    }
    base32::encode(digest(&SHA256, name.as_bytes()).as_ref(), HASH_LENGTH)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bucket(name: &str) -> BucketName {
        BucketName::parse(name).unwrap()
    }

    fn id() -> DeployId {
        "abcdefghij".parse().unwrap()
    }

    #[test]
    fn labels_are_the_name_or_its_hash() {
        assert_eq!(preview_label(&id(), &bucket("docs")), "abcdefghij--docs");
        let (fits, too_long) = ("b".repeat(51), "b".repeat(52));
        assert_eq!(preview_label(&id(), &bucket(&fits)), format!("abcdefghij--{fits}"));
        // printf NAME | sha256sum | xxd -r -p | base32 | tr A-Z a-z | head -c 26
        assert_eq!(preview_label(&id(), &bucket(&too_long)), "abcdefghij--glncx6y45pcr7s3uj32pevruhd");
        assert_eq!(preview_label(&id(), &bucket("abc.def")), "abcdefghij--5ozre67vy7cljzblkfyq6skgyh");
    }

    #[test]
    fn labels_name_their_deploy_and_only_their_bucket() {
        for name in ["docs", "abc.def", &"b".repeat(63)] {
            let (deploy, rest) = parse_preview_label(&preview_label(&id(), &bucket(name))).unwrap();
            assert!(deploy == id() && rest.means(&bucket(name)) && !rest.means(&bucket("other")), "{name}");
            assert_eq!(rest.is_hash_shaped(), name != "docs");
        }
        let (_, rest) = parse_preview_label("abcdefghij--docs").unwrap();
        assert_eq!(rest.as_bucket(), Some(bucket("docs")));
        for label in ["", "docs", "abcdefghij", "abcdefghij--", "abcdefghij-docs", "Abcdefghij--docs", "abcdefghé--x"]
        {
            assert_eq!(parse_preview_label(label), None, "{label}");
        }
    }

    #[test]
    fn a_bucket_is_not_named_like_a_preview() {
        for name in ["abcdefghij--docs", "production--assets", "aaaaaaaaaa--a.b", "2222222222---x"] {
            assert!(is_preview_shaped(name), "{name}");
        }
        for name in ["docs", "my--bucket", "development--assets", "abcdefgh1j--docs", "abcdefghij-docs"] {
            assert!(!is_preview_shaped(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn every_label_is_one_label_that_reads_back(random: [u8; 10], name in "[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]") {
            let id = DeployId::from_random(random);
            if let Ok(bucket) = BucketName::parse(&name) {
                let label = preview_label(&id, &bucket);
                prop_assert!(label.len() <= MAX_LABEL_BYTES && !label.contains('.') && !label.ends_with('-'));
                let (deploy, rest) = parse_preview_label(&label).unwrap();
                prop_assert!(deploy == id && rest.means(&bucket));
            }
        }
    }
}
