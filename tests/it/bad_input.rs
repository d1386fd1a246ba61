//! Requests that real clients do not send: each gets S3's error in time, and leaves nothing behind.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tokio::time::sleep;

use crate::chunked::Mode;
use crate::harness::{Server, noise};
use crate::raw::{Answer, Raw};
use crate::signed::{Payload, Signed};

/// How soon a server with timeouts of one second must have hung up.
const SOON: Duration = Duration::from_secs(15);

/// Sends a signed PUT with these signed headers and exactly this body behind it.
async fn put_raw(client: &Signed, target: &str, headers: &[(&str, &str)], payload: Payload<'_>, body: &[u8]) -> Answer {
    let head = client.sign("PUT", target, headers, payload);
    let length = body.len().to_string();
    let mut connection = Raw::connect(client.address).await;
    connection.send(head.bytes(&[("content-length", &length)])).await;
    connection.send(body).await;
    connection.answer().await
}

async fn assert_absent(client: &Signed, target: &str) {
    assert_eq!(client.head(target).await.status, 404, "{target} must not exist");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_chunk_framing_is_refused() {
    let server = Server::start();
    let client = server.client();
    let target = format!("/{}/k", server.bucket().await);
    let bodies: [&[u8]; 13] = [
        b"",
        b"5\r\nhello",
        b"5\r\nhello\r\n",
        b"5\r\nhello\r\n0\r\n",
        b"6\r\nhello\r\n0\r\n\r\n",
        b"4\r\nhello\r\n0\r\n\r\n",
        b"xyz\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        b"5\nhello\n0\n\n",
        b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:!!!!\r\n\r\n",
        b"5\r\nhello\r\n0\r\nno colon here\r\n\r\n",
        b"hello",
    ];
    for body in bodies {
        let headers = [("x-amz-decoded-content-length", "5"), ("x-amz-trailer", "x-amz-checksum-crc32")];
        let answer = put_raw(&client, &target, &headers, Payload::Named(Mode::UnsignedTrailer.name()), body).await;
        assert_eq!(answer.status, 400, "{:?}: {}", String::from_utf8_lossy(body), answer.text());
        assert!(answer.element("Code").is_some());
    }
    let long_line = [b"5;".to_vec(), vec![b'x'; 1 << 20], b"\r\nhello\r\n0\r\n\r\n".to_vec()].concat();
    let headers = [("x-amz-decoded-content-length", "5")];
    let answer = put_raw(&client, &target, &headers, Payload::Named(Mode::UnsignedTrailer.name()), &long_line).await;
    assert_eq!(answer.status, 400, "a chunk line has a bound");
    assert_absent(&client, &target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declared_trailer_must_come() {
    let server = Server::start();
    let client = server.client();
    let target = format!("/{}/k", server.bucket().await);
    let headers = [("x-amz-decoded-content-length", "5"), ("x-amz-trailer", "x-amz-checksum-crc32")];
    let body = b"5\r\nhello\r\n0\r\n\r\n";
    let answer = put_raw(&client, &target, &headers, Payload::Named(Mode::UnsignedTrailer.name()), body).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_absent(&client, &target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_payload_mode_is_refused_and_never_stored_raw() {
    let server = Server::start();
    let client = server.client();
    let target = format!("/{}/k", server.bucket().await);
    for mode in [
        "STREAMING-SOMETHING-NEW",
        "streaming-unsigned-payload-trailer",
        "unsigned-payload",
        "0123",
        "",
        &"g".repeat(64),
    ] {
        let headers = [("x-amz-decoded-content-length", "5")];
        let answer = put_raw(&client, &target, &headers, Payload::Named(mode), b"5\r\nhello\r\n0\r\n\r\n").await;
        assert_eq!(answer.status, 400, "{mode:?}: {}", answer.text());
    }
    assert_absent(&client, &target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_the_signed_one_is_refused() {
    let server = Server::start();
    let client = server.client();
    let target = format!("/{}/k", server.bucket().await);
    for size in [5, 100_000] {
        let answer = put_raw(&client, &target, &[], Payload::Hashed(b"signed"), &noise(size, 1)).await;
        assert_eq!(answer.error(), (400, "XAmzContentSHA256Mismatch".into()));
    }
    assert_absent(&client, &target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_digests_are_told_from_malformed_ones() {
    let server = Server::start();
    let client = server.client();
    let target = format!("/{}/k", server.bucket().await);
    let other_md5 = BASE64_STANDARD.encode([7; 16]);
    let other_sum = BASE64_STANDARD.encode([7; 4]);
    for (name, value, code) in [
        ("content-md5", other_md5.as_str(), "BadDigest"),
        ("content-md5", "not base64", "InvalidDigest"),
        ("content-md5", "c2hvcnQ=", "InvalidDigest"),
        ("x-amz-checksum-crc32", other_sum.as_str(), "BadDigest"),
        ("x-amz-checksum-crc32c", other_sum.as_str(), "BadDigest"),
        ("x-amz-checksum-crc32", "c2hvcnR5", "InvalidRequest"),
        ("x-amz-checksum-sha256", "not base64", "InvalidRequest"),
    ] {
        for size in [5, 100_000] {
            let answer = client.send("PUT", &target, &[(name, value)], noise(size, 1)).await;
            assert_eq!(answer.error(), (400, code.into()), "{name}: {value}");
        }
    }
    assert_absent(&client, &target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_checksums_of_one_body_are_refused() {
    let server = Server::start();
    let client = server.client();
    let target = format!("/{}/k", server.bucket().await);
    let (crc32, sha1) = (BASE64_STANDARD.encode([0; 4]), BASE64_STANDARD.encode([0; 20]));
    let headers = [("x-amz-checksum-crc32", crc32.as_str()), ("x-amz-checksum-sha1", sha1.as_str())];
    assert_eq!(client.send("PUT", &target, &headers, "").await.error(), (400, "InvalidRequest".into()));
    assert_absent(&client, &target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lengths_that_cannot_be_are_refused_at_once() {
    let server = Server::start();
    let client = server.client();
    let target = format!("/{}/k", server.bucket().await);
    let head = client.sign("PUT", &target, &[], Payload::Named("UNSIGNED-PAYLOAD"));
    for (length, status) in [("6442450944", 400), ("-1", 400), ("x", 400), ("99999999999999999999999", 400)] {
        let mut connection = Raw::connect(server.s3).await;
        connection.send(head.bytes(&[("content-length", length)])).await;
        assert_eq!(connection.answer().await.status, status, "content-length: {length}");
    }
    let mut connection = Raw::connect(server.s3).await;
    connection.send(head.bytes(&[("content-length", "5"), ("content-length", "6")])).await;
    assert_eq!(connection.answer().await.status, 400);
    let mut connection = Raw::connect(server.s3).await;
    connection.send(head.bytes(&[])).await;
    let answer = connection.answer().await;
    assert_eq!(answer.error(), (411, "MissingContentLength".into()));
    for decoded in ["x", "-5", "99999999999999999999999"] {
        let headers = [("x-amz-decoded-content-length", decoded)];
        let mode = Payload::Named(Mode::UnsignedTrailer.name());
        let answer = put_raw(&client, &target, &headers, mode, b"5\r\nhello\r\n0\r\n\r\n").await;
        assert_eq!(answer.status, 400, "{decoded}");
    }
    assert_absent(&client, &target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_upload_is_not_asked_for_its_body() {
    let server = Server::start();
    let client = server.client();
    let bucket = server.bucket().await;
    let target = format!("/{bucket}/k");
    let expecting = [("expect", "100-continue"), ("content-length", "1000000")];

    let stranger = Signed::new(server.s3, &client.access_key, "not the secret");
    let head = stranger.sign("PUT", &target, &[], Payload::Named("UNSIGNED-PAYLOAD"));
    let mut connection = Raw::connect(server.s3).await;
    connection.send(head.bytes(&expecting)).await;
    assert_eq!(connection.answer().await.error(), (403, "SignatureDoesNotMatch".into()), "and no 100 before it");

    let mut connection = Raw::connect(server.s3).await;
    connection
        .send(format!(
            "PUT {target} HTTP/1.1\r\nhost: {}\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n",
            server.s3
        ))
        .await;
    assert_eq!(connection.answer().await.error(), (403, "AccessDenied".into()));

    let body = noise(1_000_000, 1);
    let head = client.sign("PUT", &target, &[], Payload::Named("UNSIGNED-PAYLOAD"));
    let mut connection = Raw::connect(server.s3).await;
    connection.send(head.bytes(&expecting)).await;
    assert_eq!(connection.answer().await.status, 100);
    connection.send(&body).await;
    assert_eq!(connection.answer().await.status, 200);
    assert!(client.get(&target).await.body == body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_cannot_be_taken_is_not_asked_for() {
    let server = Server::start();
    let client = server.client();
    let target = format!("/{}/k", server.bucket().await);
    for (length, header, code) in [
        ("6442450944", ("content-type", "a/b"), "EntityTooLarge"),
        ("9", ("content-md5", "not base64"), "InvalidDigest"),
        ("9", ("x-amz-checksum-crc32", "AAAAAA==-3"), "InvalidRequest"),
        ("9", ("x-amz-checksum-sha1", "AAAAAA=="), "InvalidRequest"),
    ] {
        let head = client.sign("PUT", &target, &[header], Payload::Named("UNSIGNED-PAYLOAD"));
        let mut connection = Raw::connect(server.s3).await;
        connection.send(head.bytes(&[("expect", "100-continue"), ("content-length", length)])).await;
        assert_eq!(connection.answer().await.error(), (400, code.into()), "{header:?}, and no 100 before it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_takes_nothing_new_and_says_so() {
    let server = Server::start_with(&[("BRIM_STORE_RESERVE", "1000TiB")]);
    let client = server.client();
    let target = format!("/{}/k", server.bucket().await);
    for (method, target) in [("PUT", target.clone()), ("POST", format!("{target}?uploads"))] {
        let answer = client.send(method, &target, &[], "").await;
        assert_eq!(answer.error(), (507, "InsufficientStorage".into()), "{method} {target}");
    }
    assert_eq!(client.delete(&target).await.status, 204, "room can still be made");
    assert_absent(&client, &target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_breaks_off_leaves_nothing() {
    // On a busy machine the end of a connection may be noticed no sooner than that the body stands still.
    let server = Server::start_with(&[("BRIM_LIMITS_BODY_IDLE_TIMEOUT", "5s")]);
    let client = server.client();
    let bucket = server.bucket().await;
    let target = format!("/{bucket}/k");
    assert_eq!(client.put(&format!("/{bucket}/fence"), "").await.status, 200);
    let before = server.bytes_on_disk();
    for _ in 0..4 {
        let head = client.sign("PUT", &target, &[], Payload::Named("UNSIGNED-PAYLOAD"));
        let mut connection = Raw::connect(server.s3).await;
        connection.send(head.bytes(&[("content-length", "9000000")])).await;
        connection.send(noise(5_000_000, 1)).await;
        drop(connection);
    }
    // The server notices on its own time, which is long where others keep the disk busy. It may not even have begun to write:
    // only what stays away for some time is gone.
    // Less than any one of the uploads takes; the metadata's log grows by a mebibyte at a time.
    let slack = 4_000_000;
    let mut calm = 0;
    for _ in 0..1_200 {
        calm = if server.bytes_on_disk() < before + slack { calm + 1 } else { 0 };
        if calm == 30 {
            break;
        }
        sleep(SOON / 150).await;
    }
    assert_eq!(calm, 30, "{} bytes were left behind", server.bytes_on_disk() - before);
    assert_absent(&client, &target).await;
    assert_eq!(client.get(&format!("/{bucket}?list-type=2")).await.elements("Key"), ["fence"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stands_still_is_cut_off() {
    let server = Server::start_with(&[("BRIM_LIMITS_BODY_IDLE_TIMEOUT", "1s")]);
    let client = server.client();
    let target = format!("/{}/k", server.bucket().await);
    let head = client.sign("PUT", &target, &[], Payload::Named("UNSIGNED-PAYLOAD"));
    let mut connection = Raw::connect(server.s3).await;
    connection.send(head.bytes(&[("content-length", "1000")])).await;
    connection.send("only this").await;
    assert!(connection.is_closed_within(SOON).await);
    assert_absent(&client, &target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_trickles_is_cut_off() {
    let server = Server::start_with(&[("BRIM_LIMITS_TRANSFER_RATE", "1MiB"), ("BRIM_LIMITS_BODY_IDLE_TIMEOUT", "2s")]);
    let client = server.client();
    let target = format!("/{}/k", server.bucket().await);
    let head = client.sign("PUT", &target, &[], Payload::Named("UNSIGNED-PAYLOAD"));
    let mut connection = Raw::connect(server.s3).await;
    connection.send(head.bytes(&[("content-length", "100000")])).await;
    let trickle = async {
        loop {
            connection.send("x").await;
            if connection.is_closed_within(Duration::from_millis(200)).await {
                return;
            }
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(60), trickle).await.is_ok(), "a byte every 200 ms is not 1 MiB/s");
    assert_absent(&client, &target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_never_ends_is_cut_off() {
    let server = Server::start_with(&[("BRIM_LIMITS_HEAD_TIMEOUT", "1s")]);
    let mut connection = Raw::connect(server.s3).await;
    connection.send("GET / HTTP/1.1\r\nhost: x\r\nx-slow: ").await;
    assert!(connection.is_closed_within(SOON).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_head_that_never_ends_is_cut_off() {
    let limits = ["BRIM_LIMITS_KEEP_ALIVE", "BRIM_LIMITS_HEAD_TIMEOUT", "BRIM_LIMITS_BODY_IDLE_TIMEOUT"];
    let server = Server::start_with(&limits.map(|name| (name, "1s")));
    for whole in ["", "GET / HTTP/1.1\r\nhost: x\r\n\r\n"] {
        let mut connection = Raw::connect(server.s3).await;
        connection.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert_eq!(connection.answer().await.status, 403);
        connection.send(format!("{whole}GET / HTTP/1.1\r\nhost: x\r\nx-slow: ")).await;
        assert!(connection.is_closed_within(SOON).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_has_a_bound() {
    let server = Server::start();
    for head in [
        format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "v".repeat(1 << 20)),
        format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "x-many: v\r\n".repeat(5000)),
        format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "k".repeat(1 << 20)),
    ] {
        let mut connection = Raw::connect(server.s3).await;
        connection.send(&head).await;
        match connection.try_answer().await {
            Some(answer) => assert!([400, 414, 431].contains(&answer.status), "{answer:?}"),
            None => assert!(connection.is_closed_within(SOON).await),
        }
    }
    assert_eq!(server.client().get("/").await.status, 200, "the server goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_http_is_refused() {
    let server = Server::start();
    for bytes in [
        "\r\n\r\n\r\n\r\nhello\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\r\n\r\n",
        "GET / HTTP/1.1\r\nbad header\r\n\r\n",
    ] {
        let mut connection = Raw::connect(server.s3).await;
        connection.send(bytes).await;
        connection.finish().await;
        if let Some(answer) = connection.try_answer().await {
            assert!((400..600).contains(&answer.status) && answer.status != 500, "{bytes:?}: {answer:?}");
        }
    }
    assert_eq!(server.client().get("/").await.status, 200, "the server goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_xml_is_refused_within_bounds() {
    let server = Server::start();
    let client = server.client();
    let bucket = server.bucket().await;
    assert_eq!(client.put(&format!("/{bucket}/k"), "kept").await.status, 200);
    let object = "<Object><Key>k</Key></Object>";
    let bodies = [
        String::new(),
        "not xml".into(),
        "<Delete>".into(),
        format!("<Delete>{object}"),
        "<Delete></Delete>".into(),
        "<Delete><Object></Object></Delete>".into(),
        format!("<Other>{object}</Other>"),
        format!("<Delete>{object}</Delete><Delete/>"),
        format!("<Delete><Quiet>perhaps</Quiet>{object}</Delete>"),
        "<!DOCTYPE d [<!ENTITY e \"k\">]><Delete><Object><Key>&e;</Key></Object></Delete>".into(),
        "<Delete><Object><Key>&unknown;</Key></Object></Delete>".into(),
        format!("<Delete>{}</Delete>", object.repeat(1001)),
        format!("<Delete>{}{}</Delete>", "<a>".repeat(50_000), "</a>".repeat(50_000)),
        format!("<Delete><Object><Key>{}</Key></Object></Delete>", "k".repeat(8 << 20)),
    ];
    for body in &bodies {
        let md5 = BASE64_STANDARD.encode(md5_of(body.as_bytes()));
        let answer = client.send("POST", &format!("/{bucket}?delete="), &[("content-md5", &md5)], body).await;
        let (status, code) = answer.error();
        let shown: String = body.chars().take(80).collect();
        assert_eq!(status, 400, "{shown}: {}", answer.text());
        assert!(
            ["MalformedXML", "MaxMessageLengthExceeded", "EntityTooLarge", "MissingRequestBodyError"]
                .contains(&code.as_str()),
            "{shown}: {code}"
        );
    }
    assert_eq!(client.get(&format!("/{bucket}/k")).await.text(), "kept");
    let created = client.put("/another-bucket", "<CreateBucketConfiguration><Loc").await;
    assert_eq!(created.error(), (400, "MalformedXML".into()));
    assert_eq!(client.head("/another-bucket").await.status, 404);
}

fn md5_of(bytes: &[u8]) -> [u8; 16] {
    use md5::Digest;
    md5::Md5::digest(bytes).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_many_needs_a_digest() {
    let server = Server::start();
    let client = server.client();
    let bucket = server.bucket().await;
    let body = "<Delete><Object><Key>k</Key></Object></Delete>";
    let answer = client.post(&format!("/{bucket}?delete="), body).await;
    assert_eq!(answer.status, 400, "neither Content-MD5 nor a checksum: {}", answer.text());
    let wrong = BASE64_STANDARD.encode([1; 16]);
    let answer = client.send("POST", &format!("/{bucket}?delete="), &[("content-md5", &wrong)], body).await;
    assert_eq!(answer.error(), (400, "BadDigest".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn sub_resources_are_never_taken_for_the_object_or_the_bucket() {
    let server = Server::start();
    let client = server.client();
    let bucket = server.bucket().await;
    assert_eq!(client.put(&format!("/{bucket}/kept"), "kept").await.status, 200);
    for name in ["lifecycle", "encryption", "replication", "object-lock", "logging", "metrics"] {
        let put = client.put(&format!("/{bucket}?{name}="), "<X/>").await;
        assert_eq!(put.error(), (501, "NotImplemented".into()), "PUT ?{name}");
        let delete = client.delete(&format!("/{bucket}?{name}")).await;
        assert_ne!(delete.status, 200, "DELETE ?{name}");
        assert_eq!(client.head(&format!("/{bucket}")).await.status, 200, "DELETE ?{name} must not delete the bucket");
    }
    assert_eq!(client.put(&format!("/{bucket}?notification="), "<X/>").await.error(), (400, "MalformedXML".into()));
    assert_ne!(client.delete(&format!("/{bucket}?notification")).await.status, 200);
    assert_eq!(client.head(&format!("/{bucket}")).await.status, 200);
    for name in ["retention", "legal-hold", "torrent", "restore", "select"] {
        for method in ["PUT", "DELETE", "POST"] {
            let answer = client.send(method, &format!("/{bucket}/kept?{name}"), &[], "").await;
            assert!([405, 501].contains(&answer.status), "{method} ?{name}: {answer:?}");
        }
        assert_eq!(client.get(&format!("/{bucket}/kept")).await.text(), "kept", "?{name}");
    }
    let body = client.get(&format!("/{bucket}/kept?torrent")).await;
    assert_ne!(body.text(), "kept", "GET ?torrent must not answer with the object");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_targets_are_refused() {
    let server = Server::start();
    let client = server.client();
    let bucket = server.bucket().await;
    for key in ["%FF", "a%C3", "a%zz", "%", "a%2"] {
        let answer = client.put(&format!("/{bucket}/{key}"), "").await;
        assert_eq!(answer.status, 400, "{key}: {}", answer.text());
    }
    for query in
        ["partNumber=x&uploadId=y", "partNumber=0&uploadId=y", "partNumber=10001&uploadId=y", "partNumber=&uploadId=y"]
    {
        let answer = client.put(&format!("/{bucket}/k?{query}"), "").await;
        assert_eq!(answer.error(), (400, "InvalidArgument".into()), "{query}");
    }
    assert_eq!(client.send("PATCH", &format!("/{bucket}/k"), &[], "").await.error(), (405, "MethodNotAllowed".into()));
    assert!(client.get(&format!("/{bucket}?list-type=2")).await.elements("Key").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_copy_sources_are_refused() {
    let server = Server::start();
    let client = server.client();
    let bucket = server.bucket().await;
    let target = format!("/{bucket}/k");
    for source in ["", "/", "bucket-only", "/bucket-only/", "%zz/%zz", "UPPER/k", "b/k?versionId="] {
        let answer = client.send("PUT", &target, &[("x-amz-copy-source", source)], "").await;
        assert!((400..405).contains(&answer.status), "{source:?}: {}", answer.text());
    }
    assert_absent(&client, &target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_that_cannot_be_evaluated_fails_the_request() {
    let server = Server::start();
    let client = server.client();
    let source = format!("/{}/source", server.bucket().await);
    let target = source.replace("source", "target");
    assert_eq!(client.put(&source, "kept").await.status, 200);
    for (name, value) in [
        ("x-amz-copy-source-if-unmodified-since", "yesterday"),
        ("x-amz-copy-source-if-none-match", "\"open"),
        ("if-unmodified-since", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("if-none-match", "\"a\""),
    ] {
        let copied = client.send("PUT", &target, &[("x-amz-copy-source", &source), (name, value)], "").await;
        assert!([400, 501].contains(&copied.status), "{name}: {copied:?}");
        assert_absent(&client, &target).await;
    }
    let removed = client.send("DELETE", &source, &[("if-unmodified-since", "Sun, 06 Nov 1994 08:49:37 GMT")], "").await;
    assert_eq!(removed.error(), (501, "NotImplemented".into()));
    assert_eq!(client.get(&source).await.text(), "kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn signatures_out_of_time_or_out_of_shape_are_refused() {
    let server = Server::start();
    let client = server.client();
    let minutes = |count: u64| Duration::from_secs(count * 60);
    let now = SystemTime::now();
    for (time, status) in
        [(now - minutes(14), 200), (now + minutes(14), 200), (now - minutes(16), 403), (now + minutes(16), 403)]
    {
        let head = client.sign_at(time, "GET", "/", &[], Payload::Hashed(b""));
        let answer = client.send_head(&head, b"").await;
        assert_eq!(answer.status, status, "{}", answer.text());
        if status == 403 {
            assert_eq!(answer.element("Code").as_deref(), Some("RequestTimeTooSkewed"));
        }
    }
    let good = client.sign("GET", "/", &[], Payload::Hashed(b""));
    let authorization = good.headers.iter().find(|(name, _)| name == "authorization").expect("it is signed").1.clone();
    for (from, to) in [
        ("AWS4-HMAC-SHA256", "AWS4-HMAC-MD5"),
        ("aws4_request", "aws5_request"),
        ("/s3/", "/"),
        ("Signature=", "Signature=zz"),
        ("SignedHeaders=", "SignedHeaders=;"),
        ("host;", ""),
        ("Credential=", "Nothing="),
        (", ", " "),
    ] {
        let mut head = client.sign("GET", "/", &[], Payload::Hashed(b""));
        head.headers = good.headers.clone();
        head.headers.retain(|(name, _)| name != "authorization");
        head.headers.push(("authorization".into(), authorization.replace(from, to)));
        let answer = client.send_head(&head, b"").await;
        assert!([400, 403].contains(&answer.status), "{from} -> {to}: {}", answer.text());
        assert!(answer.element("Code").is_some(), "{from} -> {to}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amz_header_that_is_not_signed_is_refused() {
    let server = Server::start();
    let client = server.client();
    let target = format!("/{}/k", server.bucket().await);
    let head = client.sign("PUT", &target, &[], Payload::Hashed(b""));
    let mut connection = Raw::connect(server.s3).await;
    connection.send(head.bytes(&[("content-length", "0"), ("x-amz-meta-smuggled", "1")])).await;
    assert_eq!(connection.answer().await.error(), (403, "AccessDenied".into()));
    assert_absent(&client, &target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_carry_their_ids_and_none_has_a_body_on_head() {
    let server = Server::start();
    let client = server.client();
    let bucket = server.bucket().await;
    let answer = client.get(&format!("/{bucket}/absent%20key")).await;
    assert_eq!(answer.error(), (404, "NoSuchKey".into()));
    assert_eq!(answer.header("content-type"), Some("application/xml"));
    assert_eq!(answer.element("RequestId").as_deref(), answer.header("x-amz-request-id"));
    assert!(answer.element("HostId").is_some_and(|id| !id.is_empty()));
    assert!(answer.element("Resource").is_some_and(|resource| resource.starts_with(&format!("/{bucket}/absent"))));
    assert!(answer.element("Message").is_some_and(|message| !message.is_empty()));
    let head = client.sign("HEAD", &format!("/{bucket}/absent"), &[], Payload::Hashed(b""));
    let mut connection = Raw::connect(server.s3).await;
    connection.send(head.bytes(&[])).await;
    // A HEAD's answer has no body whatever its length header says: only the next answer may follow.
    connection.send(client.sign("GET", "/", &[], Payload::Hashed(b"")).bytes(&[("connection", "close")])).await;
    let mut text = String::new();
    while let Some(line) = connection.next_line().await {
        text += &line;
        text.push('\n');
    }
    assert!(text.starts_with("HTTP/1.1 404"), "{text}");
    assert!(!text.contains("<Error>") && text.matches("HTTP/1.1 200").count() == 1, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_goes_on_after_an_early_error() {
    let server = Server::start();
    let client = server.client();
    let bucket = server.bucket().await;
    let mut connection = Raw::connect(server.s3).await;
    let head = client.sign("PUT", "/absent-bucket/k", &[], Payload::Named("UNSIGNED-PAYLOAD"));
    connection.send(head.bytes(&[("content-length", "100000")])).await;
    connection.send(noise(100_000, 1)).await;
    let refused = connection.answer().await;
    assert_eq!(refused.error(), (404, "NoSuchBucket".into()));
    if refused.header("connection") != Some("close") {
        connection.send(client.sign("GET", &format!("/{bucket}"), &[], Payload::Hashed(b"")).bytes(&[])).await;
        assert_eq!(connection.answer().await.status, 200, "the refused body was not taken for the next request");
    }
}
