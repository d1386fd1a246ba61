//! What values may look like: one function a kind, strict.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::header::{HeaderName, HeaderValue};

use crate::config::{duration, size};

/// The longest that anything may be told to last: later sums of times cannot overflow.
const MAX_TIME: Duration = Duration::from_secs(3650 * 86_400);

pub fn switch(text: &str) -> Option<bool> {
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// A time with its unit, at least 1 ms.
pub fn time(text: &str) -> Option<Duration> {
    duration(text)
}

/// A time that may be `0s`.
pub fn time_or_none(text: &str) -> Option<Duration> {
    match text {
        "0" | "0s" => Some(Duration::ZERO),
        _ => duration(text).filter(|time| *time <= MAX_TIME),
    }
}

/// A size within `range`, in bytes.
pub fn bytes(range: RangeInclusive<u64>) -> impl Fn(&str) -> Option<u64> {
    move |text| size(text).filter(|size| range.contains(size))
}

/// A number within `range`, written in digits alone.
pub fn number(range: RangeInclusive<u64>) -> impl Fn(&str) -> Option<u64> {
    move |text| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten().filter(|number| range.contains(number))
    }
}

/// Some text without control characters.
pub fn text(text: &str) -> Option<String> {
    let plain = !text.is_empty() && !text.chars().any(char::is_control);
    plain.then(|| text.to_owned())
}

pub fn header_name(text: &str) -> Option<HeaderName> {
    text.parse().ok()
}

pub fn header_value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(text).ok()
}

/// An address with its prefix length, or one address alone.
pub fn network(text: &str) -> Option<ipnet::IpNet> {
    text.parse().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(ipnet::IpNet::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_strictly() {
        assert_eq!(time_or_none("0s"), Some(Duration::ZERO));
        assert_eq!(time_or_none("90s"), Some(Duration::from_secs(90)));
        assert!(["", "5", "-1s", "1.5s", "0 s"].iter().all(|wrong| time_or_none(wrong).is_none()));
        assert_eq!(time("0s"), None);
        assert_eq!(number(1..=10)("7"), Some(7));
        assert!(["0", "11", "+7", "", "7 "].iter().all(|wrong| number(1..=10)(wrong).is_none()));
        assert_eq!(network("10.0.0.1"), "10.0.0.1/32".parse().ok());
        assert_eq!(network("2001:db8::/32"), "2001:db8::/32".parse().ok());
        assert_eq!(network("10.0.0.0/33"), None);
        assert_eq!(bytes(1024..=4096)("2KiB"), Some(2048));
        assert_eq!(switch("yes"), None);
        assert_eq!(text("a\nb"), None);
    }
}
