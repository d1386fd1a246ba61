use super::*;
use crate::edge::origin::scripted::{Gate, answer, send};

#[tokio::test]
async fn a_304_renews_what_is_stored_and_keeps_its_body() {
    let edge = Edge::new(|seen| match seen.header("if-none-match") {
        None => vec![answer(200, "cache-control: max-age=10\r\netag: \"1\"\r\nx-own: old\r\n", "body")],
        Some(_) => vec![send("HTTP/1.1 304 x\r\netag: \"1\"\r\ncache-control: max-age=30\r\nx-own: new\r\n\r\n")],
    });
    edge.get("/a").await;
    edge.pass(20);
    let renewed = edge.get("/a").await;
    assert_eq!((renewed.text(), renewed.found(), renewed.header("age")), ("body", Found::RefreshHit, "0"));
    assert_eq!(renewed.header("cache-status"), "brim-edge; fwd=stale; fwd-status=304; ttl=30; stored");
    assert_eq!((renewed.header("x-own"), renewed.header("content-length")), ("new", "4"));
    edge.pass(25);
    assert_eq!(edge.get("/a").await.found(), Found::Hit);
    assert_eq!(edge.requests(), 2);
}

#[tokio::test]
async fn those_who_find_the_same_stale_response_revalidate_it_together() {
    let gate = Gate::default();
    let held = gate.clone();
    let edge = Edge::new(move |seen| match seen.number {
        0 => vec![answer(200, "cache-control: max-age=10\r\netag: \"1\"\r\n", "body")],
        _ => vec![Step::Wait(held.clone()), send("HTTP/1.1 304 x\r\ncache-control: max-age=10\r\n\r\n")],
    });
    edge.get("/a").await;
    edge.pass(20);
    let tasks = [edge.begin("/a", &[]).await, edge.begin("/a", &[]).await, edge.begin("/a", &[]).await];
    edge.until_seen(2).await;
    gate.open();
    for task in tasks {
        let got = read(task.await.unwrap()).await.unwrap();
        assert_eq!((got.text(), got.found()), ("body", Found::RefreshHit));
    }
    assert_eq!(edge.requests(), 2);
}

#[tokio::test]
async fn a_304_that_speaks_of_something_else_is_not_believed() {
    let edge = Edge::new(|seen| match (seen.number, seen.header("if-none-match")) {
        (0, _) => vec![answer(200, "cache-control: max-age=10\r\netag: \"1\"\r\n", "old")],
        (_, Some(_)) => vec![send("HTTP/1.1 304 x\r\netag: \"2\"\r\n\r\n")],
        (_, None) => vec![answer(200, "cache-control: max-age=10\r\netag: \"2\"\r\n", "new")],
    });
    edge.get("/a").await;
    edge.pass(20);
    assert_eq!(edge.get("/a").await.text(), "new");
    assert_eq!(edge.get("/a").await.found(), Found::Hit);
}

#[tokio::test]
async fn a_stale_response_is_sent_at_once_while_one_task_fetches_it_anew() {
    let gate = Gate::default();
    let held = gate.clone();
    let headers = "cache-control: max-age=10, stale-while-revalidate=20\r\n";
    let edge = Edge::new(move |seen| match seen.number {
        0 => vec![answer(200, headers, "old")],
        _ => vec![Step::Wait(held.clone()), answer(200, headers, "new")],
    });
    edge.get("/a").await;
    edge.pass(15);
    for _ in 0..3 {
        let stale = edge.get("/a").await;
        assert_eq!((stale.text(), stale.found()), ("old", Found::StaleHit));
        assert_eq!(stale.header("cache-status"), "brim-edge; hit; ttl=-5");
    }
    edge.until_seen(2).await;
    gate.open();
    until(|| edge.engine.under_way().fills == 0).await;
    let fresh = edge.get("/a").await;
    assert_eq!((fresh.text(), fresh.found()), ("new", Found::Hit));
    assert_eq!(edge.requests(), 2);
    // The end of the window is an end.
    edge.pass(31);
    assert_eq!(edge.get("/a").await.found(), Found::Miss);
}

#[tokio::test]
async fn what_nobody_waits_for_is_fetched_anew_whatever_its_framing() {
    let headers = "cache-control: max-age=10, stale-while-revalidate=20\r\n";
    let edge = Edge::new(move |seen| {
        let chunk = format!("4\r\nnew{}\r\n0\r\n\r\n", seen.number);
        vec![send(format!("HTTP/1.1 200 OK\r\n{headers}transfer-encoding: chunked\r\n\r\n{chunk}"))]
    });
    edge.get("/a").await;
    edge.pass(15);
    assert_eq!(edge.get("/a").await.text(), "new0");
    until(|| edge.requests() == 2 && edge.engine.under_way().fills == 0).await;
    let fresh = edge.get("/a").await;
    assert_eq!((fresh.text(), fresh.found()), ("new1", Found::Hit));
}

#[tokio::test]
async fn each_variant_is_revalidated_by_itself() {
    let edge = Edge::new(|seen| {
        let tag = seen.header("accept-language").unwrap_or("none").to_owned();
        let headers = format!("cache-control: max-age=10\r\nvary: accept-language\r\netag: \"{tag}\"\r\n");
        match seen.header("if-none-match") {
            Some(known) if known == format!("\"{tag}\"") => vec![send(format!("HTTP/1.1 304 x\r\n{headers}\r\n"))],
            _ => vec![answer(200, &headers, &tag)],
        }
    });
    for found in [Found::Miss, Found::RefreshHit] {
        for language in ["de", "fr"] {
            let got = edge.get_with("/a", &[("accept-language", language)]).await;
            assert_eq!((got.text(), got.found()), (language, found));
        }
        edge.pass(20);
    }
}
