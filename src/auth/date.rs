//! The two date formats of signed requests.

use jiff::civil::DateTime;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;

use crate::clock::Timestamp;

/// A date in either format: that of `x-amz-date`, or that of the `Date` header (RFC 9110 section 5.6.7, `+0000` too).
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    parse_basic(text).or_else(|| parse_rfc2822(text))
}

/// A date as `20130524T000000Z`: ISO 8601's basic format in UTC, which SigV4 signs.
pub(super) fn parse_basic(text: &str) -> Option<Timestamp> {
    let bytes: &[u8; 16] = text.as_bytes().try_into().ok()?;
    if bytes[8] != b'T' || bytes[15] != b'Z' {
        return None;
    }
    let date_time = DateTime::new(
        number(&bytes[..4])?,
        number(&bytes[4..6])?.try_into().ok()?,
        number(&bytes[6..8])?.try_into().ok()?,
        number(&bytes[9..11])?.try_into().ok()?,
        number(&bytes[11..13])?.try_into().ok()?,
        number(&bytes[13..15])?.try_into().ok()?,
        0,
    );
    let seconds = date_time.ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second();
    u64::try_from(seconds).ok().map(Timestamp::from_seconds)
}

/// The time in the format that [`parse_basic`] reads.
pub(super) fn format_basic(time: Timestamp) -> Option<String> {
    let seconds = i64::try_from(time.as_seconds()).ok()?;
    Some(jiff::Timestamp::from_second(seconds).ok()?.strftime("%Y%m%dT%H%M%SZ").to_string())
}

fn parse_rfc2822(text: &str) -> Option<Timestamp> {
    static PARSER: rfc2822::DateTimeParser = rfc2822::DateTimeParser::new();
    let seconds = PARSER.parse_timestamp(text).ok()?.as_second();
    u64::try_from(seconds).ok().map(Timestamp::from_seconds)
}

/// At most four ASCII digits as a number.
fn number(digits: &[u8]) -> Option<i16> {
    let mut value = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i16::from(digit - b'0');
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_name_the_same_second() {
        let time = Timestamp::from_seconds(1_369_353_600);
        for text in ["20130524T000000Z", "Fri, 24 May 2013 00:00:00 GMT", "Fri, 24 May 2013 00:00:00 +0000"] {
            assert_eq!(parse(text), Some(time), "{text}");
        }
        assert_eq!(format_basic(time).as_deref(), Some("20130524T000000Z"));
    }

    #[test]
    fn times_that_do_not_exist_are_no_dates() {
        for text in [
            "",
            "20130524T000000",
            "20130532T000000Z",
            "20130229T000000Z",
            "20130524T240000Z",
            "20130524t000000Z",
            "2013-5-4T000000Z",
            "19691231T235959Z",
            "+0130524T000000Z",
            "yesterday",
            "Fri, 24 May 1913 00:00:00 GMT",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn times_beyond_the_calendar_have_no_format() {
        assert_eq!(format_basic(Timestamp::from_millis(u64::MAX)), None);
    }
}
