//! How paths behave: read from a site's own keys, or from one of its behaviours over them.

use std::time::Duration;

use http::header::HeaderName;
use http::{Method, StatusCode};
use toml::{Table, Value};

use super::super::rules::bucket_request::MAY_BE_ALLOWED;
use super::super::rules::compress::Compression;
use super::super::rules::key::{KeyPolicy, Selection};
use super::super::rules::pages::{ErrorPage, MAY_HAVE_PAGES, Pages};
use super::super::rules::ttl::{ErrorTtls, TtlPolicy};
use super::super::site::{Access, Behaviour, Cached, OriginKind, PathPattern, Presigned, Rate, Secure};
use super::fields::{Fields, text_of};
use super::headers;
use super::keys::Keys;
use super::rows::ERROR_PAGE;
use super::values::{header_name, network, number, switch, text, time, time_or_none};

/// The most names of one list.
const MAX_NAMES: usize = 100;
/// The most requests that a rate may name.
const MAX_RATE: u64 = 1_000_000;

/// Reads a behaviour for the paths of `path`. `at` is what faults call it.
pub fn read(fields: &Fields<'_>, at: &str, path: PathPattern, kind: OriginKind, keys: &Keys) -> Option<Behaviour> {
    let bucket_query = fields.list("bucket_query", |name| MAY_BE_ALLOWED.contains(&name).then(|| name.to_owned()));
    let methods = methods(fields, kind);
    let access = access(fields, keys);
    let cached = cached(fields);
    let key = key(fields, kind, &bucket_query);
    let compress = fields.read("compress", switch);
    let pages = pages(fields, at);
    let headers = headers::read(fields, at);
    let tag_headers = fields.list("tag_headers", header_name);
    let presigned = presigned(fields, kind);
    let cache_status = fields.read("cache_status", switch);
    Some(Behaviour {
        path,
        methods,
        access: access?,
        cached: cached?,
        key: key?,
        compression: if compress? { Compression::ALL } else { Compression::default() },
        pages,
        headers,
        tag_headers,
        presigned: presigned?,
        bucket_query,
        cache_status: cache_status?,
    })
}

fn methods(fields: &Fields<'_>, kind: OriginKind) -> Option<Vec<Method>> {
    let methods = fields.list("methods", |text| text.parse::<Method>().ok());
    let readable = [Method::GET, Method::HEAD, Method::OPTIONS];
    if kind == OriginKind::Bucket {
        if let Some(wrong) = methods.iter().find(|method| !readable.contains(method)) {
            fields.fault(format!("methods: {wrong} is never sent to a bucket; GET, HEAD and OPTIONS are"));
        }
        return Some(if methods.is_empty() { readable.to_vec() } else { methods });
    }
    if methods.is_empty() { None } else { Some(methods) }
}

fn cached(fields: &Fields<'_>) -> Option<Cached> {
    let unset = TtlPolicy::headers_alone();
    let (min, renewed) = (fields.read("min_ttl", time_or_none), fields.read("stale_while_revalidate", time_or_none));
    let failing = fields.read("stale_if_error", time_or_none);
    let ttl = TtlPolicy {
        min: min.unwrap_or_default(),
        default: fields.read("default_ttl", time_or_none),
        max: fields.read("max_ttl", time_or_none).unwrap_or(unset.max),
        stale_while_revalidate: renewed.unwrap_or_default(),
        stale_if_error: failing.unwrap_or_default(),
    };
    if ttl.min > ttl.max || ttl.default.is_some_and(|default| default > ttl.max) {
        fields.fault("max_ttl is less than min_ttl or default_ttl");
    }
    let enabled = fields.read("cache", switch);
    let errors = error_ttls(fields);
    let honour_requests = fields.read("honour_requests", switch);
    let store_set_cookie = fields.read("store_set_cookie", switch);
    let slices = fields.read("slices", switch);
    Some(Cached {
        enabled: enabled?,
        ttl,
        errors,
        honour_requests: honour_requests?,
        store_set_cookie: store_set_cookie?,
        slices: slices?,
    })
}

fn error_ttls(fields: &Fields<'_>) -> ErrorTtls {
    let mut errors = fields.read("error_ttl", time_or_none).map(ErrorTtls::cloudfront).unwrap_or_default();
    for (status, ttl) in fields.map("error_ttls") {
        match (status_between(400, 599)(status), time_or_none(&ttl)) {
            (Some(status), Some(ttl)) => errors = errors.with(status, ttl),
            _ => fields.fault(format!(
                "error_ttls: {status} = {ttl:?} is not valid; expected a status from 400 to 599 and a time such as 30s"
            )),
        }
    }
    errors
}

/// A status within these bounds.
pub fn status_between(from: u16, to: u16) -> impl Fn(&str) -> Option<StatusCode> {
    move |text| number(from.into()..=to.into())(text).and_then(|status| StatusCode::from_u16(status as u16).ok())
}

fn key(fields: &Fields<'_>, kind: OriginKind, bucket_query: &[String]) -> Option<KeyPolicy> {
    let default = match kind {
        OriginKind::Http => Selection::All,
        // A bucket is asked with these alone, so these alone tell answers apart.
        OriginKind::Bucket if !bucket_query.is_empty() => Selection::Listed(bucket_query.to_vec()),
        OriginKind::Bucket | OriginKind::Website => Selection::None,
    };
    if kind == OriginKind::Bucket && fields.is_given("key_query") {
        fields.fault("key_query is not for buckets: they are sent, and keyed by, what bucket_query names");
    }
    let headers: Vec<HeaderName> = fields.list("key_headers", header_name);
    if headers.iter().any(|name| matches!(name.as_str(), "cookie" | "host" | "range")) {
        fields.fault("key_headers: cookies have key_cookies, the host is always part of the key, and ranges never are");
    }
    let query = selection(fields, "key_query").unwrap_or(default);
    let sort_query = fields.read("key_sort_query", switch);
    let cookies = selection(fields, "key_cookies").unwrap_or_default();
    Some(KeyPolicy { query, sort_query: sort_query?, headers, cookies })
}

/// `all`, `none`, a list, or a table that says what is excepted; `None` where nothing is given.
fn selection(fields: &Fields<'_>, key: &str) -> Option<Selection> {
    match fields.value(key)? {
        Value::String(word) if word == "all" => Some(Selection::All),
        Value::String(word) if word == "none" => Some(Selection::None),
        Value::Array(_) => Some(Selection::Listed(bounded(fields, key, fields.list(key, text)))),
        Value::Table(table) => excepted(fields, key, table),
        _ => {
            fields.fault(format!("{key} is not valid; expected all, none, a list of names, or {{ except = [...] }}"));
            None
        }
    }
}

fn excepted(fields: &Fields<'_>, key: &str, table: &Table) -> Option<Selection> {
    let names = match (table.len(), table.get("except")) {
        (1, Some(Value::Array(items))) => items.iter().map(|item| text(&text_of(item)?)).collect::<Option<Vec<_>>>(),
        _ => None,
    };
    if names.is_none() {
        fields.fault(format!("{key} is not valid; expected {{ except = [...] }} with a list of names"));
    }
    names.map(|names| Selection::AllBut(bounded(fields, key, names)))
}

fn bounded(fields: &Fields<'_>, key: &str, names: Vec<String>) -> Vec<String> {
    if names.len() > MAX_NAMES {
        fields.fault(format!("{key} has more than {MAX_NAMES} names"));
    }
    names
}

fn pages(fields: &Fields<'_>, at: &str) -> Pages {
    let path = |text: &str| {
        let plain = text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#".contains(&byte));
        plain.then(|| text.to_owned())
    };
    let mut errors = Vec::new();
    for (index, table) in fields.tables("error_page").into_iter().enumerate() {
        let at = format!("{at}, error_page number {}", index + 1);
        let page = Fields::of(fields.notes(), &at, table, ERROR_PAGE);
        page.check_keys(&[ERROR_PAGE]);
        let status = page.need("status", |text| {
            status_between(400, 599)(text).filter(|status| MAY_HAVE_PAGES.contains(&status.as_u16()))
        });
        let (path, answer) = (page.need("page", path), page.read("as", status_between(200, 599)));
        let (Some(status), Some(path)) = (status, path) else { continue };
        errors.push(ErrorPage { status, path, answer });
    }
    Pages::new(errors, fields.read("fallback", path))
}

fn presigned(fields: &Fields<'_>, kind: OriginKind) -> Option<Presigned> {
    if kind != OriginKind::Bucket && fields.is_given("presigned") {
        fields.fault("presigned is for buckets alone");
    }
    fields.read("presigned", |text| match text {
        "refuse" => Some(Presigned::Refuse),
        "pass" => Some(Presigned::Pass),
        _ => None,
    })
}

fn access(fields: &Fields<'_>, keys: &Keys) -> Option<Access> {
    let groups = fields.list("signed_by", |name| keys.has(name).then(|| name.to_owned()));
    let allow = fields.list("allow", network);
    let deny = fields.list("deny", network);
    let rate = rate(fields);
    let signed_by = (!groups.is_empty()).then(|| keys.groups(&groups));
    let secure = fields.read("https", |text| match text {
        "optional" => Some(Secure::Optional),
        "redirect" => Some(Secure::Redirect),
        "required" => Some(Secure::Required),
        _ => None,
    });
    Some(Access { allow, deny, rate, signed_by, secure: secure? })
}

fn rate(fields: &Fields<'_>) -> Option<Rate> {
    let parse = |text: &str| -> Option<(u32, Duration)> {
        let (requests, per) = text.split_once('/')?;
        Some((number(1..=MAX_RATE)(requests)? as u32, time(per)?))
    };
    let (rate, burst) = (fields.read("rate", parse), fields.read("rate_burst", number(1..=MAX_RATE)));
    if burst.is_some() && !fields.is_given("rate") {
        fields.fault("rate must be given when rate_burst is");
    }
    let (requests, per) = rate?;
    Some(Rate { requests, per, burst: burst.map_or(requests, |burst| burst as u32) })
}
