//! What the public suite of HTTP caching does not ask (`tests/clients/test_cache_suite.py` runs that one): mostly
//! `CDN-Cache-Control`, RFC 9213, as an edge with an unconfigured origin treats it, and `Cache-Status`, RFC 9211.

use super::process::Edge;
use super::scripted::{Scripted, answer};
use Second::{Fetched, Stored};

/// Where the answer to the second request for the same comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Second {
    Stored,
    Fetched,
}

/// Headers of an answer, and whether it is used again at once.
const TABLE: &[(&str, Second)] = &[
    ("CDN-Cache-Control: max-age=3600", Stored),
    ("CDN-Cache-Control: max-age=2147483648", Stored),
    ("CDN-Cache-Control: max-age=99999999999", Stored),
    ("CDN-Cache-Control: max-age=0", Fetched),
    ("CDN-Cache-Control: max-age=3600\r\nAge: 7200", Fetched),
    // Parameters and unknown members are none of its business: RFC 9213 section 2.1.
    ("CDN-Cache-Control: foo, max-age=3600, bar=(1 2);x", Stored),
    ("CDN-Cache-Control: max-age=3600;extension=\"x\"", Stored),
    ("CDN-Cache-Control: foo\r\nCDN-Cache-Control: max-age=3600", Stored),
    // The last of two counts in a dictionary: RFC 9651 section 4.2.2.
    ("CDN-Cache-Control: max-age=0, max-age=3600", Stored),
    ("CDN-Cache-Control: max-age=3600, max-age=0", Fetched),
    // It beats what all caches are told, in both directions.
    ("CDN-Cache-Control: max-age=3600\r\nCache-Control: max-age=0", Stored),
    ("CDN-Cache-Control: max-age=3600\r\nCache-Control: no-store", Stored),
    ("CDN-Cache-Control: max-age=3600\r\nCache-Control: private", Stored),
    ("CDN-Cache-Control: max-age=3600\r\nCache-Control: no-cache", Stored),
    ("CDN-Cache-Control: max-age=0\r\nCache-Control: max-age=3600", Fetched),
    ("CDN-Cache-Control: no-store\r\nCache-Control: max-age=3600", Fetched),
    ("CDN-Cache-Control: private\r\nCache-Control: max-age=3600", Fetched),
    ("CDN-Cache-Control: no-cache\r\nCache-Control: max-age=3600", Fetched),
    ("CDN-Cache-Control: max-age=3600\r\nExpires: Thu, 01 Jan 1970 00:00:00 GMT", Stored),
    ("CDN-Cache-Control: max-age=3600\r\nExpires: 0", Stored),
    ("CDN-Cache-Control: max-age=0\r\nExpires: Fri, 01 Jan 2100 00:00:00 GMT", Fetched),
    // What is no dictionary is ignored as a whole: then the others count.
    ("CDN-Cache-Control: max-age=3600, &&&\r\nCache-Control: no-store", Fetched),
    ("CDN-Cache-Control: no-store, &&&\r\nCache-Control: max-age=3600", Stored),
    ("CDN-Cache-Control: max-age =3600\r\nCache-Control: no-store", Fetched),
    ("CDN-Cache-Control: max-age= 3600\r\nCache-Control: no-store", Fetched),
    ("CDN-Cache-Control: MAX-AGE=3600\r\nCache-Control: no-store", Fetched),
    ("CDN-Cache-Control: \r\nCache-Control: max-age=3600", Stored),
    // Values of another type do not count: RFC 9213 section 2.1.
    ("CDN-Cache-Control: max-age=\"3600\"\r\nCache-Control: no-store", Fetched),
    ("CDN-Cache-Control: max-age=3600.0\r\nCache-Control: no-store", Fetched),
    ("CDN-Cache-Control: max-age\r\nCache-Control: no-store", Fetched),
    // Others' targeted fields are others' business.
    ("Netlify-CDN-Cache-Control: max-age=3600", Fetched),
    ("Surrogate-Control: max-age=3600", Fetched),
    // Without a word of the origin nothing is used again.
    ("X: y", Fetched),
    ("Cache-Control: max-age=3600, foo=\"bar", Stored),
    ("Cache-Control: max-age=3600\r\nVary: *", Fetched),
    ("Cache-Control: max-age=3600\r\nVary: accept\r\nVary: x, *", Fetched),
    ("Cache-Control: max-age=3600\r\nSet-Cookie: a=b", Fetched),
    ("Cache-Control: max-age=3600, public\r\nSet-Cookie: a=b", Stored),
];

#[tokio::test(flavor = "multi_thread")]
async fn targeted_directives_count_as_their_specification_says() {
    let origin = Scripted::start(|seen| {
        let row = seen.target().trim_start_matches("GET /").parse::<usize>().unwrap();
        vec![answer(200, &format!("{}\r\n", TABLE[row].0), &seen.number.to_string())]
    });
    let edge = Edge::in_front_of(&origin, "");
    let mut wrong = Vec::new();
    for (row, (headers, expected)) in TABLE.iter().enumerate() {
        let (first, second) = (edge.get(&format!("/{row}")).await, edge.get(&format!("/{row}")).await);
        let found = if first.body == second.body { Stored } else { Fetched };
        if found != *expected {
            wrong.push((headers, expected));
        }
        let status = second.header("cache-status").unwrap_or_default();
        assert_eq!(status.contains("; hit"), found == Stored, "{headers:?}: {status}");
        assert_eq!(second.header("age").is_some(), found == Stored || headers.contains("Age"), "{headers:?}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
