//! Finding lost commits in the write-ahead log before RocksDB replays it.
//!
//! RocksDB's replay stops at the first damaged record, which is right for a write that a crash tore: it was never
//! answered. But it stops as quietly at a record that was damaged later, and drops the answered commits behind it.
//! In strict durability the two can be told apart: a record is synced before the next one begins, so the record that
//! was torn is the last. A damaged record with another one begun behind it is a hole, and stops the start.
//!
//! Between two logs, the sequence numbers tell: each begins with the number at which the one before it ends.
//!
//! Both hold for the logs that RocksDB still needs. Older ones lie about for reuse, some of them missing; and a power loss
//! can leave the beginning of a reused log under its old name.
//!
//! The format: <https://github.com/facebook/rocksdb/wiki/Write-Ahead-Log-File-Format>. Not seen is damage to the length
//! of a record when no later record reaches the next block, and damage to the last record of all.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crc_fast::{CrcAlgorithm, checksum};

use super::super::Error;
use super::open::files_in;

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

/// What one log holds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Contents {
    /// The sequence numbers from the first whole record to the last.
    records: Option<Range<u64>>,
    /// The first damage that has a record of this log behind it.
    hole: Option<usize>,
}

/// One header in a block, and what it describes.
struct Fragment {
    /// The offset in the block just behind it.
    end: usize,
    /// Whether it is a whole fragment of this log.
    intact: bool,
    /// The sequence numbers of the record of this log that begins here.
    record: Option<Range<u64>>,
    /// Whether it is the last of its record.
    ends_record: bool,
}

/// Commits that are lost, with others behind them.
#[derive(Debug)]
pub(super) struct Loss {
    /// Where, in words.
    pub place: String,
    /// The logs that hold what is behind a gap between two logs; none where the loss is within one.
    pub behind: Vec<PathBuf>,
}

/// Looks for lost commits in the logs in `path` whose number is `from` or more.
pub(super) fn find_loss(path: &Path, from: u64) -> Result<Option<Loss>, Error> {
    let mut end = None;
    // A log in which nothing is whole: nobody knows where it ended.
    let mut unreadable = None;
    let mut last = None;
    let mut files = log_files(path)?.into_iter().filter(|(number, _)| *number >= from);
    while let Some((number, file)) = files.next() {
        let log = fs::read(&file).map_err(|error| Error::Engine(format!("{}: {error}", file.display())))?;
        let contents = Contents::of(&log, number);
        if let Some(offset) = contents.hole {
            let place = format!("the write-ahead log {} is damaged at byte {offset}", file.display());
            return Ok(Some(Loss { place, behind: Vec::new() }));
        }
        let Some(records) = contents.records else {
            if log.iter().any(|byte| *byte != 0) {
                unreadable = Some(file);
            }
            continue;
        };
        let gap = end.is_some_and(|end| records.start > end);
        let suspect = if gap { unreadable.or(last) } else { unreadable.filter(|_| end.is_none()) };
        if let Some(suspect) = suspect {
            let place = format!("the write-ahead log {} is damaged at its end", suspect.display());
            let behind =
                if gap { std::iter::once(file).chain(files.map(|(_, file)| file)).collect() } else { Vec::new() };
            return Ok(Some(Loss { place, behind }));
        }
        end = Some(records.end);
        (last, unreadable) = (Some(file), None);
    }
    Ok(None)
}

/// The logs in `path` with their numbers, in order.
fn log_files(path: &Path) -> Result<Vec<(u64, PathBuf)>, Error> {
    let numbered = |file: PathBuf| {
        let number = file.file_stem()?.to_str()?.parse::<u64>().ok()?;
        (file.extension()?.to_str()? == "log").then_some((number, file))
    };
    let mut logs: Vec<_> = files_in(path)?.into_iter().filter_map(numbered).collect();
    logs.sort();
    Ok(logs)
}

impl Contents {
    /// Reads the log with this number.
    fn of(log: &[u8], number: u64) -> Self {
        let mut contents = Self::default();
        let (mut damage, mut begun) = (None, None);
        for (index, block) in log.chunks(BLOCK_BYTES).enumerate() {
            let start = index * BLOCK_BYTES;
            let mut at = 0;
            while let Some(fragment) = Fragment::parse(block, at, number) {
                match (damage, fragment.record) {
                    _ if !fragment.intact => damage = damage.or(Some(start + at)),
                    (None, Some(record)) => begun = Some(record),
                    (Some(damage), Some(record)) if contents.can_precede(&record, start + at - damage) => {
                        return Self { hole: Some(damage), ..contents };
                    }
                    _ => {}
                }
                if damage.is_none() && fragment.ends_record {
                    contents.add(begun.take());
                }
                at = fragment.end;
            }
            // What is left has no header to go on with; only a block's last bytes may be too few for one.
            if block.len() - at >= RECYCLABLE_HEADER_BYTES {
                damage = damage.or(Some(start + at));
            }
        }
        contents
    }

    fn add(&mut self, record: Option<Range<u64>>) {
        let Some(record) = record else { return };
        let start = self.records.as_ref().map_or(record.start, |records| records.start);
        self.records = Some(start..record.end);
    }

    /// Whether `record` can stand behind these records and `damaged_bytes` of damage, by its sequence numbers: a reused
    /// file may hold, behind the log's end, bytes that a client once wrote to look like a record.
    fn can_precede(&self, record: &Range<u64>, damaged_bytes: usize) -> bool {
        let next = self.records.as_ref().map(|records| records.end);
        // A write takes more than a byte, so no more writes than bytes were lost.
        next.is_none_or(|next| record.start >= next && record.start - next <= damaged_bytes as u64)
    }
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
        // Whole, first, middle, last: the same four for both headers.
        let ends_record = matches!(kind, 1 | 4 | 5 | 8);
        let length = header_bytes + usize::from(u16::from_le_bytes([l0, l1]));
        let checked = rest.get(CHECKED_FROM..length)?;
        // Reused files carry the number's low half.
        let ours = header_bytes == HEADER_BYTES || checked[1..].starts_with(&number.to_le_bytes()[..4]);
        let intact =
            ours && u32::from_le_bytes([c0, c1, c2, c3]) == masked(checksum(CrcAlgorithm::Crc32Iscsi, checked));
        let record = if begins_record && ours { sequences(&rest[header_bytes..length]) } else { None };
        Some(Self { end: at + length, intact, record, ends_record })
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

    fn find_hole(log: &[u8], number: u64) -> Option<usize> {
        Contents::of(log, number).hole
    }

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

    /// Logs with these records, the numbers 1, 2, 3... of a directory.
    fn directory(logs: &[Vec<u8>]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (number, log) in (1..).zip(logs) {
            fs::write(directory.path().join(format!("{number:06}.log")), log).unwrap();
        }
        directory
    }

    /// The records from `first` on, in log `number`.
    fn log_from(first: u64, records: u64, number: u64) -> Vec<u8> {
        let mut log = Vec::new();
        for sequence in first..first + records {
            let mut payload = sequence.to_le_bytes().to_vec();
            payload.extend(1u32.to_le_bytes());
            payload.extend([b'v'; 50]);
            append(&mut log, 5, number, &payload);
        }
        log
    }

    #[test]
    fn logs_that_follow_each_other_lost_nothing() {
        let logs = [log_from(1, 5, 1), log_from(6, 5, 2), Vec::new(), log_from(11, 5, 4)];
        assert!(find_loss(directory(&logs).path(), 0).unwrap().is_none());
        let torn_at_the_end = [log_from(1, 5, 1), log_from(6, 5, 2)[..200].to_vec()];
        assert!(find_loss(directory(&torn_at_the_end).path(), 0).unwrap().is_none());
        let unused = [log_from(1, 5, 1), vec![1; 100], log_from(6, 5, 3)];
        assert!(find_loss(directory(&unused).path(), 0).unwrap().is_none(), "the sequence goes on");
    }

    #[test]
    fn a_log_without_its_last_record_is_a_loss_if_it_is_needed() {
        let mut damaged = log_from(1, 5, 1);
        *damaged.last_mut().unwrap() ^= 1;
        for lossy in [damaged, log_from(1, 4, 1), vec![1; 100]] {
            let directory = directory(&[lossy, log_from(6, 5, 2)]);
            let loss = find_loss(directory.path(), 1).unwrap().unwrap();
            assert!(loss.place.ends_with("000001.log is damaged at its end"), "{loss:?}");
            assert!(find_loss(directory.path(), 2).unwrap().is_none());
        }
    }

    #[test]
    fn what_is_behind_a_gap_is_told_where_the_gap_is_certain() {
        let behind = |logs: &[Vec<u8>]| {
            let directory = directory(logs);
            let loss = find_loss(directory.path(), 0).unwrap().unwrap();
            loss.behind.iter().map(|log| log.file_name().unwrap().to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let cut = log_from(1, 4, 1);
        assert_eq!(behind(&[cut.clone(), log_from(6, 5, 2), log_from(11, 1, 3)]), ["000002.log", "000003.log"]);
        assert_eq!(behind(&[cut, vec![1; 100], log_from(6, 5, 3)]), ["000003.log"]);
        assert!(behind(&[vec![1; 100], log_from(6, 5, 2)]).is_empty(), "nobody knows where the first one ended");
    }

    /// The log was renamed for reuse and written to, and the power loss took the new name back.
    #[test]
    fn a_reused_log_under_its_old_name_is_a_loss_only_if_it_is_needed() {
        let mut log = log_from(1, 5, 1);
        let reused = log_from(99, 1, 4);
        log[..reused.len()].copy_from_slice(&reused);
        let directory = directory(&[log, log_from(6, 5, 2)]);
        assert!(find_loss(directory.path(), 0).unwrap().unwrap().place.ends_with("000001.log is damaged at byte 0"));
        assert!(find_loss(directory.path(), 2).unwrap().is_none());
    }

    #[test]
    fn a_record_in_several_fragments_counts_when_all_are_there() {
        let mut payload = 7u64.to_le_bytes().to_vec();
        payload.extend(3u32.to_le_bytes());
        let (mut log, mut rest) = (Vec::new(), vec![b'v'; BLOCK_BYTES - RECYCLABLE_HEADER_BYTES - payload.len()]);
        rest.splice(..0, payload);
        append(&mut log, 6, NUMBER, &rest);
        let first = log.len();
        assert_eq!(Contents::of(&log, NUMBER).records, None);
        append(&mut log, 8, NUMBER, b"the rest");
        assert_eq!(Contents::of(&log, NUMBER).records, Some(7..10));
        log[100] ^= 1;
        assert_eq!((first, Contents::of(&log, NUMBER)), (BLOCK_BYTES, Contents::default()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_searched_without_panic(mut log in proptest::collection::vec(0u8..10, 0..2000), at in 0usize..2000) {
            log.splice(at.min(log.len()).., log_of(3, 40, NUMBER));
            find_hole(&log, NUMBER);
        }
    }
}
