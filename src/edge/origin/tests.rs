//! Origins of every kind of badness, over real sockets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{HOST, UPGRADE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::scripted::{Gate, Scripted, Step, answer, send};
use super::*;
use crate::clock::{Clock, Timestamp};
use crate::signer::Credentials;
use crate::tls::{Authorities, Certificate, Certificates, Loaded, Pair, server_configuration};

const VIEWER: ViewerFacts<'static> = ViewerFacts { host: "viewer.test", secure: true, feed: None };
/// Far longer than anything here takes, and far shorter than a test may.
const SHORT: Duration = Duration::from_millis(300);
/// A bound that is not met: tests are quick or fail.
const LONG: Duration = Duration::from_secs(20);

fn clock() -> Clock {
    Clock::fixed(Timestamp::from_seconds(1_800_000_000))
}

fn origin(url: &str) -> Origin {
    let mut origin = Origin::at(url.parse().unwrap(), Kind::Http);
    origin.limits.connect = LONG;
    origin.limits.first_byte = LONG;
    origin.limits.between_bytes = LONG;
    origin
}

fn origins_of(primary: Origin) -> Origins {
    Origins::new(&Settings { primary, failover: None }, &clock()).unwrap()
}

fn origins(scripted: &Scripted) -> Origins {
    origins_of(origin(&scripted.url()))
}

fn request(method: Method, target: &str) -> Request<OriginBody> {
    Request::builder().method(method).uri(target).body(empty()).unwrap()
}

fn get(target: &str) -> Request<OriginBody> {
    request(Method::GET, target)
}

fn post(target: &str, body: &'static str) -> Request<OriginBody> {
    let body = Full::new(Bytes::from_static(body.as_bytes())).map_err(|never| match never {}).boxed_unsync();
    Request::builder().method(Method::POST).uri(target).body(body).unwrap()
}

async fn body_of(fetched: Fetched) -> Result<Bytes, BodyError> {
    Ok(fetched.response.into_body().collect().await?.to_bytes())
}

async fn text_of(origins: &Origins, request: Request<OriginBody>) -> String {
    let fetched = origins.fetch(request, &VIEWER).await.unwrap();
    String::from_utf8(body_of(fetched).await.unwrap().to_vec()).unwrap()
}

async fn fault_of(scripted: &Scripted) -> FetchError {
    origins(scripted).fetch(get("/"), &VIEWER).await.err().unwrap()
}

#[tokio::test]
async fn an_answer_comes_as_the_origin_sent_it() {
    let scripted = Scripted::answers(vec![vec![
        send("HTTP/1.1 299\r\nX-Odd: a\r\nx-odd: b\r\nX-Space : c\r\ncontent-length: 2\r\n\r\nok"),
        Step::Close,
    ]]);
    let task = {
        let origins = origins(&scripted);
        // In a task, so that it is held to be one.
        tokio::spawn(async move { origins.fetch(get("/a//b/../%7e?x=1&&y"), &VIEWER).await })
    };
    let fetched = task.await.unwrap().unwrap();
    assert_eq!(fetched.response.status().as_u16(), 299);
    assert_eq!(fetched.response.headers().get_all("x-odd").iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(fetched.response.headers()["x-space"], "c");
    assert_eq!((fetched.which, fetched.request_time), (Which::Primary, clock().now()));
    assert_eq!(body_of(fetched).await.unwrap(), "ok");
    let seen = &scripted.seen()[0];
    assert_eq!(seen.target(), "GET /a//b/../%7e?x=1&&y");
    assert_eq!(seen.header("host"), Some(scripted.address().to_string().as_str()));
}

#[tokio::test]
async fn connections_are_kept_and_used_again() {
    let scripted = Scripted::answers(vec![vec![answer(200, "", "one")]]);
    let origins = origins(&scripted);
    for _ in 0..5 {
        assert_eq!(text_of(&origins, get("/")).await, "one");
    }
    assert_eq!((scripted.seen().len(), scripted.connections()), (5, 1));
}

#[tokio::test]
async fn what_frames_a_message_is_ours_to_say() {
    let scripted = Scripted::answers(vec![vec![answer(200, "", "")]]);
    let mut sent = post("/", "body");
    for (name, value) in [
        ("host", "evil.test"),
        ("connection", "x"),
        ("transfer-encoding", "chunked"),
        ("content-length", "9"),
        ("te", "trailers"),
        ("upgrade", "h2c"),
        ("expect", "100-continue"),
    ] {
        sent.headers_mut().insert(name, value.parse().unwrap());
    }
    text_of(&origins(&scripted), sent).await;
    let seen = &scripted.seen()[0];
    assert_eq!(seen.head.len(), 3, "{:?}", seen.head);
    assert_eq!((seen.header("content-length"), seen.body.as_slice()), (Some("4"), b"body".as_slice()));
}

#[tokio::test]
async fn a_body_of_unknown_length_is_sent_in_chunks() {
    let scripted = Scripted::answers(vec![vec![answer(200, "", "")]]);
    let frames = ["a", "bc"].map(|text| Ok(Frame::data(Bytes::from_static(text.as_bytes()))));
    let body = StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync();
    let sent = Request::builder().method("PUT").uri("/").body(body).unwrap();
    text_of(&origins(&scripted), sent).await;
    assert_eq!(scripted.seen()[0].body, b"abc");
}

/// Answers once on every connection and then closes it as soon as the next request comes.
fn dies_between_requests() -> Scripted {
    let answered = Arc::new(parking_lot::Mutex::new(std::collections::HashSet::new()));
    Scripted::start(move |seen| match answered.lock().insert(seen.connection) {
        true => vec![answer(200, "", "ok")],
        false => vec![Step::Close],
    })
}

#[tokio::test]
async fn a_connection_that_died_while_it_was_kept_costs_a_get_nothing() {
    let scripted = dies_between_requests();
    let origins = origins(&scripted);
    for _ in 0..3 {
        assert_eq!(text_of(&origins, get("/")).await, "ok");
    }
    // The first, and each of two that met a dead connection and went again.
    assert_eq!((scripted.seen().len(), scripted.connections()), (5, 3));
}

#[tokio::test]
async fn what_may_not_be_sent_twice_is_not() {
    for (second, count) in [(post("/", "x"), 2), (request(Method::DELETE, "/"), 2), (request(Method::HEAD, "/"), 3)] {
        let scripted = dies_between_requests();
        let origins = origins(&scripted);
        text_of(&origins, get("/")).await;
        let method = second.method().clone();
        let answer = origins.fetch(second, &VIEWER).await;
        assert_eq!((answer.is_ok(), scripted.seen().len()), (count == 3, count), "{method}");
        assert!(matches!(answer, Ok(_) | Err(FetchError::Broken(_))), "{method}");
    }
}

#[tokio::test]
async fn an_answer_that_began_is_not_asked_for_again() {
    let begun = vec![send("HTTP/1.1 200 O"), Step::Close];
    let scripted = Scripted::answers(vec![vec![answer(200, "", "")], begun]);
    let origins = origins(&scripted);
    text_of(&origins, get("/")).await;
    let fault = origins.fetch(get("/"), &VIEWER).await.err().unwrap();
    assert!(matches!(fault, FetchError::Broken(_)), "{fault:?}");
    assert_eq!(scripted.seen().len(), 2);
}

#[tokio::test]
async fn a_new_connection_that_dies_is_a_failure_and_no_reason_to_ask_again() {
    for step in [Step::Close, Step::Reset] {
        let scripted = Scripted::answers(vec![vec![step]]);
        assert!(matches!(fault_of(&scripted).await, FetchError::Broken(_)));
        assert_eq!(scripted.seen().len(), 1);
    }
}

#[tokio::test]
async fn garbage_is_no_answer() {
    for bytes in [
        "nonsense\r\n\r\n",
        "HTTP/1.1 2000 x\r\n\r\n",
        "HTTP/1.1 99 x\r\n\r\n",
        "HTTP/3.0 200 x\r\n\r\n",
        "HTTP/1.1 200 x\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 x\r\na: b\r\n folded\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 x\r\nbad name: b\r\n\r\n",
        "HTTP/1.1 200 x\r\na: b\0c\r\n\r\n",
        "HTTP/1.1 200 x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "HTTP/1.1 200 x\r\ncontent-length: 1, 2\r\n\r\nab",
        "HTTP/1.1 200 x\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 x\r\ncontent-length: +1\r\n\r\na",
        "HTTP/1.1 200 x\r\ncontent-length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        "HTTP/1.0 200 x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: evil\r\n\r\n",
    ] {
        let scripted = Scripted::answers(vec![vec![send(bytes), Step::Close]]);
        let fault = fault_of(&scripted).await;
        assert!(matches!(fault, FetchError::Garbage(_)), "{bytes:?}: {fault:?}");
        assert_eq!(fault.status(), StatusCode::BAD_GATEWAY);
    }
}

#[tokio::test]
async fn heads_without_end_are_given_up() {
    let long = "x".repeat(1000);
    let start = || send("HTTP/1.1 200 x\r\n");
    for steps in [
        vec![start(), Step::Repeat(format!("a: {long}\r\n").into_bytes(), Duration::ZERO)],
        vec![start(), send("a: "), Step::Repeat(long.clone().into_bytes(), Duration::ZERO)],
        vec![start(), Step::Repeat(b"a: b\r\n".to_vec(), Duration::ZERO)],
        vec![send("HTTP/1.1 200 "), Step::Repeat(long.clone().into_bytes(), Duration::ZERO)],
        vec![Step::Repeat(b"HTTP/1.1 103 x\r\nlink: </a>\r\n\r\n".to_vec(), Duration::ZERO)],
        vec![Step::Repeat(b"HTTP/1.1 100 x\r\n\r\n".to_vec(), Duration::ZERO)],
        vec![Step::Repeat(b"\r\n".to_vec(), Duration::ZERO)],
    ] {
        let scripted = Scripted::answers(vec![steps]);
        let fault = fault_of(&scripted).await;
        assert!(matches!(fault, FetchError::HeadTooLong | FetchError::Garbage(_)), "{fault:?}");
    }
}

#[tokio::test]
async fn answers_before_the_answer_are_passed_over() {
    let early = "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 103 x\r\nlink: </a>\r\n\r\nHTTP/1.1 199\r\n\r\n".repeat(50);
    let scripted = Scripted::answers(vec![vec![send(early), answer(200, "", "last")]]);
    assert_eq!(text_of(&origins(&scripted), get("/")).await, "last");
}

#[tokio::test]
async fn a_body_that_ends_early_is_an_error() {
    for (bytes, end) in [
        ("content-length: 5\r\n\r\nabc", Step::Close),
        ("content-length: 5\r\n\r\nabc", Step::Reset),
        ("transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", Step::Close),
        ("transfer-encoding: chunked\r\n\r\n5\r\nabc", Step::Close),
        ("transfer-encoding: chunked\r\n\r\nxyz\r\nabc", Step::Close),
        ("transfer-encoding: chunked\r\n\r\n3\r\nabcde\r\n0\r\n\r\n", Step::Close),
        ("transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc", Step::Close),
    ] {
        let scripted = Scripted::answers(vec![vec![send(format!("HTTP/1.1 200 x\r\n{bytes}")), end]]);
        let fetched = origins(&scripted).fetch(get("/"), &VIEWER).await.unwrap();
        let fault = body_of(fetched).await.unwrap_err();
        assert!(matches!(fault, BodyError::Broken(_)), "{bytes:?}: {fault:?}");
    }
}

#[tokio::test]
async fn bytes_behind_an_answer_are_never_the_next_one() {
    // In one piece with the answer there is no doubt that it was there before the next request.
    let poisoned = "HTTP/1.1 200 x\r\ncontent-length: 4\r\n\r\ngoodHTTP/1.1 200 x\r\ncontent-length: 4\r\n\r\nevil";
    let scripted = Scripted::answers(vec![vec![send(poisoned)]]);
    let origins = origins(&scripted);
    for _ in 0..20 {
        assert_eq!(text_of(&origins, get("/")).await, "good");
    }
}

#[tokio::test]
async fn silence_is_waited_for_no_longer_than_configured() {
    let gate = Gate::default();
    let scripted = Scripted::answers(vec![vec![Step::Wait(gate.clone())]]);
    let mut settings = origin(&scripted.url());
    settings.limits.first_byte = SHORT;
    let fault = origins_of(settings).fetch(get("/"), &VIEWER).await.err().unwrap();
    assert!(matches!(fault, FetchError::Slow(SHORT)), "{fault:?}");
    assert_eq!(fault.status(), StatusCode::GATEWAY_TIMEOUT);
    gate.open();
}

#[tokio::test]
async fn silence_within_a_body_is_no_end() {
    let gate = Gate::default();
    let part = send("HTTP/1.1 200 x\r\ncontent-length: 5\r\n\r\nabc");
    let scripted = Scripted::answers(vec![vec![part, Step::Wait(gate.clone())]]);
    let mut settings = origin(&scripted.url());
    settings.limits.between_bytes = SHORT;
    let fetched = origins_of(settings).fetch(get("/"), &VIEWER).await.unwrap();
    assert!(matches!(body_of(fetched).await, Err(BodyError::Slow(SHORT))));
    gate.open();
}

#[tokio::test]
async fn a_body_that_is_slow_but_goes_on_is_whole() {
    let pause = Step::Pause(SHORT * 2 / 3);
    let steps = vec![
        send("HTTP/1.1 200 x\r\ncontent-length: 3\r\n\r\na"),
        pause.clone(),
        send("b"),
        pause.clone(),
        send("c"),
        pause,
    ];
    let scripted = Scripted::answers(vec![steps]);
    let mut settings = origin(&scripted.url());
    settings.limits.between_bytes = SHORT;
    assert_eq!(text_of(&origins_of(settings), get("/")).await, "abc");
}

#[tokio::test]
async fn a_long_upload_is_no_silence() {
    let scripted = Scripted::answers(vec![vec![answer(200, "", "got it")]]);
    let mut settings = origin(&scripted.url());
    settings.limits.first_byte = SHORT;
    let pieces = futures_util::stream::unfold(0, |count| async move {
        tokio::time::sleep(SHORT / 3).await;
        (count < 7).then(|| (Ok(Frame::data(Bytes::from_static(b"x"))), count + 1))
    });
    let body = StreamBody::new(pieces).boxed_unsync();
    let sent = Request::builder().method("POST").uri("/").body(body).unwrap();
    assert_eq!(text_of(&origins_of(settings), sent).await, "got it");
}

#[tokio::test]
async fn an_upload_that_breaks_off_is_the_viewers_fault() {
    let scripted = Scripted::answers(vec![vec![answer(200, "", "")]]);
    let frames = [Ok(Frame::data(Bytes::from_static(b"x"))), Err("gone".into())];
    let body = StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync();
    let sent = Request::builder().method("POST").uri("/").body(body).unwrap();
    let origins = origins(&scripted);
    let fault = origins.fetch(sent, &VIEWER).await.err().unwrap();
    assert!(matches!(fault, FetchError::Upload) && !fault.is_the_origins(), "{fault:?}");
}

#[tokio::test]
async fn requests_beyond_the_bound_wait_for_a_place_and_not_for_ever() {
    let gate = Gate::default();
    let part = send("HTTP/1.1 200 x\r\ncontent-length: 2\r\n\r\na");
    let scripted = Scripted::answers(vec![vec![part, Step::Wait(gate.clone()), send("b")], vec![answer(200, "", "")]]);
    let mut settings = origin(&scripted.url());
    settings.limits.requests = 1;
    settings.limits.connect = SHORT;
    let origins = origins_of(settings);
    let first = origins.fetch(get("/"), &VIEWER).await.unwrap();
    let fault = origins.fetch(get("/"), &VIEWER).await.err().unwrap();
    assert!(matches!(fault, FetchError::Busy), "{fault:?}");
    gate.open();
    assert_eq!(body_of(first).await.unwrap(), "ab");
    assert!(origins.fetch(get("/"), &VIEWER).await.is_ok());
}

/// A port where nobody listens.
fn nowhere() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn with_failover(primary: &str, second: &str, statuses: Vec<StatusCode>) -> Origins {
    let failover = Some(Failover { origin: origin(second), statuses });
    Origins::new(&Settings { primary: origin(primary), failover }, &clock()).unwrap()
}

#[tokio::test]
async fn the_second_origin_answers_where_the_first_fails() {
    let second = Scripted::answers(vec![vec![answer(200, "", "second")]]);
    let broken = Scripted::answers(vec![vec![Step::Close]]);
    let failing = Scripted::answers(vec![vec![answer(503, "", "first")]]);
    let missing = Scripted::answers(vec![vec![answer(404, "", "first")]]);
    let statuses = || vec![StatusCode::SERVICE_UNAVAILABLE];
    for (primary, which) in [
        (nowhere(), Which::Failover),
        (broken.url(), Which::Failover),
        (failing.url(), Which::Failover),
        (missing.url(), Which::Primary),
    ] {
        let origins = with_failover(&primary, &second.url(), statuses());
        let fetched = origins.fetch(get("/"), &VIEWER).await.unwrap();
        assert_eq!(fetched.which, which, "{primary}");
        let posted = origins.fetch(post("/", "x"), &VIEWER).await;
        assert!(posted.is_ok_and(|fetched| fetched.which == Which::Primary) || primary != missing.url());
    }
    assert!(second.seen().iter().all(|seen| seen.target() == "GET /"), "a POST was sent twice");
    let origins = with_failover(&failing.url(), &nowhere(), statuses());
    let fetched = origins.fetch(get("/"), &VIEWER).await.unwrap();
    assert_eq!((fetched.which, fetched.response.status().as_u16()), (Which::Primary, 503));
    let origins = with_failover(&broken.url(), &nowhere(), statuses());
    assert!(matches!(origins.fetch(get("/"), &VIEWER).await, Err(FetchError::Connect(_))));
}

#[tokio::test]
async fn an_origin_that_cannot_be_reached_again_and_again_is_left_alone() {
    let mut settings = origin(&nowhere());
    (settings.limits.failures, settings.limits.pause) = (2, Duration::from_secs(5));
    let (clock, url) = (clock(), settings.location.to_string());
    let origins = Origins::new(&Settings { primary: settings, failover: None }, &clock).unwrap();
    let fault = async || origins.fetch(get("/"), &VIEWER).await.err();
    assert!(matches!(fault().await, Some(FetchError::Connect(_))));
    assert!(matches!(fault().await, Some(FetchError::Connect(_))));
    assert!(matches!(fault().await, Some(FetchError::Suspended)));
    assert_eq!(origins.suspended().count(), 1);
    clock.advance(Duration::from_secs(5));
    assert!(matches!(fault().await, Some(FetchError::Connect(_))));
    assert!(matches!(fault().await, Some(FetchError::Suspended)));
    let address = url.trim_start_matches("http://").parse().unwrap();
    let _scripted = Scripted::start_at(address, |_| vec![answer(200, "", "back")]);
    assert!(matches!(fault().await, Some(FetchError::Suspended)));
    clock.advance(Duration::from_secs(5));
    assert_eq!(text_of(&origins, get("/")).await, "back");
    assert_eq!(origins.suspended().count(), 0);
}

#[tokio::test]
async fn requests_that_an_origin_hangs_up_on_do_not_cost_the_others() {
    let scripted = Scripted::start(|seen| match seen.target() {
        "GET /crash" => vec![Step::Close],
        "GET /garbage" => vec![send("garbage\r\n\r\n"), Step::Close],
        _ => vec![answer(200, "", "fine")],
    });
    let mut settings = origin(&scripted.url());
    settings.limits.failures = 2;
    let origins = origins_of(settings);
    for target in ["/crash", "/garbage", "/crash", "/garbage", "/crash", "/crash"] {
        assert!(origins.fetch(get(target), &VIEWER).await.is_err(), "{target}");
    }
    assert_eq!(text_of(&origins, get("/")).await, "fine");
}

#[tokio::test]
async fn a_place_where_nobody_listens_is_said_so_soon() {
    let start = Instant::now();
    let fault = origins_of(origin(&nowhere())).fetch(get("/"), &VIEWER).await.err().unwrap();
    assert!(matches!(fault, FetchError::Connect(_)) && start.elapsed() < LONG, "{fault:?}");
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_given_up() {
    let gate = Gate::default();
    let held = gate.clone();
    let scripted = Scripted::start(move |_| vec![Step::Wait(held.clone())]);
    let mut settings = origin(&scripted.url().replace("http:", "https:"));
    (settings.limits.connect, settings.authorities) = (SHORT, Authorities::Nobody);
    let fault = origins_of(settings).fetch(get("/"), &VIEWER).await.err().unwrap();
    assert!(matches!(fault, FetchError::ConnectSlow), "{fault:?}");
    gate.open();
}

fn signing() -> Signing {
    let secret_key = zeroize::Zeroizing::new("secret".to_owned());
    let credentials = Credentials { access_key: "AKID".into(), secret_key, session_token: None };
    Signing { region: "us-east-1".into(), credentials }
}

#[tokio::test]
async fn a_bucket_is_asked_by_path_and_signed_whatever_the_viewer_claims() {
    let scripted = Scripted::answers(vec![vec![answer(200, "", "")]]);
    let name = crate::names::BucketName::parse("site").unwrap();
    let mut settings = origin(&format!("{}/base/", scripted.url()));
    settings.kind = Kind::Bucket { name, signing: signing() };
    let mut sent = get("/a%20b/c+d%2Fe%7E/%zz?partNumber=1");
    for name in ["authorization", "x-amz-security-token", "x-amz-acl", "brim-host", "brim-anything"] {
        sent.headers_mut().insert(name, "evil".parse().unwrap());
    }
    sent.headers_mut().insert("range", "bytes=0-1".parse().unwrap());
    text_of(&origins_of(settings), sent).await;
    let seen = &scripted.seen()[0];
    assert_eq!(seen.target(), "GET /base/site/a%20b/c%2Bd%2Fe~/%25zz?partNumber=1");
    assert!(!seen.head.iter().any(|line| line.contains("evil")), "{:?}", seen.head);
    assert_eq!(seen.header("range"), Some("bytes=0-1"));
    let signature = seen.header("authorization").unwrap();
    let credential = "AWS4-HMAC-SHA256 Credential=AKID/20270115/us-east-1/s3/aws4_request";
    assert!(signature.starts_with(credential), "{signature}");
    assert!(signature.contains("SignedHeaders=host;x-amz-content-sha256;x-amz-date,"), "{signature}");
}

#[tokio::test]
async fn a_website_is_told_of_the_viewer_in_signed_headers() {
    let scripted = Scripted::answers(vec![vec![answer(200, "", "")]]);
    let mut settings = origin(&scripted.url());
    settings.kind = Kind::Website { signing: signing() };
    settings.host = HostHeader::Fixed("site.websites.test".parse().unwrap());
    let origins = origins_of(settings);
    text_of(&origins, get("/a%7Eb?q=a+b")).await;
    text_of(&origins, post("/", "form")).await;
    let seen = scripted.seen();
    assert_eq!(seen[0].target(), "GET /a%7Eb?q=a+b", "byte for byte");
    assert_eq!(seen[0].header("host"), Some("site.websites.test"));
    assert_eq!((seen[0].header("brim-host"), seen[0].header("brim-proto")), (Some("viewer.test"), Some("https")));
    let signature = seen[0].header("authorization").unwrap();
    assert!(signature.contains("SignedHeaders=brim-host;brim-proto;host;x-amz-content-sha256;x-amz-date,"));
    assert_eq!(seen[1].header("x-amz-content-sha256"), Some("UNSIGNED-PAYLOAD"));
}

#[tokio::test]
async fn the_host_is_the_origins_or_a_fixed_one_or_the_viewers() {
    let scripted = Scripted::answers(vec![vec![answer(200, "", "")]]);
    let fixed = HostHeader::Fixed("other.test:81".parse().unwrap());
    let own = scripted.address().to_string();
    for (host, expected) in
        [(HostHeader::Origin, own.as_str()), (fixed, "other.test:81"), (HostHeader::Viewer, VIEWER.host)]
    {
        let mut settings = origin(&scripted.url());
        settings.host = host;
        let origins = origins_of(settings);
        text_of(&origins, get("/")).await;
        assert_eq!(scripted.seen().last().unwrap().header("host"), Some(expected));
    }
}

/// A TLS server with this certificate's names that speaks `protocols`; gives its port and its authority's file.
async fn secure_server(names: &[&str], protocols: &[&[u8]]) -> (u16, tempfile::NamedTempFile) {
    let key = rcgen::KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let chain = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap().pem();
    let key = key.serialize_pem();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &chain).unwrap();
    let certificate = Arc::new(Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap());
    let pair = Pair { chain: "chain".into(), key: "key".into(), default: true };
    let certificates = Arc::new(Certificates::default());
    certificates.set_files(vec![Loaded { pair, certificate }]);
    let acceptor = TlsAcceptor::from(server_configuration(certificates, protocols).unwrap());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                _ = server.serve_connection(TokioIo::new(stream), service_fn(described)).await;
            });
        }
    });
    (port, file)
}

/// Answers with the version, and the authority as it came.
async fn described(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let authority = request.uri().authority().map(ToString::to_string);
    let host = request.headers().get(HOST).map(|host| host.to_str().unwrap().to_owned());
    let text = format!("{:?} {}", request.version(), authority.or(host).unwrap_or_default());
    Ok(Response::new(Full::new(text.into())))
}

#[tokio::test]
async fn http_2_is_spoken_where_the_origin_chooses_it() {
    for (protocols, host, expected) in [
        (&[b"h2".as_slice(), b"http/1.1"][..], HostHeader::Origin, "HTTP/2.0 localhost"),
        (&[b"h2", b"http/1.1"], HostHeader::Fixed("a.test".parse().unwrap()), "HTTP/2.0 a.test"),
        (&[b"h2", b"http/1.1"], HostHeader::Viewer, "HTTP/1.1 viewer.test"),
        (&[b"http/1.1"], HostHeader::Origin, "HTTP/1.1 localhost"),
    ] {
        let (port, authorities) = secure_server(&["localhost"], protocols).await;
        let mut settings = origin(&format!("https://localhost:{port}"));
        settings.authorities = Authorities::File(authorities.path().to_owned());
        settings.host = host.clone();
        let origins = origins_of(settings);
        for _ in 0..2 {
            let said = text_of(&origins, get("/")).await;
            let own = format!("{expected}:{port}");
            assert!(said == expected || (host == HostHeader::Origin && said == own), "{said}");
        }
    }
}

#[tokio::test]
async fn a_certificate_must_have_the_name_that_is_expected() {
    let (port, authorities) = secure_server(&["origin.test"], &[b"http/1.1"]).await;
    let mut settings = origin(&format!("https://127.0.0.1:{port}"));
    settings.authorities = Authorities::File(authorities.path().to_owned());
    let fault = origins_of(settings.clone()).fetch(get("/"), &VIEWER).await.err().unwrap();
    assert!(matches!(fault, FetchError::Connect(_)), "{fault:?}");
    settings.server_name = Some("origin.test".into());
    let said = text_of(&origins_of(settings.clone()), get("/")).await;
    assert_eq!(said, format!("HTTP/1.1 127.0.0.1:{port}"));
    let (_, others) = secure_server(&["origin.test"], &[b"http/1.1"]).await;
    settings.authorities = Authorities::File(others.path().to_owned());
    assert!(origins_of(settings.clone()).fetch(get("/"), &VIEWER).await.is_err(), "another authority");
    settings.server_name = Some("no name".into());
    assert!(Origins::new(&Settings { primary: settings, failover: None }, &clock()).is_err());
}

#[tokio::test]
async fn a_tunnel_carries_bytes_both_ways() {
    let head = send("HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: echo\r\nx-more: 1\r\n\r\nhello ");
    let scripted = Scripted::answers(vec![vec![head, Step::Echo]]);
    let mut sent = get("/chat");
    sent.headers_mut().insert(UPGRADE, "echo, other".parse().unwrap());
    let Ok(Upgrade::Switched(switched)) = origins(&scripted).upgrade(sent, &VIEWER).await else { panic!("refused") };
    assert_eq!(switched.head.headers["x-more"], "1");
    assert_eq!(scripted.seen()[0].header("upgrade"), Some("echo, other"));
    assert_eq!(scripted.seen()[0].header("connection"), Some("upgrade"));
    let (mut near, far) = tokio::io::duplex(64);
    let task = tokio::spawn(async move {
        let carried = Carried::default();
        let end = switched.tunnel.run(far, &carried).await;
        (end, carried)
    });
    near.write_all(b"world").await.unwrap();
    near.shutdown().await.unwrap();
    let mut all = String::new();
    near.read_to_string(&mut all).await.unwrap();
    assert_eq!(all, "hello world");
    let (end, carried) = task.await.unwrap();
    assert!(end.is_ok(), "{end:?}");
    assert_eq!((carried.to_origin(), carried.to_viewer()), (5, 11));
}

#[tokio::test]
async fn a_tunnel_in_which_nothing_moves_ends() {
    let head = send("HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
    let scripted = Scripted::answers(vec![vec![head, Step::Echo]]);
    let mut settings = origin(&scripted.url());
    settings.limits.tunnel_silence = SHORT;
    let mut sent = get("/");
    sent.headers_mut().insert(UPGRADE, "echo".parse().unwrap());
    let Ok(Upgrade::Switched(switched)) = origins_of(settings).upgrade(sent, &VIEWER).await else { panic!("refused") };
    let (_near, far) = tokio::io::duplex(64);
    let end = switched.tunnel.run(far, &Carried::default()).await;
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn an_origin_may_refuse_to_upgrade_and_not_choose_what_was_not_asked_for() {
    let switches = send("HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n");
    let scripted = Scripted::answers(vec![vec![answer(426, "", "no")], vec![switches]]);
    let origins = origins(&scripted);
    let asked = || {
        let mut sent = get("/");
        sent.headers_mut().insert(UPGRADE, "echo".parse().unwrap());
        sent
    };
    let Ok(Upgrade::Refused(fetched)) = origins.upgrade(asked(), &VIEWER).await else { panic!("switched") };
    assert_eq!(body_of(fetched).await.unwrap(), "no");
    assert!(matches!(origins.upgrade(asked(), &VIEWER).await, Err(FetchError::Garbage(_))));
}

#[test]
fn limits_of_nothing_are_refused() {
    let mut settings = origin("http://a.test");
    settings.limits.requests = 0;
    let fault = Origins::new(&Settings { primary: settings, failover: None }, &clock()).err().unwrap();
    assert_eq!(fault.to_string(), "the limit requests must be above zero");
}
