//! `brim backup` and `brim restore`: what comes back is a state that existed, whatever happened meanwhile.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use md5::{Digest, Md5};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::harness::{noise, stored_blobs};
use crate::signed::Signed;

/// How long anything may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);
/// The sizes that overwriters go through: empty, inline, and blobs of one and of many blocks.
const SIZES: [usize; 4] = [0, 900, 70_000, 1_500_000];
/// The least size of a part that is not the last.
const PART: usize = 5 << 20;
const ROOT: [(&str, &str); 2] =
    [("BRIM_ROOT_ACCESS_KEY_ID", "ROOTKEY"), ("BRIM_ROOT_SECRET_ACCESS_KEY", "root-secret")];

/// A server on a directory that outlives it; killed when dropped.
struct Server {
    process: Child,
    s3: SocketAddr,
}

impl Server {
    fn start(data: &Path) -> Self {
        let mut command = brim(&[
            "server",
            "--listen",
            "127.0.0.1:0",
            "--website-listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
        ]);
        command.env("BRIM_STORE_SWEEP_INTERVAL", "100ms").env("BRIM_STORE_RESERVE", "1MiB").arg("--data").arg(data);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let address = ready.split("s3=http://").nth(1).and_then(|rest| rest.split_whitespace().next());
        let s3 = address.unwrap_or_else(|| panic!("no ready line: {:?}", process.wait())).parse().unwrap();
        Self { process, s3 }
    }

    fn client(&self) -> Signed {
        Signed::new(self.s3, ROOT[0].1, ROOT[1].1)
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn brim(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brim"));
    // Temporary directories are on tmpfs or an overlay on many machines.
    command.env_clear().env("BRIM_STORE_ALLOW_EPHEMERAL", "true").envs(ROOT).stdin(Stdio::null()).args(arguments);
    command
}

fn backup(data: &Path, to: &Path, more: &[&str]) -> Command {
    let mut command = brim(&["backup", "--json"]);
    command.args(more).arg("--data").arg(data).arg(to);
    command
}

fn restore(from: &Path, data: &Path, more: &[&str]) -> Command {
    let mut command = brim(&["restore", "--json"]);
    command.args(more).arg("--data").arg(data).arg(from);
    command
}

/// The summary that the command printed, which must have succeeded.
fn done(command: Command) -> Value {
    ended(command, 0)
}

/// The summary of a command that ended with `status`.
fn ended(mut command: Command, status: i32) -> Value {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(status), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    let last: Value = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
    last["summary"].clone()
}

/// What the command said, which must have failed.
fn refused(mut command: Command) -> String {
    let output: Output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{command:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

/// A directory on the disk, with places in it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

async fn bucket(client: &Signed) {
    assert_eq!(client.put("/bucket", "").await.status, 200);
}

async fn put(client: &Signed, key: &str, body: &[u8]) -> u64 {
    let stored = client.put(&format!("/bucket/{key}"), body).await;
    assert_eq!(stored.status, 200, "{stored:?}");
    stored.header("x-brim-position").unwrap().parse().unwrap()
}

/// The files of blobs below `directory`.
fn blobs(directory: &Path) -> Vec<PathBuf> {
    let below = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let directories = below(&directory.join("blobs")).filter(|path| path.is_dir());
    directories.flat_map(|directory| below(&directory).collect::<Vec<_>>()).collect()
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The body of generation `generation` of `key`, which tells both.
fn body(key: &str, generation: u64) -> Vec<u8> {
    let size = SIZES[(generation as usize + key.len()) % SIZES.len()];
    let seed = key.bytes().fold(generation, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
    noise(size, seed)
}

/// An object of two parts.
async fn put_parts(client: &Signed) {
    let id = client.post("/bucket/parts?uploads", "").await.element("UploadId").unwrap();
    let mut list = String::new();
    for (number, bytes) in [(1, noise(PART, 1)), (2, noise(9, 2))] {
        let part = client.put(&format!("/bucket/parts?partNumber={number}&uploadId={id}"), bytes).await;
        let etag = part.header("etag").unwrap();
        list += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
    }
    let list = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
    assert_eq!(client.post(&format!("/bucket/parts?uploadId={id}"), list).await.status, 200);
}

/// One pair of keys, overwritten again and again: first `a-N`, then `b-N` with the same generation; and a key between them
/// that comes and goes. So in every state the generation of `b-N` is that of `a-N` or one less.
struct Pair {
    answered: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Pair {
    fn start(client: Signed, number: usize, stop: Arc<AtomicBool>) -> Self {
        let answered = Arc::new(AtomicU64::new(0));
        let told = Arc::clone(&answered);
        let task = tokio::spawn(async move {
            for generation in 1.. {
                for name in ["a", "b"] {
                    let key = format!("{name}-{number}");
                    let (target, stamp) = (format!("/bucket/{key}"), generation.to_string());
                    let headers = [("x-amz-meta-generation", stamp.as_str())];
                    let stored = client.send("PUT", &target, &headers, body(&key, generation)).await;
                    assert_eq!(stored.status, 200, "{stored:?}");
                }
                told.store(generation, Ordering::SeqCst);
                let churn = format!("churn-{number}");
                put(&client, &churn, &body(&churn, generation)).await;
                assert_eq!(client.delete(&format!("/bucket/{churn}")).await.status, 204);
                if stop.load(Ordering::SeqCst) {
                    break;
                }
            }
        });
        Self { answered, task }
    }
}

/// Reads every object that is listed; gives the generations of the pairs. Fails for what is not whole.
async fn generations(client: &Signed, pairs: usize) -> Vec<[u64; 2]> {
    let mut found = vec![[0; 2]; pairs];
    let listed = client.get("/bucket?list-type=2").await;
    assert_eq!(listed.status, 200, "{listed:?}");
    for key in listed.elements("Key") {
        let object = client.get(&format!("/bucket/{key}")).await;
        assert_eq!(object.status, 200, "{key}: {object:?}");
        if key == "parts" {
            assert!(object.body == [noise(PART, 1), noise(9, 2)].concat());
            continue;
        }
        let etag = object.header("etag").unwrap().trim_matches('"');
        assert_eq!(etag, hex::encode(Md5::digest(&object.body)), "{key}");
        let Some((name, number)) = key.split_once('-').filter(|(name, _)| ["a", "b"].contains(name)) else { continue };
        let generation: u64 = object.header("x-amz-meta-generation").unwrap().parse().unwrap();
        assert!(object.body == body(&key, generation), "{key} is not what generation {generation} was");
        found[number.parse::<usize>().unwrap()][usize::from(name == "b")] = generation;
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_overwrites_of_everything_is_a_state_that_existed() {
    const PAIRS: usize = 4;
    const FIXED: u64 = 3;
    let (place, memory) = (Place::new(), tempfile::tempdir_in("/dev/shm").ok());
    let data = place.at("data");
    let server = Server::start(&data);
    let client = server.client();
    bucket(&client).await;
    for number in 0..FIXED {
        put(&client, &format!("fixed-{number}"), &noise(300_000, number)).await;
    }
    put_parts(&client).await;
    let stop = Arc::new(AtomicBool::new(false));
    let pairs: Vec<_> = (0..PAIRS).map(|number| Pair::start(client.clone(), number, stop.clone())).collect();
    until("every pair is there", || pairs.iter().all(|pair| pair.answered.load(Ordering::SeqCst) > 1)).await;

    let linked = place.at("linked");
    let base = linked.to_str().unwrap();
    let mut runs: Vec<(&str, PathBuf, Vec<&str>)> = vec![
        ("linked", linked.clone(), vec!["--with-master-key"]),
        ("copied", place.at("copied"), vec!["--with-master-key", "--copy"]),
        ("on a base", place.at("on-base"), vec!["--with-master-key", "--copy", "--base", base]),
    ];
    if let Some(memory) = &memory {
        runs.push(("elsewhere", memory.path().join("elsewhere"), vec!["--with-master-key"]));
    }
    let mut before = Vec::new();
    for (_, to, more) in &runs {
        let answered: Vec<u64> = pairs.iter().map(|pair| pair.answered.load(Ordering::SeqCst)).collect();
        let command = backup(&data, to, more);
        let made = tokio::task::spawn_blocking(move || done(command)).await.unwrap();
        before.push((answered, made));
    }
    stop.store(true, Ordering::SeqCst);
    for pair in pairs {
        pair.task.await.unwrap();
    }
    // Nothing of the original is needed any more.
    for key in client.get("/bucket?list-type=2").await.elements("Key") {
        assert_eq!(client.delete(&format!("/bucket/{key}")).await.status, 204);
    }
    until("everything is swept: no pin is left", || stored_blobs(&data) == 0).await;
    drop(server);
    assert!(!data.join("checkpoint").exists());

    for ((name, from, _), (answered, made)) in runs.iter().zip(&before) {
        let one_disk = fs::metadata(from).unwrap().dev() == fs::metadata(place.0.path()).unwrap().dev();
        let (linked, count) = (made["linked"].as_u64().unwrap(), made["blobs"]["count"].as_u64().unwrap());
        let expected = match *name {
            // All but what shares files. On a base, what did not change; with the part that is a blob.
            "linked" | "on a base" => FIXED + 1..=count,
            "elsewhere" if one_disk => FIXED + 1..=count,
            _ => 0..=0,
        };
        assert!(expected.contains(&linked), "{name}: {made}");
        let restored = place.at(&format!("restored {name}"));
        let report = done(restore(from, &restored, &[]));
        assert_eq!(report["blobs"]["count"], made["blobs"]["count"], "{name}");
        let mut fsck = brim(&["fsck", "--json", "--data"]);
        fsck.arg(&restored);
        assert_eq!(done(fsck)["untidy"], 0, "{name}");
        let server = Server::start(&restored);
        let found = generations(&server.client(), PAIRS).await;
        for ([a, b], answered) in found.iter().zip(answered) {
            assert!(b <= a && *a <= b + 1, "{name}: no state ever had {a} and {b}");
            assert!(
                b >= answered,
                "{name}: generation {answered} was answered before the backup began, and {b} is there"
            );
        }
        drop(server);
        fs::remove_dir_all(restored).unwrap();
    }
}

#[tokio::test]
async fn a_pin_ends_with_its_connection_and_there_is_one_at_a_time() {
    let place = Place::new();
    let data = place.at("data");
    let server = Server::start(&data);
    let client = server.client();
    bucket(&client).await;
    put(&client, "key", &noise(300_000, 1)).await;

    let mut holder = UnixStream::connect(data.join("admin.sock")).unwrap();
    holder.set_read_timeout(Some(PATIENCE)).unwrap();
    holder.write_all(b"{\"command\":\"checkpoint.hold\"}\n").unwrap();
    let mut lines = BufReader::new(holder.try_clone().unwrap()).lines();
    let held = lines.find(|line| line.as_ref().unwrap().contains("holding a checkpoint"));
    assert!(held.is_some() && data.join("checkpoint/kv/CURRENT").exists());

    assert_eq!(client.delete("/bucket/key").await.status, 204);
    let said = refused(backup(&data, &place.at("second"), &[]));
    assert!(said.contains("another backup is being made"), "{said}");
    assert!(!place.at("second").exists(), "what is refused makes nothing");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(stored_blobs(&data), 1, "five rounds of sweeping left it alone");

    drop((lines, holder));
    until("the blob is swept", || stored_blobs(&data) == 0).await;
    assert!(!data.join("checkpoint").exists());
    done(backup(&data, &place.at("second"), &[]));
}

/// Begins a backup that takes a while, and gives it as soon as it has begun to copy.
async fn interrupted(data: &Path, to: &Path) -> Child {
    let mut command = backup(data, to, &["--copy", "--with-master-key"]);
    let process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    until("the backup begins", || to.join("blobs").exists()).await;
    process
}

#[tokio::test]
async fn an_interrupted_backup_does_not_count_and_leaves_no_pin() {
    let place = Place::new();
    let data = place.at("data");
    let server = Server::start(&data);
    let client = server.client();
    bucket(&client).await;
    for number in 0..12 {
        put(&client, &format!("key-{number}"), &noise(8_000_000, number)).await;
    }

    // The command is killed.
    let (killed, other) = (place.at("killed"), place.at("other"));
    let mut process = interrupted(&data, &killed).await;
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(!killed.join("brim-backup.json").exists(), "it was killed too late to test anything");
    let said = refused(restore(&killed, &other, &[]));
    assert!(said.contains("was not finished"), "{said}");
    assert!(!other.exists());
    let said = refused(backup(&data, &killed, &[]));
    assert!(said.contains("not finished"), "{said}");
    until("the checkpoint is gone", || !data.join("checkpoint").exists()).await;
    assert_eq!(client.delete("/bucket/key-0").await.status, 204);
    until("the deleted blob is swept", || stored_blobs(&data) == 11).await;

    // The server is killed. What was copied so far serves the next backup.
    let orphaned = place.at("orphaned");
    let process = interrupted(&data, &orphaned).await;
    server.kill();
    let output = process.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("hung up"), "{said}");
    assert!(!orphaned.join("brim-backup.json").exists());
    assert!(data.join("checkpoint").exists());
    let _server = Server::start(&data);
    assert!(!data.join("checkpoint").exists());
    let based = ["--copy", "--with-master-key", "--base", orphaned.to_str().unwrap()];
    let made = done(backup(&data, &place.at("whole"), &based));
    assert_eq!(made["linked"].as_u64().unwrap() + made["copied"].as_u64().unwrap(), 11);
    done(restore(&place.at("whole"), &other, &["--link"]));
}

#[tokio::test]
async fn a_restored_directory_is_one_of_its_own_and_goes_on_behind_every_position() {
    let place = Place::new();
    let (data, from, restored) = (place.at("data"), place.at("backup"), place.at("restored"));
    let server = Server::start(&data);
    let client = server.client();
    bucket(&client).await;
    let made = brim(&["key", "create", "--json", "--data"]).arg(&data).output().unwrap();
    let key: Value = serde_json::from_slice(&made.stdout).unwrap();
    put(&client, "blob", &noise(300_000, 1)).await;
    let backed_up = put(&client, "inline", b"then").await;
    let made = done(backup(&data, &from, &["--with-master-key"]));
    assert_eq!(made["log"]["position"], backed_up);
    let later = put(&client, "inline", b"now").await;

    // Beside the original, which goes on.
    let report = done(restore(&from, &restored, &[]));
    assert_ne!(report["instance"], made["instance"]);
    assert_ne!(report["log"]["id"], made["log"]["id"]);
    let copy = Server::start(&restored);
    let (id, secret) = (key["access_key_id"].as_str().unwrap(), key["secret_access_key"].as_str().unwrap());
    let by_key = Signed::new(copy.s3, id, secret);
    assert_eq!(by_key.get("/bucket/inline").await.body, b"then");
    let position = put(&by_key, "inline", b"again").await;
    assert!(position > later && position - backed_up > 1 << 32, "{position} after {backed_up}");
    assert_eq!(client.get("/bucket/inline").await.body, b"now");

    // A backup of what was restored says so, and shares the old one's blobs.
    let again = done(backup(&restored, &place.at("again"), &["--copy", "--base", from.to_str().unwrap()]));
    assert_eq!((&again["instance"], &again["linked"]), (&report["instance"], &Value::from(1)));
}

#[tokio::test]
async fn restores_are_refused_before_anything_is_copied() {
    let place = Place::new();
    let (data, from, restored) = (place.at("data"), place.at("backup"), place.at("restored"));
    let server = Server::start(&data);
    bucket(&server.client()).await;
    put(&server.client(), "blob", &noise(300_000, 1)).await;
    drop(server);
    // No server runs: the directory itself is opened, and locked.
    let made = done(backup(&data, &from, &[]));
    assert_eq!(made["secrets"], serde_json::json!({ "master_key": false, "credentials": false }));
    assert!(!from.join("master.key").exists() && !from.join("credentials").exists());

    let says = |command, words: &str| {
        let said = refused(command);
        assert!(said.contains(words), "{said}");
    };
    says(restore(&from, &restored, &[]), "pass the file master.key of the original data directory");
    let wrong = place.at("wrong.key");
    fs::write(&wrong, "0".repeat(64)).unwrap();
    fs::set_permissions(&wrong, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    says(restore(&from, &restored, &["--master-key", wrong.to_str().unwrap()]), "is not the master key of this backup");
    assert!(!restored.exists());
    let key = data.join("master.key");
    let right = ["--master-key", key.to_str().unwrap()];
    says(restore(&from, &data, &right), "is a data directory already");
    fs::create_dir(&restored).unwrap();
    fs::write(restored.join("thesis.txt"), "years of work").unwrap();
    says(restore(&from, &restored, &right), "is not empty");
    fs::remove_file(restored.join("thesis.txt")).unwrap();

    let manifest = fs::read_to_string(from.join("brim-backup.json")).unwrap();
    fs::write(from.join("brim-backup.json"), manifest.replacen("\"format\": 1", "\"format\": 2", 1)).unwrap();
    says(restore(&from, &restored, &right), "a newer brim made this backup");
    let lost = manifest.replacen("\"credentials\": false", "\"credentials\": true", 1);
    fs::write(from.join("brim-backup.json"), lost).unwrap();
    says(restore(&from, &restored, &right), "credentials is gone, though the backup was made with it");
    assert!(fs::read_dir(&restored).unwrap().next().is_none());
    fs::write(from.join("brim-backup.json"), manifest).unwrap();

    says(backup(&data, &data.join("backups/one"), &[]), "keep the backup outside of it");
    says(backup(&data, &from, &[]), "holds a backup already");
    let server = |data: &Path| {
        let mut command = brim(&[
            "server",
            "--listen",
            "127.0.0.1:0",
            "--website-listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
            "--data",
        ]);
        command.arg(data);
        command
    };
    says(server(&from), "is a backup");

    // A restore that stopped half-way: refused by all but the next one, which keeps what is whole.
    fs::write(restored.join("restoring"), "").unwrap();
    fs::create_dir(restored.join("kv")).unwrap();
    fs::write(restored.join("kv/CURRENT"), "half").unwrap();
    says(server(&restored), "was not finished");
    says(
        {
            let mut command = brim(&["key", "list", "--data"]);
            command.arg(&restored);
            command
        },
        "was not finished",
    );
    let report = done(restore(&from, &restored, &right));
    assert_eq!((&report["copied"], &report["kept"]), (&Value::from(1), &Value::from(0)));
    let restored = Server::start(&restored);
    assert!(restored.client().get("/bucket/blob").await.body == noise(300_000, 1));
}

#[tokio::test]
async fn nothing_is_restored_to_where_a_server_would_refuse_it() {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    if !mounts.lines().any(|line| line.split(' ').nth(1) == Some("/dev/shm") && line.contains(" tmpfs ")) {
        return;
    }
    let (place, memory) = (Place::new(), tempfile::tempdir_in("/dev/shm").unwrap());
    let (data, from, restored) = (place.at("data"), place.at("backup"), memory.path().join("restored"));
    drop(Server::start(&data));
    done(backup(&data, &from, &["--with-master-key"]));
    let mut command = restore(&from, &restored, &[]);
    command.env_remove("BRIM_STORE_ALLOW_EPHEMERAL");
    let said = refused(command);
    assert!(said.contains("is on tmpfs") && said.contains("BRIM_STORE_ALLOW_EPHEMERAL=true"), "{said}");
    assert!(!restored.exists());
    done(restore(&from, &restored, &[]));
}

#[tokio::test]
async fn a_restore_that_is_run_again_keeps_whole_blobs_and_mends_the_others() {
    let place = Place::new();
    let (data, from, restored) = (place.at("data"), place.at("backup"), place.at("restored"));
    let server = Server::start(&data);
    bucket(&server.client()).await;
    for seed in 0..3 {
        put(&server.client(), &format!("blob-{seed}"), &noise(300_000, seed)).await;
    }
    // Objects that share a blob: it is one, however many records point at it.
    for copy in 0..20 {
        let source = [("x-amz-copy-source", "/bucket/blob-0")];
        assert_eq!(server.client().send("PUT", &format!("/bucket/copy-{copy}"), &source, "").await.status, 200);
    }
    let made = done(backup(&data, &from, &["--with-master-key", "--copy"]));
    let report = done(restore(&from, &restored, &[]));
    assert_eq!((&report["copied"], &report["kept"]), (&Value::from(3), &Value::from(0)));
    assert_eq!((&report["blobs"]["count"], &made["blobs"]["count"]), (&Value::from(3), &Value::from(3)));
    // As a crash just before its end would leave it, with a file that did not reach the disk whole.
    fs::remove_file(restored.join("brim.json")).unwrap();
    fs::write(restored.join("restoring"), "").unwrap();
    let spoilt = &blobs(&restored)[0];
    let mut bytes = fs::read(spoilt).unwrap();
    bytes[5000] ^= 1;
    fs::write(spoilt, bytes).unwrap();
    let report = done(restore(&from, &restored, &[]));
    assert_eq!((&report["copied"], &report["kept"]), (&Value::from(1), &Value::from(2)));
    assert_eq!(report["blobs"]["bytes"], made["blobs"]["bytes"]);
    let restored = Server::start(&restored);
    for seed in 0..3 {
        assert!(restored.client().get(&format!("/bucket/blob-{seed}")).await.body == noise(300_000, seed));
    }
}

#[tokio::test]
async fn damage_is_told_and_does_not_keep_the_rest_from_coming_back() {
    let place = Place::new();
    let (data, from, restored) = (place.at("data"), place.at("backup"), place.at("restored"));
    let server = Server::start(&data);
    bucket(&server.client()).await;
    put(&server.client(), "good", &noise(300_000, 1)).await;
    put(&server.client(), "bad", &noise(400_000, 2)).await;
    assert_eq!(
        server.client().send("PUT", "/bucket/copy", &[("x-amz-copy-source", "/bucket/bad")], "").await.status,
        200
    );
    done(backup(&data, &from, &["--with-master-key", "--copy"]));
    let bad = blobs(&from).into_iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let mut bytes = fs::read(&bad).unwrap();
    bytes[100] ^= 1;
    fs::write(&bad, bytes).unwrap();

    let said = refused(restore(&from, &restored, &[]));
    assert!(said.contains("1 blob is missing or damaged"), "{said}");
    let report = ended(restore(&from, &restored, &["--accept-damage"]), 3);
    assert_eq!((&report["blobs"]["damaged"], &report["kept"]), (&Value::from(1), &Value::from(1)));
    let copy = Server::start(&restored);
    assert!(copy.client().get("/bucket/good").await.body == noise(300_000, 1));
    assert_eq!(copy.client().get("/bucket/bad").await.status, 500);
    drop(copy);

    // The same the other way: a backup of what is damaged already, and of what is gone.
    let said = refused(backup(&restored, &place.at("again"), &["--copy"]));
    assert!(said.contains("1 blob is missing or damaged"), "{said}");
    // One that was accepted stays damage in whatever is made of that backup, links or not.
    let with_damage = place.at("with damage");
    let accepted = ["--copy", "--with-master-key", "--accept-damage"];
    let made = ended(backup(&restored, &with_damage, &accepted), 3);
    assert_eq!(made["blobs"]["damaged"], 1);
    let based = [&accepted[..], &["--base", with_damage.to_str().unwrap()]].concat();
    let made = ended(backup(&restored, &place.at("on it"), &based), 3);
    assert_eq!((&made["blobs"]["damaged"], &made["linked"]), (&Value::from(1), &Value::from(1)));
    let report = ended(restore(&with_damage, &place.at("linked"), &["--link", "--accept-damage"]), 3);
    assert_eq!((&report["blobs"]["damaged"], &report["linked"]), (&Value::from(1), &Value::from(1)));
    let damaged = blobs(&restored).into_iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    fs::remove_file(damaged).unwrap();
    let made = ended(backup(&restored, &place.at("third"), &["--accept-damage"]), 3);
    assert_eq!((&made["blobs"]["damaged"], &made["blobs"]["count"]), (&Value::from(1), &Value::from(1)));
}
