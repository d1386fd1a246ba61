//! Tags of objects and buckets: as a header, as XML, and what they may be.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>

use serde::Deserialize;

use super::error::{Code, S3Error};
use super::xml::input::Tag;
use super::xml::read::{Bounds, from_body};
use super::xml::write::Writer;
use crate::http::head::Headers;
use crate::http::percent;

const HEADER: &str = "x-amz-tagging";
/// The longest key and value, in UTF-16 code units, as S3 counts them.
const MAX_KEY: usize = 128;
const MAX_VALUE: usize = 256;

/// Keys with their values, in the order given; no key twice.
pub type Tags = Vec<(String, String)>;

/// What is tagged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tagged {
    Object,
    Bucket,
}

impl Tagged {
    /// The most tags.
    pub const fn limit(self) -> usize {
        match self {
            Self::Object => 10,
            Self::Bucket => 50,
        }
    }

    const fn too_many(self) -> &'static str {
        match self {
            Self::Object => "Object tags cannot be greater than 10",
            Self::Bucket => "Bucket tag count cannot be greater than 50",
        }
    }

    const fn reserved(self) -> &'static str {
        match self {
            Self::Object => "Your TagKey cannot be prefixed with aws:",
            Self::Bucket => "System tags cannot be added/updated by requester",
        }
    }
}

/// The tags of the `x-amz-tagging` header, which are an object's.
pub fn in_header(headers: &Headers) -> Result<Tags, S3Error> {
    let text = headers.text(HEADER)?.unwrap_or_default();
    let invalid = || {
        let message = "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters \
                       without tag name duplicates.";
        S3Error::invalid_argument(message, HEADER, text)
    };
    let decode = |text: &str| -> Result<String, S3Error> {
        let bytes = percent::decode_query(text).map_err(|_| invalid())?;
        String::from_utf8(bytes.into_owned()).map_err(|_| invalid())
    };
    let mut tags = Tags::new();
    for parameter in percent::parameters(text) {
        let (key, value) = (decode(parameter.name)?, decode(parameter.value.unwrap_or_default())?);
        if key.is_empty() || tags.iter().any(|(known, _)| *known == key) {
            return Err(invalid());
        }
        tags.push((key, value));
    }
    checked(tags, Tagged::Object)
}

/// The tags of a `Tagging` document: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Tagging.html>
pub fn in_document(body: &[u8], tagged: Tagged) -> Result<Tags, S3Error> {
    #[derive(Deserialize)]
    struct Tagging {
        #[serde(rename = "TagSet")]
        set: TagSet,
    }
    #[derive(Deserialize)]
    struct TagSet {
        #[serde(rename = "Tag", default)]
        tags: Vec<Tag>,
    }
    let tagging: Tagging = from_body(body, "Tagging", Bounds::CONFIGURATION)?;
    of_elements(tagging.set.tags, tagged)
}

/// Tags out of `Tag` elements, as CreateBucket and `Tagging` have them.
pub fn of_elements(elements: Vec<Tag>, tagged: Tagged) -> Result<Tags, S3Error> {
    checked(elements.into_iter().map(|tag| (tag.key, tag.value)).collect(), tagged)
}

/// The `Tagging` document of an answer.
pub fn document(tags: &[(String, String)]) -> Writer {
    let mut document = Writer::new("Tagging");
    document.nest("TagSet", |set| {
        for (key, value) in tags {
            set.nest("Tag", |tag| {
                tag.text("Key", key).text("Value", value);
            });
        }
    });
    document
}

fn checked(tags: Tags, tagged: Tagged) -> Result<Tags, S3Error> {
    if tags.len() > tagged.limit() {
        return Err(S3Error::with_message(Code::BadRequest, tagged.too_many()));
    }
    for (at, (key, value)) in tags.iter().enumerate() {
        let invalid = |message: &'static str| S3Error::with_message(Code::InvalidTag, message).detail("TagKey", key);
        if tags[..at].iter().any(|(known, _)| known == key) {
            return Err(invalid("Cannot provide multiple Tags with the same key"));
        }
        if key.starts_with("aws:") {
            return Err(invalid(tagged.reserved()));
        }
        if key.is_empty() || !is_text(key, MAX_KEY) {
            return Err(invalid("The TagKey you have provided is invalid"));
        }
        if !is_text(value, MAX_VALUE) {
            return Err(invalid("The TagValue you have provided is invalid").detail("TagValue", value));
        }
    }
    Ok(tags)
}

/// Letters, digits and spaces of any script, and `+ - = . _ : / @`.
fn is_text(text: &str, limit: usize) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || "+-=._:/@".contains(c) || (c.is_whitespace() && !c.is_control());
    text.encode_utf16().count() <= limit && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(value: &str) -> Result<Tags, Code> {
        in_header(&[(HEADER, value)].into_iter().collect()).map_err(|error| error.code)
    }

    fn tag(key: &str, value: &str) -> String {
        format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>")
    }

    fn read(inner: &str, tagged: Tagged) -> Result<Tags, S3Error> {
        in_document(format!("<Tagging><TagSet>{inner}</TagSet></Tagging>").as_bytes(), tagged)
    }

    fn code(inner: &str, tagged: Tagged) -> Code {
        read(inner, tagged).unwrap_err().code
    }

    #[test]
    fn the_header_is_a_query_of_tags() {
        assert_eq!(
            header("a=1&b%20c=d+e&f"),
            Ok(vec![("a".into(), "1".into()), ("b c".into(), "d e".into()), ("f".into(), String::new())])
        );
        assert_eq!(header(""), Ok(vec![]));
        for broken in ["a=1&a=2", "=1", "a=%zz", "a=%ff"] {
            assert_eq!(header(broken), Err(Code::InvalidArgument), "{broken}");
        }
        for invalid in ["aws:x=1", "a*b=1", "a=b%2Cc", &"x".repeat(129), &format!("k={}", "x".repeat(257))] {
            assert_eq!(header(invalid), Err(Code::InvalidTag), "{invalid}");
        }
        let many: Vec<_> = (0..11).map(|n| format!("k{n}=v")).collect();
        assert_eq!(header(&many.join("&")), Err(Code::BadRequest));
    }

    #[test]
    fn documents_are_written_as_they_are_read() {
        let tags = vec![("k 1".to_owned(), "v+-=._:/@".to_owned()), ("Ünïcode 日本".to_owned(), String::new())];
        let written = document(&tags).finish();
        assert_eq!(in_document(&written, Tagged::Object).unwrap(), tags);
        assert_eq!(read("", Tagged::Bucket).unwrap(), vec![], "no tags at all is a set as well");
    }

    #[test]
    fn what_is_no_tagging_document_is_malformed() {
        for body in [
            "",
            "<Tagging/>",
            "<Other><TagSet/></Other>",
            "<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>",
            "<Tagging><TagSet><Tag><Value>v</Value></Tag></TagSet></Tagging>",
            "<Tagging><TagSet><Tag><Key>k</Key><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>",
            "<Tagging><TagSet/><TagSet/></Tagging>",
        ] {
            assert_eq!(in_document(body.as_bytes(), Tagged::Object).unwrap_err().code, Code::MalformedXML, "{body}");
        }
    }

    #[test]
    fn objects_have_10_tags_and_buckets_50() {
        for (tagged, limit) in [(Tagged::Object, 10), (Tagged::Bucket, 50)] {
            let tags = |count| (0..count).map(|n| tag(&format!("k{n}"), "v")).collect::<String>();
            assert_eq!(read(&tags(limit), tagged).unwrap().len(), limit);
            assert_eq!(code(&tags(limit + 1), tagged), Code::BadRequest);
        }
    }

    #[test]
    fn keys_and_values_have_bounds_and_an_alphabet() {
        let object = |key: &str, value: &str| read(&tag(key, value), Tagged::Object).map_err(|error| error.code);
        assert!(object(&"k".repeat(128), &"v".repeat(256)).is_ok());
        for (key, value) in [
            ("", "v"),
            (&*"k".repeat(129), "v"),
            ("k", &*"v".repeat(257)),
            ("a,b", "v"),
            ("k", "a?b"),
            ("k", "&#9;"),
            // Two units of UTF-16 each.
            (&*"\u{20000}".repeat(65), "v"),
        ] {
            assert_eq!(object(key, value), Err(Code::InvalidTag), "{key}: {value}");
        }
    }

    #[test]
    fn system_tags_and_duplicates_are_told_with_their_key() {
        let refused = read(&tag("aws:cost", "1"), Tagged::Bucket).unwrap_err();
        assert_eq!(refused.message, "System tags cannot be added/updated by requester");
        assert_eq!(refused.details, [("TagKey", "aws:cost".to_owned())]);
        let refused = read(&[tag("a", "1"), tag("a", "2")].concat(), Tagged::Object).unwrap_err();
        assert_eq!(
            (refused.code, &*refused.message),
            (Code::InvalidTag, "Cannot provide multiple Tags with the same key")
        );
        assert!(read(&[tag("a", "1"), tag("A", "2")].concat(), Tagged::Object).is_ok(), "case counts");
    }
}
