//! `[site.headers]`: what answers are given besides the origin's headers.

use http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use toml::Table;

use super::super::rules::response_policy::{Added, Cors, ResponsePolicy};
use super::fields::Fields;
use super::origin::headers;
use super::rows::{CORS, HEADERS_POLICY, SECURITY};
use super::values::{header_name, header_value, switch, text, time};

/// The methods that `ALL` stands for.
const ALL_METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// Reads the policy at `headers` of a behaviour.
pub fn read(behaviour: &Fields<'_>, at: &str) -> ResponsePolicy {
    let Some(table) = behaviour.inner("headers") else { return ResponsePolicy::default() };
    let at = format!("{at}, headers");
    let fields = Fields::of(behaviour.notes(), &at, table, HEADERS_POLICY);
    fields.check_keys(&[HEADERS_POLICY]);
    let mut added = Vec::new();
    for (key, overrides) in [("set", false), ("override", true)] {
        added.extend(headers(&fields, key).into_iter().map(|(name, value)| Added { name, value, overrides }));
    }
    if let Some(table) = fields.inner("security") {
        added.extend(security(&fields, &at, table));
    }
    let cors = fields.inner("cors").and_then(|table| cors(&fields, &at, table));
    ResponsePolicy { cors, added, removed: fields.list("remove", header_name) }
}

fn security(fields: &Fields<'_>, at: &str, table: &Table) -> Vec<Added> {
    let at = format!("{at}, security");
    let fields = Fields::of(fields.notes(), &at, table, SECURITY);
    fields.check_keys(&[SECURITY]);
    let overrides = fields.read("override", switch).unwrap_or(false);
    let frame = |text: &str| header_value(text).filter(|_| matches!(text, "DENY" | "SAMEORIGIN"));
    let values: [(HeaderName, Option<HeaderValue>); 5] = [
        (STRICT_TRANSPORT_SECURITY, fields.read("strict_transport_security", header_value)),
        (CONTENT_SECURITY_POLICY, fields.read("content_security_policy", header_value)),
        (X_FRAME_OPTIONS, fields.read("frame_options", frame)),
        (REFERRER_POLICY, fields.read("referrer_policy", header_value)),
        (X_CONTENT_TYPE_OPTIONS, nosniff(&fields)),
    ];
    let given = values.into_iter().filter_map(|(name, value)| Some((name, value?)));
    given.map(|(name, value)| Added { name, value, overrides }).collect()
}

fn nosniff(fields: &Fields<'_>) -> Option<HeaderValue> {
    fields.read("content_type_options", switch)?.then(|| HeaderValue::from_static("nosniff"))
}

fn cors(fields: &Fields<'_>, at: &str, table: &Table) -> Option<Cors> {
    let at = format!("{at}, cors");
    let fields = Fields::of(fields.notes(), &at, table, CORS);
    fields.check_keys(&[CORS]);
    let origins = fields.list("origins", origin);
    if !fields.is_given("origins") {
        fields.fault("origins must be given");
    }
    let methods = match fields.list("methods", text) {
        all if all.iter().any(|method| method == "ALL") => HeaderValue::from_static(ALL_METHODS),
        methods => joined(&methods).unwrap_or(HeaderValue::from_static("GET, HEAD")),
    };
    let credentials = fields.read("credentials", switch);
    let any_header = [("headers", "request"), ("expose", "exposed")]
        .iter()
        .any(|(key, _)| fields.list(key, text).iter().any(|name| name == "*"));
    if credentials == Some(true) && any_header {
        fields.fault("* names no header for requests with credentials: list the headers");
    }
    let request_headers = joined(&fields.list("headers", field));
    let exposed_headers = joined(&fields.list("expose", field));
    let max_age = fields.read("max_age", time);
    let overrides = fields.read("override", switch);
    Some(Cors {
        origins,
        methods,
        request_headers,
        exposed_headers,
        credentials: credentials?,
        max_age_seconds: Some(max_age?.as_secs()),
        overrides: overrides?,
    })
}

/// `*`, or an origin with at most one star.
fn origin(text: &str) -> Option<String> {
    let known = text == "*" || text.starts_with("https://") || text.starts_with("http://");
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic()) && text.matches('*').count() <= 1;
    (known && plain && !text.ends_with('/')).then(|| text.to_owned())
}

fn field(text: &str) -> Option<String> {
    (text == "*" || header_name(text).is_some()).then(|| text.to_owned())
}

fn joined(items: &[String]) -> Option<HeaderValue> {
    if items.is_empty() { None } else { HeaderValue::from_str(&items.join(", ")).ok() }
}
