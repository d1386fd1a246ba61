//! Path patterns of behaviours, as CloudFront has them: `*` is any number of characters, `?` is one.

use std::borrow::Cow;
use std::fmt;

/// The longest pattern, in characters, as with CloudFront.
pub const MAX_PATTERN_BYTES: usize = 255;

/// A pattern of paths. Matching takes time in proportion to path and pattern, with at most one way back for each star.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern(String);

impl PathPattern {
    /// Matches every path.
    pub fn every() -> Self {
        Self("*".to_owned())
    }

    /// Takes a pattern; one without a leading slash gets it, unless it begins with a star. `None` for what is too long,
    /// empty, or has characters that no path has.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=MAX_PATTERN_BYTES).contains(&text.len());
        if !fits || !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
            return None;
        }
        let rooted = text.starts_with(['/', '*']);
        Some(Self(if rooted { text.to_owned() } else { format!("/{text}") }))
    }

    /// Whether a path matches that was made `comparable`.
    pub fn matches(&self, path: &[u8]) -> bool {
        let pattern = self.0.as_bytes();
        let (mut at, mut from) = (0, 0);
        // Where the last star stands, and how much of the path it swallowed so far.
        let mut star: Option<(usize, usize)> = None;
        while from < path.len() {
            match pattern.get(at) {
                Some(b'*') => {
                    star = Some((at, from));
                    at += 1;
                }
                Some(wanted) if *wanted == b'?' || *wanted == path[from] => (at, from) = (at + 1, from + 1),
                _ => {
                    let Some((place, swallowed)) = star else { return false };
                    star = Some((place, swallowed + 1));
                    (at, from) = (place + 1, swallowed + 1);
                }
            }
        }
        pattern[at..].iter().all(|byte| *byte == b'*')
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The form of a path in which patterns are compared with it: percent-decoded, slashes that follow each other made one, dot
/// segments taken out (RFC 3986 section 5.2.4). An origin is sent the path as it came; but `/%70rivate/`, `//private/` and
/// `/x/../private/` must not slip past what was said about `/private/*`. CloudFront does alike:
/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistValuesCacheBehavior.html#DownloadDistValuesPathPattern>
pub fn comparable(path: &str) -> Cow<'_, [u8]> {
    let bytes = path.as_bytes();
    let plain = !bytes.contains(&b'%') && !bytes.windows(2).any(|pair| pair == b"//" || pair == b"/.");
    if plain {
        return Cow::Borrowed(bytes);
    }
    let decoded: Vec<u8> = percent_encoding::percent_decode(bytes).collect();
    let mut segments: Vec<&[u8]> = Vec::new();
    let mut open = false;
    for segment in decoded.split(|byte| *byte == b'/') {
        open = matches!(segment, b"" | b"." | b"..");
        match segment {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    let mut path = Vec::with_capacity(decoded.len() + 1);
    for segment in &segments {
        path.push(b'/');
        path.extend_from_slice(segment);
    }
    if open || segments.is_empty() {
        path.push(b'/');
    }
    Cow::Owned(path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        PathPattern::parse(pattern).unwrap().matches(&comparable(path))
    }

    #[test]
    fn stars_and_question_marks_match_as_cloudfront_says() {
        for (pattern, path, expected) in [
            ("*", "/", true),
            ("/images/*", "/images/a.png", true),
            ("images/*", "/images/", true),
            ("/images/*", "/images", false),
            ("/images/*", "/Images/a", false),
            ("*.gif", "/a/b/c.gif", true),
            ("*.gif", "/a.gif/x", false),
            ("/images/a?.jpg", "/images/ab.jpg", true),
            ("/images/a?.jpg", "/images/abc.jpg", false),
            ("/a*b*c", "/aXbYbZc", true),
            ("/a*b*c", "/aXbYbZ", false),
            ("/exact", "/exact", true),
            ("/exact", "/exact/", false),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn no_spelling_of_a_path_slips_past_a_pattern() {
        for path in [
            "/private/x",
            "/%70rivate/x",
            "/private%2Fx",
            "//private/x",
            "/./private/x",
            "/public/../private/x",
            "/public/%2e%2e/private/x",
            "/public/..%2fprivate//x",
            "/../private/x",
        ] {
            assert!(matches("/private/*", path), "{path}");
        }
        for path in ["/private/../x", "/private%", "/privat/x", "/private/.."] {
            assert!(!matches("/private/*", path), "{path}");
        }
    }

    #[test]
    fn patterns_that_match_no_path_are_refused() {
        for wrong in ["", "/a b", "/a\n", "/\u{e9}", "/a#b", &"/".repeat(256)] {
            assert_eq!(PathPattern::parse(wrong), None, "{wrong}");
        }
    }

    /// The same again, slow and obvious.
    fn model(pattern: &[u8], path: &[u8]) -> bool {
        match (pattern.split_first(), path.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => model(rest, path) || (!path.is_empty() && model(pattern, &path[1..])),
            (Some((wanted, rest)), Some((given, path))) => (*wanted == b'?' || wanted == given) && model(rest, path),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matching_is_what_the_model_says(pattern in "[ab*?]{1,8}", path in "[ab]{0,8}") {
            let pattern = PathPattern(pattern);
            prop_assert_eq!(pattern.matches(path.as_bytes()), model(pattern.0.as_bytes(), path.as_bytes()));
        }

        #[test]
        fn the_comparable_form_is_rooted_and_has_no_dots(path in "/[a./%2eEfF]{0,20}") {
            let once = comparable(&path).into_owned();
            prop_assert!(once.starts_with(b"/"));
            prop_assert!(!once.split(|b| *b == b'/').any(|segment| segment == b"..") );
            prop_assert!(!once.windows(2).any(|pair| pair == b"//"));
        }
    }
}
