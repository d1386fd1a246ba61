//! Reading the journal that `tests/power_loss/` writes.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// One change of the watched directory, in the order in which they happened. Nodes are inode numbers.
#[derive(Debug)]
pub enum Record {
    Created {
        node: u64,
        directory: u64,
        name: String,
        mode: u32,
    },
    Made {
        node: u64,
        directory: u64,
        name: String,
        mode: u32,
    },
    Written {
        node: u64,
        offset: u64,
        bytes: Vec<u8>,
    },
    Resized {
        node: u64,
        size: u64,
    },
    Renamed {
        directory: u64,
        name: String,
        to_directory: u64,
        to_name: String,
    },
    Removed {
        directory: u64,
        name: String,
    },
    Linked {
        node: u64,
        directory: u64,
        name: String,
    },
    /// A sync that began when the journal had `begun` records ended well.
    Synced {
        node: u64,
        begun: u64,
    },
    /// One failed.
    Lost {
        node: u64,
        begun: u64,
    },
}

/// The records of a journal. A last one that a kill tore is left out: no sync had covered it.
pub struct Journal(BufReader<File>);

/// `struct record` of `power_loss.h`.
const HEAD_BYTES: usize = 56;

impl Journal {
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(BufReader::with_capacity(1 << 20, File::open(path)?)))
    }

    fn read(&mut self) -> io::Result<Record> {
        let head = self.bytes(HEAD_BYTES)?;
        let half = |at: usize| u32::from_ne_bytes(head[at..at + 4].try_into().expect("four bytes"));
        let whole = |at: usize| u64::from_ne_bytes(head[at..at + 8].try_into().expect("eight bytes"));
        let (mode, node, directory, to_directory, offset) = (half(4), whole(8), whole(16), whole(24), whole(32));
        let name = self.name(half(40))?;
        let to_name = self.name(half(44))?;
        let bytes = self.bytes(usize::try_from(whole(48)).expect("a length"))?;
        Ok(match half(0) {
            1 => Record::Created { node, directory, name, mode },
            2 => Record::Made { node, directory, name, mode },
            3 => Record::Written { node, offset, bytes },
            4 => Record::Resized { node, size: offset },
            5 => Record::Renamed { directory, name, to_directory, to_name },
            6 => Record::Removed { directory, name },
            7 => Record::Linked { node, directory, name },
            8 => Record::Synced { node, begun: offset },
            9 => Record::Lost { node, begun: offset },
            change => panic!("the journal has a change {change}"),
        })
    }

    fn name(&mut self, length: u32) -> io::Result<String> {
        let bytes = self.bytes(length as usize)?;
        Ok(String::from_utf8(bytes).expect("names are UTF-8"))
    }

    fn bytes(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

impl Iterator for Journal {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        match self.read() {
            Ok(record) => Some(record),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(error) => panic!("the journal cannot be read: {error}"),
        }
    }
}
