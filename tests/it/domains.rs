//! Custom domains as operators see them: `brim site add`, `remove` and `list`, and `[[site]]` in the configuration.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::harness::Server;
use crate::identities::{hangup, wait_for};
use crate::operator::{brim, data};
use crate::raw::{Answer, Raw};
use crate::signed::Signed;

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

/// What the website listener answers when this host is asked for its first page.
async fn page(server: &Server, host: &str) -> Answer {
    let mut raw = Raw::connect(server.website).await;
    raw.send(format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n")).await;
    raw.answer().await
}

/// The first page of a host, or S3's code for why there is none.
async fn seen(server: &Server, host: &str) -> String {
    let answer = page(server, host).await;
    match answer.status {
        200 => answer.text(),
        _ => answer.header("x-amz-error-code").unwrap_or_default().to_owned(),
    }
}

/// Makes a website of one page, which says the bucket's name.
async fn website(client: &Signed, bucket: &str) {
    assert_eq!(client.put(&format!("/{bucket}"), "").await.status, 200);
    let policy = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{bucket}/*"),
    }] });
    assert_eq!(client.put(&format!("/{bucket}?policy"), &policy.to_string()).await.status, 204);
    let index =
        "<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument></WebsiteConfiguration>";
    assert_eq!(client.put(&format!("/{bucket}?website"), index).await.status, 200);
    assert_eq!(client.put(&format!("/{bucket}/index.html"), bucket).await.status, 200);
}

#[tokio::test]
async fn every_form_of_a_host_finds_its_site() {
    let server = Server::start_with(&[("BRIM_WEBSITE_DOMAINS", "website.localhost,sites.example.com")]);
    for bucket in ["pail", "my.pail", "www.example.com"] {
        website(&server.client(), bucket).await;
    }
    json_of(server.data(), &["add", "custom.example.org", "--bucket", "pail"]);
    for (host, expected) in [
        ("pail.website.localhost", "pail"),
        ("PAIL.Website.LocalHost.:9080", "pail"),
        ("pail.sites.example.com", "pail"),
        ("my.pail.website.localhost", "my.pail"),
        ("pail.s3-website-us-east-1.website.localhost", "pail"),
        ("my.pail.s3-website.eu-west-1.sites.example.com", "my.pail"),
        ("www.example.com", "www.example.com"),
        ("WWW.EXAMPLE.COM:80", "www.example.com"),
        ("custom.example.org", "pail"),
        ("Custom.Example.Org.:8080", "pail"),
        ("nobody.example.org", "NoSuchBucket"),
        ("none.website.localhost", "NoSuchBucket"),
        ("website.localhost", "NoSuchBucket"),
        ("127.0.0.1", "NoSuchBucket"),
        ("[::1]:9080", "NoSuchBucket"),
        ("aaaaaaaaaa--pail.website.localhost", "NoSuchBucket"),
    ] {
        assert_eq!(seen(&server, host).await, expected, "{host}");
    }
}

#[tokio::test]
async fn a_hostile_host_is_answered_with_an_error_page() {
    let server = Server::start();
    website(&server.client(), "pail").await;
    let (long, labels) = (format!("{}.example", "a".repeat(300)), "a.".repeat(200));
    for host in [
        "pail.website.localhost:99999",
        "user@pail.website.localhost",
        "pail..website.localhost",
        ".pail.website.localhost",
        "pail_.website.localhost",
        "pail website.localhost",
        "pail/.website.localhost",
        "p\u{e4}il.website.localhost",
        "pail.website.localhost:80:80",
        "127.1",
        "[::1",
        "..",
        "*",
        long.as_str(),
        labels.as_str(),
    ] {
        let answer = page(&server, host).await;
        assert!((400..405).contains(&answer.status) && !answer.text().contains("pail\n"), "{host}: {answer:?}");
        assert!(answer.body != b"pail", "{host}");
    }
    // One that asks for no host, and one that asks for two.
    for hosts in ["", "host: pail.website.localhost\r\nhost: other.website.localhost\r\n"] {
        let mut raw = Raw::connect(server.website).await;
        raw.send(format!("GET / HTTP/1.1\r\n{hosts}\r\n")).await;
        let status = raw.try_answer().await.map(|answer| answer.status);
        assert!(status.is_none_or(|status| (400..405).contains(&status)), "{hosts:?}: {status:?}");
    }
    assert_eq!(seen(&server, "pail.website.localhost").await, "pail", "and it goes on");
}

#[tokio::test]
async fn domains_are_given_and_taken_while_the_server_runs_and_while_it_does_not() {
    let (_parent, data) = data();
    let server = Server::start_on(&data, &[]).unwrap();
    let (bucket, other) = ("first", "second");
    website(&server.client(), bucket).await;
    website(&server.client(), other).await;
    assert_eq!(seen(&server, "www.example.com").await, "NoSuchBucket");
    let added = json_of(&data, &["add", "WWW.Example.com.", "--bucket", bucket]);
    assert_eq!(added, json!({ "domain": "www.example.com", "bucket": bucket, "before": null }));
    assert_eq!(seen(&server, "www.example.com").await, bucket);
    assert_eq!(listed(&data, &[]), json!([["www.example.com", bucket, "in_force"]]));
    let moved = site(&data, &["add", "www.example.com", "--bucket", other]);
    assert_eq!(seen(&server, "www.example.com").await, other);
    let expected = format!("www.example.com is at bucket {other}, and no longer at {bucket}\n");
    assert_eq!(String::from_utf8(moved.stdout).unwrap(), expected);
    assert!(refusal(&data, &["add", "www.example.com", "--bucket", "nowhere"]).contains("nowhere does not exist"));
    assert!(refusal(&data, &["remove", "a.example.com"]).contains("a.example.com is at no bucket"));
    drop(server);

    assert_eq!(listed(&data, &[]), json!([["www.example.com", other, "in_force"]]));
    json_of(&data, &["add", "a.example.com", "--bucket", bucket]);
    let removed = json_of(&data, &["remove", "www.example.com"]);
    assert_eq!(removed, json!({ "domain": "www.example.com", "bucket": other }));
    let server = Server::start_on(&data, &[]).unwrap();
    assert_eq!(listed(&data, &[]), json!([["a.example.com", bucket, "in_force"]]));
    assert_eq!(seen(&server, "a.example.com").await, bucket);
    assert_eq!(seen(&server, "www.example.com").await, "NoSuchBucket");
    for path in ["/first/index.html", "/first"] {
        assert_eq!(server.client().delete(path).await.status, 204);
    }
    website(&server.client(), bucket).await;
    assert_eq!(seen(&server, "a.example.com").await, "NoSuchBucket", "a new bucket of the name of the old one");
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
        ("website.localhost", "(website.domains)"),
        ("pail.website.localhost", "(website.domains)"),
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
    let other = Signed::new(server.s3, "OTHER1", "secret-of-other");
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
    assert_eq!(seen(&server, "www.example.com").await, "NoSuchBucket");
    website(&server.client(), "later").await;
    assert_eq!(seen(&server, "www.example.com").await, "later");
    let refused = refusal(&data, &["add", "www.example.com", "--bucket", &bucket]);
    assert!(refused.contains("by the configuration file"), "{refused}");
    json_of(&data, &["add", "a.example.com", "--bucket", &bucket]);

    declare("a.example.com", &bucket);
    hangup(&server);
    let expected = json!([["a.example.com", bucket, "in_force"], ["a.example.com", bucket, "overridden"]]);
    wait_for("the new domain is in force", async || listed(&data, &[]) == expected).await;
    assert_eq!(seen(&server, "www.example.com").await, "NoSuchBucket");
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
