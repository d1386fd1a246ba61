//! The disk filled, deleted from, and used again, on a disk that only seems to be small.

use std::time::{Duration, Instant};

use super::ledger::list;
use super::machine::Machine;
use super::power_loss::{OFTEN, make_bucket};
use super::worker::BUCKET;
use crate::harness::noise;
use crate::identities::wait_for;
use crate::raw::Answer;
use crate::signed::Signed;

const MIB: u64 = 1 << 20;
const BODY: usize = 1 << 20;

/// How long the sweeper, or the metadata engine that is opened anew, may take to make writing possible again.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the metadata engine logs when it stops writing, and when it begins again.
const PAUSED: &str = "the metadata engine only reads until the disk has room";
const RESUMED: &str = "the disk has room: the metadata engine writes again";

fn key(number: u64) -> String {
    format!("/{BUCKET}/fill-{number}")
}

/// Writes objects until one is refused; gives how many were taken, and the refusal.
async fn fill(client: &Signed) -> (u64, Answer) {
    for number in 0..500 {
        let answer = client.put(&key(number), noise(BODY, number)).await;
        if answer.status != 200 {
            return (number, answer);
        }
    }
    panic!("the disk is never full");
}

async fn until_taken(client: &Signed, number: u64) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = client.put(&key(number), noise(BODY, number)).await;
        if answer.status == 200 {
            return;
        }
        assert!(answer.status >= 500 && Instant::now() < deadline, "{answer:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn all_read(client: &Signed, numbers: impl Iterator<Item = u64>) {
    for number in numbers {
        let answer = client.get(&key(number)).await;
        assert!(answer.status == 200 && answer.body == noise(BODY, number), "{number}: {}", answer.status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn below_the_reserve_deleting_makes_room_for_writing() {
    let mut machine = Machine::new();
    let server = machine.start(&[OFTEN, ("BRIM_STORE_RESERVE", "32MiB")]).unwrap();
    let client = server.client();
    make_bucket(&client).await;
    machine.control.set_capacity(machine.control.used() + 80 * MIB);
    tokio::time::sleep(Duration::from_millis(1100)).await; // free space is looked up once a second
    let (taken, refused) = fill(&client).await;
    assert_eq!(refused.error(), (507, "InsufficientStorage".into()));
    // Less where the log took room ahead meanwhile; never what is reserved.
    assert!((10..60).contains(&taken), "{taken}");
    // Something else takes the little that is left above the reserve.
    machine.control.set_capacity(machine.control.used() + 31 * MIB);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(client.put(&format!("/{BUCKET}/small"), "x").await.error().0, 507);
    let copied = client.send("PUT", &format!("/{BUCKET}/copy"), &[("x-amz-copy-source", &key(0))], "").await;
    assert_eq!(copied.error().0, 507);
    assert_eq!(client.post(&format!("/{BUCKET}/upload?uploads="), "").await.error().0, 507);
    all_read(&client, 0..taken).await;

    for number in 0..taken / 2 {
        assert_eq!(client.delete(&key(number)).await.status, 204);
    }
    until_taken(&client, 0).await;
    all_read(&client, (taken / 2..taken).chain([0])).await;
    assert_eq!(list(&client, BUCKET).await.len() as u64, taken - taken / 2 + 1);
}

/// Without a reserve the log itself finds no room, and commits end. They come back when there is room again.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_without_any_room_is_written_to_again_once_it_has_some() {
    let mut machine = Machine::new();
    let mut server = machine.start(&[OFTEN, ("BRIM_STORE_RESERVE", "0")]).unwrap();
    let client = server.client();
    make_bucket(&client).await;
    machine.control.set_capacity(machine.control.used() + 30 * MIB);
    let (taken, refused) = fill(&client).await;
    assert_eq!(refused.error(), (507, "InsufficientStorage".into()));
    // Small objects need the log alone, which may own room for many: until that is full too. What is left beside it is too
    // little for anything else, and more than an object may take, or the free space alone would refuse them.
    let (mut small, mut codes) = (0, Vec::new());
    let deadline = Instant::now() + 2 * PATIENCE;
    while !server.log().contains(PAUSED) {
        assert!(Instant::now() < deadline, "{small} small objects found room: {codes:?}");
        let answer = client.put(&format!("/{BUCKET}/small-{small}"), noise(30_000, small)).await;
        if answer.status == 200 {
            small += 1;
            continue;
        }
        codes.push(answer.error());
        machine.control.set_capacity(machine.control.used() + 64 * 1024);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(codes.iter().all(|(status, code)| *status >= 500 && !code.is_empty()), "{codes:?}");
    assert!(!server.log().contains(RESUMED), "{}", server.log());
    all_read(&client, 0..taken).await;

    machine.control.set_capacity(0);
    until_taken(&client, taken).await;
    wait_for("the line that says so", async || server.log().contains(RESUMED)).await;
    let read_small = async |client: &Signed| {
        for number in 0..small {
            let answer = client.get(&format!("/{BUCKET}/small-{number}")).await;
            assert!(answer.status == 200 && answer.body == noise(30_000, number), "{number}: {}", answer.status);
        }
    };
    read_small(&client).await;
    server.kill();
    drop(server);
    let server = machine.start(&[OFTEN]).unwrap();
    all_read(&server.client(), 0..=taken).await;
    read_small(&server.client()).await;
}
