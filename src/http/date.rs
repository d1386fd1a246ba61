//! Dates as HTTP, XML and signatures write them.

use std::time::UNIX_EPOCH;

use crate::clock::Timestamp;

const SECONDS_PER_DAY: u64 = 86_400;

/// The last second of the year 9999, the last that the formats here can write.
const LAST_SECOND: u64 = 253_402_300_799;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Formats as an IMF-fixdate, `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7): whole seconds, rounded down.
///
/// Times after the year 9999 are written as its last second, here and in the other formats.
pub fn format_http(time: Timestamp) -> String {
    let civil = Civil::of(time);
    let mut text = String::with_capacity(29);
    text.push_str(civil.day_name);
    text.push_str(", ");
    push_two(&mut text, civil.day);
    text.push(' ');
    text.push_str(MONTHS[civil.month as usize - 1]);
    text.push(' ');
    push_year(&mut text, civil.year);
    text.push(' ');
    push_time(&mut text, &civil);
    text.push_str(" GMT");
    text
}

/// Parses an HTTP date in any of its three forms (RFC 9110 section 5.6.7); `None` for anything else, and before 1970.
pub fn parse_http(text: &str) -> Option<Timestamp> {
    let time = httpdate::parse_http_date(text).ok()?;
    let seconds = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
    Some(Timestamp::from_seconds(seconds))
}

/// Formats as S3 does in XML: `1994-11-06T08:49:37.000Z`, with milliseconds.
pub fn format_iso8601(time: Timestamp) -> String {
    let civil = Civil::of(time);
    let mut text = String::with_capacity(24);
    push_year(&mut text, civil.year);
    text.push('-');
    push_two(&mut text, civil.month);
    text.push('-');
    push_two(&mut text, civil.day);
    text.push('T');
    push_time(&mut text, &civil);
    text.push('.');
    text.push(digit(civil.milli / 100));
    push_two(&mut text, civil.milli % 100);
    text.push('Z');
    text
}

/// Parses an ISO 8601 date with a time and an offset (`Z` included); `None` for anything else, and before 1970.
/// Fractions below a millisecond are cut off.
pub fn parse_iso8601(text: &str) -> Option<Timestamp> {
    let time: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(time.as_millisecond()).ok().map(Timestamp::from_millis)
}

/// Formats as ISO 8601 basic, `19941106T084937Z`: the form of `x-amz-date`.
pub fn format_basic(time: Timestamp) -> String {
    let civil = Civil::of(time);
    let mut text = String::with_capacity(16);
    push_year(&mut text, civil.year);
    push_two(&mut text, civil.month);
    push_two(&mut text, civil.day);
    text.push('T');
    push_two(&mut text, civil.hour);
    push_two(&mut text, civil.minute);
    push_two(&mut text, civil.second);
    text.push('Z');
    text
}

/// Parses ISO 8601 basic, exactly `YYYYMMDDTHHMMSSZ`; `None` for anything else, for dates that do not exist, and before
/// 1970.
pub fn parse_basic(text: &str) -> Option<Timestamp> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    if date.len() != 8 || time.len() != 6 || !date.bytes().chain(time.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hour, minute, second) = (number(&time[..2])?, number(&time[2..4])?, number(&time[4..])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_since_epoch(number(&date[..4])?, number(&date[4..6])?, number(&date[6..])?)?;
    Some(Timestamp::from_seconds(days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second))
}

/// A point in time by the Gregorian calendar, UTC.
struct Civil {
    year: u64,
    /// From 1.
    month: u64,
    /// Of the month, from 1.
    day: u64,
    day_name: &'static str,
    hour: u64,
    minute: u64,
    second: u64,
    milli: u64,
}

impl Civil {
    fn of(time: Timestamp) -> Self {
        let seconds = time.as_seconds().min(LAST_SECOND);
        let (days, second_of_day) = (seconds / SECONDS_PER_DAY, seconds % SECONDS_PER_DAY);
        let (year, month, day) = date_of(days);
        Self {
            year,
            month,
            day,
            day_name: DAYS[(days % 7) as usize],
            hour: second_of_day / 3600,
            minute: second_of_day / 60 % 60,
            second: second_of_day % 60,
            milli: time.as_millis() % 1000,
        }
    }
}

/// Gives year, month and day of the day `days` after the epoch.
///
/// Counts in eras of 400 years that begin on a 1 March, so that the leap day comes last in its year:
/// <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>
fn date_of(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months_since_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months_since_march + 2) / 5 + 1;
    let month = if months_since_march < 10 { months_since_march + 3 } else { months_since_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

/// Gives the number of days from the epoch to a date; `None` if there is no such date or it is before the epoch.
fn days_since_epoch(year: u64, month: u64, day: u64) -> Option<u64> {
    if year < 1970 || !(1..=12).contains(&month) {
        return None;
    }
    let year_from_march = if month <= 2 { year - 1 } else { year };
    let months_since_march = (month + 9) % 12;
    let day_of_year = (153 * months_since_march + 2) / 5 + day.checked_sub(1)?;
    let leap_days = year_from_march / 4 - year_from_march / 100 + year_from_march / 400;
    let days = (365 * year_from_march + leap_days + day_of_year).checked_sub(719_468)?;
    // A day that its month does not have comes back as another date.
    (date_of(days) == (year, month, day)).then_some(days)
}

fn push_time(text: &mut String, civil: &Civil) {
    push_two(text, civil.hour);
    text.push(':');
    push_two(text, civil.minute);
    text.push(':');
    push_two(text, civil.second);
}

fn push_year(text: &mut String, year: u64) {
    push_two(text, year / 100);
    push_two(text, year % 100);
}

/// Writes a number below 100 as two digits. The formatting machinery of `std` would cost more than all the rest here.
fn push_two(text: &mut String, number: u64) {
    text.push(digit(number / 10));
    text.push(digit(number % 10));
}

fn digit(number: u64) -> char {
    char::from(b'0' + number as u8)
}

fn number(digits: &str) -> Option<u64> {
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: Timestamp = Timestamp::from_millis(784_111_777_123);

    #[test]
    fn every_format_writes_the_example_of_rfc_9110() {
        assert_eq!(format_http(EXAMPLE), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(format_iso8601(EXAMPLE), "1994-11-06T08:49:37.123Z");
        assert_eq!(format_basic(EXAMPLE), "19941106T084937Z");
        assert_eq!(format_http(Timestamp::from_millis(0)), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(format_http(Timestamp::from_seconds(1_709_164_800)), "Thu, 29 Feb 2024 00:00:00 GMT");
    }

    #[test]
    fn times_after_the_year_9999_are_written_as_its_end() {
        let never = Timestamp::from_millis(u64::MAX);
        assert_eq!(format_http(never), "Fri, 31 Dec 9999 23:59:59 GMT");
        assert_eq!(format_basic(never), "99991231T235959Z");
    }

    #[test]
    fn all_three_http_forms_are_read() {
        for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(parse_http(text), Some(Timestamp::from_seconds(784_111_777)), "{text}");
        }
    }

    #[test]
    fn other_text_is_no_http_date() {
        for text in [
            "",
            "0",
            "-1",
            "784111777",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "1994-11-06T08:49:37Z",
            "Sun, 06 Nov 1994 08:49:37 GMT; x",
            "Sün, 06 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(parse_http(text), None, "{text}");
        }
    }

    #[test]
    fn iso_8601_dates_are_read_with_any_offset() {
        for (text, millis) in [
            ("1994-11-06T08:49:37Z", 784_111_777_000),
            ("1994-11-06T08:49:37.123Z", 784_111_777_123),
            ("1994-11-06T09:49:37.123999+01:00", 784_111_777_123),
        ] {
            assert_eq!(parse_iso8601(text), Some(Timestamp::from_millis(millis)), "{text}");
        }
        for text in ["", "1994-11-06", "1994-11-06T08:49:37", "1969-12-31T23:59:59Z", "1994-13-06T08:49:37Z"] {
            assert_eq!(parse_iso8601(text), None, "{text}");
        }
    }

    #[test]
    fn basic_dates_are_read_exactly_or_not_at_all() {
        assert_eq!(parse_basic("19941106T084937Z"), Some(Timestamp::from_seconds(784_111_777)));
        assert_eq!(parse_basic("20240229T000000Z"), Some(Timestamp::from_seconds(1_709_164_800)));
        for text in [
            "",
            "19941106T084937",
            "19941106t084937Z",
            "19941106T0849377Z",
            "1994116T0849370Z",
            "20230229T000000Z",
            "19941100T084937Z",
            "19941306T084937Z",
            "19941106T244937Z",
            "19941106T086037Z",
            "19941106T084960Z",
            "19691231T235959Z",
            "+9941106T084937Z",
            "1994é06T084937Z",
            "19941106T084937Z ",
        ] {
            assert_eq!(parse_basic(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn formats_agree_with_their_parsers_and_with_an_independent_calendar(millis in 0..=LAST_SECOND * 1000) {
            let time = Timestamp::from_millis(millis);
            let seconds = Timestamp::from_seconds(time.as_seconds());
            prop_assert_eq!(parse_http(&format_http(time)), Some(seconds));
            prop_assert_eq!(parse_basic(&format_basic(time)), Some(seconds));
            prop_assert_eq!(parse_iso8601(&format_iso8601(time)), Some(time));
        }

        #[test]
        fn no_text_makes_a_parser_panic(text in "\\PC{0,40}") {
            let _ = (parse_http(&text), parse_iso8601(&text), parse_basic(&text));
        }
    }
}
