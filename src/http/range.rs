//! Byte ranges (RFC 9110 section 14), in the subset that S3 serves: one range, or the whole object.

use std::ops::Range;

/// What a `Range` header selects of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All of it: answer 200.
    Whole,
    /// These bytes, never none: answer 206 with [`content_range`].
    Part(Range<u64>),
    /// Nothing that exists: answer 416 with [`unsatisfied_content_range`].
    Unsatisfiable,
}

/// One range as the client wrote it; both ends inclusive. Numbers beyond `u64` stand at its maximum.
enum Spec {
    FromTo(u64, u64),
    From(u64),
    Last(u64),
}

/// Gives what `range` selects of an object of `length` bytes.
///
/// Several ranges, another unit and malformed text select the whole, as S3 answers them. A range that starts at or after
/// the end is unsatisfiable, hence every range of an empty object.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>
pub fn select(range: Option<&str>, length: u64) -> Selection {
    let (start, end) = match range.and_then(parse) {
        None => return Selection::Whole,
        Some(Spec::FromTo(first, last)) => (first, last.saturating_add(1).min(length)),
        Some(Spec::From(first)) => (first, length),
        Some(Spec::Last(count)) => (length.saturating_sub(count), length),
    };
    if start < end { Selection::Part(start..end) } else { Selection::Unsatisfiable }
}

/// Formats the `Content-Range` of a 206; `part` is not empty.
pub fn content_range(part: &Range<u64>, length: u64) -> String {
    format!("bytes {}-{}/{length}", part.start, part.end.saturating_sub(1))
}

/// Formats the `Content-Range` of a 416.
pub fn unsatisfied_content_range(length: u64) -> String {
    format!("bytes */{length}")
}

fn parse(range: &str) -> Option<Spec> {
    let (unit, spec) = range.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    match spec.split_once('-')? {
        ("", last) => Some(Spec::Last(number(last)?)),
        (first, "") => Some(Spec::From(number(first)?)),
        (first, last) => {
            let spec = Spec::FromTo(number(first)?, number(last)?);
            (by_value(first) <= by_value(last)).then_some(spec)
        }
    }
}

/// Orders numbers in digits as numbers, however long they are.
fn by_value(digits: &str) -> (usize, &str) {
    let digits = digits.trim_start_matches('0');
    (digits.len(), digits)
}

fn number(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Only an overflow is left to fail, and what lies beyond `u64` lies beyond every object.
    Some(digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_range_selects_its_bytes() {
        for (range, part) in [
            ("bytes=0-0", 0..1),
            ("bytes=2-4", 2..5),
            ("bytes=9-9", 9..10),
            ("bytes=5-", 5..10),
            ("bytes=0-99", 0..10),
            ("bytes=-3", 7..10),
            ("bytes=-99", 0..10),
            ("Bytes=1-2", 1..3),
            ("bytes=7-18446744073709551615", 7..10),
            ("bytes=7-99999999999999999999999999", 7..10),
            ("bytes=-99999999999999999999999999", 0..10),
            ("bytes=0000000000000000000000000000007-0000000000000000000000000000008", 7..9),
        ] {
            assert_eq!(select(Some(range), 10), Selection::Part(part), "{range}");
        }
    }

    #[test]
    fn ranges_outside_the_object_are_unsatisfiable() {
        for range in ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999999999-"] {
            assert_eq!(select(Some(range), 10), Selection::Unsatisfiable, "{range}");
        }
        for range in ["bytes=0-", "bytes=0-0", "bytes=-1"] {
            assert_eq!(select(Some(range), 0), Selection::Unsatisfiable, "{range} of nothing");
        }
    }

    #[test]
    fn what_is_not_one_range_selects_the_whole() {
        for range in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-3",
            "bytes=100000000000000000000000000-99999999999999999999999999",
            "bytes=0-1,3-4",
            "bytes=+1-2",
            "bytes=1--2",
            "items=0-1",
            "bytes=1-2 3",
            "bytes= 1-2",
            "bytes=0x1-2",
            "=1-2",
            "bytes=١-٢",
        ] {
            assert_eq!(select(Some(range), 10), Selection::Whole, "{range}");
        }
        assert_eq!(select(None, 10), Selection::Whole);
        assert_eq!(select(Some("nonsense"), 0), Selection::Whole);
    }

    #[test]
    fn content_ranges_count_from_zero_to_the_last_byte() {
        assert_eq!(content_range(&(2..5), 10), "bytes 2-4/10");
        assert_eq!(unsatisfied_content_range(10), "bytes */10");
    }

    /// The bytes that a range selects, found by asking each byte whether it is in.
    fn model(first: Option<u64>, last: Option<u64>, length: u64) -> Vec<u64> {
        let selected = |at: &u64| match (first, last) {
            (Some(first), Some(last)) => *at >= first && *at <= last,
            (Some(first), None) => *at >= first,
            (None, Some(count)) => length - *at <= count,
            (None, None) => true,
        };
        (0..length).filter(selected).collect()
    }

    proptest! {
        #[test]
        fn selection_agrees_with_the_model(
            first in proptest::option::of(0_u64..40),
            last in proptest::option::of(0_u64..40),
            length in 0_u64..30,
        ) {
            let text = |number: Option<u64>| number.map(|n| n.to_string()).unwrap_or_default();
            let range = format!("bytes={}-{}", text(first), text(last));
            let malformed = matches!((first, last), (None, None)) || first.zip(last).is_some_and(|(f, l)| f > l);
            match select(Some(&range), length) {
                Selection::Whole => prop_assert!(malformed),
                Selection::Part(part) => {
                    prop_assert!(!malformed);
                    prop_assert_eq!(part.collect::<Vec<_>>(), model(first, last, length));
                }
                Selection::Unsatisfiable => {
                    prop_assert!(!malformed);
                    prop_assert!(model(first, last, length).is_empty());
                }
            }
        }

        #[test]
        fn any_text_and_length_select_within_the_object(range in "(bytes=)?[0-9,a -]{0,30}", length: u64) {
            if let Selection::Part(part) = select(Some(&range), length) {
                prop_assert!(part.start < part.end && part.end <= length);
            }
        }
    }
}
