//! What should cost the same whatever the object's size: copies, renames, completions.

use bytes::Bytes;

use super::{body, small};
use crate::client::Request;
use crate::drive::{self, Load, Measured};
use crate::options::Options;
use crate::servers::{BUCKET, Site};

const PARTS: usize = 16;
/// How many uploads are completed.
const UPLOADS: usize = 4;
/// The smallest part that S3 takes, other than the last.
const SMALLEST_PART: usize = 5 << 20;

/// Copies one object to fresh keys.
pub fn copy(site: &Site, options: &Options, length: usize) -> Measured {
    let source = prepare(site, length);
    let copy = |number| {
        let headers = [("x-amz-copy-source", format!("/{BUCKET}/{source}"))];
        put_with(site, &format!("copy-{length}/{number:06}"), &headers)
    };
    drive::measure(site, Load::once(1, (0..options.at_most(3000)).map(copy).collect()), options.measured)
}

/// Renames one object over and over.
pub fn rename(site: &Site, options: &Options, length: usize) -> Measured {
    let mut name = prepare(site, length);
    let renames = (0..options.at_most(3000)).map(|number| {
        let renamed = format!("renamed-{length}/{number:06}");
        let headers = [("x-amz-rename-source", std::mem::replace(&mut name, renamed.clone()))];
        put_with(site, &format!("{renamed}?renameObject="), &headers)
    });
    drive::measure(site, Load::once(1, renames.collect()), options.measured)
}

/// Completes uploads of 16 parts.
pub fn complete(site: &Site, part: usize) -> Measured {
    let completions = (0..UPLOADS).map(|number| upload(site, &format!("parts-{part}/{number}"), part));
    let completions = completions.collect();
    // The parts are durable; the disk is still busy with what the file system does on its own account.
    rustix::fs::sync();
    drive::measure_all(site, 1, completions)
}

/// Puts an object of this length, in parts where it is large, and gives its key.
fn prepare(site: &Site, length: usize) -> String {
    let key = format!("source-{length}/000000");
    match length < PARTS * SMALLEST_PART {
        true => drive::send_all(site, 1, small::puts(site, &format!("source-{length}"), length, 1)),
        false => drive::send_all(site, 1, vec![upload(site, &key, length / PARTS)]),
    }
    key
}

/// Uploads 16 parts, and gives the request that completes them.
fn upload(site: &Site, key: &str, part: usize) -> Request {
    let begin = site.presigned("POST", &format!("{key}?uploads="), Bytes::new());
    let id = drive::exchange(site, &begin).element("UploadId").expect("an upload id");
    let body = body(part);
    let parts = (1..=PARTS).map(|number| {
        let target = format!("{key}?partNumber={number}&uploadId={id}");
        let answer = drive::exchange(site, &site.presigned("PUT", &target, body.clone()));
        let tag = answer.header("etag").expect("the part's tag");
        format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>")
    });
    let document = format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", parts.collect::<String>());
    site.presigned("POST", &format!("{key}?uploadId={id}"), Bytes::from(document))
}

fn put_with(site: &Site, key: &str, headers: &[(&str, String)]) -> Request {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    site.signer.presigned("PUT", &format!("/{BUCKET}/{key}"), &headers, Bytes::new())
}
