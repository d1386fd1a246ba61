//! What nobody should send: an error page, and nothing else.

use super::*;

#[tokio::test]
async fn paths_that_are_no_keys_are_refused() {
    let site = Site::start(PAGES, READ_AND_LIST).await;
    site.put("index.html", "index").await;
    site.put("error.html", "sorry").await;
    site.put("secret", "secret").await;
    for path in [
        "/..",
        "/../secret",
        "/a/../../secret",
        "/%2e%2e/secret",
        "/a%2F..%2Fsecret",
        "/..%2fsecret",
        "/%00",
        "/secret%00.html",
        "/%",
        "/%zz",
        "/%ff%fe",
        "/a/%C0%AE%C0%AE/secret",
    ] {
        for method in ["GET", "HEAD"] {
            let answer = site.send(method, path, &[]).await;
            assert_eq!(answer.status, 400, "{method} {path}");
            assert_eq!(answer.header("x-amz-error-code"), Some("InvalidURI"), "{method} {path}");
        }
        assert_eq!(failure(&site.get(path).await).1, "InvalidURI", "{path}");
    }
    let long = format!("/{}", "a".repeat(1024));
    assert_eq!(body(&site.get(&long).await), (404, "sorry".to_owned()));
    let too_long = format!("/{}", "a".repeat(1025));
    assert_eq!(failure(&site.get(&too_long).await), (400, "KeyTooLongError".to_owned(), None));
    let endless = format!("/{}", "%61".repeat(20_000));
    assert_eq!(site.get(&endless).await.status, 400);
    // The longest key with an index behind it is too long for one.
    let folder = format!("/{}/", "a".repeat(1020));
    assert_eq!(body(&site.get(&folder).await), (404, "sorry".to_owned()));
}

#[tokio::test]
async fn nothing_that_a_visitor_sends_becomes_markup_or_a_header() {
    let site = Site::start(INDEX, READ_AND_LIST).await;
    for (path, shown) in [
        ("/%3Cscript%3Ealert(1)%3C/script%3E", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("/%22onload=%22x", "&quot;onload=&quot;x"),
        ("/a%26lt;b", "a&amp;lt;b"),
        ("/%27", "&#39;"),
    ] {
        let answer = site.get(path).await;
        assert!(answer.text().contains(&format!("<li>Key: {shown}</li>")), "{path}: {}", answer.text());
    }
    let answer = site.get("/a%0D%0ASet-Cookie:%20x=y").await;
    assert_eq!((answer.status, answer.header("set-cookie")), (404, None));
    assert_eq!(answer.header("x-amz-error-detail-key"), None, "what is no value of a header is left out");
    // Nor does a folder with a name like a host become one.
    site.put("/evil.example/index.html", "x").await;
    let to = site.get("//evil.example").await;
    assert_eq!(location(&to), (302, "/%2Fevil.example/"));
    site.put("a%0D%0ASet-Cookie%3A%20x%3Dy/index.html", "x").await;
    let to = site.get("/a%0D%0ASet-Cookie:%20x=y").await;
    assert_eq!((to.status, to.header("set-cookie")), (302, None));
    assert_eq!(to.header("location"), Some("/a%0D%0ASet-Cookie:%20x=y/"));
}

#[tokio::test]
async fn large_heads_are_refused() {
    let site = Site::start(INDEX, READ).await;
    site.put("index.html", "index").await;
    let many: Vec<(String, String)> = (0..90).map(|n| (format!("x-{n}"), "v".repeat(200))).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = site.get_with("/", &many).await;
    assert_eq!(failure(&answer), (400, "RequestHeaderSectionTooLarge".to_owned(), None));
    // Lists without end in headers that are read.
    let tags = vec!["\"a\""; 3000].join(",");
    assert_eq!(site.get_with("/", &[("if-none-match", &tags)]).await.status, 200);
    assert_eq!(site.get_with("/", &[("accept-encoding", &"br,".repeat(4000))]).await.status, 200);
    assert_eq!(site.get_with("/", &[("range", &format!("bytes={}-", "9".repeat(4000)))]).await.status, 416);
}

#[tokio::test]
async fn thousands_of_rules_stay_quick() {
    let site = Site::start(INDEX, READ).await;
    site.put("index.html", "index").await;
    site.put(".brim/site.toml", "").await;
    let fixed: String = (0..2000).map(|n| format!("/from-{n} /to-{n} 301\n")).collect();
    let dynamic: String =
        (0..100).map(|n| format!("/{n}/*/:a/*/b-{n} /x/:splat\n")).collect::<String>().replace("*/:a/*", "a/:a/*");
    let dynamic = dynamic.lines().map(|line| line.replace("/*/b-", "/b-")).collect::<Vec<_>>().join("\n");
    site.put("_redirects", format!("{fixed}{}", dynamic.replace(":splat", ":a"))).await;
    assert_eq!(location(&site.get("/from-1999").await), (301, "/to-1999"));
    assert_eq!(location(&site.get("/99/a/deep/b-99").await), (302, "/x/deep"));
    let start = std::time::Instant::now();
    for _ in 0..50 {
        let path = format!("/{}", "99/a/".repeat(200));
        assert!(site.get(&path).await.status >= 400);
    }
    assert!(start.elapsed() < std::time::Duration::from_secs(20), "{:?}", start.elapsed());
    // More of them than are taken: the last good ones stay.
    site.put("_redirects", (0..100_000).map(|n| format!("/{n} /x\n")).collect::<String>()).await;
    assert_eq!(location(&site.get("/from-0").await), (301, "/to-0"));
    // Fifty routing rules, of which none applies.
    let rule = |n: usize| {
        format!(
            "<RoutingRule><Condition><KeyPrefixEquals>k{n}/</KeyPrefixEquals></Condition><Redirect><ReplaceKeyWith>x</ReplaceKeyWith></Redirect></RoutingRule>"
        )
    };
    let rules: String = (0..50).map(rule).collect();
    site.configure(&format!("{INDEX}<RoutingRules>{rules}</RoutingRules>")).await;
    assert_eq!(site.get("/").await.status, 200);
    assert_eq!(site.get("/k49/").await.status, 301);
}

#[tokio::test]
async fn broken_requests_harm_nobody_else() {
    let site = Site::start(INDEX, READ).await;
    site.put("index.html", "index").await;
    for bytes in [
        b"GET\r\n\r\n".as_slice(),
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost a\r\n\r\n",
        b"GET /\x01 HTTP/1.1\r\nhost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut raw = Raw::connect(site.server.website).await;
        raw.send(bytes).await;
        raw.finish().await;
        if let Some(answer) = raw.try_answer().await {
            assert!(answer.status >= 400, "{answer:?}");
        }
    }
    assert_eq!(site.get("/").await.text(), "index");
}
