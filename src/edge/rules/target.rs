//! `CDN-Cache-Control` (RFC 9213): what a response says to caches such as this one, and to no browser.

use std::time::Duration;

use http::header::{HeaderMap, HeaderName};
use sfv::{BareItem, Dictionary, ListEntry, Parser};

use super::directives::{MAX_SECONDS, ResponseDirectives, Scope};

/// The field that is addressed to us.
pub const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");

/// A member whose value is of another type than its directive has.
struct WrongType;

/// Gives what rules the response: `CDN-Cache-Control` if there is a valid one, which then stands for `Cache-Control`
/// *and* `Expires` (RFC 9213 section 2.2), otherwise `Cache-Control`. The second value says whether `Expires` counts.
pub fn effective(headers: &HeaderMap) -> (ResponseDirectives, bool) {
    match parse(headers) {
        Some(directives) => (directives, false),
        None => (ResponseDirectives::parse(headers), true),
    }
}

/// Reads `CDN-Cache-Control`. `None` where it is absent, empty, no dictionary of structured fields, or has a directive
/// with a value of the wrong type: then it is ignored as a whole (RFC 9213 section 2.1). Unknown directives and all
/// parameters are skipped.
pub fn parse(headers: &HeaderMap) -> Option<ResponseDirectives> {
    if !headers.contains_key(CDN_CACHE_CONTROL) {
        return None;
    }
    let lines: Vec<&[u8]> = headers.get_all(CDN_CACHE_CONTROL).iter().map(|value| value.as_bytes()).collect();
    // A structured field given on several lines is one list (RFC 9651 section 4.2).
    let dictionary: Dictionary = Parser::new(&lines.join(b",".as_slice())).parse().ok()?;
    if dictionary.is_empty() {
        return None;
    }
    let mut directives = ResponseDirectives::default();
    for (name, entry) in &dictionary {
        set(&mut directives, name.as_str(), entry).ok()?;
    }
    Some(directives)
}

fn set(directives: &mut ResponseDirectives, name: &str, entry: &ListEntry) -> Result<(), WrongType> {
    match name {
        "max-age" => directives.max_age = Some(seconds(entry)?),
        "s-maxage" => directives.s_maxage = Some(seconds(entry)?),
        "stale-while-revalidate" => directives.stale_while_revalidate = Some(seconds(entry)?),
        "stale-if-error" => directives.stale_if_error = Some(seconds(entry)?),
        "no-cache" => directives.no_cache = scope(entry)?,
        "private" => directives.private = scope(entry)?,
        "no-store" => directives.no_store = flag(entry)?,
        "public" => directives.public = flag(entry)?,
        "must-revalidate" => directives.must_revalidate = flag(entry)?,
        "proxy-revalidate" => directives.proxy_revalidate = flag(entry)?,
        "must-understand" => directives.must_understand = flag(entry)?,
        "no-transform" => directives.no_transform = flag(entry)?,
        "immutable" => directives.immutable = flag(entry)?,
        _ => {}
    }
    Ok(())
}

fn bare(entry: &ListEntry) -> Result<&BareItem, WrongType> {
    match entry {
        ListEntry::Item(item) => Ok(&item.bare_item),
        ListEntry::InnerList(_) => Err(WrongType),
    }
}

fn seconds(entry: &ListEntry) -> Result<Duration, WrongType> {
    let BareItem::Integer(count) = bare(entry)? else { return Err(WrongType) };
    let count = u64::try_from(i64::from(*count)).map_err(|_| WrongType)?;
    Ok(Duration::from_secs(count.min(MAX_SECONDS)))
}

fn flag(entry: &ListEntry) -> Result<bool, WrongType> {
    match bare(entry)? {
        BareItem::Boolean(set) => Ok(*set),
        _ => Err(WrongType),
    }
}

/// A flag, or a string that names fields.
fn scope(entry: &ListEntry) -> Result<Scope, WrongType> {
    let mut scope = Scope::Nothing;
    match bare(entry)? {
        BareItem::Boolean(true) => scope.widen(None),
        BareItem::Boolean(false) => {}
        BareItem::String(names) => scope.widen(Some(names.as_str().as_bytes())),
        _ => return Err(WrongType),
    }
    Ok(scope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::rules::testing::headers;

    fn cdn(value: &str) -> Option<ResponseDirectives> {
        parse(&headers(&[("cdn-cache-control", value)]))
    }

    #[test]
    fn a_valid_field_is_read_as_structured() {
        for (value, max_age) in [
            ("max-age=60", 60),
            ("max-age=60;a=b, foobar", 60),
            ("foobar=(1 2), max-age=60", 60),
            ("max-age=1, max-age=60", 60),
            ("max-age=99999999999", MAX_SECONDS),
            ("max-age=0", 0),
        ] {
            assert_eq!(cdn(value).unwrap().max_age, Some(Duration::from_secs(max_age)), "{value}");
        }
        let flags = cdn("no-store, private=\"a, b\", no-cache=?0, must-revalidate=?1, public=?0").unwrap();
        assert!(flags.no_store && flags.must_revalidate && !flags.public);
        assert_eq!(flags.no_cache, Scope::Nothing);
        assert_eq!(flags.private.fields().len(), 2);
        assert_eq!(cdn("private").unwrap().private, Scope::Everything);
        let lines = headers(&[("cdn-cache-control", "max-age=60"), ("cdn-cache-control", "no-store")]);
        assert!(parse(&lines).is_some_and(|both| both.no_store && both.max_age.is_some()));
    }

    #[test]
    fn an_invalid_field_is_ignored_as_a_whole() {
        for value in [
            "",
            "  ",
            "max-age=60, &&&&",
            "max-age=\"60\"",
            "max-age=60.0",
            "max-age=-1",
            "max-age",
            "max-age=(60)",
            "max-age =60",
            "max-age= 60",
            "MaX-aGe=60",
            "max-age=60,",
            "no-store=1, max-age=60",
            "no-store=yes",
            "private=a",
            "max-age=99999999999999999",
        ] {
            assert_eq!(cdn(value), None, "{value}");
        }
    }

    #[test]
    fn it_stands_for_cache_control_and_expires() {
        for (cdn, expected, expires_counts) in
            [("max-age=60", 60, false), ("max-age=\"60\"", 1, true), ("no-cache;x, max-age=7", 7, false)]
        {
            let fields = headers(&[("cache-control", "max-age=1"), ("cdn-cache-control", cdn)]);
            let (directives, counts) = effective(&fields);
            assert_eq!((directives.max_age, counts), (Some(Duration::from_secs(expected)), expires_counts), "{cdn}");
        }
    }
}
