//! The admin port: health and metrics for machines, and nothing of S3.

use crate::harness::Server;
use crate::raw::{Answer, Raw};

async fn get(server: &Server, path: &str) -> Answer {
    let mut connection = Raw::connect(server.admin).await;
    connection.send(format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", server.admin)).await;
    connection.answer().await
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_readiness_are_answered() {
    let server = Server::start();
    assert_eq!(get(&server, "/health/live").await.status, 200);
    assert_eq!(get(&server, "/health/ready").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_requests_and_tell_no_secret() {
    let server = Server::start();
    let bucket = server.bucket().await;
    assert_eq!(server.client().put(&format!("/{bucket}/k"), "v").await.status, 200);
    let metrics = get(&server, "/metrics").await;
    assert_eq!(metrics.status, 200);
    let text = metrics.text();
    assert!(text.lines().any(|line| line.contains("PutObject") && line.ends_with(" 1")), "{text}");
    assert!(!text.contains(&server.secret_key) && !text.contains(&bucket));
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_not_served_on_the_admin_port() {
    let server = Server::start();
    let bucket = server.bucket().await;
    assert_eq!(server.client().put(&format!("/{bucket}/k"), "v").await.status, 200);
    assert_eq!(get(&server, &format!("/{bucket}/k")).await.status, 404);
}
