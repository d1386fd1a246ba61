//! The front of an edge: gates, purges, reloads, stops, slow clients, many clients, logs.

use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use super::process::Edge;
use super::scripted::{Gate, Scripted, Step, answer, send};
use crate::raw::Raw;

/// What makes an answer storable.
const FRESH: &str = "cache-control: max-age=1000\r\n";
const TOKEN: &str = "a-token-for-the-tests";

/// Answers every request with its number, storable.
fn counting() -> Scripted {
    Scripted::start(|seen| vec![answer(200, FRESH, &format!("number {}", seen.number))])
}

/// An edge that can be purged.
fn purgeable(origin: &Scripted) -> Edge {
    let url = origin.url();
    Edge::start(&format!(
        "[purge]\ntokens = [\"{TOKEN}\"]\n[[site]]\nid = \"main\"\nhosts = [\"*\"]\norigin = \"{url}\"\n"
    ))
}

async fn ask_admin(edge: &Edge, request: String) -> crate::raw::Answer {
    let mut connection = Raw::connect(edge.admin).await;
    connection.send(request).await;
    connection.answer().await
}

async fn post_purge(edge: &Edge, document: &str) -> u16 {
    let length = document.len();
    let head = format!("POST /purge HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}");
    ask_admin(edge, format!("{head}\r\n\r\n{document}")).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_is_served_without_the_origin() {
    let origin = counting();
    let edge = purgeable(&origin);
    assert_eq!(edge.get("/a").await.text(), "number 0");
    let hit = edge.get("/a").await;
    assert_eq!(hit.text(), "number 0");
    assert!(hit.header("cache-status").unwrap().contains("hit"), "{hit:?}");
    assert_eq!(origin.seen().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_has_the_token_purges_a_url_a_beginning_or_a_host() {
    let origin = counting();
    let edge = purgeable(&origin);
    let bearer = format!("Bearer {TOKEN}");
    let right = [("authorization", bearer.as_str())];
    assert_eq!(edge.get("/a/x").await.text(), "number 0");
    assert_eq!(edge.ask("PURGE", "/a/x", &[]).await.status, 403);
    assert_eq!(edge.ask("PURGE", "/a/x", &[("authorization", "Bearer a-token-for-the-testz")]).await.status, 403);
    assert_eq!(edge.get("/a/x").await.text(), "number 0");
    for (number, target) in ["/a/x", "/a/*", "*"].iter().enumerate() {
        assert_eq!(edge.ask("PURGE", target, &right).await.status, 200);
        assert_eq!(edge.get("/a/x").await.text(), format!("number {}", number + 1));
    }
    assert_eq!(edge.ask("PURGE", "/b/*", &right).await.status, 200);
    assert_eq!(edge.get("/a/x").await.text(), "number 3");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_listener_purges_by_site_host_and_tag() {
    let headers = format!("{FRESH}surrogate-key: red blue\r\n");
    let origin = Scripted::start(move |seen| vec![answer(200, &headers, &format!("number {}", seen.number))]);
    let edge = purgeable(&origin);
    assert_eq!(edge.get("/").await.text(), "number 0");
    for (number, document) in [
        r##"{"site": "main", "items": ["#blue"]}"##,
        r#"{"site": "main"}"#,
        r#"{"host": "site.test", "items": ["/*"]}"#,
        "{}",
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(post_purge(&edge, document).await, 200, "{document}");
        assert_eq!(edge.get("/").await.text(), format!("number {}", number + 1), "{document}");
    }
    assert_eq!(post_purge(&edge, r#"{"site": "other"}"#).await, 404);
    for wrong in [r#"{"items": ["x"]}"#, r#"{"colour": 1}"#, "", r#"{"site": "main", "host": "a"}"#] {
        assert_eq!(post_purge(&edge, wrong).await, 400, "{wrong}");
    }
    assert_eq!(edge.get("/").await.text(), "number 4");
    // A page of a browser can send this; what it cannot send is JSON.
    let form = "POST /purge HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}".to_owned();
    assert_eq!(ask_admin(&edge, form).await.status, 415);
    assert_eq!(ask_admin(&edge, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".into()).await.text(), "ok\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_requests_by_result() {
    let origin = counting();
    let edge = purgeable(&origin);
    for _ in 0..3 {
        edge.get("/").await;
    }
    let text = ask_admin(&edge, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".into()).await.text();
    for line in [
        "brim_edge_requests_total{site=\"main\",result=\"miss\",status=\"2xx\"} 1",
        "brim_edge_requests_total{site=\"main\",result=\"hit\",status=\"2xx\"} 2",
        "brim_edge_response_bytes_total{site=\"main\"} 24",
    ] {
        assert!(text.lines().any(|given| given == line), "{line}\nnot in\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gate_goes_by_addresses_methods_rates_and_https() {
    let origin = counting();
    let site = "methods = [\"GET\"]\n\
        [[site.behaviour]]\npath = \"/denied/*\"\ndeny = [\"127.0.0.0/8\"]\n\
        [[site.behaviour]]\npath = \"/allowed/*\"\nallow = [\"192.0.2.1\"]\n\
        [[site.behaviour]]\npath = \"/rate/*\"\nrate = \"2/1h\"\n\
        [[site.behaviour]]\npath = \"/secure/*\"\nhttps = \"required\"\n\
        [[site.behaviour]]\npath = \"/redirect/*\"\nhttps = \"redirect\"\nmethods = [\"GET\", \"POST\"]\n";
    // Something else may speak TLS in front of it; these requests come past that.
    let proxies = "[proxies]\ntrusted = [\"192.0.2.9\"]\n";
    let edge = Edge::start(&format!("{proxies}[[site]]\nhosts = [\"*\"]\norigin = \"{}\"\n{site}", origin.url()));
    assert_eq!(edge.get("/").await.status, 200);
    let refused = edge.ask("DELETE", "/", &[]).await;
    assert_eq!((refused.status, refused.header("allow")), (405, Some("GET")));
    for denied in ["/denied/x", "/%64enied/x", "//denied/x", "/x/../denied/x", "/allowed/x", "/secure/x"] {
        assert_eq!(edge.get(denied).await.status, 403, "{denied}");
    }
    assert_eq!(edge.get("/rate/x").await.status, 200);
    assert_eq!(edge.get("/rate/y").await.status, 200);
    let limited = edge.get("/rate/x").await;
    assert_eq!(limited.status, 429);
    assert!(limited.header("retry-after").unwrap().parse::<u64>().unwrap() > 60);
    let redirected = edge.get("/redirect/x?y=1").await;
    assert_eq!((redirected.status, redirected.header("location")), (301, Some("https://site.test/redirect/x?y=1")));
    assert_eq!(edge.ask("POST", "/redirect/x", &[("content-length", "0")]).await.status, 308);
    assert!(!origin.seen().iter().any(|seen| seen.target().contains("denied")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_says_who_asks_and_nobody_else() {
    let origin = counting();
    let site = format!("[[site]]\nhosts = [\"*\"]\norigin = \"{}\"\ndeny = [\"192.0.2.1\"]\n", origin.url());
    let trusting = Edge::start(&format!("[proxies]\ntrusted = [\"127.0.0.1\"]\n{site}"));
    assert_eq!(trusting.ask("GET", "/", &[("x-forwarded-for", "192.0.2.1")]).await.status, 403);
    assert_eq!(trusting.ask("GET", "/", &[("x-forwarded-for", "192.0.2.1, 192.0.2.2")]).await.status, 200);
    let wary = Edge::start(&site);
    assert_eq!(wary.ask("GET", "/", &[("x-forwarded-for", "192.0.2.1")]).await.status, 200);
    let proxied = Edge::start(&format!("[proxies]\ntrusted = [\"127.0.0.1\"]\nprotocol = true\n{site}"));
    for (header, expected) in
        [("PROXY TCP4 192.0.2.1 10.0.0.1 1 80\r\n", 403), ("PROXY TCP4 192.0.2.2 10.0.0.1 1 80\r\n", 200)]
    {
        let mut connection = Raw::connect(proxied.http).await;
        connection.send(format!("{header}GET / HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        assert_eq!(connection.answer().await.status, expected);
    }
    let mut bare = Raw::connect(proxied.http).await;
    bare.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(bare.try_answer().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_changes_sites_and_keeps_connections_and_what_is_stored() {
    let (origin, other) = (counting(), Scripted::start(|_| vec![answer(200, "", "other")]));
    let config =
        |more: &str| format!("[[site]]\nid = \"main\"\nhosts = [\"site.test\"]\norigin = \"{}\"\n{more}", origin.url());
    let edge = Edge::start(&config(""));
    let mut connection = Raw::connect(edge.http).await;
    let get = |host: &str| format!("GET /a HTTP/1.1\r\nHost: {host}\r\n\r\n");
    connection.send(get("site.test")).await;
    assert_eq!(connection.answer().await.text(), "number 0");
    connection.send(get("new.test")).await;
    assert_eq!(connection.answer().await.status, 404);
    edge.reload(&config(&format!("[[site]]\nhosts = [\"new.test\"]\norigin = \"{}\"\n", other.url())));
    connection.send(get("new.test")).await;
    assert_eq!(connection.answer().await.text(), "other");
    connection.send(get("site.test")).await;
    assert_eq!(connection.answer().await.text(), "number 0");
    edge.reload(&config("mode = \"maintenance\"\n"));
    connection.send(get("site.test")).await;
    let closed = connection.answer().await;
    assert!(closed.status == 503 && closed.header("retry-after").is_some() && closed.text().contains("worked on"));
    edge.reload(&config("mode = \"bypass\"\n"));
    connection.send(get("site.test")).await;
    assert_eq!(connection.answer().await.text(), "number 1");
    assert_eq!(origin.connections(), 1, "the connection to the origin was kept, too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_is_not_taken_and_is_told() {
    let origin = counting();
    let edge = purgeable(&origin);
    std::fs::write(edge.directory().join("edge.toml"), "listen = 1\ncolour = 2\n").unwrap();
    edge.signal("HUP");
    let deadline = Instant::now() + Duration::from_secs(10);
    while !edge.log().contains("the configuration was not taken") && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(edge.log().contains("colour"), "{}", edge.log());
    assert_eq!(edge.get("/").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_answers_end_and_takes_no_more_requests() {
    let gate = Gate::default();
    let held = gate.clone();
    let origin = Scripted::start(move |_| {
        vec![send("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf"), Step::Wait(held.clone()), send("done")]
    });
    let mut edge = Edge::in_front_of(&origin, "");
    let mut idle = Raw::connect(edge.http).await;
    let mut busy = edge.asked("GET", "/", &[]).await;
    while origin.seen().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    edge.signal("TERM");
    assert!(idle.is_closed_within(Duration::from_secs(10)).await);
    gate.open();
    assert_eq!(busy.answer().await.text(), "halfdone");
    assert!(edge.ended_well(), "{}", edge.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_are_too_slow_are_hung_up_on() {
    let origin = Scripted::start(|_| vec![answer(200, "", &"x".repeat(8 << 20))]);
    let site = format!("[[site]]\nhosts = [\"*\"]\norigin = \"{}\"\n", origin.url());
    let limits = "[limits]\nhead_timeout = \"500ms\"\nkeep_alive = \"700ms\"\nbody_idle_timeout = \"1s\"\n";
    let edge = Edge::start(&format!("{limits}{site}"));
    let soon = Duration::from_secs(6);
    let mut silent = Raw::connect(edge.http).await;
    assert!(silent.is_closed_within(soon).await, "silent");
    let mut head = Raw::connect(edge.http).await;
    head.send("GET / HTTP/1.1\r\nHost: a\r\nX: ").await;
    assert!(head.is_closed_within(soon).await, "half a head");
    let mut body = Raw::connect(edge.http).await;
    body.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf").await;
    assert!(body.is_closed_within(soon).await, "half a body");
    // A client that takes nothing: what it does not read fills the sockets.
    let began = Instant::now();
    let stuck = edge.asked("GET", "/", &[]).await;
    while edge_connections(&edge).await > 0 {
        assert!(began.elapsed() < Duration::from_secs(20), "a client that takes nothing is still there");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(stuck);
}

async fn edge_connections(edge: &Edge) -> u64 {
    let text = ask_admin(edge, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".into()).await.text();
    let line = text.lines().find_map(|line| line.strip_prefix("brim_edge_connections ")).unwrap_or("0");
    line.parse::<f64>().unwrap() as u64
}

/// As many open files as this process may have.
fn more_files() {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).expect("it is allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_connections_fit_into_200_mb() {
    const CONNECTIONS: usize = 10_000;
    let origin = counting();
    let edge = Edge::start(&format!(
        "memory = \"16MiB\"\n[limits]\nkeep_alive = \"10m\"\n[[site]]\nhosts = [\"*\"]\norigin = \"{}\"\n",
        origin.url()
    ));
    let before = edge.memory();
    more_files();
    let mut held: Vec<Raw> = Vec::with_capacity(CONNECTIONS);
    let mut asked = 0;
    for number in 0..CONNECTIONS {
        let Ok(stream) = TcpStream::connect(edge.http).await else { break };
        let mut raw = Raw::over(stream);
        if number % 2 == 0 {
            // Half of them were used before they fell idle.
            raw.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await;
            assert_eq!(raw.answer().await.status, 200);
            asked += 1;
        }
        held.push(raw);
    }
    assert_eq!(held.len(), CONNECTIONS, "this machine does not allow as many files: see ulimit -n");
    assert_eq!(asked, CONNECTIONS / 2);
    // The others were accepted by the system; the edge takes them when it gets to it.
    let began = Instant::now();
    while edge_connections(&edge).await < CONNECTIONS as u64 {
        assert!(began.elapsed() < Duration::from_secs(60), "some connections are not there");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let used = edge.memory();
    assert!(used < 200 << 20, "{used} bytes, {} of them for connections", used - before);
    eprintln!("{used} bytes with {CONNECTIONS} connections, {before} without");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_log_has_every_request_and_no_secret() {
    let origin = counting();
    let url = origin.url();
    let mut edge = Edge::start(&format!(
        "[access_log]\ndirectory = \"logs\"\nformat = \"json\"\n[[site]]\nid = \"main\"\nhosts = [\"*\"]\norigin = \"{url}\"\n"
    ));
    let secrets = [("cookie", "session=s3cret"), ("authorization", "Bearer s3cret")];
    edge.ask("GET", "/a?Signature=s3cret&x=1", &secrets).await;
    edge.ask("GET", "/b", &[("user-agent", "tester")]).await;
    let logs = edge.directory().join("logs");
    edge.signal("TERM");
    assert!(edge.ended_well());
    let files: Vec<_> = std::fs::read_dir(logs).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    assert!(files[0].file_name().unwrap().to_str().unwrap().starts_with("main."));
    let output = std::process::Command::new("gzip").arg("-dc").arg(&files[0]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains("\"query\":\"Signature=-&x=1\"") && text.contains("tester") && !text.contains("s3cret"));
    assert!(!edge.log().contains("s3cret"));
}

#[test]
fn a_configuration_is_checked_without_serving() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("edge.toml");
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_brim-edge"));
        let output = command.args(["check-config", "--config"]).arg(&file).env_clear().output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (status, out, _) = check("[[site]]\nhosts = ['*']\norigin = 'http://127.0.0.1:1'\n");
    assert_eq!((status, out.as_str()), (Some(0), "brim-edge: the configuration is valid: 1 site\n"));
    let (status, _, err) = check("[[site]]\nhosts = ['*']\noriginn = 'http://x'\nttl = 5\n");
    assert_eq!(status, Some(2));
    assert!(
        err.contains("did you mean origin?") && err.contains("ttl") && err.contains("origin must be given"),
        "{err}"
    );
    let (status, _, err) =
        check("[[certificate]]\ncert = 'a'\nkey = 'b'\n[[site]]\nhosts = ['*']\norigin = 'http://x'\n");
    assert!(status == Some(1) && err.contains("a:"), "{status:?} {err}");
}
