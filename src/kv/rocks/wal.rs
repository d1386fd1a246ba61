//! Finding a hole in the write-ahead log before RocksDB replays it.
//!
//! RocksDB's replay stops at the first damaged record, which is right for a write that a crash tore: it was never
//! answered. But it stops as quietly at a record that was damaged later, and drops the answered commits behind it.
//! In strict durability the two can be told apart: a record is synced before the next one begins, so the record that
//! was torn is the last. A damaged record with another one begun behind it is a hole, and stops the start.
//!
//! The format: <https://github.com/facebook/rocksdb/wiki/Write-Ahead-Log-File-Format>. Not seen is damage to the length
//! of a record when no later record reaches the next block.

use std::fs;
use std::ops::Range;
use std::path::Path;

use crc_fast::{CrcAlgorithm, checksum};

use super::super::Error;
use super::open::{RUNBOOK, files_in};

/// A fragment never crosses a block's end, so that every block starts with the header of one.
const BLOCK_BYTES: usize = 32 * 1024;

/// Checksum (4 bytes), length (2), kind (1); reused files add the log's number (4), so that remains of the file's
/// earlier life are not taken for its own.
const HEADER_BYTES: usize = 7;
const RECYCLABLE_HEADER_BYTES: usize = 11;

/// The checksum begins with the kind.
const CHECKED_FROM: usize = 6;

/// A record begins with the sequence number of its first write (8 bytes) and the number of its writes (4).
const RECORD_HEAD_BYTES: usize = 12;

/// One header in a block, and what it describes.
struct Fragment {
    /// The offset in the block just behind it.
    end: usize,
    /// Whether it is a whole fragment of this log.
    intact: bool,
    /// The sequence numbers of the record of this log that begins here.
    record: Option<Range<u64>>,
}

/// Refuses to start when one of the logs in `path` has a hole.
pub(super) fn refuse_hole(path: &Path) -> Result<(), Error> {
    for file in files_in(path)? {
        let number = file.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        let (Some(number), Some("log")) = (number, file.extension().and_then(|extension| extension.to_str())) else {
            continue;
        };
        let log = fs::read(&file).map_err(|error| Error::Engine(format!("{}: {error}", file.display())))?;
        if let Some(offset) = find_hole(&log, number) {
            let name = file.display();
            let reason = format!("the write-ahead log {name} is damaged at byte {offset}, with commits behind it");
            return Err(Error::Engine(format!("{reason}; {RUNBOOK}")));
        }
    }
    Ok(())
}

/// Gives the offset of the first damage that has a record behind it, in the log with this number.
fn find_hole(log: &[u8], number: u64) -> Option<usize> {
    let mut damage = None;
    let mut next_sequence = None;
    for (index, block) in log.chunks(BLOCK_BYTES).enumerate() {
        let start = index * BLOCK_BYTES;
        let mut at = 0;
        while let Some(fragment) = Fragment::parse(block, at, number) {
            match (damage, fragment.record) {
                _ if !fragment.intact => damage = damage.or(Some(start + at)),
                (None, Some(record)) => next_sequence = Some(record.end),
                (Some(damage), Some(record)) if follows(&record, next_sequence, start + at - damage) => {
                    return Some(damage);
                }
                _ => {}
            }
            at = fragment.end;
        }
        // What is left has no header to go on with; only a block's last bytes may be too few for one.
        if block.len() - at >= RECYCLABLE_HEADER_BYTES {
            damage = damage.or(Some(start + at));
        }
    }
    None
}

/// Whether `record` can stand behind `damaged_bytes` of damage, by its sequence numbers: a reused file may hold, behind
/// the log's end, bytes that a client once wrote to look like a record.
fn follows(record: &Range<u64>, next_sequence: Option<u64>, damaged_bytes: usize) -> bool {
    // A write takes more than a byte, so no more writes than bytes were lost.
    next_sequence.is_none_or(|next| record.start >= next && record.start - next <= damaged_bytes as u64)
}

impl Fragment {
    /// Reads the header at `at`; `None` where there is none, or where its length leads out of the block.
    fn parse(block: &[u8], at: usize, number: u64) -> Option<Self> {
        let rest = block.get(at..)?;
        let [c0, c1, c2, c3, l0, l1, kind] = *rest.first_chunk::<HEADER_BYTES>()?;
        let (header_bytes, begins_record) = match kind {
            1 | 2 => (HEADER_BYTES, true),
            3 | 4 => (HEADER_BYTES, false),
            5 | 6 => (RECYCLABLE_HEADER_BYTES, true),
            7 | 8 => (RECYCLABLE_HEADER_BYTES, false),
            _ => return None,
        };
        let length = header_bytes + usize::from(u16::from_le_bytes([l0, l1]));
        let checked = rest.get(CHECKED_FROM..length)?;
        // Reused files carry the number's low half.
        let ours = header_bytes == HEADER_BYTES || checked[1..].starts_with(&number.to_le_bytes()[..4]);
        let intact =
            ours && u32::from_le_bytes([c0, c1, c2, c3]) == masked(checksum(CrcAlgorithm::Crc32Iscsi, checked));
        let record = if begins_record && ours { sequences(&rest[header_bytes..length]) } else { None };
        Some(Self { end: at + length, intact, record })
    }
}

fn sequences(payload: &[u8]) -> Option<Range<u64>> {
    let head = payload.first_chunk::<RECORD_HEAD_BYTES>()?;
    let (first, count) = head.split_first_chunk::<8>()?;
    let (first, count) = (u64::from_le_bytes(*first), u32::from_le_bytes(count.try_into().ok()?));
    Some(first..first.checked_add(u64::from(count))?)
}

/// RocksDB stores checksums turned and shifted, so that data which holds checksums is still checked well.
fn masked(crc: u64) -> u32 {
    const MASK_DELTA: u32 = 0xa282_ead8;
    // A 32-bit checksum fits.
    (crc as u32).rotate_right(15).wrapping_add(MASK_DELTA)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NUMBER: u64 = 7;

    fn append(log: &mut Vec<u8>, kind: u8, number: u64, payload: &[u8]) {
        let mut checked = vec![kind];
        checked.extend(&number.to_le_bytes()[..4]);
        checked.extend(payload);
        log.extend(masked(checksum(CrcAlgorithm::Crc32Iscsi, &checked)).to_le_bytes());
        log.extend(u16::try_from(payload.len()).unwrap().to_le_bytes());
        log.extend(checked);
    }

    /// A log of one-write records of `bytes` each, none of which crosses a block.
    fn log_of(records: u64, bytes: usize, number: u64) -> Vec<u8> {
        let mut log = Vec::new();
        for sequence in 1..=records {
            let mut payload = vec![b'v'; bytes];
            payload[..8].copy_from_slice(&sequence.to_le_bytes());
            payload[8..12].copy_from_slice(&1u32.to_le_bytes());
            if BLOCK_BYTES - log.len() % BLOCK_BYTES < bytes + RECYCLABLE_HEADER_BYTES {
                log.resize(log.len().next_multiple_of(BLOCK_BYTES), 0);
            }
            append(&mut log, 5, number, &payload);
        }
        log
    }

    #[test]
    fn a_whole_log_and_a_torn_tail_have_no_hole() {
        let log = log_of(10, 100, NUMBER);
        for end in 0..=log.len() {
            assert_eq!(find_hole(&log[..end], NUMBER), None, "cut at {end}");
        }
    }

    #[test]
    fn a_damaged_record_with_another_behind_it_is_a_hole() {
        let mut log = log_of(10, 100, NUMBER);
        log[3 * 111 + 50] ^= 1;
        assert_eq!(find_hole(&log, NUMBER), Some(3 * 111));
    }

    #[test]
    fn damage_to_a_length_shows_in_the_next_block() {
        let mut log = log_of(4, 12_000, NUMBER);
        log[12_011 + 5] ^= 0xff;
        assert_eq!(find_hole(&log, NUMBER), Some(12_011));
    }

    #[test]
    fn damage_to_the_last_record_is_not_told_from_a_torn_write() {
        let mut log = log_of(10, 100, NUMBER);
        log[9 * 111 + 50] ^= 1;
        assert_eq!(find_hole(&log, NUMBER), None);
    }

    #[test]
    fn remains_of_an_earlier_life_are_not_records_of_this_log() {
        let mut log = log_of(700, 100, NUMBER - 1);
        let reused = log_of(10, 90, NUMBER);
        log[..reused.len()].copy_from_slice(&reused);
        assert_eq!(find_hole(&log, NUMBER), None);
    }

    #[test]
    fn a_reused_log_whose_first_write_never_arrived_has_no_hole() {
        let earlier_life = log_of(700, 100, NUMBER - 1);
        assert_eq!(find_hole(&earlier_life, NUMBER), None);
        let mut torn = earlier_life;
        torn[..50].copy_from_slice(&log_of(1, 100, NUMBER)[..50]);
        assert_eq!(find_hole(&torn, NUMBER), None);
    }

    #[test]
    fn a_record_forged_behind_the_end_needs_the_right_sequence() {
        let mut log = log_of(10, 100, NUMBER);
        append(&mut log, 5, NUMBER - 1, b"damaged, or of an earlier life");
        let mut forged = 1_000_000u64.to_le_bytes().to_vec();
        forged.extend(1u32.to_le_bytes());
        append(&mut log, 5, NUMBER, &forged);
        assert_eq!(find_hole(&log, NUMBER), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_searched_without_panic(mut log in proptest::collection::vec(0u8..10, 0..2000), at in 0usize..2000) {
            log.splice(at.min(log.len()).., log_of(3, 40, NUMBER));
            find_hole(&log, NUMBER);
        }
    }
}
