//! `Cache-Control` and `Pragma`: RFC 9111 sections 5.2 and 5.4, RFC 5861, RFC 8246.

use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderName, PRAGMA, VARY};

use super::list;

/// The longest time that a directive names, in seconds: longer ones count as this (RFC 9111 section 1.2.2).
pub const MAX_SECONDS: u64 = 1 << 31;

/// The most fields that `private="..."` or `no-cache="..."` may name; longer lists speak of the whole response.
const MAX_FIELDS: usize = 64;

/// Fields without which the others would mean something else: a response is not kept without them.
const NEEDED: [HeaderName; 4] = [CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, VARY];

/// What `private` or `no-cache` speaks of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Scope {
    /// The directive is absent.
    #[default]
    Nothing,
    /// These fields of the response, which is stored without them (RFC 9111 sections 5.2.2.4 and 5.2.2.7).
    Fields(Vec<HeaderName>),
    /// The whole response.
    Everything,
}

/// What a response says to caches. Unknown directives change nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseDirectives {
    pub max_age: Option<Duration>,
    pub s_maxage: Option<Duration>,
    pub no_cache: Scope,
    pub private: Scope,
    pub no_store: bool,
    pub public: bool,
    pub must_revalidate: bool,
    pub proxy_revalidate: bool,
    pub must_understand: bool,
    pub no_transform: bool,
    pub immutable: bool,
    pub stale_while_revalidate: Option<Duration>,
    pub stale_if_error: Option<Duration>,
}

/// What a request says to caches. The default says nothing: it is what a behaviour that ignores viewers' directives
/// uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestDirectives {
    pub max_age: Option<Duration>,
    /// How stale a response may be; `Duration::MAX` where the directive has no argument.
    pub max_stale: Option<Duration>,
    pub min_fresh: Option<Duration>,
    pub no_cache: bool,
    pub no_store: bool,
    pub no_transform: bool,
    pub only_if_cached: bool,
    pub stale_if_error: Option<Duration>,
}

impl ResponseDirectives {
    /// Reads every `Cache-Control` of a response. Of a time given twice the first counts, and one that is no number of
    /// seconds is none at all: zero (RFC 9111 section 4.2.1).
    pub fn parse(headers: &HeaderMap) -> Self {
        let mut directives = Self::default();
        for member in list::field(headers, &CACHE_CONTROL) {
            let (name, argument) = split(member);
            directives.set(&name.to_ascii_lowercase(), argument);
        }
        directives
    }

    fn set(&mut self, name: &[u8], argument: Option<&[u8]>) {
        match name {
            b"max-age" => _ = self.max_age.get_or_insert(seconds(argument)),
            b"s-maxage" => _ = self.s_maxage.get_or_insert(seconds(argument)),
            b"stale-while-revalidate" => _ = self.stale_while_revalidate.get_or_insert(seconds(argument)),
            b"stale-if-error" => _ = self.stale_if_error.get_or_insert(seconds(argument)),
            b"no-cache" => self.no_cache.widen(argument),
            b"private" => self.private.widen(argument),
            b"no-store" => self.no_store = true,
            b"public" => self.public = true,
            b"must-revalidate" => self.must_revalidate = true,
            b"proxy-revalidate" => self.proxy_revalidate = true,
            b"must-understand" => self.must_understand = true,
            b"no-transform" => self.no_transform = true,
            b"immutable" => self.immutable = true,
            _ => {}
        }
    }

    /// How long the response is fresh in a shared cache, where a directive says so (RFC 9111 section 4.2.1).
    pub fn lifetime(&self) -> Option<Duration> {
        self.s_maxage.or(self.max_age)
    }

    /// Whether the response may be sent stale at all (RFC 9111 section 4.2.4).
    pub fn may_be_stale(&self) -> bool {
        let forbidden = self.must_revalidate || self.proxy_revalidate || self.s_maxage.is_some();
        !forbidden && self.no_cache != Scope::Everything
    }

    /// Whether a shared cache may keep the answer to a request with `Authorization` (RFC 9111 section 3.5).
    pub fn covers_authorized(&self) -> bool {
        self.public || self.must_revalidate || self.s_maxage.is_some()
    }
}

impl RequestDirectives {
    /// Reads every `Cache-Control` of a request, and `Pragma` where there is none (RFC 9111 section 5.4).
    pub fn parse(headers: &HeaderMap) -> Self {
        let mut directives = Self::default();
        for member in list::field(headers, &CACHE_CONTROL) {
            let (name, argument) = split(member);
            directives.set(&name.to_ascii_lowercase(), argument);
        }
        if !headers.contains_key(CACHE_CONTROL) {
            directives.no_cache = list::field(headers, &PRAGMA).any(|member| member.eq_ignore_ascii_case(b"no-cache"));
        }
        directives
    }

    fn set(&mut self, name: &[u8], argument: Option<&[u8]>) {
        match name {
            b"max-age" => _ = self.max_age.get_or_insert(seconds(argument)),
            b"max-stale" if argument.is_none() => _ = self.max_stale.get_or_insert(Duration::MAX),
            b"max-stale" => _ = self.max_stale.get_or_insert(seconds(argument)),
            b"min-fresh" => _ = self.min_fresh.get_or_insert(seconds(argument)),
            b"stale-if-error" => _ = self.stale_if_error.get_or_insert(seconds(argument)),
            b"no-cache" => self.no_cache = true,
            b"no-store" => self.no_store = true,
            b"no-transform" => self.no_transform = true,
            b"only-if-cached" => self.only_if_cached = true,
            _ => {}
        }
    }
}

impl Scope {
    /// The fields that it names.
    pub fn fields(&self) -> &[HeaderName] {
        if let Self::Fields(fields) = self { fields } else { &[] }
    }

    /// Adds what one more directive of the kind speaks of. What cannot be read as a list of fields that a response can
    /// do without speaks of the whole response.
    pub(super) fn widen(&mut self, argument: Option<&[u8]>) {
        let named = argument.and_then(|argument| fields(&list::unquote(argument)));
        *self = match (std::mem::take(self), named) {
            (Self::Nothing, Some(fields)) => Self::Fields(fields),
            (Self::Fields(before), Some(fields)) if before.len() + fields.len() <= MAX_FIELDS => {
                Self::Fields([before, fields].concat())
            }
            _ => Self::Everything,
        };
    }
}

/// The names in the argument of a directive; `None` where the response cannot be kept without them.
fn fields(argument: &[u8]) -> Option<Vec<HeaderName>> {
    let members = list::members(argument, b',').take(MAX_FIELDS + 1);
    let names: Vec<HeaderName> = members.map(|name| HeaderName::from_bytes(name).ok()).collect::<Option<_>>()?;
    let usable = (1..=MAX_FIELDS).contains(&names.len()) && !names.iter().any(|name| NEEDED.contains(name));
    usable.then_some(names)
}

fn split(member: &[u8]) -> (&[u8], Option<&[u8]>) {
    match member.iter().position(|&byte| byte == b'=') {
        Some(at) => (&member[..at], Some(&member[at + 1..])),
        None => (member, None),
    }
}

/// A number of seconds, plain or quoted; zero for what is none.
fn seconds(argument: Option<&[u8]>) -> Duration {
    let text = argument.map(list::unquote).unwrap_or_default();
    delta_seconds(&text).unwrap_or_default()
}

/// Reads delta-seconds (RFC 9111 section 1.2.2): digits alone. What is beyond [`MAX_SECONDS`] counts as that.
pub fn delta_seconds(text: &[u8]) -> Option<Duration> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count = text.iter().fold(0_u64, |count, digit| (count * 10 + u64::from(digit - b'0')).min(MAX_SECONDS));
    Some(Duration::from_secs(count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::rules::testing::headers;

    fn response(values: &[&str]) -> ResponseDirectives {
        ResponseDirectives::parse(&headers(&values.iter().map(|value| ("cache-control", *value)).collect::<Vec<_>>()))
    }

    fn request(fields: &[(&str, &str)]) -> RequestDirectives {
        RequestDirectives::parse(&headers(fields))
    }

    fn seconds(count: u64) -> Option<Duration> {
        Some(Duration::from_secs(count))
    }

    fn names(list: &[&'static str]) -> Scope {
        Scope::Fields(list.iter().map(|name| HeaderName::from_static(name)).collect())
    }

    #[test]
    fn lifetimes_are_digits_and_anything_else_is_no_time_at_all() {
        for (value, max_age) in [
            ("max-age=3600", seconds(3600)),
            ("MaX-aGe=3600", seconds(3600)),
            ("foo, max-age=1, bar", seconds(1)),
            ("max-age=\"3600\"", seconds(3600)),
            ("max-age=003600", seconds(3600)),
            ("max-age=2147483648", seconds(MAX_SECONDS)),
            ("max-age=99999999999999999999999999", seconds(MAX_SECONDS)),
            ("max-age=", seconds(0)),
            ("max-age", seconds(0)),
            ("max-age=-1", seconds(0)),
            ("max-age=+1", seconds(0)),
            ("max-age='3600'", seconds(0)),
            ("max-age=3600.0", seconds(0)),
            ("max-age=a3600", seconds(0)),
            ("max-age=3600a", seconds(0)),
            ("max-age= 3600", seconds(0)),
            ("max-age =3600", None),
            ("xmax-age=3600", None),
            ("extension=\"max-age=3600\"", None),
            ("extension=\"max-age=3600\", max-age=1", seconds(1)),
            ("max-age=1, extension=\"max-age=3600\"", seconds(1)),
            ("", None),
        ] {
            assert_eq!(response(&[value]).max_age, max_age, "{value}");
        }
    }

    #[test]
    fn of_a_time_given_twice_the_first_counts() {
        assert_eq!(response(&["max-age=1800, max-age=1"]).max_age, seconds(1800));
        assert_eq!(response(&["max-age=1", "max-age=1800"]).max_age, seconds(1));
        assert_eq!(response(&["s-maxage=x, s-maxage=5"]).s_maxage, seconds(0));
    }

    #[test]
    fn every_flag_is_read_on_any_line_and_in_any_case() {
        let all = response(&[
            "NO-STORE, Public=1,must-revalidate",
            "proxy-revalidate;, proxy-revalidate, must-understand, no-transform , immutable",
            "stale-while-revalidate=7, stale-if-error=8, s-maxage=9",
        ]);
        assert!(all.no_store && all.public && all.must_revalidate && all.proxy_revalidate);
        assert!(all.must_understand && all.no_transform && all.immutable);
        assert_eq!((all.stale_while_revalidate, all.stale_if_error), (seconds(7), seconds(8)));
        assert_eq!(all.lifetime(), seconds(9));
        assert_eq!(response(&["no-stores, private2, \"no-store\""]), ResponseDirectives::default());
        assert_eq!(response(&[]), ResponseDirectives::default());
    }

    #[test]
    fn private_and_no_cache_speak_of_fields_or_of_everything() {
        for (value, scope) in [
            ("private", Scope::Everything),
            ("private=\"set-cookie\"", names(&["set-cookie"])),
            ("private=\"Set-Cookie, X-User\"", names(&["set-cookie", "x-user"])),
            ("private=set-cookie", names(&["set-cookie"])),
            ("private=\"a\", private=\"b\"", names(&["a", "b"])),
            ("private=\"a\", private", Scope::Everything),
            ("private, private=\"a\"", Scope::Everything),
            ("private=", Scope::Everything),
            ("private=\"\"", Scope::Everything),
            ("private=\"a b\"", Scope::Everything),
            ("private=\"a", Scope::Everything),
            ("private=\"content-encoding\"", Scope::Everything),
            ("private=\"a, Vary\"", Scope::Everything),
            ("x", Scope::Nothing),
        ] {
            assert_eq!(response(&[value]).private, scope, "{value}");
            assert_eq!(response(&[&value.replace("private", "no-cache")]).no_cache, scope, "{value}");
        }
        let many = format!("private=\"{}\"", "a,".repeat(MAX_FIELDS + 1));
        assert_eq!(response(&[&many]).private, Scope::Everything);
    }

    #[test]
    fn a_response_says_whether_it_may_be_stale_and_whether_it_covers_authorized_requests() {
        for (value, may_be_stale, covers) in [
            ("max-age=1", true, false),
            ("public", true, true),
            ("must-revalidate", false, true),
            ("proxy-revalidate", false, false),
            ("s-maxage=1", false, true),
            ("no-cache", false, false),
            ("no-cache=\"set-cookie\"", true, false),
        ] {
            assert_eq!(response(&[value]).may_be_stale(), may_be_stale, "{value}");
            assert_eq!(response(&[value]).covers_authorized(), covers, "{value}");
        }
    }

    #[test]
    fn requests_say_what_they_want() {
        let all = request(&[(
            "cache-control",
            "max-age=1, max-stale=2, min-fresh=3, no-cache, no-store, no-transform, only-if-cached, stale-if-error=4",
        )]);
        let expected = RequestDirectives {
            max_age: seconds(1),
            max_stale: seconds(2),
            min_fresh: seconds(3),
            no_cache: true,
            no_store: true,
            no_transform: true,
            only_if_cached: true,
            stale_if_error: seconds(4),
        };
        assert_eq!(all, expected);
        assert_eq!(request(&[("cache-control", "max-stale")]).max_stale, Some(Duration::MAX));
        assert_eq!(request(&[("cache-control", "max-stale=x")]).max_stale, seconds(0));
        assert_eq!(request(&[]), RequestDirectives::default());
    }

    #[test]
    fn pragma_counts_where_there_is_no_cache_control() {
        for (fields, no_cache) in [
            ([("pragma", "no-cache"), ("x", "")], true),
            ([("pragma", "foo, No-Cache"), ("x", "")], true),
            ([("pragma", "no-cache"), ("cache-control", "max-age=1")], false),
            ([("pragma", "x-no-cache"), ("x", "")], false),
        ] {
            assert_eq!(request(&fields).no_cache, no_cache, "{fields:?}");
        }
    }
}
