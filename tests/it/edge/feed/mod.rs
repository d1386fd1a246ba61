//! The change feed, with real edges: what was overwritten, deleted or made is nowhere to be had any more, whatever happens
//! between server and edges meanwhile.

mod oracle;
mod world;

use std::process::Command;
use std::time::{Duration, Instant};

use self::world::{World, is_hit};
use super::process::Edge;
use crate::raw::{Answer, Raw};

/// The lease of an edge and the margin of the server.
const LEASE: Duration = Duration::from_secs(12);

async fn page(edge: &Edge, target: &str) -> Answer {
    let mut connection = Raw::connect(edge.http).await;
    connection.send(format!("GET {target} HTTP/1.1\r\nHost: pages.test\r\n\r\n")).await;
    connection.answer().await
}

/// A hit, that is what was filled before and not asked for again.
async fn hits(edge: &Edge, target: &str, expected: &str) {
    let answer = edge.get(target).await;
    assert!(answer.text() == expected && is_hit(&answer), "{target}: {answer:?}");
}

async fn misses(edge: &Edge, target: &str, expected: &str) {
    let answer = edge.get(target).await;
    assert!(answer.text() == expected && !is_hit(&answer), "{target}: {answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overwrite_a_deletion_and_a_creation_leave_every_edge_whatever_browsers_are_told() {
    let world = World::new().await;
    let (one, two) = (world.edge("one").await, world.edge("two").await);
    let put = async |body: &str| {
        let client = world.server.client();
        let answer = client.send("PUT", "/pail/a", &[("cache-control", "max-age=0, must-revalidate")], body).await;
        world.gone(world::position(&answer)).await;
    };
    put("first").await;
    for edge in [&one, &two] {
        misses(edge, "/a", "first").await;
        hits(edge, "/a", "first").await;
        let seen = edge.get("/a").await;
        assert_eq!(seen.header("cache-control"), Some("max-age=0, must-revalidate"));
        assert!(seen.header("brim-depends").is_none() && seen.header("cdn-cache-control").is_none(), "{seen:?}");
    }
    put("second").await;
    for edge in [&one, &two] {
        misses(edge, "/a", "second").await;
        hits(edge, "/a", "second").await;
    }
    world.gone(world.delete("a").await).await;
    for edge in [&one, &two] {
        assert_eq!(edge.get("/a").await.status, 404);
        let again = edge.get("/a").await;
        assert!(again.status == 404 && is_hit(&again), "{again:?}");
    }
    put("third").await;
    misses(&one, "/a", "third").await;
    misses(&two, "/a", "third").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_go_with_the_files_they_were_made_of_and_with_what_is_said_of_the_site() {
    let world = World::new().await;
    let edge = world.edge("one").await;
    world.put("about/index.html", "about").await;
    world.gone(world.put("index.html", "home").await).await;
    for (target, expected) in [("/", "home"), ("/about/", "about"), ("/about/index.html", "about")] {
        assert_eq!(page(&edge, target).await.text(), expected);
        let again = page(&edge, target).await;
        assert!(again.text() == expected && is_hit(&again), "{target} {again:?}");
    }
    assert_eq!(page(&edge, "/about").await.status, 302);
    assert_eq!(page(&edge, "/new/").await.status, 404);
    assert!(is_hit(&page(&edge, "/new/").await));
    world.put("new/index.html", "new").await;
    world.gone(world.put("about/index.html", "other").await).await;
    assert_eq!(page(&edge, "/new/").await.text(), "new");
    for target in ["/about/", "/about/index.html"] {
        assert_eq!(page(&edge, target).await.text(), "other");
    }
    assert!(is_hit(&page(&edge, "/").await), "nothing of it changed");
    let website = "<WebsiteConfiguration><RedirectAllRequestsTo><HostName>other.test</HostName></RedirectAllRequestsTo>\
        </WebsiteConfiguration>";
    let changed = world.server.client().put("/pail?website", website).await;
    world.gone(world::position(&changed)).await;
    assert_eq!(page(&edge, "/").await.status, 301);
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_answer_to_a_write_until_it_is_gone_is_milliseconds() {
    let world = World::new().await;
    let (_one, _two) = (world.edge("one").await, world.edge("two").await);
    let mut times = Vec::new();
    for number in 0..200 {
        let position = world.put("k", number.to_string()).await;
        let began = Instant::now();
        world.gone(position).await;
        times.push(began.elapsed());
    }
    times.sort();
    let (median, late) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!("write to gone: median {median:?}, p99 {late:?}");
    // The machine may be busy with other tests; a timer anywhere on the way would show all the same.
    assert!(median < Duration::from_millis(100), "median {median:?}, p99 {late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_that_lost_the_feed_trusts_nothing_after_its_lease_and_nobody_waits_for_it_longer() {
    let world = World::new().await;
    let edge = world.edge("one").await;
    world.gone(world.put("a", "first").await).await;
    misses(&edge, "/a", "first").await;
    world.feed.cut();
    let cut = Instant::now();
    hits(&edge, "/a", "first").await;
    let position = world.put("a", "second").await;
    assert!(!world.is_gone(position).await, "it may hold what was before");
    while !world.is_gone(position).await {
        assert!(cut.elapsed() < LEASE + Duration::from_secs(2));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(cut.elapsed() > LEASE - Duration::from_secs(3), "{:?}", cut.elapsed());
    assert_eq!(edge.get("/a").await.text(), "second", "gone was said, so it is gone");
    world.put("a", "third").await;
    assert_eq!(edge.get("/a").await.text(), "third", "without the feed everything is asked for");
    world.feed.lead_to(world.server.s3);
    world.is_live("one").await;
    world.gone(world.put("b", "new").await).await;
    misses(&edge, "/b", "new").await;
    hits(&edge, "/b", "new").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_server_is_followed_from_where_the_edge_was() {
    let mut world = World::new().await;
    let edge = world.edge("one").await;
    world.put("a", "first").await;
    world.gone(world.put("b", "stays").await).await;
    misses(&edge, "/a", "first").await;
    misses(&edge, "/b", "stays").await;
    world.restart().await;
    let position = world.put("a", "second").await;
    world.is_live("one").await;
    world.gone(position).await;
    misses(&edge, "/a", "second").await;
    hits(&edge, "/b", "stays").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_is_another_history_and_nothing_of_the_one_before_is_served() {
    let mut world = World::new().await;
    let edge = world.edge("one").await;
    world.gone(world.put("a", "old").await).await;
    let directory = tempfile::tempdir().unwrap();
    let (backup, restored) = (directory.path().join("backup"), directory.path().join("restored"));
    let brim = |arguments: &[&std::ffi::OsStr]| {
        let done = Command::new(env!("CARGO_BIN_EXE_brim"))
            .env("BRIM_STORE_ALLOW_EPHEMERAL", "true")
            .args(arguments)
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    let data = world.data.clone();
    let with = ["--with-master-key".as_ref(), "--with-credentials".as_ref()];
    brim(&["backup".as_ref(), backup.as_ref(), with[0], with[1], "--data".as_ref(), data.as_ref()]);
    world.gone(world.put("a", "new").await).await;
    misses(&edge, "/a", "new").await;
    hits(&edge, "/a", "new").await;
    world.server.terminate();
    assert!(world.server.ended().is_some());
    brim(&["restore".as_ref(), backup.as_ref(), "--data".as_ref(), restored.as_ref()]);
    world.start_on(&restored);
    world.is_live("one").await;
    assert_eq!(edge.get("/a").await.text(), "old");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_that_dies_and_comes_back_has_nothing_of_what_was_purged_meanwhile() {
    let world = World::new().await;
    let disk = tempfile::tempdir().unwrap();
    let config = || {
        let disk = format!("[disk]\npath = \"{}\"\nsize = \"64MiB\"\n", disk.path().display());
        world.config("one") + &disk + &world.sites()
    };
    let mut edge = Edge::start(&config());
    world.is_live("one").await;
    world.put("a", "first").await;
    world.gone(world.put("b", "stays").await).await;
    misses(&edge, "/a", "first").await;
    misses(&edge, "/b", "stays").await;
    // What is filled goes to disk a little later, and so does the position.
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.gone(world.put("other", "x").await).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    edge.kill();
    world.put("a", "second").await;
    let edge = Edge::start(&config());
    assert_eq!(edge.get("/a").await.text(), "second", "before it has a lease it asks");
    world.is_live("one").await;
    assert_eq!(edge.get("/a").await.text(), "second");
    assert_eq!(edge.get("/b").await.text(), "stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_at_one_edge_is_one_at_all() {
    let world = World::new().await;
    let purge = "[purge]\ntokens = [\"a-token-of-20-letters\"]\n";
    let start = |name: &str| Edge::start(&(world.config(name) + purge + &world.sites()));
    let (one, two) = (start("one"), start("two"));
    world.is_live("one").await;
    world.is_live("two").await;
    let tagged = world.server.client().send("PUT", "/pail/t", &[("x-amz-meta-cache-tag", "shop, news")], "t").await;
    world.gone(world::position(&tagged)).await;
    world.gone(world.put("a", "a").await).await;
    for edge in [&one, &two] {
        misses(edge, "/a", "a").await;
        misses(edge, "/t", "t").await;
    }
    let purged = one.ask("PURGE", "/a", &[("authorization", "Bearer a-token-of-20-letters")]).await;
    assert_eq!(purged.status, 200, "{purged:?}");
    assert!(!is_hit(&one.get("/a").await));
    // The answer says that it is in the log and gone here; the other edge hears of it in its own time.
    let there = world.applied("one").await;
    while world.applied("two").await < there {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!is_hit(&two.get("/a").await));
    hits(&two, "/t", "t").await;
    let authorized = [("authorization", "Bearer a-token-of-20-letters"), ("surrogate-key", "Shop")];
    assert_eq!(two.ask("PURGE", "/", &authorized).await.status, 200);
    assert!(!is_hit(&two.get("/t").await));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_behind_a_shield_has_what_the_shield_has_and_drops_it_with_it() {
    let world = World::new().await;
    let shield = world.shield("shield").await;
    let edge = world.behind(shield.http, "behind").await;
    world.gone(world.put("a", "first").await).await;
    misses(&edge, "/a", "first").await;
    hits(&edge, "/a", "first").await;
    hits(&shield, "/a", "first").await;
    for answer in [shield.get("/a").await, edge.get("/a").await] {
        assert!(answer.header("brim-depends").is_none() && answer.header("cdn-cache-control").is_none(), "{answer:?}");
    }
    world.gone(world.put("a", "second").await).await;
    misses(&edge, "/a", "second").await;
    hits(&edge, "/a", "second").await;
    world.gone(world.delete("a").await).await;
    assert_eq!(edge.get("/a").await.status, 404);
    assert!(is_hit(&edge.get("/a").await));
    world.gone(world.put("a", "third").await).await;
    misses(&edge, "/a", "third").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_edge_behind_a_dead_shield_holds_is_trusted_no_longer_than_the_shield_was() {
    let world = World::new().await;
    let mut shield = world.shield("shield").await;
    let edge = world.behind(shield.http, "behind").await;
    world.gone(world.put("a", "first").await).await;
    misses(&edge, "/a", "first").await;
    shield.kill();
    let killed = Instant::now();
    let position = world.put("a", "second").await;
    assert!(!world.is_gone(position).await, "the edge behind may hold it");
    world.gone(position).await;
    assert!(killed.elapsed() > LEASE - Duration::from_secs(3), "{:?}", killed.elapsed());
    // Nothing is left to ask: what is served is said to be stale, or is an error.
    let left = edge.get("/a").await;
    let says_so = left.last_header("cache-status").is_some_and(|status| status.contains("detail=origin-failed"));
    assert!(left.status >= 500 || says_so, "{left:?}");
}
