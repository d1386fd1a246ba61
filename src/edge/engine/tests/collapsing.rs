use super::*;
use crate::edge::origin::scripted::{Gate, answer, send};

const KEPT: &str = "cache-control: max-age=60\r\n";

#[tokio::test]
async fn what_is_fetched_once_is_a_hit_until_it_is_stale() {
    let edge = Edge::answers(vec![vec![answer(200, KEPT, "one")], vec![answer(200, KEPT, "two")]]);
    let miss = edge.get("/a").await;
    assert_eq!((miss.text(), miss.found()), ("one", Found::Miss));
    assert_eq!(miss.header("cache-status"), "brim-edge; fwd=uri-miss; ttl=60; stored");
    edge.pass(10);
    let hit = edge.get("/a").await;
    assert_eq!((hit.text(), hit.found(), hit.header("age")), ("one", Found::Hit, "10"));
    assert_eq!(hit.header("cache-status"), "brim-edge; hit; ttl=50");
    assert_eq!((hit.header("content-length"), hit.header("via")), ("3", "1.1 edge-1"));
    edge.pass(50);
    assert_eq!(edge.get("/a").await.text(), "two");
    assert_eq!(edge.requests(), 2);
}

#[tokio::test]
async fn followers_read_what_came_while_the_rest_is_on_its_way() {
    let gate = Gate::default();
    let held = gate.clone();
    let edge = Edge::new(move |_| {
        let head = format!("HTTP/1.1 200 OK\r\n{KEPT}content-length: 10\r\n\r\nhello");
        vec![send(head), Step::Wait(held.clone()), send("world")]
    });
    let first = edge.begin("/a", &[]).await;
    let second = edge.begin("/a", &[]).await;
    let (mut first, mut second) = (first.await.unwrap(), second.await.unwrap());
    assert_eq!(next(first.response.body_mut()).await.unwrap().unwrap(), "hello");
    assert_eq!(next(second.response.body_mut()).await.unwrap().unwrap(), "hello");
    // One who comes in the middle starts at the beginning.
    let mut third = edge.ask(Method::GET, "/a", &[]).await;
    assert_eq!(next(third.response.body_mut()).await.unwrap().unwrap(), "hello");
    assert!(!first.outcome.collapsed && second.outcome.collapsed && third.outcome.collapsed);
    gate.open();
    for answer in [first, second, third] {
        assert_eq!(read(answer).await.unwrap().text(), "world");
    }
    assert_eq!(edge.get("/a").await.found(), Found::Hit);
    assert_eq!(edge.requests(), 1);
    assert_eq!((edge.engine.under_way().fills, edge.engine.under_way().bytes), (0, 0));
}

#[tokio::test]
async fn what_cannot_be_shared_sends_followers_to_the_origin_side_by_side() {
    let (first, rest) = (Gate::default(), Gate::default());
    let (held, held_rest) = (first.clone(), rest.clone());
    let edge = Edge::new(move |seen| {
        let gate = if seen.number == 0 { &held } else { &held_rest };
        let text = seen.number.to_string();
        vec![Step::Wait(gate.clone()), answer(200, "cache-control: no-store\r\n", &text)]
    });
    let leader = edge.begin("/a", &[]).await;
    edge.until_seen(1).await;
    let followers = [edge.begin("/a", &[]).await, edge.begin("/a", &[]).await, edge.begin("/a", &[]).await];
    first.open();
    let led = read(leader.await.unwrap()).await.unwrap();
    assert_eq!((led.text(), led.found()), ("0", Found::Miss));
    assert_eq!(led.header("cache-status"), "brim-edge; fwd=uri-miss; detail=no-store");
    // All of them are there before any is answered.
    edge.until_seen(4).await;
    // It is remembered: nobody waits for another one from here on.
    let late = [edge.begin("/a", &[]).await, edge.begin("/a", &[]).await];
    edge.until_seen(6).await;
    rest.open();
    let mut texts = Vec::new();
    for task in followers.into_iter().chain(late) {
        texts.push(read(task.await.unwrap()).await.unwrap().text().to_owned());
    }
    texts.sort();
    assert_eq!(texts, ["1", "2", "3", "4", "5"], "each got an answer of his own");
}

#[tokio::test]
async fn what_turns_out_to_be_cacheable_again_is_stored_again() {
    let edge = Edge::answers(vec![
        vec![answer(200, "cache-control: no-store\r\n", "private")],
        vec![answer(200, KEPT, "shared")],
    ]);
    assert_eq!(edge.get("/a").await.text(), "private");
    assert_eq!(edge.get("/a").await.text(), "shared");
    assert_eq!(edge.get("/a").await.found(), Found::Hit);
}

#[tokio::test]
async fn what_is_stale_at_once_is_stored_to_be_validated_but_not_shared() {
    let gate = Gate::default();
    let held = gate.clone();
    let edge = Edge::new(move |seen| {
        let headers = "cache-control: no-cache\r\netag: \"1\"\r\n";
        match (seen.number, seen.header("if-none-match")) {
            (0, _) => vec![Step::Wait(held.clone()), answer(200, headers, "one")],
            (_, Some(_)) => vec![send(format!("HTTP/1.1 304 x\r\n{headers}\r\n"))],
            (_, None) => vec![answer(200, headers, "one")],
        }
    });
    let first = edge.begin("/a", &[]).await;
    edge.until_seen(1).await;
    let second = edge.begin("/a", &[]).await;
    gate.open();
    assert_eq!(read(first.await.unwrap()).await.unwrap().text(), "one");
    assert_eq!(read(second.await.unwrap()).await.unwrap().text(), "one");
    assert_eq!(edge.requests(), 2);
    let validated = edge.get("/a").await;
    assert_eq!((validated.text(), validated.found()), ("one", Found::RefreshHit));
    assert_eq!(edge.origin.seen()[2].header("if-none-match"), Some("\"1\""));
}

#[tokio::test]
async fn followers_of_another_variant_fetch_that_one_together() {
    let gate = Gate::default();
    let held = gate.clone();
    let edge = Edge::new(move |seen| {
        let language = seen.header("accept-language").unwrap_or("none").to_owned();
        let headers = format!("{KEPT}vary: Accept-Language\r\n");
        vec![Step::Wait(held.clone()), answer(200, &headers, &language)]
    });
    let german = edge.begin("/a", &[("accept-language", "de")]).await;
    edge.until_seen(1).await;
    let others = [
        edge.begin("/a", &[("accept-language", "fr")]).await,
        edge.begin("/a", &[("accept-language", "fr")]).await,
        edge.begin("/a", &[("accept-language", "de")]).await,
    ];
    gate.open();
    assert_eq!(read(german.await.unwrap()).await.unwrap().text(), "de");
    let mut texts = Vec::new();
    for task in others {
        texts.push(read(task.await.unwrap()).await.unwrap().text().to_owned());
    }
    assert_eq!(texts, ["fr", "fr", "de"]);
    assert_eq!(edge.requests(), 2);
    for language in ["de", "fr"] {
        assert_eq!(edge.get_with("/a", &[("accept-language", language)]).await.found(), Found::Hit);
    }
    let other = edge.get_with("/a", &[("accept-language", "it")]).await;
    assert_eq!(other.header("cache-status"), "brim-edge; fwd=vary-miss; ttl=60; stored");
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_cut_off_the_others() {
    let gate = Gate::default();
    let held = gate.clone();
    let edge = Edge::new(move |_| {
        let head = format!("HTTP/1.1 200 OK\r\n{KEPT}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n");
        vec![send(head), Step::Wait(held.clone()), send("5\r\nworld\r\n0\r\n\r\n")]
    });
    let first = edge.begin("/a", &[]).await;
    let second = edge.begin("/a", &[]).await.await.unwrap();
    drop(first.await.unwrap());
    gate.open();
    assert_eq!(read(second).await.unwrap().text(), "helloworld");
    assert_eq!(edge.get("/a").await.header("content-length"), "10");
}

#[tokio::test]
async fn what_nobody_waits_for_goes_on_only_where_its_end_is_near() {
    let gate = Gate::default();
    let held = gate.clone();
    let edge = Edge::new(move |seen| {
        let length = if seen.target() == "GET /known" { "content-length: 10" } else { "transfer-encoding: chunked" };
        let (begin, rest) = match length.starts_with('c') {
            true => ("hello", "world"),
            false => ("5\r\nhello\r\n", "0\r\n\r\n"),
        };
        let head = format!("HTTP/1.1 200 OK\r\n{KEPT}{length}\r\n\r\n{begin}");
        vec![send(head), Step::Wait(held.clone()), send(rest)]
    });
    drop(edge.ask(Method::GET, "/known", &[]).await);
    drop(edge.ask(Method::GET, "/unknown", &[]).await);
    until(|| edge.engine.under_way().fills == 1).await;
    gate.open();
    until(|| edge.engine.under_way().fills == 0).await;
    assert_eq!(edge.get("/known").await.found(), Found::Hit);
    assert_eq!(edge.get("/unknown").await.found(), Found::Miss);
}

#[tokio::test]
async fn a_client_that_leaves_before_the_head_leaves_no_fetch_behind() {
    let gate = Gate::default();
    let held = gate.clone();
    let edge = Edge::new(move |_| vec![Step::Wait(held.clone()), answer(200, KEPT, "late")]);
    let client = edge.begin("/a", &[]).await;
    edge.until_seen(1).await;
    client.abort();
    until(|| edge.engine.under_way().fills == 0).await;
    gate.open();
    assert_eq!(edge.get("/a").await.text(), "late");
}
