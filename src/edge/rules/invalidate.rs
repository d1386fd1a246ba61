//! What a request that may change something makes invalid (RFC 9111 section 4.4).

use http::header::{CONTENT_LOCATION, HeaderMap, LOCATION};
use http::{Method, StatusCode, Uri};

use super::key::Target;

/// A URL of the same origin, of which every stored response is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    pub path: String,
    pub query: Option<String>,
}

/// Whether a method is known to change nothing (RFC 9110 section 9.2.1). Unknown methods may change anything.
pub fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

/// Gives what the answer to a request makes invalid: nothing if the method is safe or the answer an error; otherwise
/// the target, and what `Location` and `Content-Location` name on the same origin.
pub fn invalidated(method: &Method, target: &Target<'_>, status: StatusCode, response: &HeaderMap) -> Vec<Invalid> {
    if is_safe(method) || !(status.is_success() || status.is_redirection()) {
        return Vec::new();
    }
    let mut invalid = vec![Invalid { path: target.path.to_owned(), query: target.query.map(str::to_owned) }];
    for name in [LOCATION, CONTENT_LOCATION] {
        let named = response.get(name).and_then(|value| value.to_str().ok()).and_then(|text| resolve(target, text));
        invalid.extend(named.filter(|named| !invalid.contains(named)));
    }
    invalid
}

/// Resolves a reference against the target (RFC 3986 section 5.2); `None` where it is malformed or leads to another
/// origin.
fn resolve(target: &Target<'_>, reference: &str) -> Option<Invalid> {
    let reference = reference.trim().split('#').next().unwrap_or_default();
    let scheme = if target.secure { "https" } else { "http" };
    let local = if has_scheme(reference) {
        local_part(reference, scheme, target)?
    } else if reference.starts_with("//") {
        local_part(&format!("{scheme}:{reference}"), scheme, target)?
    } else {
        reference.to_owned()
    };
    let (path, query) = match local.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (local.as_str(), None),
    };
    Some(match path {
        "" => Invalid { path: target.path.to_owned(), query: query.or_else(|| target.query.map(str::to_owned)) },
        path if path.starts_with('/') => Invalid { path: without_dots(path), query },
        path => {
            let directory = target.path.rfind('/').map_or("/", |slash| &target.path[..=slash]);
            Invalid { path: without_dots(&format!("{directory}{path}")), query }
        }
    })
}

fn has_scheme(reference: &str) -> bool {
    let end = reference.find([':', '/', '?']).filter(|end| reference[*end..].starts_with(':'));
    end.is_some() && reference.starts_with(|c: char| c.is_ascii_alphabetic())
}

/// The path and query of an absolute URL of the target's origin.
fn local_part(url: &str, scheme: &str, target: &Target<'_>) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let default_port = if target.secure { 443 } else { 80 };
    let host = match uri.port_u16() {
        Some(port) if port != default_port => format!("{}:{port}", uri.host()?),
        _ => uri.host()?.to_owned(),
    };
    let same = uri.scheme_str() == Some(scheme) && host.eq_ignore_ascii_case(target.host);
    same.then(|| uri.path_and_query().map_or("/".to_owned(), ToString::to_string))
}

/// Removes the segments `.` and `..` of an absolute path (RFC 3986 section 5.2.4).
fn without_dots(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    let mut rest = path.split('/').skip(1).peekable();
    while let Some(segment) = rest.next() {
        let last = rest.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    segments.pop();
                }
                if last {
                    segments.push("");
                }
            }
            _ => segments.push(segment),
        }
    }
    format!("/{}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::rules::testing::headers;

    const TARGET: Target<'_> = Target { secure: true, host: "example.com", path: "/a/b", query: Some("q=1") };

    fn urls(method: &str, status: u16, fields: &[(&str, &str)]) -> Vec<String> {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let invalid = invalidated(&method, &TARGET, StatusCode::from_u16(status).unwrap(), &headers(fields));
        let text = |url: Invalid| url.query.map_or(url.path.clone(), |query| format!("{}?{query}", url.path));
        invalid.into_iter().map(text).collect()
    }

    #[test]
    fn unsafe_methods_invalidate_their_target_unless_they_failed() {
        for method in ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "FOO"] {
            for status in [200, 201, 204, 302, 399] {
                assert_eq!(urls(method, status, &[]), ["/a/b?q=1"], "{method} {status}");
            }
            for status in [400, 404, 500, 599] {
                assert!(urls(method, status, &[]).is_empty(), "{method} {status}");
            }
        }
        for method in ["GET", "HEAD", "OPTIONS", "TRACE"] {
            assert!(urls(method, 200, &[("location", "/c")]).is_empty(), "{method}");
        }
    }

    #[test]
    fn locations_of_the_same_origin_are_invalidated_too() {
        for (location, expected) in [
            ("/c", Some("/c")),
            ("/c?x=1#f", Some("/c?x=1")),
            ("c", Some("/a/c")),
            ("./c/../d", Some("/a/d")),
            ("../c", Some("/c")),
            ("../../../c", Some("/c")),
            ("..", Some("/")),
            ("?x", Some("/a/b?x")),
            ("c:d", None),
            ("./c:d", Some("/a/c:d")),
            ("https://example.com/c", Some("/c")),
            ("https://EXAMPLE.com:443/c", Some("/c")),
            ("https://example.com", Some("/")),
            ("//example.com/c", Some("/c")),
            ("http://example.com/c", None),
            ("https://example.com:8443/c", None),
            ("https://example.org/c", None),
            ("https://example.com.evil/c", None),
            ("//example.org/c", None),
            ("https://[/c", None),
        ] {
            for name in ["location", "content-location"] {
                let urls = urls("POST", 201, &[(name, location)]);
                let expected: Vec<_> = ["/a/b?q=1"].into_iter().chain(expected).collect();
                assert_eq!(urls, expected, "{name}: {location}");
            }
        }
        assert_eq!(urls("POST", 201, &[("location", "/a/b?q=1"), ("content-location", "/c")]), ["/a/b?q=1", "/c"]);
    }
}
