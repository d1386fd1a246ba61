//! What a request says of itself, as conditions of policies know it.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html>

use std::net::{IpAddr, SocketAddr};

use crate::access::Context;
use crate::auth::{Claim, FormClaim};
use crate::clock::Timestamp;
use crate::http::head::Head;
use crate::http::percent;

/// Headers with the condition keys that they are.
const HEADERS: [(&str, &str); 17] = [
    ("referer", "aws:Referer"),
    ("user-agent", "aws:UserAgent"),
    ("x-amz-acl", "s3:x-amz-acl"),
    ("x-amz-content-sha256", "s3:x-amz-content-sha256"),
    ("x-amz-grant-full-control", "s3:x-amz-grant-full-control"),
    ("x-amz-grant-read", "s3:x-amz-grant-read"),
    ("x-amz-grant-read-acp", "s3:x-amz-grant-read-acp"),
    ("x-amz-grant-write", "s3:x-amz-grant-write"),
    ("x-amz-grant-write-acp", "s3:x-amz-grant-write-acp"),
    ("x-amz-metadata-directive", "s3:x-amz-metadata-directive"),
    ("x-amz-object-ownership", "s3:x-amz-object-ownership"),
    ("x-amz-server-side-encryption", "s3:x-amz-server-side-encryption"),
    ("x-amz-server-side-encryption-aws-kms-key-id", "s3:x-amz-server-side-encryption-aws-kms-key-id"),
    ("x-amz-server-side-encryption-customer-algorithm", "s3:x-amz-server-side-encryption-customer-algorithm"),
    ("x-amz-storage-class", "s3:x-amz-storage-class"),
    ("x-amz-tagging-directive", "s3:x-amz-tagging-directive"),
    ("x-amz-website-redirect-location", "s3:x-amz-website-redirect-location"),
];

const COPY_SOURCE: &str = "x-amz-copy-source";

/// Query parameters with the keys that they are.
const PARAMETERS: [(&str, &str); 3] =
    [("prefix", "s3:prefix"), ("delimiter", "s3:delimiter"), ("max-keys", "s3:max-keys")];

/// How a request was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signing {
    pub kind: SigningKind,
    /// `AWS4-HMAC-SHA256` or `AWS`.
    pub version: &'static str,
    /// Milliseconds since the signature was made, where it says when.
    pub age: Option<u64>,
}

/// Where the signature is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningKind {
    Header,
    Query,
    Form,
}

/// Where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// `None` where the connection does not tell.
    pub address: Option<IpAddr>,
    pub secure: bool,
}

impl Signing {
    /// How a request was signed that was verified at `now`.
    pub fn of(claim: &Claim, now: Timestamp) -> Self {
        let kind = if claim.is_presigned() { SigningKind::Query } else { SigningKind::Header };
        let version = if claim.region().is_some() { "AWS4-HMAC-SHA256" } else { "AWS" };
        // A presigned version 2 says only when it ends.
        let age = (claim.region().is_some() || !claim.is_presigned())
            .then(|| now.as_millis().saturating_sub(claim.time().as_millis()));
        Self { kind, version, age }
    }

    /// How a form was signed that was verified at `now`.
    pub fn of_form(claim: &FormClaim, now: Timestamp) -> Self {
        let version = if claim.time().is_some() { "AWS4-HMAC-SHA256" } else { "AWS" };
        let age = claim.time().map(|time| now.as_millis().saturating_sub(time.as_millis()));
        Self { kind: SigningKind::Form, version, age }
    }
}

impl Origin {
    /// Of a connection with `peer`, which is TLS where it is `secure`.
    pub fn of(peer: Option<SocketAddr>, secure: bool) -> Self {
        // An IPv4 client of an IPv6 socket is an IPv4 client.
        Self { address: peer.map(|peer| peer.ip().to_canonical()), secure }
    }
}

impl SigningKind {
    fn name(self) -> &'static str {
        match self {
            Self::Header => "REST-HEADER",
            Self::Query => "REST-QUERY-STRING",
            Self::Form => "POST",
        }
    }
}

/// Everything that a head tells; `parameter` gives the decoded parameters of its query. The version, the tags of the request
/// and those of the stored object are added by who knows them: sources of copies and the objects of a list have versions of
/// their own.
pub fn of_head<'r>(
    head: &'r Head,
    parameter: impl Fn(&str) -> Option<&'r str>,
    origin: Origin,
    signing: Option<Signing>,
    now: Timestamp,
) -> Context<'r> {
    let mut context = Context::at(now);
    context.push("aws:SecureTransport", origin.secure);
    if let Some(address) = origin.address {
        context.push("aws:SourceIp", address);
    }
    // As it is read: two spellings of one source are one to a policy.
    if let Ok(Some(text)) = head.headers.text(COPY_SOURCE) {
        let decoded = percent::decode(text).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let source = decoded.unwrap_or_else(|_| text.to_owned());
        context.push(format!("s3:{COPY_SOURCE}"), source.strip_prefix('/').unwrap_or(&source).to_owned());
    }
    for (header, key) in HEADERS {
        // A header that is no text says nothing that a policy could compare; what reads it refuses it.
        if let Ok(Some(value)) = head.headers.text(header) {
            context.push(key, value);
        }
    }
    for header in ["if-match", "if-none-match"] {
        // Several are one list, and that is how the condition is read.
        for value in head.headers.all(header) {
            context.push(format!("s3:{header}"), String::from_utf8_lossy(value).into_owned());
        }
    }
    for (name, key) in PARAMETERS {
        if let Some(value) = parameter(name) {
            context.push(key, value);
        }
    }
    if let Some(signing) = signing {
        context.push("s3:authType", signing.kind.name());
        context.push("s3:signatureversion", signing.version);
        if let Some(age) = signing.age {
            context.push("s3:signatureAge", age);
        }
    }
    context
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_what_policies_ask_for_and_nothing_that_was_not_said() {
        let mut head = Head { method: "GET".into(), path: "/b".into(), ..Head::default() };
        head.headers.push("referer", "http://site/");
        head.headers.push("x-amz-acl", "public-read");
        let parameter = |name: &str| match name {
            "prefix" => Some("a/b"),
            "max-keys" => Some("5"),
            "versionId" => Some("null"),
            _ => None,
        };
        let origin = Origin { address: Some("10.0.0.1".parse().unwrap()), secure: false };
        let signing = Signing { kind: SigningKind::Query, version: "AWS4-HMAC-SHA256", age: Some(1500) };
        let context = of_head(&head, parameter, origin, Some(signing), Timestamp::from_seconds(1));
        for (key, expected) in [
            ("aws:SourceIp", "10.0.0.1"),
            ("aws:securetransport", "false"),
            ("aws:Referer", "http://site/"),
            ("s3:x-amz-acl", "public-read"),
            ("s3:prefix", "a/b"),
            ("s3:max-keys", "5"),
            ("s3:authType", "REST-QUERY-STRING"),
            ("s3:signatureAge", "1500"),
        ] {
            let values = context.get(key).unwrap_or_default();
            assert_eq!(values.iter().map(|value| value.text()).collect::<Vec<_>>(), [expected], "{key}");
        }
        for key in ["aws:UserAgent", "s3:delimiter", "s3:VersionId", "s3:x-amz-copy-source"] {
            assert!(context.get(key).is_none(), "{key}");
        }
    }
}
