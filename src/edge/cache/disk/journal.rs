//! The journal of purges: what a restart has to know of them. One file of records, each with a checksum, in a file that is
//! made longer by zeros in advance: a file that was cut off anywhere is recognised, because its length or its end is
//! not what it must be. Whatever is not as it was written is [`Doubt`], never the end of the journal.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::super::purge::{Dated, Rule};
use super::super::sequence::Sequence;
use crate::private_file::sync_directory;

const NAME: &str = "journal";
const MAGIC: &[u8; 8] = b"brimjnl1";

/// The file is made longer by this many zeros at a time; its length is a multiple of it.
const CHUNK: u64 = 64 * 1024;

/// Bytes of the length and the checksum before a record.
const RECORD_HEAD: usize = 12;

/// The header, a record's head beside: magic, id, floor, latest, checksum.
const HEADER: usize = 48;

/// A zero length: no record follows.
const END: usize = 4;

/// The most bytes of one record.
const MAX_RECORD: usize = 1024 * 1024;

/// The most rules of one record: below [`MAX_RECORD`] whatever they are.
const RULES_A_RECORD: usize = 10_000;

/// Above this length a journal is a sign that something is wrong: it is rewritten long before.
const MAX_LENGTH: u64 = 1024 * 1024 * 1024;

/// What a record says.
#[derive(Debug, Serialize, Deserialize)]
enum Record {
    Rules(Vec<Dated>),
    Cursor(Vec<u8>),
}

/// What a journal told.
#[derive(Debug, Default, PartialEq)]
pub(super) struct State {
    pub rules: Vec<Dated>,
    pub latest: Sequence,
    pub floor: Sequence,
    pub cursor: Option<Vec<u8>>,
}

/// Why a journal cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub(super) enum Doubt {
    #[error("the journal cannot be read")]
    Read(#[from] io::Error),
    #[error("the journal was cut off or overwritten at byte {0}")]
    Malformed(u64),
}

/// A journal open for writing.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    path: PathBuf,
    id: [u8; 16],
    /// Where the next record goes.
    end: u64,
    length: u64,
}

impl Journal {
    /// Reads the journal of a directory; `None` where there is none.
    pub fn open(root: &Path) -> Result<Option<(Self, State)>, Doubt> {
        let path = root.join(NAME);
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let length = file.metadata()?.len();
        if length == 0 || length % CHUNK != 0 || length > MAX_LENGTH {
            return Err(Doubt::Malformed(length));
        }
        let bytes = fs::read(&path)?;
        let (id, end, state) = parse(&bytes).map_err(|at| Doubt::Malformed(at as u64))?;
        Ok(Some((Self { file, path, id, end: end as u64, length }, state)))
    }

    /// Makes the journal of a directory anew, durably, in place of the old one. A crash leaves the old or the new one.
    pub fn create(
        root: &Path,
        id: [u8; 16],
        rules: &[Dated],
        latest: Sequence,
        floor: Sequence,
        cursor: Option<&[u8]>,
    ) -> io::Result<Self> {
        let mut bytes = header(id, floor, latest);
        for rules in rules.chunks(RULES_A_RECORD) {
            push_record(&mut bytes, id, 0, &Record::Rules(rules.to_vec()));
        }
        if let Some(cursor) = cursor {
            push_record(&mut bytes, id, 0, &Record::Cursor(cursor.to_vec()));
        }
        let end = bytes.len() as u64;
        let length = (end + END as u64).next_multiple_of(CHUNK);
        let path = root.join(NAME);
        let staging = root.join("journal.new");
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&staging)?;
        file.write_all(&bytes)?;
        file.set_len(length)?;
        file.sync_all()?;
        fs::rename(&staging, &path)?;
        sync_directory(root)?;
        Ok(Self { file, path, id, end, length })
    }

    /// Writes the journal anew under its id, as [`Self::create`] does.
    pub fn replace(
        &mut self,
        rules: &[Dated],
        latest: Sequence,
        floor: Sequence,
        cursor: Option<&[u8]>,
    ) -> io::Result<()> {
        let root = self.path.parent().unwrap_or(Path::new(""));
        *self = Self::create(root, self.id, rules, latest, floor, cursor)?;
        Ok(())
    }

    pub fn id(&self) -> [u8; 16] {
        self.id
    }

    /// The bytes that records take.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Appends purges, all of one number, and a cursor. Durable after [`Self::sync`]. After an error the file must
    /// not be written to any more.
    pub fn append(&mut self, purges: &[(Sequence, Vec<Rule>)], cursor: Option<&[u8]>) -> io::Result<()> {
        let dated = |(sequence, rules): &(Sequence, Vec<Rule>)| {
            let sequence = *sequence;
            rules.iter().map(move |rule| Dated { rule: *rule, sequence }).collect::<Vec<_>>()
        };
        let rules: Vec<Dated> = purges.iter().flat_map(dated).collect();
        let mut bytes = Vec::new();
        for rules in rules.chunks(RULES_A_RECORD) {
            push_record(&mut bytes, self.id, self.end, &Record::Rules(rules.to_vec()));
        }
        if let Some(cursor) = cursor {
            push_record(&mut bytes, self.id, self.end, &Record::Cursor(cursor.to_vec()));
        }
        let end = self.end + bytes.len() as u64;
        let needed = (end + END as u64).next_multiple_of(CHUNK);
        if needed > self.length {
            // Zeros first: whatever part of the records is written, the file is one that ends.
            self.file.set_len(needed)?;
            self.length = needed;
        }
        self.file.write_all_at(&bytes, self.end)?;
        self.end = end;
        Ok(())
    }

    /// Has every write fail: the file is open for reading alone.
    #[cfg(test)]
    pub fn break_file(&mut self) {
        self.file = File::open(&self.path).unwrap();
    }

    /// Makes everything appended durable.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Removes the journal, durably: the next start finds none and wipes.
    pub fn remove(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        sync_directory(self.path.parent().unwrap_or(Path::new("")))
    }
}

fn header(id: [u8; 16], floor: Sequence, latest: Sequence) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(id);
    bytes.extend(floor.number().to_le_bytes());
    bytes.extend(latest.number().to_le_bytes());
    let checksum = xxh3_64_with_seed(&bytes, 0);
    bytes.extend(checksum.to_le_bytes());
    bytes
}

/// Adds a record that begins `base` bytes further on in the file than in `bytes`.
fn push_record(bytes: &mut Vec<u8>, id: [u8; 16], base: u64, record: &Record) {
    let payload = postcard::to_stdvec(record).expect("records are vectors of plain numbers, which postcard takes");
    let length = u32::try_from(payload.len()).expect("records are bounded far below 4 GiB");
    let at = base + bytes.len() as u64;
    bytes.extend(length.to_le_bytes());
    bytes.extend(record_checksum(&payload, id, at).to_le_bytes());
    bytes.extend(payload);
}

/// The checksum of a record: of its bytes at this place of this journal.
fn record_checksum(payload: &[u8], id: [u8; 16], at: u64) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = id;
    xxh3_64_with_seed(payload, u64::from_le_bytes([a, b, c, d, e, f, g, h]) ^ at)
}

/// The id, the end of the records and what they say; the place of the first byte that is not as it must be.
fn parse(bytes: &[u8]) -> Result<([u8; 16], usize, State), usize> {
    let number = |at: usize| bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
    let id: [u8; 16] = bytes.get(8..24).and_then(|id| id.try_into().ok()).ok_or(0_usize)?;
    let floor = Sequence::new(number(24).ok_or(0_usize)?);
    let latest = Sequence::new(number(32).ok_or(0_usize)?);
    if bytes.get(..HEADER) != Some(&header(id, floor, latest)[..]) {
        return Err(0);
    }
    let mut state = State { latest, floor, ..State::default() };
    let mut at = HEADER;
    while let Some((record, next)) = parse_record(bytes, id, at)? {
        match record {
            Record::Rules(rules) => {
                state.latest = rules.iter().map(|rule| rule.sequence).fold(state.latest, Sequence::max);
                state.rules.extend(rules);
            }
            Record::Cursor(cursor) => state.cursor = Some(cursor),
        }
        at = next;
    }
    match bytes[at..].iter().position(|byte| *byte != 0) {
        Some(beyond) => Err(at + beyond),
        None => Ok((id, at, state)),
    }
}

/// The record at this place and where the next one begins; `None` at the end.
fn parse_record(bytes: &[u8], id: [u8; 16], at: usize) -> Result<Option<(Record, usize)>, usize> {
    let head = bytes.get(at..at + END).and_then(|head| head.try_into().ok()).ok_or(at)?;
    let length = u32::from_le_bytes(head) as usize;
    if length == 0 {
        return Ok(None);
    }
    if length > MAX_RECORD {
        return Err(at);
    }
    let checksum = bytes.get(at + END..at + RECORD_HEAD).and_then(|sum| sum.try_into().ok()).ok_or(at)?;
    let payload = bytes.get(at + RECORD_HEAD..at + RECORD_HEAD + length).ok_or(at)?;
    if record_checksum(payload, id, at as u64) != u64::from_le_bytes(checksum) {
        return Err(at);
    }
    let record = postcard::from_bytes(payload).map_err(|_| at)?;
    Ok(Some((record, at + RECORD_HEAD + length)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::purge::{Purge, Scope, What};
    use super::*;

    const ID: [u8; 16] = *b"the id of a test";

    fn rule(path: u64) -> Rule {
        Rule::new(&Purge::hard(Scope::Everything, What::Path(format!("/{path}"))))
    }

    fn create(root: &Path) -> Journal {
        let rules = [Dated { rule: rule(0), sequence: Sequence::new(3) }];
        Journal::create(root, ID, &rules, Sequence::new(4), Sequence::new(2), Some(b"at 1")).unwrap()
    }

    fn append(journal: &mut Journal, sequences: std::ops::Range<u64>) {
        for sequence in sequences {
            journal.append(&[(Sequence::new(sequence), vec![rule(sequence), rule(0)])], Some(b"at 2")).unwrap();
        }
        journal.sync().unwrap();
    }

    fn state(root: &Path) -> State {
        Journal::open(root).unwrap().unwrap().1
    }

    #[test]
    fn what_was_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Journal::open(dir.path()).unwrap().is_none());
        let mut journal = create(dir.path());
        append(&mut journal, 5..7);
        let read = state(dir.path());
        assert_eq!((read.latest, read.floor), (Sequence::new(6), Sequence::new(2)));
        assert_eq!(read.cursor.as_deref(), Some(&b"at 2"[..]));
        let sequences: Vec<u64> = read.rules.iter().map(|dated| dated.sequence.number()).collect();
        assert_eq!(sequences, [3, 5, 5, 6, 6]);
        let (mut again, _) = Journal::open(dir.path()).unwrap().unwrap();
        append(&mut again, 7..8);
        assert_eq!((again.id(), state(dir.path()).latest), (ID, Sequence::new(7)));
        again.remove().unwrap();
        assert!(Journal::open(dir.path()).unwrap().is_none());
    }

    #[test]
    fn a_journal_written_anew_says_what_it_was_given() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = create(dir.path());
        append(&mut journal, 5..2000);
        assert!(journal.length > CHUNK);
        let rules = [Dated { rule: rule(1), sequence: Sequence::new(1999) }];
        journal.replace(&rules, Sequence::new(1999), Sequence::new(1998), None).unwrap();
        append(&mut journal, 2000..2001);
        let read = state(dir.path());
        assert_eq!((read.rules.len(), read.floor, read.latest), (3, Sequence::new(1998), Sequence::new(2000)));
        assert_eq!(fs::metadata(&journal.path).unwrap().len(), CHUNK);
    }

    #[test]
    fn many_rules_are_written_in_several_records() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = create(dir.path());
        let rules: Vec<Rule> = (0..RULES_A_RECORD as u64 * 2 + 1).map(rule).collect();
        journal.append(&[(Sequence::new(9), rules)], None).unwrap();
        assert_eq!(state(dir.path()).rules.len(), RULES_A_RECORD * 2 + 2);
    }

    /// A journal of a few chunks, and what it says.
    fn written() -> (tempfile::TempDir, Vec<u8>, State) {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = create(dir.path());
        append(&mut journal, 5..1500);
        let bytes = fs::read(&journal.path).unwrap();
        let state = state(dir.path());
        (dir, bytes, state)
    }

    #[test]
    fn a_journal_that_was_cut_off_anywhere_is_in_doubt_unless_nothing_is_lost() {
        let (dir, bytes, whole) = written();
        let chunk = CHUNK as usize;
        let lengths = (0..bytes.len()).step_by(977).chain((0..bytes.len()).step_by(chunk)).chain([bytes.len() - 1]);
        for length in lengths {
            fs::write(dir.path().join(NAME), &bytes[..length]).unwrap();
            assert!(Journal::open(dir.path()).is_err(), "{length} of {}", bytes.len());
        }
        fs::write(dir.path().join(NAME), &bytes).unwrap();
        assert_eq!(state(dir.path()), whole);
    }

    #[test]
    fn records_that_end_with_a_chunk_are_followed_by_another_one() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = create(dir.path());
        // A record of this length ends 4 bytes before the chunk does, where the end still fits, or after that.
        for missing in [5, 4, 3, 0] {
            let room = CHUNK - journal.end() % CHUNK - missing;
            let cursor = vec![1; usize::try_from(room).unwrap() - RECORD_HEAD - 4];
            journal.append(&[], Some(&cursor)).unwrap();
            assert_eq!(journal.end() % CHUNK, (CHUNK - missing) % CHUNK);
            assert_eq!(journal.length, journal.end().next_multiple_of(CHUNK) + u64::from(missing < 4) * CHUNK);
            assert_eq!(state(dir.path()).cursor, Some(cursor));
            journal.append(&[], Some(b"on")).unwrap();
            assert_eq!(state(dir.path()).cursor.as_deref(), Some(&b"on"[..]));
        }
    }

    proptest! {
        #[test]
        fn a_flipped_bit_is_noticed(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let dir = tempfile::tempdir().unwrap();
            let mut journal = create(dir.path());
            append(&mut journal, 5..20);
            let mut bytes = fs::read(&journal.path).unwrap();
            // All of the records, and some of the zeros behind them.
            let at = at.index(usize::try_from(journal.end()).unwrap() + 100);
            bytes[at] ^= 1 << bit;
            fs::write(&journal.path, &bytes).unwrap();
            prop_assert!(Journal::open(dir.path()).is_err());
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut journal = header(ID, Sequence::default(), Sequence::default());
            journal.extend(bytes);
            let _ = parse(&journal);
        }
    }
}
