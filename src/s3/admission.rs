//! From a head alone: what is asked, by whom, and whether the body is worth receiving.

use std::sync::Arc;

use super::Service;
use super::body::BodyPlan;
use super::error::{Code, S3Error};
use super::form::Fields;
use super::operation::{Operation, Support};
use super::permission::Permission;
use super::query::Query;
use super::target::{Level, Target};
use crate::access;
use crate::auth::{self, FormClaim, Payload};
use crate::guard::{Origin, Signing};
use crate::http::head::Head;
use crate::identity::Key;
use crate::names::AccountId;
use crate::store::bucket::Bucket;

/// How much longer a form may be than its file: fields before and after it, and the boundaries.
const FORM_BYTES: u64 = 64 * 1024;

/// The most bytes of all headers, names and values: twice what S3 takes. Policies may compare any of them.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// The methods that S3 knows.
const METHODS: [&str; 6] = ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"];

/// Who is calling, and from where.
#[derive(Debug, Clone)]
pub struct Caller {
    pub identity: Arc<access::Caller>,
    /// The key that signed; `None` for a request without signature.
    pub access_key_id: Option<Arc<str>>,
    pub signing: Option<Signing>,
    pub origin: Origin,
}

impl Caller {
    fn of(key: Key, signing: Option<Signing>, origin: Origin) -> Self {
        Self { identity: key.caller, access_key_id: Some(key.access_key_id), signing, origin }
    }

    /// Nobody, or somebody whose signature is still to come, in the fields of a form.
    pub fn anonymous(origin: Origin) -> Self {
        Self { identity: Arc::new(access::Caller::anonymous()), access_key_id: None, signing: None, origin }
    }

    /// The account that is calling; `None` for nobody.
    pub fn account(&self) -> Option<&AccountId> {
        self.identity.principal.account()
    }
}

/// A head that was found to be in order.
pub struct Admitted {
    pub operation: Operation,
    pub(super) target: Target,
    pub(super) query: Query,
    pub(super) caller: Caller,
    /// The addressed bucket; `None` where it need not exist.
    pub(super) bucket: Option<Bucket>,
    pub(super) permission: Permission,
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
    /// Verifies a head: target, operation, signature, that the bucket is there, and that the caller may do what he asks for.
    /// Never reads a body, so that `100 Continue` can wait for it.
    pub async fn admit(&self, head: &Head, origin: Origin) -> Result<Admitted, Refused> {
        let unaddressed =
            |error| Refused { operation: Operation::Unknown, bucket: None, resource: head.path.clone(), error };
        let refused = |operation, target: &Target| {
            let (bucket, resource) = (target.bucket.clone(), target.resource());
            move |error| Refused { operation, bucket, resource, error }
        };
        if head.headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > MAX_HEADER_BYTES {
            return Err(unaddressed(S3Error::new(Code::RequestHeaderSectionTooLarge)));
        }
        let target = Target::parse(head, &self.options.domains);
        let target = target.map_err(unaddressed)?;
        let query = Query::parse(&head.query).map_err(refused(Operation::Unknown, &target))?;
        let operation = Operation::find(&head.method, target.level(), &query, &head.headers);
        let (caller, payload) = match operation {
            // Who posts a form, and whether he may, is said in its fields.
            Operation::PostObject => (Caller::anonymous(origin), Payload::Unsigned),
            _ => self.authenticate(head, &target, origin).await.map_err(refused(operation, &target))?,
        };
        let body = BodyPlan::parse(head, &payload, operation).map_err(refused(operation, &target))?;
        let permission = Permission::default();
        let mut admitted = Admitted { operation, target, query, caller, bucket: None, permission, payload, body };
        match self.check(head, &mut admitted).await {
            Ok(()) => Ok(admitted),
            Err(error) => Err(refused(operation, &admitted.target)(error)),
        }
    }

    /// Verifies the signature and tells whose it is. A request without one comes from nobody in particular.
    async fn authenticate(&self, head: &Head, target: &Target, origin: Origin) -> Result<(Caller, Payload), S3Error> {
        let options = &self.options.auth;
        let Some(claim) = auth::parse(head, options)? else {
            return Ok((Caller::anonymous(origin), auth::payload_of_anonymous(head)?));
        };
        if claim.service() != "s3" {
            let message = format!(
                "The authorization header is malformed; incorrect service \"{}\". This endpoint belongs to \"s3\".",
                claim.service()
            );
            return Err(S3Error::with_message(Code::AuthorizationHeaderMalformed, message));
        }
        let key = self.key(claim.access_key_id(), claim.session_token()).await?;
        let bucket_in_host = target.bucket.as_deref().filter(|_| target.in_host);
        let now = self.clock.now();
        let payload =
            auth::verify(&claim, head, bucket_in_host, key.secret.expose(), now, options, &self.signing_keys)?;
        let signing = Some(Signing::of(&claim, now));
        Ok((Caller::of(key, signing, origin), payload))
    }

    /// As [`Self::authenticate`], for a form: gives the signed policy too. `None` is a form without a signature.
    pub(super) async fn authenticate_form(
        &self,
        fields: &Fields,
        origin: Origin,
    ) -> Result<Option<(Caller, FormClaim)>, S3Error> {
        let Some(claim) = auth::parse_form(|name| fields.get(name), &self.options.auth)? else { return Ok(None) };
        let key = self.key(claim.access_key_id(), claim.session_token()).await?;
        claim.verify(key.secret.expose(), &self.signing_keys)?;
        let signing = Signing::of_form(&claim, self.clock.now());
        Ok(Some((Caller::of(key, Some(signing), origin), claim)))
    }

    /// The key that a request says it is signed with.
    async fn key(&self, access_key_id: &str, session_token: Option<&str>) -> Result<Key, S3Error> {
        let key = self.identities.authenticate(access_key_id, session_token).await?;
        key.ok_or_else(|| S3Error::new(Code::InvalidAccessKeyId).detail("AWSAccessKeyId", access_key_id))
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
        let in_bucket = matches!(target.level(), Level::Bucket | Level::Object);
        if in_bucket && admitted.operation != Operation::CreateBucket {
            let bucket = self.store.bucket(&target.bucket_name()?).await?;
            super::expect_owner(head, "x-amz-expected-bucket-owner", &bucket.record.account)?;
            admitted.bucket = Some(bucket);
        }
        admitted.permission = self.permit(head, admitted).await?;
        match admitted.operation {
            Operation::PutObject | Operation::UploadPart => {
                let length = admitted.body.announced_length()?;
                Ok(self.store.check_room(length, self.put_limit()).await?)
            }
            Operation::PostObject => {
                let length = admitted.body.announced_length()?;
                Ok(self.store.check_room(length, self.put_limit() + FORM_BYTES).await?)
            }
            _ => Ok(()),
        }
    }
}
