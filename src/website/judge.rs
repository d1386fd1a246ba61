//! May the visitor read this file, or learn what is not there: the guard's answer, for one request.

use std::sync::Arc;

use super::Service;
use super::failure::Failure;
use super::visitor::Visitor;
use crate::access::{Arn, Context, ObjectRules};
use crate::clock::Timestamp;
use crate::guard::{self, BucketRules, Guard, Question};
use crate::http::head::Head;
use crate::store::bucket::Bucket;
use crate::store::record::ObjectRecord;

/// What one request may read of one bucket.
pub struct Judge<'r> {
    guard: &'r Guard,
    bucket: &'r Bucket,
    rules: Arc<BucketRules>,
    visitor: &'r Visitor,
    now: Timestamp,
    /// What is known of the request.
    facts: Context<'r>,
}

impl<'r> Judge<'r> {
    pub async fn of(
        service: &'r Service,
        bucket: &'r Bucket,
        visitor: &'r Visitor,
        head: &'r Head,
    ) -> Result<Self, Failure> {
        let rules = service.guard.rules_of(bucket).await?;
        let (guard, now) = (&*service.guard, service.clock.now());
        // The query is the page's: a `prefix` in it is for nothing that is listed.
        let mut facts = guard::of_head(head, |_| None, visitor.origin, visitor.signing, now);
        let owner = bucket.record.account.as_str();
        facts.push("s3:ResourceAccount", owner);
        facts.push("aws:ResourceAccount", owner);
        Ok(Self { guard, bucket, rules, visitor, now, facts })
    }

    /// When the request is answered.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Whether a stored object has a say: then [`Self::may_read`] alone does not decide.
    pub fn asks_object(&self) -> bool {
        self.rules.ask_object(&self.visitor.identity)
    }

    /// Whether the visitor may read what is at `key`, as far as the bucket's rules decide it.
    pub fn may_read(&self, key: &str) -> bool {
        let resource = Arn::object(&self.bucket.record.name, key);
        self.may("s3:GetObject", &resource)
    }

    /// Whether the visitor may read this object, at `key`.
    pub fn may_read_object(&self, key: &str, record: &ObjectRecord) -> Result<bool, Failure> {
        let resource = Arn::object(&self.bucket.record.name, key);
        let mut context = self.facts.clone();
        guard::existing_tags(&mut context, &record.metadata.tags);
        let acl = guard::acl_of(record)?;
        let object = ObjectRules { owner: &record.summary.owner, acl: acl.as_ref() };
        let caller = &self.visitor.identity;
        let question = Question { caller, action: "s3:GetObject", resource: &resource, context: &context };
        Ok(self.guard.decide_object(self.bucket, &self.rules, object, question).allowed)
    }

    /// Whether the visitor may list the bucket: only then is he told that something is missing.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>
    pub fn may_list(&self) -> bool {
        self.may("s3:ListBucket", &Arn::bucket(&self.bucket.record.name))
    }

    fn may(&self, action: &str, resource: &Arn) -> bool {
        let question = Question { caller: &self.visitor.identity, action, resource, context: &self.facts };
        self.guard.decide(self.bucket, &self.rules, question).allowed
    }
}
