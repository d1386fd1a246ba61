//! Making a site, its options, and telling how it is.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use super::{Folder, Site, brim_site, text};
use crate::cors::unsigned;
use crate::harness::Server;

#[tokio::test]
async fn init_makes_a_public_website_and_says_what_it_did() {
    let server = Server::start();
    let mut site = Site::new(&server).await;
    site.bucket = "made-by-init".to_owned();
    let made = site.done(&["init"]);
    let steps: Vec<&str> = made["done"].as_array().unwrap().iter().map(|step| step.as_str().unwrap()).collect();
    assert_eq!(steps.len(), 3, "{steps:?}");
    assert!(
        steps[0].contains("made the bucket")
            && steps[1].contains("index.html")
            && steps[2].contains("BrimSitePublicRead")
    );
    assert_eq!(site.done(&["init"])["done"], json!([]), "what is there is left alone");
    assert_eq!(server.client().put("/made-by-init/plain.txt", "p").await.status, 200);
    assert_eq!(unsigned(&server, "GET", "/made-by-init/plain.txt", &[]).await.status, 200);
    site.deploy(&Folder::new(&[("index.html", "i")]));
    assert_eq!(unsigned(&server, "GET", "/made-by-init/.brim/current", &[]).await.status, 403);

    let status = site.done(&["status"]);
    assert_eq!(
        (&status["public"], &status["website"]["index"], &status["deploys"]),
        (&json!(true), &json!("index.html"), &json!(1))
    );
    assert_eq!(status["live"]["files"], 1);
}

#[tokio::test]
async fn init_opens_a_blocked_bucket_and_leaves_a_private_one_alone() {
    let server = Server::start();
    let site = Site::new(&server).await;
    let block = "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>\
        <BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>";
    let path = format!("/{}?publicAccessBlock", site.bucket);
    assert_eq!(server.client().put(&path, block).await.status, 200);
    assert_eq!(site.done(&["init", "--private"])["done"].as_array().unwrap().len(), 1);
    assert_eq!(server.client().get(&format!("/{}?policy", site.bucket)).await.status, 404);
    assert_eq!(site.done(&["status"])["public"], json!(false));

    let done = site.done(&["init"])["done"].to_string();
    assert!(done.contains("BlockPublicPolicy and RestrictPublicBuckets"), "{done}");
    let block = server.client().get(&path).await;
    let flag = |name: &str| block.element(name).unwrap();
    assert_eq!(
        (flag("BlockPublicAcls"), flag("BlockPublicPolicy"), flag("RestrictPublicBuckets")),
        ("true".into(), "false".into(), "false".into())
    );
    assert_eq!(site.done(&["status"])["public"], json!(true));
}

#[tokio::test]
async fn no_bucket_is_named_like_a_preview() {
    let server = Server::start();
    for name in ["abcdefghij--docs", "production--assets"] {
        let refused = server.client().put(&format!("/{name}"), "").await;
        assert_eq!(refused.error(), (400, "InvalidBucketName".into()), "{name}");
    }
    assert_eq!(server.client().put("/development--assets", "").await.status, 200);
}

#[tokio::test]
async fn options_are_checked_before_they_are_put() {
    let server = Server::start();
    let site = Site::new(&server).await;
    let folder = Folder::new(&[("good.toml", "clean_urls = false\n"), ("bad.toml", "clean_urls = 7\nclean = true\n")]);
    let file = |name: &str| format!("{}/{name}", folder.path());
    assert!(site.refusal(&["config", "get"]).1.contains("no options"));
    site.done(&["config", "set", &file("good.toml")]);
    let (status, words) = site.refusal(&["config", "set", &file("bad.toml")]);
    assert!(status == 2 && words.contains(".brim/site.toml:1: ") && words.contains(".brim/site.toml:2: "), "{words}");
    assert_eq!(text(&site.done(&["config", "get"]), "options"), "clean_urls = false\n");
    assert_eq!(site.done(&["status"])["options"], json!({ "of_deploy": false, "faults": [] }));

    // A deploy's own options count instead, and it is said.
    site.deploy(&Folder::new(&[("index.html", ""), (".brim/site.toml", "clean_urls = true\n")]));
    assert_eq!(text(&site.done(&["config", "get"]), "options"), "clean_urls = true\n");
    assert_eq!(site.done(&["config", "set", &file("good.toml")])["shadowed"], json!(true));
    site.done(&["config", "remove"]);
    assert!(!site.keys().await.contains_key(".brim/site.toml"));

    // Somebody else's write is not checked; the status tells.
    site.done(&["detach"]);
    assert_eq!(server.client().put(&format!("/{}/.brim/site.toml", site.bucket), "clean = 1\n").await.status, 200);
    let faults = &site.done(&["status"])["options"]["faults"];
    assert!(faults[0].as_str().unwrap().starts_with(".brim/site.toml:1: "), "{faults}");
}

#[test]
fn a_password_becomes_a_line_of_options_that_counts() {
    let printed = |arguments: &[&str], password: &str| {
        let mut command = brim_site(&[&["password"], arguments].concat(), "", "", "");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(password.as_bytes());
        child.wait_with_output().unwrap()
    };
    let line = String::from_utf8(printed(&["--user", "an \"odd\" name"], "s3cret\n").stdout).unwrap();
    assert!(line.starts_with("password = {") && !line.contains("s3cret"), "{line}");
    let options = brim::site::options::Options::parse(&line).unwrap();
    let password = options.password.unwrap();
    assert_eq!(password.user, "an \"odd\" name");
    assert!(password.hash.verify("s3cret") && !password.hash.verify("s3cret\n"));
    assert!(printed(&["--preview"], "x").stdout.starts_with(b"preview_password = "));
    assert_eq!(printed(&[], "").status.code(), Some(1));
    assert_eq!(printed(&["--user", "a:b"], "x").status.code(), Some(2));
}

/// The policy of docs/deploying.md, word for word: it is enough for all but `init`, and for nothing outside of the bucket.
#[tokio::test]
async fn the_documented_policy_is_enough() {
    let server = Server::start();
    let site = Site::new(&server).await;
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/deploying.md")).unwrap();
    let policy = page.split("```json\n").nth(1).unwrap().split("```").next().unwrap().replace("BUCKET", &site.bucket);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), policy).unwrap();
    let brim = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_brim"));
        let output =
            command.env_clear().args(arguments).arg("--json").arg("--data").arg(server.data()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default()
    };
    brim(&["user", "create", "deployer"]);
    brim(&["user", "policy", "put", "deployer", "deploys", file.path().to_str().unwrap()]);
    let key = brim(&["key", "create", "--user", "deployer"]);
    let (access, secret) = (text(&key, "access_key_id"), text(&key, "secret_access_key"));
    let folder = Folder::new(&[("index.html", "1")]);
    let large = Folder::new(&[("index.html", "2")]);
    large.write("film.bin", vec![7; 65 * 1024 * 1024]);
    let config = Folder::new(&[("site.toml", "")]);
    let options = format!("{}/site.toml", config.path());
    for arguments in [
        &["deploy", folder.path()][..],
        &["deploy", large.path()],
        &["rollback"],
        &["deploys"],
        &["status"],
        &["prune", "--keep", "1"],
        &["config", "set", &options],
        &["config", "get"],
        &["config", "remove"],
        &["detach"],
    ] {
        let mut command = brim_site(arguments, &site.endpoint, access, secret);
        let output = command.args(["--bucket", &site.bucket]).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", super::said(&output));
        let words = super::said(&output);
        assert!(!words.contains("may not"), "{arguments:?}: {words}");
    }
    let other = server.bucket().await;
    let refused =
        brim_site(&["deploy", folder.path(), "--bucket", &other], &site.endpoint, access, secret).output().unwrap();
    assert!(super::said(&refused).contains("AccessDenied (403)"));
}
