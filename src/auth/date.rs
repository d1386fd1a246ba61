//! The two date formats of signed requests.

use jiff::fmt::rfc2822;

use crate::clock::Timestamp;
use crate::http::date::parse_basic;

/// A date in either format: that of `x-amz-date`, or that of the `Date` header (RFC 9110 section 5.6.7, `+0000` too).
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    parse_basic(text).or_else(|| parse_rfc2822(text))
}

fn parse_rfc2822(text: &str) -> Option<Timestamp> {
    static PARSER: rfc2822::DateTimeParser = rfc2822::DateTimeParser::new();
    let seconds = PARSER.parse_timestamp(text).ok()?.as_second();
    u64::try_from(seconds).ok().map(Timestamp::from_seconds)
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
}
