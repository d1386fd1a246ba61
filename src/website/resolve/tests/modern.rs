//! The order of rules of a site with options.

use super::*;
use crate::site::headers::HeaderRules;
use crate::site::options::Options;
use crate::site::redirects::Redirects;

const FILES: [(&str, At); 16] = [
    ("index.html", At::Page),
    ("index.html.br", At::Page),
    ("index.html.gz", At::Page),
    ("about.html", At::Page),
    ("blog/index.html", At::Page),
    ("blog/first.html", At::Page),
    ("blog/404.html", At::Page),
    ("404.html", At::Page),
    ("secret.html", At::Private),
    ("old.html", At::Redirect("/new")),
    ("logo.png", At::Page),
    ("logo.png.gz", At::Page),
    ("app.js", At::Page),
    ("app.js.gz", At::Private),
    ("app.js.zst", At::Page),
    ("error.html", At::Page),
];

fn modern(options: &str, redirects: &str) -> Modern {
    Modern {
        options: Options::parse(options).unwrap(),
        redirects: Redirects::parse(redirects).unwrap(),
        headers: HeaderRules::default(),
    }
}

async fn asked(site: &Serve, modern: &Modern, path: &str, headers: &[(&str, &str)]) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    said(site, Some(modern), &FILES, Visit { path, query, headers, lists: false }).await
}

/// Without the files that answer for what is not there.
async fn asked_bare(site: &Serve, modern: &Modern, path: &str) -> String {
    let files: Vec<_> = FILES.into_iter().filter(|(key, _)| !key.ends_with("404.html")).collect();
    said(site, Some(modern), &files, Visit { path, query: "", headers: &[], lists: false }).await
}

#[tokio::test]
async fn pages_are_found_under_clean_addresses() {
    let (site, modern) = (site(Some("error.html"), Vec::new()), modern("", ""));
    for (path, expected) in [
        ("/", "200 index.html"),
        ("/index.html", "308 /"),
        ("/about", "200 about.html"),
        ("/about?a=b", "200 about.html"),
        ("/about.html?a=b", "308 /about?a=b"),
        ("/about/", "308 /about"),
        ("/blog", "308 /blog/"),
        ("/blog/", "200 blog/index.html"),
        ("/blog/first", "200 blog/first.html"),
        ("/logo.png", "200 logo.png"),
        ("/old", "301 /new"),
        ("/old.html", "301 /new"),
        // Whoever may not read a page learns no more than that.
        ("/secret", "403 error.html"),
        ("/secret.html", "403 error.html"),
    ] {
        assert_eq!(asked(&site, &modern, path, &[]).await, expected, "{path}");
    }
}

#[tokio::test]
async fn the_nearest_page_answers_for_what_is_not_there_before_everything_else() {
    let site = site(Some("error.html"), Vec::new());
    for (options, path, expected, without) in [
        ("", "/none", "404 404.html", "404 error.html"),
        ("", "/blog/none", "404 blog/404.html", "404 error.html"),
        ("", "/blog/deep/er", "404 blog/404.html", "404 error.html"),
        ("single_page = \"index.html\"", "/none", "404 404.html", "200 index.html for all"),
        ("single_page = \"index.html\"", "/", "200 index.html", "200 index.html"),
        (
            "single_page = \"index.html\"\nnot_found_pages = false",
            "/none",
            "200 index.html for all",
            "200 index.html for all",
        ),
        ("single_page = \"gone.html\"\nnot_found_pages = false", "/none", "404 error.html", "404 error.html"),
        ("not_found_pages = false", "/none", "404 error.html", "404 error.html"),
    ] {
        let modern = modern(options, "");
        assert_eq!(asked(&site, &modern, path, &[]).await, expected, "{options} {path}");
        assert_eq!(asked_bare(&site, &modern, path).await, without, "{options} {path} without pages");
    }
}

#[tokio::test]
async fn redirects_come_first_and_routing_rules_after_them() {
    let rules = vec![
        rule(Some("about"), None, "before"),
        rule(Some("moved"), None, "never: a redirect is first"),
        rule(Some("none"), Some(404), "missing"),
        rule(None, Some(403), "denied"),
    ];
    let site = site(Some("error.html"), rules);
    let redirects =
        "/moved /blog/ 301\n/logo.png /elsewhere\n/shown /about.html 200\n/lost /nowhere 200\n/blog/* /b/:splat";
    let modern = modern("trailing_slash = \"never\"", redirects);
    for (path, expected) in [
        ("/moved", "301 /blog/"),
        ("/moved?a", "301 /blog/?a"),
        ("/logo.png", "302 /elsewhere"),
        ("/shown", "200 about.html"),
        ("/lost", "404 404.html"),
        ("/blog/first", "302 /b/first"),
        ("/about", "301 http://h/before"),
        ("/about/", "301 http://h/before"),
        ("/x/", "308 /x"),
        ("/none", "301 http://h/missing"),
        ("/other", "404 404.html"),
        ("/secret", "301 http://h/denied"),
    ] {
        assert_eq!(asked(&site, &modern, path, &[]).await, expected, "{path}");
    }
}

#[tokio::test]
async fn siblings_that_were_compressed_before_are_sent_to_who_takes_them() {
    let site = site(None, Vec::new());
    let (on, off) = (modern("", ""), modern("precompressed = false", ""));
    let tag = etag("index.html.br").quoted();
    for (path, headers, expected) in [
        ("/", [("accept-encoding", "gzip, br")].as_slice(), "200 index.html in br"),
        ("/", &[("accept-encoding", "gzip")], "200 index.html in gzip"),
        ("/", &[("accept-encoding", "zstd")], "200 index.html"),
        ("/", &[("accept-encoding", "br;q=0, *;q=0")], "200 index.html"),
        ("/", &[], "200 index.html"),
        // Each has a tag of its own, and conditions and ranges are of what is sent.
        ("/", &[("accept-encoding", "br"), ("if-none-match", tag.as_str())], "304 index.html in br"),
        ("/", &[("accept-encoding", "gzip"), ("if-none-match", tag.as_str())], "200 index.html in gzip"),
        ("/", &[("accept-encoding", "br"), ("range", "bytes=0-1")], "206 index.html in br 0..2"),
        ("/app.js", &[("accept-encoding", "gzip, zstd;q=0.5")], "200 app.js in zstd"),
        ("/logo.png", &[("accept-encoding", "gzip")], "200 logo.png"),
    ] {
        assert_eq!(asked(&site, &on, path, headers).await, expected, "{path} {headers:?}");
    }
    assert_eq!(asked(&site, &off, "/", &[("accept-encoding", "br")]).await, "200 index.html");
}
