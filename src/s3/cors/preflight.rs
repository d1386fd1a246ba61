//! `OPTIONS`: what a browser asks before it sends what a form could not send. Browsers do not sign it.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTOPTIONSobject.html>

use super::{CrossOrigin, Crossing, found, origin_of};
use crate::http::head::Head;
use crate::s3::Service;
use crate::s3::admission::Refused;
use crate::s3::answer::Answer;
use crate::s3::error::{Code, S3Error};
use crate::s3::operation::Operation;
use crate::s3::target::{Level, Target};

impl Service {
    /// Answers a preflight request. Gives the bucket's name for the log besides.
    pub(in crate::s3) async fn preflight(&self, head: &Head) -> Result<(Answer, Option<String>), Refused> {
        let refused = |bucket: Option<String>, resource: String, error| Refused {
            operation: Operation::Preflight,
            bucket,
            resource,
            error,
        };
        let target = Target::parse(head, &self.options.domains);
        let target = target.map_err(|error| refused(None, head.path.clone(), error))?;
        match self.judge(head, &target).await {
            Ok(answer) => Ok((answer, target.bucket)),
            Err(error) => Err(refused(target.bucket.clone(), target.resource(), error)),
        }
    }

    async fn judge(&self, head: &Head, target: &Target) -> Result<Answer, S3Error> {
        let bad_request = |message: &'static str| S3Error::with_message(Code::BadRequest, message);
        if origin_of(head).is_none() {
            return Err(bad_request("Insufficient information. Origin request header needed."));
        }
        let forbidden = |message: &'static str, resource: &'static str| {
            let method = head.headers.text("access-control-request-method").ok().flatten();
            S3Error::with_message(Code::AccessForbidden, message)
                .detail("Method", method.unwrap_or("OPTIONS"))
                .detail("ResourceType", resource)
        };
        let Some(bucket) = found(self, target.bucket_name().ok()).await? else {
            return Err(forbidden("CORSResponse: Bucket not found", "BUCKET"));
        };
        let Some(rules) = self.rules_of(&bucket).await? else {
            return Err(forbidden("CORSResponse: CORS is not enabled for this bucket.", "BUCKET"));
        };
        if !head.headers.contains("access-control-request-method") {
            return Err(bad_request("Invalid Access-Control-Request-Method: null"));
        }
        match Crossing::of(head).filter(|crossing| rules.find(crossing).is_some()) {
            Some(crossing) => {
                let headers = CrossOrigin::new(&rules, &crossing);
                Ok(headers.headers().fold(Answer::ok(), |answer, (name, value)| answer.header(name, value)))
            }
            None => {
                let resource = if target.level() == Level::Object { "OBJECT" } else { "BUCKET" };
                Err(forbidden(Code::AccessForbidden.message(), resource))
            }
        }
    }
}
