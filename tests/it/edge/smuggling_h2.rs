//! Requests of HTTP/2 that would be others in HTTP/1.1, which origins are asked in: refused, or harmless.
//!
//! Frames are written by hand: no client would send these.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::process::Edge;
use super::scripted::{Scripted, answer};

/// How long an answer to a stream may take.
const PATIENCE: Duration = Duration::from_secs(10);

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// What became of a stream.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// It was answered; the body.
    Answered(Vec<u8>),
    Reset,
    /// The connection was given up.
    Closed,
}

/// A frame: RFC 9113 section 4.1.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A field that stands for itself: RFC 7541 section 6.2.2, without Huffman coding.
fn field(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        assert!(text.len() < 127, "a length of one byte");
        bytes.push(u8::try_from(text.len()).unwrap());
        bytes.extend(text.as_bytes());
    }
    bytes
}

/// Sends one request on a connection of its own.
async fn exchange(edge: &Edge, fields: &[(&str, &str)], body: Option<&[u8]>) -> Outcome {
    let mut stream = TcpStream::connect(edge.http).await.unwrap();
    let block: Vec<u8> = fields.iter().flat_map(|(name, value)| field(name, value)).collect();
    let end = if body.is_none() { END_STREAM } else { 0 };
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    bytes.extend(frame(HEADERS, END_HEADERS | end, 1, &block));
    if let Some(body) = body {
        bytes.extend(frame(DATA, END_STREAM, 1, body));
    }
    stream.write_all(&bytes).await.unwrap();
    timeout(PATIENCE, outcome(&mut stream)).await.unwrap_or_else(|_| panic!("no answer to {fields:?}"))
}

async fn outcome(stream: &mut TcpStream) -> Outcome {
    let mut received = Vec::new();
    loop {
        let mut head = [0; 9];
        if stream.read_exact(&mut head).await.is_err() {
            return Outcome::Closed;
        }
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        if stream.read_exact(&mut payload).await.is_err() {
            return Outcome::Closed;
        }
        let (kind, flags) = (head[3], head[4]);
        match kind {
            DATA => received.extend(payload),
            RST_STREAM => return Outcome::Reset,
            GOAWAY => return Outcome::Closed,
            SETTINGS if flags & ACK == 0 => stream.write_all(&frame(SETTINGS, ACK, 0, &[])).await.unwrap(),
            _ => {}
        }
        if [DATA, HEADERS].contains(&kind) && flags & END_STREAM != 0 {
            return Outcome::Answered(received);
        }
    }
}

const METHOD: (&str, &str) = (":method", "GET");
const SCHEME: (&str, &str) = (":scheme", "http");
const AUTHORITY: (&str, &str) = (":authority", "site.test");
const PATH: (&str, &str) = (":path", "/");

fn edge_and_origin() -> (Edge, Scripted) {
    let origin = Scripted::answers(vec![vec![answer(200, "", "good")]]);
    let config = format!("h2c = true\n[[site]]\nhosts = [\"*\"]\norigin = \"{}\"\n", origin.url());
    (Edge::start(&config), origin)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_http_1_would_read_differently_reaches_an_origin() {
    let (edge, origin) = edge_and_origin();
    assert_eq!(exchange(&edge, &[METHOD, SCHEME, AUTHORITY, PATH], None).await, Outcome::Answered(b"good".to_vec()));
    assert_eq!(origin.seen().len(), 1, "the frames are right");
    let more: &[&[(&str, &str)]] = &[
        &[("transfer-encoding", "chunked")],
        &[("connection", "x-evil")],
        &[("x", "a\r\nx-evil: 1")],
        &[("x", "a\nx-evil: 1")],
        &[("x", "a\0")],
        &[("x-a: b\r\nx-evil", "1")],
        &[("x evil", "1")],
        &[("X-EVIL", "1")],
        &[("", "x-evil")],
        &[(":evil", "1")],
        &[(":path", "/evil")],
        &[(":status", "200")],
        &[("content-length", "5")],
        &[("content-length", "0, 5")],
    ];
    for extra in more {
        let fields: Vec<_> = [METHOD, SCHEME, AUTHORITY, PATH].into_iter().chain(extra.iter().copied()).collect();
        exchange(&edge, &fields, None).await;
    }
    let whole: &[[(&str, &str); 4]] = &[
        [METHOD, SCHEME, AUTHORITY, (":path", "/ HTTP/1.1\r\nHost: x\r\n\r\nGET /evil")],
        [METHOD, SCHEME, AUTHORITY, (":path", "/evil HTTP/1.1")],
        [METHOD, SCHEME, AUTHORITY, (":path", "")],
        [METHOD, SCHEME, AUTHORITY, (":path", "evil")],
        [METHOD, SCHEME, (":authority", "a.test\r\nx-evil: 1"), PATH],
        [METHOD, SCHEME, (":authority", "evil@a.test"), PATH],
        [METHOD, SCHEME, (":authority", "evil/a"), PATH],
        [METHOD, (":scheme", "evil"), AUTHORITY, ("x", "y")],
        [(":method", "GET /evil HTTP/1.1\r\nx:"), SCHEME, AUTHORITY, PATH],
        [(":method", "CONNECT"), ("x", "y"), AUTHORITY, PATH],
        [METHOD, PATH, ("x", "y"), SCHEME],
        [METHOD, AUTHORITY, ("x", "y"), ("z", "evil")],
    ];
    for fields in whole {
        exchange(&edge, fields, None).await;
    }
    for seen in &origin.seen() {
        assert!(seen.head.iter().all(|line| !line.to_lowercase().contains("evil")), "{:?}", seen.head);
        assert!(seen.header("transfer-encoding").is_none() && seen.body.is_empty(), "{:?}", seen.head);
    }
    assert_eq!(exchange(&edge, &[METHOD, SCHEME, AUTHORITY, PATH], None).await, Outcome::Answered(b"good".to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_that_disagree_are_no_way_around_a_rule() {
    let (edge, origin) = edge_and_origin();
    exchange(&edge, &[METHOD, SCHEME, AUTHORITY, PATH, ("host", "evil.test")], None).await;
    for seen in &origin.seen() {
        assert!(seen.head.iter().all(|line| !line.contains("evil")), "{:?}", seen.head);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_another_length_than_announced_is_no_request_to_an_origin() {
    let (edge, origin) = edge_and_origin();
    let post = (":method", "POST");
    let good = exchange(&edge, &[post, SCHEME, AUTHORITY, PATH, ("content-length", "3")], Some(b"abc")).await;
    assert_eq!(good, Outcome::Answered(b"good".to_vec()));
    for (length, body) in [("2", b"ab GET /smuggled HTTP/1.1".as_slice()), ("50", b"short"), ("-1", b"x"), ("x", b"x")]
    {
        let outcome = exchange(&edge, &[post, SCHEME, AUTHORITY, PATH, ("content-length", length)], Some(body)).await;
        assert_ne!(outcome, Outcome::Answered(b"good".to_vec()), "{length}");
    }
    let whole = origin.seen().into_iter().map(|seen| seen.body).collect::<Vec<_>>();
    assert_eq!(whole, [b"abc"]);
}
