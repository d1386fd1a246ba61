//! Large files, in parts: a part that fails is sent again by itself.

use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::body::{Body, FileBody};
use super::object::{Put, Written, written};
use super::request::Request;
use super::{Client, Error, xml};
use crate::names::BucketName;

/// Files above this many bytes are sent in parts.
const THRESHOLD: u64 = 64 * 1024 * 1024;
/// How many bytes a part has; each upload under way holds one in memory.
const PART_BYTES: usize = 16 * 1024 * 1024;
/// The most parts of an upload (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).
const MAX_PARTS: u64 = 10_000;
/// The largest file, in bytes: 156 GiB.
pub const MAX_FILE_BYTES: u64 = MAX_PARTS * PART_BYTES as u64;

/// An upload under way.
struct Upload<'a> {
    client: &'a Client,
    bucket: &'a BucketName,
    key: &'a str,
    id: String,
}

/// A part that was sent: its entity tag and its checksum.
struct Part {
    etag: String,
    checksum: String,
}

impl Client {
    /// Writes a file as an object, in parts where it is large. `sent` hears how many bytes went since it was last told.
    pub async fn put_file(
        &self,
        put: &Put<'_>,
        file: &FileBody,
        sent: &(dyn Fn(u64) + Sync),
    ) -> Result<Written, Error> {
        if file.size > THRESHOLD {
            return self.put_in_parts(put, file, sent).await;
        }
        let whole = Put { body: Body::File(file.clone()), condition: put.condition.clone(), ..*put };
        let done = self.put_object(&whole).await?;
        sent(file.size);
        Ok(done)
    }

    async fn put_in_parts(
        &self,
        put: &Put<'_>,
        file: &FileBody,
        sent: &(dyn Fn(u64) + Sync),
    ) -> Result<Written, Error> {
        let request = Request::new("CreateMultipartUpload", "POST", put.bucket).key(put.key).query("uploads", "");
        let request = request.header("content-type", put.content_type).header("x-amz-checksum-algorithm", "SHA256");
        let answer = self.send(&request).await?;
        let created: xml::InitiateMultipartUploadResult =
            xml::read("the answer to CreateMultipartUpload", &answer.body)?;
        let upload = Upload { client: self, bucket: put.bucket, key: put.key, id: created.upload_id };
        let done = match upload.send_parts(file, sent).await {
            Ok(parts) => upload.complete(put, &parts).await,
            Err(error) => Err(error),
        };
        if !matches!(done, Ok(Written::Done)) {
            // Whatever is left of it otherwise goes when the server's time for incomplete uploads is over.
            upload.abort().await;
        }
        done
    }
}

impl Upload<'_> {
    /// Each part is signed with its own hash; all that was hashed must be the file that was announced.
    async fn send_parts(&self, file: &FileBody, sent: &(dyn Fn(u64) + Sync)) -> Result<Vec<Part>, Error> {
        let unreadable = |source| Error::File { path: file.path.clone(), source };
        let mut source = File::open(&file.path).await.map_err(unreadable)?;
        let (mut parts, mut whole, mut left) = (Vec::new(), Context::new(&SHA256), file.size);
        while left > 0 {
            let bytes = read_part(&mut source, left, &file.path).await?;
            whole.update(&bytes);
            left -= bytes.len() as u64;
            let size = bytes.len() as u64;
            parts.push(self.send_part(parts.len() + 1, bytes).await?);
            sent(size);
        }
        match whole.finish().as_ref() == file.sha256 {
            true => Ok(parts),
            false => Err(Error::Changed(file.path.clone())),
        }
    }

    async fn send_part(&self, number: usize, bytes: Bytes) -> Result<Part, Error> {
        let body = Body::Bytes(bytes);
        let checksum = body.checksum();
        let request = Request::new("UploadPart", "PUT", self.bucket).key(self.key);
        let request = request.query("partNumber", number.to_string()).query("uploadId", &*self.id).body(body);
        let answer = self.client.send(&request).await?;
        Ok(Part { etag: answer.header("etag").to_owned(), checksum })
    }

    async fn complete(&self, put: &Put<'_>, parts: &[Part]) -> Result<Written, Error> {
        let list: String = (1..).zip(parts).map(|(number, part)| listed(number, part)).collect();
        let body = Body::Bytes(xml::document("CompleteMultipartUpload", &list).into());
        let request = Request::new("CompleteMultipartUpload", "POST", self.bucket).key(self.key);
        let mut request = put.condition.add_to(request.query("uploadId", &*self.id));
        // No checksum header: here it would be one of the object, not of the list. The list is signed.
        request.body = body;
        let answer = self.client.send(&request).await;
        // S3 may find out after its 200 that it failed.
        if let Ok(answer) = &answer
            && let Some((code, message)) = xml::error(&answer.body)
        {
            let (operation, target) = (request.operation, request.shown());
            let error = super::ServiceError { operation, target, status: answer.status, code, message };
            return Err(Error::Service(Box::new(error)));
        }
        written(answer, &Body::Empty)
    }

    async fn abort(&self) {
        let request = Request::new("AbortMultipartUpload", "DELETE", self.bucket).key(self.key);
        let _ = self.client.send(&request.query("uploadId", &*self.id)).await;
    }
}

fn listed(number: usize, part: &Part) -> String {
    let content = xml::element("PartNumber", &number.to_string())
        + &xml::element("ETag", &part.etag)
        + &xml::element("ChecksumSHA256", &part.checksum);
    format!("<Part>{content}</Part>")
}

async fn read_part(file: &mut File, left: u64, path: &Path) -> Result<Bytes, Error> {
    let length = left.min(PART_BYTES as u64) as usize;
    let mut part = Vec::with_capacity(length);
    let read = file.take(length as u64).read_to_end(&mut part).await;
    let read = read.map_err(|source| Error::File { path: path.to_owned(), source })?;
    if read < length { Err(Error::Changed(path.to_owned())) } else { Ok(part.into()) }
}
