//! The list of the headers that a signature covers.

use std::ops::Range;

/// More than any client signs, and few enough to look each of them up.
const MAX_NAMES: usize = 128;

/// The names of signed headers: in lower case, not empty, each once.
#[derive(Debug, Clone)]
pub(super) struct SignedHeaders {
    /// As signed: joined by semicolons.
    text: String,
    /// Where the names are in `text`.
    names: Vec<Range<usize>>,
}

impl SignedHeaders {
    /// Parses names joined by semicolons; `None` if that is not what `text` is.
    pub fn parse(text: &str) -> Option<Self> {
        let mut list = Self { text: text.to_owned(), names: Vec::with_capacity(16) };
        let mut start = 0;
        for name in text.as_bytes().split(|&byte| byte == b';') {
            let valid = !name.is_empty() && name.iter().all(|b| b.is_ascii_graphic() && !b.is_ascii_uppercase());
            let end = start + name.len();
            if !valid || list.names.len() == MAX_NAMES || list.contains(&text[start..end]) {
                return None;
            }
            list.names.push(start..end);
            start = end + 1;
        }
        Some(list)
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|range| &self.text[range.clone()])
    }

    pub fn contains(&self, name: &str) -> bool {
        self.iter().any(|signed| signed == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_headers_are_lower_case_and_unique() {
        let list = SignedHeaders::parse("host;x-amz-date").unwrap();
        assert_eq!(list.iter().collect::<Vec<_>>(), ["host", "x-amz-date"]);
        assert!(list.contains("host") && !list.contains("x-amz") && !list.contains("host;x-amz-date"));
        let long = (0..129).map(|number| number.to_string()).collect::<Vec<_>>().join(";");
        for names in ["", ";", "host;", "Host", "host;host", "host;x y", "h\u{f6}st", &long] {
            assert!(SignedHeaders::parse(names).is_none(), "{names}");
        }
    }
}
