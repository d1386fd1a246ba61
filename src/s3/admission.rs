//! From a head alone: what is asked, by whom, and whether the body is worth receiving.

use std::sync::Arc;

use super::Service;
use super::body::BodyPlan;
use super::error::{Code, S3Error};
use super::operation::{Operation, Support};
use super::query::Query;
use super::target::{Level, Target};
use crate::auth::{self, Payload};
use crate::http::head::Head;
use crate::names::AccountId;
use crate::store::bucket::Bucket;

/// The methods that S3 knows.
const METHODS: [&str; 6] = ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"];

/// Who is calling.
#[derive(Debug, Clone)]
pub struct Caller {
    pub access_key_id: Arc<str>,
    pub account: AccountId,
}

/// A head that was found to be in order.
pub struct Admitted {
    pub operation: Operation,
    pub(super) target: Target,
    pub(super) query: Query,
    pub(super) caller: Caller,
    /// The addressed bucket, if the caller may use it; `None` where it need not exist.
    pub(super) bucket: Option<Bucket>,
    pub(super) payload: Payload,
    pub(super) body: BodyPlan,
}

/// A head that was refused, with what is known of it for the log and the error document.
pub struct Refused {
    pub operation: Operation,
    pub bucket: Option<String>,
    pub resource: String,
    pub error: S3Error,
}

impl Service {
    /// Verifies a head: target, operation, signature, and that the bucket is there and the caller's. Never reads a body,
    /// so that `100 Continue` can wait for it.
    pub async fn admit(&self, head: &Head) -> Result<Admitted, Refused> {
        let unaddressed =
            |error| Refused { operation: Operation::Unknown, bucket: None, resource: head.path.clone(), error };
        let refused = |operation, target: &Target| {
            let (bucket, resource) = (target.bucket.clone(), target.resource());
            move |error| Refused { operation, bucket, resource, error }
        };
        let target = Target::parse(head, &self.options.domains);
        let target = target.map_err(unaddressed)?;
        let query = Query::parse(&head.query).map_err(refused(Operation::Unknown, &target))?;
        let operation = Operation::find(&head.method, target.level(), &query, &head.headers);
        let (caller, payload) = self.authenticate(head, &target).await.map_err(refused(operation, &target))?;
        let body = BodyPlan::parse(head, &payload, operation).map_err(refused(operation, &target))?;
        let mut admitted = Admitted { operation, target, query, caller, bucket: None, payload, body };
        match self.check(head, &mut admitted).await {
            Ok(()) => Ok(admitted),
            Err(error) => Err(refused(operation, &admitted.target)(error)),
        }
    }

    /// Verifies the signature and tells whose it is. Requests without one are refused: nothing is public yet.
    async fn authenticate(&self, head: &Head, target: &Target) -> Result<(Caller, Payload), S3Error> {
        let options = &self.options.auth;
        let Some(claim) = auth::parse(head, options)? else {
            return Err(match head.method.as_str() {
                "OPTIONS" => {
                    S3Error::with_message(Code::AccessForbidden, "CORSResponse: CORS is not enabled for this bucket.")
                }
                _ => S3Error::new(Code::AccessDenied),
            });
        };
        if claim.service() != "s3" {
            let message = format!(
                "The authorization header is malformed; incorrect service \"{}\". This endpoint belongs to \"s3\".",
                claim.service()
            );
            return Err(S3Error::with_message(Code::AuthorizationHeaderMalformed, message));
        }
        let key = self.identities.authenticate(claim.access_key_id(), claim.session_token()).await?;
        let key =
            key.ok_or_else(|| S3Error::new(Code::InvalidAccessKeyId).detail("AWSAccessKeyId", claim.access_key_id()))?;
        let bucket_in_host = target.bucket.as_deref().filter(|_| target.in_host);
        let now = self.clock.now();
        let payload =
            auth::verify(&claim, head, bucket_in_host, key.secret.expose(), now, options, &self.signing_keys)?;
        Ok((Caller { access_key_id: key.access_key_id.clone(), account: key.account.id.clone() }, payload))
    }

    /// What can be said against the request before its body; finds the bucket.
    async fn check(&self, head: &Head, admitted: &mut Admitted) -> Result<(), S3Error> {
        if admitted.operation.support() == Support::NotImplemented {
            if !METHODS.contains(&head.method.as_str()) {
                return Err(S3Error::new(Code::MethodNotAllowed).detail("Method", head.method.as_str()));
            }
            let message = "This operation is not implemented. docs/operations.md lists those that are.";
            return Err(S3Error::with_message(Code::NotImplemented, message));
        }
        super::metadata::refuse_unsupported(&head.headers)?;
        let target = &admitted.target;
        if target.level() == Level::Object {
            target.object_key()?;
        }
        if target.level() != Level::Service && admitted.operation != Operation::CreateBucket {
            let bucket = self.bucket_named(&target.bucket_name()?, &admitted.caller).await?;
            super::expect_owner(head, "x-amz-expected-bucket-owner", &bucket.record.account)?;
            admitted.bucket = Some(bucket);
        }
        match admitted.operation {
            Operation::PutObject | Operation::UploadPart => {
                let length = admitted.body.announced_length()?;
                Ok(self.store.check_room(length, self.put_limit()).await?)
            }
            _ => Ok(()),
        }
    }
}
