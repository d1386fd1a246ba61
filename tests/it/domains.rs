//! Custom domains as operators see them: `brim site add`, `remove` and `list`, and `[[site]]` in the configuration.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::harness::Server;
use crate::identities::{hangup, wait_for};
use crate::operator::{brim, data};

fn site(data: &Path, arguments: &[&str]) -> Output {
    brim(&["site"]).args(arguments).arg("--data").arg(data).output().unwrap()
}

fn json_of(data: &Path, arguments: &[&str]) -> Value {
    let output = site(data, &[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What standard error says of a command that fails.
fn refusal(data: &Path, arguments: &[&str]) -> String {
    let output = site(data, arguments);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Domain, bucket and state of every line of the list.
fn listed(data: &Path, options: &[&str]) -> Value {
    let list = json_of(data, &[&["list"], options].concat());
    let line = |line: &Value| json!([line["domain"], line["bucket"], line["state"]]);
    list.as_array().unwrap().iter().map(line).collect()
}

#[tokio::test]
async fn domains_are_given_and_taken_while_the_server_runs_and_while_it_does_not() {
    let (_parent, data) = data();
    let server = Server::start_on(&data, &[]).unwrap();
    let (bucket, other) = (server.bucket().await, server.bucket().await);
    let added = json_of(&data, &["add", "WWW.Example.com.", "--bucket", &bucket]);
    assert_eq!(added, json!({ "domain": "www.example.com", "bucket": bucket, "before": null }));
    assert_eq!(listed(&data, &[]), json!([["www.example.com", bucket, "in_force"]]));
    let moved = site(&data, &["add", "www.example.com", "--bucket", &other]);
    let expected = format!("www.example.com is at bucket {other}, and no longer at {bucket}\n");
    assert_eq!(String::from_utf8(moved.stdout).unwrap(), expected);
    assert!(refusal(&data, &["add", "www.example.com", "--bucket", "nowhere"]).contains("nowhere does not exist"));
    assert!(refusal(&data, &["remove", "a.example.com"]).contains("a.example.com is at no bucket"));
    drop(server);

    assert_eq!(listed(&data, &[]), json!([["www.example.com", other, "in_force"]]));
    json_of(&data, &["add", "a.example.com", "--bucket", &bucket]);
    let removed = json_of(&data, &["remove", "www.example.com"]);
    assert_eq!(removed, json!({ "domain": "www.example.com", "bucket": other }));
    let server = Server::start_on(&data, &[]).unwrap();
    assert_eq!(listed(&data, &[]), json!([["a.example.com", bucket, "in_force"]]));
    assert_eq!(server.client().delete(&format!("/{bucket}")).await.status, 204);
    assert_eq!(listed(&data, &[]), json!([["a.example.com", bucket, "no_bucket"]]));
    assert_eq!(server.damage(), None);
}

#[tokio::test]
async fn reserved_and_malformed_domains_are_refused() {
    let server = Server::start_with(&[("BRIM_S3_DOMAINS", "s3.example.com")]);
    let bucket = server.bucket().await;
    for (domain, why) in [
        ("s3.example.com", "(s3.domains)"),
        ("pail.s3.example.com", "(s3.domains)"),
        ("localhost", "a custom domain has a dot"),
    ] {
        let refused = refusal(server.data(), &["add", domain, "--bucket", &bucket]);
        assert!(refused.contains(why), "{refused}");
    }
    for malformed in ["10.0.0.1", "a_b.example", "b\u{fc}cher.example", "www.example.com:80", "*.example.com", ""] {
        let output = site(server.data(), &["add", malformed, "--bucket", &bucket]);
        assert_eq!(output.status.code(), Some(2), "{malformed}: {output:?}");
    }
    assert_eq!(listed(server.data(), &[]), json!([]));
}

#[tokio::test]
async fn a_domain_belongs_to_the_account_that_has_it() {
    let parent = tempfile::tempdir().unwrap();
    let (data, config) = (parent.path().join("data"), parent.path().join("brim.toml"));
    let key = "[[account.key]]\naccess_key_id = 'OTHER1'\nsecret_access_key = 'secret-of-other'\n";
    std::fs::write(&config, format!("[[account]]\nid = '222222222222'\n{key}")).unwrap();
    let server = Server::start_on(&data, &[("BRIM_CONFIG", config.to_str().unwrap())]).unwrap();
    let bucket = server.bucket().await;
    let other = crate::signed::Signed::new(server.s3, "OTHER1", "secret-of-other");
    assert_eq!(other.put("/foreign", "").await.status, 200);
    json_of(&data, &["add", "www.example.com", "--bucket", &bucket]);
    let refused = refusal(&data, &["add", "www.example.com", "--bucket", "foreign"]);
    assert!(refused.contains(&format!("belongs to account 000000000000, for bucket {bucket}")), "{refused}");
    json_of(&data, &["remove", "www.example.com"]);
    json_of(&data, &["add", "www.example.com", "--bucket", "foreign"]);
    assert_eq!(json_of(&data, &["list"])[0]["source"]["claim"]["account"], "222222222222");
}

#[tokio::test]
async fn a_hangup_puts_the_domains_of_the_configuration_in_force() {
    let parent = tempfile::tempdir().unwrap();
    let (data, config) = (parent.path().join("data"), parent.path().join("brim.toml"));
    let declare = |domain: &str, bucket: &str| {
        std::fs::write(&config, format!("[[site]]\ndomain = '{domain}'\nbucket = '{bucket}'\n")).unwrap();
    };
    declare("www.example.com", "later");
    let server = Server::start_on(&data, &[("BRIM_CONFIG", config.to_str().unwrap())]).unwrap();
    let bucket = server.bucket().await;
    assert_eq!(listed(&data, &[]), json!([["www.example.com", "later", "no_bucket"]]));
    let refused = refusal(&data, &["add", "www.example.com", "--bucket", &bucket]);
    assert!(refused.contains("by the configuration file"), "{refused}");
    json_of(&data, &["add", "a.example.com", "--bucket", &bucket]);

    declare("a.example.com", &bucket);
    hangup(&server);
    let expected = json!([["a.example.com", bucket, "in_force"], ["a.example.com", bucket, "overridden"]]);
    wait_for("the new domain is in force", async || listed(&data, &[]) == expected).await;
    // A wrong one changes nothing.
    declare("localhost", &bucket);
    hangup(&server);
    wait_for("the fault is logged", async || server.log().contains("stays in force")).await;
    assert_eq!(listed(&data, &[]), expected);
    drop(server);
    declare("b.example.com", &bucket);
    let offline = listed(&data, &["--config", config.to_str().unwrap()]);
    assert_eq!(offline, json!([["a.example.com", bucket, "in_force"], ["b.example.com", bucket, "in_force"]]));
}

#[tokio::test]
async fn domains_are_part_of_a_backup() {
    let (_parent, data) = data();
    let server = Server::start_on(&data, &[]).unwrap();
    let bucket = server.bucket().await;
    json_of(&data, &["add", "www.example.com", "--bucket", &bucket]);
    let (copy, restored) = (data.with_file_name("copy"), data.with_file_name("restored"));
    let run = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    run(brim(&["backup", "--with-master-key"]).arg(&copy).arg("--data").arg(&data));
    run(brim(&["restore"]).arg(&copy).arg("--data").arg(&restored));
    assert_eq!(listed(&restored, &[]), json!([["www.example.com", bucket, "in_force"]]));
}
