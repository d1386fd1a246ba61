//! The order of rules over files in memory: no store and no HTTP.

use std::collections::BTreeMap;

use super::*;
use crate::clock::Timestamp;
use crate::names::{AccountId, ETag};
use crate::site::configuration::{Condition, Redirect, Replace, RoutingRule};
use crate::store::checksum::{Algorithm, ChecksumType};
use crate::store::record::{Data, Metadata, ObjectRecord, StorageClass, Summary};
use crate::website::failure::Code;

/// What a visitor finds at a key.
#[derive(Clone, Copy)]
enum At {
    Page,
    /// There, and not for him.
    Private,
    Redirect(&'static str),
}

struct Memory {
    files: BTreeMap<&'static str, At>,
    /// Whether the visitor may list.
    lists: bool,
}

impl Files for Memory {
    async fn find(&self, key: &str) -> Result<File, Failure> {
        let file = |redirect: Option<&str>| Ok(File::described(key, record(redirect)));
        match self.files.get(key) {
            Some(At::Page) => file(None),
            Some(At::Redirect(location)) => file(Some(location)),
            None if self.lists => Err(Failure::missing(key)),
            Some(At::Private) | None => Err(Failure::new(Code::AccessDenied)),
        }
    }

    async fn has(&self, key: &str) -> Result<bool, Failure> {
        Ok(self.files.contains_key(key))
    }
}

fn record(redirect: Option<&str>) -> ObjectRecord {
    ObjectRecord {
        summary: Summary {
            size: 10,
            etag: ETag::single([7; 16]),
            modified: Timestamp::from_seconds(1_000),
            owner: "000000000000".parse::<AccountId>().unwrap(),
            storage_class: StorageClass::Standard,
            algorithm: Algorithm::Crc64Nvme,
            checksum_type: ChecksumType::FullObject,
        },
        data: Data::Empty,
        crc64nvme: 0,
        checksum: None,
        metadata: Metadata { website_redirect_location: redirect.map(str::to_owned), ..Metadata::default() },
        version: None,
        acl: Vec::new(),
    }
}

fn rule(prefix: Option<&str>, status: Option<u16>, replace: &str) -> RoutingRule {
    let condition =
        (prefix.is_some() || status.is_some()).then(|| Condition { prefix: prefix.map(str::to_owned), status });
    let replace = Replace::Key(replace.to_owned());
    RoutingRule { condition, redirect: Redirect { protocol: None, host: None, status: None, replace } }
}

fn site(error: Option<&str>, rules: Vec<RoutingRule>) -> Serve {
    Serve { index: "index.html".to_owned(), error: error.map(str::to_owned), rules }
}

const FILES: [(&str, At); 12] = [
    ("index.html", At::Page),
    ("page", At::Page),
    ("docs/index.html", At::Page),
    ("both", At::Page),
    ("both/index.html", At::Page),
    ("secret", At::Private),
    ("secret/index.html", At::Page),
    ("vault/index.html", At::Private),
    ("old", At::Redirect("/new")),
    ("moved/index.html", At::Redirect("https://example.com/")),
    ("error.html", At::Page),
    ("private.html", At::Private),
];

/// What the site says, in a few words.
async fn said(site: &Serve, lists: bool, key: &str, headers: &[(&str, &str)]) -> String {
    let files = Memory { files: FILES.into_iter().collect(), lists };
    let headers = headers.iter().copied().collect();
    let asked = Asked { key, host: "h", protocol: Protocol::Http, headers: &headers };
    match resolve(site, &files, asked).await {
        Outcome::File(file, Portion::Whole) => format!("200 {}", file.key),
        Outcome::File(file, Portion::Part(range)) => format!("206 {} {range:?}", file.key),
        Outcome::File(file, Portion::NotModified) => format!("304 {}", file.key),
        Outcome::Document(file, failure) => format!("{} {}", failure.status(), file.key),
        Outcome::Moved(to) => format!("{} {}", to.status, to.location),
        Outcome::Folder(location) => format!("302 {location}"),
        Outcome::Failed(failure, None) => format!("{} {}", failure.status(), shown(&failure)),
        Outcome::Failed(failure, Some(second)) => {
            format!("{} {}, {}", failure.status(), shown(&failure), shown(&second))
        }
    }
}

fn shown(failure: &Failure) -> String {
    let key = failure.details.iter().find(|(name, _)| *name == "Key").map(|(_, key)| key.as_str());
    [Some(failure.code.as_str()), key].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn keys_indexes_and_folders() {
    let site = site(None, Vec::new());
    for (key, expected, to_strangers) in [
        ("", "200 index.html", None),
        ("page", "200 page", None),
        ("page/", "404 NoSuchKey page/index.html", Some("403 AccessDenied")),
        ("docs/", "200 docs/index.html", None),
        ("docs", "302 /docs/", None),
        ("docs/index.html", "200 docs/index.html", None),
        ("none", "404 NoSuchKey none", Some("403 AccessDenied")),
        ("none/", "404 NoSuchKey none/index.html", Some("403 AccessDenied")),
        // A file is given before its folder, and one that is private is no folder.
        ("both", "200 both", None),
        ("secret", "403 AccessDenied", None),
        ("secret/", "200 secret/index.html", None),
        // An index that may not be read is no index: nobody learns of it.
        ("vault", "404 NoSuchKey vault", Some("403 AccessDenied")),
        ("vault/", "403 AccessDenied", None),
        ("old", "301 /new", None),
        ("moved/", "301 https://example.com/", None),
        ("moved", "302 /moved/", None),
        ("/docs", "404 NoSuchKey /docs", Some("403 AccessDenied")),
    ] {
        assert_eq!(said(&site, true, key, &[]).await, expected, "{key}");
        assert_eq!(said(&site, false, key, &[]).await, to_strangers.unwrap_or(expected), "{key} without list");
    }
}

#[tokio::test]
async fn error_documents_have_the_status_of_the_failure() {
    for (document, key, expected, to_strangers) in [
        ("error.html", "none", "404 error.html", "403 error.html"),
        ("error.html", "secret", "403 error.html", "403 error.html"),
        ("absent.html", "none", "404 NoSuchKey none, NoSuchKey absent.html", "403 AccessDenied, AccessDenied"),
        ("private.html", "none", "404 NoSuchKey none, AccessDenied", "403 AccessDenied, AccessDenied"),
        ("old", "none", "301 /new", "301 /new"),
        ("docs", "none", "404 NoSuchKey none, NoSuchKey docs", "403 AccessDenied, AccessDenied"),
    ] {
        let site = site(Some(document), Vec::new());
        assert_eq!(said(&site, true, key, &[]).await, expected, "{document} {key}");
        assert_eq!(said(&site, false, key, &[]).await, to_strangers, "{document} {key} without list");
    }
}

#[tokio::test]
async fn rules_come_before_the_file_or_after_its_absence() {
    let rules = vec![
        rule(Some("pa"), None, "before"),
        rule(Some("none"), Some(404), "missing"),
        rule(None, Some(403), "denied"),
        rule(Some("doc"), Some(404), "never: docs has an index"),
    ];
    let site = site(Some("error.html"), rules);
    for (key, expected, to_strangers) in [
        ("page", "301 http://h/before", "301 http://h/before"),
        ("past", "301 http://h/before", "301 http://h/before"),
        ("none", "301 http://h/missing", "301 http://h/denied"),
        ("none/", "301 http://h/missing", "301 http://h/denied"),
        ("other", "404 error.html", "301 http://h/denied"),
        ("secret", "301 http://h/denied", "301 http://h/denied"),
        ("docs", "302 /docs/", "302 /docs/"),
        ("", "200 index.html", "200 index.html"),
    ] {
        assert_eq!(said(&site, true, key, &[]).await, expected, "{key}");
        assert_eq!(said(&site, false, key, &[]).await, to_strangers, "{key} without list");
    }
}

#[tokio::test]
async fn conditions_and_ranges_are_of_the_file_alone() {
    let etag = ETag::single([7; 16]).quoted();
    let (with, without) = (site(Some("error.html"), Vec::new()), site(None, Vec::new()));
    for (headers, expected, with_document) in [
        ([("if-none-match", etag.as_str())].as_slice(), "304 page", "304 page"),
        (&[("if-none-match", "\"other\"")], "200 page", "200 page"),
        (&[("if-modified-since", "Thu, 01 Jan 2026 00:00:00 GMT")], "304 page", "304 page"),
        (&[("if-match", "\"other\"")], "412 PreconditionFailed", "412 error.html"),
        (&[("range", "bytes=2-4")], "206 page 2..5", "206 page 2..5"),
        (&[("range", "bytes=2-4"), ("if-range", "\"other\"")], "200 page", "200 page"),
        (&[("range", "bytes=2-4"), ("if-none-match", etag.as_str())], "304 page", "304 page"),
        (&[("range", "bytes=10-")], "416 InvalidRange", "416 error.html"),
    ] {
        assert_eq!(said(&without, true, "page", headers).await, expected, "{headers:?}");
        assert_eq!(said(&with, true, "page", headers).await, with_document, "{headers:?}");
    }
    // The error document is sent whole, whatever was asked of the file that is not there.
    let asked = [("if-none-match", etag.as_str()), ("range", "bytes=2-4")];
    assert_eq!(said(&with, true, "none", &asked).await, "404 error.html");
}

#[tokio::test]
async fn a_failure_of_the_server_is_no_page_of_the_site() {
    struct Broken;
    impl Files for Broken {
        async fn find(&self, _: &str) -> Result<File, Failure> {
            Err(Failure::new(Code::SlowDown))
        }
        async fn has(&self, _: &str) -> Result<bool, Failure> {
            Err(Failure::new(Code::SlowDown))
        }
    }
    let headers = Headers::default();
    let asked = Asked { key: "page", host: "h", protocol: Protocol::Http, headers: &headers };
    let outcome = resolve(&site(Some("error.html"), Vec::new()), &Broken, asked).await;
    assert!(matches!(outcome, Outcome::Failed(Failure { code: Code::SlowDown, .. }, None)));
    let site = site(None, vec![rule(None, Some(503), "busy")]);
    assert!(matches!(resolve(&site, &Broken, asked).await, Outcome::Moved(_)));
}
