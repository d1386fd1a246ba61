//! RedirectAllRequestsTo, routing rules, and objects that redirect.

use super::*;

#[tokio::test]
async fn everything_is_redirected_even_by_a_private_bucket() {
    let site = Site::start(INDEX, &[]).await;
    let all = |inner: &str| format!("<RedirectAllRequestsTo>{inner}</RedirectAllRequestsTo>");
    for (inner, to) in [
        ("<HostName>example.com</HostName>", "http://example.com"),
        ("<HostName>example.com</HostName><Protocol>https</Protocol>", "https://example.com"),
    ] {
        site.configure(&all(inner)).await;
        for path in ["/", "/a/b%20c?d=e&f", "/none/"] {
            let answer = site.get(path).await;
            assert_eq!(location(&answer), (301, format!("{to}{path}").as_str()), "{inner}");
            assert!(answer.body.is_empty());
        }
    }
}

#[tokio::test]
async fn an_object_redirects_whoever_may_read_it() {
    let site = Site::start(INDEX, READ).await;
    for (key, to) in [("old", "/new?a=b"), ("away", "https://example.com/x"), ("docs/index.html", "/elsewhere")] {
        site.put_with(key, &[("x-amz-website-redirect-location", to)], "not sent").await;
    }
    for (path, to) in [("/old", "/new?a=b"), ("/away", "https://example.com/x"), ("/docs/", "/elsewhere")] {
        let answer = site.get(path).await;
        assert_eq!(location(&answer), (301, to), "{path}");
        assert!(answer.body.is_empty());
    }
    // The REST endpoint gives the object.
    let object = site.client().get(&format!("/{}/old", site.bucket)).await;
    assert_eq!(body(&object), (200, "not sent".to_owned()));
    assert_eq!(object.header("x-amz-website-redirect-location"), Some("/new?a=b"));
    site.permit(&[]).await;
    assert_eq!(failure(&site.get("/old").await), denied());
}

#[tokio::test]
async fn uploads_in_parts_and_copies_redirect_where_they_say_themselves() {
    let site = Site::start(INDEX, READ).await;
    let (client, bucket) = (site.client(), &site.bucket);
    let header = "x-amz-website-redirect-location";
    let target = format!("/{bucket}/parts");
    let created = done(client.send("POST", &format!("{target}?uploads="), &[(header, "/new")], "").await);
    let id = created.element("UploadId").unwrap();
    let part = done(client.put(&format!("{target}?partNumber=1&uploadId={id}"), "not sent").await);
    let part = format!("<Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part>", part.header("etag").unwrap());
    let list = format!("<CompleteMultipartUpload>{part}</CompleteMultipartUpload>");
    done(client.post(&format!("{target}?uploadId={id}"), list).await);
    assert_eq!(location(&site.get("/parts").await), (301, "/new"));

    // It belongs to one object: a copy has what its own request says, or none.
    let source = format!("/{bucket}/parts");
    for directive in ["COPY", "REPLACE"] {
        let copy = [("x-amz-copy-source", source.as_str()), ("x-amz-metadata-directive", directive)];
        site.put_with("plain", &copy, "").await;
        assert_eq!(body(&site.get("/plain").await), (200, "not sent".to_owned()), "{directive}");
        site.put_with("moved", &[copy.as_slice(), &[(header, "/elsewhere")]].concat(), "").await;
        assert_eq!(location(&site.get("/moved").await), (301, "/elsewhere"), "{directive}");
    }
    assert_eq!(location(&site.get("/parts").await), (301, "/new"), "the source is as it was");
}

fn rule(condition: &str, redirect: &str) -> String {
    let condition = if condition.is_empty() { String::new() } else { format!("<Condition>{condition}</Condition>") };
    format!("<RoutingRule>{condition}<Redirect>{redirect}</Redirect></RoutingRule>")
}

fn with_rules(rules: &[String]) -> String {
    format!("{PAGES}<RoutingRules>{}</RoutingRules>", rules.concat())
}

#[tokio::test]
async fn rules_without_an_error_condition_come_before_the_object() {
    let docs = "<KeyPrefixEquals>docs/</KeyPrefixEquals>";
    let rules = [
        rule(docs, "<ReplaceKeyPrefixWith>documents/</ReplaceKeyPrefixWith>"),
        rule("<KeyPrefixEquals>images/</KeyPrefixEquals>", "<ReplaceKeyWith>gone.html</ReplaceKeyWith>"),
        rule("<KeyPrefixEquals>docs/never</KeyPrefixEquals>", "<ReplaceKeyWith>second</ReplaceKeyWith>"),
    ];
    let site = Site::start(&with_rules(&rules), &[]).await;
    site.put("docs/page", "never shown").await;
    let host = site.host();
    for (path, key) in [
        ("/docs/page", "documents/page"),
        ("/docs/never", "documents/never"),
        ("/docs/", "documents/"),
        ("/docs/a%20b", "documents/a%20b"),
        ("/images/x", "gone.html"),
    ] {
        assert_eq!(location(&site.get(path).await), (301, format!("http://{host}/{key}").as_str()), "{path}");
    }
    assert_eq!(site.get("/other").await.status, 403);
}

#[tokio::test]
async fn rules_for_an_error_need_that_error_and_their_prefix() {
    let at = |status: u16| format!("<HttpErrorCodeReturnedEquals>{status}</HttpErrorCodeReturnedEquals>");
    let rules = [
        rule(&format!("<KeyPrefixEquals>a/</KeyPrefixEquals>{}", at(404)), "<ReplaceKeyWith>both</ReplaceKeyWith>"),
        rule(&at(404), "<HostName>example.com</HostName><ReplaceKeyPrefixWith>report-404/</ReplaceKeyPrefixWith>"),
        rule(&at(403), "<ReplaceKeyWith>denied</ReplaceKeyWith>"),
    ];
    let site = Site::start(&with_rules(&rules), READ_AND_LIST).await;
    site.put("a/there", "a").await;
    site.put("error.html", "sorry").await;
    let host = site.host();
    for (path, to) in [
        ("/a/none", format!("http://{host}/both")),
        ("/b/none", "http://example.com/report-404/b/none".to_owned()),
        ("/", "http://example.com/report-404/".to_owned()),
    ] {
        assert_eq!(location(&site.get(path).await), (301, to.as_str()), "{path}");
    }
    assert_eq!(body(&site.get("/a/there").await), (200, "a".to_owned()));
    site.permit(READ).await;
    assert_eq!(location(&site.get("/a/none").await), (301, format!("http://{host}/denied").as_str()));
}

#[tokio::test]
async fn a_rule_chooses_protocol_host_status_and_key() {
    let site = Site::start(INDEX, READ).await;
    let host = site.host();
    for (redirect, status, to) in [
        ("<Protocol>https</Protocol>", 301, format!("https://{host}/page")),
        ("<HostName>example.com</HostName>", 301, "http://example.com/page".to_owned()),
        ("<ReplaceKeyPrefixWith>x/</ReplaceKeyPrefixWith>", 301, format!("http://{host}/x/page")),
        ("<ReplaceKeyPrefixWith>#!/</ReplaceKeyPrefixWith>", 301, format!("http://{host}/#!/page")),
        ("<ReplaceKeyWith>x</ReplaceKeyWith><HttpRedirectCode>302</HttpRedirectCode>", 302, format!("http://{host}/x")),
        ("<ReplaceKeyWith>x</ReplaceKeyWith><HttpRedirectCode>303</HttpRedirectCode>", 303, format!("http://{host}/x")),
        ("<ReplaceKeyWith>x</ReplaceKeyWith><HttpRedirectCode>304</HttpRedirectCode>", 304, format!("http://{host}/x")),
        ("<ReplaceKeyWith>x</ReplaceKeyWith><HttpRedirectCode>305</HttpRedirectCode>", 305, format!("http://{host}/x")),
        ("<ReplaceKeyWith>x</ReplaceKeyWith><HttpRedirectCode>307</HttpRedirectCode>", 307, format!("http://{host}/x")),
        ("<ReplaceKeyWith>x</ReplaceKeyWith><HttpRedirectCode>308</HttpRedirectCode>", 308, format!("http://{host}/x")),
    ] {
        site.configure(&with_rules(&[rule("", redirect)])).await;
        let answer = site.get("/page").await;
        assert_eq!(location(&answer), (status, to.as_str()), "{redirect}");
        assert!(answer.body.is_empty());
    }
    // The port that the visitor came to is kept.
    site.configure(&with_rules(&[rule("", "<ReplaceKeyWith>x</ReplaceKeyWith>")])).await;
    let answer = visit(&site.server, "GET", "/page", &[("host", &format!("{host}:9080"))]).await;
    assert_eq!(location(&answer), (301, format!("http://{host}:9080/x").as_str()));
}
