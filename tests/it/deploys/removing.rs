//! Going back, going away, and throwing away.

use serde_json::{Value, json};

use super::{Folder, Site, text};
use crate::harness::Server;

/// Makes deploys that differ in one file; gives their ids.
fn history(site: &Site<'_>, folder: &Folder, number: usize) -> Vec<String> {
    let deploys = (0..number).map(|version| {
        folder.write("index.html", format!("version {version}"));
        text(&site.deploy(folder), "deploy").to_owned()
    });
    deploys.collect()
}

#[tokio::test]
async fn a_rollback_goes_to_the_deploy_before_or_to_a_named_one() {
    let server = Server::start();
    let site = Site::new(&server).await;
    let folder = Folder::new(&[("a.css", "a")]);
    assert!(site.refusal(&["rollback"]).1.contains("no deploy is live"));
    let ids = history(&site, &folder, 4);
    let index = async || site.live().await.unwrap()["index.html"].clone();
    assert_eq!(text(&site.done(&["rollback"]), "deploy"), ids[2]);
    assert_eq!(index().await, b"version 2");
    assert_eq!(text(&site.done(&["rollback"]), "deploy"), ids[3], "a second rollback takes back the first");
    assert_eq!(text(&site.done(&["rollback", &ids[0]]), "deploy"), ids[0]);
    assert_eq!(index().await, b"version 0");
    assert!(site.refusal(&["rollback", &ids[0]]).1.contains("is live already"));
    assert!(site.refusal(&["rollback", "aaaaaaaaaa"]).1.contains("has no deploy aaaaaaaaaa"));
    assert_eq!(site.refusal(&["rollback", "../current"]).0, 2);

    // What is not whole does not go live.
    let manifest = site.manifest(&ids[1]).await;
    let key = format!("/{}/.brim/files/{}", site.bucket, text(&manifest["files"]["index.html"], "sha256"));
    assert_eq!(server.client().delete(&key).await.status, 204);
    assert!(site.refusal(&["rollback", &ids[1]]).1.contains("1 file of it are not stored any more, index.html"));
    assert_eq!(site.live_id().await.unwrap(), ids[0]);
}

#[tokio::test]
async fn detaching_leaves_the_plain_keys_and_can_be_taken_back() {
    let server = Server::start();
    let site = Site::new(&server).await;
    let folder = Folder::new(&[("index.html", "deployed")]);
    let id = text(&site.deploy(&folder), "deploy").to_owned();
    assert_eq!(site.done(&["detach"])["detached"], json!(id));
    assert_eq!(site.live_id().await, None);
    assert_eq!(site.done(&["detach"])["detached"], Value::Null);
    assert_eq!(text(&site.done(&["rollback", &id]), "deploy"), id);
    assert_eq!(site.live().await.unwrap(), folder.files());
}

#[tokio::test]
async fn pruning_removes_old_deploys_and_what_only_they_name() {
    let server = Server::start();
    let site = Site::new(&server).await;
    let folder = Folder::new(&[("a.css", "a")]);
    let ids = history(&site, &folder, 8);
    let before = site.keys().await;
    let nothing = json!({ "dry_run": false, "deploys": [], "kept": 8, "files": 0, "bytes": 0 });
    assert_eq!(site.done(&["prune", "--keep", "1"]), nothing, "what is young stays");

    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let prune = ["prune", "--keep", "2", "--min-age", "1s"];
    let dry = site.done(&[prune.as_slice(), &["--dry-run"]].concat());
    assert_eq!(site.keys().await, before);
    let pruned = site.done(&prune);
    assert_eq!((&pruned["deploys"], &pruned["files"]), (&dry["deploys"], &dry["files"]));
    assert_eq!((&pruned["kept"], &pruned["files"], &pruned["bytes"]), (&json!(4), &json!(4), &json!(36)));
    let mut removed: Vec<&str> = pruned["deploys"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    let mut old: Vec<&str> = ids[..4].iter().map(String::as_str).collect();
    removed.sort_unstable();
    old.sort_unstable();
    assert_eq!(removed, old, "the live one and the three before it stay, whatever --keep says");

    assert_eq!(site.live().await.unwrap(), folder.files());
    assert_eq!(text(&site.done(&["rollback", &ids[5]]), "deploy"), ids[5], "a kept deploy is whole");
    assert!(site.refusal(&["rollback", &ids[0]]).1.contains("has no deploy"));
    assert_eq!(site.keys().await.keys().filter(|key| key.starts_with(".brim/files/")).count(), 5);
}

#[tokio::test]
async fn what_cannot_be_read_stops_pruning_before_a_file_goes() {
    let server = Server::start();
    let site = Site::new(&server).await;
    let folder = Folder::new(&[("index.html", "a")]);
    site.deploy(&folder);
    let put = async |key: &str, content: &str| {
        assert_eq!(server.client().put(&format!("/{}/{key}", site.bucket), content).await.status, 200);
    };
    put(&format!(".brim/files/{}", "0".repeat(64)), "unnamed").await;
    put(".brim/files/readme", "not a site's").await;
    put(".brim/deploys/bbbbbbbbbb.json", r#"{"version":2}"#).await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let prune = ["prune", "--min-age", "1s"];
    let (status, words) = site.refusal(&prune);
    assert!(status == 1 && words.contains("bbbbbbbbbb.json cannot be used") && words.contains("version 2"), "{words}");
    assert!(site.keys().await.contains_key(&format!(".brim/files/{}", "0".repeat(64))));
    assert_eq!(server.client().delete(&format!("/{}/.brim/deploys/bbbbbbbbbb.json", site.bucket)).await.status, 204);
    assert_eq!(site.done(&prune)["files"], 1);
    assert!(site.keys().await.contains_key(".brim/files/readme"), "what is no file of a site is left alone");
}
