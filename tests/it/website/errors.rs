//! Error pages, and error documents in their place.

use super::*;

#[tokio::test]
async fn what_is_no_site_has_a_page_that_says_so() {
    let server = Server::start();
    let bucket = server.bucket().await;
    let host = format!("{bucket}.{DOMAIN}");
    let unconfigured = visit(&server, "GET", "/", &[("host", &host)]).await;
    assert_eq!(failure(&unconfigured), (404, "NoSuchWebsiteConfiguration".to_owned(), None));
    assert!(lists(&unconfigured)[0].contains(&("BucketName".to_owned(), bucket.clone())));
    // Not even an object that redirects makes it one.
    let redirect = [("x-amz-website-redirect-location", "/elsewhere")];
    done(server.client().send("PUT", &format!("/{bucket}/away"), &redirect, "").await);
    let away = visit(&server, "GET", "/away", &[("host", &host)]).await;
    assert_eq!(failure(&away).1, "NoSuchWebsiteConfiguration");
    let nowhere = visit(&server, "GET", "/", &[("host", "nowhere.website.localhost")]).await;
    assert_eq!(failure(&nowhere), (404, "NoSuchBucket".to_owned(), None));
    assert!(lists(&nowhere)[0].contains(&("BucketName".to_owned(), "nowhere".to_owned())));
}

#[tokio::test]
async fn only_get_and_head_are_allowed() {
    let site = Site::start(PAGES, READ).await;
    site.put("error.html", "sorry").await;
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
        let answer = site.send(method, "/error.html", &[("content-length", "0")]).await;
        assert_eq!(failure(&answer), (405, "MethodNotAllowed".to_owned(), None), "{method}");
        let list = &lists(&answer)[0];
        assert!(list.contains(&("Method".to_owned(), method.to_owned())), "{list:?}");
        assert!(list.contains(&("ResourceType".to_owned(), "OBJECT".to_owned())), "{list:?}");
        assert_eq!(answer.header("allow"), Some("GET, HEAD"));
    }
    // A body that is announced is not asked for.
    let mut raw = Raw::connect(site.server.website).await;
    let host = site.host();
    raw.send(format!("PUT /x HTTP/1.1\r\nhost: {host}\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n")).await;
    assert_eq!(raw.answer().await.status, 405);
}

#[tokio::test]
async fn a_missing_file_is_denied_to_who_may_not_list() {
    for (visitors, expected) in [(READ_AND_LIST, missing("none")), (READ, denied()), (&[], denied())] {
        let site = Site::start(INDEX, visitors).await;
        assert_eq!(failure(&site.get("/none").await), expected, "{visitors:?}");
    }
}

#[tokio::test]
async fn an_error_document_has_the_original_status_and_is_sent_once() {
    for (visitors, status) in [(READ_AND_LIST, 404), (READ, 403)] {
        let site = Site::start(PAGES, visitors).await;
        site.put_with("error.html", &[("content-type", "text/html")], "<p>sorry</p>").await;
        let answer = site.get("/none").await;
        assert_eq!(body(&answer), (status, "<p>sorry</p>".to_owned()));
        assert_eq!(answer.header("content-length"), Some("12"));
        assert_eq!(answer.header("content-type"), Some("text/html"));
        let code = if status == 404 { "NoSuchKey" } else { "AccessDenied" };
        assert_eq!(answer.header("x-amz-error-code"), Some(code));
        let key = (status == 404).then_some("none");
        assert_eq!(answer.header("x-amz-error-detail-key"), key);
        let head = site.head("/none").await;
        assert_eq!((head.status, head.header("content-length")), (status, Some("12")));
        // Asked for by its name it is a page as any other.
        assert_eq!(site.get("/error.html").await.status, 200);
        // What is asked of the missing file is not asked of the document.
        let etag = answer.header("etag").unwrap().to_owned();
        let asked = site.get_with("/none", &[("range", "bytes=0-1"), ("if-none-match", &etag)]).await;
        assert_eq!(body(&asked), (status, "<p>sorry</p>".to_owned()));
    }
}

#[tokio::test]
async fn a_private_site_shows_its_error_document_to_nobody() {
    let site = Site::start(PAGES, &[]).await;
    site.put("error.html", "sorry").await;
    site.put("index.html", "secret").await;
    for path in ["/", "/none", "/error.html"] {
        let answer = site.get(path).await;
        assert_eq!(failure(&answer), denied(), "{path}");
        let second = &lists(&answer)[1];
        assert_eq!(second[..], [("Code", "AccessDenied"), ("Message", "Access Denied")].map(owned), "{path}");
    }
}

#[tokio::test]
async fn an_error_document_that_fails_adds_a_second_list() {
    let site = Site::start(PAGES, READ_AND_LIST).await;
    let answer = site.get("/none").await;
    assert_eq!(failure(&answer), missing("none"));
    let second = &lists(&answer)[1];
    let expected =
        [("Code", "NoSuchKey"), ("Message", "The specified key does not exist."), ("Key", "error.html")].map(owned);
    assert_eq!(second[..], expected);
    assert!(answer.text().contains("<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>"));
    // One that redirects does so: 301.
    site.put_with("error.html", &[("x-amz-website-redirect-location", "https://example.com/lost")], "").await;
    assert_eq!(location(&site.get("/none").await), (301, "https://example.com/lost"));
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
