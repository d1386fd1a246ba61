//! The line in front of each chunk: `SIZE;chunk-signature=SIGNATURE`, the size in hex.

use super::super::error::Error;

/// The longest such line, with its end. AWS's own need about 90 bytes.
pub(super) const MAX_LINE_BYTES: usize = 256;

/// A parsed line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ChunkLine {
    pub size: u64,
    pub signature: Option<String>,
}

impl ChunkLine {
    /// Parses a line with its CRLF. Extensions other than the signature are ignored (RFC 9112 section 7.1.1).
    pub fn parse(line: &[u8]) -> Result<Self, Error> {
        let line = line.strip_suffix(b"\r\n").ok_or(Error::MalformedChunk("a line does not end in CR LF"))?;
        let line = std::str::from_utf8(line).map_err(|_| Error::MalformedChunk("a line is not text"))?;
        let mut parts = line.split(';');
        let size = size(parts.next().unwrap_or_default())?;
        let mut signature = None;
        for extension in parts {
            if let Some(value) = extension.trim().strip_prefix("chunk-signature=")
                && signature.replace(value.to_owned()).is_some()
            {
                return Err(Error::MalformedChunk("a chunk has two signatures"));
            }
        }
        Ok(Self { size, signature })
    }
}

/// At least one hex digit, and nothing but hex digits: no sign, no prefix, no space.
fn size(digits: &str) -> Result<u64, Error> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Error::MalformedChunk("a chunk's size is not a hexadecimal number"));
    }
    u64::from_str_radix(digits, 16).map_err(|_| Error::MalformedChunk("a chunk's size is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_a_size_and_perhaps_a_signature() {
        for (line, size, signature) in [
            ("0\r\n", 0, None),
            ("00fF;a=1;b\r\n", 255, None),
            ("10000;chunk-signature=ab\r\n", 65_536, Some("ab")),
            ("ffffffffffffffff; chunk-signature=;x\r\n", u64::MAX, Some("")),
        ] {
            let signature = signature.map(str::to_owned);
            assert_eq!(ChunkLine::parse(line.as_bytes()).unwrap(), ChunkLine { size, signature });
        }
    }

    #[test]
    fn anything_else_is_malformed() {
        for line in [
            &b"\r\n"[..],
            b"0\n",
            b"0",
            b"0\r\r\n",
            b"+1\r\n",
            b"0x1\r\n",
            b" 1\r\n",
            b"1 \r\n",
            b";chunk-signature=ab\r\n",
            b"10000000000000000\r\n",
            b"1;chunk-signature=a;chunk-signature=a\r\n",
            b"1;\xff\r\n",
        ] {
            assert!(matches!(ChunkLine::parse(line), Err(Error::MalformedChunk(_))), "{line:?}");
        }
    }
}
