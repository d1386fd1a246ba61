//! Records as bytes: a version, then postcard. A record of an unknown version is refused, never guessed at.
//!
//! Version 2 gave some records further fields, each at the end and each with a first value that postcard writes as one zero
//! byte: `None`, an empty list, 0, the first variant. So a record of version 1 is read as one that ends in such bytes.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::Error;

/// The version of every record that this program writes.
const VERSION: u8 = 2;
/// The version before, which is still read.
const BEFORE: u8 = 1;
/// What a record of the version before lacks at most.
const ADDED: [u8; 2] = [0; 2];

/// Encodes a record. Records are plain structs of known length, which postcard cannot fail to write into memory.
pub fn encode(record: &impl Serialize) -> Bytes {
    let bytes = postcard::to_extend(record, vec![VERSION]);
    Bytes::from(bytes.expect("a plain struct encodes into memory"))
}

/// Decodes a whole record, or, for a type that is the first part of another, its beginning.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let (version, rest) = bytes.split_first().ok_or(Error::Record("an empty record"))?;
    let decoded = match *version {
        VERSION => postcard::take_from_bytes(rest),
        BEFORE => postcard::take_from_bytes(rest).or_else(|_| decode_before(rest)),
        _ => return Err(Error::Record("a record of a version that this program does not know")),
    };
    decoded.map(|(record, _)| record).map_err(|_| Error::Record("a record that does not decode"))
}

/// Decodes a whole record of the version before, whose last fields are not there.
fn decode_before<T: DeserializeOwned>(rest: &[u8]) -> Result<(T, &[u8]), postcard::Error> {
    let (record, _) = postcard::take_from_bytes(&[rest, &ADDED].concat())?;
    Ok((record, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_the_version_before_did_not_have_are_as_they_were_then() {
        let before = [&[BEFORE][..], &postcard::to_stdvec(&("text", 7u64)).unwrap()].concat();
        type Now = (String, u64, Option<String>, Vec<u8>);
        assert_eq!(decode::<Now>(&before).unwrap(), ("text".to_owned(), 7, None, Vec::new()));
        assert_eq!(decode::<(String, u64)>(&before).unwrap(), ("text".to_owned(), 7), "an unchanged record");
        assert_eq!(decode::<String>(&before).unwrap(), "text", "the beginning alone");
        let now = [&[VERSION][..], &before[1..]].concat();
        assert!(decode::<Now>(&now).is_err(), "a record of this version is whole");
    }

    #[test]
    fn records_round_trip_and_damage_is_an_error() {
        let bytes = encode(&("text".to_owned(), 7u64));
        assert_eq!(decode::<(String, u64)>(&bytes).unwrap(), ("text".to_owned(), 7));
        assert_eq!(decode::<String>(&bytes).unwrap(), "text", "the beginning alone");
        assert!(decode::<(String, u64)>(&bytes[..3]).is_err());
        assert!(decode::<String>(&[]).is_err());
        assert!(decode::<String>(&[VERSION + 1, 0]).is_err());
    }
}
