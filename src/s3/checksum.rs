//! Checksums in headers, trailers and XML.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::error::{Code, S3Error};
use crate::http::head::Headers;
use crate::store::checksum::{Algorithm, Checksum, ChecksumType};

/// What a request says about the checksum of its body.
#[derive(Debug, Clone, Default)]
pub struct Claimed {
    /// The algorithm to compute: that of the value, or the one named for later.
    pub algorithm: Option<Algorithm>,
    /// The value, where it came in a header.
    pub value: Option<Checksum>,
    /// The trailer that will bring the value.
    pub trailer: Option<&'static str>,
}

/// The header or trailer of an algorithm's value.
pub const fn header(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Crc32 => "x-amz-checksum-crc32",
        Algorithm::Crc32c => "x-amz-checksum-crc32c",
        Algorithm::Crc64Nvme => "x-amz-checksum-crc64nvme",
        Algorithm::Sha1 => "x-amz-checksum-sha1",
        Algorithm::Sha256 => "x-amz-checksum-sha256",
    }
}

/// The XML element of an algorithm's value.
pub const fn element(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Crc32 => "ChecksumCRC32",
        Algorithm::Crc32c => "ChecksumCRC32C",
        Algorithm::Crc64Nvme => "ChecksumCRC64NVME",
        Algorithm::Sha1 => "ChecksumSHA1",
        Algorithm::Sha256 => "ChecksumSHA256",
    }
}

/// A value as headers and XML show it.
pub fn show(checksum: &Checksum) -> String {
    let value = BASE64.encode(&checksum.value);
    match checksum.parts {
        Some(parts) => format!("{value}-{parts}"),
        None => value,
    }
}

/// Parses a shown value; composite ones end in `-` and the number of parts.
pub fn parse(algorithm: Algorithm, text: &str) -> Option<Checksum> {
    let (encoded, parts) = match text.rsplit_once('-') {
        Some((encoded, parts)) => (encoded, Some(parts.parse().ok()?)),
        None => (text, None),
    };
    let value = BASE64.decode(encoded).ok()?;
    (value.len() == algorithm.length()).then_some(Checksum { algorithm, value, parts })
}

/// The value in the headers, if there is one: at most one, and a valid one.
pub fn in_headers(headers: &Headers) -> Result<Option<Checksum>, S3Error> {
    let mut found = None;
    for algorithm in Algorithm::ALL {
        let name = header(algorithm);
        let Some(text) = headers.text(name)? else { continue };
        if found.is_some() {
            return Err(several());
        }
        found = Some(parse(algorithm, text).ok_or_else(|| invalid_value(name))?);
    }
    Ok(found)
}

/// What the headers claim, with the names of the trailers that are to come.
pub fn claimed(headers: &Headers, trailers: &[String]) -> Result<Claimed, S3Error> {
    let value = in_headers(headers)?;
    if let Some(composite) = value.as_ref().filter(|value| value.parts.is_some()) {
        return Err(invalid_value(header(composite.algorithm)));
    }
    let mut trailer = None;
    for name in trailers {
        let algorithm = Algorithm::ALL.into_iter().find(|algorithm| header(*algorithm) == name);
        let algorithm = algorithm.ok_or_else(|| {
            S3Error::with_message(
                Code::InvalidRequest,
                "The value specified in the x-amz-trailer header is not supported",
            )
        })?;
        if value.is_some() || trailer.replace(algorithm).is_some() {
            return Err(several());
        }
    }
    let named = sdk_algorithm(headers)?;
    let algorithm = value.as_ref().map(|value| value.algorithm).or(trailer);
    match (named, algorithm) {
        (Some(named), Some(given)) if named != given => Err(S3Error::with_message(
            Code::InvalidRequest,
            "Value for x-amz-sdk-checksum-algorithm header is invalid.",
        )),
        (Some(_), None) => Err(S3Error::with_message(
            Code::InvalidRequest,
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
        )),
        _ => Ok(Claimed { algorithm, value, trailer: trailer.map(header) }),
    }
}

/// The algorithm that `x-amz-checksum-algorithm` asks for, with the type that `x-amz-checksum-type` gives it.
pub fn wanted(headers: &Headers) -> Result<Option<(Algorithm, ChecksumType)>, S3Error> {
    let algorithm = match headers.text("x-amz-checksum-algorithm")? {
        Some(text) => Some(Algorithm::parse(text).ok_or_else(unsupported)?),
        None => None,
    };
    let named = checksum_type(headers)?;
    let Some(algorithm) = algorithm else {
        return match named {
            Some(_) => Err(S3Error::with_message(
                Code::InvalidRequest,
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )),
            None => Ok(None),
        };
    };
    let checksum_type = named.unwrap_or(algorithm.default_type());
    if !algorithm.allows(checksum_type) {
        let message = format!(
            "The {} checksum type cannot be used with the {} checksum algorithm.",
            checksum_type.as_str(),
            algorithm.as_str().to_ascii_lowercase()
        );
        return Err(S3Error::with_message(Code::InvalidRequest, message));
    }
    Ok(Some((algorithm, checksum_type)))
}

/// The value of `x-amz-checksum-type`.
pub fn checksum_type(headers: &Headers) -> Result<Option<ChecksumType>, S3Error> {
    let Some(text) = headers.text("x-amz-checksum-type")? else { return Ok(None) };
    let invalid = || S3Error::with_message(Code::InvalidRequest, "Value for x-amz-checksum-type header is invalid.");
    ChecksumType::parse(text).map(Some).ok_or_else(invalid)
}

pub fn invalid_value(name: &str) -> S3Error {
    S3Error::with_message(Code::InvalidRequest, format!("Value for {name} header is invalid."))
}

fn sdk_algorithm(headers: &Headers) -> Result<Option<Algorithm>, S3Error> {
    match headers.text("x-amz-sdk-checksum-algorithm")? {
        Some(text) => Algorithm::parse(text).map(Some).ok_or_else(unsupported),
        None => Ok(None),
    }
}

fn unsupported() -> S3Error {
    S3Error::with_message(
        Code::InvalidRequest,
        "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
    )
}

fn several() -> S3Error {
    S3Error::with_message(
        Code::InvalidRequest,
        "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> Headers {
        fields.iter().map(|(name, value)| (*name, *value)).collect()
    }

    #[test]
    fn values_are_shown_as_they_are_parsed() {
        for text in ["NSRBwg==", "NSRBwg==-12"] {
            assert_eq!(show(&parse(Algorithm::Crc32, text).unwrap()), text);
        }
        for text in ["", "NSRBwg", "NSRBwg==-", "NSRBwg==-70000", "AAAAAAAAAAA="] {
            assert_eq!(parse(Algorithm::Crc32, text), None, "{text}");
        }
    }

    #[test]
    fn one_checksum_is_claimed_in_a_header_or_in_a_trailer() {
        let crc32 = ("x-amz-checksum-crc32", "NSRBwg==");
        let claim = claimed(&headers(&[crc32, ("x-amz-sdk-checksum-algorithm", "CRC32")]), &[]).unwrap();
        assert_eq!((claim.algorithm, claim.value.is_some()), (Some(Algorithm::Crc32), true));
        let trailer = ["x-amz-checksum-sha1".to_owned()];
        assert_eq!(claimed(&headers(&[]), &trailer).unwrap().trailer, Some("x-amz-checksum-sha1"));
        assert!(claimed(&headers(&[crc32]), &trailer).is_err());
        assert!(claimed(&headers(&[crc32, ("x-amz-checksum-crc32c", "NSRBwg==")]), &[]).is_err());
        assert!(claimed(&headers(&[("x-amz-checksum-crc32", "!")]), &[]).is_err());
        assert!(claimed(&headers(&[("x-amz-sdk-checksum-algorithm", "CRC32")]), &[]).is_err());
    }

    #[test]
    fn types_go_with_their_algorithms_only() {
        let wanted = |algorithm, checksum_type| {
            wanted(&headers(&[("x-amz-checksum-algorithm", algorithm), ("x-amz-checksum-type", checksum_type)]))
        };
        assert!(wanted("CRC32", "FULL_OBJECT").is_ok());
        assert!(wanted("SHA256", "COMPOSITE").is_ok());
        assert!(wanted("SHA256", "FULL_OBJECT").is_err());
        assert!(wanted("CRC64NVME", "COMPOSITE").is_err());
        assert!(wanted("MD5", "COMPOSITE").is_err());
    }
}
