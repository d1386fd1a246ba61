//! What the public suite of HTTP caching does not ask (`tests/clients/test_cache_suite.py` runs that one): mostly
//! `CDN-Cache-Control`, RFC 9213, as an edge with an unconfigured origin treats it, and `Cache-Status`, RFC 9211.

use std::collections::HashSet;
use std::time::Duration;

use parking_lot::Mutex;

use super::process::Edge;
use super::scripted::{Gate, Scripted, Step, answer, send};
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

/// Directives of a stored answer that is stale, and whether it may be served where the origin fails.
const STALE: &[(&str, bool)] = &[
    ("max-age=1", true),
    ("max-age=1, stale-if-error=60", true),
    ("max-age=1, stale-if-error=0", false),
    ("max-age=1, must-revalidate", false),
    ("max-age=1, proxy-revalidate", false),
    ("s-maxage=1", false),
    ("no-cache", false),
    ("no-cache, stale-if-error=60", false),
    ("must-revalidate, max-age=1, stale-if-error=60", false),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_answer_is_served_where_the_origin_fails_and_never_where_that_is_forbidden() {
    let before = Mutex::new(HashSet::new());
    let origin = Scripted::start(move |seen| {
        let (failure, row) = seen.target().trim_start_matches("GET /").split_once('/').unwrap();
        if before.lock().insert(seen.target().to_owned()) {
            let directives = STALE[row.parse::<usize>().unwrap()].0;
            return vec![answer(200, &format!("cache-control: {directives}\r\netag: \"a\"\r\n"), "good")];
        }
        match failure {
            "closed" => vec![Step::Close],
            "garbage" => vec![send("garbage\r\n\r\n"), Step::Close],
            _ => vec![answer(503, "", "failed")],
        }
    });
    let edge = Edge::in_front_of(&origin, "");
    let failures = ["closed", "garbage", "failed"];
    for failure in failures {
        for row in 0..STALE.len() {
            assert_eq!(edge.get(&format!("/{failure}/{row}")).await.text(), "good");
        }
    }
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for failure in failures {
        for (row, (directives, served)) in STALE.iter().enumerate() {
            let second = edge.get(&format!("/{failure}/{row}")).await;
            let status = second.header("cache-status").unwrap_or_default();
            assert_eq!((second.status == 200, second.text() == "good"), (*served, *served), "{directives}: {second:?}");
            assert!(*served || !status.contains("; hit"), "{directives}: {status}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_while_revalidate_answers_at_once_and_ends_with_its_window() {
    let gate = Gate::default();
    let held = gate.clone();
    let origin = Scripted::start(move |seen| {
        let answer = answer(200, "cache-control: max-age=1, stale-while-revalidate=2\r\n", &seen.number.to_string());
        if seen.number == 1 { vec![Step::Wait(held.clone()), answer] } else { vec![answer] }
    });
    let edge = Edge::in_front_of(&origin, "");
    assert_eq!(edge.get("/").await.text(), "0");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    for _ in 0..5 {
        assert_eq!(edge.get("/").await.text(), "0", "the origin is being asked meanwhile");
    }
    gate.open();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!((edge.get("/").await.text(), origin.seen().len()), ("1".to_owned(), 2));
    tokio::time::sleep(Duration::from_millis(3500)).await;
    assert_eq!(edge.get("/").await.text(), "2", "the window is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn age_grows_and_counts_what_the_answer_had_before() {
    let origin = Scripted::answers(vec![vec![answer(200, "cache-control: max-age=1000\r\nage: 100\r\n", "")]]);
    let edge = Edge::in_front_of(&origin, "");
    edge.get("/").await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let age: u64 = edge.get("/").await.header("age").unwrap().parse().unwrap();
    assert!((101..=105).contains(&age), "{age}");
}
