//! Where a packed blob is. Its id says so, so that nothing has to be looked up and nothing can be out of step:
//!
//! ```text
//! bit  63        set: the blob is in a pack
//! bits 32..=62   the number of the pack within the run
//! bits 12..=31   where in the pack its entry begins, in units
//! bits  0..=11   how long the entry is, in units
//! ```

use std::ops::Range;

use super::super::BlobId;

/// What entries begin at multiples of, in bytes: file systems free whole blocks.
pub(super) const UNIT_BYTES: u64 = 4096;

/// The most units of one entry.
pub(super) const MAX_UNITS: u64 = (1 << UNITS_BITS) - 1;

const PACKED: u64 = 1 << 63;
const UNITS_BITS: u32 = 12;
const UNIT_BITS: u32 = 20;
const PACK_BITS: u32 = 31;

/// A pack: a file with many blobs, written in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct PackId {
    pub(in super::super) run: u64,
    pub(in super::super) number: u64,
}

/// The place of a packed blob's entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Address {
    pub(in super::super) pack: PackId,
    unit: u64,
    units: u64,
}

impl PackId {
    /// What follows it among the packs of its run, as long as there are numbers.
    pub(super) fn next(self) -> Option<Self> {
        let number = self.number + 1;
        (number < 1 << PACK_BITS).then_some(Self { number, ..self })
    }

    /// The pack's file name: the smallest id that a blob in it could have.
    pub(in super::super) fn name(self) -> String {
        BlobId { run: self.run, number: PACKED | self.number << (UNIT_BITS + UNITS_BITS) }.to_string()
    }

    /// The pack whose file has the name that stands for `id`.
    pub(super) fn named(id: BlobId) -> Option<Self> {
        Address::of(id).filter(|address| address.unit == 0 && address.units == 0).map(|address| address.pack)
    }
}

impl Address {
    /// Where the blob is, if it was packed when it was written.
    pub(in super::super) fn of(id: BlobId) -> Option<Self> {
        let bits = |from: u32, count: u32| id.number >> from & ((1 << count) - 1);
        let pack = PackId { run: id.run, number: bits(UNIT_BITS + UNITS_BITS, PACK_BITS) };
        let address = Self { pack, unit: bits(UNITS_BITS, UNIT_BITS), units: bits(0, UNITS_BITS) };
        (id.number & PACKED != 0).then_some(address)
    }

    /// The place of `bytes` bytes from `offset` on, which is a multiple of [`UNIT_BYTES`]; `None` for what is too large or
    /// too far behind for an id.
    pub(super) fn at(pack: PackId, offset: u64, bytes: u64) -> Option<Self> {
        let (unit, units) = (offset / UNIT_BYTES, bytes.div_ceil(UNIT_BYTES));
        let fits = unit < 1 << UNIT_BITS && units <= MAX_UNITS && pack.number < 1 << PACK_BITS;
        fits.then_some(Self { pack, unit, units })
    }

    pub(super) fn id(self) -> BlobId {
        let pack = self.pack.number << (UNIT_BITS + UNITS_BITS);
        BlobId { run: self.pack.run, number: PACKED | pack | self.unit << UNITS_BITS | self.units }
    }

    /// Which bytes of the pack are the entry's.
    pub(in super::super) fn bytes(self) -> Range<u64> {
        self.unit * UNIT_BYTES..(self.unit + self.units) * UNIT_BYTES
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_id_leads_back_to_its_place_and_sorts_as_it_does(
            run: u64,
            places in proptest::array::uniform2((0..1u64 << PACK_BITS, 0..1u64 << UNIT_BITS, 0..=MAX_UNITS)),
        ) {
            let ids = places.map(|(number, unit, units)| {
                let pack = PackId { run, number };
                let address = Address::at(pack, unit * UNIT_BYTES, units * UNIT_BYTES).unwrap();
                assert_eq!(Address::of(address.id()), Some(address));
                assert_eq!(address.bytes(), unit * UNIT_BYTES..(unit + units) * UNIT_BYTES);
                address.id()
            });
            prop_assert_eq!(ids[0].cmp(&ids[1]), places[0].cmp(&places[1]));
        }

        #[test]
        fn blobs_in_files_of_their_own_have_no_place_in_a_pack(run: u64, number in 0..1u64 << 63) {
            prop_assert_eq!(Address::of(BlobId { run, number }), None);
        }
    }

    #[test]
    fn what_an_id_cannot_say_has_no_place() {
        let pack = PackId { run: 1, number: 7 };
        assert!(Address::at(pack, 0, MAX_UNITS * UNIT_BYTES + 1).is_none());
        assert!(Address::at(pack, UNIT_BYTES << UNIT_BITS, 1).is_none());
        assert!(Address::at(PackId { number: 1 << PACK_BITS, ..pack }, 0, 1).is_none());
        assert_eq!(PackId { number: (1 << PACK_BITS) - 1, ..pack }.next(), None);
    }

    #[test]
    fn a_pack_s_name_leads_back_to_it_and_no_blob_has_it() {
        let pack = PackId { run: 3, number: 5 };
        assert_eq!(pack.name(), "00000000000000038000000500000000");
        assert_eq!(PackId::named(BlobId { run: 3, number: 0x8000_0005_0000_0000 }), Some(pack));
        assert_eq!(PackId::named(Address::at(pack, UNIT_BYTES, 1).unwrap().id()), None);
        assert_eq!(PackId::named(BlobId { run: 3, number: 5 }), None);
    }
}
