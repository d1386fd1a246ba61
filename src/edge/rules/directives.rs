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

/// What a request says to caches. The default says nothing: it is what a behaviour that ignores viewers' directives uses.
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

    /// Adds what one more directive of the kind speaks of. What cannot be read as a list of fields that a response can do
    /// without speaks of the whole response.
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
