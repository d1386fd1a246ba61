//! The row of an access key: a version byte, then the record.

use serde::{Deserialize, Serialize};

use super::master::Sealed;
use super::{KeySummary, Status};
use crate::clock::Timestamp;

const VERSION: u8 = 1;

/// What is stored for an access key, under its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    pub status: Status,
    pub created: Timestamp,
    pub description: String,
    pub secret: Sealed,
}

impl KeyRecord {
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_extend(self, vec![VERSION]).expect("encoding into a Vec does not fail")
    }

    /// Gives the record, or `None` if the bytes are damaged or of an unknown version.
    pub fn decode(row: &[u8]) -> Option<Self> {
        let (&VERSION, record) = row.split_first()? else { return None };
        let (record, rest) = postcard::take_from_bytes(record).ok()?;
        rest.is_empty().then_some(record)
    }

    pub fn summary(&self, access_key_id: String) -> KeySummary {
        let (status, created) = (self.status, self.created);
        KeySummary { access_key_id, status, created, description: self.description.clone() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::MasterKey;
    use super::*;

    #[test]
    fn records_round_trip_and_unknown_versions_are_refused() {
        let secret = MasterKey::generate().unwrap().seal("BRIMA", "a-secret").unwrap();
        let created = Timestamp::from_seconds(1);
        let record = KeyRecord { status: Status::Disabled, created, description: "laptop".into(), secret };
        let row = record.encode();
        assert_eq!(KeyRecord::decode(&row), Some(record));

        let mut newer = row.clone();
        newer[0] = VERSION + 1;
        assert_eq!(KeyRecord::decode(&newer), None);
        assert_eq!(KeyRecord::decode(&row[..row.len() - 1]), None);
        assert_eq!(KeyRecord::decode(&[&row[..], b"x"].concat()), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = KeyRecord::decode(&bytes);
        }
    }
}
