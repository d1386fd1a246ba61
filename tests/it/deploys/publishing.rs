//! What a deploy sends and what it leaves behind.

use std::os::unix::fs::symlink;

use brim::client::{Body, Client, Condition, Error, FileBody, Flags, Put, Settings, Surroundings};
use brim::names::BucketName;
use serde_json::{Value, json};

use super::{Folder, Site, brim_site, said, text};
use crate::harness::{Server, noise};
use crate::raw::Raw;
use crate::tls::Authority;

#[tokio::test]
async fn a_deploy_publishes_every_file_and_says_where() {
    let server = Server::start();
    let site = Site::new(&server).await;
    let folder = Folder::new(&[
        ("index.html", "<h1>é</h1>"),
        ("style.css", "h1 {}"),
        ("a b/100%+~.txt", "odd"),
        (".well-known/security.txt", "mail"),
        ("empty", ""),
    ]);
    let output = site.run(&["deploy", folder.path(), "--message", "first"]);
    assert!(output.status.success(), "{}", said(&output));
    let id = site.live_id().await.unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    assert!(
        words.contains("+ a b/100%+~.txt\n")
            && words.contains(&format!("5 files, 23 B; 5 files (23 B) sent. {id} is live.\n")),
        "{words}"
    );
    let (own, preview) =
        (format!("http://{}.website.localhost:9080/", site.bucket), format!("http://{id}--{}.", site.bucket));
    assert!(words.contains(&own) && words.contains(&preview), "{words}");

    assert_eq!(site.live().await.unwrap(), folder.files());
    let manifest = site.manifest(&id).await;
    assert_eq!((&manifest["message"], &manifest["version"]), (&json!("first"), &json!(1)));
    assert_eq!(manifest["files"]["index.html"]["content_type"], "text/html; charset=utf-8");
    let website = site.client().get(&format!("/{}?website", site.bucket)).await;
    assert_eq!(website.element("Suffix").as_deref(), Some("index.html"), "{website:?}");
    assert!(words.contains("it is one now"), "{words}");

    // The endpoint serves it, and the deploy under its own host.
    site.done(&["init"]);
    for host in [site.bucket.clone(), format!("{id}--{}", site.bucket)] {
        let mut connection = Raw::connect(server.website).await;
        connection.send(format!("GET / HTTP/1.1\r\nHost: {host}.website.localhost\r\n\r\n")).await;
        let answer = connection.answer().await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "<h1>é</h1>"), "{host}");
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    }
    let listed = site.done(&["deploys"]);
    assert_eq!((text(&listed[0], "deploy"), text(&listed[0], "message")), (id.as_str(), "first"));
    assert_eq!((&listed[0]["files"], &listed[0]["bytes"], &listed[0]["live"]), (&json!(5), &json!(23), &json!(true)));
}

#[tokio::test]
async fn only_what_is_not_stored_yet_is_sent() {
    let server = Server::start();
    let site = Site::new(&server).await;
    let folder = Folder::new(&[("index.html", "one"), ("a.css", "a"), ("copy.css", "a")]);
    let counts = |outcome: &Value| [outcome["uploaded"].clone(), outcome["published"].clone()];
    let first = site.deploy(&folder);
    assert_eq!(
        (counts(&first), &first["files"]),
        ([json!(2), json!(true)], &json!(3)),
        "the same content is sent once"
    );

    let again = site.deploy(&folder);
    assert_eq!((counts(&again), &again["deploy"]), ([json!(0), json!(false)], &first["deploy"]), "nothing changed");
    folder.write("index.html", "two");
    folder.write("more/b.css", "b");
    folder.remove("copy.css");
    let second = site.deploy(&folder);
    assert_eq!(counts(&second), [json!(2), json!(true)]);
    let difference = json!({ "added": ["more/b.css"], "changed": ["index.html"], "removed": ["copy.css"] });
    assert_eq!(second["difference"], difference);
    folder.write("index.html", "one");
    assert_eq!(counts(&site.deploy(&folder)), [json!(0), json!(true)], "what is stored is not sent again");
    assert_eq!(site.live().await.unwrap(), folder.files());

    // Another type is another file, though its bytes are there.
    folder.remove("a.css");
    folder.write("a.txt", "a");
    assert_eq!(counts(&site.deploy(&folder)), [json!(0), json!(true)]);
    // What vanished from the live deploy is noticed and sent again.
    let live = site.manifest(&site.live_id().await.unwrap()).await;
    let key = format!("/{}/.brim/files/{}", site.bucket, text(&live["files"]["index.html"], "sha256"));
    assert_eq!(server.client().delete(&key).await.status, 204);
    assert_eq!(counts(&site.deploy(&folder)), [json!(1), json!(true)]);
    assert_eq!(site.live().await.unwrap(), folder.files());
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let server = Server::start();
    let site = Site::new(&server).await;
    let folder = Folder::new(&[("index.html", "one"), ("a.css", "a")]);
    let dry = site.done(&["deploy", folder.path(), "--dry-run"]);
    assert_eq!((&dry["published"], &dry["uploaded"], &dry["deploy"]), (&json!(false), &json!(2), &Value::Null));
    assert!(site.keys().await.is_empty());
    assert_eq!(server.client().get(&format!("/{}?website", site.bucket)).await.status, 404);
    site.deploy(&folder);
    let before = site.keys().await;
    folder.write("index.html", "two");
    let dry = site.done(&["deploy", folder.path(), "--dry-run"]);
    assert_eq!((&dry["difference"]["changed"], &dry["uploaded_bytes"]), (&json!(["index.html"]), &json!(3)));
    assert_eq!(site.keys().await, before);
}

#[tokio::test]
async fn faults_of_a_folder_are_told_at_once_and_nothing_is_sent() {
    let server = Server::start();
    let site = Site::new(&server).await;
    let folder = Folder::new(&[
        ("index.html", ""),
        ("_redirects", "/a /b 301\n/c\n"),
        ("_headers", "/*\n  no colon\n"),
        (".brim/site.toml", "clean_urls = true\nclean_urrls = true\n"),
    ]);
    symlink("/etc/hostname", format!("{}/host", folder.path())).unwrap();
    let (status, words) = site.refusal(&["deploy", folder.path()]);
    assert_eq!(status, 2);
    for says in ["_redirects:2: ", "_headers:2: ", ".brim/site.toml:2: ", "host: a link that leads out of the folder"] {
        assert!(words.contains(says), "{says:?} not in {words}");
    }
    assert!(site.keys().await.is_empty());
    // The same without a server.
    let check = brim_site(&["check", folder.path()], "http://127.0.0.1:1", "", "").output().unwrap();
    assert_eq!((check.status.code(), String::from_utf8(check.stderr).unwrap()), (Some(2), words));
    let good = Folder::new(&[("index.html", "")]);
    let check = brim_site(&["check", good.path(), "--json"], "http://127.0.0.1:1", "", "").output().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&check.stdout).unwrap()["files"], 1);
}

#[tokio::test]
async fn what_goes_wrong_is_said_in_s3s_words_with_advice() {
    let server = Server::start();
    let mut site = Site::new(&server).await;
    let folder = Folder::new(&[("index.html", "")]);
    let deploy = ["deploy", folder.path()];
    let wrong = |access_key: &str, secret_key: &str| {
        let mut command = brim_site(&deploy, &site.endpoint, access_key, secret_key);
        said(&command.args(["--bucket", &site.bucket]).output().unwrap())
    };
    assert!(wrong("NOBODY", "x").contains("InvalidAccessKeyId (403)"));
    assert!(wrong(&server.access_key, "x").contains("the secret key does not belong"));
    let (status, words) = site.refusal(&[deploy.as_slice(), &["--profile", "absent"]].concat());
    assert!(status == 2 && words.contains("absent"), "{words}");
    site.bucket = "no-such-bucket".to_owned();
    let (status, words) = site.refusal(&deploy);
    assert!(status == 1 && words.contains("NoSuchBucket (404)") && words.contains("brim site init"), "{words}");
    site.endpoint = "127.0.0.1:9000".to_owned();
    assert!(site.refusal(&deploy).1.contains("begins neither with http:// nor with https://"));
}

/// The client of the commands, as the tests of the library cannot have it: in front of a server.
fn client(server: &Server) -> Client {
    let (endpoint, key, secret) =
        (format!("http://{}", server.s3), server.access_key.clone(), server.secret_key.clone());
    let variable = |name: &str| match name {
        "AWS_ENDPOINT_URL" => Some(endpoint.clone()),
        "AWS_ACCESS_KEY_ID" => Some(key.clone()),
        "AWS_SECRET_ACCESS_KEY" => Some(secret.clone()),
        _ => None,
    };
    let settings = Settings::resolve(&Flags::default(), &Surroundings { variable: &variable }).unwrap();
    Client::new(settings).unwrap()
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().try_into().unwrap()
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_sent_is_refused_small_or_large() {
    let server = Server::start();
    let bucket = BucketName::parse(&server.bucket().await).unwrap();
    let (client, file) = (client(&server), tempfile::NamedTempFile::new().unwrap());
    let put = Put { bucket: &bucket, key: "k", content_type: "a/b", condition: Condition::Absent, body: Body::Empty };
    for size in [1000, 65 * 1024 * 1024] {
        let announced = noise(size, 1);
        let body = FileBody { path: file.path().to_owned(), size: size as u64, sha256: sha256(&announced) };
        let (mut other, shorter) = (announced.clone(), &announced[..size - 1]);
        other[size / 2] ^= 1;
        for changed in [other.as_slice(), shorter] {
            std::fs::write(file.path(), changed).unwrap();
            let error = client.put_file(&put, &body, &|_| {}).await.unwrap_err();
            assert!(matches!(error, Error::Changed(_)), "{size}: {error}");
        }
        assert!(client.get_object(&bucket, "k", 10).await.unwrap().is_none());
        let uploads = server.client().get(&format!("/{bucket}?uploads")).await;
        assert!(uploads.elements("UploadId").is_empty(), "{uploads:?}");
    }
}

#[tokio::test]
async fn large_files_go_in_parts_and_arrive_whole() {
    let server = Server::start();
    let site = Site::new(&server).await;
    let folder = Folder::new(&[("index.html", "i")]);
    folder.write("film.bin", noise(70 * 1024 * 1024 + 7, 3));
    let outcome = site.deploy(&folder);
    assert_eq!((&outcome["uploaded"], &outcome["uploaded_bytes"]), (&json!(2), &json!(70 * 1024 * 1024 + 8)));
    assert!(site.live().await.unwrap() == folder.files(), "the film is not what it was");
}

#[tokio::test]
async fn commands_speak_https_with_those_that_are_trusted() {
    let authority = Authority::new();
    authority.issue("s3", &["localhost"]);
    let server = authority.serve(&["s3"], &[]);
    let mut site = Site::new(&server).await;
    site.endpoint = format!("https://localhost:{}", server.https("s3_tls").port());
    let (folder, bundle) = (Folder::new(&[("index.html", "over TLS")]), authority.bundle());
    let bundle = bundle.to_str().unwrap();
    let (status, words) = site.refusal(&["deploy", folder.path()]);
    assert!(status == 1 && words.contains("UnknownIssuer") && words.contains("--ca-bundle"), "{words}");
    assert!(site.keys().await.is_empty());
    site.done(&["deploy", folder.path(), "--ca-bundle", bundle]);
    assert_eq!(site.live().await.unwrap(), folder.files());
    let output = site.command(&["status"]).env("AWS_CA_BUNDLE", bundle).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}
