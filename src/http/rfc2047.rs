//! Encoded words (RFC 2047), in which S3 returns user metadata that is not plain ASCII.
//!
//! S3 reads the bytes of a metadata header as ISO-8859-1, decodes encoded words before it stores the value, and writes
//! what is not printable ASCII as one encoded word: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Gives the text of a metadata header. Never fails: what is no encoded word in UTF-8, ISO-8859-1 or US-ASCII stays as it
/// is. White space between two encoded words is dropped, as RFC 2047 section 6.2 demands.
pub fn decode(value: &[u8]) -> String {
    let text: String = value.iter().map(|&byte| char::from(byte)).collect();
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text.as_str();
    let mut after_word = false;
    while !rest.is_empty() {
        let blank = &rest[..rest.len() - rest.trim_start_matches(BLANK).len()];
        let token = &rest[blank.len()..];
        let token = &token[..token.find(BLANK).unwrap_or(token.len())];
        rest = &rest[blank.len() + token.len()..];
        match decode_word(token) {
            Some(word) => {
                if !after_word {
                    decoded.push_str(blank);
                }
                decoded.push_str(&word);
                after_word = true;
            }
            None => {
                decoded.push_str(blank);
                decoded.push_str(token);
                after_word = false;
            }
        }
    }
    decoded
}

/// Gives the header value for a text: itself, or one encoded word where it would not come through a header and
/// [`decode`] unchanged.
pub fn encode(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("=?UTF-8?B?{}?=", STANDARD.encode(text)))
}

const BLANK: [char; 2] = [' ', '\t'];

fn is_plain(text: &str) -> bool {
    let printable = text.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte));
    printable
        && text.trim_matches(BLANK).len() == text.len()
        && !text.split(BLANK).any(|token| decode_word(token).is_some())
}

/// Decodes one encoded word, `=?charset?encoding?text?=`; `None` if it is none or cannot be decoded.
fn decode_word(token: &str) -> Option<String> {
    let inner = token.strip_prefix("=?")?.strip_suffix("?=")?;
    let mut parts = inner.splitn(3, '?');
    let (charset, encoding, text) = (parts.next()?, parts.next()?, parts.next()?);
    if text.is_empty() || text.contains('?') {
        return None;
    }
    let bytes = match encoding {
        "B" | "b" => STANDARD.decode(text).ok()?,
        "Q" | "q" => decode_q(text)?,
        _ => return None,
    };
    // RFC 2231 section 5 allows a language after the charset.
    let charset = charset.split_once('*').map_or(charset, |(charset, _language)| charset);
    match charset.to_ascii_lowercase().as_str() {
        "utf-8" => String::from_utf8(bytes).ok(),
        "iso-8859-1" => Some(bytes.into_iter().map(char::from).collect()),
        "us-ascii" if bytes.is_ascii() => String::from_utf8(bytes).ok(),
        _ => None,
    }
}

/// Decodes the Q encoding (RFC 2047 section 4.2).
fn decode_q(text: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    loop {
        rest = match rest {
            [] => return Some(decoded),
            [b'=', high, low, after @ ..] => {
                let mut byte = [0];
                hex::decode_to_slice([*high, *low], &mut byte).ok()?;
                decoded.extend(byte);
                after
            }
            [b'_', after @ ..] => {
                decoded.push(b' ');
                after
            }
            [byte, after @ ..] if byte.is_ascii_graphic() && *byte != b'=' => {
                decoded.push(*byte);
                after
            }
            _ => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn raw_bytes_come_back_as_in_the_example_of_the_user_guide() {
        let stored = decode("ÄMÄZÕÑ S3".as_bytes());
        assert_eq!(encode(&stored), "=?UTF-8?B?w4PChE3Dg8KEWsODwpXDg8KRIFMz?=");
        assert_eq!(encode(&decode(b"AMAZONS3")), "AMAZONS3");
    }

    #[test]
    fn encoded_words_are_decoded() {
        for (value, text) in [
            ("=?UTF-8?B?Y2Fmw6k=?=", "café"),
            ("=?utf-8?q?caf=C3=A9_au_lait?=", "café au lait"),
            ("=?ISO-8859-1?Q?caf=e9?=", "café"),
            ("=?us-ascii*en?Q?a?=", "a"),
            ("=?UTF-8?B?Y2Fm?=  =?UTF-8?B?w6k=?=", "café"),
            (" a  =?UTF-8?B?Y2Fm?=\tb ", " a  caf\tb "),
            ("=?UTF-8?B?YQpi?=", "a\nb"),
        ] {
            assert_eq!(decode(value.as_bytes()), text, "{value}");
        }
    }

    #[test]
    fn what_is_no_encoded_word_stays_verbatim() {
        for value in [
            "",
            "  ",
            "uid:0/gname:root/mode:33188/md5:d41d8cd98f00b204e9800998ecf8427e",
            "=?",
            "=?=",
            "=??=",
            "=?UTF-8?B?=",
            "=?UTF-8?B??=",
            "=?UTF-8?B?***?=",
            "=?UTF-8?B?/w==?=",
            "=?UTF-8?Q?=4?=",
            "=?UTF-8?Q?=zz?=",
            "=?UTF-8?X?abc?=",
            "=?koi8-r?B?YQ==?=",
            "=?us-ascii?Q?=e9?=",
            "=?UTF-8?Q?a?b?=",
            "x=?UTF-8?B?YQ==?=",
        ] {
            assert_eq!(decode(value.as_bytes()), value);
        }
    }

    #[test]
    fn a_header_value_never_holds_a_control_character() {
        assert_eq!(encode("a\r\nset-cookie: b"), "=?UTF-8?B?YQ0Kc2V0LWNvb2tpZTogYg==?=");
        assert_eq!(encode(" a"), "=?UTF-8?B?IGE=?=");
        assert_eq!(encode("a\tb c"), "a\tb c");
        assert_eq!(encode(""), "");
    }

    proptest! {
        #[test]
        fn every_text_comes_back_through_a_header(text: String) {
            let header = encode(&text);
            prop_assert!(header.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)));
            prop_assert_eq!(header.trim_matches(BLANK), header.as_ref());
            prop_assert_eq!(decode(header.as_bytes()), text);
        }

        #[test]
        fn texts_that_look_like_words_come_back_too(text in "(=\\?UTF-8\\?[BQ]\\?[=aY_4]{0,4}\\?=| |a){0,4}") {
            prop_assert_eq!(decode(encode(&text).as_bytes()), text);
        }

        #[test]
        fn any_bytes_decode(value: Vec<u8>) {
            let text = decode(&value);
            prop_assert_eq!(decode(encode(&text).as_bytes()), text);
        }
    }
}
