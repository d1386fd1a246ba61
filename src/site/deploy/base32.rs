//! Base32 (RFC 4648 section 6) in lower case and without padding, as labels of host names can carry it.

pub const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Whether this is one of the 32 characters.
pub fn is_digit(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'2'..=b'7')
}

/// The character of the five low bits.
pub fn digit(five_bits: u8) -> char {
    char::from(ALPHABET[usize::from(five_bits & 31)])
}

/// Gives the first `count` characters of the encoding of `bytes`, or all where there are fewer.
pub fn encode(bytes: &[u8], count: usize) -> String {
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
    let digits = (bytes.len() * 8).div_ceil(5).min(count);
    (0..digits).map(|place| digit((0..5).fold(0, |digit, offset| digit << 1 | bit(place * 5 + offset)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc_come_out() {
        for (bytes, text) in
            [("", ""), ("f", "my"), ("fo", "mzxq"), ("foo", "mzxw6"), ("foob", "mzxw6yq"), ("foobar", "mzxw6ytboi")]
        {
            assert_eq!(encode(bytes.as_bytes(), usize::MAX), text);
        }
        assert_eq!(encode(b"foobar", 3), "mzx");
        assert!(ALPHABET.iter().all(|byte| is_digit(*byte)) && !is_digit(b'1') && !is_digit(b'8') && !is_digit(b'A'));
    }
}
