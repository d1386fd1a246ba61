//! The examples of S3's documentation, and where clients deviate from them.

use std::time::Duration;

use crate::auth::{Error, Options, Payload, SigningKeys, parse, verify};
use crate::clock::Timestamp;
use crate::http::head::Head;

use super::*;

const AKID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

fn head(method: &str, target: &str, headers: &[(&str, &str)]) -> Head {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Head { method: method.into(), path: path.into(), query: query.into(), headers: headers.iter().copied().collect() }
}

fn signed(head: &Head, expires: Option<&str>) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SECRET.as_bytes());
    let text = canonical::string_to_sign(head, None, expires, canonical::Path::AsSent);
    STANDARD.encode(hmac::sign(&key, &text))
}

fn verified_at(now: Timestamp, head: &Head, bucket: Option<&str>) -> Result<Payload, Error> {
    let options = Options::default();
    let claim = parse(head, &options)?.expect("the request is signed");
    verify(&claim, head, bucket, SECRET, now, &options, &SigningKeys::default())
}

/// Verifies the request at the very second it is dated.
fn verified(head: &Head, bucket: Option<&str>) -> Result<Payload, Error> {
    let time = parse(head, &Options::default())?.expect("the request is signed").time();
    verified_at(time, head, bucket)
}

/// (method, target, date, other headers, bucket in the host, signature)
type Example =
    (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)], &'static str, &'static str);

const EXAMPLES: [Example; 8] = [
    (
        "GET",
        "/photos/puppy.jpg",
        "Tue, 27 Mar 2007 19:36:42 +0000",
        &[],
        "awsexamplebucket1",
        "qgk2+6Sv9/oM7G3qLEjTH1a1l1g=",
    ),
    (
        "PUT",
        "/photos/puppy.jpg",
        "Tue, 27 Mar 2007 21:15:45 +0000",
        &[("Content-Type", "image/jpeg"), ("Content-Length", "94328")],
        "awsexamplebucket1",
        "iqRzw+ileNPu1fhspnRs8nOjjIA=",
    ),
    (
        "GET",
        "/?prefix=photos&max-keys=50&marker=puppy",
        "Tue, 27 Mar 2007 19:42:41 +0000",
        &[("User-Agent", "Mozilla/5.0")],
        "awsexamplebucket1",
        "m0WP8eCtspQl5Ahe6L1SozdX9YA=",
    ),
    ("GET", "/?acl", "Tue, 27 Mar 2007 19:44:46 +0000", &[], "awsexamplebucket1", "82ZHiFIjc+WbcwFKGUVEQspPn+0="),
    (
        "DELETE",
        "/awsexamplebucket1/photos/puppy.jpg",
        "Tue, 27 Mar 2007 21:20:26 +0000",
        &[("User-Agent", "dotnet")],
        "",
        "XbyTlbQdu9Xw5o8P4iMwPktxQd8=",
    ),
    (
        "PUT",
        "/db-backup.dat.gz",
        "Tue, 27 Mar 2007 21:06:08 +0000",
        &[
            ("User-Agent", "curl/7.15.5"),
            ("Host", "static.example.com:8080"),
            ("x-amz-acl", "public-read"),
            ("content-type", "application/x-download"),
            ("Content-MD5", "4gJE4saaMU4BqNR0kLY+lw=="),
            ("X-Amz-Meta-ReviewedBy", "joe@example.com"),
            ("X-Amz-Meta-ReviewedBy", "jane@example.com"),
            ("X-Amz-Meta-FileChecksum", "0x02661779"),
            ("X-Amz-Meta-ChecksumAlgorithm", "crc32"),
        ],
        "static.example.com",
        "jtBQa0Aq+DkULFI8qrpwIjGEx0E=",
    ),
    ("GET", "/", "Wed, 28 Mar 2007 01:29:59 +0000", &[], "", "qGdzdERIC03wnaRNKh6OqZehG9s="),
    (
        "GET",
        "/dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re",
        "Wed, 28 Mar 2007 01:49:49 +0000",
        &[],
        "",
        "DNEZGsoieTZ92F3bUfSPQcbGmlM=",
    ),
];

fn example((method, target, date, headers, bucket, signature): Example) -> (Head, Option<&'static str>) {
    let mut head = head(method, target, headers);
    head.headers.push("Date", date);
    head.headers.push("Authorization", format!("AWS {AKID}:{signature}"));
    (head, (!bucket.is_empty()).then_some(bucket))
}

#[test]
fn the_documented_requests_verify() {
    for documented in EXAMPLES {
        let (head, bucket) = example(documented);
        assert!(matches!(verified(&head, bucket), Ok(Payload::Unsigned)), "{documented:?}");
    }
}

#[test]
fn a_change_to_anything_signed_is_a_mismatch() {
    let (good, bucket) = example(EXAMPLES[5]);
    assert!(verified(&good, bucket).is_ok());
    let mut changed = vec![Head { method: "POST".into(), ..good.clone() }];
    changed.push(Head { path: "/db-backup.dat.gy".into(), ..good.clone() });
    for query in ["acl", "uploads=", "encryption", "retention", "ownershipControls"] {
        changed.push(Head { query: query.into(), ..good.clone() });
    }
    for (name, value) in [("x-amz-copy-source", "/other/key"), ("content-type", "text/html"), ("content-md5", "x")] {
        let mut head = good.clone();
        head.headers.push(name, value);
        changed.push(head);
    }
    for head in changed {
        let Err(Error::SignatureDoesNotMatch(mismatch)) = verified(&head, bucket) else { panic!("{head:?}") };
        assert_eq!((mismatch.access_key_id.as_str(), &mismatch.canonical_request), (AKID, &None));
        assert!(
            mismatch.string_to_sign.ends_with(b"db-backup.dat.gz")
                || head.path != good.path
                || head.query != good.query
        );
    }
    assert!(matches!(verified(&good, Some("other")), Err(Error::SignatureDoesNotMatch(_))));
}

#[test]
fn a_header_dated_request_must_be_recent() {
    let (head, bucket) = example(EXAMPLES[0]);
    let time = parse(&head, &Options::default()).unwrap().unwrap().time();
    let quarter = Duration::from_secs(900);
    assert!(verified_at(time.plus(quarter), &head, bucket).is_ok());
    let late = verified_at(time.plus(quarter + Duration::from_secs(1)), &head, bucket);
    assert!(matches!(late, Err(Error::TooSkewed { request, .. }) if request == time));
    let early = verified_at(Timestamp::from_seconds(time.as_seconds() - 901), &head, bucket);
    assert!(matches!(early, Err(Error::TooSkewed { .. })));
}

#[test]
fn x_amz_date_takes_the_place_of_date() {
    let mut head =
        head("DELETE", "/bucket/key", &[("Date", "nonsense"), ("x-amz-date", "Tue, 27 Mar 2007 21:20:26 +0000")]);
    let text = canonical::string_to_sign(&head, None, None, canonical::Path::AsSent);
    assert_eq!(text, b"DELETE\n\n\n\nx-amz-date:Tue, 27 Mar 2007 21:20:26 +0000\n/bucket/key");
    let signature = signed(&head, None);
    head.headers.push("authorization", format!("AWS {AKID}:{signature}"));
    assert!(verified(&head, None).is_ok());
}

#[test]
fn the_documented_presigned_request_verifies_until_it_expires() {
    let query = format!("AWSAccessKeyId={AKID}&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620");
    let head = head("GET", &format!("/photos/puppy.jpg?{query}"), &[("Host", "johnsmith.s3.amazonaws.com")]);
    let expires = Timestamp::from_seconds(1_175_139_620);
    assert!(matches!(verified_at(expires, &head, Some("johnsmith")), Ok(Payload::Unsigned)));
    let late = verified_at(expires.plus(Duration::from_millis(1)), &head, Some("johnsmith"));
    assert!(matches!(late, Err(Error::Expired { lifetime: None, .. })));
    assert!(parse(&head, &Options::default()).unwrap().unwrap().is_presigned());
}

#[test]
fn boto3s_slash_behind_a_bare_bucket_is_accepted_and_no_other() {
    for (path, signed_path, accepted) in [
        ("/bucket", "/bucket/", true),
        ("/bucket", "/bucket", true),
        ("/bucket/", "/bucket", false),
        ("/bucket/key", "/bucket/key/", false),
        ("/", "//", false),
    ] {
        let mut head = head("GET", signed_path, &[("date", "Tue, 27 Mar 2007 19:36:42 +0000")]);
        let signature = signed(&head, None);
        head.path = path.into();
        head.headers.push("authorization", format!("AWS {AKID}:{signature}"));
        assert_eq!(verified(&head, None).is_ok(), accepted, "{path} {signed_path}");
    }
}

/// Requests that botocore 1.43 signed, dated 24 May 2013.
#[test]
fn requests_of_botocore_verify() {
    let token = ("x-amz-security-token", "to/ken+==");
    for (method, target, headers, signature) in [
        ("GET", "/bucket?prefix=a%20b&encoding-type=url", &[][..], "R7CYrorpG0j9EGZmEqFcUpWkwpo="),
        (
            "POST",
            "/bucket/k%20%C3%A9%2B/x?uploads",
            &[("x-amz-meta-Two", "a  b"), ("x-amz-acl", "public-read")],
            "1KZdwBANeNRBj77OwZjUjk03jf0=",
        ),
        ("GET", "/bucket/k?acl&versionId=v%2B%2F%3D", &[token], "n9S23B/69uh7Vmsx/PTn4HHPPMs="),
    ] {
        let mut head = head(method, target, headers);
        head.headers.push("Date", "Fri, 24 May 2013 00:00:00 GMT");
        head.headers.push("Authorization", format!("AWS {AKID}:{signature}"));
        assert!(verified(&head, None).is_ok(), "{target}");
    }
    let signed_headers = [("content-type", "text/plain"), ("x-amz-acl", "public-read")];
    for (method, target, headers) in [
        ("GET", "/bucket?encoding-type=url&Signature=yKu3coAPevCxwTl5RaphIKOHyWY%3D", &[][..]),
        (
            "GET",
            "/bucket/k%20%C3%A9%2B/x?response-content-disposition=attachment%3B%20filename%3D%22a%2Bb.txt%22\
             &Signature=tKHuEVB5VHW2CFXjr3wrboDpetA%3D",
            &[],
        ),
        ("GET", "/bucket/k?Signature=blZvRwiQchlYpC6QTCzw%2FpFWkj8%3D&x-amz-security-token=to%2Fken%2B%3D%3D", &[]),
        (
            "PUT",
            "/bucket/k?Signature=8QdOAi7dnag9JAjWApQuQEF5FTI%3D&content-type=text%2Fplain&x-amz-acl=public-read",
            &signed_headers,
        ),
    ] {
        let head = head(method, &format!("{target}&AWSAccessKeyId={AKID}&Expires=1369357200"), headers);
        assert!(verified(&head, None).is_ok(), "{target}");
    }
}

#[test]
fn the_body_of_a_version_two_request_is_held_to_what_its_head_claims() {
    for (mode, accepted) in [
        ("UNSIGNED-PAYLOAD", true),
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", true),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", false),
    ] {
        let headers = [("x-amz-content-sha256", mode), ("x-amz-decoded-content-length", "1")];
        let mut head = head("PUT", "/b/k", &headers);
        head.headers.push("date", "Fri, 24 May 2013 00:00:00 GMT");
        let signature = signed(&head, None);
        head.headers.push("authorization", format!("AWS {AKID}:{signature}"));
        match verified(&head, None) {
            Ok(_) => assert!(accepted),
            Err(Error::UnsignedSeed) => assert!(!accepted),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn subresources_are_signed_sorted_and_decoded() {
    let query = "uploadId=a%2Fb&prefix=x&response-content-type=text%2Fplain&acl&delete=";
    let head = head("GET", &format!("/b/k%20k?{query}"), &[("date", "D")]);
    let text = canonical::string_to_sign(&head, None, None, canonical::Path::AsSent);
    let expected = "GET\n\n\nD\n/b/k%20k?acl&delete=&response-content-type=text/plain&uploadId=a/b";
    assert_eq!(String::from_utf8(text).unwrap(), expected);
}

#[test]
fn a_presigned_session_token_is_signed_wherever_it_is() {
    let signed_head = head("GET", "/b/k", &[("x-amz-security-token", "to+ken")]);
    let signature = signed(&signed_head, Some("1175139620"));
    let encoded = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let query = format!("AWSAccessKeyId={AKID}&Signature={encoded}&Expires=1175139620");
    let now = Timestamp::from_seconds(1_175_139_000);
    let in_query = head("GET", &format!("/b/k?{query}&x-amz-security-token=to%2Bken"), &[]);
    let in_header = head("GET", &format!("/b/k?{query}"), &[("x-amz-security-token", "to+ken")]);
    for head in [&in_query, &in_header] {
        assert_eq!(parse(head, &Options::default()).unwrap().unwrap().session_token(), Some("to+ken"));
        assert!(verified_at(now, head, None).is_ok());
    }
    let other = head("GET", &format!("/b/k?{query}&x-amz-security-token=other"), &[]);
    assert!(matches!(verified_at(now, &other, None), Err(Error::SignatureDoesNotMatch(_))));
    let unsigned = head("GET", &format!("/b/k?{query}&X-Amz-Security-Token=to%2Bken"), &[]);
    assert_eq!(parse(&unsigned, &Options::default()).unwrap().unwrap().session_token(), None);
    let both = head("GET", &format!("/b/k?{query}&x-amz-security-token=other"), &[("x-amz-security-token", "to+ken")]);
    assert_eq!(parse(&both, &Options::default()).unwrap().unwrap().session_token(), Some("to+ken"));
}

#[test]
fn a_signed_header_cannot_be_switched_off_by_moving_it_into_the_query() {
    let signed_head = head("PUT", "/b/k", &[("x-amz-content-sha256", &"0".repeat(64))]);
    let signature = signed(&signed_head, Some("1175139620")).replace('+', "%2B").replace('=', "%3D");
    let query = format!("AWSAccessKeyId={AKID}&Signature={signature}&Expires=1175139620");
    let now = Timestamp::from_seconds(1_175_139_000);
    let honest = Head { query: query.clone(), ..signed_head };
    assert!(matches!(verified_at(now, &honest, None), Ok(Payload::Sha256(_))));
    let moved = head("PUT", &format!("/b/k?{query}&x-amz-content-sha256={}", "0".repeat(64)), &[]);
    assert!(matches!(verified_at(now, &moved, None), Err(Error::SignatureDoesNotMatch(_))));
}

#[test]
fn incomplete_and_undated_requests_are_refused() {
    let no_date = head("GET", "/", &[("authorization", "AWS a:b")]);
    assert!(matches!(verified(&no_date, None), Err(Error::Undated)));
    for value in ["AWS ", "AWS a", "AWS a:", "AWS :b"] {
        let head = head("GET", "/", &[("authorization", value), ("date", "Tue, 27 Mar 2007 19:36:42 +0000")]);
        let refused = matches!(verified(&head, None), Err(Error::HeaderMalformed(_) | Error::UnsupportedAuthorization));
        assert!(refused, "{value}");
    }
    for query in ["AWSAccessKeyId=a&Signature=b", "Signature=b&Expires=1", "AWSAccessKeyId=a&Expires=1"] {
        assert!(
            matches!(verified(&head("GET", &format!("/?{query}"), &[]), None), Err(Error::QueryIncomplete)),
            "{query}"
        );
    }
    for expires in ["", "x", "-1", "%2B1", "1.5", "99999999999999999999", "18446744073709552"] {
        let target = format!("/?AWSAccessKeyId=a&Signature=b&Expires={expires}");
        assert!(matches!(verified(&head("GET", &target, &[]), None), Err(Error::InvalidExpires(_))), "{expires}");
    }
}
