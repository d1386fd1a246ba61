//! Requests from pages of other origins: what browsers ask beforehand, and what every answer says to them.

use crate::harness::Server;
use crate::raw::{Answer, Raw};
use crate::signed::Signed;

const VARY: &str = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

const RULES: &str = "<CORSConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><CORSRule><ID>app</ID>\
    <AllowedOrigin>http://app.example</AllowedOrigin><AllowedOrigin>https://*.app.example</AllowedOrigin>\
    <AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT</AllowedMethod><AllowedMethod>POST</AllowedMethod>\
    <AllowedHeader>x-amz-*</AllowedHeader><AllowedHeader>Content-Type</AllowedHeader>\
    <ExposeHeader>ETag</ExposeHeader><ExposeHeader>x-amz-request-id</ExposeHeader><MaxAgeSeconds>600</MaxAgeSeconds>\
    </CORSRule><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>HEAD</AllowedMethod></CORSRule></CORSConfiguration>";

async fn bucket_with(server: &Server, rules: &str) -> String {
    let bucket = server.bucket().await;
    let put = server.client().put(&format!("/{bucket}?cors"), rules).await;
    assert_eq!((put.status, put.text().as_str()), (200, ""));
    bucket
}

/// Sends a head that nobody signed.
pub async fn unsigned(server: &Server, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
    let mut head = format!("{method} {target} HTTP/1.1\r\nhost: {}\r\n", server.s3);
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    let mut connection = Raw::connect(server.s3).await;
    connection.send(head + "\r\n").await;
    connection.answer().await
}

async fn preflight(server: &Server, target: &str, origin: &str, method: &str, headers: Option<&str>) -> Answer {
    let mut given = vec![("origin", origin), ("access-control-request-method", method)];
    given.extend(headers.map(|names| ("access-control-request-headers", names)));
    unsigned(server, "OPTIONS", target, &given).await
}

/// Every header of the answer that is about other origins.
fn crossing(answer: &Answer) -> Vec<(&'static str, String)> {
    let names = [
        "access-control-allow-origin",
        "access-control-allow-credentials",
        "access-control-allow-methods",
        "access-control-allow-headers",
        "access-control-expose-headers",
        "access-control-max-age",
        "vary",
    ];
    names.into_iter().filter_map(|name| Some((name, answer.header(name)?.to_owned()))).collect()
}

fn allowed(origin: &str, requested: Option<&str>) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("access-control-allow-origin", origin.to_owned()),
        ("access-control-allow-credentials", "true".to_owned()),
        ("access-control-allow-methods", "GET, PUT, POST".to_owned()),
    ];
    headers.extend(requested.map(|names| ("access-control-allow-headers", names.to_owned())));
    headers.push(("access-control-expose-headers", "ETag, x-amz-request-id".to_owned()));
    headers.push(("access-control-max-age", "600".to_owned()));
    headers.push(("vary", VARY.to_owned()));
    headers
}

fn only_vary() -> Vec<(&'static str, String)> {
    vec![("vary", VARY.to_owned())]
}

#[tokio::test]
async fn rules_are_put_shown_and_deleted() {
    let server = Server::start();
    let (client, bucket) = (server.client(), server.bucket().await);
    let target = format!("/{bucket}?cors");
    let none = client.get(&target).await;
    assert_eq!(none.error(), (404, "NoSuchCORSConfiguration".to_owned()));
    assert_eq!(none.element("BucketName"), Some(bucket.clone()));
    assert_eq!(client.delete(&target).await.status, 204, "there is nothing to delete, which is what was asked");
    assert_eq!(client.put(&target, RULES).await.status, 200);
    let shown = client.get(&target).await;
    assert_eq!(shown.elements("AllowedOrigin"), ["http://app.example", "https://*.app.example", "*"]);
    assert_eq!((shown.element("ID"), shown.element("MaxAgeSeconds")), (Some("app".into()), Some("600".into())));
    assert_eq!(client.put(&target, shown.body).await.status, 200, "what is shown can be put");
    assert_eq!(client.delete(&target).await.status, 204);
    assert_eq!(client.get(&target).await.status, 404);
    for (rules, code) in [
        ("", "MalformedXML"),
        ("<CORSConfiguration/>", "MalformedXML"),
        (
            "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>",
            "MalformedXML",
        ),
        (&RULES.replace("HEAD", "PATCH"), "InvalidRequest"),
        (&RULES.replace("x-amz-*", "*-amz-*"), "InvalidRequest"),
        (&RULES.replace("app<", &"x".repeat(70_000)), "MaxMessageLengthExceeded"),
    ] {
        assert_eq!(client.put(&target, rules).await.error(), (400, code.to_owned()), "{rules:.200}");
    }
    assert_eq!(client.get(&target).await.status, 404, "what is refused changes nothing");
}

#[tokio::test]
async fn a_preflight_is_answered_by_the_first_rule_that_allows_it() {
    let server = Server::start();
    let bucket = bucket_with(&server, RULES).await;
    let key = format!("/{bucket}/a%2F%20/k?x-id=PutObject&uploads");
    for target in [&key, &format!("/{bucket}"), &format!("/{bucket}/")] {
        let answer = preflight(&server, target, "http://app.example", "PUT", Some("Content-Type, x-amz-date")).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, ""), "{target}");
        assert_eq!(crossing(&answer), allowed("http://app.example", Some("content-type, x-amz-date")));
        assert!(answer.header("x-amz-request-id").is_some());
    }
    let answer = preflight(&server, &key, "https://eu.app.example", "GET", None).await;
    assert_eq!(crossing(&answer), allowed("https://eu.app.example", None));
    let anyone = preflight(&server, &key, "null", "HEAD", None).await;
    let expected = [("access-control-allow-origin", "*"), ("access-control-allow-methods", "HEAD"), ("vary", VARY)];
    assert_eq!(crossing(&anyone), expected.map(|(name, value)| (name, value.to_owned())));
}

#[tokio::test]
async fn a_preflight_is_refused_in_s3_s_words() {
    let server = Server::start();
    let (bucket, plain) = (bucket_with(&server, RULES).await, server.bucket().await);
    let key = format!("/{bucket}/k");
    for (target, origin, method, headers, resource) in [
        (key.clone(), "http://app.example", "DELETE", None, "OBJECT"),
        (key.clone(), "http://app.example.evil", "PUT", None, "OBJECT"),
        (key.clone(), "http://app.example", "PUT", Some("content-type,authorization"), "OBJECT"),
        (format!("/{bucket}"), "https://app.example", "PUT", None, "BUCKET"),
    ] {
        let answer = preflight(&server, &target, origin, method, headers).await;
        assert_eq!(answer.error(), (403, "AccessForbidden".to_owned()), "{origin} {method} {headers:?}");
        assert!(answer.element("Message").unwrap().starts_with("CORSResponse: This CORS request is not allowed."));
        assert_eq!(answer.element("Method").as_deref(), Some(method));
        assert_eq!(answer.element("ResourceType").as_deref(), Some(resource));
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    for (target, message) in [
        (format!("/{plain}/k"), "CORSResponse: CORS is not enabled for this bucket."),
        ("/not-there/k".to_owned(), "CORSResponse: Bucket not found"),
        ("/Not_A_Name".to_owned(), "CORSResponse: Bucket not found"),
        ("/".to_owned(), "CORSResponse: Bucket not found"),
    ] {
        let answer = preflight(&server, &target, "http://app.example", "PUT", None).await;
        assert_eq!(answer.error(), (403, "AccessForbidden".to_owned()));
        assert_eq!(answer.element("Message").as_deref(), Some(message));
        assert_eq!(answer.element("ResourceType").as_deref(), Some("BUCKET"));
    }
    let without_origin = unsigned(&server, "OPTIONS", &key, &[("access-control-request-method", "GET")]).await;
    assert_eq!(without_origin.error(), (400, "BadRequest".to_owned()));
    let insufficient = "Insufficient information. Origin request header needed.";
    assert_eq!(without_origin.element("Message").as_deref(), Some(insufficient));
    let without_method = unsigned(&server, "OPTIONS", &key, &[("origin", "http://app.example")]).await;
    assert_eq!(without_method.error(), (400, "BadRequest".to_owned()));
}

#[tokio::test]
async fn every_answer_of_a_bucket_with_rules_says_what_the_page_may_see() {
    let server = Server::start();
    let (client, bucket) = (server.client(), bucket_with(&server, RULES).await);
    let key = format!("/{bucket}/k");
    let origin = [("origin", "http://app.example")];
    let send = |method: &'static str, target: String, body: &'static str| {
        let client = client.clone();
        async move { client.send(method, &target, &origin, body).await }
    };
    for (method, target, body, status) in [
        ("PUT", key.clone(), "content", 200),
        ("GET", key.clone(), "", 200),
        ("GET", format!("/{bucket}/missing"), "", 404),
        ("GET", format!("/{bucket}?list-type=2"), "", 200),
        ("GET", format!("/{bucket}?max-keys=x"), "", 400),
        ("PUT", format!("{key}?retention"), "", 501),
    ] {
        let answer = send(method, target.clone(), body).await;
        assert_eq!(answer.status, status, "{method} {target}");
        assert_eq!(crossing(&answer), allowed("http://app.example", None), "{method} {target}");
    }
    // No rule allows DELETE, so the page sees nothing of the answer; it is carried out all the same.
    let deleted = send("DELETE", key.clone(), "").await;
    assert_eq!((deleted.status, crossing(&deleted)), (204, only_vary()));
    // A conditional answer that has no body.
    client.put(&key, "content").await;
    let tagged = client.get(&key).await.header("etag").unwrap().to_owned();
    let fresh = client.send("GET", &key, &[origin[0], ("if-none-match", &tagged)], "").await;
    assert_eq!((fresh.status, crossing(&fresh)), (304, allowed("http://app.example", None)));
    // From no page, or from one that no rule knows: caches must not mix the answers up.
    let plain = client.get(&key).await;
    assert_eq!((plain.status, crossing(&plain)), (200, only_vary()));
    let stranger = client.send("GET", &key, &[("origin", "http://other.example")], "").await;
    assert_eq!((stranger.status, crossing(&stranger)), (200, only_vary()));
}

#[tokio::test]
async fn refusals_are_for_the_page_s_eyes_too() {
    let server = Server::start();
    let bucket = bucket_with(&server, RULES).await;
    let key = format!("/{bucket}/k");
    let origin = ("origin", "http://app.example");
    let anonymous = unsigned(&server, "GET", &key, &[origin]).await;
    assert_eq!((anonymous.status, crossing(&anonymous)), (403, allowed("http://app.example", None)));
    let stranger = Signed::new(server.s3, "AKIDUNKNOWN", "a secret that nobody knows");
    let refused = stranger.send("GET", &key, &[origin], "").await;
    assert_eq!(refused.error(), (403, "InvalidAccessKeyId".to_owned()));
    assert_eq!(crossing(&refused), allowed("http://app.example", None));
    // Refused before `100 Continue`.
    let waiting = [origin, ("expect", "100-continue"), ("content-length", "5")];
    let early = unsigned(&server, "PUT", &key, &waiting).await;
    assert_eq!((early.status, crossing(&early)), (403, allowed("http://app.example", None)));
    let elsewhere = unsigned(&server, "GET", "/not-there/k", &[origin]).await;
    assert_eq!((elsewhere.status, crossing(&elsewhere)), (404, vec![]));
}

#[tokio::test]
async fn presigned_requests_are_answered_like_any_other() {
    let server = Server::start();
    let (client, bucket) = (server.client(), bucket_with(&server, RULES).await);
    client.put(&format!("/{bucket}/k"), "content").await;
    let target = client.presign("GET", &format!("/{bucket}/k"), &[], std::time::Duration::from_secs(60));
    let origin = ("origin", "http://app.example");
    let got = unsigned(&server, "GET", &target, &[origin]).await;
    assert_eq!((got.status, got.text().as_str()), (200, "content"));
    assert_eq!(crossing(&got), allowed("http://app.example", None));
    let forged = unsigned(&server, "GET", &target.replace("/k?", "/l?"), &[origin]).await;
    assert_eq!(forged.error(), (403, "SignatureDoesNotMatch".to_owned()));
    assert_eq!(crossing(&forged), allowed("http://app.example", None));
}

#[tokio::test]
async fn a_bucket_without_rules_says_nothing() {
    let server = Server::start();
    let (client, bucket) = (server.client(), server.bucket().await);
    let put = client.send("PUT", &format!("/{bucket}/k"), &[("origin", "http://app.example")], "x").await;
    assert_eq!((put.status, crossing(&put)), (200, vec![]));
    let rules = format!("/{bucket}?cors");
    client.put(&rules, RULES).await;
    client.delete(&rules).await;
    let after = client.send("GET", &format!("/{bucket}/k"), &[("origin", "http://app.example")], "").await;
    assert_eq!((after.status, crossing(&after)), (200, vec![]));
}
