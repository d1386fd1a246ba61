//! The checksums that S3 knows.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

use aws_lc_rs::digest;
use crc_fast::CrcAlgorithm;
use serde::{Deserialize, Serialize};

use super::crc::Combiner;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

/// What a multipart object's checksum covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ChecksumType {
    /// The object's bytes.
    FullObject,
    /// The checksums of its parts, one after the other.
    Composite,
}

/// A checksum's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    pub algorithm: Algorithm,
    /// As many bytes as the algorithm has, most significant first.
    pub value: Vec<u8>,
    /// For a composite checksum the number of parts.
    pub parts: Option<u16>,
}

impl Algorithm {
    pub const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// S3's name of the algorithm.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The algorithm of S3's name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(name))
    }

    /// The number of bytes of a value.
    pub const fn length(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// The type that a multipart upload gets which names only the algorithm.
    pub const fn default_type(self) -> ChecksumType {
        match self {
            Self::Crc64Nvme => ChecksumType::FullObject,
            _ => ChecksumType::Composite,
        }
    }

    /// Whether a multipart upload may have this type: full-object SHA values cannot be made from the parts', and
    /// CRC64NVME has no composite form.
    pub const fn allows(self, checksum_type: ChecksumType) -> bool {
        match checksum_type {
            ChecksumType::FullObject => matches!(self, Self::Crc32 | Self::Crc32c | Self::Crc64Nvme),
            ChecksumType::Composite => !matches!(self, Self::Crc64Nvme),
        }
    }

    pub(super) const fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }
}

impl ChecksumType {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FullObject => "FULL_OBJECT",
            Self::Composite => "COMPOSITE",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::FullObject, Self::Composite].into_iter().find(|known| known.as_str() == name)
    }
}

impl Checksum {
    pub fn crc64nvme(value: u64) -> Self {
        Self { algorithm: Algorithm::Crc64Nvme, value: value.to_be_bytes().to_vec(), parts: None }
    }

    pub fn checksum_type(&self) -> ChecksumType {
        if self.parts.is_some() { ChecksumType::Composite } else { ChecksumType::FullObject }
    }

    /// Whether the bytes agree; how many parts they came in is not compared.
    pub fn same_value(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && self.value == other.value
    }
}

/// A checksum being computed.
pub enum Hasher {
    Crc(Algorithm, Box<crc_fast::Digest>),
    Sha(Algorithm, digest::Context),
}

impl Hasher {
    pub fn new(algorithm: Algorithm) -> Self {
        match (algorithm.crc(), algorithm) {
            (Some(crc), _) => Self::Crc(algorithm, Box::new(crc_fast::Digest::new(crc))),
            (None, Algorithm::Sha1) => Self::Sha(algorithm, digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY)),
            (None, _) => Self::Sha(algorithm, digest::Context::new(&digest::SHA256)),
        }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(_, crc) => crc.update(bytes),
            Self::Sha(_, sha) => sha.update(bytes),
        }
    }

    pub fn finish(self) -> Checksum {
        let (algorithm, value) = match self {
            Self::Crc(algorithm, crc) => {
                let value = crc.finalize().to_be_bytes();
                (algorithm, value[8 - algorithm.length()..].to_vec())
            }
            Self::Sha(algorithm, sha) => (algorithm, sha.finish().as_ref().to_vec()),
        };
        Checksum { algorithm, value, parts: None }
    }
}

/// The checksum of all parts' checksums, one after the other, as S3's composite type has it.
pub fn composite<'p>(algorithm: Algorithm, parts: impl Iterator<Item = &'p [u8]>) -> Checksum {
    let mut hasher = Hasher::new(algorithm);
    let mut count = 0u16;
    for part in parts {
        hasher.update(part);
        count = count.saturating_add(1);
    }
    Checksum { parts: Some(count), ..hasher.finish() }
}

/// The CRC of all parts' bytes, made from their CRCs and lengths; `None` for an algorithm that cannot do this.
pub fn full_object<'p>(algorithm: Algorithm, parts: impl Iterator<Item = (&'p [u8], u64)>) -> Option<Checksum> {
    let mut combiner = Combiner::new(algorithm)?;
    for (value, length) in parts {
        combiner.append(value.iter().fold(0, |number, &byte| (number << 8) | u64::from(byte)), length);
    }
    let whole = combiner.finish();
    let value = whole.to_be_bytes()[8 - algorithm.length()..].to_vec();
    Some(Checksum { algorithm, value, parts: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checksum(algorithm: Algorithm, bytes: &[u8]) -> Checksum {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    #[test]
    fn values_are_those_of_the_catalogue_of_parametrised_crcs() {
        for (algorithm, expected) in [
            (Algorithm::Crc32, "cbf43926"),
            (Algorithm::Crc32c, "e3069283"),
            (Algorithm::Crc64Nvme, "ae8b14860a799888"),
            (Algorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (Algorithm::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
        ] {
            let value = checksum(algorithm, b"123456789").value;
            assert_eq!(hex::encode(&value), expected, "{}", algorithm.as_str());
            assert_eq!(value.len(), algorithm.length());
        }
    }

    #[test]
    fn crcs_of_parts_combine_to_the_crc_of_the_whole() {
        let parts: [&[u8]; 4] = [b"1234", b"", b"5", b"6789"];
        for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
            let values: Vec<_> =
                parts.iter().map(|part| (checksum(algorithm, part).value, part.len() as u64)).collect();
            let combined = full_object(algorithm, values.iter().map(|(value, length)| (value.as_slice(), *length)));
            assert_eq!(combined.unwrap(), checksum(algorithm, b"123456789"));
        }
        assert_eq!(full_object(Algorithm::Sha256, std::iter::empty()), None);
    }
}
