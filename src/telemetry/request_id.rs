//! The ids in `x-amz-request-id` and `x-amz-id-2`.

use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::{digest, rand};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The length of a request id, in characters.
const CHARACTERS: usize = 16;

/// RFC 4648 section 6.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A request's id: 16 upper-case letters and digits, as S3's are. Unique within a process, and almost surely between
/// processes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId([u8; CHARACTERS]);

/// The id of the server that answers: the same as long as its data directory is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostId(String);

/// What tells the ids of one process from those of another.
struct Process {
    seed: u64,
    tag: u16,
    count: AtomicU64,
}

static PROCESS: LazyLock<Process> = LazyLock::new(|| {
    let mut random = [0; 10];
    // Without random bytes ids stay unique within the process, which is all that is promised.
    let _ = rand::fill(&mut random);
    let [a, b, c, d, e, f, g, h, i, j] = random;
    Process {
        seed: u64::from_be_bytes([a, b, c, d, e, f, g, h]),
        tag: u16::from_be_bytes([i, j]),
        count: AtomicU64::new(0),
    }
});

impl RequestId {
    /// The next id. Costs one atomic addition and some arithmetic.
    #[expect(clippy::new_without_default, reason = "every call gives another id")]
    pub fn new() -> Self {
        let count = PROCESS.count.fetch_add(1, Ordering::Relaxed);
        let mixed = mix(count.wrapping_add(PROCESS.seed));
        let mut bits = u128::from(PROCESS.tag) << 64 | u128::from(mixed);
        let mut letters = [0; CHARACTERS];
        for letter in letters.iter_mut().rev() {
            *letter = BASE32[(bits & 31) as usize];
            bits >>= 5;
        }
        Self(letters)
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("the letters are those of BASE32")
    }
}

/// SplitMix64's finalizer: a bijection, so that different counts never give the same id.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({self})")
    }
}

impl HostId {
    /// The host id of the data directory with this instance id: a digest, so that the instance id is not given away.
    pub fn of_instance(instance: &str) -> Self {
        let digest = digest::digest(&digest::SHA384, instance.as_bytes());
        Self(STANDARD.encode(digest))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_sixteen_upper_case_characters_and_never_repeat() {
        let ids: HashSet<String> = (0..100_000).map(|_| RequestId::new().to_string()).collect();
        assert_eq!(ids.len(), 100_000);
        assert!(ids.iter().all(|id| id.len() == 16 && id.bytes().all(|b| BASE32.contains(&b))));
    }

    #[test]
    fn a_host_id_belongs_to_its_instance() {
        assert_eq!(HostId::of_instance("a"), HostId::of_instance("a"));
        assert_ne!(HostId::of_instance("a"), HostId::of_instance("b"));
        assert_eq!(HostId::of_instance("a").as_str().len(), 64);
    }
}
