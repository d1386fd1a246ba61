//! `brim policy explain`, on the directory of a running server and of a stopped one, beside what the server itself answers.

use std::path::Path;
use std::process::Output;

use crate::cors::unsigned;
use crate::harness::Server;
use crate::operator::{brim, data};
use crate::raw::Answer;
use crate::signed::Signed;

const OF_BOB: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Sid":"Read","Effect":"Allow","Action":["s3:GetObject","s3:GetObjectVersion"],"Resource":"arn:aws:s3:::pail/*"},
    {"Sid":"Office","Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::pail",
     "Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}]}"#;

const OF_PAIL: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Sid":"NoSecrets","Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::pail/secret/*"},
    {"Sid":"NotHigh","Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::pail/*",
     "Condition":{"StringEquals":{"s3:ExistingObjectTag/level":"high"}}}]}"#;

const OF_SHARED: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Sid":"Everyone","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::shared/*"}]}"#;

const OWNERSHIP: &str =
    "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>";

/// What is asked, whether it is allowed, and what standard output then says among other things.
type Case = (&'static [&'static str], bool, &'static [&'static str]);

const CASES: [Case; 14] = [
    (
        &["--user", "bob", "--action", "s3:GetObject", "--resource", "pail/none"],
        true,
        &["(Sid Read)", "object: not found"],
    ),
    (
        &["--user", "bob", "--action", "s3:GetObject", "--resource", "pail/a"],
        true,
        &["(Sid Read) of user bob, inline policy reads allows it", "caller: arn:aws:iam::000000000000:user/bob"],
    ),
    (
        &["--user", "bob", "--action", "S3:GETOBJECT", "--resource", "arn:aws:s3:::pail/secret/a"],
        false,
        &["(Sid NoSecrets) of the bucket policy denies it", "bucket policy: yes", "object: found"],
    ),
    (
        &["--user", "bob", "--action", "s3:GetObject", "--resource", "pail/tagged"],
        false,
        &["(Sid NotHigh) of the bucket policy denies it", "with tags level=high"],
    ),
    (
        &[
            "--user",
            "bob",
            "--action",
            "s3:GetObject",
            "--resource",
            "pail/tagged",
            "--condition",
            "s3:ExistingObjectTag/level=low",
        ],
        true,
        &["(Sid Read)", "with no tags"],
    ),
    (
        &["--user", "bob", "--action", "s3:PutObject", "--resource", "pail/a"],
        false,
        &["no statement allows s3:PutObject on arn:aws:s3:::pail/a", "object: not looked at"],
    ),
    (&["--user", "bob", "--action", "s3:ListBucket", "--resource", "pail"], false, &["no statement allows"]),
    (
        &["--user", "bob", "--action", "s3:ListBucket", "--resource", "pail", "--condition", "aws:SourceIp=10.1.2.3"],
        true,
        &["(Sid Office)"],
    ),
    (
        &["--user", "bob", "--action", "s3:GetObject", "--resource", "pail/a", "--version-id", "null"],
        true,
        &["action: s3:GetObjectVersion"],
    ),
    (&["--root", "--action", "s3:GetObject", "--resource", "pail/a"], true, &["owns the resource"]),
    (&["--user", "bob", "--action", "s3:ListAllMyBuckets", "--resource", "*"], false, &["resource: arn:aws:s3:::*"]),
    (
        &["--anonymous", "--action", "s3:GetObject", "--resource", "open/a"],
        true,
        &[
            "the grant of READ to",
            "object ownership: ObjectWriter, so access control lists count",
            "public access block: none",
        ],
    ),
    (
        &["--anonymous", "--action", "s3:GetObject", "--resource", "closed/a"],
        false,
        &["no policy and no grant", "public access block: IgnorePublicAcls"],
    ),
    (
        &["--anonymous", "--action", "s3:GetObject", "--resource", "shared/a"],
        false,
        &["RestrictPublicBuckets keeps the bucket", "public access block: RestrictPublicBuckets"],
    ),
];

fn run(data: &Path, arguments: &[&str]) -> Output {
    brim(arguments).arg("--data").arg(data).output().unwrap()
}

fn explain(data: &Path, arguments: &[&str]) -> Output {
    run(data, &[&["policy", "explain"], arguments].concat())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn done(answer: &Answer) {
    assert!((200..300).contains(&answer.status), "{answer:?}");
}

/// Puts everything that the cases speak of. Gives bob's key.
async fn furnish(server: &Server, data: &Path) -> (String, String) {
    let client = server.client();
    for bucket in ["pail", "open", "closed", "shared"] {
        done(&client.put(&format!("/{bucket}"), "").await);
    }
    done(&client.put("/pail/a", "a").await);
    done(&client.put("/pail/secret/a", "a").await);
    done(&client.send("PUT", "/pail/tagged", &[("x-amz-tagging", "level=high")], "a").await);
    done(&client.put("/pail?policy", OF_PAIL).await);
    for bucket in ["open", "closed"] {
        done(&client.put(&format!("/{bucket}?ownershipControls"), OWNERSHIP).await);
        done(&client.send("PUT", &format!("/{bucket}/a"), &[("x-amz-acl", "public-read")], "a").await);
    }
    done(&client.put("/shared/a", "a").await);
    done(&client.put("/shared?policy", OF_SHARED).await);
    for (bucket, rule) in [("closed", "IgnorePublicAcls"), ("shared", "RestrictPublicBuckets")] {
        let block = format!("<PublicAccessBlockConfiguration><{rule}>true</{rule}></PublicAccessBlockConfiguration>");
        done(&client.put(&format!("/{bucket}?publicAccessBlock"), block).await);
    }
    let policy = data.with_file_name("policy.json");
    std::fs::write(&policy, OF_BOB).unwrap();
    for arguments in
        [&["user", "create", "bob"][..], &["user", "policy", "put", "bob", "reads", policy.to_str().unwrap()]]
    {
        assert!(run(data, arguments).status.success(), "{arguments:?}");
    }
    let made = run(data, &["key", "create", "--user", "bob", "--json"]);
    let key: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    let word = |name: &str| key[name].as_str().unwrap().to_owned();
    (word("access_key_id"), word("secret_access_key"))
}

fn check(data: &Path) {
    for (arguments, allowed, phrases) in CASES {
        let output = explain(data, arguments);
        let (code, said) = (output.status.code(), text(&output.stdout));
        assert_eq!(code, Some(if allowed { 0 } else { 4 }), "{arguments:?} {output:?}");
        assert!(said.starts_with(if allowed { "allowed\n" } else { "denied\n" }), "{arguments:?} {said}");
        assert!(output.stderr.is_empty(), "{arguments:?} {output:?}");
        for phrase in phrases {
            assert!(said.contains(phrase), "{phrase:?} not in {arguments:?} {said}");
        }
    }
}

#[tokio::test]
async fn requests_are_explained_while_the_server_runs_and_while_it_does_not_as_it_decides_them() {
    let (_parent, data) = data();
    let mut server = Server::start_on(&data, &[]).unwrap();
    let (id, secret) = furnish(&server, &data).await;
    check(&data);

    // The page shows what is printed.
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/access.md")).unwrap();
    let shown = explain(&data, &["--user", "bob", "--action", "s3:GetObject", "--resource", "pail/tagged"]);
    assert!(page.contains(&format!("--resource pail/tagged\n{}```\n", text(&shown.stdout))), "{shown:?}");

    // What the server answers itself, and why.
    let bob = Signed::new(server.s3, &id, &secret);
    assert_eq!(bob.get("/pail/a").await.status, 200);
    for (path, reason) in [("/pail/secret/a", "(Sid NoSecrets)"), ("/pail/tagged", "(Sid NotHigh)")] {
        let refused = bob.get(path).await;
        assert_eq!(refused.error(), (403, "AccessDenied".into()));
        assert!(refused.text().contains(reason), "{}", refused.text());
    }
    for (path, status) in [("/open/a", 200), ("/closed/a", 403), ("/shared/a", 403)] {
        assert_eq!(unsigned(&server, "GET", path, &[]).await.status, status, "{path}");
    }

    let asked = ["--key", &id, "--action", "s3:GetObject", "--resource", "pail/a", "--json"];
    let running = explain(&data, &asked);
    let json: serde_json::Value = serde_json::from_slice(&running.stdout).unwrap();
    assert_eq!((&json["allowed"], &json["object"]["state"]), (&true.into(), &"found".into()));
    assert_eq!(json["identity_policies"], serde_json::json!(["user bob, inline policy reads"]));
    assert_eq!(json["bucket"]["ownership"], "BucketOwnerEnforced");

    server.kill();
    check(&data);
    assert_eq!(text(&explain(&data, &asked).stdout), text(&running.stdout));
}

#[tokio::test]
async fn what_cannot_be_judged_is_said_and_is_no_denial() {
    let (_parent, data) = data();
    let server = Server::start_on(&data, &[]).unwrap();
    let (id, _) = furnish(&server, &data).await;
    assert!(run(&data, &["key", "disable", &id]).status.success());
    let whole = ["--action", "s3:GetObject", "--resource", "pail/a"];
    for (arguments, message) in [
        (&["--root", "--action", "s3:GetObject", "--resource", "bucket/a"][..], "bucket bucket does not exist"),
        (&["--root", "--action", "s3:Fetch", "--resource", "pail/a"], "\"s3:Fetch\" is not an action of S3"),
        (&["--root", "--action", "s3:GetObject", "--resource", "pail"], "which is written BUCKET/KEY"),
        (&[&whole[..], &["--user", "carol"]].concat(), "there is no user carol"),
        (&[&whole[..], &["--user", "bob", "--account", "999999999999"]].concat(), "there is no account 999999999999"),
        (&[&whole[..], &["--key", "BRIMA"]].concat(), "there is no access key BRIMA"),
        (&[&whole[..], &["--key", &id]].concat(), "is disabled"),
        (&[&whole[..], &["--root", "--version-id", "7"]].concat(), "\"7\" is not a version id"),
        (
            &[&whole[..], &["--root", "--condition", "aws:SourceIp=here"]].concat(),
            "\"here\" is not a value of aws:SourceIp",
        ),
        (&[&whole[..], &["--root", "--condition", "aws:username=bob"]].concat(), "is not a condition key of requests"),
    ] {
        let output = explain(&data, arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?} {output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        assert!(text(&output.stderr).contains(message), "{message:?} not in {output:?}");
    }
    let unnamed = explain(&data, &whole);
    assert_eq!(unnamed.status.code(), Some(2), "{unnamed:?}");
}
