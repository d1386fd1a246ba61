//! Results that take longer than clients wait in silence: a 200 with white space, then the result or the error.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::harness::{Server, noise};
use crate::raw::{Answer, Raw};
use crate::signed::{Payload, Signed};

/// Enough bytes to hash for longer than a slowed-down server gets done before it begins to answer.
const SIZE: usize = 256 * 1024 * 1024;

/// Past the 5 seconds that a result may take, and the 5 after which the first white space is sent.
const LONG: Duration = Duration::from_secs(12);

/// How long a slowed-down server runs, and then stands still: its clock goes on, its work hardly does.
const RUNNING: Duration = Duration::from_millis(1);
const STANDING: Duration = Duration::from_millis(200);

/// A server slowed down by stopping it most of the time.
struct SlowedDown {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl SlowedDown {
    fn begin(server: &Server) -> Self {
        let (over, process) = (Arc::new(AtomicBool::new(false)), server.process());
        let until = over.clone();
        let signal = move |signal| {
            // SAFETY: sends a signal to our own child, which is not waited for while the server is borrowed.
            assert_eq!(unsafe { libc::kill(process, signal) }, 0, "the child is there");
        };
        let thread = std::thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                signal(libc::SIGSTOP);
                std::thread::sleep(STANDING);
                signal(libc::SIGCONT);
                std::thread::sleep(RUNNING);
            }
        });
        Self { over, thread: Some(thread) }
    }
}

impl Drop for SlowedDown {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Begins a copy that has to read its source, for a checksum that the source does not have.
async fn begin_copy(client: &Signed, from: &str, to: &str) -> Raw {
    let headers = [("x-amz-copy-source", from), ("x-amz-checksum-algorithm", "SHA256"), ("content-length", "0")];
    let head = client.sign("PUT", to, &headers, Payload::Hashed(b""));
    let mut connection = Raw::connect(client.address).await;
    connection.send(head.bytes(&[])).await;
    connection
}

/// What follows the XML declaration and the white space that kept the connection warm.
fn after_waiting(answer: &Answer) -> String {
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/xml")), "{answer:?}");
    let text = answer.text();
    let rest = text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").unwrap_or_else(|| panic!("{text}"));
    assert!(rest.starts_with(' '), "the answer did not wait: {text}");
    rest.trim_start().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn long_copies_keep_their_clients_waiting_with_white_space() {
    let server = Server::start();
    let client = server.client();
    let bucket = server.bucket().await;
    let [kept, deleted, copy, failed] = ["kept", "deleted", "copy", "failed"].map(|key| format!("/{bucket}/{key}"));
    let head = client.sign("PUT", &kept, &[], Payload::Named("UNSIGNED-PAYLOAD"));
    let stored = client.send_head(&head, &noise(SIZE, 1)).await;
    assert_eq!(stored.status, 200, "{stored:?}");
    // No bytes move, and both read the same ones.
    assert_eq!(client.send("PUT", &deleted, &[("x-amz-copy-source", &kept)], "").await.status, 200);

    let slow = SlowedDown::begin(&server);
    let until = Instant::now() + LONG;
    let mut succeeding = begin_copy(&client, &kept, &copy).await;
    let mut failing = begin_copy(&client, &deleted, &failed).await;
    tokio::time::sleep(LONG / 4).await;
    // The copy finds its source gone when it is to be committed, which is too late for a status.
    assert_eq!(client.delete(&deleted).await.status, 204);
    tokio::time::sleep_until(until.into()).await;
    drop(slow);

    let document = after_waiting(&succeeding.answer().await);
    assert!(document.starts_with("<CopyObjectResult") && document.contains("<ChecksumSHA256>"), "{document}");
    let copied = client.head(&copy).await;
    assert_eq!((copied.header("etag"), copied.header("content-length")), (stored.header("etag"), Some("268435456")));
    let document = after_waiting(&failing.answer().await);
    assert!(document.starts_with("<Error><Code>NoSuchKey</Code>"), "{document}");
    assert_eq!(client.head(&failed).await.status, 404);
}
