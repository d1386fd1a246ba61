//! Presigned requests whose signer chose headers that they must have.

use std::time::Duration;

use crate::harness::Server;
use crate::raw::{Answer, Raw};

const VALID: Duration = Duration::from_secs(60);

/// Sends an upload with these headers, and no signature but what the target has.
async fn put(server: &Server, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut head = format!("PUT {target} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n", server.s3, body.len());
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    let mut connection = Raw::connect(server.s3).await;
    connection.send(format!("{head}\r\n{body}")).await;
    connection.answer().await
}

#[tokio::test]
async fn headers_that_were_signed_must_come_as_they_were_signed() {
    let server = Server::start();
    let (client, bucket) = (server.client(), server.bucket().await);
    let signed = [
        ("content-type", "image/png"),
        ("content-md5", "mgNkuembtIDdJeHwKEyFVQ=="),
        ("x-amz-meta-owner", "alice"),
        ("x-amz-tagging", "a=1"),
    ];
    let target = client.presign_headers("PUT", &format!("/{bucket}/k"), &signed, VALID);
    for missing in 0..signed.len() {
        let mut fewer = signed.to_vec();
        fewer.remove(missing);
        let refused = put(&server, &target, &fewer, "content").await;
        assert_eq!(refused.error(), (403, "SignatureDoesNotMatch".to_owned()), "without {}", signed[missing].0);
        let mut other = signed.to_vec();
        other[missing].1 = "another";
        let refused = put(&server, &target, &other, "content").await;
        assert_eq!(refused.error(), (403, "SignatureDoesNotMatch".to_owned()), "with another {}", signed[missing].0);
    }
    assert_eq!(put(&server, &target, &signed, "other").await.error(), (400, "BadDigest".to_owned()));
    assert_eq!(client.head(&format!("/{bucket}/k")).await.status, 404);
    assert_eq!(put(&server, &target, &signed, "content").await.status, 200);
    let stored = client.head(&format!("/{bucket}/k")).await;
    let kept = ["content-type", "x-amz-meta-owner", "x-amz-tagging-count"].map(|name| stored.header(name));
    assert_eq!(kept, [Some("image/png"), Some("alice"), Some("1")]);
}

#[tokio::test]
async fn what_decides_what_happens_must_be_signed() {
    let server = Server::start();
    let (client, bucket) = (server.client(), server.bucket().await);
    let target = client.presign_headers("PUT", &format!("/{bucket}/k"), &[], VALID);
    for header in [("x-amz-tagging", "a=1"), ("x-amz-acl", "private"), ("x-amz-copy-source", "other/secret")] {
        let refused = put(&server, &target, &[header], "content").await;
        assert_eq!(refused.error(), (403, "AccessDenied".to_owned()), "{header:?}");
        assert_eq!(refused.element("HeadersNotSigned").as_deref(), Some(header.0));
    }
    assert_eq!(put(&server, &target, &[("cache-control", "no-store")], "content").await.status, 200);
}
