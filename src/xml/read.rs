//! Request bodies, read into typed inputs within bounds.
//!
//! As S3 does, reading goes by local names: namespaces, unknown elements and comments are ignored. Document types are
//! refused, and entities beyond XML's own five have no meaning, so that nothing expands.

use std::num::NonZeroUsize;

use quick_xml::de::{DeError, Deserializer};
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use serde::de::DeserializeOwned;

/// How much a body may hold.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub bytes: usize,
    pub elements: usize,
}

/// How deep elements may nest; no body of S3 comes near it.
pub const MAX_DEPTH: usize = 16;

/// How many events of other elements may stand between the members of a list.
const MAX_INTERRUPTION: NonZeroUsize = NonZeroUsize::new(8192).expect("8192 is not zero");

/// Why a body was refused. S3 answers MalformedXML, to a body that is too large MaxMessageLengthExceeded.
#[derive(Debug, thiserror::Error)]
pub enum MalformedXml {
    #[error("the document has more than {0} bytes")]
    TooLarge(usize),
    #[error("the document has more than {0} elements")]
    TooManyElements(usize),
    #[error("elements nest deeper than {MAX_DEPTH}")]
    TooDeep,
    #[error("the document is not UTF-8")]
    NotUtf8(#[from] std::str::Utf8Error),
    #[error("the document declares a document type")]
    DocumentType,
    #[error("the root element is not {0}")]
    Root(String),
    #[error("there is text or a second element outside of the root element")]
    OutsideRoot,
    #[error("the document ends inside of an element")]
    Truncated,
    #[error("the document is not well-formed")]
    Syntax(#[from] quick_xml::Error),
    #[error("the document does not have the expected elements")]
    Content(#[from] DeError),
    /// A list that must have members has none, or more than the operation allows.
    #[error("the document does not list between 1 and {0} members")]
    Count(usize),
}

impl Bounds {
    /// For configurations of buckets and objects.
    pub const CONFIGURATION: Self = Self { bytes: 64 * 1024, elements: 10_000 };

    /// For Delete and CompleteMultipartUpload. 1,000 keys of 1,024 bytes, every byte written as `&amp;`, need 5 MiB.
    pub const LIST: Self = Self { bytes: 6 * 1024 * 1024, elements: 100_000 };
}

/// Reads `body`, whose root element must have the local name `root`, into a `T`.
pub fn from_body<T: DeserializeOwned>(body: &[u8], root: &str, bounds: Bounds) -> Result<T, MalformedXml> {
    if body.len() > bounds.bytes {
        return Err(MalformedXml::TooLarge(bounds.bytes));
    }
    let document = std::str::from_utf8(body)?;
    check(document, root, bounds)?;
    let mut deserializer = Deserializer::from_str(document);
    deserializer.event_buffer_size(Some(MAX_INTERRUPTION));
    Ok(T::deserialize(&mut deserializer)?)
}

/// Walks the whole document once: what comes after it only meets documents that are well-formed and within bounds.
fn check(document: &str, root: &str, bounds: Bounds) -> Result<(), MalformedXml> {
    let mut reader = Reader::from_str(document);
    let mut outline = Outline { root, bounds, depth: 0, elements: 0 };
    loop {
        match reader.read_event()? {
            Event::Start(tag) => {
                outline.count(&tag)?;
                outline.depth += 1;
            }
            Event::Empty(tag) => outline.count(&tag)?,
            // The reader refuses an end without its start.
            Event::End(_) => outline.depth -= 1,
            Event::Text(text) if outline.depth == 0 && !text.trim_matches(XML_SPACE).is_empty() => {
                return Err(MalformedXml::OutsideRoot);
            }
            Event::CData(_) | Event::GeneralRef(_) if outline.depth == 0 => return Err(MalformedXml::OutsideRoot),
            Event::DocType(_) => return Err(MalformedXml::DocumentType),
            Event::Eof => return outline.finish(),
            _ => {}
        }
    }
}

const XML_SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// What has been seen of a document so far.
struct Outline<'r> {
    root: &'r str,
    bounds: Bounds,
    depth: usize,
    elements: usize,
}

impl Outline<'_> {
    fn count(&mut self, tag: &BytesStart<'_>) -> Result<(), MalformedXml> {
        if self.elements == 0 && tag.local_name().as_ref() != self.root {
            return Err(MalformedXml::Root(self.root.to_owned()));
        }
        if self.elements > 0 && self.depth == 0 {
            return Err(MalformedXml::OutsideRoot);
        }
        self.elements += 1;
        if self.elements > self.bounds.elements {
            return Err(MalformedXml::TooManyElements(self.bounds.elements));
        }
        if self.depth >= MAX_DEPTH {
            return Err(MalformedXml::TooDeep);
        }
        Ok(())
    }

    fn finish(&self) -> Result<(), MalformedXml> {
        match (self.elements, self.depth) {
            (0, _) => Err(MalformedXml::Root(self.root.to_owned())),
            (_, 0) => Ok(()),
            _ => Err(MalformedXml::Truncated),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Letter {
        #[serde(rename = "Line", default)]
        lines: Vec<String>,
        #[serde(rename = "Name", default)]
        name: String,
    }

    fn read(body: impl AsRef<[u8]>) -> Result<Letter, MalformedXml> {
        from_body(body.as_ref(), "Letter", Bounds { bytes: 4096, elements: 100 })
    }

    fn letter(lines: &[&str], name: &str) -> Letter {
        Letter { lines: lines.iter().map(|&line| line.to_owned()).collect(), name: name.to_owned() }
    }

    #[test]
    fn namespaces_comments_and_unknown_elements_are_ignored() {
        for body in [
            "<Letter><Line>a</Line><Name>n</Name></Letter>",
            "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<!-- x --><Letter xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Line>a</Line><Name>n</Name></Letter>\n<!-- y --> ",
            "<s3:Letter xmlns:s3=\"urn:x\"><s3:Line>a</s3:Line><s3:Name>n</s3:Name></s3:Letter>",
            "<Letter>\n  <Other><Line>z</Line></Other>\n  <Line>a</Line>\n  <Name>n</Name>\n</Letter>",
            "<Letter a='1'><Line><!-- c -->a</Line><Name><![CDATA[n]]></Name></Letter>",
        ] {
            assert_eq!(read(body).unwrap(), letter(&["a"], "n"), "{body}");
        }
    }

    #[test]
    fn lists_may_be_interrupted_and_empty() {
        let interrupted = "<Letter><Line>a</Line><Name>n</Name><Line>b</Line></Letter>";
        assert_eq!(read(interrupted).unwrap(), letter(&["a", "b"], "n"));
        assert_eq!(read("<Letter/>").unwrap(), letter(&[], ""));
    }

    #[test]
    fn text_keeps_its_spaces_and_references() {
        let body = "<Letter><Line> a </Line><Line>&lt;&amp;&gt;&quot;&apos;&#13;&#x1;\t</Line><Line/></Letter>";
        assert_eq!(read(body).unwrap(), letter(&[" a ", "<&>\"'\r\u{1}\t", ""], ""));
    }

    #[test]
    fn other_documents_are_refused() {
        use MalformedXml::*;
        assert!(matches!(read(""), Err(Root(_))));
        assert!(matches!(read("  \n"), Err(Root(_))));
        assert!(matches!(read("<Other/>"), Err(Root(_))));
        assert!(matches!(read("text"), Err(OutsideRoot)));
        assert!(matches!(read("<Letter/>text"), Err(OutsideRoot)));
        assert!(matches!(read("&amp;<Letter/>"), Err(OutsideRoot)));
        assert!(matches!(read("<Letter/><Letter/>"), Err(OutsideRoot)));
        assert!(matches!(read("<Letter/><![CDATA[x]]>"), Err(OutsideRoot)));
        assert!(matches!(read("<Letter><Line>"), Err(Truncated)));
        assert!(matches!(read("<Letter><Line></Letter>"), Err(Syntax(_))));
        assert!(matches!(read("</Letter>"), Err(Syntax(_))));
        assert!(matches!(read("<Letter><Line>&nbsp;</Line></Letter>"), Err(Content(_))));
        assert!(matches!(read("<Letter><Name>a</Name><Name>b</Name></Letter>"), Err(Content(_))));
        assert!(matches!(read(b"<Letter><Line>\xff</Line></Letter>"), Err(NotUtf8(_))));
    }

    #[test]
    fn document_types_are_refused_before_anything_expands() {
        for body in [
            "<!DOCTYPE Letter><Letter/>",
            "<!DOCTYPE l [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><Letter><Line>&b;</Line></Letter>",
            "<!DOCTYPE l [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><Letter><Line>&x;</Line></Letter>",
        ] {
            assert!(matches!(read(body), Err(MalformedXml::DocumentType)), "{body}");
        }
    }

    #[test]
    fn bounds_hold() {
        let nested = |depth: usize| format!("<Letter>{}{}</Letter>", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(read(nested(MAX_DEPTH - 1)).is_ok());
        assert!(matches!(read(nested(MAX_DEPTH)), Err(MalformedXml::TooDeep)));
        let many = |count: usize| format!("<Letter>{}</Letter>", "<a/>".repeat(count));
        assert!(read(many(99)).is_ok());
        assert!(matches!(read(many(100)), Err(MalformedXml::TooManyElements(100))));
        assert!(matches!(read(" ".repeat(4097)), Err(MalformedXml::TooLarge(4096))));
    }

    proptest! {
        #[test]
        fn no_body_makes_the_reader_panic(body in "(<Letter>)?(<|>|/|Line|Name|a|&|#|;|!|\\[|\\]|-|\\?|\"|=| |\n){0,30}(</Letter>)?") {
            let _ = read(&body);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(body: Vec<u8>) {
            let _ = read(&body);
        }
    }
}
