//! Which responses the edge compresses, and what that makes of their fields (RFC 9110 sections 8.4 and 12.5.3).
//!
//! CloudFront's rules: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/ServingCompressedFiles.html>

use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    HeaderMap, HeaderName, HeaderValue, VARY,
};
use http::{StatusCode, Version};

use super::list;
use crate::http::encoding::{AcceptEncoding, Coding};

/// The least and the most bytes of a body that is compressed.
pub const MIN_BYTES: u64 = 1_000;
pub const MAX_BYTES: u64 = 10_000_000;

/// The types that CloudFront compresses, and some that it does not know.
const TYPES: [&str; 51] = [
    "application/atom+xml",
    "application/dash+xml",
    "application/eot",
    "application/font",
    "application/font-sfnt",
    "application/geo+json",
    "application/javascript",
    "application/json",
    "application/ld+json",
    "application/manifest+json",
    "application/opentype",
    "application/otf",
    "application/pkcs7-mime",
    "application/protobuf",
    "application/rss+xml",
    "application/truetype",
    "application/ttf",
    "application/vnd.apple.mpegurl",
    "application/vnd.ms-fontobject",
    "application/wasm",
    "application/x-font-opentype",
    "application/x-font-truetype",
    "application/x-font-ttf",
    "application/x-httpd-cgi",
    "application/x-javascript",
    "application/x-mpegurl",
    "application/x-opentype",
    "application/x-otf",
    "application/x-perl",
    "application/x-ttf",
    "application/xhtml+xml",
    "application/xml",
    "font/eot",
    "font/opentype",
    "font/otf",
    "font/ttf",
    "image/svg+xml",
    "text/css",
    "text/csv",
    "text/html",
    "text/javascript",
    "text/js",
    "text/markdown",
    "text/plain",
    "text/richtext",
    "text/tab-separated-values",
    "text/x-component",
    "text/x-java-source",
    "text/x-script",
    "text/xml",
    "vnd.apple.mpegurl",
];

/// Which codings a behaviour makes. The default makes none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compression {
    pub brotli: bool,
    pub zstd: bool,
    pub gzip: bool,
}

impl Compression {
    pub const ALL: Self = Self { brotli: true, zstd: true, gzip: true };

    fn makes(self, coding: Coding) -> bool {
        match coding {
            Coding::Brotli => self.brotli,
            Coding::Zstd => self.zstd,
            Coding::Gzip => self.gzip,
        }
    }

    /// The coding in which a client gets a response that [`compressible`] lets compress; `None` for the response as it
    /// is, as clients of HTTP/1.0 always get it.
    pub fn choose(self, version: Version, request: &HeaderMap) -> Option<Coding> {
        if version <= Version::HTTP_10 || !request.contains_key(ACCEPT_ENCODING) {
            return None;
        }
        let accepted = AcceptEncoding::parse(request.get_all(ACCEPT_ENCODING).iter().map(HeaderValue::as_bytes));
        accepted.preferred().find(|coding| self.makes(*coding))
    }
}

/// Whether the edge may compress a response. To be asked when it is stored, not for each request. `length` is that of
/// its body.
pub fn compressible(status: StatusCode, headers: &HeaderMap, length: u64) -> bool {
    let encoded = headers.contains_key(CONTENT_ENCODING) || headers.contains_key(CONTENT_RANGE);
    matches!(status.as_u16(), 200 | 403 | 404)
        && (MIN_BYTES..=MAX_BYTES).contains(&length)
        && !encoded
        && has_listed_type(headers)
        && !forbids_transformation(headers)
}

fn has_listed_type(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim();
    TYPES.iter().any(|known| essence.eq_ignore_ascii_case(known))
}

/// `no-transform` counts for everybody, whatever else rules the cache (RFC 9111 section 5.2.2.6).
fn forbids_transformation(headers: &HeaderMap) -> bool {
    list::field(headers, &CACHE_CONTROL).any(|member| member.eq_ignore_ascii_case(b"no-transform"))
}

/// Gives the fields of the compressed form of a response. Its tag is the response's own made weak; what speaks of the
/// response's bytes is gone, ranges too.
pub fn compressed_headers(headers: &HeaderMap, coding: Coding) -> HeaderMap {
    let mut compressed = headers.clone();
    for name in headers.keys().filter(|name| is_about_bytes(name)) {
        compressed.remove(name);
    }
    compressed.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    match headers.get(ETAG).map(weak) {
        Some(Some(tag)) => _ = compressed.insert(ETAG, tag),
        Some(None) => _ = compressed.remove(ETAG),
        None => {}
    }
    add_vary(&mut compressed, &ACCEPT_ENCODING);
    compressed
}

fn is_about_bytes(name: &HeaderName) -> bool {
    [CONTENT_LENGTH, ACCEPT_RANGES].contains(name)
        || matches!(name.as_str(), "content-md5" | "digest" | "content-digest" | "repr-digest")
        || name.as_str().starts_with("x-amz-checksum-")
}

/// A strong tag made weak, a weak one as it is; `None` for what is no tag.
fn weak(tag: &HeaderValue) -> Option<HeaderValue> {
    let bytes = tag.as_bytes();
    if bytes.starts_with(b"W/\"") {
        return Some(tag.clone());
    }
    if !bytes.starts_with(b"\"") {
        return None;
    }
    HeaderValue::from_bytes(&[b"W/", bytes].concat()).ok()
}

/// Adds a name to `Vary` unless it is there: also to the plain form of what others get compressed.
pub fn add_vary(headers: &mut HeaderMap, name: &HeaderName) {
    let named = |member: &[u8]| member == b"*" || member.eq_ignore_ascii_case(name.as_str().as_bytes());
    if !list::field(headers, &VARY).any(named) {
        headers.append(VARY, HeaderValue::from_name(name.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::rules::testing::headers;

    #[test]
    fn size_type_status_and_fields_decide() {
        let html = ("content-type", "text/html; charset=utf-8");
        for (status, length, fields, expected) in [
            (200, 1_000, [html, ("x", "")], true),
            (403, 5_000, [html, ("x", "")], true),
            (404, 10_000_000, [html, ("x", "")], true),
            (200, 999, [html, ("x", "")], false),
            (200, 10_000_001, [html, ("x", "")], false),
            (201, 5_000, [html, ("x", "")], false),
            (206, 5_000, [html, ("x", "")], false),
            (500, 5_000, [html, ("x", "")], false),
            (200, 5_000, [("content-type", "TEXT/HTML"), ("x", "")], true),
            (200, 5_000, [("content-type", "image/png"), ("x", "")], false),
            (200, 5_000, [("y", ""), ("x", "")], false),
            (200, 5_000, [html, ("content-encoding", "identity")], false),
            (200, 5_000, [html, ("content-range", "bytes 0-1/2")], false),
            (200, 5_000, [html, ("cache-control", "max-age=1, No-Transform")], false),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(compressible(status, &headers(&fields), length), expected, "{status} {length} {fields:?}");
        }
    }

    #[test]
    fn types_are_sorted_and_in_lower_case() {
        assert!(TYPES.is_sorted() && TYPES.iter().all(|name| name.to_ascii_lowercase() == *name));
    }

    #[test]
    fn a_client_gets_the_coding_that_it_likes_best_of_those_made() {
        let no_brotli = Compression { brotli: false, ..Compression::ALL };
        for (compression, version, accepted, expected) in [
            (Compression::ALL, Version::HTTP_11, "gzip, br, zstd", Some(Coding::Brotli)),
            (Compression::ALL, Version::HTTP_2, "gzip, br;q=0.5", Some(Coding::Gzip)),
            (no_brotli, Version::HTTP_11, "gzip, br, zstd", Some(Coding::Zstd)),
            (no_brotli, Version::HTTP_11, "br", None),
            (Compression::ALL, Version::HTTP_10, "gzip", None),
            (Compression::ALL, Version::HTTP_11, "identity", None),
            (Compression::ALL, Version::HTTP_11, "deflate", None),
            (Compression::default(), Version::HTTP_11, "gzip, br, zstd", None),
        ] {
            let request = headers(&[("accept-encoding", accepted)]);
            assert_eq!(compression.choose(version, &request), expected, "{compression:?} {version:?} {accepted}");
        }
        assert_eq!(Compression::ALL.choose(Version::HTTP_11, &HeaderMap::new()), None);
    }

    #[test]
    fn the_compressed_form_has_a_weak_tag_and_no_word_of_the_bytes() {
        let plain = headers(&[
            ("etag", "\"a\""),
            ("content-type", "text/css"),
            ("content-length", "5000"),
            ("accept-ranges", "bytes"),
            ("content-md5", "x"),
            ("repr-digest", "x"),
            ("x-amz-checksum-crc32", "x"),
            ("vary", "origin"),
        ]);
        let expected = headers(&[
            ("etag", "W/\"a\""),
            ("content-type", "text/css"),
            ("content-encoding", "br"),
            ("vary", "origin"),
            ("vary", "accept-encoding"),
        ]);
        assert_eq!(compressed_headers(&plain, Coding::Brotli), expected);
        for (tag, expected) in [("W/\"a\"", Some("W/\"a\"")), ("a", None), ("w/\"a\"", None)] {
            let compressed = compressed_headers(&headers(&[("etag", tag)]), Coding::Gzip);
            assert_eq!(compressed.get("etag").map(|tag| tag.to_str().unwrap()), expected, "{tag}");
        }
    }

    #[test]
    fn vary_names_a_field_once() {
        for (given, expected) in [
            (vec![], vec![("vary", "accept-encoding")]),
            (vec![("vary", "a")], vec![("vary", "a"), ("vary", "accept-encoding")]),
            (vec![("vary", "a, Accept-Encoding")], vec![("vary", "a, Accept-Encoding")]),
            (vec![("vary", "*")], vec![("vary", "*")]),
        ] {
            let mut fields = headers(&given);
            add_vary(&mut fields, &ACCEPT_ENCODING);
            assert_eq!(fields, headers(&expected));
        }
    }
}
