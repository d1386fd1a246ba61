//! A file's bytes, read once: their hash, their number and what they are.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use aws_lc_rs::digest::{Context, SHA256};

use crate::client::{FileBody, MAX_FILE_BYTES};
use crate::http::mime;
use crate::site::deploy::{ContentType, FilePath};

/// How many bytes are read at a time.
const BUFFER_BYTES: usize = 256 * 1024;

/// A file that was read.
pub struct Hashed {
    pub path: FilePath,
    pub body: FileBody,
    pub content_type: ContentType,
}

/// Reads the file at `source`. Blocks. The fault names the file.
pub fn hash(path: FilePath, source: PathBuf) -> Result<Hashed, String> {
    let fault = |why: &dyn std::fmt::Display| format!("{path}: {why}");
    let mut file = File::open(&source).map_err(|error| fault(&error))?;
    let (mut context, mut size, mut text) = (Context::new(&SHA256), 0, Utf8::default());
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = file.read(&mut buffer).map_err(|error| fault(&error))?;
        if read == 0 {
            break;
        }
        size += read as u64;
        if size > MAX_FILE_BYTES {
            return Err(fault(&format!("it has more than {MAX_FILE_BYTES} bytes")));
        }
        context.update(&buffer[..read]);
        text.read(&buffer[..read]);
    }
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(context.finish().as_ref());
    let content_type = mime::of_file(path.as_str(), text.is_valid());
    let content_type = ContentType::parse(content_type).map_err(|error| fault(&error))?;
    Ok(Hashed { body: FileBody { path: source, size, sha256 }, content_type, path })
}

/// Whether bytes that come in pieces are UTF-8.
#[derive(Default)]
struct Utf8 {
    broken: bool,
    /// The beginning of a character whose end is in the next piece.
    begun: Vec<u8>,
}

impl Utf8 {
    fn read(&mut self, piece: &[u8]) {
        if self.broken {
            return;
        }
        let joined;
        let bytes = match self.begun.is_empty() {
            true => piece,
            false => {
                joined = [&self.begun, piece].concat();
                &joined
            }
        };
        let begun = match std::str::from_utf8(bytes) {
            Ok(_) => Vec::new(),
            Err(error) if error.error_len().is_none() => bytes[error.valid_up_to()..].to_vec(),
            Err(_) => {
                self.broken = true;
                Vec::new()
            }
        };
        self.begun = begun;
    }

    fn is_valid(&self) -> bool {
        !self.broken && self.begun.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bytes of which many sequences are characters, and many are not.
    fn byte() -> impl Strategy<Value = u8> {
        prop::sample::select(b"a\xc3\xa9\xe6\x97\xa5\xf0\xff".to_vec())
    }

    proptest! {
        #[test]
        fn pieces_are_judged_as_the_whole(bytes in prop::collection::vec(byte(), 0..24), cut in 1_usize..6) {
            let mut text = Utf8::default();
            bytes.chunks(cut).for_each(|piece| text.read(piece));
            prop_assert_eq!(text.is_valid(), std::str::from_utf8(&bytes).is_ok());
        }
    }
}
