//! Fuzz targets: what the other end may send.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Depends, MAX_DEPENDENCIES, Page, Poll, PurgeRequest, Target};
use crate::fuzz::{self, Mutated};

const POLL: &str = r#"{"version":1,"edge":{"name":"fra-1","run":7},"from":"00000000000000000000000000000001:5",
    "applied":"00000000000000000000000000000001:5","wait":2000,"sites":[{"id":"www","hosts":["www.example.com","*"],
    "origins":[{"name":"pail","kind":"bucket"}],"behaviours":[{"path":"*","min_ttl":0,"default_ttl":0,"max_ttl":60,
    "compress":true}]}],"behind":[{"edge":{"name":"b","run":1},"applied":null,"live":1}]}"#;
const PAGE: &str = r#"{"version":1,"log":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1],"from":5,"entries":[
    {"offset":6,"at":1500,"what":{"kind":"object","bucket":"pail","key":"a","configuration":true}},
    {"offset":7,"at":1500,"what":{"kind":"purge","purges":[{"scope":"everything","target":"all","soft":true},
    {"scope":{"host":"a.example"},"target":{"tag":"shop"}}]}},{"offset":8,"at":1,"what":{"kind":"moon"}}],"next":9,
    "lease":10000,"flush":true,"register":true,"pass":"x"}"#;

/// What can be read can be written, and is the same when it is read again.
fn comes_back<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(input: &[u8]) {
    if let Ok(document) = serde_json::from_slice::<T>(input) {
        let text = serde_json::to_vec(&document).unwrap();
        assert_eq!(serde_json::from_slice::<T>(&text).unwrap(), document);
    }
}

#[test]
fn the_seeds_are_documents() {
    serde_json::from_str::<Poll>(POLL).unwrap();
    serde_json::from_str::<Page>(PAGE).unwrap();
}

#[test]
fn documents() {
    let purges = r#"{"purges":[{"scope":{"site":"www"},"target":{"prefix":"/a/"},"soft":false}]}"#;
    let words = ["null", "\"kind\":\"moon\"", "{", "}", "[", "]", ",", "1e9", "\"run\":", "\"flush\":false"];
    let input = Mutated::new([POLL, PAGE, purges], &words);
    bolero::check!().with_test_time(fuzz::time()).with_generator(input).for_each(|input| {
        fuzz::promptly(|| {
            comes_back::<Poll>(input);
            comes_back::<Page>(input);
            comes_back::<PurgeRequest>(input);
            if let Ok(poll) = serde_json::from_slice::<Poll>(input) {
                let _ = poll.sites.iter().flatten().map(super::Site::check).collect::<Vec<_>>();
            }
        });
    });
}

#[test]
fn items_and_dependencies() {
    let seeds = ["pail pail/about%20us pail/index.html", "/images/*", "/a%2Fb?c=d", "#shop", "/*"];
    let words = ["%2F", "%2f", "*", "#", " ", "/", "pail", "pail/"];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(seeds, &words)).for_each(|input| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        fuzz::promptly(|| {
            if let Ok(target) = Target::parse(text) {
                assert_eq!(Target::parse(&target.to_string()), Ok(target));
            }
            if let Ok(depends) = Depends::parse(text) {
                assert!(depends.iter().count() <= MAX_DEPENDENCIES);
                assert_eq!(Depends::parse(&depends.to_string()), Ok(depends));
            }
        });
    });
}
