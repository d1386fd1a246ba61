//! Objects: read, written under a condition, removed.

use bytes::Bytes;

use super::body::Body;
use super::request::Request;
use super::{Client, Error, xml};
use crate::names::BucketName;

/// How many objects one DeleteObjects names.
const DELETE_AT_ONCE: usize = 1000;

/// An object that was read.
#[derive(Debug)]
pub struct Object {
    pub body: Bytes,
    /// As the service gives it, with quotes.
    pub etag: String,
}

/// What to write, and where.
#[derive(Debug)]
pub struct Put<'a> {
    pub bucket: &'a BucketName,
    pub key: &'a str,
    pub content_type: &'a str,
    pub condition: Condition,
    pub body: Body,
}

/// When to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    Always,
    /// Where there is no object.
    Absent,
    /// Where the object has this entity tag.
    Match(String),
}

/// What became of a write. A write that was sent twice, because the first answer was lost, can find what the first wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    Done,
    /// The condition does not hold.
    Refused,
}

/// An object to be removed, if it is still the one that was listed.
#[derive(Debug, Clone)]
pub struct Deletion {
    pub key: String,
    /// When it was stored, as the listing has it.
    pub modified: String,
}

impl Condition {
    pub(super) fn add_to<'a>(&self, request: Request<'a>) -> Request<'a> {
        match self {
            Self::Always => request,
            Self::Absent => request.header("if-none-match", "*"),
            Self::Match(etag) => request.header("if-match", etag),
        }
    }
}

impl Client {
    /// Reads an object of at most `most` bytes; `None` where there is none.
    pub async fn get_object(&self, bucket: &BucketName, key: &str, most: usize) -> Result<Option<Object>, Error> {
        let mut request = Request::new("GetObject", "GET", bucket).key(key);
        request.most = most;
        let Some(answer) = self.send_unless(&request, 404).await? else { return Ok(None) };
        let etag = answer.header("etag").to_owned();
        Ok(Some(Object { body: answer.body, etag }))
    }

    /// Writes an object in one request.
    pub async fn put_object(&self, put: &Put<'_>) -> Result<Written, Error> {
        let request =
            Request::new("PutObject", "PUT", put.bucket).key(put.key).header("content-type", put.content_type);
        let request = put.condition.add_to(request).body(put.body.clone());
        written(self.send(&request).await, &put.body)
    }

    /// Removes an object; one that is not there too. `etag` makes it conditional.
    pub async fn delete_object(&self, bucket: &BucketName, key: &str, condition: Condition) -> Result<Written, Error> {
        let request = condition.add_to(Request::new("DeleteObject", "DELETE", bucket).key(key));
        written(self.send(&request).await.map(drop), &Body::Empty)
    }

    /// Removes objects that are still the ones that were listed. Gives the keys of those that are not, and stay; another
    /// refusal is an error.
    pub async fn delete_objects(&self, bucket: &BucketName, deletions: &[Deletion]) -> Result<Vec<String>, Error> {
        let mut changed = Vec::new();
        for some in deletions.chunks(DELETE_AT_ONCE) {
            let objects = some.iter().map(|deletion| {
                let object = xml::element("Key", &deletion.key) + &xml::element("LastModifiedTime", &deletion.modified);
                format!("<Object>{object}</Object>")
            });
            let document = xml::document("Delete", &(objects.collect::<String>() + "<Quiet>true</Quiet>"));
            let request = Request::new("DeleteObjects", "POST", bucket).query("delete", "");
            let request = request.header("x-amz-sdk-checksum-algorithm", "SHA256").body(Body::Bytes(document.into()));
            let answer = self.send(&request).await?;
            let result: xml::DeleteResult = xml::read("the answer to DeleteObjects", &answer.body)?;
            for refused in result.errors {
                match refused.code.as_str() {
                    "PreconditionFailed" => changed.push(refused.key),
                    _ => return Err(not_deleted(bucket, refused)),
                }
            }
        }
        Ok(changed)
    }
}

/// Makes an outcome of what conditions say; a body that has not the bytes that were announced is a file that changed.
pub(super) fn written<T>(sent: Result<T, Error>, body: &Body) -> Result<Written, Error> {
    match (sent, body) {
        (Ok(_), _) => Ok(Written::Done),
        (Err(Error::Service(error)), _) if error.status == 412 => Ok(Written::Refused),
        (Err(Error::Service(error)), Body::File(file)) if is_mismatch(&error.code) => {
            Err(Error::Changed(file.path.clone()))
        }
        (Err(Error::Broken { .. }), Body::File(file)) if is_shorter(file) => Err(Error::Changed(file.path.clone())),
        (Err(error), _) => Err(error),
    }
}

fn is_mismatch(code: &str) -> bool {
    ["XAmzContentSHA256Mismatch", "BadDigest"].contains(&code)
}

fn is_shorter(file: &super::FileBody) -> bool {
    std::fs::metadata(&file.path).is_ok_and(|metadata| metadata.len() < file.size)
}

fn not_deleted(bucket: &BucketName, refused: xml::NotDeleted) -> Error {
    let xml::NotDeleted { key, code, message } = refused;
    let status = if code == "AccessDenied" { 403 } else { 500 };
    let target = format!("{bucket}/{key}");
    Error::Service(Box::new(super::ServiceError { operation: "DeleteObjects", target, status, code, message }))
}
