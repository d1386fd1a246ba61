//! S3's order.

use super::*;

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

async fn asked(site: &Serve, lists: bool, path: &str, headers: &[(&str, &str)]) -> String {
    said(site, None, &FILES, Visit { path, query: "q=1", headers, lists }).await
}

#[tokio::test]
async fn keys_indexes_and_folders() {
    let site = site(None, Vec::new());
    for (path, expected, to_strangers) in [
        ("/", "200 index.html", None),
        ("/page", "200 page", None),
        ("/page/", "404 NoSuchKey page/index.html", Some("403 AccessDenied")),
        ("/docs/", "200 docs/index.html", None),
        ("/docs", "302 /docs/", None),
        ("/docs/index.html", "200 docs/index.html", None),
        ("/none", "404 NoSuchKey none", Some("403 AccessDenied")),
        ("/none/", "404 NoSuchKey none/index.html", Some("403 AccessDenied")),
        // A file is given before its folder, and one that is private is no folder.
        ("/both", "200 both", None),
        ("/secret", "403 AccessDenied", None),
        ("/secret/", "200 secret/index.html", None),
        // An index that may not be read is no index: nobody learns of it.
        ("/vault", "404 NoSuchKey vault", Some("403 AccessDenied")),
        ("/vault/", "403 AccessDenied", None),
        ("/old", "301 /new", None),
        ("/moved/", "301 https://example.com/", None),
        ("/moved", "302 /moved/", None),
        ("//docs", "404 NoSuchKey /docs", Some("403 AccessDenied")),
    ] {
        assert_eq!(asked(&site, true, path, &[]).await, expected, "{path}");
        assert_eq!(asked(&site, false, path, &[]).await, to_strangers.unwrap_or(expected), "{path} without list");
    }
}

#[tokio::test]
async fn error_documents_have_the_status_of_the_failure() {
    for (document, path, expected, to_strangers) in [
        ("error.html", "/none", "404 error.html", "403 error.html"),
        ("error.html", "/secret", "403 error.html", "403 error.html"),
        ("absent.html", "/none", "404 NoSuchKey none, NoSuchKey absent.html", "403 AccessDenied, AccessDenied"),
        ("private.html", "/none", "404 NoSuchKey none, AccessDenied", "403 AccessDenied, AccessDenied"),
        ("old", "/none", "301 /new", "301 /new"),
        ("docs", "/none", "404 NoSuchKey none, NoSuchKey docs", "403 AccessDenied, AccessDenied"),
    ] {
        let site = site(Some(document), Vec::new());
        assert_eq!(asked(&site, true, path, &[]).await, expected, "{document} {path}");
        assert_eq!(asked(&site, false, path, &[]).await, to_strangers, "{document} {path} without list");
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
    for (path, expected, to_strangers) in [
        ("/page", "301 http://h/before", "301 http://h/before"),
        ("/past", "301 http://h/before", "301 http://h/before"),
        ("/none", "301 http://h/missing", "301 http://h/denied"),
        ("/none/", "301 http://h/missing", "301 http://h/denied"),
        ("/other", "404 error.html", "301 http://h/denied"),
        ("/secret", "301 http://h/denied", "301 http://h/denied"),
        ("/docs", "302 /docs/", "302 /docs/"),
        ("/", "200 index.html", "200 index.html"),
    ] {
        assert_eq!(asked(&site, true, path, &[]).await, expected, "{path}");
        assert_eq!(asked(&site, false, path, &[]).await, to_strangers, "{path} without list");
    }
}

#[tokio::test]
async fn conditions_and_ranges_are_of_the_file_alone() {
    let etag = etag("page").quoted();
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
        assert_eq!(asked(&without, true, "/page", headers).await, expected, "{headers:?}");
        assert_eq!(asked(&with, true, "/page", headers).await, with_document, "{headers:?}");
    }
    // The error document is sent whole, whatever was asked of the file that is not there.
    let wanted = [("if-none-match", etag.as_str()), ("range", "bytes=2-4")];
    assert_eq!(asked(&with, true, "/none", &wanted).await, "404 error.html");
}

#[tokio::test]
async fn a_failure_of_the_server_is_no_page_of_the_site() {
    struct Broken;
    impl Files for Broken {
        async fn find(&self, _: &str) -> Result<Found, Failure> {
            Err(Failure::new(Code::SlowDown))
        }
        async fn has(&self, _: &str) -> Result<bool, Failure> {
            Err(Failure::new(Code::SlowDown))
        }
        fn lists(&self) -> bool {
            true
        }
    }
    let (headers, path) = (Headers::default(), SitePath::parse("/page").unwrap());
    let asked = Asked { path: &path, query: "", host: "h", protocol: Protocol::Http, headers: &headers };
    let outcome = resolve(&site(Some("error.html"), Vec::new()), None, &Broken, asked).await;
    assert!(matches!(outcome, Outcome::Failed(Failure { code: Code::SlowDown, .. }, None)));
    let site = site(None, vec![rule(None, Some(503), "busy")]);
    assert!(matches!(resolve(&site, None, &Broken, asked).await, Outcome::Moved(_)));
}
