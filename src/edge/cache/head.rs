//! The headers of a stored response: one flat block of bytes, which header maps are made of without copying a value.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Bytes of the number of headers, and of each header's two lengths.
const COUNT: usize = 2;
const LENGTHS: usize = 8;

/// Room for what is added to a stored response's headers: `Age`, `Cache-Status`, `Via`, `Date`, `Connection` and the like.
const SPARE: usize = 8;

/// Headers in the order in which they came: their number, the lengths of each one's name and value, then names (in lower
/// case) and values one after another. Clones share the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadBlock(Bytes);

/// Bytes that are not a block of headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored headers are malformed")]
pub struct MalformedHead;

/// A response has more headers than a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the response has too many headers")]
pub struct TooManyHeaders;

impl HeadBlock {
    /// # Errors
    /// [`TooManyHeaders`] above 65,535 of them or 4 GiB, which no origin's head may reach.
    pub fn new(headers: &HeaderMap) -> Result<Self, TooManyHeaders> {
        let count = u16::try_from(headers.len()).map_err(|_| TooManyHeaders)?;
        let text: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        let length = COUNT + headers.len() * LENGTHS + text;
        u32::try_from(length).map_err(|_| TooManyHeaders)?;
        let mut block = Vec::with_capacity(length);
        block.extend(count.to_le_bytes());
        for (name, value) in headers {
            block.extend(length_bytes(name.as_str().len()));
            block.extend(length_bytes(value.len()));
        }
        for (name, value) in headers {
            block.extend(name.as_str().as_bytes());
            block.extend(value.as_bytes());
        }
        Ok(Self(block.into()))
    }

    /// Takes a block from where it was kept.
    ///
    /// # Errors
    /// [`MalformedHead`] where the lengths do not fit the bytes, or a name or value is none.
    pub(super) fn from_bytes(bytes: Bytes) -> Result<Self, MalformedHead> {
        let count = bytes.first_chunk().map(|count| usize::from(u16::from_le_bytes(*count))).ok_or(MalformedHead)?;
        let table = bytes.get(COUNT..COUNT + count * LENGTHS).ok_or(MalformedHead)?;
        let text: u64 = table.chunks_exact(4).map(|length| u64::from(read_u32(length))).sum();
        if (COUNT + table.len()) as u64 + text != bytes.len() as u64 {
            return Err(MalformedHead);
        }
        let block = Self(bytes);
        let valid = |(name, value): (&[u8], Bytes)| {
            HeaderName::from_bytes(name).is_ok() && HeaderValue::from_maybe_shared(value).is_ok()
        };
        if block.iter().all(valid) { Ok(block) } else { Err(MalformedHead) }
    }

    /// Puts a body behind the block, in the same memory: two allocations less for each small response, and nothing kept of
    /// what the body was a slice of.
    pub(super) fn joined_with(&self, body: &Bytes) -> (Self, Bytes) {
        let mut both = Vec::with_capacity(self.0.len() + body.len());
        both.extend_from_slice(&self.0);
        both.extend_from_slice(body);
        let mut block = Bytes::from(both);
        let body = block.split_off(self.0.len());
        (Self(block), body)
    }

    /// The headers, with room for a few more. Values are slices of the block.
    pub fn to_headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(self.len() + SPARE);
        for (name, value) in self.iter() {
            // Always so: blocks are made of headers, or checked when they are read.
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_maybe_shared(value)) {
                headers.append(name, value);
            }
        }
        headers
    }

    /// Where the first value of this header is in the block.
    pub(super) fn find(&self, name: &HeaderName) -> Option<std::ops::Range<usize>> {
        let mut at = self.text_start();
        for (name_length, value_length) in self.lengths() {
            let value = at + name_length;
            if self.0[at..value] == *name.as_str().as_bytes() {
                return Some(value..value + value_length);
            }
            at = value + value_length;
        }
        None
    }

    /// The first value of this header.
    pub fn get(&self, name: &HeaderName) -> Option<&[u8]> {
        self.find(name).map(|range| &self.0[range])
    }

    /// The number of headers.
    pub fn len(&self) -> usize {
        self.0.first_chunk().map_or(0, |count| usize::from(u16::from_le_bytes(*count)))
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The block as it is kept.
    pub(super) fn bytes(&self) -> &Bytes {
        &self.0
    }

    fn iter(&self) -> impl Iterator<Item = (&[u8], Bytes)> {
        let mut at = self.text_start();
        self.lengths().map(move |(name_length, value_length)| {
            let value = at + name_length;
            let end = value + value_length;
            let header = (&self.0[at..value], self.0.slice(value..end));
            at = end;
            header
        })
    }

    fn lengths(&self) -> impl Iterator<Item = (usize, usize)> {
        let table = &self.0[COUNT..self.text_start()];
        table.chunks_exact(LENGTHS).map(|pair| (read_u32(&pair[..4]) as usize, read_u32(&pair[4..]) as usize))
    }

    fn text_start(&self) -> usize {
        COUNT + self.len() * LENGTHS
    }
}

/// A length that was found to be below 4 GiB.
fn length_bytes(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

/// The number in the first four bytes.
fn read_u32(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers() -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.append("etag", HeaderValue::from_static("\"a\""));
        headers.append("x-own", HeaderValue::from_static(""));
        headers.append("link", HeaderValue::from_static("one"));
        headers.append("link", HeaderValue::from_static("two"));
        headers
    }

    #[test]
    fn headers_come_back_with_their_order_and_repetitions() {
        let block = HeadBlock::new(&headers()).unwrap();
        assert_eq!(block.to_headers(), headers());
        assert_eq!(block.get(&http::header::ETAG), Some(&b"\"a\""[..]));
        assert_eq!(block.get(&http::header::LINK), Some(&b"one"[..]));
        assert_eq!(block.get(&http::header::AGE), None);
        assert_eq!((block.len(), HeadBlock::new(&HeaderMap::new()).unwrap().is_empty()), (4, true));
    }

    #[test]
    fn values_are_slices_of_the_block() {
        let block = HeadBlock::new(&headers()).unwrap();
        let range = block.bytes().as_ptr_range();
        for value in block.to_headers().values().filter(|value| !value.is_empty()) {
            assert!(range.contains(&value.as_bytes().as_ptr()));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_block_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(block) = HeadBlock::from_bytes(bytes.into()) {
                prop_assert_eq!(block.to_headers().len(), block.len());
            }
        }

        #[test]
        fn a_block_with_a_flipped_byte_is_read_without_harm(at in 0_usize..60, bit in 0_u8..8) {
            let mut bytes = HeadBlock::new(&headers()).unwrap().bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            if let Ok(block) = HeadBlock::from_bytes(bytes.into()) {
                block.to_headers();
            }
        }
    }
}
