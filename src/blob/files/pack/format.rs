//! What is in a pack: a head, and then entries, each at a multiple of 4 KiB.
//!
//! ```text
//! head     "BRIMPACK" (8), seal (16), CRC64NVME of these (8); zeros up to the first entry
//! entry    header: seal (16), the blob's number (8), its length (8), CRC64NVME of these (8); big-endian
//!          body
//!          footer, as behind a body in a file of its own
//!          zeros up to the next multiple of 4 KiB
//! ```
//!
//! What was removed is a hole, which reads as zeros. The seal is random and never leaves the file: nobody can upload bytes
//! that look like the header of an entry.

use bytes::Bytes;
use crc_fast::crc64_nvme;

use super::super::super::footer_bytes;
use super::super::{BlobId, BlobRef};
use super::address::{Address, MAX_UNITS, PackId, UNIT_BYTES};

/// How many bytes of an entry are before the body.
pub(in super::super) const HEADER_BYTES: u64 = 40;

/// The size of the head, and where the first entry begins.
pub(super) const HEAD_BYTES: u64 = UNIT_BYTES;

/// The largest body that an entry can have.
pub(super) const MAX_BODY_BYTES: u64 = MAX_UNITS * UNIT_BYTES - (HEADER_BYTES + footer_bytes(MAX_UNITS * UNIT_BYTES));

const MAGIC: [u8; 8] = *b"BRIMPACK";
const SEAL_BYTES: usize = 16;
const SEALED_BYTES: usize = MAGIC.len() + SEAL_BYTES;
const CHECKED_BYTES: usize = HEADER_BYTES as usize - 8;

/// What the headers of one pack begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seal(pub(super) [u8; SEAL_BYTES]);

/// A blob on its way into a pack.
#[derive(Debug)]
pub(in super::super) struct Entry {
    pub(in super::super) body: Vec<Bytes>,
    pub(in super::super) length: u64,
    pub(in super::super) footer: Vec<u8>,
}

impl Entry {
    /// The room that the entry takes, in whole units.
    pub(super) fn bytes(&self) -> u64 {
        entry_bytes(self.length).next_multiple_of(UNIT_BYTES)
    }
}

/// The bytes of an entry with a body of `length` bytes, without the zeros at its end.
pub(in super::super) const fn entry_bytes(length: u64) -> u64 {
    HEADER_BYTES + length + footer_bytes(length)
}

/// Whether the blob can be what its id says is there.
pub(in super::super) fn agrees(address: Address, blob: &BlobRef) -> bool {
    let bytes = address.bytes();
    blob.length <= MAX_BODY_BYTES && entry_bytes(blob.length).next_multiple_of(UNIT_BYTES) == bytes.end - bytes.start
}

pub(super) fn encode_head(seal: Seal) -> Vec<u8> {
    let mut head = [&MAGIC[..], &seal.0].concat();
    let checksum = crc64_nvme(&head);
    head.extend_from_slice(&checksum.to_be_bytes());
    head.resize(HEAD_BYTES as usize, 0);
    head
}

/// Gives the seal, or `None` for what is no head of a pack.
pub(super) fn decode_head(bytes: &[u8]) -> Option<Seal> {
    let (sealed, rest) = bytes.split_at_checked(SEALED_BYTES)?;
    let (magic, seal) = sealed.split_at(MAGIC.len());
    let whole = magic == MAGIC && rest.first_chunk() == Some(&crc64_nvme(sealed).to_be_bytes());
    seal.try_into().ok().filter(|_| whole).map(Seal)
}

pub(super) fn encode_header(seal: Seal, id: BlobId, length: u64) -> [u8; HEADER_BYTES as usize] {
    let mut header = [0; HEADER_BYTES as usize];
    header[..SEAL_BYTES].copy_from_slice(&seal.0);
    header[SEAL_BYTES..SEAL_BYTES + 8].copy_from_slice(&id.number.to_be_bytes());
    header[SEAL_BYTES + 8..CHECKED_BYTES].copy_from_slice(&length.to_be_bytes());
    let checksum = crc64_nvme(&header[..CHECKED_BYTES]);
    header[CHECKED_BYTES..].copy_from_slice(&checksum.to_be_bytes());
    header
}

/// Gives the blob and the length of its body if there is the header of an entry that begins at `offset`.
pub(super) fn decode_header(
    seal: Seal,
    pack: PackId,
    offset: u64,
    header: &[u8; HEADER_BYTES as usize],
) -> Option<(BlobId, u64)> {
    let number = |at: usize| header[at..].first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
    let (id, length) = (BlobId { run: pack.run, number: number(SEAL_BYTES)? }, number(SEAL_BYTES + 8)?);
    let whole = header.starts_with(&seal.0) && number(CHECKED_BYTES)? == crc64_nvme(&header[..CHECKED_BYTES]);
    let here = Address::of(id).filter(|address| address.pack == pack && address.bytes().start == offset)?;
    (whole && length <= MAX_BODY_BYTES && Address::at(pack, offset, entry_bytes(length)) == Some(here))
        .then_some((id, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEAL: Seal = Seal([7; SEAL_BYTES]);
    const PACK: PackId = PackId { run: 3, number: 9 };

    #[test]
    fn a_head_gives_its_seal_back_and_damage_gives_none() {
        let head = encode_head(SEAL);
        assert_eq!((head.len() as u64, decode_head(&head)), (HEAD_BYTES, Some(SEAL)));
        for byte in 0..SEALED_BYTES + 8 {
            let mut damaged = head.clone();
            damaged[byte] ^= 1;
            assert_eq!(decode_head(&damaged), None, "byte {byte}");
        }
        for length in 0..SEALED_BYTES + 8 {
            assert_eq!(decode_head(&head[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn a_header_is_of_one_blob_in_one_place_of_one_pack() {
        let (offset, length) = (5 * UNIT_BYTES, 70_000);
        let id = Address::at(PACK, offset, entry_bytes(length)).unwrap().id();
        let header = encode_header(SEAL, id, length);
        assert_eq!(decode_header(SEAL, PACK, offset, &header), Some((id, length)));
        assert_eq!(decode_header(SEAL, PACK, offset + UNIT_BYTES, &header), None);
        assert_eq!(decode_header(SEAL, PackId { number: 8, ..PACK }, offset, &header), None);
        assert_eq!(decode_header(Seal([8; SEAL_BYTES]), PACK, offset, &header), None);
        assert_eq!(decode_header(SEAL, PACK, offset, &encode_header(SEAL, id, length + UNIT_BYTES)), None);
        assert_eq!(decode_header(SEAL, PACK, offset, &encode_header(SEAL, id, u64::MAX)), None);
        for byte in 0..HEADER_BYTES as usize {
            let mut damaged = header;
            damaged[byte] ^= 1;
            assert_eq!(decode_header(SEAL, PACK, offset, &damaged), None, "byte {byte}");
        }
        assert_eq!(decode_header(SEAL, PACK, offset, &[0; HEADER_BYTES as usize]), None);
    }

    #[test]
    fn an_entry_of_the_largest_body_has_a_place() {
        for length in [0, 1, MAX_BODY_BYTES] {
            let address = Address::at(PACK, UNIT_BYTES, entry_bytes(length)).unwrap();
            let blob = BlobRef { id: address.id(), length, footer_checksum: 0 };
            assert!(agrees(address, &blob));
            assert!(!agrees(address, &BlobRef { length: length + UNIT_BYTES, ..blob }));
            assert!(!agrees(address, &BlobRef { length: u64::MAX, ..blob }));
        }
    }
}
