//! Reading a blob: whole blocks, verified, and then the part that was asked for.

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rustix::fs::{Advice, fadvise};
use tokio::task::spawn_blocking;

use super::super::{BLOCK_BYTES, Footer, FooterError, footer_bytes};
use super::buffers::{BUFFER_BYTES, Buffer};
use super::pack::Place;
use super::{BlobReader, BlobRef, Error, Shared, blocking, cached};

/// How far the disk is kept ahead of a reader whose blob is not in the page cache.
const READ_AHEAD_BYTES: u64 = 4 << 20;

pub(super) struct FileReader {
    shared: Arc<Shared>,
    blob: BlobRef,
    place: Arc<Place>,
    /// Known from the first call of `next` on.
    footer: Option<Arc<Footer>>,
    position: u64,
    end: u64,
    /// Up to where the kernel was asked to read ahead; 0 as long as everything was in memory.
    ahead: u64,
}

/// The whole blocks to read next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    start: u64,
    end: u64,
}

impl FileReader {
    pub(super) async fn open(shared: Arc<Shared>, blob: BlobRef, range: Range<u64>) -> Result<Self, Error> {
        let place = match Place::open(&shared.layout, blob.id, cached::open) {
            Ok(place) => place,
            Err(_) => {
                let shared = shared.clone();
                blocking(move || open(&shared, blob)).await?
            }
        };
        if !place.has_room_for(&blob)? {
            tracing::error!(blob = %blob.id, length = blob.length, "a blob's file has the wrong size");
            return Err(Error::Corrupt(blob.id));
        }
        let end = range.end.min(blob.length);
        let position = range.start.min(end);
        Ok(Self { shared, blob, place: Arc::new(place), footer: None, position, end, ahead: 0 })
    }

    async fn footer(&mut self) -> Result<Arc<Footer>, Error> {
        if let Some(footer) = &self.footer {
            return Ok(footer.clone());
        }
        let footer = match self.shared.footers.get(&self.blob) {
            Some(footer) => footer,
            None => self.load_footer().await?,
        };
        self.footer = Some(footer.clone());
        Ok(footer)
    }

    async fn load_footer(&self) -> Result<Arc<Footer>, Error> {
        let blob = self.blob;
        // The file has this size, so that a footer is no longer than what was once written.
        let mut encoded = vec![0; footer_bytes(blob.length) as usize];
        let have = self.place.read_cached(&mut encoded, blob.length);
        if have < encoded.len() {
            let place = self.place.clone();
            encoded = blocking(move || {
                read_exact(&place, &mut encoded[have..], blob.length + have as u64, blob)?;
                Ok(encoded)
            })
            .await?;
        }
        let footer = match Footer::decode(&encoded, &blob) {
            Ok(footer) => footer,
            Err(error) => return Err(self.misses(error).await),
        };
        let footer = Arc::new(footer);
        self.shared.footers.keep(blob.id, footer.clone());
        Ok(footer)
    }

    /// What it means that the blob's footer is not there.
    async fn misses(&self, error: FooterError) -> Error {
        let (place, id) = (self.place.clone(), self.blob.id);
        if let Ok(true) = blocking(move || Ok(place.is_hole())).await {
            return Error::Missing(id);
        }
        tracing::error!(blob = %id, %error, "a blob is corrupt");
        Error::Corrupt(id)
    }

    /// Gives the window's bytes as they are in the file, verified.
    async fn load(&mut self, window: Window, footer: Arc<Footer>) -> Result<Buffer, Error> {
        let blob = self.blob;
        let mut buffer = self.shared.buffers.lend(window.length());
        let have = self.place.read_cached(buffer.bytes_mut(), window.start);
        if have == window.length() {
            self.keep_ahead(window.end);
            verify(&footer, window, buffer.bytes(), blob)?;
            return Ok(buffer);
        }
        let place = self.place.clone();
        let ahead = self.begin_ahead(window);
        blocking(move || {
            read_ahead(&place, ahead);
            read_exact(&place, &mut buffer.bytes_mut()[have..], window.start + have as u64, blob)?;
            verify(&footer, window, buffer.bytes(), blob)?;
            Ok(buffer)
        })
        .await
    }

    /// Gives what to read ahead after the page cache missed a part of `window`.
    fn begin_ahead(&mut self, window: Window) -> Range<u64> {
        let from = self.ahead.max(window.start);
        let to = self.end.min(window.start.saturating_add(READ_AHEAD_BYTES)).max(from);
        self.ahead = to;
        from..to
    }

    /// Once the page cache has missed, keeps the disk at least half the read-ahead in front of `position`.
    fn keep_ahead(&mut self, position: u64) {
        if self.ahead == 0 || self.ahead >= self.end || self.ahead >= position.saturating_add(READ_AHEAD_BYTES / 2) {
            return;
        }
        let from = self.ahead.max(position);
        let to = self.end.min(position.saturating_add(READ_AHEAD_BYTES)).max(from);
        self.ahead = to;
        let place = self.place.clone();
        // Nobody waits for it: it only makes the next reads find their pages.
        drop(spawn_blocking(move || read_ahead(&place, from..to)));
    }
}

#[async_trait]
impl BlobReader for FileReader {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let footer = self.footer().await?;
        if self.position == self.end {
            return Ok(None);
        }
        let window = Window::at(self.position, self.end, self.blob.length);
        let buffer = self.load(window, footer).await?;
        let stop = window.end.min(self.end);
        let bytes = buffer.freeze((self.position - window.start) as usize..(stop - window.start) as usize);
        self.position = stop;
        Ok(Some(bytes))
    }
}

impl Window {
    /// The blocks around `position`, as many as are wanted (up to `end`, in a blob of `length` bytes) and fit a buffer.
    fn at(position: u64, end: u64, length: u64) -> Self {
        let start = position - position % BLOCK_BYTES;
        let end = end.min(start.saturating_add(BUFFER_BYTES));
        Self { start, end: end.checked_next_multiple_of(BLOCK_BYTES).unwrap_or(length).min(length) }
    }

    fn length(self) -> usize {
        (self.end - self.start) as usize
    }
}

fn open(shared: &Shared, blob: BlobRef) -> Result<Place, Error> {
    Place::open(&shared.layout, blob.id, |path| File::open(path)).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::Missing(blob.id),
        _ => error.into(),
    })
}

fn read_exact(place: &Place, buffer: &mut [u8], offset: u64, blob: BlobRef) -> Result<(), Error> {
    place.read_exact(buffer, offset).map_err(|error| match error.kind() {
        // It was long enough when it was opened.
        io::ErrorKind::UnexpectedEof => Error::Corrupt(blob.id),
        _ => error.into(),
    })
}

fn verify(footer: &Footer, window: Window, bytes: &[u8], blob: BlobRef) -> Result<(), Error> {
    if footer.vouches_for(window.start / BLOCK_BYTES, bytes) {
        return Ok(());
    }
    tracing::error!(blob = %blob.id, start = window.start, end = window.end, "a blob is corrupt");
    Err(Error::Corrupt(blob.id))
}

/// Asks the kernel to read a part of the body into the page cache. A refusal costs time only.
fn read_ahead(place: &Place, range: Range<u64>) {
    if let Some(length) = NonZeroU64::new(range.end - range.start) {
        let _ = fadvise(&place.file, place.start + range.start, Some(length), Advice::WillNeed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_whole_blocks_or_ends_with_the_blob() {
        let at = |position, end, length| {
            let window = Window::at(position, end, length);
            (window.start, window.end)
        };
        assert_eq!(at(0, 1, 10), (0, 10));
        assert_eq!(at(BLOCK_BYTES - 1, BLOCK_BYTES, 3 * BLOCK_BYTES), (0, BLOCK_BYTES));
        assert_eq!(at(BLOCK_BYTES - 1, BLOCK_BYTES + 1, 3 * BLOCK_BYTES), (0, 2 * BLOCK_BYTES));
        assert_eq!(at(BLOCK_BYTES + 5, u64::MAX, u64::MAX), (BLOCK_BYTES, BLOCK_BYTES + BUFFER_BYTES));
        assert_eq!(at(u64::MAX - 1, u64::MAX, u64::MAX), (u64::MAX - u64::MAX % BLOCK_BYTES, u64::MAX));
    }
}
