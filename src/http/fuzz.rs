//! Fuzz targets: ranges, conditions, dates and encodings; and request heads as bytes, for the targets above.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use super::conditional::{Condition, Conditions, IfRange, Names, Outcome, Validators, WriteCondition};
use super::head::Head;
use super::range::{Selection, select};
use super::tag::{EntityTag, TagList};
use super::{date, percent, rfc2047};
use crate::clock::Timestamp;
use crate::fuzz::{self, Mutated};

/// The bytes as the head of a request: a line `METHOD TARGET`, then a line for each header. `None` where no server would
/// have passed it on: without the line, or with control characters.
pub fn head(bytes: &[u8]) -> Option<Head> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let request = std::str::from_utf8(lines.next()?).ok()?;
    let (method, target) = request.split_once(' ')?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut head =
        Head { method: method.to_owned(), path: path.to_owned(), query: query.to_owned(), ..Default::default() };
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (std::str::from_utf8(&line[..colon]).ok()?, &line[colon + 1..]);
        if value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            return None;
        }
        head.headers.push(name, value.trim_ascii());
    }
    Some(head)
}

/// The head as [`head`] reads it, for seeds.
pub fn text_of(head: &Head) -> Vec<u8> {
    let query = if head.query.is_empty() { String::new() } else { format!("?{}", head.query) };
    let mut text = format!("{} {}{query}", head.method, head.path).into_bytes();
    for (name, value) in head.headers.iter() {
        text.extend_from_slice(format!("\n{name}: ").as_bytes());
        text.extend_from_slice(value);
    }
    text
}

const ETAG: &str = "d41d8cd98f00b204e9800998ecf8427e";
const MODIFIED: Timestamp = Timestamp::from_seconds(1_369_353_600);
const LENGTH: u64 = 1000;

/// What a range of the one form that counts selects, found by trying both numbers as text.
fn model_of_range(text: &str) -> Option<Selection> {
    let digits = |text: &str| -> Option<Option<u128>> {
        match text {
            "" => Some(None),
            // 30 digits are more than any length, and fit.
            _ if text.bytes().all(|byte| byte.is_ascii_digit()) => Some(
                text.trim_start_matches('0')
                    .get(..30)
                    .map_or_else(|| format!("0{text}").parse().ok(), |_| Some(u128::MAX)),
            ),
            _ => None,
        }
    };
    let (unit, spec) = text.split_once('=')?;
    let (first, last) = spec.split_once('-')?;
    let (length, width) = (u128::from(LENGTH), first.len().max(last.len()));
    let (start, end) = match (digits(first)?, digits(last)?) {
        _ if unit.to_lowercase() != "bytes" => return None,
        (None, None) => return None,
        (Some(_), Some(_)) if format!("{first:0>width$}") > format!("{last:0>width$}") => return None,
        (Some(first), Some(last)) => (first, last.min(length - 1) + 1),
        (Some(first), None) => (first, length),
        (None, Some(count)) => (length - count.min(length), length),
    };
    Some(if start < end { Selection::Part(start as u64..end as u64) } else { Selection::Unsatisfiable })
}

#[test]
fn ranges_and_conditions() {
    let seeds = [
        "GET /\nrange: bytes=0-99",
        "GET /\nrange: bytes=-5\nif-range: \"d41d8cd98f00b204e9800998ecf8427e\"",
        "GET /\nrange: bytes=999-\nif-range: Fri, 24 May 2013 00:00:00 GMT",
        "GET /\nif-match: \"a\", W/\"b\", d41d8cd98f00b204e9800998ecf8427e\nif-none-match: *",
        "GET /\nif-modified-since: Fri, 24 May 2013 00:00:00 GMT\nif-unmodified-since: Friday, 24-May-13 00:00:00 GMT",
        "PUT /\nx-amz-copy-source-if-match: *\nx-amz-copy-source-if-modified-since: Fri May 24 00:00:00 2013",
    ];
    let words = ["bytes=", "range: ", "if-match: ", "if-none-match: ", "W/", "*", " GMT", "\nrange: bytes=1-"];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(seeds, &words)).for_each(|input| {
        let Some(head) = head(input) else { return };
        let headers = &head.headers;
        let current = Validators::new(ETAG, MODIFIED);
        fuzz::promptly(|| {
            for value in headers.all("range") {
                let Ok(text) = std::str::from_utf8(value) else { continue };
                assert_eq!(select(Some(text), LENGTH), model_of_range(text).unwrap_or(Selection::Whole), "{text:?}");
                assert!(!matches!(select(Some(text), 0), Selection::Part(_)), "a part of nothing");
            }
            IfRange::parse(headers).inspect(|condition| _ = condition.holds(&current));
            for names in [Names::Plain, Names::CopySource] {
                let conditions = Conditions::parse(headers, names);
                // A copy fails where a read finds nothing new, and where a read fails.
                match (conditions.evaluate(&current), conditions.evaluate_copy(&current)) {
                    (Outcome::Proceed, Outcome::Proceed) => (),
                    (Outcome::Failed(read), Outcome::Failed(copy)) => assert_eq!(read, copy),
                    (Outcome::NotModified, Outcome::Failed(copy)) => {
                        assert!(matches!(copy, Condition::IfNoneMatch | Condition::IfModifiedSince));
                    }
                    other => panic!("{other:?}"),
                }
            }
            // A condition that was sent is never dropped.
            let sent = headers.contains("if-match") || headers.contains("if-none-match");
            assert_eq!(matches!(WriteCondition::parse(headers), Ok(WriteCondition::None)), !sent);
            if let Ok(source) = Conditions::parse_source(headers) {
                assert_eq!(source, Conditions::parse(headers, Names::CopySource));
            }
        });
    });
}

#[test]
fn dates_and_encodings() {
    let seeds = [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "1994-11-06T08:49:37.123Z",
        "1994-11-06T08:49:37+02:00",
        "19941106T084937Z",
        "9999-12-31T23:59:59.999Z",
        "a%2Fb+c%20d=e&f&&g=%E2%82%AC",
        "=?UTF-8?B?Y2Fmw6k=?= =?iso-8859-1*en?q?caf=E9_?=",
        "caf\u{e9} na\u{ef}ve",
        "\"a\", W/\"b\", c",
        "d41d8cd98f00b204e9800998ecf8427e-10000",
    ];
    let words = ["=?UTF-8?Q?", "?=", "=?", " ", "%2B", "GMT", "Z", "T", "-0000", "29 Feb", "0229", "W/\"", "Feb"];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(seeds, &words)).for_each(|input| {
        fuzz::promptly(|| {
            metadata_comes_back(input);
            let _ = TagList::parse(std::iter::once(&input[..]));
            if let Ok(text) = std::str::from_utf8(input) {
                dates_come_back(text);
                escapes_agree(text);
                tags_come_back(text);
            }
        });
    });
}

fn dates_come_back(text: &str) {
    if let Some(time) = date::parse_http(text) {
        assert_eq!(date::parse_http(&date::format_http(time)), Some(time), "{text:?}");
    }
    if let Some(time) = date::parse_basic(text) {
        assert_eq!(date::format_basic(time), text);
        // The other implementation ends a day earlier, for the sake of time zones.
        if let Ok(other) = text.parse::<jiff::Timestamp>() {
            assert_eq!(u64::try_from(other.as_second()), Ok(time.as_seconds()), "{text:?}");
        }
    }
    if let Some(time) = date::parse_iso8601(text) {
        assert_eq!(date::parse_iso8601(&date::format_iso8601(time)), Some(time), "{text:?}");
    }
}

fn escapes_agree(text: &str) {
    let model: Vec<u8> = percent_decode_str(text).collect();
    assert_eq!(percent::decode_lenient(text).as_ref(), model);
    if let Ok(decoded) = percent::decode(text) {
        assert_eq!(decoded.as_ref(), model);
        let again = percent_encode(&decoded, NON_ALPHANUMERIC).to_string();
        assert_eq!(percent::decode(&again).unwrap().as_ref(), model);
    }
    if let Ok(decoded) = percent::decode_query(text) {
        assert_eq!(decoded.into_owned(), percent_decode_str(&text.replace('+', " ")).collect::<Vec<u8>>());
    }
    let listed = percent::encode_listing(text);
    assert!(listed.is_ascii() && listed.len() <= 3 * text.len());
    assert_eq!(percent::decode_query(&listed).unwrap().as_ref(), text.as_bytes());
    let joined: usize =
        percent::parameters(text).map(|p| p.name.len() + p.value.map_or(0, |value| value.len() + 1)).sum();
    assert!(joined <= text.len());
}

fn metadata_comes_back(value: &[u8]) {
    let text = rfc2047::decode(value);
    // Every byte may become a character of two bytes, and no more than that.
    assert!(text.len() <= 2 * value.len());
    let header = rfc2047::encode(&text);
    assert!(header.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)));
    assert_eq!(rfc2047::decode(header.as_bytes()), text);
}

fn tags_come_back(text: &str) {
    if let Ok(tag) = EntityTag::parse(text) {
        let written = format!("{}\"{}\"", if tag.weak { "W/" } else { "" }, tag.opaque);
        assert_eq!(EntityTag::parse(&written), Ok(tag));
    }
    if let Ok(tag) = text.parse::<crate::names::ETag>() {
        assert_eq!(tag.quoted().parse(), Ok(tag));
    }
}
