//! XML: answers, written straight into bytes, and bodies, read within bounds.

pub mod read;

/// What every document begins with. Where an answer must begin before its content is known, this may be sent first, then
/// white space, then the document without it.
pub const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// An XML document being written. Elements close by themselves; names are code, only values are escaped.
#[derive(Debug)]
pub struct Writer {
    document: Vec<u8>,
    root: &'static str,
}

impl Writer {
    /// Begins a document whose root element has these attributes, or none.
    pub fn with_attributes(root: &'static str, attributes: &[(&'static str, &str)]) -> Self {
        let mut writer = Self { document: DECLARATION.as_bytes().to_vec(), root };
        writer.open(root, attributes);
        writer
    }

    /// Writes an element with text, which may hold any character.
    pub fn text(&mut self, name: &'static str, text: &str) -> &mut Self {
        self.open(name, &[]);
        escape(text, &mut self.document);
        self.close(name)
    }

    /// Writes an element with text, or nothing at all where there is none.
    pub fn optional(&mut self, name: &'static str, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.text(name, text),
            None => self,
        }
    }

    /// Writes text into the element that is open: the content of a root that has nothing else.
    pub fn content(&mut self, text: &str) -> &mut Self {
        escape(text, &mut self.document);
        self
    }

    /// Writes an element with a number.
    pub fn number(&mut self, name: &'static str, number: u64) -> &mut Self {
        self.text(name, &number.to_string())
    }

    /// Writes an element with `true` or `false`.
    pub fn flag(&mut self, name: &'static str, flag: bool) -> &mut Self {
        self.text(name, if flag { "true" } else { "false" })
    }

    /// Writes an element around what `inside` writes.
    pub fn nest(&mut self, name: &'static str, inside: impl FnOnce(&mut Self)) -> &mut Self {
        self.nest_with(name, &[], inside)
    }

    /// Writes an element with attributes around what `inside` writes.
    pub fn nest_with(
        &mut self,
        name: &'static str,
        attributes: &[(&'static str, &str)],
        inside: impl FnOnce(&mut Self),
    ) -> &mut Self {
        self.open(name, attributes);
        inside(self);
        self.close(name)
    }

    /// Closes the root element and gives the document.
    pub fn finish(mut self) -> Vec<u8> {
        self.close(self.root);
        self.document
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.raw("<").raw(name);
        for (attribute, value) in attributes {
            self.raw(" ").raw(attribute).raw("=\"");
            escape(value, &mut self.document);
            self.raw("\"");
        }
        self.raw(">");
    }

    fn close(&mut self, name: &str) -> &mut Self {
        self.raw("</").raw(name).raw(">")
    }

    fn raw(&mut self, markup: &str) -> &mut Self {
        self.document.extend_from_slice(markup.as_bytes());
        self
    }
}

/// Writes `text` so that a reader gets it back: markup as entities, control characters as references.
///
/// XML 1.0 knows no reference to most control characters, so strict parsers refuse them, as they do with S3, which writes
/// the same; clients with such keys ask for `encoding-type=url`. Carriage returns, line feeds and tabs are references too,
/// because parsers may change them where they stand as they are.
fn escape(text: &str, out: &mut Vec<u8>) {
    if text.bytes().all(is_plain) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    let mut written = 0;
    for (at, character) in text.char_indices() {
        let numbered;
        let reference = match character {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '"' => "&quot;",
            '\'' => "&apos;",
            '\t' => "&#9;",
            '\n' => "&#10;",
            '\r' => "&#13;",
            '\0'..'\u{20}' | '\u{fffe}' | '\u{ffff}' => {
                numbered = format!("&#x{:x};", u32::from(character));
                &numbered
            }
            _ => continue,
        };
        out.extend_from_slice(&text.as_bytes()[written..at]);
        out.extend_from_slice(reference.as_bytes());
        written = at + character.len_utf8();
    }
    out.extend_from_slice(&text.as_bytes()[written..]);
}

/// Whether a byte is never part of what [`escape`] replaces, which begins with 0xef where it is not ASCII.
fn is_plain(byte: u8) -> bool {
    byte >= b' ' && !matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\'' | 0xef)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(text: &str) -> String {
        let mut out = Vec::new();
        escape(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_root_may_hold_text_alone() {
        let mut writer = Writer::with_attributes("LocationConstraint", &[]);
        writer.content("eu&west");
        let expected = format!("{DECLARATION}<LocationConstraint>eu&amp;west</LocationConstraint>");
        assert_eq!(writer.finish(), expected.into_bytes());
    }

    #[test]
    fn markup_and_control_characters_are_references() {
        assert_eq!(escaped("a&b<c>d\"e'f"), "a&amp;b&lt;c&gt;d&quot;e&apos;f");
        assert_eq!(escaped("\r\n\t\u{1}\u{1f}\0"), "&#13;&#10;&#9;&#x1;&#x1f;&#x0;");
        assert_eq!(escaped("\u{fffe}\u{ffff}\u{fffd}"), "&#xfffe;&#xffff;\u{fffd}");
        assert_eq!(escaped("日本 é\u{7f}\u{85}😀"), "日本 é\u{7f}\u{85}😀");
        assert_eq!(escaped("]]>"), "]]&gt;");
    }

    proptest! {
        #[test]
        fn no_raw_control_character_is_written(text: String) {
            let unprintable = |character: char| character < ' ' || "\u{fffe}\u{ffff}".contains(character);
            prop_assert!(!escaped(&text).contains(unprintable));
        }
    }
}
