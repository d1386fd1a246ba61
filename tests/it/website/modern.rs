//! What a site has with `.brim/site.toml`.

use super::*;

/// What a fresh site with options has.
async fn site_with(options: &str) -> Site {
    let site = Site::start(PAGES, READ).await;
    for (key, content_type, content) in [
        ("index.html", "text/html", "<p>index</p>"),
        ("about.html", "text/html", "<p>about</p>"),
        ("blog/index.html", "text/html", "<p>blog</p>"),
        ("blog/404.html", "text/html", "<p>no such post</p>"),
        ("404.html", "text/html", "<p>no such page</p>"),
        ("error.html", "text/html", "<p>sorry</p>"),
        ("app.3f2a1b9c.js", "text/javascript", "let a = 1;"),
    ] {
        site.put_with(key, &[("content-type", content_type)], content).await;
    }
    site.put(".brim/site.toml", options).await;
    site
}

#[tokio::test]
async fn options_count_from_the_next_request_on_until_they_are_removed() {
    let site = site_with("").await;
    assert_eq!(site.get("/about").await.text(), "<p>about</p>");
    site.put(".brim/site.toml", "clean_urls = false").await;
    assert_eq!(site.get("/about").await.status, 404);
    site.put(".brim/site.toml", "trailing_slash = \"always\"").await;
    assert_eq!(location(&site.get("/about?a=b").await), (308, "/about/?a=b"));
    site.delete(".brim/site.toml").await;
    assert_eq!(body(&site.get("/about").await), (403, "<p>sorry</p>".to_owned()));
}

#[tokio::test]
async fn clean_addresses_and_pages_for_what_is_not_there() {
    let site = site_with("").await;
    for (path, text) in [("/", "index"), ("/about", "about"), ("/blog/", "blog")] {
        assert_eq!(body(&site.get(path).await), (200, format!("<p>{text}</p>")), "{path}");
    }
    for (path, to) in [("/about.html", "/about"), ("/index.html", "/"), ("/about/", "/about"), ("/blog", "/blog/")] {
        assert_eq!(location(&site.get(path).await), (308, to), "{path}");
    }
    for (path, text) in [("/none", "no such page"), ("/blog/none", "no such post"), ("/blog/a/b/", "no such post")] {
        let answer = site.get(path).await;
        assert_eq!(body(&answer), (404, format!("<p>{text}</p>")), "{path}");
        assert_eq!(answer.header("x-amz-error-code"), Some("NoSuchKey"));
    }
    site.put(".brim/site.toml", "single_page = \"index.html\"\nnot_found_pages = false").await;
    assert_eq!(body(&site.get("/any/route").await), (200, "<p>index</p>".to_owned()));
}

#[tokio::test]
async fn what_belongs_to_the_host_is_never_served() {
    let site = site_with("").await;
    site.put("_redirects", "/old /about 301").await;
    site.put("_headers", "/*\n  x-a: b").await;
    let host = site.host();
    let owner = Signed::new(site.server.website, &site.server.access_key, &site.server.secret_key);
    assert_eq!(site.get("/%2ebrim/site.toml").await.status, 404);
    for path in ["/.brim/site.toml", "/.brim", "/.brim/", "/_redirects", "/_headers"] {
        assert_eq!(site.get(path).await.status, 404, "{path}");
        assert_eq!(owner.send("GET", path, &[("host", &host)], "").await.status, 404, "{path} for the owner");
    }
    site.delete(".brim/site.toml").await;
    site.put(".brim/files/x", "x").await;
    assert_eq!(site.get("/.brim/files/x").await.status, 403, "without options");
    assert_eq!(owner.send("GET", "/.brim/files/x", &[("host", &host)], "").await.status, 404, "for the owner");
}

#[tokio::test]
async fn redirects_rewrites_and_headers_are_read_anew_when_they_change() {
    let site = site_with("").await;
    site.put("_redirects", "/old /about\n/shown /about.html 200\n/posts/* /blog/:splat 301").await;
    site.put("_headers", "/*\n  X-Everywhere: yes\n/about\n  Cache-Control: max-age=5\n  ! X-Frame-Options").await;
    assert_eq!(location(&site.get("/old?a=b").await), (302, "/about?a=b"));
    assert_eq!(location(&site.get("/posts/x").await), (301, "/blog/x"));
    assert_eq!(body(&site.get("/shown").await), (200, "<p>about</p>".to_owned()));
    let about = site.get("/about").await;
    assert_eq!(about.header("x-everywhere"), Some("yes"));
    assert_eq!(about.header("cache-control"), Some("max-age=5"));
    assert_eq!(about.header("x-frame-options"), None);
    assert_eq!(about.header("x-content-type-options"), Some("nosniff"));
    let missing = site.get("/none").await;
    assert_eq!((missing.status, missing.header("x-everywhere")), (404, Some("yes")));
    site.put("_redirects", "/old /blog/ 301").await;
    site.delete("_headers").await;
    assert_eq!(location(&site.get("/old").await), (301, "/blog/"));
    assert_eq!(site.get("/about").await.header("x-everywhere"), None);
    // A rule that is at fault leaves the last good ones, and a warning.
    site.put("_redirects", "/old").await;
    assert_eq!(location(&site.get("/old").await), (301, "/blog/"));
    assert!(site.server.log().contains("a site's rules are at fault"), "{}", site.server.log());
}

#[tokio::test]
async fn options_at_fault_leave_the_last_good_ones_and_never_open_a_site() {
    let site = site_with("trailing_slash = \"always\"").await;
    assert_eq!(location(&site.get("/about").await), (308, "/about/"));
    site.put(".brim/site.toml", "trailing_slash = \"sometimes\"\ncolour = 1").await;
    assert_eq!(location(&site.get("/about").await), (308, "/about/"));
    // Where nothing good is known, nothing is served by a guess.
    let other = site_with("colour = 1").await;
    for _ in 0..3 {
        assert_eq!(failure(&other.get("/").await), (503, "ServiceUnavailable".to_owned(), None));
    }
    let read = other.server.log().matches("a site's rules are at fault").count();
    assert_eq!(read, 1, "what is at fault is read once until it changes");
    other.put(".brim/site.toml", "").await;
    assert_eq!(other.get("/").await.status, 200);
}

#[tokio::test]
async fn a_page_is_not_kept_in_the_place_of_a_file_that_may_come() {
    let site = site_with("").await;
    site.put("_headers", "/*\n  Cache-Control: public, max-age=31536000, immutable\n  X-All: 1").await;
    for (options, status) in [("", 404), ("single_page = \"index.html\"\nnot_found_pages = false", 200)] {
        site.put(".brim/site.toml", options).await;
        let answer = site.get("/assets/new.js").await;
        assert_eq!((answer.status, answer.header("x-all")), (status, Some("1")), "{options}");
        assert_eq!(answer.header("cache-control"), Some("public, max-age=0, must-revalidate"), "{options}");
        let there = site.get("/").await;
        assert_eq!(there.header("cache-control"), Some("public, max-age=31536000, immutable"), "{options}");
    }
}

#[tokio::test]
async fn caches_are_told_what_changes_and_browsers_to_be_careful() {
    let site = site_with("immutable = [\"/fonts/*\"]").await;
    site.put("fonts/a.woff2", "font").await;
    site.put_with("own.txt", &[("cache-control", "max-age=7")], "own").await;
    for (path, expected) in [
        ("/", "public, max-age=0, must-revalidate"),
        ("/about", "public, max-age=0, must-revalidate"),
        ("/none", "public, max-age=0, must-revalidate"),
        ("/app.3f2a1b9c.js", "public, max-age=31536000, immutable"),
        ("/fonts/a.woff2", "public, max-age=31536000, immutable"),
        ("/own.txt", "max-age=7"),
    ] {
        assert_eq!(site.get(path).await.header("cache-control"), Some(expected), "{path}");
    }
    let answer = site.get("/").await;
    assert_eq!(answer.header("x-frame-options"), Some("SAMEORIGIN"));
    assert_eq!(answer.header("referrer-policy"), Some("strict-origin-when-cross-origin"));
    assert_eq!(answer.header("strict-transport-security"), None);
    let etag = answer.header("etag").unwrap().to_owned();
    let same = site.get_with("/", &[("if-none-match", &etag)]).await;
    assert_eq!((same.status, same.header("cache-control")), (304, Some("public, max-age=0, must-revalidate")));
}

#[tokio::test]
async fn compressed_siblings_have_tags_of_their_own() {
    let site = site_with("").await;
    for (end, content) in [(".br", "brotli"), (".gz", "gzip")] {
        site.put(&format!("about.html{end}"), content).await;
    }
    let mut tags = Vec::new();
    for (accepted, coding, content) in [
        ("gzip, deflate, br, zstd", Some("br"), "brotli"),
        ("gzip", Some("gzip"), "gzip"),
        ("zstd", None, "<p>about</p>"),
        ("identity", None, "<p>about</p>"),
    ] {
        let answer = site.get_with("/about", &[("accept-encoding", accepted)]).await;
        assert_eq!(body(&answer), (200, content.to_owned()), "{accepted}");
        assert_eq!(answer.header("content-encoding"), coding);
        assert_eq!(answer.header("content-type"), Some("text/html"));
        assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
        tags.push(answer.header("etag").unwrap().to_owned());
    }
    assert!(tags[0] != tags[1] && tags[1] != tags[2] && tags[2] == tags[3], "{tags:?}");
    let headers = [("accept-encoding", "br"), ("if-none-match", tags[0].as_str())];
    assert_eq!(site.get_with("/about", &headers).await.status, 304);
    let headers = [("accept-encoding", "gzip"), ("if-none-match", tags[0].as_str())];
    assert_eq!(site.get_with("/about", &headers).await.status, 200);
    let range = site.get_with("/about", &[("accept-encoding", "br"), ("range", "bytes=0-2")]).await;
    assert_eq!(body(&range), (206, "bro".to_owned()));
}

#[tokio::test]
async fn a_password_is_asked_for_before_anything_is_told() {
    let site = site_with("").await;
    let hash = hash_of("open sesame");
    site.put(".brim/site.toml", format!("[password]\nuser = \"guest\"\nhash = \"{hash}\"")).await;
    for headers in [
        [].as_slice(),
        &[("authorization", "Basic nonsense")],
        &[("authorization", &basic("guest", "open says me"))],
        &[("authorization", &basic("host", "open sesame"))],
    ] {
        for path in ["/", "/none"] {
            let answer = site.get_with(path, headers).await;
            assert_eq!(failure(&answer), (401, "Unauthorized".to_owned(), None), "{path} {headers:?}");
            assert!(answer.header("www-authenticate").unwrap().starts_with("Basic "));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
    }
    let known = basic("guest", "open sesame");
    for _ in 0..3 {
        let answer = site.get_with("/", &[("authorization", &known)]).await;
        assert_eq!(body(&answer), (200, "<p>index</p>".to_owned()));
        assert_eq!(answer.header("cache-control"), Some("private, max-age=0, must-revalidate"));
    }
    // A policy that gives nobody anything is not opened by a password.
    site.permit(&[]).await;
    assert_eq!(site.get_with("/", &[("authorization", &known)]).await.status, 403);
}

pub fn basic(user: &str, password: &str) -> String {
    use base64::Engine;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}")))
}

/// PBKDF2 with HMAC-SHA-256, as a site's options have it.
pub fn hash_of(password: &str) -> String {
    use aws_lc_rs::pbkdf2;
    use base64::Engine;
    let engine = base64::engine::general_purpose::STANDARD_NO_PAD;
    let (salt, mut derived) = ([7; 16], [0; 32]);
    let iterations = std::num::NonZeroU32::new(100_000).unwrap();
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, password.as_bytes(), &mut derived);
    format!("$pbkdf2-sha256$i=100000${}${}", engine.encode(salt), engine.encode(derived))
}

#[tokio::test]
async fn the_other_name_of_a_site_leads_to_the_right_one() {
    let server = Server::start();
    for bucket in ["www.example.org", "example.org"] {
        done(server.client().put(&format!("/{bucket}"), "").await);
        let body = format!("<WebsiteConfiguration>{INDEX}</WebsiteConfiguration>");
        done(server.client().put(&format!("/{bucket}?website"), body).await);
        done(server.client().put(&format!("/{bucket}/.brim/site.toml"), "canonical_host = \"example.org\"").await);
    }
    let answer = visit(&server, "GET", "/a%20b?c=d", &[("host", "www.example.org:9080")]).await;
    assert_eq!(location(&answer), (308, "http://example.org:9080/a%20b?c=d"));
    let right = visit(&server, "GET", "/", &[("host", "example.org")]).await;
    assert_eq!(right.status, 403);
}
