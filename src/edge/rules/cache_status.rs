//! `Cache-Status` (RFC 9211): what the edge did with a request, for whoever debugs.

use http::StatusCode;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::ttl::Freshness;

/// The field. Members are in the order in which caches added them, the one nearest to the client last.
pub const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// The name by which this cache adds its member.
pub const NAME: &str = "brim-edge";

/// Why a request went to the origin (RFC 9211 section 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forward {
    /// The behaviour, or its operator, caches nothing here.
    Bypass,
    /// The method is not one that is answered from a cache.
    Method,
    UriMiss,
    /// There are responses for the URL, but none for this request's headers.
    VaryMiss,
    /// No stored response, for a reason that is none of the two.
    Miss,
    /// The client asked for it: `no-cache` and the like.
    Request,
    Stale,
    /// Parts of the response are stored, but not those asked for.
    Partial,
}

/// What to say of one request. Start with [`Self::hit`] or [`Self::forward`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheStatus<'s> {
    /// Why the request went to the origin; `None` for a hit.
    pub forward: Option<Forward>,
    /// The origin's status, where the client gets another.
    pub forward_status: Option<StatusCode>,
    /// Seconds for which the response stays fresh here, less than zero for a stale one.
    pub ttl: Option<i64>,
    pub stored: bool,
    /// The request waited for another one's answer.
    pub collapsed: bool,
    pub key: Option<&'s str>,
    /// Why, in a word of our own.
    pub detail: Option<&'static str>,
}

impl Forward {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Miss => "miss",
            Self::Request => "request",
            Self::Stale => "stale",
            Self::Partial => "partial",
        }
    }
}

impl<'s> CacheStatus<'s> {
    /// Answered without the origin.
    pub fn hit(freshness: &Freshness, age: std::time::Duration) -> Self {
        Self { ttl: Some(freshness.ttl(age)), ..Self::default() }
    }

    /// Sent on to the origin.
    pub fn forward(why: Forward) -> Self {
        Self { forward: Some(why), ..Self::default() }
    }

    #[must_use]
    pub fn detail(mut self, word: &'static str) -> Self {
        self.detail = Some(word);
        self
    }

    /// The member as a value of the field.
    pub fn value(&self) -> HeaderValue {
        let mut text = String::with_capacity(48);
        text.push_str(NAME);
        match self.forward {
            None => text.push_str("; hit"),
            Some(why) => {
                text.push_str("; fwd=");
                text.push_str(why.word());
            }
        }
        self.push_parameters(&mut text);
        // Every part is visible ASCII: words of ours, numbers, and a key that was escaped.
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(NAME))
    }

    fn push_parameters(&self, text: &mut String) {
        if let Some(status) = self.forward_status {
            text.push_str("; fwd-status=");
            text.push_str(status.as_str());
        }
        if let Some(ttl) = self.ttl {
            text.push_str("; ttl=");
            push_integer(text, ttl);
        }
        for (set, parameter) in [(self.stored, "; stored"), (self.collapsed, "; collapsed")] {
            text.push_str(if set { parameter } else { "" });
        }
        if let Some(key) = self.key {
            text.push_str("; key=");
            push_string(text, key);
        }
        if let Some(word) = self.detail {
            text.push_str("; detail=");
            text.push_str(word);
        }
    }

    /// Adds the member behind those of the caches before this one.
    pub fn append_to(&self, headers: &mut HeaderMap) {
        headers.append(CACHE_STATUS, self.value());
    }
}

/// The largest integer of structured fields (RFC 9651 section 3.3.1).
const MAX_INTEGER: i64 = 999_999_999_999_999;

fn push_integer(text: &mut String, value: i64) {
    let value = value.clamp(-MAX_INTEGER, MAX_INTEGER);
    if value < 0 {
        text.push('-');
    }
    let (mut digits, mut at, mut rest) = ([0_u8; 20], 20, value.unsigned_abs());
    loop {
        at -= 1;
        // Below ten.
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    text.extend(digits[at..].iter().copied().map(char::from));
}

/// Writes a string of structured fields: visible ASCII in quotes (RFC 9651 section 4.1.6); anything else becomes a
/// space.
fn push_string(text: &mut String, value: &str) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            ' '..='~' => text.push(character),
            _ => text.push(' '),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sfv::{List, Parser};

    use super::*;

    const FRESHNESS: Freshness = Freshness {
        fresh: Duration::from_secs(60),
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        may_serve_stale: true,
        validate_always: false,
        by_feed: false,
    };

    fn full() -> CacheStatus<'static> {
        CacheStatus {
            forward_status: Some(StatusCode::NOT_MODIFIED),
            ttl: Some(-3),
            stored: true,
            collapsed: true,
            key: Some("https://a/\"b\\\n;x=1"),
            ..CacheStatus::forward(Forward::Stale).detail("set-cookie")
        }
    }

    #[test]
    fn members_say_what_was_done() {
        for (status, expected) in [
            (CacheStatus::hit(&FRESHNESS, Duration::from_secs(18)), "brim-edge; hit; ttl=42"),
            (CacheStatus::hit(&FRESHNESS, Duration::from_secs(60)), "brim-edge; hit; ttl=0"),
            (CacheStatus::forward(Forward::UriMiss), "brim-edge; fwd=uri-miss"),
            (
                full(),
                r#"brim-edge; fwd=stale; fwd-status=304; ttl=-3; stored; collapsed; key="https://a/\"b\\ ;x=1"; detail=set-cookie"#,
            ),
        ] {
            assert_eq!(status.value(), expected);
        }
        let unbounded = CacheStatus { ttl: Some(i64::MIN), ..CacheStatus::forward(Forward::Miss) };
        assert_eq!(unbounded.value(), "brim-edge; fwd=miss; ttl=-999999999999999");
    }

    #[test]
    fn members_are_structured_fields() {
        let every = [
            Forward::Bypass,
            Forward::Method,
            Forward::UriMiss,
            Forward::VaryMiss,
            Forward::Miss,
            Forward::Request,
            Forward::Stale,
            Forward::Partial,
        ];
        let all = every.map(CacheStatus::forward).into_iter().chain([full()]);
        for status in all {
            let value = status.value();
            assert!(Parser::new(value.as_bytes()).parse::<List>().is_ok(), "{value:?}");
        }
    }

    #[test]
    fn our_member_is_behind_those_of_caches_before() {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_STATUS, HeaderValue::from_static("Origin; hit"));
        CacheStatus::hit(&FRESHNESS, Duration::ZERO).append_to(&mut headers);
        let members: Vec<_> = headers.get_all(CACHE_STATUS).iter().collect();
        assert_eq!(members, ["Origin; hit", "brim-edge; hit; ttl=60"]);
    }
}
