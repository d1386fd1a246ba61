//! Records as bytes: a version, then postcard. A record of an unknown version is refused, never guessed at.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::Error;

/// The version of every record that this program writes.
const VERSION: u8 = 1;

/// Encodes a record. Records are plain structs of known length, which postcard cannot fail to write into memory.
pub fn encode(record: &impl Serialize) -> Bytes {
    let bytes = postcard::to_extend(record, vec![VERSION]);
    Bytes::from(bytes.expect("a plain struct encodes into memory"))
}

/// Decodes a whole record, or, for a type that is the first part of another, its beginning.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let (version, rest) = bytes.split_first().ok_or(Error::Record("an empty record"))?;
    if *version != VERSION {
        return Err(Error::Record("a record of a version that this program does not know"));
    }
    let (record, _) = postcard::take_from_bytes(rest).map_err(|_| Error::Record("a record that does not decode"))?;
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;

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
