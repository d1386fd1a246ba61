//! ListObjects and ListObjectsV2.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as TOKEN;

use crate::http::{date, percent};
use crate::identity::{Account, Identities};
use crate::names::AccountId;
use crate::s3::answer::Answer;
use crate::s3::error::S3Error;
use crate::s3::query::Query;
use crate::s3::xml::write::Writer;
use crate::s3::{Request, Service, owner};
use crate::store::list::{ListObjects, ObjectPage};
use crate::store::record::Summary;

/// The most keys of a page, and the number without `max-keys`.
const MAX_KEYS: u32 = 1000;

/// Whether names are percent-encoded in the document, so that XML can carry every one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    url: bool,
}

impl Encoding {
    pub fn parse(query: &Query) -> Result<Self, S3Error> {
        match query.given("encoding-type") {
            None => Ok(Self { url: false }),
            Some(encoding) if encoding.eq_ignore_ascii_case("url") => Ok(Self { url: true }),
            Some(other) => {
                let message = "Invalid Encoding Method specified in Request";
                Err(S3Error::invalid_argument(message, "encoding-type", other))
            }
        }
    }

    /// A name as the document has it.
    pub fn name(self, name: &str) -> Cow<'_, str> {
        if self.url { percent::encode_listing(name) } else { Cow::Borrowed(name) }
    }

    pub fn write(self, document: &mut Writer) {
        if self.url {
            document.text("EncodingType", "url");
        }
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html>
pub async fn list_objects(cx: &Service, request: &Request) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    let query = &request.query;
    let encoding = Encoding::parse(query)?;
    let marker = query.get("marker").unwrap_or_default();
    let list = parse(query, marker.to_owned())?;
    let page = cx.store.list_objects(bucket.record.id, &list).await?;

    let mut document = Writer::new("ListBucketResult");
    document
        .text("Name", bucket.record.name.as_str())
        .text("Prefix", &encoding.name(&list.prefix))
        .text("Marker", &encoding.name(marker));
    // Without a delimiter the last key serves, and S3 leaves the element out.
    if let (Some(next), Some(_)) = (&page.next, &list.delimiter) {
        document.text("NextMarker", &encoding.name(next));
    }
    document.number("MaxKeys", list.limit as u64);
    write_rest(&mut document, &list, &page, encoding, Some(Owners::of(cx)));
    Ok(Answer::xml(document))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>
pub async fn list_objects_v2(cx: &Service, request: &Request) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    let query = &request.query;
    if query.get("list-type") != Some("2") {
        let given = query.get("list-type").unwrap_or_default();
        return Err(S3Error::invalid_argument("Invalid List Type specified in Request", "list-type", given));
    }
    let encoding = Encoding::parse(query)?;
    let start_after = query.get("start-after").unwrap_or_default();
    let token = query.get("continuation-token");
    // A page that goes on from a token has nothing to do with where the first page started.
    let after = match token {
        Some(token) => parse_token(token)?,
        None => start_after.to_owned(),
    };
    let list = parse(query, after)?;
    let page = cx.store.list_objects(bucket.record.id, &list).await?;

    let mut document = Writer::new("ListBucketResult");
    document.text("Name", bucket.record.name.as_str()).text("Prefix", &encoding.name(&list.prefix));
    if query.has("start-after") {
        document.text("StartAfter", &encoding.name(start_after));
    }
    document.optional("ContinuationToken", token);
    document.optional("NextContinuationToken", page.next.as_deref().map(make_token).as_deref());
    document
        .number("KeyCount", (page.objects.len() + page.common_prefixes.len()) as u64)
        .number("MaxKeys", list.limit as u64);
    let with_owner = query.get("fetch-owner").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    write_rest(&mut document, &list, &page, encoding, with_owner.then(|| Owners::of(cx)));
    Ok(Answer::xml(document))
}

pub(super) fn parse(query: &Query, after: String) -> Result<ListObjects, S3Error> {
    let limit = query.number("max-keys", 0..=i32::MAX as u32)?.unwrap_or(MAX_KEYS).min(MAX_KEYS);
    Ok(ListObjects {
        prefix: query.get("prefix").unwrap_or_default().to_owned(),
        delimiter: query.given("delimiter").map(str::to_owned),
        after,
        limit: limit as usize,
    })
}

fn write_rest(
    document: &mut Writer,
    list: &ListObjects,
    page: &ObjectPage,
    encoding: Encoding,
    mut owners: Option<Owners<'_>>,
) {
    document.optional("Delimiter", list.delimiter.as_deref().map(|delimiter| encoding.name(delimiter)).as_deref());
    encoding.write(document);
    document.flag("IsTruncated", page.next.is_some());
    for (key, summary) in &page.objects {
        document.nest("Contents", |entry| {
            entry.text("Key", &encoding.name(key));
            write_summary(entry, summary);
            if let Some(owners) = &mut owners {
                owners.write(entry, &summary.owner);
            }
            entry.text("StorageClass", summary.storage_class.as_str());
        });
    }
    for prefix in &page.common_prefixes {
        document.nest("CommonPrefixes", |entry| {
            entry.text("Prefix", &encoding.name(prefix));
        });
    }
}

pub(super) fn write_summary(entry: &mut Writer, summary: &Summary) {
    entry
        .text("LastModified", &date::format_iso8601(summary.modified))
        .text("ETag", &summary.etag.quoted())
        .text("ChecksumAlgorithm", summary.algorithm.as_str())
        .text("ChecksumType", summary.checksum_type.as_str())
        .number("Size", summary.size);
}

/// Writes owners. A page's objects nearly always have one, which is looked up once.
pub(super) struct Owners<'s> {
    identities: &'s Identities,
    last: Option<Arc<Account>>,
}

impl<'s> Owners<'s> {
    pub(super) fn of(cx: &'s Service) -> Self {
        Self { identities: &cx.identities, last: None }
    }

    pub(super) fn write(&mut self, entry: &mut Writer, account: &AccountId) {
        let known = self.last.take().filter(|known| known.id == *account);
        let known = known.unwrap_or_else(|| self.identities.owner(account));
        owner::write(entry, "Owner", &known);
        self.last = Some(known);
    }
}

/// A token says where to go on; it is opaque so that nobody builds one.
pub(super) fn make_token(after: &str) -> String {
    TOKEN.encode(after)
}

pub(super) fn parse_token(token: &str) -> Result<String, S3Error> {
    let after = TOKEN.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    after.filter(|after| !after.is_empty()).ok_or_else(|| {
        S3Error::invalid_argument("The continuation token provided is incorrect", "continuation-token", token)
    })
}
