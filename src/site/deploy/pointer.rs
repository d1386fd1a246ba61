//! The pointer to the live deploy.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Error;
use super::id::DeployId;
use super::version::Version;
use crate::clock::Timestamp;

/// How long a deploy's fingerprinted files are still served after another took its place: a page that is open asks for
/// the assets that it was made with.
pub const SKEW: Duration = Duration::from_secs(24 * 60 * 60);
/// How many earlier deploys a pointer remembers.
pub const MAX_PREVIOUS: usize = 3;
/// The longest pointer, in bytes.
pub const MAX_POINTER_BYTES: usize = 4096;

/// Which deploy is live, and which were before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pointer {
    version: Version,
    pub deploy: DeployId,
    /// Since when it is live.
    pub at: Timestamp,
    /// Newest first, each once, the live one never: at most `MAX_PREVIOUS`.
    pub previous: Vec<Previous>,
}

/// A deploy that was live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Previous {
    pub deploy: DeployId,
    /// Until when its fingerprinted files are served.
    pub until: Timestamp,
}

impl Pointer {
    /// The first pointer of a site.
    pub fn first(deploy: DeployId, at: Timestamp) -> Self {
        Self { version: Version, deploy, at, previous: Vec::new() }
    }

    /// The pointer after another deploy took the place of the live one.
    pub fn moved(&self, deploy: DeployId, at: Timestamp) -> Self {
        if deploy == self.deploy {
            return self.clone();
        }
        let replaced = Previous { deploy: self.deploy, until: at.plus(SKEW) };
        let earlier =
            self.previous.iter().filter(|previous| ![deploy, self.deploy].contains(&previous.deploy)).cloned();
        let previous = std::iter::once(replaced).chain(earlier).take(MAX_PREVIOUS).collect();
        Self { version: Version, deploy, at, previous }
    }

    /// Gives the pointer as JSON.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("its fields are numbers and identifiers, which JSON has")
    }

    /// Reads a pointer; whoever wrote it is not trusted.
    pub fn decode(document: &[u8]) -> Result<Self, Error> {
        if document.len() > MAX_POINTER_BYTES {
            return Err(Error::TooLong { found: document.len(), most: MAX_POINTER_BYTES });
        }
        let pointer: Self = serde_json::from_slice(document)?;
        if pointer.previous.len() > MAX_PREVIOUS { Err(Error::Previous) } else { Ok(pointer) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(number: u8) -> DeployId {
        DeployId::from_random([number; 10])
    }

    fn hour(number: u64) -> Timestamp {
        Timestamp::from_seconds(number * 3600)
    }

    #[test]
    fn a_move_remembers_the_last_three_deploys_and_until_when_they_count() {
        let mut pointer = Pointer::first(id(0), hour(0));
        for number in 1..=4 {
            pointer = pointer.moved(id(number), hour(u64::from(number)));
        }
        assert_eq!((pointer.deploy, pointer.at), (id(4), hour(4)));
        let remembered = pointer.previous.iter().map(|previous| (previous.deploy, previous.until));
        assert_eq!(Vec::from_iter(remembered), [(id(3), hour(28)), (id(2), hour(27)), (id(1), hour(26))]);
    }

    #[test]
    fn a_deploy_is_named_once() {
        let first = Pointer::first(id(0), hour(0));
        let back = first.moved(id(1), hour(1)).moved(id(0), hour(2));
        assert_eq!(back.deploy, id(0));
        assert_eq!(back.previous, [Previous { deploy: id(1), until: hour(26) }]);
        assert_eq!(back.moved(id(0), hour(9)), back);
    }

    #[test]
    fn the_json_is_as_it_was_from_the_first_release_on() {
        let pointer = Pointer::first(id(0), Timestamp::from_millis(5)).moved(id(1), Timestamp::from_millis(7));
        let expected =
            r#"{"version":1,"deploy":"bbbbbbbbbb","at":7,"previous":[{"deploy":"aaaaaaaaaa","until":86400007}]}"#;
        assert_eq!(String::from_utf8(pointer.encode()).unwrap(), expected);
        assert_eq!(Pointer::decode(expected.as_bytes()).unwrap(), pointer);
    }

    #[test]
    fn hostile_pointers_are_refused() {
        let one = r#"{"deploy":"aaaaaaaaaa","until":0}"#;
        let with = |previous: &[&str]| {
            format!(r#"{{"version":1,"deploy":"bbbbbbbbbb","at":7,"previous":[{}]}}"#, previous.join(","))
        };
        assert!(Pointer::decode(with(&[one; 3]).as_bytes()).is_ok());
        assert!(matches!(Pointer::decode(with(&[one; 4]).as_bytes()), Err(Error::Previous)));
        assert!(matches!(Pointer::decode(&[b' '; MAX_POINTER_BYTES + 1]), Err(Error::TooLong { .. })));
        for wrong in ["", "{}", "null", &with(&[]).replace("bbb", "../"), &with(&[]).replace(":1", ":2")] {
            assert!(matches!(Pointer::decode(wrong.as_bytes()), Err(Error::Json(_))), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn moves_keep_the_invariants_and_read_back(moves in prop::collection::vec((0_u8..6, 0_u64..100), 0..20)) {
            let mut pointer = Pointer::first(id(0), hour(0));
            for (number, at) in moves {
                pointer = pointer.moved(id(number), hour(at));
                let mut named: Vec<_> = pointer.previous.iter().map(|previous| previous.deploy).collect();
                named.push(pointer.deploy);
                let count = named.len();
                named.sort();
                named.dedup();
                prop_assert!(named.len() == count && count <= MAX_PREVIOUS + 1);
                prop_assert_eq!(Pointer::decode(&pointer.encode()).unwrap(), pointer.clone());
            }
        }
    }
}
