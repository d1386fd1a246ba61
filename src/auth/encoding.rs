//! Percent-encoding as signatures want it: RFC 3986's unreserved characters stay, all else is `%XX` in upper case.

use std::borrow::Cow;

/// Appends `raw`, decoded and encoded again, so that every spelling of a path gives the same text. Raw slashes stay,
/// encoded ones stay encoded; a `%` that starts no escape is taken for itself.
pub(super) fn push_path(out: &mut Vec<u8>, raw: &str) {
    push_recoded(out, raw.as_bytes(), |byte| byte == b'/', |_| false);
}

/// Appends one name or value of a query, decoded and encoded again; `+` is a space.
pub(super) fn push_query(out: &mut Vec<u8>, raw: &str) {
    push_recoded(out, raw.as_bytes(), |_| false, |byte| byte == b'+');
}

/// Appends `text` encoded as it stands, so that an encoded text becomes doubly encoded. Slashes stay.
pub(super) fn push_encoded(out: &mut Vec<u8>, text: &str) {
    for &byte in text.as_bytes() {
        match byte {
            b'/' => out.push(byte),
            _ => push_byte(out, byte),
        }
    }
}

/// One name or value of a query, decoded; `+` is a space.
pub(super) fn decode_query(raw: &str) -> Cow<'_, [u8]> {
    if !raw.bytes().any(|byte| byte == b'%' || byte == b'+') {
        return Cow::Borrowed(raw.as_bytes());
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((byte, length)) = next_byte(rest) {
        decoded.push(if length == 1 && byte == b'+' { b' ' } else { byte });
        rest = &rest[length..];
    }
    Cow::Owned(decoded)
}

/// The parameters of a query as raw names and values; a parameter without `=` has no value. Empty pieces are skipped.
pub(super) fn query_pairs(query: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    query.split('&').filter(|piece| !piece.is_empty()).map(|piece| match piece.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (piece, None),
    })
}

/// The bytes as hex digits in lower case.
pub(super) fn lower_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

fn push_recoded(out: &mut Vec<u8>, mut raw: &[u8], keep: impl Fn(u8) -> bool, is_space: impl Fn(u8) -> bool) {
    while let Some((byte, length)) = next_byte(raw) {
        let literal = length == 1;
        match byte {
            _ if literal && keep(byte) => out.push(byte),
            _ if literal && is_space(byte) => out.extend_from_slice(b"%20"),
            _ => push_byte(out, byte),
        }
        raw = &raw[length..];
    }
}

fn push_byte(out: &mut Vec<u8>, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
        out.push(byte);
        return;
    }
    out.extend_from_slice(&[b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
}

/// The first byte of `raw`, with an escape decoded, and how many bytes stand for it.
fn next_byte(raw: &[u8]) -> Option<(u8, usize)> {
    if let [b'%', high, low, ..] = raw
        && let (Some(high), Some(low)) = (hex_value(*high), hex_value(*low))
    {
        return Some((high << 4 | low, 3));
    }
    raw.first().map(|&byte| (byte, 1))
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
    use proptest::prelude::*;

    use super::*;

    const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

    fn path(raw: &str) -> String {
        let mut out = Vec::new();
        push_path(&mut out, raw);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_spelling_of_a_path_has_one_canonical_form() {
        for (raw, canonical) in [
            ("/", "/"),
            ("/a//b/./../c", "/a//b/./../c"),
            ("/a%2fb", "/a%2Fb"),
            ("/%41%7e+*", "/A~%2B%2A"),
            ("/100%", "/100%25"),
            ("/%zz%4", "/%25zz%254"),
            ("/\u{e9}", "/%C3%A9"),
        ] {
            assert_eq!(path(raw), canonical, "{raw}");
        }
    }

    #[test]
    fn hex_is_what_the_hex_crate_makes_of_it() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(lower_hex(&bytes), hex::encode(&bytes));
    }

    #[test]
    fn queries_split_into_pairs_and_skip_nothing_but_emptiness() {
        let pairs: Vec<_> = query_pairs("&acl&b=&&c=d=e&=f&").collect();
        assert_eq!(pairs, [("acl", None), ("b", Some("")), ("c", Some("d=e")), ("", Some("f"))]);
    }

    proptest! {
        #[test]
        fn recoding_agrees_with_decoding_then_encoding(raw in "([a-z/%+ ]|%[0-9a-fA-F]{2}|\\PC){0,30}") {
            let segments: Vec<String> = raw
                .split('/')
                .map(|segment| percent_encode(&percent_decode_str(segment).collect::<Vec<u8>>(), &RESERVED).to_string())
                .collect();
            prop_assert_eq!(path(&raw), segments.join("/"));

            let plain = raw.replace('+', " ");
            let decoded: Vec<u8> = percent_decode_str(&plain).collect();
            prop_assert_eq!(decode_query(&raw).into_owned(), decoded.clone());
            let mut query = Vec::new();
            push_query(&mut query, &raw);
            prop_assert_eq!(query, percent_encode(&decoded, &RESERVED).to_string().into_bytes());
        }
    }
}
