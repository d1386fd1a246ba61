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
use super::{Request, Service, serve};
use crate::telemetry::RequestId;

/// How long a result may take before the answer begins without it.
const SOON: Duration = Duration::from_secs(5);
/// How often white space is sent after that.
const BEAT: Duration = Duration::from_secs(5);

/// What is still needed of a request when an error comes too late for a status.
pub struct Late {
    resource: String,
    id: RequestId,
    host_id: String,
}

impl Late {
    pub fn of(request: &Request, service: &Service) -> Self {
        Self { resource: request.target.resource(), id: request.id, host_id: service.host_id.as_str().to_owned() }
    }

    fn document(&self, error: &S3Error) -> Vec<u8> {
        serve::log_cause(error, self.id.as_str());
        error.body(&self.resource, self.id.as_str(), &self.host_id)
    }
}

/// Answers with what `work` comes to.
pub async fn answer(
    late: Late,
    work: impl Future<Output = Result<Answer, S3Error>> + 'static,
) -> Result<Answer, S3Error> {
    answer_within(SOON, late, work).await
}

async fn answer_within(
    soon: Duration,
    late: Late,
    work: impl Future<Output = Result<Answer, S3Error>> + 'static,
) -> Result<Answer, S3Error> {
    let mut work = Box::pin(work);
    if let Ok(result) = tokio::time::timeout(soon, work.as_mut()).await {
        return result;
    }
    let document = async move {
        match work.await {
            Ok(Answer { body: Body::Bytes(document), .. }) => document,
            Ok(_) => Vec::new(),
            Err(error) => late.document(&error),
        }
    };
    let body = Body::Slow(Box::pin(document));
    Ok(Answer::ok().header("content-type", "application/xml").body(body))
}

/// The declaration, white space while it takes, then the rest of the document.
pub fn stream(document: Pin<Box<dyn Future<Output = Vec<u8>>>>) -> impl Stream<Item = Result<Bytes, std::io::Error>> {
    stream_with(BEAT, document)
}

fn stream_with(
    beat: Duration,
    document: Pin<Box<dyn Future<Output = Vec<u8>>>>,
) -> impl Stream<Item = Result<Bytes, std::io::Error>> {
    let declared = stream::once(async { Ok(Bytes::from_static(DECLARATION.as_bytes())) });
    let rest = stream::unfold(Some(document), move |waiting| async move {
        let mut document = waiting?;
        match tokio::time::timeout(beat, document.as_mut()).await {
            Err(_) => Some((Ok(Bytes::from_static(b" ")), Some(document))),
            Ok(bytes) => {
                let rest = bytes.strip_prefix(DECLARATION.as_bytes()).unwrap_or(&bytes);
                Some((Ok(Bytes::copy_from_slice(rest)), None))
            }
        }
    });
    futures_util::StreamExt::chain(declared, rest)
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;
    use crate::s3::error::Code;
    use crate::s3::xml::write::Writer;

    const BRIEF: Duration = Duration::from_millis(5);

    fn late() -> Late {
        Late { resource: "/b/k".to_owned(), id: RequestId::new(), host_id: "host".to_owned() }
    }

    /// The whole body of the answer to work that takes longer than an answer may wait for it.
    async fn late_answer(result: Result<Answer, Code>) -> String {
        let work = async move {
            tokio::time::sleep(BRIEF * 5).await;
            result.map_err(S3Error::new)
        };
        let answer = answer_within(BRIEF, late(), work).await.unwrap();
        assert_eq!(answer.status, 200);
        let Body::Slow(document) = answer.body else { panic!("an answer that waited") };
        let pieces: Vec<Bytes> = stream_with(BRIEF, document).map(|piece| piece.unwrap()).collect().await;
        String::from_utf8(pieces.concat()).unwrap()
    }

    #[tokio::test]
    async fn a_result_that_comes_soon_is_an_ordinary_answer() {
        let refused = answer(late(), async { Err(S3Error::new(Code::NoSuchKey)) }).await;
        assert_eq!(refused.err().unwrap().code, Code::NoSuchKey);
        let done = answer(late(), async { Ok(Answer::xml(Writer::new("Done"))) }).await.unwrap();
        assert!(matches!(done.body, Body::Bytes(_)));
    }

    #[tokio::test]
    async fn a_late_result_is_one_document_with_white_space_before_it() {
        let body = late_answer(Ok(Answer::xml(Writer::new("Done")))).await;
        let rest = body.strip_prefix(DECLARATION).unwrap();
        assert!(rest.starts_with(" ") && rest.trim_start().starts_with("<Done "), "{body}");
        assert!(rest.ends_with("</Done>"), "{body}");
    }

    #[tokio::test]
    async fn a_late_error_is_told_in_the_document() {
        let body = late_answer(Err(Code::InternalError)).await;
        assert!(
            body.contains("<Error><Code>InternalError</Code>") && body.contains("<Resource>/b/k</Resource>"),
            "{body}"
        );
    }
}
