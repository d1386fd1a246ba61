//! Option values that are more than a number or a text.

use crate::units::size;

/// The largest share of the disk that may be reserved, in percent.
const MAX_RESERVE_PERCENT: u8 = 90;

/// What an answer of success promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The change survives power loss.
    Strict,
    /// A prefix of the changes survives power loss.
    Relaxed,
}

/// Who is sent from HTTP to HTTPS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpsRedirect {
    /// Who asks for a host that there is a certificate for.
    Auto,
    Always,
    Never,
}

/// Room on the disk that uploads leave free: the larger of a size and a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskReserve {
    pub bytes: u64,
    pub percent: u8,
}

impl Durability {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "strict" => Some(Self::Strict),
            "relaxed" => Some(Self::Relaxed),
            _ => None,
        }
    }
}

impl HttpsRedirect {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "auto" => Some(Self::Auto),
            "always" => Some(Self::Always),
            "never" => Some(Self::Never),
            _ => None,
        }
    }
}

impl DiskReserve {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (first, second) = match text.split_once(',') {
            Some((first, second)) => (first, Some(second.trim())),
            None => (text, None),
        };
        match (first.strip_suffix('%'), second) {
            (Some(share), None) => Some(Self { bytes: 0, percent: percent(share)? }),
            (None, None) => Some(Self { bytes: size(first)?, percent: 0 }),
            (None, Some(share)) => Some(Self { bytes: size(first)?, percent: percent(share.strip_suffix('%')?)? }),
            (Some(_), Some(_)) => None,
        }
    }
}

fn percent(text: &str) -> Option<u8> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits {
        return None;
    }
    text.parse().ok().filter(|percent| *percent <= MAX_RESERVE_PERCENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_is_a_size_a_share_or_both() {
        for (text, bytes, percent) in [("1GiB,2%", 1 << 30, 2), ("0", 0, 0), ("90%", 0, 90)] {
            assert_eq!(DiskReserve::parse(text), Some(DiskReserve { bytes, percent }), "{text}");
        }
        for wrong in ["", "%", "91%", "2%,1GiB", "1GiB,", "1GiB,2", "1GiB,2%,3", "+2%"] {
            assert_eq!(DiskReserve::parse(wrong), None, "{wrong}");
        }
    }
}
