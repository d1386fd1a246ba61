//! A reader that takes its time: nothing that happens to the object meanwhile reaches it.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::{PART, settles_to, sweeping};
use crate::harness::noise;
use crate::signed::{Payload, Signed};

/// More than all buffers between server and client hold.
const SIZE: usize = 24 * 1024 * 1024;

/// A GET whose reader has taken the head and the first bytes, and then waits.
struct Paused {
    stream: TcpStream,
    body: Vec<u8>,
}

impl Paused {
    async fn begin(client: &Signed, target: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(64 * 1024).unwrap();
        let mut stream = socket.connect(client.address).await.unwrap();
        let head = client.sign("GET", target, &[], Payload::Hashed(b""));
        stream.write_all(&head.bytes(&[("connection", "close")])).await.unwrap();
        let mut seen = Vec::new();
        let head_end = loop {
            if let Some(end) = seen.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0, "the answer ended in its head");
        };
        assert!(seen.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&seen[..head_end]));
        Self { stream, body: seen.split_off(head_end) }
    }

    async fn rest(mut self) -> Vec<u8> {
        self.stream.read_to_end(&mut self.body).await.unwrap();
        self.body
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_gets_the_old_bytes_whole() {
    let server = sweeping();
    let client = server.client();
    let bucket = server.bucket().await;
    let (overwritten, deleted, renamed) =
        (format!("/{bucket}/overwritten"), format!("/{bucket}/deleted"), format!("/{bucket}/renamed"));
    let old = noise(SIZE, 1);
    for target in [&overwritten, &deleted, &renamed] {
        assert_eq!(client.put(target, &old).await.status, 200);
    }
    let mut readers = Vec::new();
    for target in [&overwritten, &deleted, &renamed] {
        readers.push(Paused::begin(&client, target).await);
    }
    assert_eq!(client.put(&overwritten, noise(SIZE, 2)).await.status, 200);
    assert_eq!(client.delete(&deleted).await.status, 204);
    let moved = format!("/{bucket}/moved?renameObject=");
    assert_eq!(client.send("PUT", &moved, &[("x-amz-rename-source", "renamed")], "").await.status, 200);
    assert_eq!(client.put(&format!("/{bucket}/moved"), "small").await.status, 200);
    // Many rounds of the sweeper.
    tokio::time::sleep(Duration::from_secs(2)).await;
    for reader in readers {
        assert!(reader.body.len() < SIZE / 2, "the reader is not ahead of the test");
        assert!(reader.rest().await == old);
    }
    settles_to(&server, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_of_parts_gets_the_old_bytes_whole() {
    let server = sweeping();
    let client = server.client();
    let target = format!("/{}/k", server.bucket().await);
    let bodies: Vec<_> = (0..4).map(|seed| noise(PART, seed)).collect();
    let id = client.post(&format!("{target}?uploads="), "").await.element("UploadId").unwrap();
    let mut list = String::new();
    for (number, body) in (1..).zip(&bodies) {
        let part = client.put(&format!("{target}?partNumber={number}&uploadId={id}"), body).await;
        let etag = part.header("etag").unwrap();
        list += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
    }
    let list = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
    assert!(client.post(&format!("{target}?uploadId={id}"), list).await.element("ETag").is_some());
    let reader = Paused::begin(&client, &target).await;
    assert_eq!(client.delete(&target).await.status, 204);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(reader.rest().await == bodies.concat());
    settles_to(&server, 0).await;
}
