//! S3's documents, as far as this client reads and writes them.

use quick_xml::de::from_str;
use quick_xml::escape::escape;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Error;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorDocument {
    code: String,
    #[serde(default)]
    message: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListBucketResult {
    #[serde(default)]
    pub contents: Vec<Contents>,
    pub next_continuation_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Contents {
    pub key: String,
    pub last_modified: String,
    pub size: u64,
}

#[derive(Debug, Deserialize)]
pub struct DeleteResult {
    #[serde(default, rename = "Error")]
    pub errors: Vec<NotDeleted>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NotDeleted {
    #[serde(default)]
    pub key: String,
    pub code: String,
    #[serde(default)]
    pub message: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InitiateMultipartUploadResult {
    pub upload_id: String,
}

#[derive(Debug, Deserialize)]
pub struct WebsiteConfiguration {
    #[serde(rename = "IndexDocument")]
    pub index: Option<IndexDocument>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct IndexDocument {
    pub suffix: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PublicAccessBlockConfiguration {
    pub block_public_acls: bool,
    pub ignore_public_acls: bool,
    pub block_public_policy: bool,
    pub restrict_public_buckets: bool,
}

/// Code and message of an error document; `None` where the body is none.
pub fn error(body: &[u8]) -> Option<(String, String)> {
    let document: ErrorDocument = from_str(std::str::from_utf8(body).ok()?).ok()?;
    (!document.code.is_empty()).then_some((document.code, document.message))
}

/// Reads an answer's document. `what` names it in the error.
pub fn read<T: DeserializeOwned>(what: &str, body: &[u8]) -> Result<T, Error> {
    let wrong = |source: Box<dyn std::error::Error + Send + Sync>| Error::Answer {
        what: what.to_owned(),
        source: Some(source),
    };
    let text = std::str::from_utf8(body).map_err(|error| wrong(error.into()))?;
    from_str(text).map_err(|error| wrong(error.into()))
}

/// An element with text in it.
pub fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// A whole document.
pub fn document(root: &str, content: &str) -> Vec<u8> {
    format!("<{root} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{content}</{root}>").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_from_other_bodies() {
        let body = b"<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code><Message>no &lt;key&gt;</Message><Key>k</Key></Error>";
        assert_eq!(error(body), Some(("NoSuchKey".to_owned(), "no <key>".to_owned())));
        for other in ["", "<html><body>502</body></html>", "not xml", "<Error/>"] {
            assert_eq!(error(other.as_bytes()), None, "{other}");
        }
        assert_eq!(error(b"\xff"), None);
    }

    #[test]
    fn documents_are_read_and_written() {
        let list = "<ListBucketResult xmlns=\"x\"><Name>b</Name><Contents><Key>a+b</Key><LastModified>t</LastModified>\
            <ETag>&quot;e&quot;</ETag><Size>7</Size></Contents><KeyCount>1</KeyCount></ListBucketResult>";
        let list: ListBucketResult = read("a list", list.as_bytes()).unwrap();
        assert_eq!((list.contents[0].key.as_str(), list.contents[0].size), ("a+b", 7));
        assert!(read::<ListBucketResult>("a list", b"<ListBucketResult/>").unwrap().contents.is_empty());
        assert!(read::<ListBucketResult>("a list", b"<a>").unwrap_err().to_string().contains("a list"));
        assert_eq!(element("Key", "a<&>"), "<Key>a&lt;&amp;&gt;</Key>");
    }
}
