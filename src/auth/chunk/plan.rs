//! What a request's head says about its chunks.

use crate::http::head::Head;

use super::super::error::Error;
use super::signer::ChunkSigner;

/// How a chunked body is to be decoded. Comes out of verification, goes into a [`super::ChunkDecoder`].
#[derive(Debug)]
pub struct ChunkPlan {
    pub(super) decoded_length: u64,
    /// Continues the signature of the request; `None` if chunks are not signed.
    pub(super) signer: Option<ChunkSigner>,
    /// The names that the trailer has, in lower case.
    pub(super) announced: Vec<String>,
    /// Whether the form of the payload has a trailer, be it empty.
    pub(super) has_trailer: bool,
}

/// The only fields that S3 takes in a trailer.
const CHECKSUM_PREFIX: &str = "x-amz-checksum-";

/// More than the algorithms there are.
const MAX_ANNOUNCED: usize = 16;

impl ChunkPlan {
    /// Reads `x-amz-decoded-content-length` and `x-amz-trailer`.
    pub(in super::super) fn parse(head: &Head, signer: Option<ChunkSigner>, has_trailer: bool) -> Result<Self, Error> {
        let length = head.headers.text("x-amz-decoded-content-length")?.ok_or(Error::MissingDecodedLength)?;
        let invalid = || Error::InvalidDecodedLength(length.to_owned());
        if !length.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid());
        }
        let decoded_length = length.parse().map_err(|_| invalid())?;
        let announced = match head.headers.text("x-amz-trailer")? {
            Some(names) if !names.is_empty() => announced(names, has_trailer)?,
            _ => Vec::new(),
        };
        Ok(Self { decoded_length, signer, announced, has_trailer })
    }

    /// The length of the body without its framing, in bytes, as announced; decoding fails if it is not kept.
    pub fn decoded_length(&self) -> u64 {
        self.decoded_length
    }

    /// The names of the fields that the trailer will have, in lower case: `x-amz-checksum-...`.
    pub fn announced_trailers(&self) -> &[String] {
        &self.announced
    }
}

fn announced(names: &str, has_trailer: bool) -> Result<Vec<String>, Error> {
    let unsupported = || Error::UnsupportedTrailer(names.to_owned());
    let mut announced: Vec<String> = Vec::new();
    for name in names.split(',') {
        let name = name.trim().to_ascii_lowercase();
        let known = name.strip_prefix(CHECKSUM_PREFIX).is_some_and(|rest| !rest.is_empty());
        if !has_trailer || !known || announced.contains(&name) || announced.len() == MAX_ANNOUNCED {
            return Err(unsupported());
        }
        announced.push(name);
    }
    Ok(announced)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(headers: &[(&str, &str)], has_trailer: bool) -> Result<ChunkPlan, Error> {
        let head = Head { headers: headers.iter().copied().collect(), ..Head::default() };
        ChunkPlan::parse(&head, None, has_trailer)
    }

    #[test]
    fn the_decoded_length_is_a_plain_number() {
        let length = |value| plan(&[("x-amz-decoded-content-length", value)], true);
        assert_eq!(length("18446744073709551615").unwrap().decoded_length(), u64::MAX);
        for value in ["", "-1", "+1", "0x10", "1.0", "18446744073709551616"] {
            assert!(matches!(length(value), Err(Error::InvalidDecodedLength(_))), "{value}");
        }
        assert!(matches!(plan(&[], true), Err(Error::MissingDecodedLength)));
    }

    #[test]
    fn only_checksums_can_be_announced_and_only_where_there_is_a_trailer() {
        let trailer =
            |value, has_trailer| plan(&[("x-amz-decoded-content-length", "1"), ("x-amz-trailer", value)], has_trailer);
        let names = ["x-amz-checksum-crc32", "x-amz-checksum-sha256"];
        assert_eq!(trailer("X-Amz-Checksum-CRC32, x-amz-checksum-sha256", true).unwrap().announced_trailers(), names);
        assert!(trailer("", false).is_ok());
        for value in ["x-amz-acl", "x-amz-checksum-", "x-amz-checksum-crc32,", "x-amz-checksum-a,x-amz-checksum-a"] {
            assert!(matches!(trailer(value, true), Err(Error::UnsupportedTrailer(_))), "{value}");
        }
        assert!(matches!(trailer("x-amz-checksum-crc32", false), Err(Error::UnsupportedTrailer(_))));
    }
}
