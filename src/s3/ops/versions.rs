//! Versioning of buckets, and ListObjectVersions.

use super::list::{self, Encoding, Owners};
use crate::http::date;
use crate::s3::answer::Answer;
use crate::s3::error::{Code, S3Error};
use crate::s3::query::Query;
use crate::s3::xml::input::VersioningConfiguration;
use crate::s3::xml::read::Bounds;
use crate::s3::xml::write::Writer;
use crate::s3::{Request, Service, version};
use crate::store::record::{EntrySummary, Versioning};
use crate::store::versions::{ListVersions, ListedVersion, VersionMarker};

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html>
pub async fn put_bucket_versioning(cx: &Service, request: &mut Request) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    let body = request.body.read(Bounds::CONFIGURATION.bytes).await?;
    let configuration = VersioningConfiguration::from_body(&body)?;
    let versioning = parse_status(&configuration)?;
    let position = cx.store.put_versioning(&bucket, versioning, request.cause()).await?;
    Ok(match position {
        Some(position) => Answer::ok().position(position),
        None => Answer::ok(),
    })
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html>
pub fn get_bucket_versioning(request: &Request) -> Result<Answer, S3Error> {
    let mut document = Writer::new("VersioningConfiguration");
    document.optional(
        "Status",
        match request.bucket()?.record.versioning {
            Versioning::Never => None,
            Versioning::Enabled => Some("Enabled"),
            Versioning::Suspended => Some("Suspended"),
        },
    );
    Ok(Answer::xml(document))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html>
pub async fn list_object_versions(cx: &Service, request: &Request) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    let query = &request.query;
    let encoding = Encoding::parse(query)?;
    let list = parse(query)?;
    let page = cx.store.list_versions(bucket.record.id, &list).await?;

    let mut document = Writer::new("ListVersionsResult");
    document
        .text("Name", bucket.record.name.as_str())
        .text("Prefix", &encoding.name(&list.prefix))
        .text("KeyMarker", &encoding.name(query.get("key-marker").unwrap_or_default()))
        .text("VersionIdMarker", query.get("version-id-marker").unwrap_or_default());
    match &page.next {
        Some(VersionMarker::Version(key, version)) => {
            document.text("NextKeyMarker", &encoding.name(key)).text("NextVersionIdMarker", &version.to_string());
        }
        Some(VersionMarker::Key(key)) => {
            document.text("NextKeyMarker", &encoding.name(key));
        }
        Some(VersionMarker::Start) | None => (),
    }
    document.number("MaxKeys", list.limit as u64);
    document.optional("Delimiter", list.delimiter.as_deref().map(|delimiter| encoding.name(delimiter)).as_deref());
    encoding.write(&mut document);
    document.flag("IsTruncated", page.next.is_some());
    let mut owners = Owners::of(cx);
    for listed in &page.versions {
        write_version(&mut document, listed, encoding, &mut owners);
    }
    for prefix in &page.common_prefixes {
        document.nest("CommonPrefixes", |entry| {
            entry.text("Prefix", &encoding.name(prefix));
        });
    }
    Ok(Answer::xml(document))
}

pub(super) fn parse(query: &Query) -> Result<ListVersions, S3Error> {
    let (key, version) = (query.given("key-marker"), query.given("version-id-marker"));
    let after = match (key, version) {
        (None, None) => VersionMarker::Start,
        (Some(key), None) => VersionMarker::Key(key.to_owned()),
        (Some(key), Some(text)) => VersionMarker::Version(key.to_owned(), version::parse(text, "version-id-marker")?),
        (None, Some(text)) => {
            let message = "A version-id marker cannot be specified without a key marker.";
            return Err(S3Error::invalid_argument(message, "version-id-marker", text));
        }
    };
    // Prefix, delimiter and length of a page are those of the other listings.
    let page = list::parse(query, String::new())?;
    Ok(ListVersions { prefix: page.prefix, delimiter: page.delimiter, after, limit: page.limit })
}

fn write_version(document: &mut Writer, listed: &ListedVersion, encoding: Encoding, owners: &mut Owners<'_>) {
    let begin = |entry: &mut Writer| {
        entry
            .text("Key", &encoding.name(&listed.key))
            .text("VersionId", &listed.version.to_string())
            .flag("IsLatest", listed.latest);
    };
    match &listed.entry {
        EntrySummary::Object(summary) => document.nest("Version", |entry| {
            begin(entry);
            list::write_summary(entry, summary);
            owners.write(entry, &summary.owner);
            entry.text("StorageClass", summary.storage_class.as_str());
        }),
        EntrySummary::DeleteMarker(marker) => document.nest("DeleteMarker", |entry| {
            begin(entry);
            entry.text("LastModified", &date::format_iso8601(marker.modified));
            owners.write(entry, &marker.owner);
        }),
    };
}

fn parse_status(configuration: &VersioningConfiguration) -> Result<Versioning, S3Error> {
    match configuration.mfa_delete.as_deref() {
        None | Some("Disabled") => (),
        Some("Enabled") => {
            let message = "MFA delete is not implemented: versions are protected by permissions alone.";
            return Err(S3Error::with_message(Code::NotImplemented, message));
        }
        Some(_) => return Err(S3Error::new(Code::MalformedXML)),
    }
    match configuration.status.as_deref() {
        Some("Enabled") => Ok(Versioning::Enabled),
        Some("Suspended") => Ok(Versioning::Suspended),
        Some(_) => Err(S3Error::new(Code::MalformedXML)),
        None => Err(S3Error::new(Code::IllegalVersioningConfigurationException)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(status: Option<&str>, mfa_delete: Option<&str>) -> Result<Versioning, Code> {
        let [status, mfa_delete] = [status, mfa_delete].map(|text| text.map(str::to_owned));
        parse_status(&VersioningConfiguration { status, mfa_delete }).map_err(|error| error.code)
    }

    #[test]
    fn versioning_is_enabled_or_suspended_and_never_guarded_by_a_device() {
        assert_eq!(parsed(Some("Enabled"), None), Ok(Versioning::Enabled));
        assert_eq!(parsed(Some("Suspended"), Some("Disabled")), Ok(Versioning::Suspended));
        assert_eq!(parsed(Some("enabled"), None), Err(Code::MalformedXML));
        assert_eq!(parsed(Some("Enabled"), Some("yes")), Err(Code::MalformedXML));
        assert_eq!(parsed(Some("Enabled"), Some("Enabled")), Err(Code::NotImplemented));
        assert_eq!(parsed(None, None), Err(Code::IllegalVersioningConfigurationException));
    }

    #[test]
    fn a_version_marker_needs_its_key() {
        let parsed = |query: &str| parse(&Query::parse(query).unwrap()).map(|list| list.after).map_err(|e| e.message);
        assert_eq!(parsed("key-marker=&version-id-marker="), Ok(VersionMarker::Start));
        assert_eq!(parsed("key-marker=k"), Ok(VersionMarker::Key("k".to_owned())));
        let null = VersionMarker::Version("k".to_owned(), crate::names::VersionId::Null);
        assert_eq!(parsed("key-marker=k&version-id-marker=null"), Ok(null));
        let alone = "A version-id marker cannot be specified without a key marker.";
        assert_eq!(parsed("version-id-marker=null"), Err(alone.into()));
        assert_eq!(parsed("key-marker=k&version-id-marker=x"), Err("Invalid version id specified".into()));
    }
}
