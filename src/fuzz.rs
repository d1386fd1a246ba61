//! What fuzz targets share: input made from seeds by mutation, and for how long. Compiled for tests alone.
//!
//! The targets stand beside the code that they feed, in files named `fuzz.rs`. `cargo test` runs each for `FUZZ_SECONDS`
//! (1 if unset) with random mutations; `cargo bolero test s3::fuzz::requests` runs the same function under libFuzzer,
//! which is led by coverage.

use std::fmt;
use std::ops::{Bound, Deref};
use std::time::Duration;

use bolero::generator::ValueGenerator;
use bolero::{Driver, produce};

/// The longest input, in bytes: beyond every header, above the bounds on lines and trailers.
pub const MAX_BYTES: usize = 20 * 1024;

/// What the work on one input may take of the processor: far more than any takes, far less than a quadratic one.
const MAX_WORK: Duration = Duration::from_secs(1);

/// The most mutations of one input.
const MAX_MUTATIONS: usize = 8;

/// Values at which parsers of numbers and of text turn.
const EDGES: [&[u8]; 22] = [
    b"0",
    b"-1",
    b"1",
    b"9223372036854775808",
    b"18446744073709551615",
    b"18446744073709551616",
    b"ffffffffffffffff",
    b"10000000000000000",
    b"\r\n",
    b"\n",
    b"\0",
    b" ",
    b"\t",
    b"%",
    b"%00",
    b"%2F",
    b"+",
    b"\"",
    b",",
    b"\xff",
    "\u{e9}".as_bytes(),
    b"\xf0\x9f\x92",
];

/// How long a target runs.
pub fn time() -> Duration {
    let seconds = std::env::var("FUZZ_SECONDS").map(|text| text.parse().expect("FUZZ_SECONDS is a number of seconds"));
    Duration::from_secs(seconds.unwrap_or(1))
}

/// Runs `work`, which must be done soon, however its input looks. Counts this thread's processor time, so that a machine
/// with other work fails nobody.
pub fn promptly<T>(work: impl FnOnce() -> T) -> T {
    let started = processor_time();
    let result = work();
    let taken = processor_time() - started;
    assert!(taken < MAX_WORK, "this took {taken:?}");
    result
}

fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec on this stack, which the call fills.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0, "the clock exists on Linux");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// What a target is fed. A failure shows it as text.
pub struct Input(Vec<u8>);

impl Deref for Input {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// Makes inputs: a seed with a few mutations, now and then random bytes.
pub struct Mutated {
    seeds: Vec<Vec<u8>>,
    /// Words of the format, to be written over or between.
    words: Vec<&'static [u8]>,
}

impl Mutated {
    pub fn new<S: Into<Vec<u8>>>(seeds: impl IntoIterator<Item = S>, words: &[&'static str]) -> Self {
        let words = words.iter().map(|word| word.as_bytes()).chain(EDGES).collect();
        Self { seeds: seeds.into_iter().map(Into::into).collect(), words }
    }

    fn mutate(&self, bytes: &mut Vec<u8>, driver: &mut impl Driver) -> Option<()> {
        let at = below(driver, bytes.len() + 1)?;
        let length = below(driver, (bytes.len() - at).min(64) + 1)?;
        let insert = match below(driver, 9)? {
            0 => Vec::new(),
            1 => produce::<Vec<u8>>().generate(driver)?,
            2 => vec![driver.produce()?; 1 << below(driver, 11)?],
            3 => bytes[at..at + length].repeat(2),
            4 => bytes[at..at + length].repeat(1 + below(driver, 64)?),
            5 => bytes[at..at + length].iter().map(|byte| byte ^ 0x20).collect(),
            6 => self.piece(driver)?,
            7 => vec![bytes.get(at).copied().unwrap_or_default() ^ (1 << below(driver, 8)?)],
            _ => self.words[below(driver, self.words.len())?].to_vec(),
        };
        // Over the bytes there, or between them.
        let replaced = if driver.produce()? { length } else { 0 };
        bytes.splice(at..at + replaced, insert);
        bytes.truncate(MAX_BYTES);
        Some(())
    }

    /// Some bytes of another seed.
    fn piece(&self, driver: &mut impl Driver) -> Option<Vec<u8>> {
        let seed = &self.seeds[below(driver, self.seeds.len())?];
        let start = below(driver, seed.len() + 1)?;
        let end = start + below(driver, seed.len() - start + 1)?;
        Some(seed[start..end].to_vec())
    }
}

impl ValueGenerator for Mutated {
    type Output = Input;

    fn generate<D: Driver>(&self, driver: &mut D) -> Option<Input> {
        if below(driver, 32)? == 0 {
            return produce::<Vec<u8>>().generate(driver).map(Input);
        }
        let mut bytes = self.seeds[below(driver, self.seeds.len())?].clone();
        for _ in 0..below(driver, MAX_MUTATIONS + 1)? {
            self.mutate(&mut bytes, driver)?;
        }
        Some(Input(bytes))
    }
}

/// A number below `end`, which is not zero.
fn below(driver: &mut impl Driver, end: usize) -> Option<usize> {
    driver.gen_usize(Bound::Included(&0), Bound::Excluded(&end))
}

/// Cuts `bytes` into pieces at places that follow from the bytes alone, so that the same input is cut the same way.
pub fn pieces(bytes: &[u8]) -> Vec<&[u8]> {
    let mut state = bytes
        .iter()
        .fold(0x9E37_79B9_7F4A_7C15_u64, |state, byte| (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let (mut rest, mut pieces) = (bytes, Vec::new());
    while !rest.is_empty() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // Mostly short, now and then long.
        let length = (state >> 8) as usize % if state.is_multiple_of(4) { 4096 } else { 8 } + 1;
        let (piece, behind) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}
