//! The order of rules of a site with options: everything that could answer one path is there, and what answers first is
//! taken away, one after the other.

use super::*;

const ALL: &str = "<RedirectAllRequestsTo><HostName>all.example</HostName></RedirectAllRequestsTo>";
const BEFORE: &str = "<RoutingRule><Condition><KeyPrefixEquals>docs/a</KeyPrefixEquals></Condition>\
    <Redirect><ReplaceKeyWith>rule-before</ReplaceKeyWith></Redirect></RoutingRule>";
const AFTER: &str = "<RoutingRule><Condition><HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals></Condition>\
    <Redirect><ReplaceKeyWith>rule-after</ReplaceKeyWith><HttpRedirectCode>302</HttpRedirectCode></Redirect></RoutingRule>";

fn with_rules(rules: &[&str]) -> String {
    let rules = rules.concat();
    format!("{PAGES}<RoutingRules>{rules}</RoutingRules>")
}

/// What the site answers for the path of this test.
async fn answer(site: &Site) -> (u16, String) {
    let answer = site.get("/docs/a").await;
    match answer.header("location") {
        Some(location) => (answer.status, location.replace(&site.host(), "HERE")),
        None => (answer.status, answer.text()),
    }
}

#[tokio::test]
async fn the_first_rule_that_has_an_answer_gives_it() {
    let site = Site::start(ALL, READ).await;
    let host = site.host();
    for (key, content) in [
        ("docs/a", "exact"),
        ("docs/a.html", "clean"),
        ("docs/a/index.html", "index"),
        ("docs/404.html", "nearest"),
        ("404.html", "farther"),
        ("index.html", "single page"),
        ("error.html", "error document"),
        ("_redirects", "/docs/a /redirected"),
    ] {
        site.put(key, content).await;
    }
    let options = |canonical: bool, slash: &str, single: bool| {
        let mut text = format!("trailing_slash = \"{slash}\"\n");
        text += &if canonical { format!("canonical_host = \"www.{host}\"\n") } else { String::new() };
        text + if single { "single_page = \"index.html\"\n" } else { "" }
    };
    let is = async |status: u16, text: &str| assert_eq!(answer(&site).await, (status, text.to_owned()));

    site.put(".brim/site.toml", options(true, "always", true)).await;
    is(308, "http://www.HERE/docs/a").await;
    site.put(".brim/site.toml", options(false, "always", true)).await;
    is(301, "http://all.example/docs/a").await;
    site.configure(&with_rules(&[AFTER, BEFORE])).await;
    is(302, "/redirected").await;
    site.delete("_redirects").await;
    is(301, "http://HERE/rule-before").await;
    site.configure(&with_rules(&[AFTER])).await;
    is(308, "/docs/a/").await;
    site.put(".brim/site.toml", options(false, "auto", true)).await;
    is(200, "exact").await;
    site.delete("docs/a").await;
    is(200, "clean").await;
    site.delete("docs/a.html").await;
    is(308, "/docs/a/").await;
    site.delete("docs/a/index.html").await;
    is(302, "http://HERE/rule-after").await;
    site.configure(PAGES).await;
    is(404, "nearest").await;
    site.delete("docs/404.html").await;
    is(404, "farther").await;
    site.delete("404.html").await;
    is(200, "single page").await;
    site.put(".brim/site.toml", options(false, "auto", false)).await;
    is(404, "error document").await;
    site.delete("error.html").await;
    assert_eq!(failure(&site.get("/docs/a").await), missing("docs/a"));
}

#[tokio::test]
async fn the_coding_is_chosen_then_the_headers_and_redirects_have_none() {
    let site = Site::start(PAGES, READ).await;
    let page = [("content-type", "text/html")];
    site.put_with("a.html", &page, "plain").await;
    site.put("a.html.gz", "packed").await;
    site.put_with("404.html", &page, "missing").await;
    site.put("_redirects", "/old /a").await;
    site.put(
        "_headers",
        "/*\n  X-All: 1\n/a\n  X-All: 2\n  ! Referrer-Policy\n/a.html.gz\n  X-Sibling: 1\n/old\n  X-Old: 1",
    )
    .await;
    site.put(".brim/site.toml", "").await;
    let gzip = [("accept-encoding", "gzip")];
    let answer = site.get_with("/a", &gzip).await;
    assert_eq!(body(&answer), (200, "packed".to_owned()));
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    // Patterns are of the path that was asked for, whatever file answers.
    for (name, value) in
        [("x-all", Some("1, 2")), ("referrer-policy", None), ("x-sibling", None), ("vary", Some("Accept-Encoding"))]
    {
        assert_eq!(answer.header(name), value, "{name}");
    }
    let moved = site.get("/old").await;
    assert_eq!((location(&moved), moved.header("x-all"), moved.header("x-old")), ((302, "/a"), None, None));
    let missing = site.get_with("/none", &gzip).await;
    assert_eq!((body(&missing), missing.header("x-all")), ((404, "missing".to_owned()), Some("1")));
}

#[tokio::test]
async fn without_options_nothing_but_s3_s_rules_count() {
    let site = Site::start(PAGES, READ_AND_LIST).await;
    for (key, content) in [
        ("_redirects", "/a /redirected\n/* /index.html 200"),
        ("_headers", "/*\n  X-All: 1"),
        ("a.html", "page"),
        ("a.html.gz", "packed"),
        ("404.html", "nearest"),
        ("docs/index.html", "docs"),
        ("error.html", "error document"),
    ] {
        site.put(key, content).await;
    }
    assert_eq!(body(&site.get("/a").await), (404, "error document".to_owned()));
    assert_eq!(location(&site.get("/docs").await), (302, "/docs/"));
    assert_eq!(site.get("/docs/index.html").await.text(), "docs");
    let page = site.get_with("/a.html", &[("accept-encoding", "gzip")]).await;
    assert_eq!(body(&page), (200, "page".to_owned()));
    for name in ["x-all", "cache-control", "content-encoding", "vary", "x-content-type-options", "x-frame-options"] {
        assert_eq!(page.header(name), None, "{name}");
    }
}

#[tokio::test]
async fn a_rewrite_shows_the_file_under_the_address_that_was_asked_for() {
    let site = Site::start(&with_rules(&[BEFORE]), READ).await;
    site.put("index.html", "application").await;
    site.put("docs/index.html", "docs").await;
    site.put(".brim/site.toml", "trailing_slash = \"always\"").await;
    site.put("_redirects", "/docs/b /docs/ 200\n/secret/* /.:splat 200\n/gone/* /none 200\n/* /index.html 200").await;
    // Neither the clean URL of the file nor the slash nor another rule leads away.
    for (path, text) in
        [("/", "application"), ("/any/route", "application"), ("/docs/a", "application"), ("/docs/b", "docs")]
    {
        assert_eq!(body(&site.get(path).await), (200, text.to_owned()), "{path}");
    }
    assert_eq!(site.get("/secret/brim/site.toml").await.text(), "application", "what is never served is no target");
    assert_eq!(failure(&site.get("/gone/x").await), missing("gone/x"));
}

#[tokio::test]
async fn paths_end_as_the_policy_says_and_well_known_ones_as_they_are() {
    let site = Site::start(PAGES, READ).await;
    for key in ["about.html", "docs/index.html", "LICENSE", ".well-known/agreed"] {
        site.put(key, key).await;
    }
    for (policy, path, expected) in [
        ("always", "/about?a=b", Err("/about/?a=b")),
        ("always", "/about/", Ok("about.html")),
        ("always", "/about.html", Err("/about/")),
        ("always", "/LICENSE/", Ok("LICENSE")),
        ("always", "/docs/index.html", Err("/docs/")),
        ("always", "/.well-known/agreed", Ok(".well-known/agreed")),
        ("never", "/about/", Err("/about")),
        ("never", "/docs", Ok("docs/index.html")),
        ("never", "/docs/?a=b", Err("/docs?a=b")),
        ("never", "/docs/index.html", Err("/docs")),
        ("auto", "/about/", Err("/about")),
        ("auto", "/docs", Err("/docs/")),
        ("auto", "/docs/", Ok("docs/index.html")),
    ] {
        site.put(".brim/site.toml", format!("trailing_slash = \"{policy}\"")).await;
        let answer = site.get(path).await;
        match expected {
            Ok(text) => assert_eq!(body(&answer), (200, text.to_owned()), "{policy} {path}"),
            Err(to) => assert_eq!(location(&answer), (308, to), "{policy} {path}"),
        }
    }
    site.put(".brim/site.toml", "trailing_slash = \"never\"").await;
    assert_eq!(location(&site.get("//evil.example/").await), (308, "/%2Fevil.example"), "a path is no host");
}

#[tokio::test]
async fn thousands_of_rules_and_long_paths_are_answered() {
    let site = Site::start(PAGES, READ).await;
    site.put("index.html", "index").await;
    site.put(".brim/site.toml", "").await;
    let fixed: String = (0..2000).map(|n| format!("/fixed/{n} /to/{n}\n")).collect();
    let dynamic: String = (0..100).map(|n| format!("/dynamic/:a-:b/{n}/*/z /to/:b/:a/:splat 301\n")).collect();
    site.put("_redirects", fixed + &dynamic).await;
    assert_eq!(location(&site.get("/fixed/1999").await), (302, "/to/1999"));
    assert_eq!(location(&site.get("/dynamic/x-y-z/99/p/q/z").await), (301, "/to/z/x-y/p/q"));
    for path in [format!("/{}", "-/".repeat(500)), format!("/dynamic/{}", "-".repeat(1000)), "/".repeat(1000)] {
        assert_eq!(site.get(&path).await.status, 404, "{path}");
    }
    // One more is at fault: the rules before stay.
    let many: String = (0..2001).map(|n| format!("/more/{n} /to/{n}\n")).collect();
    site.put("_redirects", many).await;
    assert_eq!(location(&site.get("/fixed/7").await), (302, "/to/7"));
}
