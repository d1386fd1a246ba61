//! Every way in which a body comes in: plain, hashed, unsigned, and the three streaming modes at odd splits.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::chunked::{MODES, Mode, frame};
use crate::harness::{Server, noise};
use crate::raw::{Answer, Raw};
use crate::signed::{Payload, Signed, SignedHead};

fn crc32(data: &[u8]) -> String {
    let mut value = u32::MAX;
    for byte in data {
        value ^= u32::from(*byte);
        for _ in 0..8 {
            value = value >> 1 ^ (0xEDB8_8320 & (value & 1).wrapping_neg());
        }
    }
    BASE64_STANDARD.encode((!value).to_be_bytes())
}

/// How an upload in a streaming mode is put together.
#[derive(Debug, Clone)]
struct Upload {
    mode: Mode,
    data: Vec<u8>,
    chunk_size: usize,
    /// Whether `Content-Encoding: aws-chunked` is sent.
    declared: bool,
    /// Whether HTTP's own chunking carries the framing, without a Content-Length.
    transfer_chunked: bool,
    /// How many bytes go out with each write.
    write_size: usize,
}

impl Upload {
    fn new(mode: Mode, data: Vec<u8>) -> Self {
        Self { mode, data, chunk_size: 8192, declared: true, transfer_chunked: false, write_size: usize::MAX }
    }

    fn head(&self, client: &Signed, target: &str) -> SignedHead {
        let length = self.data.len().to_string();
        let mut headers = vec![("x-amz-decoded-content-length", length.as_str())];
        if self.declared {
            headers.push(("content-encoding", "aws-chunked"));
        }
        if self.mode.has_trailer() {
            headers.push(("x-amz-trailer", "x-amz-checksum-crc32"));
        }
        client.sign("PUT", target, &headers, Payload::Named(self.mode.name()))
    }

    fn framed(&self, client: &Signed, head: &SignedHead) -> Vec<u8> {
        let sum = crc32(&self.data);
        let trailer = self.mode.has_trailer().then_some(("x-amz-checksum-crc32", sum.as_str()));
        frame(client, head, self.mode, &self.data, self.chunk_size, trailer)
    }

    async fn send(&self, client: &Signed, target: &str) -> Answer {
        let head = self.head(client, target);
        let framed = self.framed(client, &head);
        self.send_framed(client, &head, &framed).await
    }

    async fn send_framed(&self, client: &Signed, head: &SignedHead, framed: &[u8]) -> Answer {
        let mut connection = Raw::connect(client.address).await;
        let length = framed.len().to_string();
        if self.transfer_chunked {
            connection.send(head.bytes(&[("transfer-encoding", "chunked")])).await;
        } else {
            connection.send(head.bytes(&[("content-length", &length)])).await;
        }
        for piece in framed.chunks(self.write_size.min(framed.len().max(1))) {
            if self.transfer_chunked {
                connection.send(format!("{:x}\r\n", piece.len())).await;
            }
            connection.send(piece).await;
            if self.transfer_chunked {
                connection.send("\r\n").await;
            }
        }
        if self.transfer_chunked {
            connection.send("0\r\n\r\n").await;
        }
        connection.answer().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_streaming_mode_stores_the_decoded_bytes() {
    let server = Server::start();
    let client = server.client();
    let bucket = server.bucket().await;
    for mode in MODES {
        for declared in [true, false] {
            for transfer_chunked in [false, true] {
                for size in [0, 1, 8192, 100_000] {
                    let upload = Upload { declared, transfer_chunked, ..Upload::new(mode, noise(size, 1)) };
                    let target = format!("/{bucket}/{declared}-{transfer_chunked}-{size}");
                    let answer = upload.send(&client, &target).await;
                    assert_eq!(
                        answer.status,
                        200,
                        "{upload:?}: {answer:?}",
                        upload = (mode, declared, transfer_chunked, size)
                    );
                    let stored = client.get(&target).await;
                    assert!(stored.body == upload.data, "{mode:?} {target}");
                    assert_eq!(stored.header("content-encoding"), None, "aws-chunked is framing, not an encoding");
                }
            }
        }
    }
}

#[test]
fn streams_survive_any_split() {
    let server = Server::start();
    let client = server.client();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bucket = runtime.block_on(server.bucket());
    let uploads = (0..3usize, 0..5000usize, 1..3000usize, any::<bool>(), any::<bool>(), 1..400usize);
    let uploads = uploads.prop_map(|(mode, size, chunk_size, declared, transfer_chunked, write_size)| Upload {
        mode: MODES[mode],
        data: noise(size, size as u64),
        chunk_size,
        declared,
        transfer_chunked,
        write_size,
    });
    let mut runner = TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&uploads, |upload| {
        let target = format!("/{bucket}/k");
        let (answer, stored) =
            runtime.block_on(async { (upload.send(&client, &target).await, client.get(&target).await) });
        prop_assert_eq!(answer.status, 200, "{}", answer.text());
        prop_assert!(stored.body == upload.data);
        Ok(())
    });
    outcome.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trailing_checksum_is_verified_and_kept() {
    let server = Server::start();
    let client = server.client();
    let bucket = server.bucket().await;
    for mode in [Mode::SignedTrailer, Mode::UnsignedTrailer] {
        let upload = Upload::new(mode, noise(20_000, 2));
        let target = format!("/{bucket}/k");
        assert_eq!(upload.send(&client, &target).await.status, 200);
        let stored = client.send("HEAD", &target, &[("x-amz-checksum-mode", "ENABLED")], "").await;
        assert_eq!(stored.header("x-amz-checksum-crc32"), Some(crc32(&upload.data).as_str()));
        let wrong = crc32(b"something else");
        let head = upload.head(&client, &format!("/{bucket}/wrong"));
        let framed = frame(&client, &head, mode, &upload.data, 8192, Some(("x-amz-checksum-crc32", &wrong)));
        assert_eq!(upload.send_framed(&client, &head, &framed).await.error(), (400, "BadDigest".into()));
        assert_eq!(client.head(&format!("/{bucket}/wrong")).await.status, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_chunk_breaks_its_signature() {
    let server = Server::start();
    let client = server.client();
    let bucket = server.bucket().await;
    for mode in [Mode::Signed, Mode::SignedTrailer] {
        let upload = Upload::new(mode, noise(20_000, 3));
        let target = format!("/{bucket}/{mode:?}");
        let head = upload.head(&client, &target);
        let intact = upload.framed(&client, &head);
        for position in [200, 9_000, 16_700] {
            let mut framed = intact.clone();
            framed[position] ^= 1;
            let answer = upload.send_framed(&client, &head, &framed).await;
            assert_eq!(answer.error(), (403, "SignatureDoesNotMatch".into()), "{mode:?} at {position}");
        }
        assert_eq!(client.head(&target).await.status, 404);
        assert_eq!(upload.send_framed(&client, &head, &intact).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_trailer_breaks_its_signature() {
    let server = Server::start();
    let client = server.client();
    let bucket = server.bucket().await;
    let upload = Upload::new(Mode::SignedTrailer, noise(100, 3));
    let head = upload.head(&client, &format!("/{bucket}/k"));
    let intact = String::from_utf8_lossy(&upload.framed(&client, &head)).into_owned();
    let at = intact.rfind("x-amz-trailer-signature:").expect("a signed trailer");
    let mut framed = upload.framed(&client, &head);
    let offset = framed.len() - (intact.len() - at) + "x-amz-trailer-signature:".len();
    framed[offset] = if framed[offset] == b'0' { b'1' } else { b'0' };
    assert_eq!(upload.send_framed(&client, &head, &framed).await.error(), (403, "SignatureDoesNotMatch".into()));
    assert_eq!(client.head(&format!("/{bucket}/k")).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_its_last_chunk_or_with_another_length_stores_nothing() {
    let server = Server::start();
    let client = server.client();
    let bucket = server.bucket().await;
    let target = format!("/{bucket}/k");
    for mode in MODES {
        let upload = Upload::new(mode, noise(10_000, 4));
        let head = upload.head(&client, &target);
        let framed = upload.framed(&client, &head);
        let cut = &framed[..framed.len() / 2];
        assert_eq!(upload.send_framed(&client, &head, cut).await.status, 400, "{mode:?} cut");
        for told in [9_999, 10_001] {
            let lying = Upload { data: noise(told, 4), ..upload.clone() };
            let head = lying.head(&client, &target);
            let framed = upload.framed(&client, &head);
            assert_eq!(upload.send_framed(&client, &head, &framed).await.status, 400, "{mode:?} told {told}");
        }
        assert_eq!(client.head(&target).await.status, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_encoding_beside_aws_chunked_is_kept() {
    let server = Server::start();
    let client = server.client();
    let bucket = server.bucket().await;
    let target = format!("/{bucket}/k");
    let headers = [("content-encoding", "gzip,aws-chunked"), ("x-amz-decoded-content-length", "5")];
    let head = client.sign("PUT", &target, &headers, Payload::Named(Mode::Signed.name()));
    let framed = frame(&client, &head, Mode::Signed, b"bytes", 8192, None);
    assert_eq!(client.send_head(&head, &framed).await.status, 200);
    let stored = client.get(&target).await;
    assert_eq!((stored.header("content-encoding"), stored.body.as_slice()), (Some("gzip"), &b"bytes"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_come_in_every_streaming_mode_too() {
    let server = Server::start();
    let client = server.client();
    let bucket = server.bucket().await;
    for mode in MODES {
        let target = format!("/{bucket}/k");
        let upload_id = client.post(&format!("{target}?uploads="), "").await.element("UploadId").expect("an upload id");
        let upload = Upload::new(mode, noise(9_000, 5));
        let part = format!("{target}?partNumber=1&uploadId={upload_id}");
        let answer = upload.send(&client, &part).await;
        let etag = answer.header("etag").expect("an ETag").to_owned();
        let list = format!(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
        );
        let done = client.post(&format!("{target}?uploadId={upload_id}"), list).await;
        assert_eq!(done.status, 200, "{}", done.text());
        assert!(client.get(&target).await.body == upload.data);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unsigned_and_presigned_bodies_are_stored_as_they_are() {
    let server = Server::start();
    let client = server.client();
    let bucket = server.bucket().await;
    let data = noise(70_000, 6);
    let head = client.sign("PUT", &format!("/{bucket}/unsigned"), &[], Payload::Named("UNSIGNED-PAYLOAD"));
    assert_eq!(client.send_head(&head, &data).await.status, 200);
    assert!(client.get(&format!("/{bucket}/unsigned")).await.body == data);
    let valid = std::time::Duration::from_secs(60);
    for key in ["plain", "with space", "a//x/../y/./z", "é/日本", "100%/+", "~*'()!$&,;:@="] {
        let target = client.presign("PUT", &format!("/{bucket}/{key}"), &[], valid);
        let mut connection = Raw::connect(server.s3).await;
        let head = format!("PUT {target} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\r\n", server.s3, data.len());
        connection.send(head).await;
        connection.send(&data).await;
        let answer = connection.answer().await;
        assert_eq!(answer.status, 200, "{key}: {}", answer.text());
        let target = client.presign("GET", &format!("/{bucket}/{key}"), &[], valid);
        connection.send(format!("GET {target} HTTP/1.1\r\nhost: {}\r\n\r\n", server.s3)).await;
        assert!(connection.answer().await.body == data, "{key}");
    }
}
