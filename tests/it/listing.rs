//! Listings over HTTP against a model: a sorted set of keys and the rules of the S3 API pages.

use std::collections::BTreeSet;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use proptest::collection::btree_set;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};

use crate::harness::Server;
use crate::raw::Answer;
use crate::signed::Signed;

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// What a listing is asked for.
#[derive(Debug, Clone)]
struct Query {
    prefix: String,
    delimiter: String,
    after: String,
    page_size: usize,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Entry {
    Key(String),
    Prefix(String),
}

/// What the listing must give, all pages together, in order. A start inside a group stands behind the whole group: a client
/// that goes on from a group's name must not meet it again.
fn model(keys: &BTreeSet<String>, query: &Query) -> Vec<Entry> {
    let mut entries = Vec::new();
    for key in keys.iter().filter(|key| key.starts_with(&query.prefix) && key.as_str() > query.after.as_str()) {
        let rest = &key[query.prefix.len()..];
        let entry = match rest.find(&query.delimiter) {
            Some(at) if !query.delimiter.is_empty() => {
                Entry::Prefix(key[..query.prefix.len() + at + query.delimiter.len()].to_owned())
            }
            _ => Entry::Key(key.clone()),
        };
        let is_behind = matches!(&entry, Entry::Prefix(prefix) if query.after.starts_with(prefix));
        if !is_behind && entries.last() != Some(&entry) {
            entries.push(entry);
        }
    }
    entries
}

/// Follows the pages as a client does; checks what every page says of itself.
async fn list(client: &Signed, bucket: &str, query: &Query) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut next = Some(match query.version {
        Version::One => format!("marker={}", encoded(&query.after)),
        Version::Two => format!("list-type=2&start-after={}", encoded(&query.after)),
    });
    while let Some(from) = next.take() {
        let (prefix, delimiter) = (encoded(&query.prefix), encoded(&query.delimiter));
        let fixed = format!("encoding-type=url&max-keys={}&prefix={prefix}&delimiter={delimiter}", query.page_size);
        let page = client.get(&format!("/{bucket}?{fixed}&{from}")).await;
        assert_eq!(page.status, 200, "{query:?}: {}", page.text());
        let found = entries_of(&page);
        assert!(found.len() <= query.page_size, "{query:?}: a page of {}", found.len());
        let truncated = page.element("IsTruncated").as_deref() == Some("true");
        assert!(!truncated || found.len() == query.page_size, "{query:?}: a short page that says there is more");
        if query.version == Version::Two {
            assert_eq!(page.element("KeyCount"), Some(found.len().to_string()), "{query:?}");
        }
        entries.extend(found);
        if truncated {
            next = Some(continuation(&page, query, entries.last()));
        }
    }
    entries
}

fn continuation(page: &Answer, query: &Query, last: Option<&Entry>) -> String {
    match query.version {
        Version::Two => {
            let token = page.element("NextContinuationToken").expect("a truncated page has a token");
            format!("list-type=2&continuation-token={}", encoded(&token.replace("&amp;", "&")))
        }
        Version::One => {
            // S3 gives NextMarker only with a delimiter; without one, the last key is the marker.
            let marker = match (page.element("NextMarker"), last) {
                (Some(marker), _) => decoded(&marker),
                (None, Some(Entry::Key(key))) if query.delimiter.is_empty() => key.clone(),
                (None, last) => panic!("{query:?}: no NextMarker behind {last:?}"),
            };
            format!("marker={}", encoded(&marker))
        }
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8().expect("UTF-8").into_owned()
}

/// The keys and prefixes of a page, merged in order: S3 gives them in two lists.
fn entries_of(page: &Answer) -> Vec<Entry> {
    let keys = page.elements("Key").into_iter().map(|key| Entry::Key(decoded(&key)));
    let groups = page.elements("CommonPrefixes").into_iter().map(|group| {
        let inner = group.trim_start_matches("<Prefix>").trim_end_matches("</Prefix>");
        Entry::Prefix(decoded(inner))
    });
    let mut entries: Vec<_> = keys.chain(groups).collect();
    entries.sort_by(|one, other| text_of(one).cmp(text_of(other)));
    entries
}

fn text_of(entry: &Entry) -> &str {
    match entry {
        Entry::Key(text) | Entry::Prefix(text) => text,
    }
}

/// Keys of few letters, so that prefixes and delimiters meet; some letters are awkward ones.
fn keys() -> impl Strategy<Value = BTreeSet<String>> {
    btree_set(fragment(1..7), 1..30)
}

fn fragment(length: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    let letters =
        vec!["a", "b", "/", "/", "//", "+", " ", "%", "%2F", ".", "..", "\u{1}", "&", "<", "é", "日", "\u{10FFFF}"];
    prop::collection::vec(select(letters), length).prop_map(|parts| parts.concat())
}

fn queries() -> impl Strategy<Value = Query> {
    let delimiters = vec!["", "/", "/", "//", "a", "é", "b/"];
    let versions = vec![Version::One, Version::Two];
    (fragment(0..3), select(delimiters), fragment(0..4), 1..12usize, select(versions)).prop_map(
        |(prefix, delimiter, after, page_size, version)| Query {
            prefix,
            delimiter: delimiter.to_owned(),
            after,
            page_size,
            version,
        },
    )
}

#[test]
fn listings_agree_with_the_model() {
    let server = Server::start();
    let client = server.client();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner = TestRunner::new(Config { cases: 25, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&(keys(), prop::collection::vec(queries(), 12)), |(keys, queries)| {
        runtime.block_on(async {
            let bucket = server.bucket().await;
            for key in &keys {
                assert_eq!(client.put(&format!("/{bucket}/{}", encoded(key)), "").await.status, 200, "{key:?}");
            }
            for query in &queries {
                prop_assert_eq!(list(&client, &bucket, query).await, model(&keys, query), "{:?}", query);
            }
            Ok(())
        })
    });
    outcome.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_encoding_control_characters_are_escaped_as_entities() {
    let server = Server::start();
    let client = server.client();
    let bucket = server.bucket().await;
    assert_eq!(client.put(&format!("/{bucket}/a%01%0D%26%3C"), "").await.status, 200);
    let page = client.get(&format!("/{bucket}?list-type=2")).await;
    assert_eq!(page.element("Key").as_deref(), Some("a&#x1;&#13;&amp;&lt;"));
    assert!(!page.body.contains(&1), "a control character stands in the XML as it is");
    assert_eq!(page.element("EncodingType"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_is_echoed_encoded_only_when_asked() {
    let server = Server::start();
    let client = server.client();
    let bucket = server.bucket().await;
    assert_eq!(client.put(&format!("/{bucket}/a%20b%2Fc%2Bd"), "").await.status, 200);
    let plain = client.get(&format!("/{bucket}?list-type=2&prefix=a%20&delimiter=%2B")).await;
    assert_eq!(plain.element("Prefix").as_deref(), Some("a "));
    assert_eq!(plain.elements("CommonPrefixes"), ["<Prefix>a b/c+</Prefix>"]);
    let asked = client.get(&format!("/{bucket}?list-type=2&prefix=a%20&encoding-type=url")).await;
    assert_eq!(asked.element("EncodingType").as_deref(), Some("url"));
    assert_eq!(decoded(&asked.element("Key").unwrap()), "a b/c+d");
    assert!(!asked.element("Key").unwrap().contains(' '));
    let unknown = client.get(&format!("/{bucket}?list-type=2&encoding-type=base64")).await;
    assert_eq!(unknown.error(), (400, "InvalidArgument".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_listing_parameters_are_refused() {
    let server = Server::start();
    let client = server.client();
    let bucket = server.bucket().await;
    for query in
        ["max-keys=x", "max-keys=-1", "max-keys=99999999999999999999", "list-type=2&max-keys=1.5", "list-type=3"]
    {
        let answer = client.get(&format!("/{bucket}?{query}")).await;
        assert_eq!(answer.error(), (400, "InvalidArgument".into()), "{query}");
    }
    let uploads = client.get(&format!("/{bucket}?uploads=&max-uploads=x")).await;
    assert_eq!(uploads.error(), (400, "InvalidArgument".into()));
}
