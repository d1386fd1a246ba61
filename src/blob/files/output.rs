//! Writing a file from front to back, past the page cache where that pays. Everything here blocks.

use std::fs::File;
use std::io::{self, ErrorKind, Write};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use super::super::WRITE_ALIGNMENT;

/// Files from this size on are written past the page cache, as far as the pieces are aligned.
///
/// They are synced before anybody may read them, so the cache would only be in the way: it costs a copy of every byte, and
/// pages that other readers could use. Smaller ones are likely to be read soon.
const DIRECT_BYTES: u64 = 1 << 20;

/// A file and how it is written.
#[derive(Debug)]
pub(super) struct Output {
    file: File,
    /// Whether writes bypass the page cache. Never again, once a piece came that cannot.
    direct: bool,
    position: u64,
}

impl Output {
    /// Begins to write an empty file, of which `length` bytes are expected. Falls back to the page cache where the file
    /// system does not allow to bypass it.
    pub(super) fn new(file: File, length: Option<u64>) -> Self {
        let wanted = length.is_some_and(|length| length >= DIRECT_BYTES);
        let direct = wanted && set_direct(&file, true).is_ok();
        Self { file, direct, position: 0 }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Adds bytes at the end. After an error there may be some of them.
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let piece = match self.direct {
                true => aligned_start(bytes, self.position),
                false => bytes,
            };
            if piece.is_empty() {
                self.use_page_cache()?;
                continue;
            }
            match self.file.write(piece) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.position += written as u64;
                    bytes = &bytes[written..];
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // This disk wants more than the usual alignment.
                Err(error) if self.direct && error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
                    self.use_page_cache()?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn use_page_cache(&mut self) -> io::Result<()> {
        set_direct(&self.file, false)?;
        self.direct = false;
        Ok(())
    }
}

/// As much of the start of `bytes` as a disk can take from where it lies in memory: nothing, if that is not aligned.
fn aligned_start(bytes: &[u8], position: u64) -> &[u8] {
    let aligned = bytes.as_ptr().align_offset(WRITE_ALIGNMENT) == 0 && position.is_multiple_of(WRITE_ALIGNMENT as u64);
    let length = if aligned { bytes.len() - bytes.len() % WRITE_ALIGNMENT } else { 0 };
    &bytes[..length]
}

fn set_direct(file: &File, direct: bool) -> io::Result<()> {
    let mut flags = fcntl_getfl(file)?;
    flags.set(OFlags::DIRECT, direct);
    Ok(fcntl_setfl(file, flags)?)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use proptest::prelude::*;

    use super::*;

    /// Memory with an aligned start.
    fn aligned(bytes: &[u8]) -> (Vec<u8>, usize) {
        let mut memory = vec![0; bytes.len() + WRITE_ALIGNMENT];
        let start = memory.as_ptr().align_offset(WRITE_ALIGNMENT);
        memory[start..start + bytes.len()].copy_from_slice(bytes);
        (memory, start)
    }

    fn contents(mut output: Output) -> Vec<u8> {
        let mut read = Vec::new();
        output.use_page_cache().unwrap();
        output.file.rewind().unwrap();
        output.file.read_to_end(&mut read).unwrap();
        read
    }

    proptest! {
        #[test]
        fn a_file_has_what_was_written_whatever_the_pieces(
            pieces in proptest::collection::vec((0..4usize, 0..3usize, any::<u8>()), 0..8),
        ) {
            // Where that is memory, nothing bypasses the page cache; what must hold is the same.
            let file = tempfile::tempfile().unwrap();
            let mut output = Output::new(file, Some(DIRECT_BYTES));
            let mut expected = Vec::new();
            for (blocks, more, byte) in pieces {
                let piece = vec![byte; blocks * WRITE_ALIGNMENT + more];
                let (memory, start) = aligned(&piece);
                output.write(&memory[start..start + piece.len()]).unwrap();
                expected.extend(piece);
            }
            prop_assert_eq!(contents(output), expected);
        }
    }

    #[test]
    fn only_what_is_aligned_bypasses_the_page_cache_and_small_files_never_do() {
        let whole = vec![7; 2 * WRITE_ALIGNMENT];
        let (memory, start) = aligned(&whole);
        assert_eq!(aligned_start(&memory[start..start + whole.len()], 0).len(), whole.len());
        assert_eq!(aligned_start(&memory[start..start + WRITE_ALIGNMENT + 1], 0).len(), WRITE_ALIGNMENT);
        assert!(aligned_start(&memory[start + 1..start + whole.len()], 0).is_empty());
        assert!(aligned_start(&memory[start..start + whole.len()], 512).is_empty());
        let small = Output::new(tempfile::tempfile().unwrap(), Some(DIRECT_BYTES - 1));
        assert!(!small.direct);
        assert!(!Output::new(tempfile::tempfile().unwrap(), None).direct);
    }
}
