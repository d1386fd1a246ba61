//! Operations that may take longer than clients wait in silence.
//!
//! A result that comes soon is an ordinary answer with its own status. Otherwise the answer begins as a 200, white space
//! keeps the connection warm, and the document, a result or an `Error`, comes when it is there, as S3 does it.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream;

use super::answer::{Answer, Body};
use super::error::S3Error;
use super::xml::write::DECLARATION;

/// How long a result may take before the answer begins without it.
const SOON: Duration = Duration::from_secs(5);
/// How often white space is sent after that.
const BEAT: Duration = Duration::from_secs(5);

/// Answers with what `work` comes to; `error_document` writes the document of an error that came too late for a status.
pub async fn answer(
    work: impl Future<Output = Result<Answer, S3Error>> + 'static,
    error_document: impl FnOnce(&S3Error) -> Vec<u8> + 'static,
) -> Result<Answer, S3Error> {
    let mut work = Box::pin(work);
    if let Ok(result) = tokio::time::timeout(SOON, work.as_mut()).await {
        return result;
    }
    let document = async move {
        match work.await {
            Ok(Answer { body: Body::Bytes(document), .. }) => document,
            Ok(_) => Vec::new(),
            Err(error) => {
                tracing::warn!(%error, "failed after the answer had begun");
                error_document(&error)
            }
        }
    };
    let body = Body::Slow(Box::pin(document));
    Ok(Answer::ok().header("content-type", "application/xml").body(body))
}

/// The declaration, white space while it takes, then the rest of the document.
pub fn stream(document: Pin<Box<dyn Future<Output = Vec<u8>>>>) -> impl Stream<Item = Result<Bytes, std::io::Error>> {
    let declared = stream::once(async { Ok(Bytes::from_static(DECLARATION.as_bytes())) });
    let rest = stream::unfold(Some(document), |waiting| async move {
        let mut document = waiting?;
        match tokio::time::timeout(BEAT, document.as_mut()).await {
            Err(_) => Some((Ok(Bytes::from_static(b" ")), Some(document))),
            Ok(bytes) => {
                let rest = bytes.strip_prefix(DECLARATION.as_bytes()).unwrap_or(&bytes);
                Some((Ok(Bytes::copy_from_slice(rest)), None))
            }
        }
    });
    futures_util::StreamExt::chain(declared, rest)
}
