//! The headers that an object keeps, in and out.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>

use std::borrow::Cow;

use super::answer::Answer;
use super::error::{Code, S3Error};
use super::query::Query;
use super::tags;
use crate::http::head::Headers;
use crate::http::{mime, rfc2047};
use crate::names::ObjectKey;
use crate::store::record::{Metadata, StorageClass};

const USER_PREFIX: &str = "x-amz-meta-";
/// The most bytes of all user metadata together, names and values.
const MAX_USER_BYTES: usize = 2048;
/// The most bytes of one system value.
const MAX_SYSTEM_BYTES: usize = 2048;

/// Headers that ask for something that would not happen: refused rather than ignored.
const REFUSED_PREFIXES: [&str; 3] =
    ["x-amz-server-side-encryption", "x-amz-object-lock-", "x-amz-copy-source-server-side-encryption"];
const REFUSED: [&str; 2] = ["x-amz-write-offset-bytes", "x-amz-if-match-initiated-time"];

/// Everything that an object keeps of a request's headers. The type follows from the key where the client gave none.
pub fn parse(headers: &Headers, key: &ObjectKey) -> Result<Metadata, S3Error> {
    let system = |name: &'static str| -> Result<Option<String>, S3Error> {
        let Some(text) = headers.text(name)? else { return Ok(None) };
        if text.len() > MAX_SYSTEM_BYTES {
            return Err(S3Error::new(Code::MetadataTooLarge));
        }
        Ok(Some(text.to_owned()))
    };
    let content_type = system("content-type")?.filter(|text| !text.is_empty());
    Ok(Metadata {
        content_type: Some(content_type.unwrap_or_else(|| mime::of_key(key.as_str()).to_owned())),
        content_encoding: system("content-encoding")?.and_then(|coding| without_aws_chunked(&coding)),
        content_language: system("content-language")?,
        content_disposition: system("content-disposition")?,
        cache_control: system("cache-control")?,
        expires: system("expires")?,
        website_redirect_location: redirect_location(headers)?,
        user: user_metadata(headers)?,
        tags: tags::in_header(headers)?,
    })
}

/// Fails for headers that ask for what Brim does not do: to store plaintext or unlocked data silently would be worst.
pub fn refuse_unsupported(headers: &Headers) -> Result<(), S3Error> {
    for (name, _) in headers.iter() {
        if REFUSED.contains(&name) || REFUSED_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            return Err(S3Error::header_not_implemented(name));
        }
    }
    Ok(())
}

pub fn storage_class(headers: &Headers) -> Result<Option<StorageClass>, S3Error> {
    let Some(name) = headers.text("x-amz-storage-class")? else { return Ok(None) };
    let invalid = || S3Error::new(Code::InvalidStorageClass).detail("StorageClassRequested", name);
    StorageClass::parse(name).map(Some).ok_or_else(invalid)
}

/// Adds what the object keeps to an answer, as it was sent.
pub fn answer(metadata: &Metadata, class: StorageClass, overrides: &Overrides, answer: Answer) -> Answer {
    let mut answer = answer;
    let system = [
        ("content-type", &metadata.content_type, "response-content-type"),
        ("content-encoding", &metadata.content_encoding, "response-content-encoding"),
        ("content-language", &metadata.content_language, "response-content-language"),
        ("content-disposition", &metadata.content_disposition, "response-content-disposition"),
        ("cache-control", &metadata.cache_control, "response-cache-control"),
        ("expires", &metadata.expires, "response-expires"),
    ];
    for (name, kept, parameter) in system {
        if let Some(value) = overrides.get(parameter).or(kept.as_deref()) {
            answer = answer.header(name, value);
        }
    }
    if let Some(location) = &metadata.website_redirect_location {
        answer = answer.header("x-amz-website-redirect-location", location.as_str());
    }
    for (name, value) in &metadata.user {
        answer = answer.header(&format!("{USER_PREFIX}{name}"), rfc2047::encode(value).as_ref());
    }
    if !metadata.tags.is_empty() {
        answer = answer.header("x-amz-tagging-count", metadata.tags.len().to_string());
    }
    if class != StorageClass::Standard {
        answer = answer.header("x-amz-storage-class", class.as_str());
    }
    answer
}

/// The `response-*` parameters: headers that this one answer shall have.
#[derive(Debug, Default)]
pub struct Overrides(Vec<(&'static str, String)>);

impl Overrides {
    const NAMES: [&'static str; 6] = [
        "response-content-type",
        "response-content-encoding",
        "response-content-language",
        "response-content-disposition",
        "response-cache-control",
        "response-expires",
    ];

    pub fn parse(query: &Query) -> Result<Self, S3Error> {
        let mut overrides = Vec::new();
        for name in Self::NAMES {
            let Some(value) = query.get(name) else { continue };
            if value.chars().any(char::is_control) {
                return Err(S3Error::invalid_argument("Header value cannot be represented", name, value));
            }
            overrides.push((name, value.to_owned()));
        }
        Ok(Self(overrides))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

fn user_metadata(headers: &Headers) -> Result<Vec<(String, String)>, S3Error> {
    let mut user: Vec<(String, String)> = Vec::new();
    for (name, value) in headers.iter() {
        let Some(name) = name.strip_prefix(USER_PREFIX) else { continue };
        let value = rfc2047::decode(value);
        // A header given twice is one header with both values (RFC 9110 section 5.3).
        match user.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => {
                known.push(',');
                known.push_str(&value);
            }
            None => user.push((name.to_owned(), value)),
        }
    }
    let size: usize = user.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > MAX_USER_BYTES {
        return Err(S3Error::new(Code::MetadataTooLarge)
            .detail("Size", size.to_string())
            .detail("MaxSizeAllowed", MAX_USER_BYTES.to_string()));
    }
    Ok(user)
}

fn redirect_location(headers: &Headers) -> Result<Option<String>, S3Error> {
    let Some(location) = headers.text("x-amz-website-redirect-location")? else { return Ok(None) };
    let valid = ["/", "http://", "https://"].iter().any(|start| location.starts_with(start));
    if !valid || location.len() > MAX_SYSTEM_BYTES {
        return Err(S3Error::with_message(
            Code::InvalidRedirectLocation,
            "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
        ));
    }
    Ok(Some(location.to_owned()))
}

/// `aws-chunked` is the transfer's, not the object's.
fn without_aws_chunked(coding: &str) -> Option<String> {
    let kept: Vec<Cow<'_, str>> = coding
        .split(',')
        .map(str::trim)
        .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("aws-chunked"))
        .map(Cow::Borrowed)
        .collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_one(name: &str, value: &str) -> Result<Metadata, S3Error> {
        parse(&[(name, value)].into_iter().collect(), &ObjectKey::parse("page.html").unwrap())
    }

    #[test]
    fn the_type_follows_from_the_key_only_where_none_is_given() {
        assert_eq!(parse_one("x", "y").unwrap().content_type.as_deref(), Some("text/html"));
        assert_eq!(parse_one("content-type", "a/b").unwrap().content_type.as_deref(), Some("a/b"));
    }

    #[test]
    fn aws_chunked_is_not_kept() {
        for (sent, kept) in [("gzip,aws-chunked", Some("gzip")), ("aws-chunked", None), ("br, gzip", Some("br,gzip"))] {
            assert_eq!(parse_one("content-encoding", sent).unwrap().content_encoding.as_deref(), kept);
        }
    }

    #[test]
    fn user_metadata_is_bounded_and_joined() {
        assert!(parse_one("x-amz-meta-a", &"x".repeat(2047)).is_ok());
        assert_eq!(parse_one("x-amz-meta-a", &"x".repeat(2048)).unwrap_err().code, Code::MetadataTooLarge);
        let twice = [("x-amz-meta-a", "1"), ("x-amz-meta-b", ""), ("x-amz-meta-a", "2")].into_iter().collect();
        let user = user_metadata(&twice).unwrap();
        assert_eq!(user, [("a".to_owned(), "1,2".to_owned()), ("b".to_owned(), String::new())]);
    }

    #[test]
    fn what_would_be_ignored_is_refused() {
        for (name, value) in [
            ("x-amz-server-side-encryption", "AES256"),
            ("x-amz-object-lock-mode", "GOVERNANCE"),
            ("x-amz-if-match-initiated-time", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ] {
            let refused = refuse_unsupported(&[(name, value)].into_iter().collect());
            assert_eq!(refused.unwrap_err().code, Code::NotImplemented, "{name}");
        }
        for (name, value) in [("x-amz-acl", "public-read"), ("x-amz-grant-read", "id=1")] {
            assert!(refuse_unsupported(&[(name, value)].into_iter().collect()).is_ok(), "{name}");
        }
    }
}
