//! Byte ranges of stored responses (RFC 9110 section 14), several at once too, and the parts that origins send (RFC
//! 9111 sections 3.3 and 3.4).

use std::fmt::Write;
use std::ops::Range;

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap};

use crate::http::range::{self, Selection};
use crate::http::tag::EntityTag;

/// The most ranges that are answered at once; more get the whole (RFC 9110 section 14.2 warns of them).
pub const MAX_RANGES: usize = 16;

/// What a `Range` selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ranges {
    Whole,
    Part(Range<u64>),
    /// At least two, ascending, that do not overlap.
    Parts(Vec<Range<u64>>),
    Unsatisfiable,
}

/// Gives what `range` selects of `length` bytes. Several ranges must ascend and must not overlap, as CloudFront wants
/// them; otherwise, and where the text is malformed, all is selected. Ranges outside of the content are left out.
pub fn select(range: &str, length: u64) -> Ranges {
    let Some((unit, specs)) = range.split_once('=') else { return Ranges::Whole };
    if !unit.eq_ignore_ascii_case("bytes") {
        return Ranges::Whole;
    }
    let mut parts: Vec<Range<u64>> = Vec::new();
    let members = specs.split(',').map(|spec| spec.trim_matches([' ', '\t'])).filter(|spec| !spec.is_empty());
    let mut count = 0;
    for spec in members {
        count += 1;
        if count > MAX_RANGES {
            return Ranges::Whole;
        }
        match range::select(Some(&format!("bytes={spec}")), length) {
            Selection::Whole => return Ranges::Whole,
            Selection::Part(part) if parts.last().is_some_and(|before| before.end > part.start) => {
                return Ranges::Whole;
            }
            Selection::Part(part) => parts.push(part),
            Selection::Unsatisfiable => {}
        }
    }
    match parts.len() {
        0 if count == 0 => Ranges::Whole,
        0 => Ranges::Unsatisfiable,
        1 => Ranges::Part(parts.remove(0)),
        _ => Ranges::Parts(parts),
    }
}

/// A body of `multipart/byteranges` (RFC 9110 section 14.6): before each part's bytes stands its head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Multipart {
    /// The `Content-Type` of the answer.
    pub content_type: String,
    pub parts: Vec<(Bytes, Range<u64>)>,
    /// What stands behind the last part.
    pub end: Bytes,
    /// The `Content-Length` of the answer.
    pub length: u64,
}

impl Multipart {
    /// Lays the body out. `content_type` is that of the stored response, `total` its length; `boundary` is random, so
    /// that no content can hold it on purpose.
    pub fn new(parts: &[Range<u64>], total: u64, content_type: Option<&[u8]>, boundary: u128) -> Self {
        let mut laid = Vec::with_capacity(parts.len());
        let mut length = 0;
        for part in parts {
            let mut head = format!("\r\n--{boundary:032x}\r\n").into_bytes();
            if let Some(content_type) = content_type {
                head.extend_from_slice(b"Content-Type: ");
                head.extend_from_slice(content_type);
                head.extend_from_slice(b"\r\n");
            }
            head.extend_from_slice(format!("Content-Range: {}\r\n\r\n", range::content_range(part, total)).as_bytes());
            length += head.len() as u64 + (part.end - part.start);
            laid.push((Bytes::from(head), part.clone()));
        }
        let end = Bytes::from(format!("\r\n--{boundary:032x}--\r\n"));
        length += end.len() as u64;
        let mut content_type = String::from("multipart/byteranges; boundary=");
        // Writing to a string cannot fail.
        let _ = write!(content_type, "{boundary:032x}");
        Self { content_type, parts: laid, end, length }
    }
}

/// The `Content-Range` of a 206.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentRange {
    /// Never empty, within `total`.
    pub part: Range<u64>,
    /// The length of the whole; `None` for `*`.
    pub total: Option<u64>,
}

impl ContentRange {
    /// Reads `bytes first-last/total`, the only form that says which bytes came.
    pub fn parse(text: &str) -> Option<Self> {
        let (unit, rest) = text.trim().split_once(' ')?;
        let (part, total) = rest.trim_start().split_once('/')?;
        let (first, last) = part.split_once('-')?;
        let (first, last) = (number(first)?, number(last)?);
        let total = if total == "*" { None } else { Some(number(total)?) };
        let end = last.checked_add(1)?;
        let whole = unit.eq_ignore_ascii_case("bytes") && first < end && total.is_none_or(|total| end <= total);
        whole.then_some(Self { part: first..end, total })
    }
}

fn number(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// Why a part is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAPart {
    #[error("it is no 206 with one range")]
    NotOneRange,
    #[error("its range is malformed, or does not tell the total length")]
    Unlocated,
    #[error("it has no strong entity tag")]
    NoStrongTag,
    #[error("it is encoded")]
    Encoded,
    #[error("it is of another representation")]
    OtherRepresentation,
}

/// A part that can be kept beside others of the same representation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub etag: EntityTag,
    pub total: u64,
    pub range: Range<u64>,
}

/// Reads what a 206 brings (RFC 9111 section 3.3). Only parts with a strong tag and a known total are kept, and none
/// that a coding was negotiated for: nothing else tells that two parts belong together.
pub fn part(status: StatusCode, headers: &HeaderMap) -> Result<Part, NotAPart> {
    let multipart = headers.get(CONTENT_TYPE).is_some_and(|value| {
        value.as_bytes().get(..20).is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/byteranges"))
    });
    if status != StatusCode::PARTIAL_CONTENT || multipart {
        return Err(NotAPart::NotOneRange);
    }
    let identity = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(CONTENT_ENCODING).iter().all(identity) {
        return Err(NotAPart::Encoded);
    }
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    let located = text(CONTENT_RANGE).and_then(ContentRange::parse).ok_or(NotAPart::Unlocated)?;
    let total = located.total.ok_or(NotAPart::Unlocated)?;
    let etag = text(ETAG).and_then(|etag| EntityTag::parse(etag).ok()).filter(|etag| !etag.weak);
    Ok(Part { etag: etag.ok_or(NotAPart::NoStrongTag)?, total, range: located.part })
}

impl Part {
    /// Whether both are of one representation, so that their bytes may be sent as one (RFC 9111 section 3.4).
    pub fn belongs_to(&self, etag: &EntityTag, total: u64) -> Result<(), NotAPart> {
        let same = self.etag.matches_strongly(etag) && self.total == total;
        if same { Ok(()) } else { Err(NotAPart::OtherRepresentation) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::edge::rules::testing::headers;

    #[test]
    fn several_ranges_are_taken_where_they_ascend_and_do_not_overlap() {
        for (range, expected) in [
            ("bytes=0-1", Ranges::Part(0..2)),
            ("bytes=0-1,4-5", Ranges::Parts(vec![0..2, 4..6])),
            ("BYTES=0-1 ,\t, 4-5,-1", Ranges::Parts(vec![0..2, 4..6, 9..10])),
            ("bytes=0-1,2-3", Ranges::Parts(vec![0..2, 2..4])),
            ("bytes=0-1,50-60", Ranges::Part(0..2)),
            ("bytes=50-60,70-", Ranges::Unsatisfiable),
            ("bytes=50-60", Ranges::Unsatisfiable),
            ("bytes=4-5,0-1", Ranges::Whole),
            ("bytes=0-4,4-5", Ranges::Whole),
            ("bytes=0-,0-", Ranges::Whole),
            ("bytes=0-1,x", Ranges::Whole),
            ("bytes=0-1,5-4", Ranges::Whole),
            ("bytes=", Ranges::Whole),
            ("bytes=,", Ranges::Whole),
            ("lines=0-1", Ranges::Whole),
            ("bytes 0-1", Ranges::Whole),
            ("bytes=0-1;4-5", Ranges::Whole),
        ] {
            assert_eq!(select(range, 10), expected, "{range}");
        }
        let many = |count: u64| format!("bytes={}", (0..count).map(|at| format!("{at}-{at},")).collect::<String>());
        assert!(matches!(select(&many(MAX_RANGES as u64), 100), Ranges::Parts(_)));
        assert_eq!(select(&many(MAX_RANGES as u64 + 1), 100), Ranges::Whole);
    }

    #[test]
    fn parts_stand_behind_their_heads() {
        let multipart = Multipart::new(&[0..2, 7..10], 10, Some(b"text/plain"), 0xab);
        let boundary = "000000000000000000000000000000ab";
        assert_eq!(multipart.content_type, format!("multipart/byteranges; boundary={boundary}"));
        let mut body = Vec::new();
        for (head, part) in &multipart.parts {
            body.extend_from_slice(head);
            body.extend_from_slice(&b"0123456789"[part.start as usize..part.end as usize]);
        }
        body.extend_from_slice(&multipart.end);
        let part = |range, bytes| {
            format!("\r\n--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes {range}/10\r\n\r\n{bytes}")
        };
        let expected = format!("{}{}\r\n--{boundary}--\r\n", part("0-1", "01"), part("7-9", "789"));
        assert_eq!(String::from_utf8(body).unwrap(), expected);
        assert_eq!(multipart.length, expected.len() as u64);
        let untyped = Multipart::new(&[0..1, 2..3], 10, None, 1);
        assert!(!untyped.parts[0].0.windows(12).any(|window| window == b"Content-Type"));
    }

    #[test]
    fn a_content_range_says_which_bytes_came() {
        for (text, expected) in [
            ("bytes 0-4/10", Some((0..5, Some(10)))),
            ("Bytes  9-9/10", Some((9..10, Some(10)))),
            ("bytes 0-4/*", Some((0..5, None))),
            ("bytes 0-9/10", Some((0..10, Some(10)))),
            ("bytes 0-10/10", None),
            ("bytes 5-4/10", None),
            ("bytes */10", None),
            ("bytes 0-18446744073709551615/*", None),
            ("bytes 0-99999999999999999999/*", None),
            ("bytes=0-4/10", None),
            ("items 0-4/10", None),
            ("bytes 0-4", None),
            ("bytes +0-4/10", None),
            ("", None),
        ] {
            assert_eq!(ContentRange::parse(text).map(|range| (range.part, range.total)), expected, "{text}");
        }
    }

    #[test]
    fn parts_are_kept_where_it_is_certain_what_they_belong_to() {
        let right = [("etag", "\"a\""), ("content-range", "bytes 0-4/10")];
        let kept = part(StatusCode::PARTIAL_CONTENT, &headers(&right)).unwrap();
        assert_eq!((kept.total, kept.range.clone()), (10, 0..5));
        assert_eq!(part(StatusCode::OK, &headers(&right)), Err(NotAPart::NotOneRange));
        for (fields, reason) in [
            ([right[0], right[1], ("content-type", "Multipart/Byteranges; boundary=x")], NotAPart::NotOneRange),
            ([right[0], right[1], ("content-encoding", "gzip")], NotAPart::Encoded),
            ([right[0], ("content-range", "bytes 0-4/*"), ("x", "")], NotAPart::Unlocated),
            ([right[0], ("y", ""), ("x", "")], NotAPart::Unlocated),
            ([("etag", "W/\"a\""), right[1], ("x", "")], NotAPart::NoStrongTag),
            ([("last-modified", "x"), right[1], ("x", "")], NotAPart::NoStrongTag),
        ] {
            assert_eq!(part(StatusCode::PARTIAL_CONTENT, &headers(&fields)), Err(reason), "{fields:?}");
        }
        let tag = |text| EntityTag::parse(text).unwrap();
        assert_eq!(kept.belongs_to(&tag("\"a\""), 10), Ok(()));
        for (etag, total) in [("\"b\"", 10), ("\"a\"", 11), ("W/\"a\"", 10)] {
            assert_eq!(kept.belongs_to(&tag(etag), total), Err(NotAPart::OtherRepresentation));
        }
    }

    proptest! {
        #[test]
        fn ranges_lie_within_the_content_and_ascend(range in "bytes=[0-9,-]{0,20}", length in 0_u64..200) {
            let parts = match select(&range, length) {
                Ranges::Part(part) => vec![part],
                Ranges::Parts(parts) => {
                    prop_assert!(parts.len() > 1);
                    parts
                }
                Ranges::Whole | Ranges::Unsatisfiable => Vec::new(),
            };
            let mut end = 0;
            for part in parts {
                prop_assert!(end <= part.start && part.start < part.end && part.end <= length);
                end = part.end;
            }
        }
    }
}
