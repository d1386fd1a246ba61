//! PostObject: a form that a browser sends.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>

use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::access::Arn;
use crate::names::ObjectKey;
use crate::s3::answer::{Answer, Body};
use crate::s3::body::{RequestBody, content_md5};
use crate::s3::error::{Code, S3Error};
use crate::s3::form::{Fields, FormParser, LengthRange, Policy, Step};
use crate::s3::permission::{names_tags, of_written};
use crate::s3::tags::{self, Tagged, Tags};
use crate::s3::xml::write::Writer;
use crate::s3::{Request, Service, checksum, metadata, precondition, target};
use crate::store::digest::{Announced, DigestPlan};
use crate::store::put::{PutObject, Stored};
use crate::store::staging::{Incoming, Staged};

/// How much of a body is still received behind what counts, so that its sender reads the answer rather than an error.
const MAX_IGNORED: u64 = 1024 * 1024;
/// What is kept as it is in the path of a location, and in the parameters of a redirect.
const PATH: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
const PARAMETER: AsciiSet = PATH.add(b'/');

/// A form whose fields were read and found to be in order.
struct Post {
    put: PutObject,
    length: LengthRange,
    digests: DigestPlan,
    announced: Announced,
    success: Success,
}

/// What the client wants to hear.
enum Success {
    NoContent,
    Empty,
    Document,
    /// To be sent on to this address.
    Redirect(String),
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>
pub async fn post_object(cx: &Arc<Service>, request: &mut Request) -> Result<Answer, S3Error> {
    let mut form = FormParser::new(form_type(request)?)?;
    let (fields, file_name) = receive_fields(&mut form, &mut request.body).await?;
    let post = parse(cx, request, &fields, &file_name).await?;
    let staged = stage(cx, &mut form, &mut request.body, &post).await?;
    ignore_rest(&mut request.body).await?;
    let (key, success) = (post.put.key.clone(), post.success);
    let stored = cx.store.put_object(post.put, staged).await?;
    answer(request, &key, success, &stored)
}

/// The content type of a form, or what S3 answers where it is none.
fn form_type(request: &Request) -> Result<&str, S3Error> {
    let given = request.head.headers.text("content-type")?.unwrap_or_default();
    let media_type = given.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("multipart/form-data") {
        return Ok(given);
    }
    let condition = "Bucket POST must be of the enclosure-type multipart/form-data";
    Err(S3Error::new(Code::PreconditionFailed).detail("Condition", condition))
}

async fn receive_fields(form: &mut FormParser, body: &mut RequestBody) -> Result<(Fields, String), S3Error> {
    loop {
        match form.next()? {
            Step::Hungry => feed(form, body).await?,
            Step::File { fields, name } => return Ok((fields, name)),
            Step::Data(_) | Step::Done => return Err(S3Error::new(Code::MalformedPOSTRequest)),
        }
    }
}

async fn feed(form: &mut FormParser, body: &mut RequestBody) -> Result<(), S3Error> {
    match body.next().await? {
        Some(bytes) => form.push(bytes),
        None => form.end(),
    }
    Ok(())
}

/// Reads what the fields say, and makes sure that whoever signed them may have the object put.
///
/// From here on the request is the PutObject that would store the same: the fields are its headers, their signer its caller.
async fn parse(cx: &Service, request: &mut Request, fields: &Fields, file_name: &str) -> Result<Post, S3Error> {
    let bucket = request.bucket()?;
    let key = fields.key(file_name)?;
    let length = authenticate(cx, request, fields, &key).await?;
    let key: ObjectKey = target::parse_key(key.into_bytes())?;
    request.head.headers = fields.headers(&request.head.headers)?;
    let headers = &request.head.headers;
    metadata::refuse_unsupported(headers)?;
    let mut kept = metadata::parse(headers, &key)?;
    if let Some(document) = fields.get("tagging").filter(|document| !document.is_empty()) {
        kept.tags = tags::in_document(document.as_bytes(), Tagged::Object)?;
    }
    permit(cx, request, &key, &kept.tags)?;
    let written = request.written(cx)?;
    let claimed = checksum::claimed(headers, &[])?;
    let wanted = checksum::wanted(headers)?.map(|(algorithm, _)| algorithm);
    Ok(Post {
        put: PutObject {
            metadata: kept,
            storage_class: metadata::storage_class(headers)?.unwrap_or_default(),
            acl: written.acl(),
            owner: written.owner,
            precondition: precondition::parse(headers)?,
            by_form: true,
            cause: request.cause(),
            bucket,
            key,
        },
        length,
        digests: DigestPlan { sha256: false, checksum: claimed.algorithm.or(wanted) },
        announced: Announced { md5: content_md5(headers)?, sha256: None, checksum: claimed.value },
        success: Success::parse(fields),
    })
}

/// Holds the form to its policy and makes its signer the request's caller. Gives what the policy says of the file's length.
async fn authenticate(cx: &Service, request: &mut Request, fields: &Fields, key: &str) -> Result<LengthRange, S3Error> {
    let bucket = request.bucket()?;
    let Some((caller, claim)) = cx.authenticate_form(fields, request.caller.origin).await? else {
        // A policy that nobody signed is nobody's word.
        return if fields.get("policy").is_some() {
            Err(S3Error::new(Code::AccessDenied))
        } else {
            Ok(LengthRange::ANY)
        };
    };
    let policy = Policy::parse(claim.policy())?;
    policy.check(fields, bucket.record.name.as_str(), key, cx.clock.now())?;
    request.caller = caller;
    Ok(policy.length())
}

/// Judges the form as a PutObject with its fields as headers.
fn permit(cx: &Service, request: &Request, key: &ObjectKey, tags: &Tags) -> Result<(), S3Error> {
    let judge = request.judge(cx)?;
    let resource = Arn::object(&judge.bucket.record.name, key.as_str());
    let mut actions: Vec<_> = ["s3:PutObject"].into_iter().chain(of_written(&request.head.headers)).collect();
    if names_tags(&request.head.headers) {
        // Whether a tag is the object's is only for who may read it: forms have no way to ask that of what is stored.
        return Err(S3Error::header_not_implemented("If-Match"));
    }
    if !tags.is_empty() && !actions.contains(&"s3:PutObjectTagging") {
        actions.push("s3:PutObjectTagging");
    }
    actions.into_iter().try_for_each(|action| judge.permit_with_tags(action, &resource, tags))
}

/// Takes the file into the store's staging area, within its bounds.
async fn stage(
    cx: &Arc<Service>,
    form: &mut FormParser,
    body: &mut RequestBody,
    post: &Post,
) -> Result<Staged, S3Error> {
    // An upper bound, for the room that it may need: the file is what is left, but for a boundary and what is ignored.
    let left = body.announced_length()?.saturating_sub(body.received()).min(cx.put_limit());
    let mut writer = cx.store.stage(Incoming { length: Some(left), digests: post.digests }, cx.put_limit()).await?;
    let mut size = 0;
    loop {
        match form.next()? {
            Step::Hungry => feed(form, body).await?,
            Step::Data(bytes) => {
                size += bytes.len() as u64;
                if size > post.length.most {
                    size += rest_of_file(form, body).await?;
                    post.length.check(size, false)?;
                }
                writer.write(bytes).await?;
            }
            Step::Done => break,
            Step::File { .. } => return Err(S3Error::new(Code::MalformedPOSTRequest)),
        }
    }
    post.length.check(size, true)?;
    Ok(writer.finish(&post.announced).await?)
}

/// Receives more of a file that is too large already, to tell by how much: but not for long.
async fn rest_of_file(form: &mut FormParser, body: &mut RequestBody) -> Result<u64, S3Error> {
    let mut size = 0;
    while size <= MAX_IGNORED {
        match form.next()? {
            Step::Hungry => feed(form, body).await?,
            Step::Data(bytes) => size += bytes.len() as u64,
            Step::Done | Step::File { .. } => break,
        }
    }
    Ok(size)
}

/// Receives what follows the file, which counts for nothing.
async fn ignore_rest(body: &mut RequestBody) -> Result<(), S3Error> {
    let mut ignored = 0;
    while let Some(bytes) = body.next().await? {
        ignored += bytes.len() as u64;
        if ignored > MAX_IGNORED {
            return Err(S3Error::new(Code::MalformedPOSTRequest));
        }
    }
    Ok(())
}

fn answer(request: &Request, key: &ObjectKey, success: Success, stored: &Stored) -> Result<Answer, S3Error> {
    let (bucket, key) = (request.target.bucket.as_deref().unwrap_or_default(), key.as_str());
    let etag = stored.record.summary.etag.quoted();
    let location = location(request, key)?;
    let answer = match success {
        Success::NoContent => Answer::no_content().header("location", location),
        Success::Empty => Answer::ok().header("location", location).body(Body::Bytes(Vec::new())),
        Success::Document => {
            let mut document = Writer::with_attributes("PostResponse", &[]);
            document.text("Location", &location).text("Bucket", bucket).text("Key", key).text("ETag", &etag);
            let mut answer = Answer::xml(document).header("location", location);
            answer.status = 201;
            answer
        }
        Success::Redirect(to) => Answer::new(303).header("location", redirect(&to, bucket, key, &etag)),
    };
    let answer = answer.etag(&stored.record.summary.etag).checksum(&stored.record.shown_checksum());
    Ok(answer.version(stored.version).position(stored.position))
}

/// Where the new object is, addressed as the form was.
fn location(request: &Request, key: &str) -> Result<String, S3Error> {
    let host = request.head.headers.text("host")?.unwrap_or_default();
    let bucket = request.target.bucket.as_deref().filter(|_| !request.target.in_host);
    let bucket = bucket.map(|bucket| format!("/{bucket}")).unwrap_or_default();
    Ok(format!("http://{host}{bucket}/{}", utf8_percent_encode(key, &PATH)))
}

/// The address with what was stored added to its query.
fn redirect(to: &str, bucket: &str, key: &str, etag: &str) -> String {
    let (address, fragment) = to.split_once('#').map_or((to, None), |(address, fragment)| (address, Some(fragment)));
    let encode = |text| utf8_percent_encode(text, &PARAMETER);
    let separator = if address.contains('?') { '&' } else { '?' };
    let query = format!("bucket={}&key={}&etag={}", encode(bucket), encode(key), encode(etag));
    let fragment = fragment.map(|fragment| format!("#{fragment}")).unwrap_or_default();
    format!("{address}{separator}{query}{fragment}")
}

impl Success {
    /// What S3 does not understand it takes for not given: an address that is none, and any other status.
    fn parse(fields: &Fields) -> Self {
        let redirect = ["success_action_redirect", "redirect"].into_iter().find_map(|name| fields.get(name));
        if let Some(address) = redirect.filter(|address| is_address(address)) {
            return Self::Redirect(address.to_owned());
        }
        match fields.get("success_action_status") {
            Some("200") => Self::Empty,
            Some("201") => Self::Document,
            _ => Self::NoContent,
        }
    }
}

/// Whether a browser can be sent there: an absolute address, of characters that a header may have.
fn is_address(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
        && !rest.starts_with(['/', '?', '#'])
        && !rest.is_empty()
        && rest.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_carry_what_was_stored() {
        for (to, expected) in [
            ("http://a/b", "http://a/b?bucket=b&key=k%2F1%20%C3%A9&etag=%22e%22"),
            ("https://a/?x=1", "https://a/?x=1&bucket=b&key=k%2F1%20%C3%A9&etag=%22e%22"),
            ("http://a#f", "http://a?bucket=b&key=k%2F1%20%C3%A9&etag=%22e%22#f"),
        ] {
            assert_eq!(redirect(to, "b", "k/1 é", "\"e\""), expected);
        }
    }

    #[test]
    fn only_absolute_addresses_are_redirected_to() {
        for address in ["http://a", "https://a.example/b?c=d", "HTTP://A/"] {
            assert!(is_address(address), "{address}");
        }
        for address in [
            "",
            "/path",
            "javascript:alert(1)",
            "http://a/\r\nset-cookie: b",
            "http://a b",
            "ftp://a",
            "http:/",
            "http:///a",
            "http://",
            "é",
        ] {
            assert!(!is_address(address), "{address}");
        }
    }
}
