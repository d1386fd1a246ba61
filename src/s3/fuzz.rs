//! Fuzz targets: what requests ask for, and the documents they bring.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::cors::{Crossing, Rules};
use super::error::{Code, S3Error};
use super::form::{Fields, FormParser, Policy, Step};
use super::operation::{Operation, Support};
use super::query::Query;
use super::target::{Level, Target};
use super::xml::input::{CompleteMultipartUpload, CreateBucketConfiguration, Delete, MAX_DELETED_OBJECTS, MAX_PARTS};
use super::xml::write::Writer;
use super::xml::{notification, website};
use super::{checksum, metadata, precondition};
use crate::auth::payload_of_anonymous;
use crate::clock::Timestamp;
use crate::events::rules::{self, EventName, MAX_RULES};
use crate::fuzz::{self, Mutated};
use crate::http::fuzz as http_fuzz;
use crate::http::head::Head;
use crate::http::percent;
use crate::names::ObjectKey;
use crate::s3::body::BodyPlan;
use crate::site::configuration::{Protocol, Website};

/// More than the user metadata that fits, at two bytes for one.
const MAX_METADATA_BYTES: usize = 8 * 1024;

#[test]
fn requests() {
    let seeds = [
        "GET /bucket?list-type=2&prefix=a%2Fb&delimiter=%2F&max-keys=10&continuation-token=YS9i&encoding-type=url\nhost: localhost",
        "GET /bucket?uploads&key-marker=k&upload-id-marker=00000000000000000000000000000000\nhost: localhost",
        "PUT /bucket/key?partNumber=10000&uploadId=00000000000000000000000000000000\nhost: localhost\ncontent-length: 5",
        "PUT /photos%2Fk+%20//../%E2%82%AC\nhost: bucket.s3.localhost:9000\nx-amz-meta-a: =?UTF-8?B?Y2Fmw6k=?=\ncontent-encoding: gzip,aws-chunked",
        "PUT /b/k\nhost: localhost\nx-amz-copy-source: /other/a%20key?versionId=null\nx-amz-metadata-directive: REPLACE",
        "PUT /b/k\nhost: h\nx-amz-tagging: a=b&c=%C3%A9\nx-amz-checksum-crc32: AAAAAA==\nx-amz-sdk-checksum-algorithm: CRC32\ncontent-md5: 1B2M2Y8AsgTpgAmY7PhCfg==",
        "PUT /b/k\nhost: h\nif-none-match: *\nx-amz-storage-class: STANDARD\nx-amz-acl: private\nx-amz-decoded-content-length: 3\nx-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\nx-amz-trailer: x-amz-checksum-crc32c",
        "POST /b/k?uploads=\nhost: h\nx-amz-checksum-algorithm: CRC64NVME\nx-amz-checksum-type: FULL_OBJECT",
        "PUT /v20180820/configuration/publicAccessBlock\nhost: 123456789012.s3.localhost\nx-amz-account-id: 123456789012",
        "GET /b/k?response-content-type=text%2Fhtml&partNumber=1&x-id=GetObject\nhost: h\nx-amz-object-attributes: ETag,Checksum",
    ];
    let words = [
        "/bucket",
        "?",
        "&",
        "=",
        "%2F",
        "%",
        "uploadId=",
        "partNumber=",
        "max-keys=",
        "versionId=",
        "acl",
        "delete",
        "continuation-token=",
        "\nx-amz-meta-",
        "\nx-amz-checksum-sha256: ",
        "\nx-amz-copy-source: ",
        "aws-chunked",
        "\nhost: .s3.localhost",
    ];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(seeds, &words)).for_each(|input| {
        let Some(head) = http_fuzz::head(input) else { return };
        fuzz::promptly(|| read_request(&head));
    });
}

fn read_request(head: &Head) {
    let query = Query::parse(&head.query);
    if let (Ok(target), Ok(query)) = (Target::parse(head, &["s3.localhost".to_owned()]), &query) {
        let operation = Operation::find(&head.method, target.level(), query, &head.headers);
        assert!(matches!(operation.support(), Support::NotImplemented) || operation != Operation::Unknown);
        target_is_as_sent(head, &target);
        if let Ok(claim) = payload_of_anonymous(head) {
            let _ = BodyPlan::parse(head, &claim, operation).map(|plan| plan.announced_length());
        }
    }
    let headers = &head.headers;
    if let Ok(parsed) = metadata::parse(headers, &ObjectKey::parse("k").unwrap()) {
        let size: usize = parsed.user.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(size <= MAX_METADATA_BYTES, "{size} bytes of metadata");
        let coding = parsed.content_encoding.unwrap_or_default();
        assert!(!coding.split(',').any(|token| token.trim() == "aws-chunked"), "{coding:?} is the transfer's");
    }
    let _ = (metadata::refuse_unsupported(headers), metadata::storage_class(headers), precondition::parse(headers));
    let _ = (checksum::in_headers(headers), checksum::wanted(headers), checksum::claimed(headers, &[]));
}

/// Bucket and key are the path, decoded once and otherwise untouched.
fn target_is_as_sent(head: &Head, target: &Target) {
    if target.level() == Level::Account {
        return assert!(target.bucket.is_none() && target.key.is_none() && !target.in_host);
    }
    let path = percent::decode(head.path.strip_prefix('/').unwrap_or(&head.path)).expect("the target was read");
    let key = target.key.clone().unwrap_or_default();
    let bucket = target.bucket.clone().unwrap_or_default();
    let rebuilt = match (target.in_host, target.level()) {
        (true, _) => key.clone(),
        (false, Level::Object) => [bucket.as_bytes(), b"/", &key].concat(),
        (false, _) => bucket.clone().into_bytes(),
    };
    assert_eq!(path.strip_suffix(b"/").filter(|_| key.is_empty()).unwrap_or(&path), rebuilt);
    // What is wrong with a name is said without repeating more than the name.
    let problem: Option<S3Error> = target.bucket_name().err();
    problem.inspect(|error| assert!(error.body(&target.resource(), "id", "host").len() < 16 * fuzz::MAX_BYTES));
    let _ = target.object_key();
}

#[test]
fn documents() {
    let seeds = [
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet><Object><Key>a&amp;&#x1;b</Key><VersionId>null</VersionId></Object><Object><Key><![CDATA[c]]></Key><ETag>\"e\"</ETag><Size>5</Size></Object></Delete>",
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"d41d8cd98f00b204e9800998ecf8427e\"</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part><Part><ETag>e</ETag><PartNumber> 10000 </PartNumber></Part></CompleteMultipartUpload>",
        "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint><Tags><Tag><Key>k</Key><Value/></Tag></Tags></CreateBucketConfiguration>",
        "<a:Delete xmlns:a='b'><!-- c --><a:Object><a:Key> k </a:Key></a:Object></a:Delete>",
    ];
    let words = [
        "<Object>",
        "</Object>",
        "<Key>",
        "</Key>",
        "<Part>",
        "<a>",
        "</a>",
        "<b/>",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<!DOCTYPE a [",
        "<!ENTITY x \"y\">",
        "&x;",
        "&amp;",
        "&#0;",
        "&#x10FFFF;",
        "&#xD800;",
        "<?",
        "?>",
        "xmlns=\"",
        "</Delete>",
        "<Delete>",
        "\u{feff}",
    ];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(seeds, &words)).for_each(|input| {
        fuzz::promptly(|| {
            if let Ok(delete) = Delete::from_body(input) {
                assert!((1..=MAX_DELETED_OBJECTS).contains(&delete.objects.len()));
                let kept: usize = delete.objects.iter().map(|object| object.key.len()).sum();
                assert!(kept <= input.len(), "a document never expands");
                // There is no way to write a zero that XML allows.
                if !input.contains(&0) {
                    assert_eq!(Delete::from_body(&written(&delete)).unwrap(), delete);
                }
            }
            if let Ok(complete) = CompleteMultipartUpload::from_body(input) {
                assert!((1..=MAX_PARTS).contains(&complete.parts.len()));
            }
            if let Ok(create) = CreateBucketConfiguration::from_body(input) {
                let kept: usize = create.tags.iter().map(|tag| tag.key.len() + tag.value.len()).sum();
                assert!(kept <= input.len(), "a document never expands");
            }
        });
    });
}

/// The document again, as the writer of answers writes it.
fn written(delete: &Delete) -> Vec<u8> {
    let mut document = Writer::new("Delete");
    document.flag("Quiet", delete.quiet);
    for object in &delete.objects {
        document.nest("Object", |entry| {
            entry.text("Key", &object.key).optional("VersionId", object.version_id.as_deref());
            entry.optional("ETag", object.etag.as_deref());
            entry.optional("LastModifiedTime", object.last_modified_time.as_deref());
            entry.optional("Size", object.size.map(|size| size.to_string()).as_deref());
        });
    }
    document.finish()
}

#[test]
fn website_configurations() {
    let seeds = [
        "<?xml version=\"1.0\"?><WebsiteConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><IndexDocument><Suffix>index.html</Suffix></IndexDocument><ErrorDocument><Key>error.html</Key></ErrorDocument><RoutingRules><RoutingRule><Condition><KeyPrefixEquals>docs/</KeyPrefixEquals><HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals></Condition><Redirect><Protocol>https</Protocol><HostName>example.com</HostName><ReplaceKeyPrefixWith>a&amp;b</ReplaceKeyPrefixWith><HttpRedirectCode>302</HttpRedirectCode></Redirect></RoutingRule><RoutingRule><Redirect/></RoutingRule></RoutingRules></WebsiteConfiguration>",
        "<WebsiteConfiguration><RedirectAllRequestsTo><HostName>h</HostName><Protocol>http</Protocol></RedirectAllRequestsTo></WebsiteConfiguration>",
    ];
    let words =
        ["<RoutingRule><Redirect/></RoutingRule>", "<Suffix>", "</Suffix>", "<Condition/>", "404", "/", "&#13;&#10;"];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(seeds, &words)).for_each(|input| {
        fuzz::promptly(|| {
            let Ok(configuration) = website::read(input) else { return };
            assert_eq!(Website::decode(&configuration.encode()).unwrap(), configuration);
            // There is no way to write a zero that XML allows.
            if !input.contains(&0) {
                assert_eq!(website::read(&website::write(&configuration).finish()).unwrap(), configuration);
            }
            if let Website::Serve(serve) = configuration {
                assert!(!serve.index.is_empty() && !serve.index.contains('/') && serve.rules.len() <= 50);
                for rule in [serve.rule_before("docs/a\r\n"), serve.rule_after("docs/a", 404)].into_iter().flatten() {
                    let moved = rule.target("docs/a\r\n", "h", Protocol::Http);
                    assert!(moved.location.bytes().all(|byte| byte.is_ascii_graphic()), "{moved:?}");
                }
            }
        });
    });
}

#[test]
fn notification_configurations() {
    let seeds = [
        "<?xml version=\"1.0\"?><NotificationConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><QueueConfiguration><Id>1</Id><Filter><S3Key><FilterRule><Name>prefix</Name><Value>a%2Bb/</Value></FilterRule><FilterRule><Name>Suffix</Name><Value>.jpg</Value></FilterRule></S3Key></Filter><Queue>arn:aws:sqs:us-west-2:444455556666:q</Queue><Event>s3:ObjectCreated:Put</Event></QueueConfiguration><EventBridgeConfiguration/></NotificationConfiguration>",
        "<NotificationConfiguration><TopicConfiguration><Topic>arn:aws:sns:r:444455556666:t</Topic><Event>s3:ObjectRemoved:*</Event><EventVersion>2.5</EventVersion></TopicConfiguration><CloudFunctionConfiguration><CloudFunction>arn:aws:lambda:r:444455556666:function:f</CloudFunction><Event>s3:LifecycleTransition</Event></CloudFunctionConfiguration><QueueConfiguration><Queue>arn:minio:sqs::1:webhook</Queue><Event>s3:ObjectAcl:Put</Event></QueueConfiguration></NotificationConfiguration>",
    ];
    let words = [
        "<Event>s3:ObjectCreated:*</Event>",
        "<Filter><S3Key>",
        "</S3Key></Filter>",
        "<FilterRule><Name>prefix</Name><Value/></FilterRule>",
        "<EventBridgeConfiguration/>",
        "<Id>1</Id>",
        "arn:brim:sqs:::a",
        "%2",
        "+",
        "&#13;",
    ];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(seeds, &words)).for_each(|input| {
        fuzz::promptly(|| {
            let Ok(asked) = notification::read(input) else { return };
            let Some(rules) = asked.rules else { return };
            assert!(asked.arns.len() <= MAX_RULES && (1..=MAX_RULES + 1).contains(&rules.iter().count()));
            assert_eq!(rules::Rules::decode(&rules.encode()).unwrap(), rules);
            // There is no way to write a zero that XML allows.
            if !input.contains(&0) {
                assert_eq!(
                    notification::read(&notification::write(Some(&rules)).finish()).unwrap().rules,
                    Some(rules.clone())
                );
            }
            for key in ["a+b/x.jpg", "%2"].map(|key| ObjectKey::parse(key).unwrap()) {
                for rule in rules.iter() {
                    let found = rules.matching(EventName::CreatedPut, &key, &rule.target);
                    assert!(found.is_some() || !rule.matches(EventName::CreatedPut, &key));
                }
            }
        });
    });
}

#[test]
fn cors_rules() {
    let seeds = [
        "<?xml version=\"1.0\"?><CORSConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><CORSRule><ID>a</ID><AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT</AllowedMethod><AllowedOrigin>http://*.example.com</AllowedOrigin><AllowedHeader>x-amz-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>3000</MaxAgeSeconds></CORSRule></CORSConfiguration>",
        "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>HEAD</AllowedMethod><AllowedHeader>*</AllowedHeader></CORSRule><CORSRule><AllowedOrigin/><AllowedMethod>POST</AllowedMethod><MaxAgeSeconds/></CORSRule></CORSConfiguration>",
    ];
    let words = [
        "<CORSRule>",
        "</CORSRule>",
        "<AllowedOrigin>",
        "</AllowedOrigin>",
        "<AllowedHeader>*</AllowedHeader>",
        "*",
        "**",
        "GET",
        "&#13;",
    ];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(seeds, &words)).for_each(|input| {
        let Ok(rules) = Rules::from_xml(input) else { return };
        fuzz::promptly(|| {
            assert_eq!(Rules::decode(&rules.encode().unwrap()).unwrap(), rules);
            if !input.contains(&0) {
                assert_eq!(Rules::from_xml(&rules.to_xml().finish()).unwrap(), rules);
            }
            for origin in ["http://a.example.com", "null", ""] {
                let crossing = Crossing { origin, method: "GET", headers: vec!["x-amz-date".to_owned()] };
                let answer = rules.find(&crossing).map(|rule| rule.answer(&crossing)).unwrap_or_default();
                let line_break = |text: &str| text.contains(['\r', '\n']);
                assert!(!answer.iter().any(|(_, value)| line_break(value)), "{answer:?}");
            }
        });
    });
}

#[test]
fn upload_policies() {
    let seeds = [
        "{\"expiration\": \"2015-12-30T12:00:00.000Z\", \"conditions\": [{\"bucket\": \"b\"}, [\"starts-with\", \"$key\", \"user/\"], {\"acl\": \"private\"}, [\"content-length-range\", 1, 100]]}",
        "{\"conditions\": [[\"eq\", \"$bucket\", \"b\"], [\"Starts-With\", \"$Content-Type\", \"image/\"], [\"starts-with\", \"$key\", \"\"]], \"expiration\": \"2015-12-30T12:00:00Z\"}",
    ];
    let words =
        ["\"eq\"", "\"$key\"", "[", "]", "{", "}", ",", "\"conditions\":", "\"expiration\":", "\\u0000", "1e9", "null"];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(seeds, &words)).for_each(|input| {
        fuzz::promptly(|| {
            let Ok(policy) = Policy::parse(&BASE64.encode(&**input)) else { return };
            let mut fields = Fields::default();
            fields.push("key", "user/a".to_owned()).unwrap();
            let judged = policy.check(&fields, "b", "user/a", Timestamp::from_seconds(1));
            // Without a word about the bucket, no form is allowed.
            let named = String::from_utf8_lossy(input).to_ascii_lowercase();
            assert!(judged.is_err() || named.contains("bucket") || named.contains('\\'), "{judged:?}");
            assert!(judged.is_ok() || judged.unwrap_err().code == Code::AccessDenied);
            assert!(policy.check(&fields, "b", "user/a", Timestamp::from_seconds(1 << 40)).is_err(), "it has ended");
        });
    });
}

#[test]
fn forms() {
    let seeds = [
        "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\na/${filename}\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\nContent-Type: a/b\r\n\r\ncontent\r\n--b--\r\n",
        "preamble\r\n--b  \r\nContent-Disposition: form-data; name=policy\r\n\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"File\"\r\n\r\n\r\n--b--",
    ];
    let words =
        ["--b", "\r\n--b", "--b--", "Content-Disposition: form-data; name=\"a\"\r\n\r\n", "name=\"file\"", "\r", "--"];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(seeds, &words)).for_each(|input| {
        fuzz::promptly(|| {
            let (whole, cut) = (form_of([&**input]), form_of(fuzz::pieces(input)));
            assert_eq!(whole, cut, "it depends on how the body is cut");
        });
    });
}

/// Fields, the file's name and its content: what comes of a form in these pieces. The content of one that is broken later
/// depends on where it is cut, and counts for nothing.
fn form_of<'b>(pieces: impl IntoIterator<Item = &'b [u8]>) -> Result<(Fields, String, Vec<u8>), Code> {
    let mut pieces = pieces.into_iter();
    let mut parser = FormParser::new("multipart/form-data; boundary=b").map_err(|error| error.code)?;
    let mut form = (Fields::default(), String::new(), Vec::new());
    loop {
        match parser.next().map_err(|error| error.code)? {
            Step::Hungry => match pieces.next() {
                Some(piece) => parser.push(bytes::Bytes::copy_from_slice(piece)),
                None => parser.end(),
            },
            Step::File { fields, name } => (form.0, form.1) = (fields, name),
            Step::Data(bytes) => form.2.extend_from_slice(&bytes),
            Step::Done => return Ok(form),
        }
    }
}
