//! The version that every document of a deploy begins with.

use serde::{Deserialize, Serialize};

use super::Error;

/// Version 1, the only one there is. Whoever changes what a document means counts it up, so that an older program refuses
/// what it would misread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Version;

impl TryFrom<u32> for Version {
    type Error = Error;

    fn try_from(number: u32) -> Result<Self, Error> {
        if number == 1 { Ok(Self) } else { Err(Error::Version(number)) }
    }
}

impl From<Version> for u32 {
    fn from(_: Version) -> Self {
        1
    }
}
