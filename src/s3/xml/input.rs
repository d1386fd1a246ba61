//! The XML inputs of operations on objects and buckets.

use serde::{Deserialize, Deserializer};

use super::read::{Bounds, MalformedXml, from_body};
use super::scalar;

/// The most objects that one DeleteObjects names.
pub const MAX_DELETED_OBJECTS: usize = 1000;

/// The most parts of a multipart upload.
pub const MAX_PARTS: usize = 10_000;

/// The input of DeleteObjects: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Delete.html>
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Delete {
    /// 1 to [`MAX_DELETED_OBJECTS`].
    #[serde(rename = "Object", default)]
    pub objects: Vec<ObjectIdentifier>,
    #[serde(rename = "Quiet", default, deserialize_with = "scalar::flag")]
    pub quiet: bool,
}

/// An object to delete, with the conditions on which it is deleted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ObjectIdentifier {
    /// As given: not checked, with its leading and trailing spaces.
    #[serde(rename = "Key")]
    pub key: String,
    #[serde(rename = "VersionId", default, deserialize_with = "scalar::optional_text")]
    pub version_id: Option<String>,
    #[serde(rename = "ETag", default, deserialize_with = "scalar::optional_text")]
    pub etag: Option<String>,
    #[serde(rename = "LastModifiedTime", default, deserialize_with = "scalar::optional_text")]
    pub last_modified_time: Option<String>,
    #[serde(rename = "Size", default, deserialize_with = "scalar::optional_number")]
    pub size: Option<u64>,
}

/// The input of CompleteMultipartUpload: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompletedMultipartUpload.html>
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CompleteMultipartUpload {
    /// 1 to [`MAX_PARTS`], in the order given.
    #[serde(rename = "Part", default)]
    pub parts: Vec<CompletedPart>,
}

/// A part as its uploader knows it. Checksums are base64, as given.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CompletedPart {
    #[serde(rename = "PartNumber", deserialize_with = "scalar::number")]
    pub part_number: u32,
    /// As given, usually with quotes.
    #[serde(rename = "ETag")]
    pub etag: String,
    #[serde(rename = "ChecksumCRC32", default, deserialize_with = "scalar::optional_text")]
    pub checksum_crc32: Option<String>,
    #[serde(rename = "ChecksumCRC32C", default, deserialize_with = "scalar::optional_text")]
    pub checksum_crc32c: Option<String>,
    #[serde(rename = "ChecksumCRC64NVME", default, deserialize_with = "scalar::optional_text")]
    pub checksum_crc64nvme: Option<String>,
    #[serde(rename = "ChecksumSHA1", default, deserialize_with = "scalar::optional_text")]
    pub checksum_sha1: Option<String>,
    #[serde(rename = "ChecksumSHA256", default, deserialize_with = "scalar::optional_text")]
    pub checksum_sha256: Option<String>,
}

/// The input of CreateBucket: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct CreateBucketConfiguration {
    #[serde(rename = "LocationConstraint", default, deserialize_with = "scalar::optional_text")]
    pub location_constraint: Option<String>,
    #[serde(rename = "Tags", default, deserialize_with = "tag_set")]
    pub tags: Vec<Tag>,
}

/// The input of PutBucketVersioning: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html>
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct VersioningConfiguration {
    #[serde(rename = "Status", default, deserialize_with = "scalar::optional_text")]
    pub status: Option<String>,
    #[serde(rename = "MfaDelete", default, deserialize_with = "scalar::optional_text")]
    pub mfa_delete: Option<String>,
}

/// A tag as given: not checked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Tag {
    #[serde(rename = "Key")]
    pub key: String,
    #[serde(rename = "Value")]
    pub value: String,
}

impl Delete {
    /// Reads the body of DeleteObjects.
    pub fn from_body(body: &[u8]) -> Result<Self, MalformedXml> {
        let delete: Self = from_body(body, "Delete", Bounds::LIST)?;
        if !(1..=MAX_DELETED_OBJECTS).contains(&delete.objects.len()) {
            return Err(MalformedXml::Count(MAX_DELETED_OBJECTS));
        }
        Ok(delete)
    }
}

impl CompleteMultipartUpload {
    /// Reads the body of CompleteMultipartUpload. Numbers, tags and checksums are not judged here.
    pub fn from_body(body: &[u8]) -> Result<Self, MalformedXml> {
        let complete: Self = from_body(body, "CompleteMultipartUpload", Bounds::LIST)?;
        if !(1..=MAX_PARTS).contains(&complete.parts.len()) {
            return Err(MalformedXml::Count(MAX_PARTS));
        }
        Ok(complete)
    }
}

impl CreateBucketConfiguration {
    /// Reads the body of CreateBucket, which may be empty.
    pub fn from_body(body: &[u8]) -> Result<Self, MalformedXml> {
        if body.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        from_body(body, "CreateBucketConfiguration", Bounds::CONFIGURATION)
    }
}

impl VersioningConfiguration {
    /// Reads the body of PutBucketVersioning. What the elements say is not judged here.
    pub fn from_body(body: &[u8]) -> Result<Self, MalformedXml> {
        from_body(body, "VersioningConfiguration", Bounds::CONFIGURATION)
    }
}

fn tag_set<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Tag>, D::Error> {
    #[derive(Deserialize)]
    struct TagSet {
        #[serde(rename = "Tag", default)]
        tags: Vec<Tag>,
    }
    TagSet::deserialize(deserializer).map(|set| set.tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(key: &str) -> ObjectIdentifier {
        ObjectIdentifier { key: key.to_owned(), version_id: None, etag: None, last_modified_time: None, size: None }
    }

    #[test]
    fn delete_reads_every_element() {
        let body = br#"<?xml version="1.0" encoding="UTF-8"?>
            <Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
              <Object><Key>a</Key><VersionId>null</VersionId></Object>
              <Quiet>True</Quiet>
              <Object><ETag>"b"</ETag><Key> b&amp;&#x1; </Key><VersionId/><Size>0</Size>
                <LastModifiedTime>Sun, 06 Nov 1994 08:49:37 GMT</LastModifiedTime></Object>
            </Delete>"#;
        let expected = Delete {
            objects: vec![
                ObjectIdentifier { version_id: Some("null".to_owned()), ..object("a") },
                ObjectIdentifier {
                    etag: Some("\"b\"".to_owned()),
                    last_modified_time: Some("Sun, 06 Nov 1994 08:49:37 GMT".to_owned()),
                    size: Some(0),
                    ..object(" b&\u{1} ")
                },
            ],
            quiet: true,
        };
        assert_eq!(Delete::from_body(body).unwrap(), expected);
    }

    #[test]
    fn delete_names_between_1_and_1000_objects() {
        let body = |count| format!("<Delete>{}</Delete>", "<Object><Key>k</Key></Object>".repeat(count)).into_bytes();
        assert_eq!(Delete::from_body(&body(1000)).unwrap(), Delete { objects: vec![object("k"); 1000], quiet: false });
        for count in [0, 1001] {
            assert!(matches!(Delete::from_body(&body(count)), Err(MalformedXml::Count(1000))), "{count}");
        }
        assert!(Delete::from_body(b"<Delete><Object><VersionId>v</VersionId></Object></Delete>").is_err(), "no key");
    }

    #[test]
    fn the_largest_legal_delete_is_within_bounds() {
        let key = "&amp;".repeat(1024);
        let body = format!("<Delete>{}</Delete>", format!("<Object><Key>{key}</Key></Object>").repeat(1000));
        assert_eq!(Delete::from_body(body.as_bytes()).unwrap().objects[999].key, "&".repeat(1024));
    }

    #[test]
    fn complete_reads_all_checksums_in_order() {
        let body = br#"<CompleteMultipartUpload>
            <Part><PartNumber>2</PartNumber><ETag>"e2"</ETag><ChecksumCRC32>a</ChecksumCRC32><ChecksumCRC32C>b</ChecksumCRC32C>
              <ChecksumCRC64NVME>c</ChecksumCRC64NVME><ChecksumSHA1>d</ChecksumSHA1><ChecksumSHA256>e</ChecksumSHA256></Part>
            <Part><ETag>e1</ETag><PartNumber> 1 </PartNumber></Part></CompleteMultipartUpload>"#;
        let complete = CompleteMultipartUpload::from_body(body).unwrap();
        let [first, second] = complete.parts.as_slice() else { panic!("{complete:?}") };
        assert_eq!((first.part_number, first.etag.as_str()), (2, "\"e2\""));
        let checksums = [
            &first.checksum_crc32,
            &first.checksum_crc32c,
            &first.checksum_crc64nvme,
            &first.checksum_sha1,
            &first.checksum_sha256,
        ];
        assert_eq!(checksums.map(|sum| sum.as_deref().unwrap()), ["a", "b", "c", "d", "e"]);
        assert_eq!((second.part_number, second.etag.as_str(), &second.checksum_crc32), (1, "e1", &None));
    }

    #[test]
    fn complete_lists_between_1_and_10000_parts_with_number_and_tag() {
        let part = "<Part><PartNumber>1</PartNumber><ETag>e</ETag></Part>";
        let body = |inner: &str| format!("<CompleteMultipartUpload>{inner}</CompleteMultipartUpload>").into_bytes();
        assert_eq!(CompleteMultipartUpload::from_body(&body(&part.repeat(10_000))).unwrap().parts.len(), 10_000);
        for inner in
            ["", &part.repeat(10_001), "<Part><PartNumber>1</PartNumber></Part>", "<Part><ETag>e</ETag></Part>"]
        {
            assert!(CompleteMultipartUpload::from_body(&body(inner)).is_err());
        }
    }

    #[test]
    fn a_versioning_configuration_has_a_status_or_not() {
        let body = b"<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
            <Status> Enabled </Status><MfaDelete>Disabled</MfaDelete></VersioningConfiguration>";
        let read = VersioningConfiguration::from_body(body).unwrap();
        assert_eq!((read.status.as_deref(), read.mfa_delete.as_deref()), (Some("Enabled"), Some("Disabled")));
        let empty = VersioningConfiguration::from_body(b"<VersioningConfiguration/>").unwrap();
        assert_eq!(empty, VersioningConfiguration::default());
        assert!(VersioningConfiguration::from_body(b"<Versioning/>").is_err());
    }

    #[test]
    fn create_bucket_has_a_location_tags_or_nothing() {
        for body in [
            "",
            " \n",
            "<CreateBucketConfiguration/>",
            "<CreateBucketConfiguration><LocationConstraint/><Tags/></CreateBucketConfiguration>",
        ] {
            assert_eq!(CreateBucketConfiguration::from_body(body.as_bytes()).unwrap(), Default::default(), "{body}");
        }
        let body = b"<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint>\
            <Tags><Tag><Key>k</Key><Value/></Tag></Tags></CreateBucketConfiguration>";
        let configuration = CreateBucketConfiguration::from_body(body).unwrap();
        assert_eq!(configuration.location_constraint.as_deref(), Some("eu-west-1"));
        assert_eq!(configuration.tags, [Tag { key: "k".to_owned(), value: String::new() }]);
    }
}
