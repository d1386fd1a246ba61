use super::*;
use crate::edge::origin::scripted::{Gate, answer};

const KEPT: &str = "cache-control: max-age=60\r\n";

fn numbered(gate: Gate) -> Edge {
    Edge::new(move |seen| {
        let text = format!("answer {}", seen.number);
        let wait = if seen.target().ends_with("slow") { vec![Step::Wait(gate.clone())] } else { Vec::new() };
        [wait, vec![answer(200, KEPT, &text)]].concat()
    })
}

#[tokio::test]
async fn a_method_that_changes_something_is_passed_on_and_drops_what_was_stored() {
    let edge = numbered(Gate::default());
    edge.get("/a").await;
    edge.get("/b").await;
    let posted = read(edge.ask(Method::POST, "/a", &[("x-own", "1")]).await).await.unwrap();
    assert_eq!((posted.text(), posted.found()), ("answer 2", Found::Pass));
    assert_eq!(posted.header("cache-status"), "brim-edge; fwd=method");
    assert_eq!(edge.origin.seen()[2].header("x-own"), Some("1"));
    assert_eq!(edge.get("/a").await.text(), "answer 3");
    assert_eq!(edge.get("/b").await.found(), Found::Hit);
    read(edge.ask("FROB".parse().unwrap(), "/b", &[]).await).await.unwrap();
    assert_eq!(edge.get("/b").await.found(), Found::Miss, "unknown methods may change anything");
}

#[tokio::test]
async fn what_is_on_its_way_when_something_changes_is_not_stored() {
    let gate = Gate::default();
    let edge = numbered(gate.clone());
    let old = edge.begin("/slow", &[]).await;
    edge.until_seen(1).await;
    let post = edge.begin("/none", &[]).await;
    drop(post);
    let posting = tokio::spawn(edge.ask(Method::DELETE, "/slow", &[]));
    until(|| edge.origin.seen().iter().any(|seen| seen.target() == "DELETE /slow")).await;
    gate.open();
    posting.await.unwrap();
    let _ = read(old.await.unwrap()).await.unwrap();
    // The answer to the GET may have come before the one to the DELETE; then it was stored, and dropped.
    assert_eq!(edge.get("/slow").await.found(), Found::Miss);
}

#[tokio::test]
async fn queries_and_keys_go_together() {
    let edge = Edge::with(
        |seen| vec![answer(200, KEPT, seen.target())],
        |behaviour| {
            behaviour.key.query = crate::edge::rules::key::Selection::Listed(vec!["a".to_owned()]);
            behaviour.key.sort_query = true;
        },
        Limits::default(),
    );
    assert_eq!(edge.get("/x?b=1&a=2").await.text(), "GET /x?a=2");
    assert_eq!(edge.get("/x?a=2&c=3").await.found(), Found::Hit);
    assert_eq!(edge.get("/x").await.text(), "GET /x");
}

#[tokio::test]
async fn what_is_not_cached_at_all_is_passed_on_with_its_conditions() {
    let edge =
        Edge::with(|_| vec![answer(200, KEPT, "x")], |behaviour| behaviour.cached.enabled = false, Limits::default());
    let got = edge.get_with("/a", &[("if-none-match", "\"1\""), ("range", "bytes=0-")]).await;
    assert_eq!((got.found(), got.header("cache-status")), (Found::Pass, "brim-edge; fwd=bypass"));
    let seen = &edge.origin.seen()[0];
    assert_eq!((seen.header("if-none-match"), seen.header("range")), (Some("\"1\""), Some("bytes=0-")));
    assert_eq!((seen.header("x-forwarded-for"), seen.header("cdn-loop")), (Some("192.0.2.1"), Some("edge-1")));
    assert_eq!(edge.get("/a").await.found(), Found::Pass);
}

#[tokio::test]
async fn an_upgrade_that_nobody_gets_does_not_go_around_the_cache() {
    let h2c = [("connection", "upgrade, http2-settings"), ("upgrade", "h2c"), ("http2-settings", "AAMAAABk")];
    let websocket = [("connection", "upgrade"), ("upgrade", "websocket")];
    let unnamed = [("upgrade", "websocket")];
    let edge = Edge::new(|_| vec![answer(200, KEPT, "x")]);
    let bucket = Edge::bucket(|_| vec![answer(200, KEPT, "x")], |_| ());
    for (edge, fields, found) in [
        (&edge, &h2c[..], Found::Hit),
        (&edge, &unnamed[..], Found::Hit),
        (&edge, &websocket[..], Found::Pass),
        (&bucket, &websocket[..], Found::Hit),
    ] {
        edge.get("/a").await;
        assert_eq!(edge.get_with("/a", fields).await.found(), found, "{fields:?}");
    }
}

#[tokio::test]
async fn fields_for_one_client_reach_the_one_who_asked_and_nobody_else() {
    let fields = "cache-control: max-age=60, private=\"x-mine, x-none\", no-cache=set-cookie\r\n\
                  x-mine: 1\r\nx-mine: 2\r\nset-cookie: a=b\r\n";
    let edge = Edge::new(|_| vec![answer(200, fields, "x")]);
    let values = |got: &Got, name: &str| got.headers.get_all(name).iter().count();
    let first = edge.get("/a").await;
    assert_eq!((first.found(), values(&first, "x-mine"), first.header("set-cookie")), (Found::Miss, 2, "a=b"));
    let second = edge.get("/a").await;
    assert_eq!((second.found(), values(&second, "x-mine"), second.header("set-cookie")), (Found::Hit, 0, ""));
}

#[tokio::test]
async fn a_field_that_the_origin_is_not_shown_chooses_nothing_for_others() {
    let edge = Edge::with(
        |seen| {
            let (language, tenant) = (seen.header("accept-language"), seen.header("x-tenant"));
            vec![answer(
                200,
                "cache-control: max-age=60\r\nvary: accept-language\r\n",
                &format!("{language:?} {tenant:?}"),
            )]
        },
        |behaviour| behaviour.key.headers = vec![http::HeaderName::from_static("x-tenant")],
        Limits::default(),
    );
    let fields = [("accept-language", "de"), ("x-tenant", "1")];
    let hidden = [("connection", "accept-language, x-tenant"), fields[0], fields[1]];
    assert_eq!(edge.get_with("/a", &hidden).await.text(), "None None");
    assert_eq!(edge.get_with("/a", &fields).await.text(), "Some(\"de\") Some(\"1\")");
    assert_eq!(edge.get("/a").await.found(), Found::Hit);
}

#[tokio::test]
async fn no_client_takes_the_sites_own_headers_away() {
    for cached in [true, false] {
        let edge = Edge::with(
            |_| vec![answer(200, KEPT, "x")],
            |behaviour| behaviour.cached.enabled = cached,
            Limits::default(),
        );
        edge.get_with("/a", &[("connection", "x-origin-secret"), ("x-origin-secret", "mine")]).await;
        assert_eq!(edge.origin.seen()[0].header("x-origin-secret"), Some("of the site"));
    }
}

#[tokio::test]
async fn a_bucket_is_asked_for_objects_alone() {
    let edge = Edge::bucket(|seen| vec![answer(200, KEPT, seen.target())], |_| ());
    for (method, path, status) in [
        (Method::GET, "/", 404),
        (Method::GET, "/?list-type=2", 404),
        (Method::PUT, "/key", 405),
        (Method::DELETE, "/key", 405),
        (Method::POST, "/key?uploads", 405),
        (Method::GET, "/key?X-Amz-Signature=1", 400),
        (Method::GET, "/a/../key", 400),
    ] {
        let got = edge.ask(method.clone(), path, &[]).await;
        assert_eq!(got.response.status().as_u16(), status, "{method} {path}");
    }
    assert_eq!(edge.requests(), 0);
    let got = edge.get_with("/key?policy&versionId=1", &[("x-amz-request-payer", "requester")]).await;
    assert_eq!(got.text(), "GET /pail/key");
    let seen = &edge.origin.seen()[0];
    assert!(seen.header("authorization").unwrap().starts_with("AWS4-HMAC-SHA256"));
    assert_eq!(seen.header("x-amz-request-payer"), None);
    assert_eq!(edge.get("/key?acl").await.found(), Found::Hit, "dropped from the key as well");
}

#[tokio::test]
async fn what_a_bucket_may_be_asked_beside_the_key_counts() {
    let allow = |behaviour: &mut Behaviour| behaviour.bucket_query = vec!["response-content-type".to_owned()];
    let edge = Edge::bucket(|seen| vec![answer(200, KEPT, seen.target())], allow);
    let html = edge.get("/key?response-content-type=text/html").await;
    assert_eq!(html.text(), "GET /pail/key?response-content-type=text/html");
    assert_eq!(edge.get("/key").await.text(), "GET /pail/key");
}

#[tokio::test]
async fn a_presigned_request_goes_through_as_it_came_where_that_is_wanted() {
    let edge = Edge::bucket(|_| vec![answer(200, KEPT, "x")], |behaviour| behaviour.presigned = Presigned::Pass);
    for _ in 0..2 {
        let got = edge.get("/pail/key?X-Amz-Signature=1&x=%20").await;
        assert_eq!((got.text(), got.found()), ("x", Found::Pass));
    }
    let seen = &edge.origin.seen()[1];
    assert_eq!(seen.target(), "GET /pail/key?X-Amz-Signature=1&x=%20");
    assert_eq!((seen.header("host"), seen.header("authorization")), (Some("www.example.com"), None));
}
