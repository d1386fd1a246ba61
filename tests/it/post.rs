//! Forms as browsers send them: policies signed with `aws-sigv4`, bodies put together byte by byte.

use std::time::{Duration, SystemTime};

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::harness::{Server, noise};
use crate::raw::{Answer, Raw};
use crate::signed::REGION;

const BOUNDARY: &str = "----WebKitFormBoundary7MA4YWxkTrZu0gW";

/// A form that is put together, and what its policy demands.
#[derive(Clone)]
struct Form {
    fields: Vec<(String, String)>,
    conditions: Vec<String>,
    /// From now; negative is the past.
    seconds: i64,
    file_name: String,
    content: Vec<u8>,
}

impl Form {
    fn new(bucket: &str, key: &str, content: impl AsRef<[u8]>) -> Self {
        let form = Self {
            fields: Vec::new(),
            conditions: vec![format!("{{\"bucket\": \"{bucket}\"}}")],
            seconds: 60,
            file_name: "photo.jpg".to_owned(),
            content: content.as_ref().to_vec(),
        };
        form.field("key", key).condition("[\"starts-with\", \"$key\", \"\"]")
    }

    fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    fn condition(mut self, condition: &str) -> Self {
        self.conditions.push(condition.to_owned());
        self
    }

    /// A field, and the condition that it is just so.
    fn signed(self, name: &str, value: &str) -> Self {
        let condition = serde_json::json!(["eq", format!("${name}"), value]).to_string();
        self.field(name, value).condition(&condition)
    }

    /// Adds policy and signature.
    fn sign(self, server: &Server) -> Self {
        self.sign_with(&server.access_key, &server.secret_key)
    }

    fn sign_with(self, access_key: &str, secret: &str) -> Self {
        let now = SystemTime::now();
        let stamp = timestamp(now);
        let credential = format!("{access_key}/{}/{REGION}/s3/aws4_request", &stamp[..8]);
        let expires = iso(if self.seconds < 0 {
            now - Duration::from_secs(self.seconds.unsigned_abs())
        } else {
            now + Duration::from_secs(self.seconds.unsigned_abs())
        });
        let form = self
            .signed("x-amz-algorithm", "AWS4-HMAC-SHA256")
            .signed("x-amz-credential", &credential)
            .signed("x-amz-date", &stamp);
        let policy = format!("{{\"expiration\": \"{expires}\", \"conditions\": [{}]}}", form.conditions.join(", "));
        let policy = BASE64_STANDARD.encode(policy);
        let key = generate_signing_key(secret, now, REGION, "s3");
        let signature = calculate_signature(key, policy.as_bytes());
        form.field("Policy", &policy).field("X-Amz-Signature", &signature)
    }

    fn body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, value) in &self.fields {
            body.extend(part(name, value).into_bytes());
        }
        body.extend(
            format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\n\
                 Content-Type: image/jpeg\r\n\r\n",
                self.file_name
            )
            .into_bytes(),
        );
        body.extend(&self.content);
        body.extend(format!("\r\n{}--{BOUNDARY}--\r\n", part("submit", "Upload")).into_bytes());
        body
    }

    async fn send(&self, server: &Server, bucket: &str) -> Answer {
        post(server, &format!("/{bucket}"), &[], &self.body()).await
    }
}

fn part(name: &str, value: &str) -> String {
    format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

fn timestamp(time: SystemTime) -> String {
    let time = jiff::Timestamp::try_from(time).unwrap();
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn iso(time: SystemTime) -> String {
    let time = jiff::Timestamp::try_from(time).unwrap();
    time.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

fn head(server: &Server, target: &str, headers: &[(&str, &str)], length: usize) -> String {
    let host =
        headers.iter().find(|(name, _)| *name == "host").map_or(server.s3.to_string(), |(_, host)| (*host).to_owned());
    let mut head = format!("POST {target} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n");
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        head += &format!("content-type: multipart/form-data; boundary={BOUNDARY}\r\n");
    }
    for (name, value) in headers.iter().filter(|(name, _)| *name != "host") {
        head += &format!("{name}: {value}\r\n");
    }
    head + "\r\n"
}

async fn post(server: &Server, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut connection = Raw::connect(server.s3).await;
    connection.send(head(server, target, headers, body.len())).await;
    connection.send(body).await;
    connection.answer().await
}

#[tokio::test]
async fn a_signed_form_becomes_an_object_with_everything_it_says() {
    let server = Server::start();
    let (client, bucket) = (server.client(), server.bucket().await);
    let content = noise(100_000, 1);
    let form = Form::new(&bucket, "user/${filename}", &content)
        .signed("Content-Type", "image/png")
        .signed("Cache-Control", "max-age=60")
        .signed("Content-Disposition", "inline")
        .signed("x-amz-meta-note", "\u{e9}tude")
        .signed("x-amz-storage-class", "STANDARD_IA")
        .signed("acl", "private")
        .signed("tagging", "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>")
        .signed("x-amz-checksum-algorithm", "SHA256")
        .signed("x-ignore-me", "at all");
    let answer = form.sign(&server).send(&server, &bucket).await;
    assert_eq!((answer.status, answer.text().as_str()), (204, ""));
    let location = format!("http://{}/{bucket}/user/photo.jpg", server.s3);
    assert_eq!(answer.header("location"), Some(location.as_str()));
    let got = client.send("GET", &format!("/{bucket}/user/photo.jpg"), &[("x-amz-checksum-mode", "ENABLED")], "").await;
    assert!(got.body == content);
    assert_eq!(got.header("etag"), answer.header("etag"));
    for (name, value) in [
        ("content-type", "image/png"),
        ("cache-control", "max-age=60"),
        ("content-disposition", "inline"),
        ("x-amz-storage-class", "STANDARD_IA"),
        ("x-amz-tagging-count", "1"),
        ("x-amz-meta-note", "=?UTF-8?B?w6l0dWRl?="),
    ] {
        assert_eq!(got.header(name), Some(value), "{name}");
    }
    assert_eq!(got.header("x-amz-checksum-sha256"), answer.header("x-amz-checksum-sha256"));
    assert!(got.header("x-amz-checksum-sha256").is_some());
}

#[tokio::test]
async fn the_client_chooses_what_it_hears() {
    let server = Server::start();
    let bucket = server.bucket().await;
    let posted = async |name: &str, value: &str| {
        Form::new(&bucket, "a b/\u{e9}", "x").signed(name, value).sign(&server).send(&server, &bucket).await
    };
    let created = posted("success_action_status", "201").await;
    assert_eq!((created.status, created.header("content-type")), (201, Some("application/xml")));
    let location = format!("http://{}/{bucket}/a%20b/%C3%A9", server.s3);
    assert_eq!(created.element("Location"), Some(location.clone()));
    assert_eq!(created.header("location"), Some(location.as_str()));
    assert_eq!((created.element("Bucket"), created.element("Key")), (Some(bucket.clone()), Some("a b/\u{e9}".into())));
    let etag = "\"9dd4e461268c8034f5c8564e155c67a6\"";
    assert_eq!(created.element("ETag").map(|tag| tag.replace("&quot;", "\"")).as_deref(), Some(etag));
    let empty = posted("success_action_status", "200").await;
    assert_eq!((empty.status, empty.body.len(), empty.header("etag")), (200, 0, Some(etag)));
    assert_eq!(posted("success_action_status", "404").await.status, 204);
    let query = format!("bucket={bucket}&key=a%20b%2F%C3%A9&etag=%229dd4e461268c8034f5c8564e155c67a6%22");
    for name in ["success_action_redirect", "redirect"] {
        let sent_on = posted(name, "http://app.example/done?x=1").await;
        assert_eq!(sent_on.status, 303);
        assert_eq!(sent_on.header("location"), Some(format!("http://app.example/done?x=1&{query}").as_str()));
    }
    assert_eq!(posted("success_action_redirect", "javascript:alert(1)").await.status, 204);
}

#[tokio::test]
async fn forms_that_the_policy_does_not_allow_are_refused() {
    let server = Server::start();
    let (client, bucket) = (server.client(), server.bucket().await);
    let other = server.bucket().await;
    let form = Form::new(&bucket, "k", "content");
    let denied = async |form: Form, to: &str, message: &str| {
        let answer = form.send(&server, to).await;
        assert_eq!(answer.error(), (403, "AccessDenied".to_owned()), "{message}");
        let said = answer.element("Message").unwrap().replace("&quot;", "\"");
        assert!(said.contains(message), "{said}");
    };
    denied(form.clone().sign(&server).field("acl", "private"), &bucket, "Extra input fields: acl").await;
    let wrong = form.clone().field("acl", "private").condition("{\"acl\": \"public-read\"}").sign(&server);
    denied(wrong, &bucket, "Policy Condition failed: [\"eq\", \"$acl\", \"public-read\"]").await;
    denied(form.clone().sign(&server), &other, &format!("[\"eq\", \"$bucket\", \"{bucket}\"]")).await;
    let late = Form { seconds: -1, ..form.clone() };
    denied(late.sign(&server), &bucket, "Policy expired.").await;
    let elsewhere = form.clone().condition("[\"starts-with\", \"$key\", \"user/\"]").sign(&server);
    denied(elsewhere, &bucket, "Policy Condition failed: [\"starts-with\", \"$key\", \"user/\"]").await;
    // A policy that nobody signed, and no policy at all.
    let unsigned = form.clone().field("policy", "e30=");
    denied(unsigned, &bucket, "Access Denied").await;
    denied(form.clone(), &bucket, "Access Denied").await;
    let listed = client.get(&format!("/{bucket}")).await;
    assert!(listed.elements("Key").is_empty());
}

#[tokio::test]
async fn signatures_that_are_wrong_are_refused() {
    let server = Server::start();
    let bucket = server.bucket().await;
    let form = Form::new(&bucket, "k", "content");
    let refused = async |form: Form| form.send(&server, &bucket).await;
    let forged = refused(form.clone().sign_with(&server.access_key, "another secret")).await;
    assert_eq!(forged.error(), (403, "SignatureDoesNotMatch".to_owned()));
    let policy = form.clone().sign(&server).fields.into_iter().find(|(name, _)| name == "Policy").unwrap().1;
    assert_eq!(forged.element("AWSAccessKeyId"), Some(server.access_key.clone()));
    assert_eq!(forged.element("StringToSign").map(|text| text.len()), Some(policy.len()));
    let unknown = refused(form.clone().sign_with("AKIDUNKNOWN", "secret")).await;
    assert_eq!(unknown.error(), (403, "InvalidAccessKeyId".to_owned()));
    let mut half = form.clone().sign(&server);
    half.fields.retain(|(name, _)| name != "x-amz-date");
    let half = refused(half).await;
    assert_eq!(half.error(), (400, "InvalidArgument".to_owned()));
    assert_eq!(half.element("ArgumentName").as_deref(), Some("X-Amz-Date"));
    let broken = form.field("AWSAccessKeyId", "a").field("signature", "b").field("policy", "c");
    assert_eq!(refused(broken).await.error(), (403, "InvalidAccessKeyId".to_owned()));
}

#[tokio::test]
async fn the_file_has_the_length_that_the_policy_allows() {
    let server = Server::start();
    let (client, bucket) = (server.client(), server.bucket().await);
    let posted = async |size: usize| {
        let form = Form::new(&bucket, "k", noise(size, 2)).condition("[\"content-length-range\", 10, 100000]");
        form.sign(&server).send(&server, &bucket).await
    };
    let small = posted(9).await;
    assert_eq!(small.error(), (400, "EntityTooSmall".to_owned()));
    assert_eq!((small.element("ProposedSize"), small.element("MinSizeAllowed")), (Some("9".into()), Some("10".into())));
    let large = posted(100_001).await;
    assert_eq!(large.error(), (400, "EntityTooLarge".to_owned()));
    let sizes = (large.element("ProposedSize"), large.element("MaxSizeAllowed"));
    assert_eq!(sizes, (Some("100001".into()), Some("100000".into())));
    assert_eq!(client.get(&format!("/{bucket}/k")).await.status, 404);
    assert_eq!(posted(10).await.status, 204);
    assert_eq!(posted(100_000).await.status, 204);
}

#[tokio::test]
async fn digests_in_fields_are_held_against_the_file() {
    let server = Server::start();
    let (client, bucket) = (server.client(), server.bucket().await);
    let posted = async |name: &str, value: &str| {
        Form::new(&bucket, "k", "content").signed(name, value).sign(&server).send(&server, &bucket).await
    };
    assert_eq!(posted("Content-MD5", "mgNkuembtIDdJeHwKEyFVQ==").await.status, 204);
    assert_eq!(posted("Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg==").await.error(), (400, "BadDigest".to_owned()));
    assert_eq!(posted("Content-MD5", "x").await.error(), (400, "InvalidDigest".to_owned()));
    let wrong = posted("x-amz-checksum-crc32", "AAAAAA==").await;
    assert_eq!(wrong.error(), (400, "BadDigest".to_owned()));
    assert_eq!(posted("x-amz-checksum-crc32", "!").await.error(), (400, "InvalidRequest".to_owned()));
    let encrypted = posted("x-amz-server-side-encryption", "AES256").await;
    assert_eq!(encrypted.error(), (501, "NotImplemented".to_owned()), "what would not happen is refused");
    let tags = posted("tagging", "<Tagging><TagSet><Tag><Key>aws:a</Key><Value/></Tag></TagSet></Tagging>").await;
    assert_eq!(tags.error(), (400, "InvalidTag".to_owned()));
    let header = posted("Cache-Control", "a\r\nx-injected: b").await;
    assert_eq!(header.error(), (400, "InvalidArgument".to_owned()));
    let kept = client.get(&format!("/{bucket}/k")).await;
    assert_eq!((kept.text().as_str(), kept.header("x-injected")), ("content", None));
}

#[tokio::test]
async fn what_is_no_form_is_refused() {
    let server = Server::start();
    let bucket = server.bucket().await;
    let target = format!("/{bucket}");
    let form = Form::new(&bucket, "k", "content").sign(&server);
    let body = form.body();
    let sent = async |headers: &[(&str, &str)], body: &[u8]| post(&server, &target, headers, body).await;
    let plain = sent(&[("content-type", "application/x-www-form-urlencoded")], b"key=k").await;
    assert_eq!(plain.error(), (412, "PreconditionFailed".to_owned()));
    let condition = "Bucket POST must be of the enclosure-type multipart/form-data";
    assert_eq!(plain.element("Condition").as_deref(), Some(condition));
    let malformed = (400, "MalformedPOSTRequest".to_owned());
    assert_eq!(sent(&[("content-type", "multipart/form-data")], &body).await.error(), malformed);
    assert_eq!(sent(&[("content-type", "multipart/form-data; boundary=other")], &body).await.error(), malformed);
    assert_eq!(sent(&[], &body[..body.len() / 2]).await.error(), malformed);
    assert_eq!(sent(&[], b"").await.error(), malformed);
    let no_file = format!("{}--{BOUNDARY}--\r\n", part("key", "k"));
    let no_file = sent(&[], no_file.as_bytes()).await;
    assert_eq!(no_file.error(), (400, "InvalidArgument".to_owned()));
    assert_eq!(no_file.element("Message").as_deref(), Some("POST requires exactly one file upload per request."));
    let no_key = format!("{}--{BOUNDARY}--\r\n", part("file", "content"));
    let no_key = sent(&[], no_key.as_bytes()).await;
    assert_eq!((no_key.error(), no_key.element("ArgumentName")), ((400, "InvalidArgument".into()), Some("key".into())));
    let twice = form.clone().field("KEY", "other").body();
    assert_eq!(sent(&[], &twice).await.error(), (400, "InvalidArgument".to_owned()));
    let long = form.clone().field("x-ignore-it", &"x".repeat(30_000)).body();
    assert_eq!(sent(&[], &long).await.error(), (400, "MaxPostPreDataLengthExceeded".to_owned()));
    let missing = post(&server, "/not-there", &[], &body).await;
    assert_eq!(missing.error(), (404, "NoSuchBucket".to_owned()));
    // A body without its length.
    let mut connection = Raw::connect(server.s3).await;
    let chunked = head(&server, &target, &[], 0).replace("content-length: 0", "transfer-encoding: chunked");
    connection.send(chunked + "0\r\n\r\n").await;
    assert_eq!(connection.answer().await.error(), (411, "MissingContentLength".to_owned()));
}

#[tokio::test]
async fn a_form_may_come_in_any_pieces() {
    let server = Server::start();
    let (client, bucket) = (server.client(), server.bucket().await);
    // What looks like a boundary and is none.
    let content = [b"\r\n--".as_slice(), &BOUNDARY.as_bytes()[..20], b"\r\n\r", &noise(3000, 3)].concat();
    let body = Form::new(&bucket, "pieces", &content).sign(&server).body();
    for size in [1, 7, 64] {
        let mut connection = Raw::connect(server.s3).await;
        connection.send(head(&server, &format!("/{bucket}"), &[], body.len())).await;
        for piece in body.chunks(size) {
            connection.send(piece).await;
        }
        assert_eq!(connection.answer().await.status, 204, "{size} bytes at a time");
        assert!(client.get(&format!("/{bucket}/pieces")).await.body == content);
    }
}

#[tokio::test]
async fn a_large_file_streams_through_and_half_of_one_leaves_nothing() {
    let server = Server::start();
    let (client, bucket) = (server.client(), server.bucket().await);
    let content = noise(20 << 20, 4);
    let form = Form::new(&bucket, "large", &content).sign(&server);
    assert_eq!(form.send(&server, &bucket).await.status, 204);
    assert!(client.get(&format!("/{bucket}/large")).await.body == content);
    let taken = server.bytes_on_disk();
    let body = Form::new(&bucket, "half", &content).sign(&server).body();
    let mut connection = Raw::connect(server.s3).await;
    connection.send(head(&server, &format!("/{bucket}"), &[], body.len())).await;
    connection.send(&body[..10 << 20]).await;
    drop(connection);
    for _ in 0..200 {
        if server.bytes_on_disk() < taken + (1 << 20) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(server.bytes_on_disk() < taken + (1 << 20), "what was received is removed");
    assert_eq!(client.get(&format!("/{bucket}/half")).await.status, 404);
}

#[tokio::test]
async fn a_form_is_sent_to_the_bucket_s_own_host_too_and_waits_to_be_asked() {
    let server = Server::start_with(&[("BRIM_S3_DOMAINS", "s3.localhost")]);
    let (client, bucket) = (server.client(), server.bucket().await);
    let host = format!("{bucket}.s3.localhost:{}", server.s3.port());
    let body = Form::new(&bucket, "k", "content").signed("success_action_status", "201").sign(&server).body();
    let answer = post(&server, "/", &[("host", &host)], &body).await;
    assert_eq!((answer.status, answer.element("Location")), (201, Some(format!("http://{host}/k"))));
    assert_eq!(client.get(&format!("/{bucket}/k")).await.text(), "content");
    let mut connection = Raw::connect(server.s3).await;
    connection.send(head(&server, &format!("/{bucket}"), &[("expect", "100-continue")], body.len())).await;
    assert_eq!(connection.answer().await.status, 100);
    connection.send(&body).await;
    assert_eq!(connection.answer().await.status, 201);
}

#[tokio::test]
async fn a_page_of_another_origin_sees_the_answer_where_the_rules_allow_it() {
    let server = Server::start();
    let (client, bucket) = (server.client(), server.bucket().await);
    let rules = "<CORSConfiguration><CORSRule><AllowedOrigin>http://app.example</AllowedOrigin>\
        <AllowedMethod>POST</AllowedMethod></CORSRule></CORSConfiguration>";
    assert_eq!(client.put(&format!("/{bucket}?cors"), rules).await.status, 200);
    let form = Form::new(&bucket, "k", "content");
    let origin = [("origin", "http://app.example")];
    for (form, status) in [(form.clone().sign(&server), 204), (form, 403)] {
        let answer = post(&server, &format!("/{bucket}"), &origin, &form.body()).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("access-control-allow-origin"), Some("http://app.example"));
    }
}

#[tokio::test]
async fn a_form_needs_the_permissions_of_the_same_put_object() {
    let server = Server::start();
    let (client, bucket) = (server.client(), server.bucket().await);
    let policy = format!(
        "{{\"Version\": \"2012-10-17\", \"Statement\": [\
         {{\"Effect\": \"Allow\", \"Principal\": \"*\", \"Action\": \"s3:PutObject\",\
           \"Resource\": \"arn:aws:s3:::{bucket}/inbox/*\"}},\
         {{\"Effect\": \"Deny\", \"Principal\": \"*\", \"Action\": \"s3:PutObject\",\
           \"Resource\": \"arn:aws:s3:::{bucket}/*\", \"Condition\": {{\"StringEquals\": {{\"s3:authType\": \"POST\"}}}}}}]}}"
    );
    assert_eq!(client.put(&format!("/{bucket}?policy"), policy).await.status, 204);
    let tagging = "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>";
    let denied = (403, "AccessDenied".to_owned());
    let inbox = Form::new(&bucket, "inbox/${filename}", "content");
    // Nobody signed these: the bucket's policy lets anyone in, to one place, and to do no more than put.
    assert_eq!(inbox.send(&server, &bucket).await.status, 204);
    assert_eq!(client.get(&format!("/{bucket}/inbox/photo.jpg")).await.text(), "content");
    assert_eq!(Form::new(&bucket, "k", "content").send(&server, &bucket).await.error(), denied);
    assert_eq!(inbox.clone().field("tagging", tagging).send(&server, &bucket).await.error(), denied);
    assert_eq!(inbox.clone().field("acl", "private").send(&server, &bucket).await.error(), denied);
    // The owner may do everything but what the policy denies: here, to use forms.
    assert_eq!(inbox.sign(&server).send(&server, &bucket).await.error(), denied);
    // What a field says is judged, whatever the request's own headers say.
    let policy = format!(
        "{{\"Version\": \"2012-10-17\", \"Statement\": [{{\"Effect\": \"Deny\", \"Principal\": \"*\",\
         \"Action\": \"s3:PutObject\", \"Resource\": \"arn:aws:s3:::{bucket}/*\",\
         \"Condition\": {{\"StringEquals\": {{\"s3:x-amz-acl\": \"bucket-owner-full-control\"}}}}}}]}}"
    );
    assert_eq!(client.put(&format!("/{bucket}?policy"), policy).await.status, 204);
    for (acl, status) in [("private", 204), ("bucket-owner-full-control", 403)] {
        let body = Form::new(&bucket, "k", "content").signed("acl", acl).sign(&server).body();
        for headers in [&[][..], &[("x-amz-acl", "private")], &[("x-amz-acl", "bucket-owner-full-control")]] {
            let answer = post(&server, &format!("/{bucket}"), headers, &body).await;
            assert_eq!(answer.status, status, "{acl} with {headers:?}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn the_tags_of_a_form_are_those_that_a_condition_asks_for() {
    let server = Server::start();
    let (client, bucket) = (server.client(), server.bucket().await);
    let policy = serde_json::json!({ "Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": "*", "Action": ["s3:PutObject", "s3:PutObjectTagging"],
        "Resource": format!("arn:aws:s3:::{bucket}/*"),
        "Condition": { "StringEquals": { "s3:RequestObjectTag/team": "blue" } } } });
    assert_eq!(client.put(&format!("/{bucket}?policy"), policy.to_string()).await.status, 204);
    let form = |team: &str| {
        let tagging = format!("<Tagging><TagSet><Tag><Key>team</Key><Value>{team}</Value></Tag></TagSet></Tagging>");
        Form::new(&bucket, "key", "content").field("tagging", &tagging)
    };
    let denied = (403, "AccessDenied".to_owned());
    assert_eq!(form("blue").send(&server, &bucket).await.status, 204);
    assert_eq!(form("red").send(&server, &bucket).await.error(), denied);
    assert_eq!(Form::new(&bucket, "key", "content").send(&server, &bucket).await.error(), denied);
    // What stands in the head of the form's own request is not said by the form.
    let head = [("x-amz-tagging", "team=blue")];
    for form in [form("red"), Form::new(&bucket, "key", "content")] {
        assert_eq!(post(&server, &format!("/{bucket}"), &head, &form.body()).await.error(), denied);
    }
}
