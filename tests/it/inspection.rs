//! `brim fsck`, `brim scrub` and `brim doctor`, on the data directory of a real server that was damaged behind its back.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::noise;
use crate::operator::{Running, brim, data};

/// Bytes of an object that is a file of its own.
const LARGE: usize = 300_000;
const PATIENCE: Duration = Duration::from_secs(30);

/// A data directory with objects of both sizes, whose server was stopped.
async fn used() -> (tempfile::TempDir, PathBuf) {
    let (parent, data) = data();
    let mut server = Running::start(&data);
    let client = server.client();
    assert_eq!(client.put("/photos", "").await.status, 200);
    for (name, size, seed) in [("small", 100, 1), ("large", LARGE, 2), ("other", LARGE, 3), ("gone", LARGE, 4)] {
        assert_eq!(client.put(&format!("/photos/{name}"), noise(size, seed)).await.status, 200);
    }
    let copied = client.send("PUT", "/photos/copy", &[("x-amz-copy-source", "/photos/large")], "").await;
    assert_eq!(copied.status, 200);
    let upload = client.post("/photos/parts?uploads=", "").await;
    let id = upload.element("UploadId").unwrap();
    let part = client.put(&format!("/photos/parts?partNumber=1&uploadId={id}"), noise(LARGE, 5)).await;
    let listed = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
        part.header("etag").unwrap()
    );
    assert_eq!(client.post(&format!("/photos/parts?uploadId={id}"), listed).await.status, 200);
    assert_eq!(client.delete("/photos/gone").await.status, 204);
    server.stop();
    (parent, data)
}

fn inspect(data: &Path, arguments: &[&str]) -> Output {
    brim(arguments).arg("--json").arg("--data").arg(data).output().unwrap()
}

/// The findings and the summary of a command's output.
fn told(output: &Output) -> (Vec<Value>, Value) {
    let lines = String::from_utf8(output.stdout.clone()).unwrap();
    let mut lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = lines.pop().unwrap_or_else(|| panic!("{output:?}"))["summary"].take();
    (lines.into_iter().map(|mut line| line["finding"].take()).collect(), summary)
}

/// Kind and key of each finding.
fn kinds(findings: &[Value]) -> Vec<(&str, Option<&str>)> {
    findings.iter().map(|finding| (finding["kind"].as_str().unwrap(), finding["key"].as_str())).collect()
}

/// The files of all blobs, in the order of their making.
fn blobs(data: &Path) -> Vec<PathBuf> {
    let directories = fs::read_dir(data.join("blobs")).unwrap().map(|entry| entry.unwrap().path());
    let fan_out = directories.filter(|path| path.is_dir() && path.file_name().unwrap() != "quarantine");
    let mut files: Vec<_> = fan_out.flat_map(|path| fs::read_dir(path).unwrap()).map(|f| f.unwrap().path()).collect();
    files.sort_by_key(|path| path.file_name().unwrap().to_owned());
    files
}

fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_store_is_clean_whether_or_not_its_server_runs() {
    let (_parent, data) = used().await;
    let stopped = inspect(&data, &["fsck"]);
    let server = Running::start(&data);
    let running = inspect(&data, &["fsck"]);
    for output in [&stopped, &running] {
        let (findings, summary) = told(output);
        assert_eq!((output.status.code(), findings.len()), (Some(0), 0), "{output:?}");
        assert_eq!((&summary["objects"], &summary["parts"]), (&5.into(), &1.into()), "{summary}");
        assert!(output.stderr.is_empty(), "no progress beside JSON: {output:?}");
    }
    let refused = inspect(&data, &["fsck", "--repair"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("a server runs on") && said.contains("stop it first"), "{said}");
    let scrubbed = inspect(&data, &["scrub", "--rate", "0"]);
    let (findings, summary) = told(&scrubbed);
    assert_eq!((scrubbed.status.code(), findings.len()), (Some(0), 0), "{scrubbed:?}");
    assert_eq!(summary["bytes"], 3 * LARGE + 100, "the copy's bytes are read once");
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn planted_damage_is_explained_and_repairs_keep_every_byte() {
    let (_parent, data) = used().await;
    // `gone` was deleted and not swept yet; the others are `large`, `other` and the part.
    let files = blobs(&data);
    assert_eq!(files.len(), 4);
    let lost = fs::read(&files[0]).unwrap();
    fs::remove_file(&files[0]).unwrap();
    let orphan = files[1].with_file_name("00000000000000010000000000000063");
    fs::write(&orphan, &lost).unwrap();
    fs::OpenOptions::new().write(true).open(&files[3]).unwrap().set_len(7).unwrap();

    let output = inspect(&data, &["fsck"]);
    let (findings, summary) = told(&output);
    let damage = [("missing_bytes", Some("copy")), ("missing_bytes", Some("large")), ("damaged_bytes", Some("parts"))];
    assert_eq!(kinds(&findings), [&damage[..], &[("orphan_blob", None)]].concat());
    assert_eq!((output.status.code(), &summary["damage"]), (Some(3), &3.into()));
    for finding in &findings {
        assert!(["problem", "meaning", "advice"].iter().all(|field| !finding[field].as_str().unwrap().is_empty()));
    }
    let words = brim(&["fsck", "--data"]).arg(&data).output().unwrap();
    let words = String::from_utf8(words.stdout).unwrap();
    assert!(words.starts_with("damage: bucket photos, key copy: its bytes are missing (blob "), "{words}");

    let (findings, summary) = told(&inspect(&data, &["fsck", "--repair"]));
    assert_eq!((findings.len(), &summary["repaired"]), (4, &1.into()));
    assert!(!orphan.exists());
    let kept = data.join("blobs/quarantine").join(orphan.file_name().unwrap());
    assert!(fs::read(kept).unwrap() == lost, "moved and not removed");
    assert_eq!(kinds(&told(&inspect(&data, &["fsck"])).0), damage);

    // Put back, it is what it was.
    fs::write(&files[0], lost).unwrap();
    assert_eq!(kinds(&told(&inspect(&data, &["fsck"])).0), damage[2..]);
    let server = Running::start(&data);
    assert_eq!(kinds(&told(&inspect(&data, &["fsck"])).0), damage[2..], "the same through the socket");
    assert!(server.client().get("/photos/copy").await.body == noise(LARGE, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_is_found_by_the_scrub_and_not_by_the_check() {
    let (_parent, data) = used().await;
    let _server = Running::start(&data);
    flip(&blobs(&data)[1], LARGE / 2);
    assert_eq!(inspect(&data, &["fsck"]).status.code(), Some(0));
    let output = inspect(&data, &["scrub", "--rate", "100MiB"]);
    let (findings, summary) = told(&output);
    assert_eq!(kinds(&findings), [("damaged_bytes", Some("other"))]);
    assert_eq!((output.status.code(), &summary["damaged"]), (Some(3), &1.into()));
    assert_eq!(findings[0]["bucket"], "photos");
}

#[tokio::test(flavor = "multi_thread")]
async fn hanging_up_stops_a_scrub_and_the_next_goes_on_there() {
    let (_parent, data) = used().await;
    let server = Running::start(&data);
    let mut slow = brim(&["scrub", "--rate", "100KiB", "--data"]);
    let mut slow = slow.arg(&data).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // The blob of 300 KB takes three seconds, all of them nine.
    std::thread::sleep(Duration::from_millis(4500));
    assert_eq!(inspect(&data, &["scrub"]).status.code(), Some(1), "one at a time");
    slow.kill().unwrap();
    slow.wait().unwrap();
    let deadline = Instant::now() + PATIENCE;
    let output = loop {
        let output = inspect(&data, &["scrub", "--rate", "0"]);
        if output.status.success() || Instant::now() > deadline {
            break output;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(told(&output).1["resumed"], true, "{output:?}");
    assert_eq!(told(&inspect(&data, &["scrub", "--rate", "0"])).1["resumed"], false);
    drop(server);

    // Without a server the process itself is told to stop, and ends in order.
    let mut slow = brim(&["scrub", "--rate", "100KiB", "--data"]);
    let slow = slow.arg(&data).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(4500));
    assert!(Command::new("kill").args(["-INT", &slow.id().to_string()]).status().unwrap().success());
    let slow = slow.wait_with_output().unwrap();
    assert_eq!(slow.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&slow.stderr).ends_with("brim: stopped before its end\n"), "{slow:?}");
    assert_eq!(told(&inspect(&data, &["scrub", "--rate", "0"])).1["resumed"], true);
}

#[test]
fn the_doctor_looks_at_everything_and_names_what_is_bad() {
    let (parent, data) = data();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = inspect(
        &data,
        &["doctor", "--listen", &address, "--website-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"],
    );
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found: Vec<_> = lines.iter().filter_map(|line| line.get("diagnosis")).collect();
    for subject in [
        "data directory",
        "permissions",
        "file system",
        "sync",
        "fallocate",
        "free space",
        "open files",
        "memory",
        "clock",
    ] {
        assert!(found.iter().any(|diagnosis| diagnosis["subject"] == subject), "{subject} in {found:?}");
    }
    let port = found.iter().find(|diagnosis| diagnosis["subject"] == "port").unwrap();
    assert_eq!((&port["health"], output.status.code()), (&"bad".into(), Some(3)));
    assert!(port["advice"].as_str().unwrap().contains("s3.listen"), "{port}");
    assert!(lines.last().unwrap()["summary"]["bad"].as_u64().unwrap() >= 1);
    assert!(!data.exists() && fs::read_dir(parent.path()).unwrap().next().is_none(), "nothing is left behind");
}

#[test]
fn a_directory_in_memory_is_refused_unless_it_is_allowed() {
    let memory = Path::new("/dev/shm");
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    if !mounts.lines().any(|line| line.split(' ').nth(1) == Some("/dev/shm") && line.contains(" tmpfs ")) {
        return;
    }
    let parent = tempfile::tempdir_in(memory).unwrap();
    let data = parent.path().join("data");
    let mut refused = brim(&[
        "server",
        "--listen",
        "127.0.0.1:0",
        "--website-listen",
        "127.0.0.1:0",
        "--admin-listen",
        "127.0.0.1:0",
        "--data",
    ]);
    let output = refused.arg(&data).env_remove("BRIM_STORE_ALLOW_EPHEMERAL").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("is on tmpfs, which is emptied by a restart of the machine"), "{said}");
    assert!(said.contains("BRIM_STORE_ALLOW_EPHEMERAL=true") && said.lines().count() == 1, "{said}");
    assert!(!data.exists());
    drop(Running::start(&data));
    assert!(data.join("brim.json").exists());
}
