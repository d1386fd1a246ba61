//! Lists in header values (RFC 9110 section 5.6.1): members between separators, of which those inside quoted strings
//! are none.

use std::borrow::Cow;

use http::header::{HeaderMap, HeaderName};

/// Gives the members of one value without the blanks around them; empty ones are left out. A quote that never closes
/// quotes nothing. Takes time in proportion to the value's length.
pub fn members(value: &[u8], separator: u8) -> Members<'_> {
    Members { rest: value, separator, quoting: true }
}

/// Gives the members of every value of the field `name`, separated by commas, in order.
pub fn field<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h [u8]> {
    headers.get_all(name).into_iter().flat_map(|value| members(value.as_bytes(), b','))
}

/// Takes the quotes and escapes off a quoted string; anything else stays as it is.
pub fn unquote(text: &[u8]) -> Cow<'_, [u8]> {
    let [b'"', inner @ .., b'"'] = text else { return Cow::Borrowed(text) };
    if !inner.contains(&b'\\') {
        return Cow::Borrowed(inner);
    }
    let mut plain = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(&byte) = bytes.next() {
        let escaped = if byte == b'\\' { bytes.next().copied() } else { None };
        plain.push(escaped.unwrap_or(byte));
    }
    Cow::Owned(plain)
}

/// The members of one value.
pub struct Members<'v> {
    rest: &'v [u8],
    separator: u8,
    /// Whether a quote may still begin a quoted string: not once one was found that never closes.
    quoting: bool,
}

impl<'v> Iterator for Members<'v> {
    type Item = &'v [u8];

    fn next(&mut self) -> Option<&'v [u8]> {
        while !self.rest.is_empty() {
            let end = self.end_of_member();
            let member = self.rest[..end].trim_ascii();
            self.rest = self.rest.get(end + 1..).unwrap_or_default();
            if !member.is_empty() {
                return Some(member);
            }
        }
        None
    }
}

impl Members<'_> {
    fn end_of_member(&mut self) -> usize {
        let mut at = 0;
        while let Some(&byte) = self.rest.get(at) {
            if byte == self.separator {
                return at;
            }
            at = if byte == b'"' && self.quoting { self.behind_quoted(at) } else { at + 1 };
        }
        self.rest.len()
    }

    /// The place behind the quoted string that begins at `start`.
    fn behind_quoted(&mut self, start: usize) -> usize {
        let mut at = start + 1;
        while let Some(&byte) = self.rest.get(at) {
            match byte {
                b'"' => return at + 1,
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        self.quoting = false;
        start + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(value: &str) -> Vec<&str> {
        members(value.as_bytes(), b',').map(|member| std::str::from_utf8(member).unwrap()).collect()
    }

    #[test]
    fn members_end_at_separators_outside_of_quotes() {
        for (value, expected) in [
            ("", [].as_slice()),
            (" , ,\t,", &[]),
            ("a", &["a"]),
            ("a, b ,,c=\"d, e\" , f", &["a", "b", "c=\"d, e\"", "f"]),
            (r#"a="\", b", c"#, &[r#"a="\", b""#, "c"]),
            ("a=\"b, c", &["a=\"b", "c"]),
            ("a=\"b\\", &["a=\"b\\"]),
            ("\"a\", \"b, c", &["\"a\"", "\"b", "c"]),
        ] {
            assert_eq!(split(value), expected, "{value}");
        }
    }

    #[test]
    fn quotes_and_escapes_come_off() {
        for (text, plain) in [
            ("a", "a"),
            ("\"a\"", "a"),
            (r#""a\"b\\c""#, r#"a"b\c"#),
            ("\"", "\""),
            ("\"a", "\"a"),
            ("\"\"", ""),
            (r#""a\""#, r"a\"),
        ] {
            assert_eq!(unquote(text.as_bytes()), plain.as_bytes(), "{text}");
        }
    }

    #[test]
    fn quotes_that_never_close_cost_no_more_than_others() {
        let hostile = "\"\\".repeat(200_000);
        assert_eq!(split(&hostile).len(), 1);
    }
}
