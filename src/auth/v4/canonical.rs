//! The canonical request: the one spelling of a request that both sides sign.

use std::ops::Range;

use crate::http::head::{Head, Headers};

use super::super::encoding::{decode_query, push_encoded, push_path, push_query, query_pairs};
use super::super::query::SIGNATURE;
use super::Signature;

/// Writes the canonical request of `head` into one buffer; header values go in as raw bytes.
///
/// `payload_hash` is the last line as the client signed it: a digest in hex, or the name of a payload form.
pub(super) fn request(head: &Head, signature: &Signature, payload_hash: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(size_hint(head));
    out.extend_from_slice(head.method.as_bytes());
    out.push(b'\n');
    push_uri(&mut out, &head.path, &signature.scope.service);
    out.push(b'\n');
    push_parameters(&mut out, &head.query, signature.lifetime.is_some());
    out.push(b'\n');
    for name in signature.signed_headers.iter() {
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        push_values(&mut out, &head.headers, name);
        out.push(b'\n');
    }
    out.push(b'\n');
    out.extend_from_slice(signature.signed_headers.as_str().as_bytes());
    out.push(b'\n');
    out.extend_from_slice(payload_hash.as_bytes());
    out
}

/// Enough for most requests: the head with every third byte of path and query escaped.
fn size_hint(head: &Head) -> usize {
    let headers: usize = head.headers.iter().map(|(name, value)| 2 * name.len() + value.len() + 3).sum();
    128 + 2 * (head.path.len() + head.query.len()) + headers
}

/// S3 signs the path as it is, encoded once; all other services sign it normalised and encoded once more.
fn push_uri(out: &mut Vec<u8>, path: &str, service: &str) {
    if service == "s3" {
        push_path(out, path);
        return;
    }
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    for segment in &segments {
        out.push(b'/');
        push_encoded(out, segment);
    }
    if segments.is_empty() || ["/", "/.", "/.."].iter().any(|end| path.ends_with(end)) {
        out.push(b'/');
    }
}

/// Parameters sorted by encoded name, then by encoded value; the signature itself is left out if it is one of them.
fn push_parameters(out: &mut Vec<u8>, query: &str, presigned: bool) {
    let mut encoded = Vec::with_capacity(2 * query.len());
    let mut parameters: Vec<(Range<usize>, Range<usize>)> = Vec::new();
    for (name, value) in query_pairs(query) {
        if presigned && decode_query(name).as_ref() == SIGNATURE.as_bytes() {
            continue;
        }
        let start = encoded.len();
        push_query(&mut encoded, name);
        let middle = encoded.len();
        push_query(&mut encoded, value.unwrap_or_default());
        parameters.push((start..middle, middle..encoded.len()));
    }
    let text = |(name, value): &(Range<usize>, Range<usize>)| (&encoded[name.clone()], &encoded[value.clone()]);
    parameters.sort_unstable_by(|left, right| text(left).cmp(&text(right)));
    for (position, parameter) in parameters.iter().enumerate() {
        let (name, value) = text(parameter);
        if position > 0 {
            out.push(b'&');
        }
        out.extend_from_slice(name);
        out.push(b'=');
        out.extend_from_slice(value);
    }
}

/// All values of a header, joined by commas in the order they came. A signed header that is absent counts as empty.
fn push_values(out: &mut Vec<u8>, headers: &Headers, name: &str) {
    for (position, value) in headers.all(name).enumerate() {
        if position > 0 {
            out.push(b',');
        }
        push_trimmed(out, value);
    }
}

/// A header value without surrounding white space, inner runs of spaces made one.
fn push_trimmed(out: &mut Vec<u8>, value: &[u8]) {
    let is_space = |byte: &u8| *byte == b' ' || *byte == b'\t';
    let start = value.iter().position(|byte| !is_space(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    let value = &value[start..end];
    if !value.windows(2).any(|pair| pair == b"  ") {
        out.extend_from_slice(value);
        return;
    }
    let mut after_space = false;
    for &byte in value {
        if byte != b' ' || !after_space {
            out.push(byte);
        }
        after_space = byte == b' ';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(path: &str, service: &str) -> String {
        let mut out = Vec::new();
        push_uri(&mut out, path, service);
        String::from_utf8(out).unwrap()
    }

    fn parameters(query: &str, presigned: bool) -> String {
        let mut out = Vec::new();
        push_parameters(&mut out, query, presigned);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_s3_keeps_the_path_as_it_is() {
        assert_eq!(uri("/a%20b//./../c%2f", "s3"), "/a%20b//./../c%2F");
        assert_eq!(uri("/a%20b//./../c", "sts"), "/c");
        assert_eq!(uri("/a%20b/", "sts"), "/a%2520b/");
        for path in ["", "/", "/..", "/a/.."] {
            assert_eq!(uri(path, "sts"), "/", "{path}");
        }
    }

    #[test]
    fn parameters_are_sorted_by_encoded_name_then_value() {
        assert_eq!(parameters("b=2&a-b=1&a=2&a=1&acl&&c=", false), "a=1&a=2&a-b=1&acl=&b=2&c=");
        assert_eq!(parameters("%61=+&a=%2b&A=%E9&~=/", false), "A=%E9&a=%20&a=%2B&~=%2F");
    }

    #[test]
    fn only_a_presigned_query_leaves_its_signature_out() {
        assert_eq!(parameters("x=1&X-Amz-Signature=00&X-Amz%2dSignature=01", true), "x=1");
        assert_eq!(parameters("x=1&X-Amz-Signature=00", false), "X-Amz-Signature=00&x=1");
    }

    #[test]
    fn header_values_are_trimmed_collapsed_and_joined_as_raw_bytes() {
        let mut headers = Headers::default();
        headers.push("x-amz-meta-a", &b"  two   spaces\xff  "[..]);
        headers.push("x-amz-meta-b", "other");
        headers.push("x-amz-meta-a", "");
        headers.push("x-amz-meta-a", "\"a   b\"\t");
        let mut out = Vec::new();
        push_values(&mut out, &headers, "x-amz-meta-a");
        assert_eq!(out, b"two spaces\xff,,\"a b\"");
    }
}
