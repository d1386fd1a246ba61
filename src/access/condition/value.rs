//! Values of conditions: numbers, dates, bytes; as policies write them and as requests have them.

use std::borrow::Cow;
use std::net::IpAddr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::access::Value;

/// A decimal number with a sign, digits and perhaps a fraction.
pub fn number(text: &str) -> Option<f64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let decimal = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number: f64 = text.parse().ok()?;
    (decimal && number.is_finite()).then_some(number)
}

pub fn number_of(value: &Value<'_>) -> Option<f64> {
    match value {
        // Beyond 2^53 neighbours are the same number: no condition tells them apart.
        #[allow(clippy::cast_precision_loss)]
        Value::Number(number) => Some(*number as f64),
        Value::Text(text) => number(text),
        _ => None,
    }
}

/// Milliseconds since the epoch, of a date in one of the forms of the W3C profile of ISO 8601, or of seconds since the
/// epoch. A date without time begins at midnight UTC; four digits are a year.
pub fn date(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) && text.len() != 4 {
        return text.parse::<i64>().ok()?.checked_mul(1000);
    }
    let whole: Cow<'_, str> = match text.len() {
        4 => format!("{text}-01-01T00:00:00Z").into(),
        7 => format!("{text}-01T00:00:00Z").into(),
        10 => format!("{text}T00:00:00Z").into(),
        _ => text.into(),
    };
    let time: jiff::Timestamp = whole.parse().ok()?;
    Some(time.as_millisecond())
}

pub fn date_of(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Time(time) => i64::try_from(time.as_millis()).ok(),
        Value::Number(seconds) => i64::try_from(*seconds).ok()?.checked_mul(1000),
        Value::Text(text) => date(text),
        Value::Address(_) | Value::Flag(_) => None,
    }
}

pub fn flag(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

pub fn flag_of(value: &Value<'_>) -> Option<bool> {
    match value {
        Value::Flag(value) => Some(*value),
        Value::Text(text) => flag(text),
        _ => None,
    }
}

pub fn bytes(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text).ok()
}

pub fn bytes_of(value: &Value<'_>) -> Option<Vec<u8>> {
    match value {
        Value::Text(text) => bytes(text),
        _ => None,
    }
}

pub fn address_of(value: &Value<'_>) -> Option<IpAddr> {
    match value {
        Value::Address(address) => Some(*address),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_come_in_the_forms_of_iso_8601_and_as_seconds() {
        for text in ["2023-11-14T22:13:20Z", "2023-11-14T22:13:20.000Z", "2023-11-14T23:13:20+01:00", "1700000000"] {
            assert_eq!(date(text), Some(1_700_000_000_000), "{text}");
        }
        for text in ["2023", "2023-01", "2023-01-01", "2023-01-01T00:00Z"] {
            assert_eq!(date(text), Some(1_672_531_200_000), "{text}");
        }
        assert_eq!(date("-1"), Some(-1000));
        for text in ["", "-", "now", "2023-13-01", "2023-01-01T00:00:00", "99999999999999999999", "9223372036854775807"]
        {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_decimal() {
        assert_eq!((number("10"), number("-1.5"), number("+3")), (Some(10.0), Some(-1.5), Some(3.0)));
        for text in ["", "-", ".", "nan", "inf", "1e3", "0x10", "1_000", " 1"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
