//! The checksum table that stands behind a blob's bytes: one CRC64NVME per block, then a trailer of fixed size.
//!
//! ```text
//! block 0 .. n-1   8 bytes each   CRC64NVME of the block, big-endian
//! trailer         24 bytes        magic (7), version (1), blob length (8), block count (8), big-endian
//! ```
//!
//! A blob's reference holds the CRC64NVME of all of this, so that the table vouches for every block and the reference
//! for the table.

use crc_fast::{CrcAlgorithm, Digest, crc64_nvme};

use super::{BLOCK_BYTES, BlobId, BlobRef};

const MAGIC: [u8; 7] = *b"BRIMBLB";
const VERSION: u8 = 1;
const CHECKSUM_BYTES: u64 = 8;
const TRAILER_BYTES: u64 = 24;

/// A decoded footer: vouches for the blocks of the one blob whose reference it was decoded with.
#[derive(Debug)]
pub struct Footer {
    length: u64,
    checksum: u64,
    blocks: Box<[u64]>,
}

/// Makes the footer of a blob from its bytes as they pass by.
pub struct FooterBuilder {
    length: u64,
    encoded: Vec<u8>,
    /// The block that is not full yet.
    partial: Digest,
}

/// Why bytes are not the footer that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FooterError {
    #[error("the footer has {actual} bytes instead of {expected}")]
    Size { expected: u64, actual: u64 },
    #[error("the footer's checksum differs from the reference's")]
    Checksum,
    #[error("the footer does not end as a footer does")]
    Magic,
    #[error("footer version {0} is unknown")]
    Version(u8),
    #[error("the footer is that of a blob of another length")]
    Length,
}

/// Gives the number of bytes in the footer of a blob of `length` bytes.
pub const fn footer_bytes(length: u64) -> u64 {
    length.div_ceil(BLOCK_BYTES) * CHECKSUM_BYTES + TRAILER_BYTES
}

impl FooterBuilder {
    pub fn new() -> Self {
        Self { length: 0, encoded: Vec::new(), partial: Digest::new(CrcAlgorithm::Crc64Nvme) }
    }

    /// The bytes seen so far.
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// Takes the blob's next bytes; how they are cut into calls does not matter.
    pub fn update(&mut self, bytes: &[u8]) {
        let missing = (BLOCK_BYTES - self.length % BLOCK_BYTES) as usize;
        self.length += bytes.len() as u64;
        if bytes.len() < missing {
            self.partial.update(bytes);
            return;
        }
        let (first, rest) = bytes.split_at(missing);
        self.partial.update(first);
        let full = self.partial.finalize_reset();
        self.push(full);
        let blocks = rest.chunks_exact(BLOCK_BYTES as usize);
        self.partial.update(blocks.remainder());
        for block in blocks {
            self.push(crc64_nvme(block));
        }
    }

    /// Gives the encoded footer and its checksum.
    pub fn finish(mut self) -> (Vec<u8>, u64) {
        if !self.length.is_multiple_of(BLOCK_BYTES) {
            let last = self.partial.finalize();
            self.push(last);
        }
        let count = self.encoded.len() as u64 / CHECKSUM_BYTES;
        self.encoded.extend_from_slice(&MAGIC);
        self.encoded.push(VERSION);
        self.encoded.extend_from_slice(&self.length.to_be_bytes());
        self.encoded.extend_from_slice(&count.to_be_bytes());
        let checksum = crc64_nvme(&self.encoded);
        (self.encoded, checksum)
    }

    fn push(&mut self, checksum: u64) {
        self.encoded.extend_from_slice(&checksum.to_be_bytes());
    }
}

impl Default for FooterBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl Footer {
    /// Decodes the footer of `blob`, or says why `encoded` is not that footer.
    pub fn decode(encoded: &[u8], blob: &BlobRef) -> Result<Self, FooterError> {
        let expected = footer_bytes(blob.length);
        let actual = encoded.len() as u64;
        if actual != expected {
            return Err(FooterError::Size { expected, actual });
        }
        if crc64_nvme(encoded) != blob.footer_checksum {
            return Err(FooterError::Checksum);
        }
        let (table, trailer) = encoded.split_at(encoded.len() - TRAILER_BYTES as usize);
        check_trailer(trailer, blob.length, table.len() as u64 / CHECKSUM_BYTES)?;
        let (blocks, _) = table.as_chunks();
        let blocks = blocks.iter().map(|checksum| u64::from_be_bytes(*checksum)).collect();
        Ok(Self { length: blob.length, checksum: blob.footer_checksum, blocks })
    }

    /// Whether this is the footer that `blob` refers to, as far as its length and checksum tell.
    pub fn belongs_to(&self, blob: &BlobRef) -> bool {
        self.length == blob.length && self.checksum == blob.footer_checksum
    }

    /// Whether `bytes`, which begin with block number `first` and end where a block or the blob ends, are as written.
    pub fn vouches_for(&self, first: u64, bytes: &[u8]) -> bool {
        let Some(expected) = usize::try_from(first).ok().and_then(|first| self.blocks.get(first..)) else {
            return false;
        };
        let blocks = bytes.chunks(BLOCK_BYTES as usize);
        blocks.len() <= expected.len() && blocks.zip(expected).all(|(block, checksum)| crc64_nvme(block) == *checksum)
    }

    /// The memory that the decoded footer takes, in bytes.
    pub fn weight(&self) -> u64 {
        (size_of::<Self>() + size_of::<BlobId>() + size_of_val(&*self.blocks)) as u64
    }
}

fn check_trailer(trailer: &[u8], length: u64, count: u64) -> Result<(), FooterError> {
    let Some(rest) = trailer.strip_prefix(&MAGIC) else { return Err(FooterError::Magic) };
    let Some(lengths) = rest.strip_prefix(&[VERSION]) else { return Err(FooterError::Version(rest[0])) };
    let expected = [length.to_be_bytes(), count.to_be_bytes()];
    if lengths == expected.as_flattened() { Ok(()) } else { Err(FooterError::Length) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BLOCK: usize = BLOCK_BYTES as usize;

    fn bytes(length: usize) -> Vec<u8> {
        (0..length).map(|i| (i * 31 + i / 251) as u8).collect()
    }

    fn encode(body: &[u8]) -> (Vec<u8>, BlobRef) {
        let mut builder = FooterBuilder::new();
        builder.update(body);
        let (encoded, footer_checksum) = builder.finish();
        let id = BlobId { run: 1, number: 2 };
        (encoded, BlobRef { id, length: body.len() as u64, footer_checksum })
    }

    /// `encoded` with a correct checksum, as only a bug or another version could have written it.
    fn resealed(encoded: &[u8], blob: BlobRef) -> BlobRef {
        BlobRef { footer_checksum: crc64_nvme(encoded), ..blob }
    }

    #[test]
    fn the_encoding_is_fixed() {
        let (encoded, blob) = encode(b"123456789");
        let expected = "ae8b14860a799888" // the published check value of CRC-64/NVME
            .to_owned()
            + &hex::encode("BRIMBLB\x01")
            + "0000000000000009"
            + "0000000000000001";
        assert_eq!(hex::encode(&encoded), expected);
        assert_eq!(blob.footer_checksum, crc64_nvme(&encoded));
    }

    #[test]
    fn an_empty_blob_has_a_footer_without_blocks() {
        let (encoded, blob) = encode(b"");
        assert_eq!(encoded.len() as u64, TRAILER_BYTES);
        assert!(Footer::decode(&encoded, &blob).unwrap().vouches_for(0, b""));
    }

    #[test]
    fn blocks_are_vouched_for_only_in_their_place() {
        let body = bytes(2 * BLOCK + 5);
        let (encoded, blob) = encode(&body);
        let footer = Footer::decode(&encoded, &blob).unwrap();
        assert!(footer.vouches_for(0, &body));
        assert!(footer.vouches_for(1, &body[BLOCK..]));
        assert!(footer.vouches_for(1, &body[BLOCK..2 * BLOCK]));
        assert!(!footer.vouches_for(0, &body[BLOCK..]), "another place");
        assert!(!footer.vouches_for(2, &body[2 * BLOCK..2 * BLOCK + 4]), "cut short");
        assert!(!footer.vouches_for(3, b"x"), "behind the end");
        assert!(!footer.vouches_for(u64::MAX, b"x"), "far behind the end");
        assert!(!footer.vouches_for(2, &[&body[2 * BLOCK..], &[0; BLOCK]].concat()), "too long");
    }

    #[test]
    fn a_sealed_footer_of_another_kind_is_refused() {
        let (encoded, blob) = encode(&bytes(BLOCK + 1));
        let trailer = encoded.len() - TRAILER_BYTES as usize;
        let cases = [
            (trailer, FooterError::Magic),
            (trailer + 7, FooterError::Version(0xfe)),
            (trailer + 8, FooterError::Length),
            (trailer + 16, FooterError::Length),
        ];
        for (at, error) in cases {
            let mut other = encoded.clone();
            other[at] ^= 0xff;
            assert_eq!(Footer::decode(&other, &resealed(&other, blob)).unwrap_err(), error);
        }
    }

    #[test]
    fn the_size_of_a_footer_is_known_for_every_length() {
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 7 * BLOCK] {
            assert_eq!(encode(&bytes(length)).0.len() as u64, footer_bytes(length as u64));
        }
        assert!(footer_bytes(u64::MAX) > 0, "does not overflow");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn how_a_body_is_cut_into_updates_does_not_matter(
            length in 0..4 * BLOCK,
            cuts in prop::collection::vec(1..2 * BLOCK, 0..12),
        ) {
            let body = bytes(length);
            let mut builder = FooterBuilder::new();
            let mut rest = &body[..];
            for cut in cuts {
                let (chunk, behind) = rest.split_at(cut.min(rest.len()));
                builder.update(chunk);
                rest = behind;
            }
            builder.update(rest);
            prop_assert_eq!(builder.length(), length as u64);

            let (encoded, checksum) = builder.finish();
            let model: Vec<u64> = body.chunks(BLOCK).map(crc64_nvme).collect();
            let blob = BlobRef { footer_checksum: checksum, ..encode(&body).1 };
            let footer = Footer::decode(&encoded, &blob).unwrap();
            prop_assert_eq!(&*footer.blocks, &model[..]);
            prop_assert!(footer.belongs_to(&blob));
        }

        #[test]
        fn every_damaged_footer_is_refused(length in 0..3 * BLOCK, at: prop::sample::Index, flip in 1..=u8::MAX) {
            let (mut encoded, blob) = encode(&bytes(length));
            let at = at.index(encoded.len());
            prop_assert!(Footer::decode(&encoded[..at], &blob).is_err());
            encoded[at] ^= flip;
            prop_assert_eq!(Footer::decode(&encoded, &blob).unwrap_err(), FooterError::Checksum);
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(
            encoded in prop::collection::vec(any::<u8>(), 0..100),
            length: u64,
            sealed: bool,
        ) {
            let (_, mut blob) = encode(b"");
            blob.length = length;
            if sealed {
                blob = resealed(&encoded, blob);
            }
            let _ = Footer::decode(&encoded, &blob);
        }

        #[test]
        fn every_flipped_bit_of_a_body_is_noticed(length in 1..3 * BLOCK, at: prop::sample::Index, bit in 0..8u32) {
            let mut body = bytes(length);
            let (encoded, blob) = encode(&body);
            let footer = Footer::decode(&encoded, &blob).unwrap();
            body[at.index(length)] ^= 1 << bit;
            prop_assert!(!footer.vouches_for(0, &body));
        }
    }
}
