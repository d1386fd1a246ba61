//! May the caller do what the request asks for: which actions that needs, and what the guard says to them.
//!
//! Everything that a head decides is decided before the body is received. Where a stored object has a say (its list, its
//! owner, its tags), what was judged is remembered, and an operation that finds another object in its
//! place judges that, or leaves it alone.

mod needs;
mod source;
mod written;

use std::sync::Arc;

pub use needs::{names_tag, names_tags, of_written};
pub use source::SourceJudge;

use super::admission::{Admitted, Caller};
use super::error::{Code, S3Error};
use super::operation::Operation;
use super::query::Query;
use super::target::Level;
use super::{Request, Service, tags};
use crate::access::{self, Arn, Context, Decision, ObjectRules, Ownership, Principal, Rules};
use crate::guard::{self, BucketRules, Question};
use crate::http::head::Head;
use crate::names::{ObjectKey, VersionId};
use crate::store;
use crate::store::bucket::Bucket;
use crate::store::record::ObjectRecord;

/// What an admitted request was allowed, and what is still to be judged.
#[derive(Debug, Clone, Default)]
pub struct Permission {
    /// The addressed bucket's rules.
    pub rules: Option<Arc<BucketRules>>,
    /// Actions that the stored object has a say in.
    pending: Vec<&'static str>,
    /// Whether they may be done where no object is stored.
    may_be_missing: bool,
    /// The object by which they were judged.
    judged: Option<ObjectRecord>,
}

/// Judges what one request asks of one bucket.
pub struct Judge<'r> {
    service: &'r Service,
    caller: &'r Caller,
    head: &'r Head,
    query: &'r Query,
    /// The version that is asked for, where one is named.
    version: Option<&'r str>,
    pub bucket: &'r Bucket,
    pub rules: &'r BucketRules,
}

impl Service {
    /// Judges everything that the head decides.
    pub(super) async fn permit(&self, head: &Head, admitted: &Admitted) -> Result<Permission, S3Error> {
        let actions = needs::actions(admitted.operation, &admitted.query, &head.headers);
        let Some(bucket) = &admitted.bucket else {
            self.permit_without_bucket(head, admitted, &actions)?;
            return Ok(Permission::default());
        };
        let rules = self.guard.rules_of(bucket).await?;
        let (caller, query) = (&admitted.caller, &admitted.query);
        let version = query.get("versionId");
        let judge = Judge { service: self, caller, head, query, version, bucket, rules: &rules };
        let resource = match admitted.target.level() {
            Level::Object => Arn::object(&bucket.record.name, admitted.target.object_key()?.as_str()),
            Level::Bucket | Level::Service | Level::Account => Arn::bucket(&bucket.record.name),
        };
        let asks_object = rules.ask_object(&admitted.caller.identity);
        let mut pending = Vec::new();
        for action in actions {
            if asks_object && needs::reads_object(admitted.operation, action) {
                pending.push(action);
            } else {
                judge.permit(action, &resource)?;
            }
        }
        let may_be_missing = needs::writes_conditionally(admitted.operation);
        Ok(Permission { rules: Some(rules), pending, may_be_missing, judged: None })
    }

    /// ListBuckets, CreateBucket and settings of accounts: what they are for belongs to the caller's own account.
    fn permit_without_bucket(&self, head: &Head, admitted: &Admitted, actions: &[&str]) -> Result<(), S3Error> {
        let Some(account) = admitted.caller.account() else { return Err(S3Error::new(Code::AccessDenied)) };
        if admitted.target.account.as_deref().is_some_and(|named| named != account.as_str()) {
            return Err(S3Error::new(Code::AccessDenied));
        }
        let resource = match admitted.operation {
            Operation::CreateBucket => Arn::bucket(&admitted.target.bucket_name()?),
            _ => Arn::all_buckets(),
        };
        let tags = tags::in_header(&head.headers)?;
        let context = facts(self, head, &admitted.query, &admitted.caller, &tags);
        for action in actions {
            let rules = Rules::of_account(account);
            let decision = access::decide(&admitted.caller.identity, action, &resource, &context, &rules);
            permitted(&admitted.caller, true, action, &resource, decision)?;
        }
        Ok(())
    }
}

impl Request {
    /// Judges what the request asks of the bucket that it addresses.
    pub fn judge<'r>(&'r self, cx: &'r Service) -> Result<Judge<'r>, S3Error> {
        match (&self.bucket, &self.permission.rules) {
            (Some(bucket), Some(rules)) => {
                let (caller, head, query) = (&self.caller, &self.head, &self.query);
                Ok(Judge { service: cx, caller, head, query, version: query.get("versionId"), bucket, rules })
            }
            _ => Err(S3Error::new(Code::AccessDenied)),
        }
    }

    /// Judges what else CreateBucket asks for, once its body is read.
    pub fn permit_new_bucket(&self, cx: &Service, action: &str) -> Result<(), S3Error> {
        let Some(account) = self.caller.account() else { return Err(S3Error::new(Code::AccessDenied)) };
        let resource = Arn::bucket(&self.target.bucket_name()?);
        let context = facts(cx, &self.head, &self.query, &self.caller, &[]);
        let rules = Rules::of_account(account);
        let decision = access::decide(&self.caller.identity, action, &resource, &context, &rules);
        permitted(&self.caller, true, action, &resource, decision)
    }

    /// Judges what the stored object has a say in. Comes before the operation, which then reads the row that was judged,
    /// or judges again ([`Self::recheck`]).
    pub async fn permit_stored(&mut self, cx: &Service) -> Result<(), S3Error> {
        if self.permission.pending.is_empty() {
            return Ok(());
        }
        let (bucket, key) = self.object()?;
        let version = self.version()?;
        if self.permission.may_be_missing {
            return self.judge(cx)?.permit_key(&key, version.as_ref(), &self.permission.pending).await;
        }
        let row = cx.store.object_version(&bucket, &key, version.as_ref()).await?;
        self.permit_record(cx, &key, &row.record)?;
        self.permission.judged = Some(row.record);
        Ok(())
    }

    /// Judges again where what an operation read is not what was judged: the object was replaced meanwhile.
    pub fn recheck(&self, cx: &Service, key: &ObjectKey, record: &ObjectRecord) -> Result<(), S3Error> {
        match &self.permission.judged {
            Some(judged) if judged != record => self.permit_record(cx, key, record),
            _ => Ok(()),
        }
    }

    /// The stored object by which the request was judged, if it had a say.
    pub fn judged(&self) -> Option<&ObjectRecord> {
        self.permission.judged.as_ref()
    }

    /// What an annotation has to find: the object that was judged, where what is stored has a say.
    pub fn judged_record<'r>(&self, record: &'r ObjectRecord) -> Option<&'r ObjectRecord> {
        let rules = self.permission.rules.as_ref();
        rules.is_some_and(|rules| rules.ask_object(&self.caller.identity)).then_some(record)
    }

    fn permit_record(&self, cx: &Service, key: &ObjectKey, record: &ObjectRecord) -> Result<(), S3Error> {
        let judge = self.judge(cx)?;
        let resource = Arn::object(&judge.bucket.record.name, key.as_str());
        self.permission.pending.iter().try_for_each(|action| judge.permit_stored(action, &resource, record))
    }

    /// What a missing object is called to this caller: only who may list the bucket is told that it is missing. Of the
    /// source of a copy, [`SourceJudge::veil`] has decided that already.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>
    pub fn veil(&self, cx: &Service, error: S3Error) -> S3Error {
        let missing = matches!(error.code, Code::NoSuchKey | Code::NoSuchVersion)
            || (error.code == Code::MethodNotAllowed && self.target.level() == Level::Object);
        let of_source = self.head.headers.contains("x-amz-copy-source");
        match missing && !of_source && self.target.level() == Level::Object {
            true => self.judge(cx).and_then(|judge| judge.permit_list()).err().unwrap_or(error),
            false => error,
        }
    }
}

impl<'r> Judge<'r> {
    /// The same, for a question about this version.
    pub fn of_version(&self, version: Option<&'r str>) -> Self {
        Self { version, ..*self }
    }

    /// Fails unless the caller may list the bucket, as the condition for being told what is not there.
    fn permit_list(&self) -> Result<(), S3Error> {
        // Nothing is listed: a prefix in the query is for nothing, and must not pass for one that may be listed.
        let judge = Judge { query: &Query::default(), version: None, ..*self };
        judge.permit("s3:ListBucket", &Arn::bucket(&self.bucket.record.name))
    }

    /// Fails unless the caller may do `action` with `resource`, whatever object is stored there.
    pub fn permit(&self, action: &str, resource: &Arn) -> Result<(), S3Error> {
        if self.nothing_can_forbid() {
            return Ok(());
        }
        let tags = tags::in_header(&self.head.headers)?;
        self.permit_with_tags(action, resource, &tags)
    }

    /// As [`Self::permit`], for a request that gives these tags in its body.
    pub fn permit_with_tags(&self, action: &str, resource: &Arn, tags: &[(String, String)]) -> Result<(), S3Error> {
        if self.nothing_can_forbid() {
            return Ok(());
        }
        let mut context = self.context(tags);
        if action == "s3:PutObject" {
            context.push("s3:ObjectCreationOperation", written::creates_object(self.head, self.query));
        }
        let question = Question { caller: &self.caller.identity, action, resource, context: &context };
        let decision = self.service.guard.decide(self.bucket, self.rules, question);
        permitted(self.caller, self.is_own(), action, resource, decision)
    }

    /// As [`Self::permit`], about a stored object.
    pub fn permit_stored(&self, action: &str, resource: &Arn, record: &ObjectRecord) -> Result<(), S3Error> {
        let tags = tags::in_header(&self.head.headers)?;
        self.permit_stored_with_tags(action, resource, record, &tags)
    }

    /// As [`Self::permit_stored`], for a request that gives these tags in its body.
    pub fn permit_stored_with_tags(
        &self,
        action: &str,
        resource: &Arn,
        record: &ObjectRecord,
        tags: &[(String, String)],
    ) -> Result<(), S3Error> {
        if self.nothing_can_forbid() && self.rules.ownership.effective() == Ownership::BucketOwnerEnforced {
            return Ok(());
        }
        let mut context = self.context(tags);
        guard::existing_tags(&mut context, &record.metadata.tags);
        let acl = guard::acl_of(record)?;
        let object = ObjectRules { owner: &record.summary.owner, acl: acl.as_ref() };
        let question = Question { caller: &self.caller.identity, action, resource, context: &context };
        let decision = self.service.guard.decide_object(self.bucket, self.rules, object, question);
        permitted(self.caller, self.is_own(), action, resource, decision)
    }

    /// Fails unless the caller may do all of this with the object of this key, whether it is there or not.
    pub async fn permit_key(
        &self,
        key: &ObjectKey,
        version: Option<&VersionId>,
        actions: &[&'static str],
    ) -> Result<(), S3Error> {
        let resource = Arn::object(&self.bucket.record.name, key.as_str());
        let stored = match self.rules.ask_object(&self.caller.identity) {
            true => self.stored(key, version).await?,
            false => None,
        };
        actions.iter().try_for_each(|action| match &stored {
            Some(record) => self.permit_stored(action, &resource, record),
            None => self.permit(action, &resource),
        })
    }

    async fn stored(&self, key: &ObjectKey, version: Option<&VersionId>) -> Result<Option<ObjectRecord>, S3Error> {
        use store::Error::{DeleteMarker, NoSuchKey, NoSuchVersion};
        match self.service.store.object_version(self.bucket, key, version).await {
            Ok(row) => Ok(Some(row.record)),
            Err(NoSuchKey(_) | NoSuchVersion { .. } | DeleteMarker { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The owner's root, in a bucket without policy: the common case, decided without looking at the request.
    fn nothing_can_forbid(&self) -> bool {
        let root = matches!(&self.caller.identity.principal, Principal::Root { account } if *account == self.bucket.record.account);
        root && self.rules.policy.is_none() && self.caller.identity.session_policies.is_none()
    }

    fn is_own(&self) -> bool {
        self.caller.account() == Some(&self.bucket.record.account)
    }

    fn context<'c>(&'c self, tags: &'c [(String, String)]) -> Context<'c> {
        let mut context = facts(self.service, self.head, self.query, self.caller, tags);
        let owner = self.bucket.record.account.as_str();
        context.push("s3:ResourceAccount", owner);
        context.push("aws:ResourceAccount", owner);
        if let Some(version) = self.version {
            context.push("s3:VersionId", version);
        }
        context
    }
}

fn facts<'r>(
    service: &Service,
    head: &'r Head,
    query: &'r Query,
    caller: &'r Caller,
    tags: &'r [(String, String)],
) -> Context<'r> {
    let mut context = guard::of_head(head, |name| query.get(name), caller.origin, caller.signing, service.clock.now());
    if !tags.is_empty() {
        written::push_request_tags(&mut context, tags);
    }
    context
}

/// The answer to a decision. Who belongs to the bucket's account is told what decided; others learn nothing of it.
fn permitted(caller: &Caller, own: bool, action: &str, resource: &Arn, decision: Decision<'_>) -> Result<(), S3Error> {
    if decision.allowed {
        return Ok(());
    }
    let Some(arn) = caller.identity.principal.arn().filter(|_| own) else {
        return Err(S3Error::new(Code::AccessDenied));
    };
    let reason = decision.reason;
    let message = format!("User: {arn} is not authorized to perform: {action} on resource: \"{resource}\": {reason}");
    Err(S3Error::with_message(Code::AccessDenied, message))
}
