use super::*;
use crate::edge::origin::scripted::{answer, send};
use crate::feed::{LEASE, Moment, UNWATCHED};

const FRESH: &str = "cache-control: max-age=60\r\netag: \"1\"\r\n";
const DEPENDING: &str = "cache-control: max-age=60\r\netag: \"1\"\r\nbrim-depends: pail pail/a\r\n";

/// An edge in front of a bucket whose answers have these fields.
fn edge(fields: &'static str, feed: &Arc<FeedState>) -> Edge {
    let script = move |seen: &Seen| match seen.header("if-none-match") {
        None => vec![answer(200, fields, "body")],
        Some(_) => vec![send(format!("HTTP/1.1 304 x\r\n{fields}\r\n"))],
    };
    Edge::bucket(script, |_| ()).fed_by(feed)
}

fn feed() -> Arc<FeedState> {
    Arc::new(FeedState::of("BRIMA", "server"))
}

#[tokio::test]
async fn what_a_feed_should_tell_of_that_was_never_followed_is_validated_with_every_use() {
    for fields in [FRESH, DEPENDING] {
        let edge = edge(fields, &feed());
        for found in [Found::Miss, Found::RefreshHit, Found::RefreshHit] {
            assert_eq!(edge.get("/a").await.found(), found, "{fields}");
        }
    }
}

#[tokio::test]
async fn what_was_kept_without_the_feed_is_dropped_when_it_is_followed() {
    let feed = feed();
    feed.take_unwatched();
    let edge = edge(FRESH, &feed);
    edge.get("/a").await;
    assert!(feed.take_unwatched());
    edge.engine.purge(&[Purge::hard(Scope::Everything, What::Dependency(UNWATCHED.into()))]).await.unwrap();
    feed.extend(Moment::now().plus(LEASE));
    for found in [Found::Miss, Found::Hit] {
        assert_eq!(edge.get("/a").await.found(), found, "by its headers, as its origin meant it");
    }
    assert!(!feed.take_unwatched());
}

#[tokio::test]
async fn origins_that_no_feed_speaks_of_need_none() {
    let edge = Edge::new(|_| vec![answer(200, FRESH, "body")]).fed_by(&feed());
    for found in [Found::Miss, Found::Hit] {
        assert_eq!(edge.get("/a").await.found(), found);
    }
}
