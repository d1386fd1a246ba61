//! What may be asked of a bucket. An edge signs for strangers, so that a private bucket can be a site: whatever it let
//! through would be done with its key.

use std::borrow::Cow;

use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, TRANSFER_ENCODING,
};
use http::{Method, StatusCode};

use super::key::Target;
use crate::http::percent;

/// The parameters that a configuration may let through. No other means anything to a GET of an object that is not
/// dangerous: sub-resources are listings, policies, tags and the like.
pub const MAY_BE_ALLOWED: [&str; 8] = [
    "partNumber",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "versionId",
];

/// What a request through the edge may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketRequest<'r> {
    /// GET or HEAD.
    pub method: Method,
    /// The object's key as it is in the path, percent-encoded, with its leading slash.
    pub path: &'r str,
    /// Allowed parameters alone.
    pub query: Option<Cow<'r, str>>,
}

/// Why a request is not for a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("only GET and HEAD read a bucket")]
    Method,
    #[error("the path names no object")]
    NoKey,
    #[error("the path is no key of an object")]
    Path,
    #[error("presigned requests are not passed on")]
    Presigned,
    #[error("signed requests are not passed on")]
    Signed,
    #[error("a request that reads has no body")]
    Body,
}

impl Refusal {
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            // What lists a bucket elsewhere is nothing here.
            Self::NoKey => StatusCode::NOT_FOUND,
            Self::Path | Self::Presigned | Self::Signed | Self::Body => StatusCode::BAD_REQUEST,
        }
    }
}

/// Gives what the edge may ask and sign for this request. `allowed` are names of [`MAY_BE_ALLOWED`]; others have no
/// effect.
pub fn bucket_request<'r>(
    method: &Method,
    target: &Target<'r>,
    headers: &HeaderMap,
    allowed: &[String],
) -> Result<BucketRequest<'r>, Refusal> {
    if method != Method::GET && method != Method::HEAD {
        return Err(Refusal::Method);
    }
    if is_presigned(target.query) {
        return Err(Refusal::Presigned);
    }
    let aws =
        |value: &http::HeaderValue| value.as_bytes().get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"AWS"));
    if headers.get_all(AUTHORIZATION).iter().any(aws) {
        return Err(Refusal::Signed);
    }
    let length = headers.get(CONTENT_LENGTH).map(|value| value.as_bytes().trim_ascii() != b"0");
    if length == Some(true) || headers.contains_key(TRANSFER_ENCODING) {
        return Err(Refusal::Body);
    }
    check_path(target.path)?;
    Ok(BucketRequest { method: method.clone(), path: target.path, query: allowed_query(target.query, allowed) })
}

/// Whether the query carries a signature of S3's, of either version, however it is written.
pub fn is_presigned(query: Option<&str>) -> bool {
    let Some(query) = query else { return false };
    query.split(['&', ';']).any(|part| {
        let name = part.split_once('=').map_or(part, |(name, _)| name);
        let name = percent::decode_lenient(name).trim_ascii().to_ascii_lowercase();
        name.starts_with(b"x-amz-") || name == b"awsaccesskeyid"
    })
}

/// A key that every server between here and the bucket reads the same way: not empty, with proper escapes, and without
/// segments that would be resolved.
fn check_path(path: &str) -> Result<(), Refusal> {
    let key = path.strip_prefix('/').ok_or(Refusal::Path)?;
    let decoded = percent::decode(key).map_err(|_| Refusal::Path)?;
    if decoded.iter().all(|byte| *byte == b'/') {
        return Err(Refusal::NoKey);
    }
    let resolved = decoded.split(|byte| *byte == b'/' || *byte == b'\\').any(|segment| matches!(segment, b"." | b".."));
    let control = decoded.iter().any(|byte| byte.is_ascii_control());
    if resolved || control || std::str::from_utf8(&decoded).is_err() { Err(Refusal::Path) } else { Ok(()) }
}

fn allowed_query<'q>(query: Option<&'q str>, allowed: &[String]) -> Option<Cow<'q, str>> {
    let query = query?;
    if allowed.is_empty() {
        return None;
    }
    let is_allowed = |part: &&str| {
        let name = part.split_once('=').map_or(*part, |(name, _)| name);
        MAY_BE_ALLOWED.contains(&name) && allowed.iter().any(|allowed| allowed == name)
    };
    let parts: Vec<&str> = query.split('&').filter(is_allowed).collect();
    if parts.is_empty() { None } else { Some(Cow::Owned(parts.join("&"))) }
}

/// Takes out of a request's fields what must not be signed, and what a bucket has no use for: credentials, cookies,
/// S3's own fields, and codings, as objects have one form.
pub fn remove_unsigned(headers: &mut HeaderMap) {
    let foreign: Vec<HeaderName> = headers.keys().filter(|name| is_foreign(name)).cloned().collect();
    for name in foreign {
        headers.remove(name);
    }
}

fn is_foreign(name: &HeaderName) -> bool {
    [ACCEPT_ENCODING, AUTHORIZATION, COOKIE, CONTENT_TYPE].contains(name)
        || name.as_str().starts_with("x-amz-")
        || name.as_str().contains('_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::rules::testing::headers;

    fn ask<'r>(
        method: &str,
        path: &'r str,
        query: Option<&'r str>,
        fields: &[(&str, &str)],
    ) -> Result<BucketRequest<'r>, Refusal> {
        let target = Target { secure: true, host: "example.com", path, query };
        let allowed = ["versionId".to_owned(), "response-content-type".to_owned(), "acl".to_owned()];
        bucket_request(&Method::from_bytes(method.as_bytes()).unwrap(), &target, &headers(fields), &allowed)
    }

    #[test]
    fn objects_are_read_and_nothing_else_is_done() {
        for method in ["GET", "HEAD"] {
            let asked = ask(method, "/a/b%20c", None, &[("authorization", "Basic x")]).unwrap();
            assert_eq!((asked.method.as_str(), asked.path, asked.query), (method, "/a/b%20c", None));
        }
        for method in ["PUT", "POST", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "PURGE", "get"] {
            assert_eq!(ask(method, "/a", None, &[]), Err(Refusal::Method), "{method}");
        }
    }

    #[test]
    fn a_path_names_one_object_in_every_reading() {
        for (path, refusal) in [
            ("/", Refusal::NoKey),
            ("//", Refusal::NoKey),
            ("/%2F", Refusal::NoKey),
            ("/%2f/", Refusal::NoKey),
            ("*", Refusal::Path),
            ("", Refusal::Path),
            ("/..", Refusal::Path),
            ("/a/../b", Refusal::Path),
            ("/../other-bucket/key", Refusal::Path),
            ("/%2e%2E/other-bucket/key", Refusal::Path),
            ("/a%2f..%2fb", Refusal::Path),
            ("/a\\..\\b", Refusal::Path),
            ("/./", Refusal::Path),
            ("/a%", Refusal::Path),
            ("/a%zz", Refusal::Path),
            ("/a%0d%0ab", Refusal::Path),
            ("/a%00", Refusal::Path),
            ("/%ff", Refusal::Path),
        ] {
            assert_eq!(ask("GET", path, None, &[]), Err(refusal), "{path}");
        }
        for path in ["/a", "/a/", "//a", "/...", "/.a", "/a..b", "/%E6%97%A5", "/a%3Facl", "/a+b"] {
            assert!(ask("GET", path, None, &[]).is_ok(), "{path}");
        }
    }

    #[test]
    fn no_sub_resource_goes_through() {
        for query in [
            "acl",
            "list-type=2",
            "versions",
            "uploads",
            "policy",
            "tagging",
            "delete",
            "location&cors=",
            "prefix=a",
            "versionid=x",
            "version%49d=x",
            "",
            "&&",
        ] {
            assert_eq!(ask("GET", "/a", Some(query), &[]).unwrap().query, None, "{query}");
        }
        for (query, passed) in [
            ("versionId=x", "versionId=x"),
            ("acl&versionId=x&torrent", "versionId=x"),
            ("versionId=x&response-content-type=text%2Fplain", "versionId=x&response-content-type=text%2Fplain"),
            ("response-expires=x&versionId=y", "versionId=y"),
        ] {
            assert_eq!(ask("GET", "/a", Some(query), &[]).unwrap().query.as_deref(), Some(passed), "{query}");
        }
    }

    #[test]
    fn signed_and_presigned_requests_are_refused() {
        for query in [
            "X-Amz-Signature=x",
            "a=b&x-amz-algorithm=AWS4-HMAC-SHA256",
            "X%2DAmz%2DCredential=x",
            "%58-amz-date",
            "AWSAccessKeyId=x&Signature=y&Expires=1",
            "awsaccesskeyid=x",
            "a;X-Amz-Signature=x",
        ] {
            assert_eq!(ask("GET", "/a", Some(query), &[]), Err(Refusal::Presigned), "{query}");
        }
        assert!(ask("GET", "/a", Some("Expires=1&Signature=x&not-x-amz-y"), &[]).is_ok());
        for value in ["AWS4-HMAC-SHA256 Credential=x", "AWS key:signature", "aws4-hmac-sha256 x"] {
            assert_eq!(ask("GET", "/a", None, &[("authorization", value)]), Err(Refusal::Signed), "{value}");
        }
    }

    #[test]
    fn bodies_are_refused() {
        for (field, refused) in [
            (("content-length", "1"), true),
            (("content-length", "x"), true),
            (("transfer-encoding", "chunked"), true),
            (("content-length", "0"), false),
        ] {
            assert_eq!(ask("GET", "/a", None, &[field]) == Err(Refusal::Body), refused, "{field:?}");
        }
    }

    #[test]
    fn what_a_client_says_of_s3_is_not_signed() {
        let mut fields = headers(&[
            ("x-amz-acl", "public-read"),
            ("X-Amz-Copy-Source", "a/b"),
            ("x_amz_acl", "x"),
            ("authorization", "Bearer x"),
            ("cookie", "a=b"),
            ("accept-encoding", "gzip"),
            ("range", "bytes=0-1"),
            ("if-none-match", "x"),
            ("origin", "https://a"),
        ]);
        remove_unsigned(&mut fields);
        let kept = [("range", "bytes=0-1"), ("if-none-match", "x"), ("origin", "https://a")];
        assert_eq!(fields, headers(&kept));
    }
}
