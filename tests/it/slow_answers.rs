//! Results that take longer than clients wait in silence: a 200 with white space, then the result or the error.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::harness::{Server, noise};
use crate::raw::{Answer, Raw};
use crate::signed::{Payload, Signed};

/// Enough bytes to hash for longer than a slowed-down server gets done before it begins to answer.
const SIZE: usize = 256 * 1024 * 1024;

/// How long the white space may take to come: a result has 5 seconds, the first white space comes 5 seconds after that.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a busy machine may let a copy come to its end before the white space.
const ATTEMPTS: u32 = 4;

/// How long a slowed-down server runs, and then stands still at the first attempt: its clock goes on, its work hardly does.
const RUNNING: Duration = Duration::from_millis(1);
const STANDING: Duration = Duration::from_millis(200);

/// After this both copies have found their sources.
const BEGUN: Duration = Duration::from_secs(3);

/// What every document begins with.
const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// A server slowed down by stopping it most of the time.
struct SlowedDown {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl SlowedDown {
    fn begin(server: &Server, standing: Duration) -> Self {
        let (over, process) = (Arc::new(AtomicBool::new(false)), server.process());
        let until = over.clone();
        let signal = move |signal| {
            // SAFETY: sends a signal to our own child, which is not waited for while the server is borrowed.
            assert_eq!(unsafe { libc::kill(process, signal) }, 0, "the child is there");
        };
        let thread = std::thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                signal(libc::SIGSTOP);
                std::thread::sleep(standing);
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

/// Whether white space that keeps the connection warm comes before the result.
async fn waits(copying: &mut Raw) -> bool {
    copying.sends_before(&format!("{DECLARATION}\r\n1\r\n \r\n"), "</", PATIENCE).await
}

/// What follows the XML declaration and the white space.
fn after_waiting(answer: &Answer) -> String {
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/xml")), "{answer:?}");
    let text = answer.text();
    let rest = text.strip_prefix(DECLARATION).unwrap_or_else(|| panic!("{text}"));
    assert!(rest.starts_with(' '), "the answer did not wait: {text}");
    rest.trim_start().to_owned()
}

/// Has a slowed-down server copy `kept` to `copy`, and `deleted`, which goes meanwhile, to `failed`. Gives both answers,
/// or nothing where one came before the white space.
async fn copy_slowly(server: &Server, keys: &[String; 4], standing: Duration) -> Option<(Answer, Answer)> {
    let (client, [kept, deleted, copy, failed]) = (server.client(), keys);
    // No bytes move, and both read the same ones.
    assert_eq!(client.send("PUT", deleted, &[("x-amz-copy-source", kept)], "").await.status, 200);
    let slow = SlowedDown::begin(server, standing);
    let mut succeeding = begin_copy(&client, kept, copy).await;
    let mut failing = begin_copy(&client, deleted, failed).await;
    tokio::time::sleep(BEGUN).await;
    // The copy finds its source gone when it is to be committed, which is too late for a status.
    assert_eq!(client.delete(deleted).await.status, 204);
    let both_wait = waits(&mut succeeding).await && waits(&mut failing).await;
    drop(slow);
    if !both_wait {
        return None;
    }
    Some((succeeding.answer().await, failing.answer().await))
}

#[tokio::test(flavor = "multi_thread")]
async fn long_copies_keep_their_clients_waiting_with_white_space() {
    let server = Server::start();
    let client = server.client();
    let bucket = server.bucket().await;
    let keys = ["kept", "deleted", "copy", "failed"].map(|key| format!("/{bucket}/{key}"));
    let [kept, _, copy, failed] = &keys;
    let head = client.sign("PUT", kept, &[], Payload::Named("UNSIGNED-PAYLOAD"));
    let stored = client.send_head(&head, &noise(SIZE, 1)).await;
    assert_eq!(stored.status, 200, "{stored:?}");

    let mut answers = None;
    for attempt in 1..=ATTEMPTS {
        answers = copy_slowly(&server, &keys, STANDING * attempt).await;
        if answers.is_some() {
            break;
        }
        client.delete(failed).await;
    }
    let (succeeded, refused) = answers.expect("white space comes before the result");

    let document = after_waiting(&succeeded);
    assert!(document.starts_with("<CopyObjectResult") && document.contains("<ChecksumSHA256>"), "{document}");
    let copied = client.head(copy).await;
    assert_eq!((copied.header("etag"), copied.header("content-length")), (stored.header("etag"), Some("268435456")));
    let document = after_waiting(&refused);
    assert!(document.starts_with("<Error><Code>NoSuchKey</Code>"), "{document}");
    assert_eq!(client.head(failed).await.status, 404);
}
