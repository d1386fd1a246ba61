//! Headers that an operator adds to every request.

use http::{HeaderName, HeaderValue};

/// The most headers of an endpoint.
pub const MAX_HEADERS: usize = 20;
/// The most bytes of their names and values together.
pub const MAX_BYTES: usize = 8 * 1024;

/// What the sender sets itself, or what would change how the request is framed.
const RESERVED: [&str; 11] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// What the names of the sender's own headers begin with.
const RESERVED_PREFIXES: [&str; 3] = ["ce-", "proxy-", "webhook-"];

/// What is wrong with headers. Values are not shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    #[error("there are more than {MAX_HEADERS}")]
    Many,
    #[error("they have more than {MAX_BYTES} bytes")]
    Large,
    #[error("each is a name, a colon and a value of visible characters")]
    Form,
    #[error("{0} is set by Brim itself")]
    Reserved(HeaderName),
    /// It has a place where values come from a file.
    #[error("authorization is given by its own option")]
    Authorization,
    #[error("{0} is there twice")]
    Twice(HeaderName),
}

/// Reads `Name: value`, a line each.
pub fn parse(text: &str) -> Result<Vec<(HeaderName, HeaderValue)>, HeaderError> {
    let lines: Vec<&str> = text.split('\n').filter(|line| !line.is_empty()).collect();
    if lines.len() > MAX_HEADERS {
        return Err(HeaderError::Many);
    }
    if text.len() > MAX_BYTES {
        return Err(HeaderError::Large);
    }
    let mut headers: Vec<(HeaderName, HeaderValue)> = Vec::with_capacity(lines.len());
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(HeaderError::Form)?;
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| HeaderError::Form)?;
        check(&name)?;
        if headers.iter().any(|(other, _)| *other == name) {
            return Err(HeaderError::Twice(name));
        }
        headers.push((name, sensitive(value.trim_matches([' ', '\t'])).ok_or(HeaderError::Form)?));
    }
    Ok(headers)
}

/// The value, which is not shown by `Debug`; `None` where it is empty or has other than visible ASCII characters and spaces.
pub fn sensitive(text: &str) -> Option<HeaderValue> {
    let visible = !text.is_empty() && text.len() <= MAX_BYTES && text.bytes().all(|b| matches!(b, b' '..=b'~'));
    let mut value = visible.then(|| HeaderValue::from_str(text).ok()).flatten()?;
    value.set_sensitive(true);
    Some(value)
}

fn check(name: &HeaderName) -> Result<(), HeaderError> {
    if *name == http::header::AUTHORIZATION {
        return Err(HeaderError::Authorization);
    }
    let text = name.as_str();
    match RESERVED.contains(&text) || RESERVED_PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
        true => Err(HeaderError::Reserved(name.clone())),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_a_name_and_a_value_a_line() {
        let headers = parse("X-Team: storage\nx-key:  a:b \n").unwrap();
        let shown: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(shown, [("x-team", "storage"), ("x-key", "a:b")]);
        assert!(!format!("{headers:?}").contains("storage"));
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn what_brim_sets_or_what_frames_a_request_is_refused() {
        for name in ["Host", "content-length", "Transfer-Encoding", "webhook-id", "CE-Type", "proxy-authorization"] {
            assert!(matches!(parse(&format!("{name}: a")), Err(HeaderError::Reserved(_))), "{name}");
        }
        assert_eq!(parse("Authorization: a"), Err(HeaderError::Authorization));
    }

    #[test]
    fn headers_are_well_formed_and_bounded() {
        for wrong in ["no colon", "a b: c", "a:", "a: b\r", ": a", "a: é"] {
            assert_eq!(parse(wrong), Err(HeaderError::Form), "{wrong:?}");
        }
        assert!(matches!(parse("a: b\nA: c"), Err(HeaderError::Twice(_))));
        let many = (0..=MAX_HEADERS).map(|number| format!("x-{number}: a")).collect::<Vec<_>>().join("\n");
        assert_eq!(parse(&many), Err(HeaderError::Many));
        assert_eq!(parse(&format!("a: {}", "b".repeat(MAX_BYTES))), Err(HeaderError::Large));
    }
}
