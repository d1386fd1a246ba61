//! The CRC of bytes put together, from the CRCs of the pieces.
//!
//! A CRC is a remainder of polynomials over GF(2). Bytes that come behind multiply what was there by `x^(8 * length)` and
//! add their own remainder; with a power instead of a matrix for each bit of the length that takes microseconds, and one
//! multiplication where lengths repeat, as those of parts do.

use super::checksum::Algorithm;

/// A CRC whose bits are reflected and whose register begins and ends inverted, as that of all of S3's algorithms.
#[derive(Debug, Clone, Copy)]
struct Field {
    /// The polynomial without its highest term, its lowest term in the highest bit.
    polynomial: u64,
    width: u32,
}

/// Puts pieces together, one after the other.
#[derive(Debug, Clone)]
pub struct Combiner {
    field: Field,
    whole: u64,
    /// The length of the last piece, and what it multiplies by.
    shift: (u64, u64),
}

impl Combiner {
    /// Begins with no bytes; `None` for an algorithm that is not a CRC.
    pub fn new(algorithm: Algorithm) -> Option<Self> {
        let (polynomial, width) = match algorithm {
            Algorithm::Crc32 => (0xedb8_8320, 32),
            Algorithm::Crc32c => (0x82f6_3b78, 32),
            Algorithm::Crc64Nvme => (0x9a6c_9329_ac4b_c9b5, 64),
            Algorithm::Sha1 | Algorithm::Sha256 => return None,
        };
        let field = Field { polynomial, width };
        Some(Self { field, whole: 0, shift: (0, field.one()) })
    }

    /// Appends a piece of `length` bytes with this CRC.
    pub fn append(&mut self, crc: u64, length: u64) {
        if self.shift.0 != length {
            self.shift = (length, self.field.bytes(length));
        }
        self.whole = self.field.multiply(self.shift.1, self.whole) ^ crc;
    }

    /// The CRC of all pieces.
    pub fn finish(self) -> u64 {
        self.whole
    }
}

impl Field {
    /// The polynomial 1.
    fn one(self) -> u64 {
        1 << (self.width - 1)
    }

    /// The product of two polynomials, reduced.
    fn multiply(self, left: u64, right: u64) -> u64 {
        let (mut product, mut shifted) = (0, right);
        for place in (0..self.width).rev() {
            if left >> place & 1 == 1 {
                product ^= shifted;
            }
            shifted = if shifted & 1 == 1 { shifted >> 1 ^ self.polynomial } else { shifted >> 1 };
        }
        product
    }

    /// `x^(8 * length)`, reduced: by squaring.
    fn bytes(self, length: u64) -> u64 {
        let (mut power, mut square, mut left) = (self.one(), self.one() >> 8, length);
        while left > 0 {
            if left & 1 == 1 {
                power = self.multiply(power, square);
            }
            square = self.multiply(square, square);
            left >>= 1;
        }
        power
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_combine_as_another_implementation_has_it(
            pieces in proptest::collection::vec((any::<u64>(), prop_oneof![Just(5u64 << 20), 0..1u64 << 43]), 0..5),
        ) {
            for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
                let crc = algorithm.crc().unwrap();
                let mask = u64::MAX >> (64 - 8 * algorithm.length());
                let mut combiner = Combiner::new(algorithm).unwrap();
                let mut expected = crc_fast::Digest::new(crc).finalize();
                for (value, length) in &pieces {
                    combiner.append(value & mask, *length);
                    expected = crc_fast::checksum_combine(crc, expected, value & mask, *length);
                }
                prop_assert_eq!(combiner.finish(), expected);
            }
        }
    }

    #[test]
    fn sums_that_are_no_crc_do_not_combine() {
        assert!(Combiner::new(Algorithm::Sha1).is_none() && Combiner::new(Algorithm::Sha256).is_none());
    }
}
