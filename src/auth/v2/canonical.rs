//! The string that version 2 signs: method, three positional headers, the `x-amz-*` headers and the resource.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::http::head::{Head, Headers};

use super::super::encoding::{decode_query, query_pairs};
use super::SECURITY_TOKEN;

/// The parameters that are part of the resource, sorted. All others can be changed by whoever has a presigned URL, so
/// every parameter that selects an operation or changes its answer must be here, also those newer than version 2.
const SUBRESOURCES: [&str; 49] = [
    "accelerate",
    "acl",
    "analytics",
    "attributes",
    "cors",
    "defaultObjectAcl",
    "delete",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "location",
    "logging",
    "metadataConfiguration",
    "metadataInventoryTable",
    "metadataJournalTable",
    "metadataTable",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "partNumber",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "renameObject",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "retention",
    "select",
    "select-type",
    "session",
    "storageClass",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

/// Whether the parameter is part of the resource.
pub(in super::super) fn is_signed(name: &str) -> bool {
    SUBRESOURCES.contains(&name)
}

/// Which spelling of the path is signed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Path {
    AsSent,
    WithSlash,
}

/// Whether the path names a bucket without the slash behind it.
pub(super) fn is_bare_bucket(path: &str) -> bool {
    path.strip_prefix('/').is_some_and(|bucket| !bucket.is_empty() && !bucket.contains('/'))
}

/// Writes the string to sign. `expires` is the date of a presigned request; others are dated by their headers.
pub(super) fn string_to_sign(head: &Head, bucket_in_host: Option<&str>, expires: Option<&str>, path: Path) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + head.path.len() + head.query.len());
    out.extend_from_slice(head.method.as_bytes());
    out.push(b'\n');
    for name in ["content-md5", "content-type"] {
        push_values(&mut out, &head.headers, name);
        out.push(b'\n');
    }
    match expires {
        Some(expires) => out.extend_from_slice(expires.as_bytes()),
        None if head.headers.contains("x-amz-date") => {}
        None => push_values(&mut out, &head.headers, "date"),
    }
    out.push(b'\n');
    push_amz_headers(&mut out, head, expires.is_some());
    push_resource(&mut out, head, bucket_in_host, path);
    out
}

fn push_values(out: &mut Vec<u8>, headers: &Headers, name: &str) {
    for (position, value) in headers.all(name).enumerate() {
        if position > 0 {
            out.push(b',');
        }
        out.extend_from_slice(value.trim_ascii());
    }
}

/// `name:value` lines, sorted by name.
///
/// boto3 presigns such headers as parameters of the query. Of those only the session token counts in place of a header:
/// nothing reads the others there, so whoever has a URL could switch a signed header off by moving it into the query.
fn push_amz_headers(out: &mut Vec<u8>, head: &Head, presigned: bool) {
    let mut fields: BTreeMap<&str, Vec<Cow<'_, [u8]>>> = BTreeMap::new();
    for (name, value) in head.headers.iter().filter(|(name, _)| name.starts_with("x-amz-")) {
        fields.entry(name).or_default().push(value.trim_ascii().into());
    }
    if presigned && !fields.contains_key(SECURITY_TOKEN) {
        let token = query_pairs(&head.query).find(|(name, _)| decode_query(name).as_ref() == SECURITY_TOKEN.as_bytes());
        if let Some((_, token)) = token {
            fields.insert(SECURITY_TOKEN, vec![decode_query(token.unwrap_or_default())]);
        }
    }
    for (name, values) in fields {
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        out.extend_from_slice(&values.join(&b','));
        out.push(b'\n');
    }
}

/// `/bucket/key?subresources`: the path as it was sent, still encoded; values of subresources decoded.
fn push_resource(out: &mut Vec<u8>, head: &Head, bucket_in_host: Option<&str>, path: Path) {
    if let Some(bucket) = bucket_in_host {
        out.push(b'/');
        out.extend_from_slice(bucket.as_bytes());
    }
    out.extend_from_slice(head.path.as_bytes());
    if path == Path::WithSlash {
        out.push(b'/');
    }
    let mut parameters: Vec<_> = query_pairs(&head.query)
        .map(|(name, value)| (decode_query(name), value))
        .filter(|(name, _)| SUBRESOURCES.iter().any(|known| known.as_bytes() == name.as_ref()))
        .collect();
    parameters.sort();
    for (position, (name, value)) in parameters.iter().enumerate() {
        out.push(if position == 0 { b'?' } else { b'&' });
        out.extend_from_slice(name);
        if let Some(value) = value {
            out.push(b'=');
            out.extend_from_slice(&decode_query(value));
        }
    }
}
