//! Sizes and times as people write them, parsed strictly: digits, then a unit, nothing else.

use std::time::Duration;

pub const MIB: u64 = 1 << 20;
pub const GIB: u64 = 1 << 30;
pub const TIB: u64 = 1 << 40;

/// The longest time that may be asked for: later arithmetic on deadlines cannot overflow.
const MAX_DURATION: Duration = Duration::from_secs(3650 * 86_400);

/// Units of size, in bytes. A bare number is bytes.
const SIZES: [(&str, u64); 10] = [
    ("", 1),
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", MIB),
    ("GiB", GIB),
    ("TiB", TIB),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

/// Units of time, in milliseconds. A bare number is refused: nobody can tell what it means.
const TIMES: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Parses a size, in bytes.
pub fn size(text: &str) -> Option<u64> {
    scaled(text, &SIZES)
}

/// Parses a time from 1 ms to 3650 days.
pub fn duration(text: &str) -> Option<Duration> {
    let duration = Duration::from_millis(scaled(text, &TIMES)?);
    (!duration.is_zero() && duration <= MAX_DURATION).then_some(duration)
}

/// The time in the largest unit that gives a whole number: what [`duration`] reads.
pub fn time_text(time: Duration) -> String {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let largest = TIMES.iter().rev().find(|(_, scale)| millis >= *scale && millis % scale == 0);
    match largest {
        Some((unit, scale)) => format!("{}{unit}", millis / scale),
        None => "0ms".to_owned(),
    }
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, scale) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*scale)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_shown_as_they_are_read() {
        for text in ["5s", "1500ms", "5m", "24h", "7d", "90m"] {
            assert_eq!(duration(&time_text(duration(text).unwrap())), duration(text));
        }
        assert_eq!(time_text(Duration::from_secs(86_400)), "1d");
        assert_eq!(time_text(Duration::ZERO), "0ms");
    }

    #[test]
    fn sizes_have_binary_and_decimal_units() {
        assert_eq!(size("0"), Some(0));
        assert_eq!(size("32KiB"), Some(32_768));
        assert_eq!(size("5TiB"), Some(5 * TIB));
        assert_eq!(size("1GB"), Some(1_000_000_000));
        for wrong in ["", "KiB", "-1", "+1", "1 KiB", "1kib", "1.5GiB", "1K", "1KiBs", "16777216TiB", "١KiB"] {
            assert_eq!(size(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn times_need_a_unit_and_are_never_zero() {
        assert_eq!(duration("30s"), Some(Duration::from_secs(30)));
        assert_eq!(duration("7d"), Some(Duration::from_secs(604_800)));
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        for wrong in ["", "30", "0s", "s", "1h30m", "3651d", "99999999999999999999s", "1 s", "1S"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused_without_panic(text in "\\PC{0,24}") {
            let _ = size(&text);
            let _ = duration(&text);
        }

        #[test]
        fn a_size_is_its_number_times_its_unit(number in 0u64..1 << 22, unit in 0usize..SIZES.len()) {
            let (name, scale) = SIZES[unit];
            prop_assert_eq!(size(&format!("{number}{name}")), Some(number * scale));
        }
    }
}
