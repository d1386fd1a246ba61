//! Ids of distributions and invalidations, in the form that CloudFront's have.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;

use crate::names::AccountId;

/// Letters and digits behind the first letter.
const DIGITS: usize = 13;
const ALPHABET: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// A distribution: `E` and 13 capital letters and digits. The same site of the same account always has the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DistributionId(u64);

/// An invalidation of a distribution: `I` and 13 capital letters and digits. Those made later are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct InvalidationId(pub u64);

/// A text that is no id of the kind asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no such id")]
pub struct InvalidId;

impl DistributionId {
    pub fn of(account: &AccountId, site: &str) -> Self {
        let hash = digest::digest(&digest::SHA256, format!("{account}/{site}").as_bytes());
        let bytes = hash.as_ref().first_chunk().copied().unwrap_or_default();
        Self(u64::from_be_bytes(bytes))
    }

    pub(super) fn number(self) -> u64 {
        self.0
    }

    pub(super) fn from_number(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for DistributionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, 'E', self.0)
    }
}

impl fmt::Display for InvalidationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, 'I', self.0)
    }
}

impl FromStr for DistributionId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        read('E', text).map(Self)
    }
}

impl FromStr for InvalidationId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        read('I', text).map(Self)
    }
}

/// 13 digits to the base 36 hold every `u64`.
fn write(f: &mut fmt::Formatter<'_>, kind: char, mut number: u64) -> fmt::Result {
    let mut digits = [b'0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(number % 36) as usize];
        number /= 36;
    }
    write!(f, "{kind}{}", String::from_utf8_lossy(&digits))
}

fn read(kind: char, text: &str) -> Result<u64, InvalidId> {
    let digits = text.strip_prefix(kind).filter(|digits| digits.len() == DIGITS).ok_or(InvalidId)?;
    let mut number: u64 = 0;
    for byte in digits.bytes() {
        let digit = ALPHABET.iter().position(|known| *known == byte).ok_or(InvalidId)?;
        number = number.checked_mul(36).and_then(|number| number.checked_add(digit as u64)).ok_or(InvalidId)?;
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ids_read_back_and_keep_their_order(number: u64, other: u64) {
            let (one, two) = (InvalidationId(number), InvalidationId(other));
            prop_assert_eq!(one.to_string().parse(), Ok(one));
            prop_assert_eq!(one.to_string().len(), 14);
            prop_assert_eq!(one.to_string().cmp(&two.to_string()), number.cmp(&other));
            prop_assert_eq!(DistributionId(number).to_string().parse(), Ok(DistributionId(number)));
        }
    }

    #[test]
    fn a_site_of_an_account_always_has_the_same_id() {
        let account = |number: &str| number.parse::<AccountId>().unwrap();
        let id = DistributionId::of(&account("123456789012"), "www");
        assert_eq!(id, DistributionId::of(&account("123456789012"), "www"));
        assert_ne!(id, DistributionId::of(&account("123456789013"), "www"));
        assert_ne!(id, DistributionId::of(&account("123456789012"), "shop"));
    }

    #[test]
    fn other_texts_are_no_ids() {
        for text in ["", "E", "E000000000000", "E00000000000000", "I0000000000000", "Ezzzzzzzzzzzzz", "EZZZZZZZZZZZZZ"]
        {
            assert_eq!(text.parse::<DistributionId>(), Err(InvalidId), "{text}");
        }
    }
}
