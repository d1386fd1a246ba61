//! A graceful stop under load that is not given the time to end.

use std::time::Duration;

use super::power_loss::{SMALL_BUFFERS, WORKERS, make_bucket, wrong};
use super::worker::{BUCKET, Mix, Worker, run_all};
use crate::dice::Dice;
use crate::harness::{Server, noise};
use crate::raw::Raw;
use crate::signed::Payload;

const SLOW: usize = 2 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_of_a_graceful_stop_loses_nothing_that_was_acknowledged() {
    let data = tempfile::tempdir().expect("a temporary directory");
    let mut workers = Worker::several(WORKERS, "w", Mix::All, &Dice::new(3));
    let mut server = Server::start_on(data.path(), &[SMALL_BUFFERS]).unwrap();
    make_bucket(&server.client()).await;
    for (round, pause) in (0..).zip([0, 5, 30, 300]) {
        let (client, body) = (server.client(), noise(SLOW, round));
        // An upload that does not end keeps the stop waiting.
        let slow = format!("/{BUCKET}/slow");
        let length = [("content-length", SLOW.to_string())];
        let length: Vec<_> = length.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let head = client.sign("PUT", &slow, &length, Payload::Hashed(&body));
        let mut upload = Raw::connect(server.s3).await;
        upload.send(head.bytes(&[])).await;
        upload.send(&body[..SLOW / 2]).await;

        let stopping = tokio::task::spawn_blocking(move || {
            std::thread::sleep(Duration::from_millis(600));
            server.terminate();
            std::thread::sleep(Duration::from_millis(pause));
            assert!(server.is_running(), "the stop did not wait for the upload");
            server.kill();
        });
        let acknowledged = run_all(&mut workers, &client, usize::MAX).await;
        stopping.await.expect("the process ends");
        assert!(acknowledged > 0, "nothing was acknowledged");

        server = Server::start_on(data.path(), &[SMALL_BUFFERS]).unwrap();
        assert_eq!(server.client().head(&slow).await.status, 404, "half an upload is no object");
        let wrong = wrong(&server, &mut workers).await;
        assert!(wrong.is_empty(), "killed {pause} ms into the stop: {wrong:#?}");
    }
}
