//! Fuzz targets: directives, structured fields, lists, keys, purge paths, and whole exchanges.

use std::net::IpAddr;
use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use sfv::{Dictionary, Parser};

use super::bucket_request::{BucketRequest, bucket_request};
use super::cache_status::{CacheStatus, Forward};
use super::conditional::{Facts, Selected};
use super::directives::{MAX_SECONDS, RequestDirectives, ResponseDirectives};
use super::key::{KeyPolicy, PrimaryKey, Selection, Target};
use super::reuse::{Reuse, Standing};
use super::signed_url::KeyGroup;
use super::store::{Exchange, NotStored, SetCookies};
use super::testing::NOW;
use super::ttl::{ErrorTtls, TtlPolicy};
use super::vary::Vary;
use super::{
    age, conditional, hygiene, invalidate, key, list, reuse, signed_url, store, target, update, vary, wildcard,
};
use crate::fuzz::{self, Mutated};
use crate::http::conditional::Validators;
use crate::http::head::Head;
use crate::http::percent;

/// The fields of a head as a server would hand them to us; `None` where it would not.
fn fields_of(head: &Head) -> Option<HeaderMap> {
    let mut fields = HeaderMap::new();
    for (name, value) in head.headers.iter() {
        fields.append(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(value).ok()?);
    }
    Some(fields)
}

fn target_of(head: &Head) -> Target<'_> {
    let query = (!head.query.is_empty()).then_some(head.query.as_str());
    Target { secure: true, host: "example.com", path: &head.path, query }
}

fn value(name: &'static str, value: &[u8]) -> Option<HeaderMap> {
    let mut fields = HeaderMap::new();
    fields.append(HeaderName::from_static(name), HeaderValue::from_bytes(value).ok()?);
    Some(fields)
}

#[test]
fn directives() {
    let seeds = [
        "max-age=3600, s-maxage=\"60\", stale-while-revalidate=30, stale-if-error=86400",
        "no-cache=\"set-cookie, x-a\", private=\"a\\\"b\", no-store, must-understand",
        "public, must-revalidate, proxy-revalidate, no-transform, immutable, x=y",
        "no-cache, max-stale, max-stale=5, min-fresh=7, only-if-cached",
        "extension=\"max-age=3600\", max-age=1",
    ];
    let words = ["max-age=", "no-store", "private", "no-cache=\"", "\\\"", "=", ", ", "s-maxage=", "must-understand"];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(seeds, &words)).for_each(|input| {
        let Some(mut fields) = value("cache-control", input) else { return };
        fuzz::promptly(|| {
            let longest = Duration::from_secs(MAX_SECONDS);
            let read = ResponseDirectives::parse(&fields);
            assert!(read.lifetime().is_none_or(|lifetime| lifetime <= longest));
            let asked = RequestDirectives::parse(&fields);
            assert!(asked.max_age.is_none_or(|age| age <= longest));
            // Without quotes, members are what stands between commas.
            if !input.contains(&b'"') {
                let member =
                    |name: &[u8]| input.split(|byte| *byte == b',').any(|m| m.trim_ascii().eq_ignore_ascii_case(name));
                assert!(read.no_store || !member(b"no-store"));
                assert!(read.public || !member(b"public"));
                assert!(asked.only_if_cached || !member(b"only-if-cached"));
            }
            // What stands on a line of its own counts, whatever the line before did with its quotes.
            fields.append("cache-control", HeaderValue::from_static("no-store, private"));
            let both = ResponseDirectives::parse(&fields);
            assert!(both.no_store && both.private == super::directives::Scope::Everything);
            assert_eq!(both.max_age, read.max_age);
        });
    });
}

#[test]
fn structured_fields() {
    let seeds = [
        "max-age=60, no-store=?0, private=\"a, b\", foo=(1 2);x",
        "s-maxage=1, stale-if-error=2;p=:YQ==:, must-revalidate, no-cache=\"x\"",
        "max-age=60.5, public=@1659578233, x=%\"f%c3%bc\"",
    ];
    let words = ["max-age=", "?1", "?0", ", ", ";", "(", ")", ":", "=\"", "no-store", "private"];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(seeds, &words)).for_each(|input| {
        let Some(fields) = value("cdn-cache-control", input) else { return };
        fuzz::promptly(|| {
            let read = target::parse(&fields);
            let parsed = Parser::new(&input[..]).parse::<Dictionary>();
            assert!(read.is_none() || parsed.is_ok_and(|dictionary| !dictionary.is_empty()));
            let (effective, expires_counts) = target::effective(&fields);
            assert_eq!(expires_counts, read.is_none());
            assert_eq!(effective, read.unwrap_or_default());
        });
    });
}

#[test]
fn lists_and_variants() {
    let seeds = [
        "vary: accept-encoding, Accept-Language\naccept-encoding: gzip, br;q=0.5\naccept-language: de, en;q=0.7",
        "vary: *, foo",
        "vary: foo\nvary: bar\nfoo: \"a, b\", c\nbar: ",
        "age: 7200, 0\ndate: Sun, 06 Nov 1994 08:49:37 GMT",
    ];
    let words = ["vary: ", "*", ", ", "\"", "\\\"", "accept-encoding: ", "br", "gzip;q=0", "\nfoo: "];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(seeds, &words)).for_each(|input| {
        let head = crate::http::fuzz::head(&[b"GET /\n", &input[..]].concat());
        let Some(fields) = head.as_ref().and_then(fields_of) else { return };
        fuzz::promptly(|| {
            let vary = Vary::parse(&fields);
            let star = fields
                .get_all("vary")
                .iter()
                .any(|value| value.as_bytes().split(|byte| *byte == b',').any(|member| member.trim_ascii() == b"*"));
            assert!(vary.is_any() || !star || input.contains(&b'"'));
            assert!(vary.names().is_sorted_by(|a, b| a.as_str() < b.as_str()));
            let key = vary::secondary(&vary, &fields, true);
            assert_eq!(vary::SecondaryKey::from_stored(key.as_bytes()), key);
            assert!(
                age::initial(&fields, NOW, NOW)
                    <= Duration::from_secs(MAX_SECONDS).max(Duration::from_millis(NOW.as_millis()))
            );
            for value in fields.values() {
                let members: usize = list::members(value.as_bytes(), b',').map(<[u8]>::len).sum();
                assert!(members <= value.len());
                assert!(list::unquote(value.as_bytes()).len() <= value.len());
            }
        });
    });
}

#[test]
fn keys_and_what_origins_are_asked() {
    let seeds = [
        "GET /a/%7Eb?x=1&y=2&x=0\ncookie: a=1; b=2\nx-a: 1, \"2,3\"\naccept-encoding: br",
        "GET /?utm%5Fsource=x&&a\ncookie: =;;a\ncookie: b",
        "GET //../%2e%2e/bucket?list-type=2&versionId=x&X-Amz-Signature=y",
        "GET /%\nauthorization: AWS4-HMAC-SHA256 x\nconnection: x-a\nx-a: b\nx_forwarded_for: c",
        "GET /a?Expires=1&Signature=a-_~&Key-Pair-Id=K1&Policy=e30_\ncookie: CloudFront-Signature=x",
    ];
    let words = ["%2e", "%2F", "&", "versionId=", "x-amz-", "\ncookie: ", "; ", "\nx-a: ", "?", "=", "\"", "%"];
    let policy = KeyPolicy {
        query: Selection::AllBut(vec!["utm_source".to_owned()]),
        sort_query: true,
        headers: vec![HeaderName::from_static("x-a"), http::header::ACCEPT_ENCODING],
        cookies: Selection::Listed(vec!["a".to_owned()]),
    };
    let allowed = ["versionId".to_owned()];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(seeds, &words)).for_each(|input| {
        let Some(head) = crate::http::fuzz::head(input) else { return };
        let Some(fields) = fields_of(&head) else { return };
        let target = target_of(&head);
        fuzz::promptly(|| {
            key_is_stable(&policy, &target, &fields);
            if let Ok(asked) = bucket_request(&Method::GET, &target, &fields, &allowed) {
                only_reads_one_object(&asked);
            }
            let unsigned = signed_url::unsigned_query(target.query).unwrap_or_default();
            assert!(!unsigned.split('&').any(|part| part.starts_with("Signature=") || part == "Policy"));
            let denied = KeyGroup::default().check(&target, &fields, IpAddr::from([127, 0, 0, 1]), NOW);
            assert!(denied.is_err(), "nobody signs");
            let hop = hygiene::Hop {
                client: IpAddr::from([127, 0, 0, 1]),
                secure: true,
                host: target.host,
                version: http::Version::HTTP_11,
                id: "edge",
                upgrade: false,
            };
            let forwarded = hygiene::to_origin(&fields, &hop);
            assert!(hygiene::loops(&forwarded, "edge"));
            assert_eq!(forwarded.get_all("x-forwarded-for").iter().collect::<Vec<_>>(), ["127.0.0.1"]);
            assert!(!forwarded.contains_key("x_forwarded_for") && !forwarded.contains_key("connection"));
        });
    });
}

/// What is shown to the origin has the key of what the client sent: who fills the cache decides nothing that is not
/// keyed.
fn key_is_stable(policy: &KeyPolicy, target: &Target<'_>, fields: &HeaderMap) {
    let made = key::primary(policy, target, fields);
    let query = key::forwarded_query(policy, target.query);
    let mut forwarded = fields.clone();
    forwarded.remove("cookie");
    if let Some(cookies) = key::forwarded_cookies(policy, fields) {
        forwarded.insert("cookie", cookies);
    }
    assert_eq!(key::primary(policy, &Target { query: query.as_deref(), ..*target }, &forwarded), made);
    assert_eq!(PrimaryKey::from_stored(made.as_str()), made);
    let normal = key::purge_path(target.path);
    assert_eq!(key::purge_path(&normal), normal);
    assert_eq!(percent::decode_lenient(&normal), percent::decode_lenient(target.path));
    assert!(wildcard::matches("*", target.path) && wildcard::matches(&format!("{normal}*"), &normal));
}

fn only_reads_one_object(asked: &BucketRequest<'_>) {
    let decoded = percent::decode(&asked.path[1..]).unwrap();
    assert!(decoded.iter().any(|byte| *byte != b'/'));
    assert!(!decoded.split(|byte| *byte == b'/').any(|segment| segment == b".."));
    let names = asked.query.as_deref().unwrap_or("versionId").split('&');
    assert!(names.map(|part| part.split('=').next().unwrap()).all(|name| name == "versionId"));
}

#[test]
fn exchanges() {
    let seeds = [
        "GET /a\ncache-control: max-age=60, stale-while-revalidate=5\netag: \"a\"\nage: 5",
        "200 /a\nexpires: Sun, 06 Nov 1994 09:49:37 GMT\ndate: Sun, 06 Nov 1994 08:49:37 GMT\nvary: foo",
        "404 /a\nlast-modified: Sun, 06 Nov 1994 07:49:37 GMT\nset-cookie: a=b\ncontent-range: bytes 0-4/10",
        "206 /a\ncache-control: no-cache=\"x\", private\nlocation: ../b?c#d\nconnection: x\nx: y",
        "304 /a\nrange: bytes=0-1,4-5\nif-range: \"a\"\nif-none-match: W/\"a\"\ncdn-cache-control: max-age=5",
    ];
    let words =
        ["\ncache-control: ", "max-age=", "no-store", "\nage: ", "\nlocation: ", "//", "..", "\nrange: bytes=", "-"];
    let policy = TtlPolicy { max: Duration::from_secs(100), ..TtlPolicy::headers_alone() };
    let errors = ErrorTtls::cloudfront(Duration::from_secs(10));
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(seeds, &words)).for_each(|input| {
        let Some(head) = crate::http::fuzz::head(input) else { return };
        let Some(fields) = fields_of(&head) else { return };
        let status = StatusCode::from_bytes(head.method.as_bytes()).unwrap_or(StatusCode::OK);
        fuzz::promptly(|| {
            let exchange = Exchange {
                method: &Method::GET,
                request_headers: &HeaderMap::new(),
                request: &RequestDirectives::default(),
                status,
                response_headers: &fields,
                request_time: NOW,
                response_time: NOW,
                policy: &policy,
                errors: &errors,
                set_cookies: SetCookies::WhereShared,
                signed: false,
                fed: false,
                keeps_parts: false,
            };
            storing_keeps_its_promises(&exchange);
            let target = target_of(&head);
            for invalid in invalidate::invalidated(&Method::POST, &target, status, &fields).iter().skip(1) {
                let resolved = invalid.path.starts_with('/') && !invalid.path.contains("/../");
                assert!(resolved || invalid.path == target.path, "{invalid:?}");
            }
            ranges_lie_within(&fields);
        });
    });
}

fn storing_keeps_its_promises(exchange: &Exchange<'_>) {
    let (directives, _) = target::effective(exchange.response_headers);
    let initial = age::initial(exchange.response_headers, NOW, NOW);
    let outcome = store::storable(exchange);
    if directives.no_store && !directives.must_understand {
        assert!(outcome.is_err());
    }
    let Ok(freshness) = outcome else { return };
    assert!(![206, 304, 416].contains(&exchange.status.as_u16()));
    assert!(freshness.fresh <= initial.saturating_add(exchange.policy.max), "{freshness:?}");
    let kept = update::stored_headers(exchange.response_headers, SetCookies::WhereShared, false, NOW);
    assert!(kept.contains_key("date") && !kept.contains_key("connection") && !kept.contains_key("age"));
    // What is stored is judged as what came was, but for the age, which is kept beside it.
    let again = store::storable(&Exchange { response_headers: &kept, ..*exchange });
    assert!(again.is_ok_and(|again| again.may_serve_stale == freshness.may_serve_stale) || initial > Duration::ZERO);
    let standing = Standing { age: initial, soft_purged: false, feed_live: false };
    let reuse = reuse::reuse(&freshness, standing, &RequestDirectives::default());
    assert_eq!(reuse == Reuse::Fresh, freshness.fresh > initial && !freshness.validate_always);
    let status = CacheStatus {
        key: exchange.response_headers.get("x").and_then(|x| x.to_str().ok()),
        ..CacheStatus::hit(&freshness, initial)
    };
    assert!(Parser::new(status.value().as_bytes()).parse::<sfv::List>().is_ok());
    let reason = CacheStatus::forward(Forward::Miss).detail(NotStored::Stale.word());
    assert!(Parser::new(reason.value().as_bytes()).parse::<sfv::List>().is_ok());
}

fn ranges_lie_within(fields: &HeaderMap) {
    let validators = Validators::new("\"a\"", NOW);
    let facts = Facts { status: StatusCode::OK, validators, date: NOW, length: Some(10) };
    let parts = match conditional::select(&Method::GET, fields, &facts) {
        Selected::Part(part) => vec![part],
        Selected::Parts(parts) => parts,
        _ => Vec::new(),
    };
    assert!(parts.iter().all(|part| part.start < part.end && part.end <= 10));
    assert!(parts.is_sorted_by(|a, b| a.end <= b.start));
}
