//! Documents, indexes, folders, conditions, ranges and HEAD.

use super::*;
use crate::identities::wait_for;

#[tokio::test]
async fn files_indexes_and_folders_are_served_as_s3_does() {
    let site = Site::start(INDEX, READ_AND_LIST).await;
    for key in ["index.html", "page", "docs/index.html", "docs/deep/index.html", "both", "both/index.html", "a%2Bb%20c"]
    {
        site.put_with(key, &[("content-type", "text/plain")], key).await;
    }
    for (path, key) in [
        ("/", "index.html"),
        ("/?a=b", "index.html"),
        ("/page", "page"),
        ("/page?x", "page"),
        ("/%70age", "page"),
        ("/docs/", "docs/index.html"),
        ("/docs/index.html", "docs/index.html"),
        ("/docs%2Findex.html", "docs/index.html"),
        ("/docs/deep/", "docs/deep/index.html"),
        ("/both", "both"),
        ("/both/", "both/index.html"),
        ("/a+b%20c", "a%2Bb%20c"),
    ] {
        let answer = site.get(path).await;
        assert_eq!(body(&answer), (200, key.to_owned()), "{path}");
        assert_eq!(answer.header("content-type"), Some("text/plain"));
    }
    for (path, to) in [("/docs", "/docs/"), ("/docs/deep", "/docs/deep/"), ("/docs?a=b", "/docs/")] {
        let answer = site.get(path).await;
        assert_eq!(location(&answer), (302, to), "{path}");
        assert_eq!(answer.header("x-amz-error-code"), Some("Found"));
        assert!(answer.body.is_empty());
    }
    for (path, key) in [
        ("/none", "none"),
        ("/none/", "none/index.html"),
        ("/page/", "page/index.html"),
        ("/docs/none", "docs/none"),
        ("//docs/", "/docs/index.html"),
    ] {
        assert_eq!(failure(&site.get(path).await), missing(key), "{path}");
    }
}

#[tokio::test]
async fn an_empty_bucket_has_no_index_and_an_empty_file_is_a_page() {
    let site = Site::start(INDEX, READ_AND_LIST).await;
    assert_eq!(failure(&site.get("/").await), missing("index.html"));
    site.permit(&[]).await;
    assert_eq!(failure(&site.get("/").await), denied());
    site.permit(READ).await;
    assert_eq!(failure(&site.get("/").await), denied());
    site.put("index.html", "").await;
    let answer = site.get("/").await;
    assert_eq!((answer.status, answer.header("content-length"), answer.body.len()), (200, Some("0"), 0));
}

#[tokio::test]
async fn a_page_has_the_headers_that_its_object_has() {
    let site = Site::start(INDEX, READ).await;
    let kept = [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "max-age=60"),
        ("content-language", "de"),
        ("content-disposition", "inline"),
        ("expires", "Thu, 01 Jan 2099 00:00:00 GMT"),
        ("x-amz-meta-mood", "good"),
    ];
    let stored = site.put_with("index.html", &kept, "<p>here</p>").await;
    let answer = site.get("/").await;
    for (name, value) in kept {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    assert_eq!(answer.header("etag"), stored.header("etag"));
    assert_eq!(answer.header("accept-ranges"), Some("bytes"));
    assert!(answer.header("last-modified").is_some() && answer.header("date").is_some());
    assert_eq!(answer.header("x-amz-request-id").map(str::len), Some(16));
    assert!(answer.header("x-amz-id-2").is_some() && answer.header("x-amz-error-code").is_none());
    for name in ["vary", "x-content-type-options", "x-robots-tag", "content-encoding"] {
        assert_eq!(answer.header(name), None, "{name}: without options it is S3's endpoint and nothing more");
    }
}

#[tokio::test]
async fn conditions_are_answered_without_a_body() {
    let site = Site::start(PAGES, READ).await;
    site.put("error.html", "sorry").await;
    let etag = site.put("page", "text").await.header("etag").unwrap().to_owned();
    let modified = site.get("/page").await.header("last-modified").unwrap().to_owned();
    for (headers, status) in [
        ([("if-none-match", etag.as_str())].as_slice(), 304),
        (&[("if-none-match", "*")], 304),
        (&[("if-none-match", "\"other\", W/\"another\"")], 200),
        (&[("if-modified-since", modified.as_str())], 304),
        (&[("if-modified-since", "Thu, 01 Jan 1998 00:00:00 GMT")], 200),
        (&[("if-modified-since", "yesterday")], 200),
        (&[("if-match", etag.as_str())], 200),
        (&[("if-match", "\"other\"")], 412),
        (&[("if-unmodified-since", "Thu, 01 Jan 1998 00:00:00 GMT")], 412),
        (&[("if-none-match", "\"other\""), ("if-modified-since", modified.as_str())], 200),
    ] {
        let answer = site.get_with("/page", headers).await;
        let expected = match status {
            200 => "text",
            304 => "",
            _ => "sorry",
        };
        assert_eq!(body(&answer), (status, expected.to_owned()), "{headers:?}");
        if status == 304 {
            assert_eq!(answer.header("etag"), Some(etag.as_str()));
            assert_eq!(answer.header("content-type"), None);
        }
        let head = site.send("HEAD", "/page", headers).await;
        assert_eq!(head.status, status, "HEAD {headers:?}");
    }
    site.configure(INDEX).await;
    let failed = site.get_with("/page", &[("if-match", "\"other\"")]).await;
    assert_eq!(failure(&failed).1, "PreconditionFailed");
    assert!(lists(&failed)[0].contains(&("Condition".to_owned(), "If-Match".to_owned())));
}

#[tokio::test]
async fn ranges_are_served_as_get_object_serves_them() {
    let site = Site::start(INDEX, READ).await;
    let content: Vec<u8> = (0..200_000_u32).map(|number| number as u8).collect();
    let etag = site.put("file", &content).await.header("etag").unwrap().to_owned();
    for (range, bytes) in [
        ("bytes=0-0", 0..1),
        ("bytes=10-19", 10..20),
        ("bytes=199990-", 199_990..200_000),
        ("bytes=-5", 199_995..200_000),
        ("bytes=70000-140000", 70_000..140_001),
    ] {
        let answer = site.get_with("/file", &[("range", range)]).await;
        assert_eq!((answer.status, answer.body.as_slice()), (206, &content[bytes.clone()]), "{range}");
        let shown = format!("bytes {}-{}/200000", bytes.start, bytes.end - 1);
        assert_eq!(answer.header("content-range"), Some(shown.as_str()));
    }
    for headers in [
        [("range", "bytes=0-1,5-6")].as_slice(),
        &[("range", "lines=0-1")],
        &[("range", "bytes=0-1"), ("if-range", "\"other\"")],
    ] {
        let answer = site.get_with("/file", headers).await;
        assert_eq!((answer.status, answer.body.len()), (200, 200_000), "{headers:?}");
    }
    let honoured = site.get_with("/file", &[("range", "bytes=0-1"), ("if-range", &etag)]).await;
    assert_eq!((honoured.status, honoured.body.len()), (206, 2));
    let beyond = site.get_with("/file", &[("range", "bytes=200000-")]).await;
    assert_eq!(failure(&beyond).1, "InvalidRange");
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some("bytes */200000")));
}

#[tokio::test]
async fn head_has_the_headers_of_get() {
    let site = Site::start(INDEX, READ_AND_LIST).await;
    site.put_with("index.html", &[("content-type", "text/html")], "page").await;
    site.put("docs/index.html", "docs").await;
    for path in ["/", "/none", "/docs"] {
        let (get, head) = (site.get(path).await, site.head(path).await);
        assert_eq!(head.status, get.status, "{path}");
        for name in ["content-length", "content-type", "etag", "last-modified", "location", "x-amz-error-code"] {
            assert_eq!(head.header(name), get.header(name), "{path} {name}");
        }
    }
    let range = site.send("HEAD", "/", &[("range", "bytes=1-2")]).await;
    assert_eq!((range.status, range.header("content-length")), (206, Some("2")));
}

#[tokio::test]
async fn a_file_counts_for_the_next_request_when_it_is_overwritten_or_removed() {
    let site = Site::start(INDEX, READ).await;
    for number in 0..5 {
        site.put("index.html", format!("page {number}")).await;
        assert_eq!(site.get("/").await.text(), format!("page {number}"));
    }
    site.configure("<IndexDocument><Suffix>start.html</Suffix></IndexDocument>").await;
    assert_eq!(site.get("/").await.status, 403);
    site.put("start.html", "start").await;
    assert_eq!(site.get("/").await.text(), "start");
    site.delete("start.html").await;
    assert_eq!(site.get("/").await.status, 403);
    done(site.client().delete(&format!("/{}?website", site.bucket)).await);
    assert_eq!(failure(&site.get("/").await).1, "NoSuchWebsiteConfiguration");
}

#[tokio::test]
async fn one_line_is_logged_for_each_request_and_sites_are_counted() {
    let site = Site::start(INDEX, READ).await;
    site.put("index.html", "12345").await;
    let headers = [("referer", "http://a.example/b?secret=x"), ("user-agent", "a visitor")];
    let answer = site.get_with("/?secret=x", &headers).await;
    let id = answer.header("x-amz-request-id").unwrap();
    wait_for("the line", async || site.server.log().contains(id)).await;
    let log = site.server.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains(id)).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let from = ["remote=127.0.0.1", "referer=\"http://a.example/b\"", "user_agent=\"a visitor\""];
    let of_site = format!("site=\"{}\"", site.bucket);
    for field in [&of_site, "method=\"GET\"", "path=\"/\"", "status=200", "bytes_out=5", "ms="].into_iter().chain(from)
    {
        assert!(lines[0].contains(field), "{field} in {}", lines[0]);
    }
    assert!(!lines[0].contains("secret"), "{}", lines[0]);
    let mut raw = Raw::connect(site.server.admin).await;
    raw.send("GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let metrics = raw.answer().await.text();
    for series in [
        format!("brim_site_requests_total{{site=\"{}\",status=\"2xx\"}} 1", site.bucket),
        format!("brim_site_response_bytes_total{{site=\"{}\"}} 5", site.bucket),
        "brim_requests_total{op=\"Website\",status=\"2xx\"} 1".to_owned(),
    ] {
        assert!(metrics.lines().any(|line| line == series), "{series}");
    }
}

#[tokio::test]
async fn files_of_rules_are_objects_like_others_where_there_are_no_options() {
    let site = Site::start(INDEX, READ).await;
    site.put("_redirects", "/old /about").await;
    site.put("_headers", "none").await;
    assert_eq!(body(&site.get("/_redirects").await), (200, "/old /about".to_owned()));
    assert_eq!(body(&site.get("/_headers").await), (200, "none".to_owned()));
    site.put(".brim/files/x", "x").await;
    assert_eq!(failure(&site.get("/.brim/files/x").await), denied());
    site.put(".brim/site.toml", "").await;
    for path in ["/_redirects", "/_headers", "/.brim/site.toml", "/.brim/files/x"] {
        assert_eq!(site.get(path).await.status, 404, "{path}");
    }
}
