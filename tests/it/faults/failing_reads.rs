//! A disk that cannot be read: an error or a body that ends too early, never other bytes, and never the end of the server.

use super::library::{READ, Rule};
use super::machine::Machine;
use super::power_loss::{OFTEN, SMALL_BUFFERS, make_bucket};
use super::worker::BUCKET;
use crate::harness::Server;
use crate::raw::Answer;
use crate::signed::Signed;

/// One object beside its record, one of a block, one of several.
const SIZES: [usize; 3] = [20_000, 100_000, 3 << 20];

/// Which files cannot be read, and whether the server reads them at every request: what the metadata engine has read, it
/// keeps.
const FILES: [(&str, bool); 3] = [("blobs/??/*", true), ("kv/*.sst", false), ("kv/*.blob", false)];

/// Each of so many reads is the first one to fail.
const READS: u64 = 6;

/// So many fail then: a read that does not wait for the disk is made again by one that does.
const IN_A_ROW: u64 = 4;

fn body(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 31 % 251) as u8).collect()
}

async fn fill(client: &Signed) {
    make_bucket(client).await;
    for size in SIZES {
        assert_eq!(client.put(&format!("/{BUCKET}/{size}"), body(size)).await.status, 200);
    }
}

/// Has what was written read from tables: a server that starts makes one of its log.
fn restart(machine: &mut Machine, mut server: Server) -> Server {
    server.kill();
    drop(server);
    machine.start(&[SMALL_BUFFERS, OFTEN]).unwrap()
}

/// What reads an object, with what it has to give where it gives anything.
async fn read_all(client: &Signed) -> Vec<(String, Option<Answer>, Vec<u8>)> {
    let mut seen = Vec::new();
    for size in SIZES {
        let (target, whole) = (format!("/{BUCKET}/{size}"), body(size));
        let got = client.try_send("GET", &target, &[], "").await;
        seen.push((format!("GET {target}"), got, whole.clone()));
        let range = (size / 2, size - 1);
        let header = format!("bytes={}-{}", range.0, range.1);
        let got = client.try_send("GET", &target, &[("range", &header)], "").await;
        seen.push((format!("GET {target} {header}"), got, whole[range.0..].to_vec()));
    }
    seen
}

fn judge(reads: Vec<(String, Option<Answer>, Vec<u8>)>) -> usize {
    let mut failed = 0;
    for (what, answer, expected) in reads {
        // A body that is cut short is no answer.
        let Some(answer) = answer else {
            failed += 1;
            continue;
        };
        match answer.status {
            200 | 206 => assert!(answer.body == expected, "{what}: other bytes"),
            status => {
                assert!(status >= 500, "{what}: {answer:?}");
                failed += 1;
            }
        }
    }
    failed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_read_is_an_error_and_never_other_bytes() {
    for (pattern, always) in FILES {
        let mut machine = Machine::new();
        let mut server = machine.start(&[SMALL_BUFFERS, OFTEN]).unwrap();
        fill(&server.client()).await;
        let mut failed = 0;
        for skip in 0..READS {
            server = restart(&mut machine, server);
            let client = server.client();
            machine.control.set(0, &Rule { calls: READ, pattern, error: libc::EIO, skip, times: IN_A_ROW });
            failed += judge(read_all(&client).await);
            let (_, hit) = machine.control.counts(0);
            assert!(hit > 0 || !always, "{pattern}: read {skip} was not made");
            machine.control.clear(0);

            assert!(server.is_running(), "{pattern}: {}", server.log());
            assert_eq!(judge(read_all(&client).await), 0, "{pattern}: read {skip} failed for good");
            let written = client.put(&format!("/{BUCKET}/after"), "text").await;
            // A compaction that cannot read makes the metadata engine read-only until a restart.
            if written.status != 200 && !always {
                assert!(written.status >= 500, "{pattern}: {written:?}");
                server = restart(&mut machine, server);
                let again = server.client().put(&format!("/{BUCKET}/after"), "text").await;
                assert_eq!(again.status, 200, "{pattern}: read {skip}: {again:?}");
            } else {
                assert_eq!(written.status, 200, "{pattern}: read {skip}: {written:?}");
            }
        }
        assert!(failed > 0, "{pattern}: no read failed");
    }
}
