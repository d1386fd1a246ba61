//! HTTPS: which certificate a client is shown, how certificates are replaced, and what a TLS port does with clients that
//! mean no good.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::harness::Server;
use crate::raw::Raw;

/// How long a client waits for what takes no time.
const PATIENCE: Duration = Duration::from_secs(20);

/// An authority of the test's own, and a directory for what it issues.
pub struct Authority {
    dir: TempDir,
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self { dir: tempfile::tempdir().unwrap(), certificate, issuer: Issuer::new(params, key) }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes `NAME.pem` and `NAME.key` for `hosts`.
    pub fn issue(&self, name: &str, hosts: &[&str]) {
        let key = KeyPair::generate().unwrap();
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let certificate = CertificateParams::new(hosts).unwrap().signed_by(&key, &self.issuer).unwrap();
        write_private(&self.path(&format!("{name}.key")), &key.serialize_pem());
        fs::write(self.path(&format!("{name}.pem")), certificate.pem()).unwrap();
    }

    /// Writes a configuration of these certificates; `*` behind a name makes it the default.
    pub fn configure(&self, names: &[&str]) -> PathBuf {
        let table = |name: &&str| {
            let (name, default) = (name.trim_end_matches('*'), name.ends_with('*'));
            format!("[[certificate]]\ncert = '{name}.pem'\nkey = '{name}.key'\ndefault = {default}\n")
        };
        let path = self.path("brim.toml");
        fs::write(&path, names.iter().map(table).collect::<String>()).unwrap();
        path
    }

    /// Starts a server with these certificates and options.
    pub fn serve(&self, names: &[&str], options: &[(&str, &str)]) -> Server {
        let config = self.configure(names);
        let mut all = vec![("BRIM_CONFIG", config.to_str().unwrap()), ("BRIM_S3_TLS_LISTEN", "127.0.0.1:0")];
        all.extend(options);
        Server::start_with(&all)
    }

    /// Writes the authority's own certificate, for clients that are told whom to trust.
    pub fn bundle(&self) -> PathBuf {
        let path = self.path("authority.pem");
        let text = STANDARD.encode(&self.certificate);
        fs::write(&path, format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")).unwrap();
        path
    }

    /// Connects by `host`, trusting this authority alone.
    pub async fn connect(&self, address: SocketAddr, host: &str) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let host = ServerName::try_from(host.to_owned()).unwrap();
        let stream = TcpStream::connect(address).await?;
        let connecting = TlsConnector::from(Arc::new(config)).connect(host, stream);
        tokio::time::timeout(PATIENCE, connecting).await.expect("an end of the handshake")
    }

    /// Connects; where bounds are small and a busy machine is not through with other handshakes, again in a moment.
    pub async fn raw(&self, address: SocketAddr, host: &str) -> Raw<TlsStream<TcpStream>> {
        let began = Instant::now();
        loop {
            match self.connect(address, host).await {
                Ok(stream) => return Raw::over(stream),
                Err(error) => assert!(began.elapsed() < PATIENCE, "a handshake: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The first name of the certificate that a client is shown who asks for `host`.
    async fn shown(&self, address: SocketAddr, host: &str) -> Option<String> {
        let stream = self.connect(address, host).await.ok()?;
        let chain = stream.get_ref().1.peer_certificates().unwrap();
        let (_, certificate) = X509Certificate::from_der(&chain[0]).unwrap();
        let names = certificate.subject_alternative_name().unwrap().unwrap();
        match names.value.general_names[0] {
            GeneralName::DNSName(name) => Some(name.to_owned()),
            _ => Some("an address".to_owned()),
        }
    }
}

fn write_private(path: &Path, text: &str) {
    let _ = fs::remove_file(path);
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn hang_up(server: &Server) {
    // SAFETY: sends a signal to our own child, which is not waited for while the server is borrowed.
    assert_eq!(unsafe { libc::kill(server.process(), libc::SIGHUP) }, 0, "the child is there");
}

/// Whether and where a plain request for `target` at `host` is sent to; its status first.
async fn moved(server: &Server, method: &str, host: &str, target: &str) -> (u16, Option<String>) {
    let mut raw = Raw::connect(server.website).await;
    raw.send(format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n")).await;
    let answer = raw.answer().await;
    (answer.status, answer.header("location").map(str::to_owned))
}

/// Asks again and again, for what happens in another process.
async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let began = Instant::now();
    while !condition().await {
        assert!(began.elapsed() < PATIENCE, "still waiting for {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn failed(server: &Server, reason: &str) -> u64 {
    let mut raw = Raw::connect(server.admin).await;
    raw.send("GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let text = raw.answer().await.text();
    let start = format!("brim_tls_handshakes_failed_total{{listener=\"s3\",reason=\"{reason}\"}} ");
    let value = text.lines().find_map(|line| line.strip_prefix(&start));
    value.unwrap_or_else(|| panic!("no {start} in {text}")).parse().unwrap()
}

#[tokio::test]
async fn a_client_is_shown_the_certificate_of_the_name_it_asks_for() {
    let authority = Authority::new();
    authority.issue("exact", &["exact.test", "deep.wild.test"]);
    authority.issue("wild", &["*.wild.test"]);
    let server = authority.serve(&["wild", "exact"], &[]);
    let address = server.https("s3_tls");
    assert_eq!(authority.shown(address, "exact.test").await.as_deref(), Some("exact.test"));
    assert_eq!(authority.shown(address, "EXACT.test").await.as_deref(), Some("exact.test"));
    assert_eq!(authority.shown(address, "deep.wild.test").await.as_deref(), Some("exact.test"));
    assert_eq!(authority.shown(address, "other.wild.test").await.as_deref(), Some("*.wild.test"));
    for host in ["wild.test", "a.b.wild.test", "127.0.0.1"] {
        assert_eq!(authority.shown(address, host).await, None, "{host}");
    }

    authority.issue("address", &["127.0.0.1"]);
    let server = authority.serve(&["exact", "address*"], &[]);
    let address = server.https("s3_tls");
    assert_eq!(authority.shown(address, "127.0.0.1").await.as_deref(), Some("an address"));
    assert_eq!(authority.shown(address, "exact.test").await.as_deref(), Some("exact.test"));
}

#[tokio::test]
async fn certificates_are_replaced_without_a_restart_and_a_bad_one_keeps_the_old() {
    let authority = Authority::new();
    authority.issue("one", &["old.test", "a.test"]);
    let server = authority.serve(&["one"], &[]);
    let address = server.https("s3_tls");
    let mut open = authority.raw(address, "a.test").await;

    // What does not belong together is told of, and changes nothing.
    let (key, chain) = (fs::read_to_string(authority.path("one.key")).unwrap(), authority.path("one.pem"));
    authority.issue("one", &["new.test", "a.test"]);
    let new_key = fs::read_to_string(authority.path("one.key")).unwrap();
    write_private(&authority.path("one.key"), &key);
    hang_up(&server);
    until("the fault", || async { server.log().contains("the key does not belong to the first certificate") }).await;
    assert_eq!(authority.shown(address, "a.test").await.as_deref(), Some("old.test"));

    // No signal: the files are watched.
    write_private(&authority.path("one.key"), &new_key);
    until("the new certificate", || async { authority.shown(address, "a.test").await.as_deref() == Some("new.test") })
        .await;
    assert_eq!(authority.shown(address, "old.test").await, None);

    // The list is read again as well.
    authority.issue("two", &["two.test"]);
    authority.configure(&["two", "one"]);
    hang_up(&server);
    until("the second", || async { authority.shown(address, "two.test").await.is_some() }).await;
    fs::remove_file(&chain).unwrap();
    hang_up(&server);
    until("the missing file", || async { server.log().contains("No such file") }).await;
    assert!(authority.shown(address, "a.test").await.is_some());

    open.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    assert_eq!(open.answer().await.status, 403, "a connection from before is still served");
}

#[tokio::test]
async fn a_certificate_that_cannot_be_served_stops_the_start_and_says_why() {
    let authority = Authority::new();
    authority.issue("one", &["a.test"]);
    authority.issue("two", &["a.test"]);
    let (one, two) = (authority.path("one.pem"), authority.path("two.pem"));
    let (key, open) = (authority.path("one.key"), authority.path("open.key"));
    fs::copy(&key, &open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
    let nowhere = authority.path("nowhere");
    for (cert, key, fault) in [
        (&two, &key, "the key does not belong to the first certificate of the chain"),
        (&one, &open, "can be read or written by other users"),
        (&one, &nowhere, "there is no file"),
        (&nowhere, &key, "No such file"),
        (&key, &key, "holds no certificate"),
    ] {
        let config = authority.path("brim.toml");
        let text = format!("[[certificate]]\ncert = '{}'\nkey = '{}'\n", cert.display(), key.display());
        fs::write(&config, text).unwrap();
        let data = tempfile::tempdir().unwrap();
        let refused = Server::start_on(data.path(), &[("BRIM_CONFIG", config.to_str().unwrap())]);
        let said = refused.err().unwrap_or_else(|| panic!("it started: {fault}"));
        assert!(said.contains(fault), "{fault}\nnot in {said}");
    }
}

#[tokio::test]
async fn policies_know_what_came_over_tls() {
    let authority = Authority::new();
    authority.issue("one", &["a.test"]);
    let server = authority.serve(&["one"], &[]);
    let (client, bucket) = (server.client(), server.bucket().await);
    assert_eq!(client.delete(&format!("/{bucket}?publicAccessBlock")).await.status, 204);
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":"*","Action":["s3:GetObject","s3:PutObject"],
           "Resource":"arn:aws:s3:::{bucket}/*","Condition":{{"Bool":{{"aws:SecureTransport":"true"}}}}}}]}}"#
    );
    assert_eq!(client.put(&format!("/{bucket}?policy"), policy).await.status, 204);
    assert_eq!(client.put(&format!("/{bucket}/key"), "text").await.status, 200);

    let get = format!("GET /{bucket}/key HTTP/1.1\r\nHost: a.test\r\n\r\n");
    let put =
        format!("PUT /{bucket}/new HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    let mut plain = Raw::connect(server.s3).await;
    plain.send(&get).await;
    assert_eq!(plain.answer().await.status, 403);
    let mut plain = Raw::connect(server.s3).await;
    plain.send(&put).await;
    assert_eq!(plain.answer().await.status, 403);

    let mut secure = authority.raw(server.https("s3_tls"), "a.test").await;
    secure.send(&get).await;
    let answer = secure.answer().await;
    assert_eq!((answer.status, answer.text()), (200, "text".to_owned()));
    secure.send(&put).await;
    assert_eq!(secure.answer().await.status, 100);
    secure.send("new").await;
    assert_eq!(secure.answer().await.status, 200);
}

#[tokio::test]
async fn plain_http_is_told_what_the_port_is_for() {
    let authority = Authority::new();
    authority.issue("one", &["a.test"]);
    let server = authority.serve(&["one"], &[]);
    let mut raw = Raw::connect(server.https("s3_tls")).await;
    let upload = "x".repeat(32 * 1024);
    raw.send(format!("PUT /bucket/key HTTP/1.1\r\nHost: a.test\r\nContent-Length: 32768\r\n\r\n{upload}")).await;
    let answer = raw.answer().await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("https://"), "{}", answer.text());
    assert!(raw.is_closed_within(PATIENCE).await);
    until("the count", || async { failed(&server, "plain-http").await == 1 }).await;
}

#[tokio::test]
async fn garbage_ends_its_own_connection_and_nothing_else() {
    let authority = Authority::new();
    authority.issue("one", &["a.test"]);
    let server = authority.serve(&["one"], &[]);
    let address = server.https("s3_tls");
    let kept = authority.connect(address, "a.test").await.unwrap();
    let hello = [&[22, 3, 1, 0, 200, 1, 0, 0, 196][..], &[0xff; 196]].concat();
    let garbage: [&[u8]; 5] = [&[0; 512], &[22, 3, 3, 0xff, 0xff, 1, 2, 3], &[0xff; 20_000], &hello, &[22]];
    for bytes in garbage {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let _ = stream.shutdown().await;
        let mut received = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut received)).await.expect("an end");
        // An alert (RFC 8446 section 6), nothing, or a reset.
        assert!(ended.is_err() || received.is_empty() || received[0] == 21, "{received:?}");
    }
    until("the count", || async { failed(&server, "failed").await == garbage.len() as u64 }).await;
    let mut kept = Raw::over(kept);
    kept.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    assert_eq!(kept.answer().await.status, 403);
}

#[tokio::test]
async fn slow_handshakes_are_bounded_in_time_and_number() {
    let authority = Authority::new();
    authority.issue("one", &["a.test"]);
    let options = [("BRIM_LIMITS_HEAD_TIMEOUT", "2s"), ("BRIM_LIMITS_CONNECTIONS", "4"), ("BRIM_WORKERS", "1")];
    let server = authority.serve(&["one"], &options);
    let address = server.https("s3_tls");
    let began = Instant::now();
    let mut slow = [Raw::connect(address).await, Raw::connect(address).await];
    slow[0].send([22, 3, 1]).await;
    // Two of four connections are all that handshakes may take.
    let mut third = Raw::connect(address).await;
    assert!(third.is_closed_within(PATIENCE).await);
    assert!(began.elapsed() < Duration::from_secs(2), "it waited for the others");
    until("the count", || async { failed(&server, "busy").await == 1 }).await;
    for raw in &mut slow {
        assert!(raw.is_closed_within(PATIENCE).await);
    }
    assert!(began.elapsed() >= Duration::from_secs(2));
    until("the count", || async { failed(&server, "slow").await == 2 }).await;
    authority.connect(address, "a.test").await.expect("there is room again");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_who_only_knocks() {
    let authority = Authority::new();
    authority.issue("one", &["a.test"]);
    let mut server = authority.serve(&["one"], &[]);
    let address = server.https("s3_tls");
    let mut knocking = Raw::connect(address).await;
    knocking.send([22, 3, 1]).await;
    // Accepted after the one before.
    let mut served = authority.raw(address, "a.test").await;
    served.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    assert_eq!(served.answer().await.status, 403);
    let began = Instant::now();
    server.terminate();
    assert!(server.ended().is_some_and(|status| status.success()));
    assert!(began.elapsed() < Duration::from_secs(10), "it waited for a handshake");
}

#[tokio::test]
async fn the_bounds_of_connections_hold_over_tls() {
    let authority = Authority::new();
    authority.issue("one", &["a.test"]);
    let options = [
        ("BRIM_LIMITS_CONNECTIONS", "4"),
        ("BRIM_WORKERS", "1"),
        ("BRIM_LIMITS_HEAD_TIMEOUT", "1s"),
        ("BRIM_LIMITS_KEEP_ALIVE", "1s"),
        ("BRIM_LIMITS_BODY_IDLE_TIMEOUT", "2s"),
    ];
    let server = authority.serve(&["one"], &options);
    let address = server.https("s3_tls");
    let request = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
    let began = Instant::now();
    // Three that ask nothing and one that never ends its head: all end, and count until then.
    let mut idle = Vec::new();
    for _ in 0..3 {
        idle.push(authority.raw(address, "a.test").await);
    }
    let mut slow = authority.raw(address, "a.test").await;
    slow.send(request).await;
    assert_eq!(slow.answer().await.status, 403);
    slow.send("GET / HTTP/1.1\r\n").await;
    let mut fifth = authority.raw(address, "a.test").await;
    fifth.send(request).await;
    assert_eq!(fifth.answer().await.status, 403);
    assert!(began.elapsed() > Duration::from_millis(500), "a fifth connection was served beside four");
    for idle in &mut idle {
        assert!(idle.is_closed_within(PATIENCE).await);
    }
    assert!(slow.is_closed_within(PATIENCE).await);
}

#[tokio::test]
async fn a_client_that_takes_too_little_over_tls_is_given_up() {
    let authority = Authority::new();
    authority.issue("one", &["a.test"]);
    let options = [("BRIM_LIMITS_BODY_IDLE_TIMEOUT", "1s"), ("BRIM_LIMITS_TRANSFER_RATE", "64KiB")];
    let server = authority.serve(&["one"], &options);
    let (client, bucket) = (server.client(), server.bucket().await);
    let target = format!("/{bucket}/large");
    assert_eq!(client.put(&target, vec![7; 32 << 20]).await.status, 200);
    let valid = Duration::from_secs(60);
    let path = client.presign_headers("GET", &target, &[], valid);
    let host = server.s3;
    let mut stream = authority.connect(server.https("s3_tls"), "a.test").await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await.unwrap();
    let mut first = [0; 1024];
    stream.read_exact(&mut first).await.unwrap();
    assert!(first.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&first));
    until("the line of the request", || async {
        server.log().lines().any(|line| line.contains("GetObject") && !line.contains("bytes_out=33554432"))
    })
    .await;
}

#[tokio::test]
async fn hosts_with_a_certificate_are_sent_to_https() {
    let authority = Authority::new();
    authority.issue("one", &["a.test", "*.wild.test"]);
    let tls = ("BRIM_WEBSITE_TLS_LISTEN", "127.0.0.1:0");
    let server = authority.serve(&["one*"], &[tls]);
    let port = server.https("website_tls").port();
    for (host, target) in [
        ("a.test", "/"),
        ("A.test:8080", "/a%2Fb/../c?d=%20&e"),
        ("a.test.", "//evil.test/"),
        ("x.wild.test", "/.well-known/other"),
    ] {
        let name = host.split(':').next().unwrap().trim_end_matches('.').to_lowercase();
        let expected = Some(format!("https://{name}:{port}{target}"));
        assert_eq!(moved(&server, "GET", host, target).await, (301, expected.clone()));
        assert_eq!(moved(&server, "POST", host, target).await, (308, expected));
    }
    // The default certificate is not for these; and a challenge is asked for in the clear.
    for (host, target) in [
        ("b.test", "/"),
        ("x.y.wild.test", "/"),
        ("127.0.0.1", "/"),
        ("a b", "/"),
        ("a.test", "/.well-known/acme-challenge/token"),
    ] {
        let (status, location) = moved(&server, "GET", host, target).await;
        assert!((400..500).contains(&status) && location.is_none(), "{host}{target}: {status} {location:?}");
    }
    // The same site over TLS: no way back, and no way around.
    let mut secure = authority.raw(server.https("website_tls"), "a.test").await;
    secure.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    assert_eq!(secure.answer().await.status, 404);
}

#[tokio::test]
async fn the_way_to_https_is_the_operators_choice() {
    let authority = Authority::new();
    authority.issue("one", &["a.test"]);
    let tls = ("BRIM_WEBSITE_TLS_LISTEN", "127.0.0.1:0");
    let always = [tls, ("BRIM_WEBSITE_HTTPS_REDIRECT", "always"), ("BRIM_WEBSITE_HTTPS_PORT", "443")];
    let server = authority.serve(&["one"], &always);
    let to = |address: &str| (301, Some(address.to_owned()));
    assert_eq!(moved(&server, "GET", "b.test:80", "/x").await, to("https://b.test/x"));
    assert_eq!(moved(&server, "GET", "[::1]:80", "/").await, to("https://[::1]/"));

    let server = authority.serve(&["one"], &[tls, ("BRIM_WEBSITE_HTTPS_REDIRECT", "never")]);
    assert_eq!(moved(&server, "GET", "a.test", "/").await, (404, None));
    // Without a TLS listener there is nowhere to be sent to.
    let server = authority.serve(&["one"], &[]);
    assert_eq!(moved(&server, "GET", "a.test", "/").await, (404, None));
}

/// A server that orders a certificate for `b.test` from the authority at `address`.
fn ordering(authority: &Authority, address: SocketAddr) -> Server {
    let (directory, bundle) = (format!("https://{address}/dir"), authority.path("one.pem"));
    let options = [
        ("BRIM_ACME_DOMAINS", "b.test"),
        ("BRIM_ACME_AGREE_TERMS", "true"),
        ("BRIM_ACME_DIRECTORY", directory.as_str()),
        ("BRIM_ACME_CA_BUNDLE", bundle.to_str().unwrap()),
    ];
    authority.serve(&["one"], &options)
}

#[tokio::test]
async fn an_authority_that_is_not_there_keeps_nothing_from_working() {
    let authority = Authority::new();
    authority.issue("one", &["a.test"]);
    // A port of the test's own that nobody listens on any more.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = ordering(&authority, closed);
    until("the failure", || async { server.log().contains("there is no certificate") }).await;
    let log = server.log();
    let line = log.lines().find(|line| line.contains("there is no certificate")).unwrap();
    assert!(line.contains("ERROR") && line.contains("b.test") && line.contains("refused"), "{line}");
    assert_eq!(authority.shown(server.https("s3_tls"), "b.test").await, None);
    assert!(authority.shown(server.https("s3_tls"), "a.test").await.is_some());
    // Not tried again at once, but where an operator asks for it: nothing but the network was at fault.
    let orders = || server.log().matches("ordering a certificate").count();
    assert_eq!(orders(), 1);
    hang_up(&server);
    until("the second attempt", || async { orders() == 2 }).await;
}

#[tokio::test]
async fn a_server_stops_in_the_middle_of_an_order() {
    let authority = Authority::new();
    authority.issue("one", &["a.test"]);
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut server = ordering(&authority, silent.local_addr().unwrap());
    let (_held, _) = tokio::time::timeout(PATIENCE, silent.accept()).await.expect("an order").unwrap();
    let began = Instant::now();
    server.terminate();
    assert!(server.ended().is_some_and(|status| status.success()));
    assert!(began.elapsed() < Duration::from_secs(10), "it waited for the authority");
}
