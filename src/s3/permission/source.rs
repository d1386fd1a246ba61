//! The permission to read what a copy is made of.

use std::sync::Arc;

use super::Judge;
use crate::access::Arn;
use crate::guard::{BucketRules, versioned};
use crate::http::head::Head;
use crate::names::{ObjectKey, VersionId};
use crate::s3::admission::Caller;
use crate::s3::error::{Code, S3Error};
use crate::s3::query::Query;
use crate::s3::{Request, Service};
use crate::store::bucket::Bucket;
use crate::store::record::ObjectRecord;

/// Judges reads of a source, and what is put in its copy's place, in work that goes on without its request.
pub struct SourceJudge {
    caller: Caller,
    head: Head,
    query: Query,
    bucket: Bucket,
    rules: Arc<BucketRules>,
    version: Option<String>,
}

impl SourceJudge {
    /// A judge of the source in `bucket`, of which `version` is the one that is named.
    pub async fn of(
        cx: &Service,
        request: &Request,
        bucket: Bucket,
        version: Option<&VersionId>,
    ) -> Result<Self, S3Error> {
        let rules = cx.guard.rules_of(&bucket).await?;
        let (caller, head, query) = (request.caller.clone(), request.head.clone(), request.query.clone());
        Ok(Self { caller, head, query, bucket, rules, version: version.map(VersionId::to_string) })
    }

    /// Fails unless the caller may read the source, and its tags where they are copied too.
    pub fn permit(
        &self,
        cx: &Service,
        key: &ObjectKey,
        record: &ObjectRecord,
        copies_tags: bool,
    ) -> Result<(), S3Error> {
        let resource = Arn::object(&self.bucket.record.name, key.as_str());
        let judge = self.judge(cx);
        let version = self.version.as_deref();
        judge.permit_stored(versioned("s3:GetObject", version), &resource, record)?;
        if copies_tags && !record.metadata.tags.is_empty() {
            judge.permit_stored(versioned("s3:GetObjectTagging", version), &resource, record)?;
        }
        Ok(())
    }

    /// Fails unless the caller may give `key` these tags: a copy that takes its source's along gives them to what it makes.
    pub fn permit_tags(&self, cx: &Service, key: &ObjectKey, tags: &[(String, String)]) -> Result<(), S3Error> {
        if tags.is_empty() {
            return Ok(());
        }
        let resource = Arn::object(&self.bucket.record.name, key.as_str());
        let judge = self.judge(cx);
        // Both: a policy may ask for the tags wherever it allows the writing.
        judge.permit_with_tags("s3:PutObject", &resource, tags)?;
        judge.permit_with_tags("s3:PutObjectTagging", &resource, tags)
    }

    /// What a missing source is called to this caller: as [`Request::veil`].
    pub fn veil(&self, cx: &Service, error: S3Error) -> S3Error {
        if !matches!(error.code, Code::NoSuchKey | Code::NoSuchVersion) {
            return error;
        }
        self.judge(cx).permit_list().err().unwrap_or(error)
    }

    fn judge<'r>(&'r self, cx: &'r Service) -> Judge<'r> {
        let (caller, head, query) = (&self.caller, &self.head, &self.query);
        let version = self.version.as_deref();
        Judge { service: cx, caller, head, query, version, bucket: &self.bucket, rules: &self.rules }
    }
}
