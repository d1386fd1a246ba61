//! Percent-encoding (RFC 3986 section 2.1), query strings, and the URL encoding of S3's listings.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// What S3 escapes in listings: all but letters, digits, `-`, `_`, `.`, `*` and `/`. The space is kept here, as it
/// becomes a `+`.
const LISTING: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/').remove(b' ');

/// All but the unreserved characters of RFC 3986 section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A `%` that is not followed by two hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a % is not followed by two hexadecimal digits")]
pub struct InvalidEscape;

/// One parameter of a query string, still encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter<'q> {
    pub name: &'q str,
    /// `None` for a bare name (`?uploads`), empty for `?uploads=`.
    pub value: Option<&'q str>,
}

/// Decodes escapes; `+` stays. The bytes need not be UTF-8.
pub fn decode(text: &str) -> Result<Cow<'_, [u8]>, InvalidEscape> {
    check_escapes(text)?;
    Ok(decode_lenient(text))
}

/// Decodes escapes and leaves a `%` that begins none as it is; `+` stays. The bytes need not be UTF-8.
pub fn decode_lenient(text: &str) -> Cow<'_, [u8]> {
    percent_decode_str(text).into()
}

/// Decodes a name or value of a query string, where `+` is a space.
pub fn decode_query(text: &str) -> Result<Cow<'_, [u8]>, InvalidEscape> {
    check_escapes(text)?;
    if !text.contains('+') {
        return Ok(decode_lenient(text));
    }
    // The escape `%2B` only becomes a plus after the pluses have become spaces.
    let spaced = text.replace('+', " ");
    Ok(Cow::Owned(decode_lenient(&spaced).into_owned()))
}

/// Gives the parameters of a query string (without its question mark) in order, still encoded. Empty ones, as between
/// the ampersands of `a&&b`, are left out.
pub fn parameters(query: &str) -> impl Iterator<Item = Parameter<'_>> {
    query.split('&').filter(|part| !part.is_empty()).map(|part| match part.split_once('=') {
        Some((name, value)) => Parameter { name, value: Some(value) },
        None => Parameter { name: part, value: None },
    })
}

/// Encodes a key, prefix or delimiter as S3 does in listings with `encoding-type=url`: a space becomes `+`.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>
pub fn encode_listing(key: &str) -> Cow<'_, str> {
    let escaped: Cow<'_, str> = percent_encode(key.as_bytes(), LISTING).into();
    if escaped.contains(' ') { Cow::Owned(escaped.replace(' ', "+")) } else { escaped }
}

/// Encodes all but the unreserved characters of RFC 3986 section 2.3.
pub fn encode_component(text: &str) -> Cow<'_, str> {
    percent_encode(text.as_bytes(), RESERVED).into()
}

/// Decodes every segment of a path and encodes it again, so that every spelling of a path gives the same text. Slashes
/// stay, encoded ones encoded; a `%` that begins no escape is taken for itself.
///
/// The canonical form of a path in signatures: <https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>
pub fn recode_path(path: &str) -> String {
    let segments = path.split('/').map(|segment| percent_encode(&decode_lenient(segment), RESERVED).to_string());
    segments.collect::<Vec<_>>().join("/")
}

fn check_escapes(text: &str) -> Result<(), InvalidEscape> {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|&byte| byte == b'%') {
        match &rest[at + 1..] {
            [high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest = after,
            _ => return Err(InvalidEscape),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_become_bytes() {
        for (text, bytes) in [
            ("", b"".as_slice()),
            ("a+b", b"a+b"),
            ("a%2Fb%2fc", b"a/b/c"),
            ("%25%32%35", b"%25"),
            ("%FF%00", b"\xff\0"),
            ("%E6%97%A5", "日".as_bytes()),
        ] {
            assert_eq!(decode(text).unwrap(), bytes, "{text}");
            assert_eq!(decode_lenient(text), bytes, "{text}");
        }
    }

    #[test]
    fn broken_escapes_are_refused_or_kept() {
        for text in ["%", "a%2", "%zz", "%%41", "%4", "%é1"] {
            assert_eq!(decode(text), Err(InvalidEscape), "{text}");
            assert_eq!(decode_query(text), Err(InvalidEscape), "{text}");
        }
        assert_eq!(decode_lenient("100%.csv%2"), b"100%.csv%2".as_slice());
        assert_eq!(decode_lenient("%%41"), b"%A".as_slice());
    }

    #[test]
    fn a_plus_is_a_space_in_queries_only() {
        assert_eq!(decode_query("a+b%2Bc%20d").unwrap(), b"a b+c d".as_slice());
        assert_eq!(decode("a+b").unwrap(), b"a+b".as_slice());
    }

    #[test]
    fn bare_names_and_empty_values_stay_apart() {
        let parts: Vec<_> = parameters("uploads&delete=&a=b=c&&=x&%41=%42").collect();
        let expected =
            [("uploads", None), ("delete", Some("")), ("a", Some("b=c")), ("", Some("x")), ("%41", Some("%42"))];
        assert_eq!(parts, expected.map(|(name, value)| Parameter { name, value }));
        assert_eq!(parameters("").count(), 0);
    }

    #[test]
    fn listings_are_encoded_as_measured_on_s3() {
        for (key, encoded) in [
            ("a b.txt", "a+b.txt"),
            ("a+b.txt", "a%2Bb.txt"),
            ("100%.csv", "100%25.csv"),
            ("한글/x.txt", "%ED%95%9C%EA%B8%80/x.txt"),
            ("run books/x.txt", "run+books/x.txt"),
            ("a-b_c.d*e~f", "a-b_c.d*e%7Ef"),
            ("\u{1}\n&<>'\"", "%01%0A%26%3C%3E%27%22"),
            ("plain/key", "plain/key"),
        ] {
            assert_eq!(encode_listing(key), encoded, "{key}");
        }
    }

    #[test]
    fn components_keep_unreserved_characters_alone() {
        assert_eq!(
            encode_component("{\"a b\": [\"*~-._/+%é\"]}"),
            "%7B%22a%20b%22%3A%20%5B%22%2A~-._%2F%2B%25%C3%A9%22%5D%7D"
        );
    }

    proptest! {
        #[test]
        fn component_encoding_is_undone_by_decoding(text: String) {
            let encoded = encode_component(&text);
            prop_assert_eq!(decode(&encoded).unwrap(), text.as_bytes());
        }

        #[test]
        fn listing_encoding_is_undone_by_query_decoding(key: String) {
            let encoded = encode_listing(&key);
            prop_assert!(encoded.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.*/+%".contains(&byte)));
            prop_assert_eq!(decode_query(&encoded).unwrap(), key.as_bytes());
        }

        #[test]
        fn strict_and_lenient_decoding_agree_where_both_answer(text in "[%0-9a-fA-Fz+é]{0,20}") {
            if let Ok(bytes) = decode(&text) {
                prop_assert_eq!(bytes, decode_lenient(&text));
            }
        }

        #[test]
        fn parameters_joined_again_give_the_query(query in "[a=&%+]{0,20}") {
            let joined: Vec<String> = parameters(&query)
                .map(|Parameter { name, value }| value.map_or(name.to_owned(), |value| format!("{name}={value}")))
                .collect();
            let without_empty: Vec<&str> = query.split('&').filter(|part| !part.is_empty()).collect();
            prop_assert_eq!(joined, without_empty);
        }
    }
}
