//! May they, here and now: brings the rules of a bucket and of an object before the evaluator.
//!
//! Every transport asks here, so that a website, a form and a signed request are judged alike.

mod context;
mod rules;
mod signers;
mod stored;

use std::sync::Arc;

use moka::sync::Cache;

use crate::access::{
    Acl, Arn, Attached, Caller, Context, Decision, ObjectRules, Ownership, PublicAccessBlock, Reason, Rules, decide,
};
use crate::identity::Identities;
use crate::names::{AccountId, BucketId, RESERVED_PREFIX};
use crate::store::bucket::Bucket;
use crate::store::record::ObjectRecord;
use crate::store::{self, Store};

pub use context::{Origin, Signing, SigningKind, of_head};
pub use rules::{BucketRules, OwnershipSetting, encode_block, encode_ownership};
pub use signers::{NotSigned, Signers};
pub use stored::{reads_object, versioned};

/// How many bytes of rules are kept in memory in the form in which they are judged.
const KEPT_BYTES: u64 = 64 * 1024 * 1024;

/// The condition keys that only a stored object gives.
const EXISTING_TAG: &str = "s3:ExistingObjectTag/";

/// Judges requests. Cheap to share.
pub struct Guard {
    store: Arc<Store>,
    identities: Arc<Identities>,
    rules: Cache<BucketId, Arc<BucketRules>>,
}

/// Why a request could not be judged: then it is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("the {0} of bucket {1} is damaged or was written by a newer brim")]
    Document(&'static str, String),
}

/// A question about a bucket, or an object in it.
#[derive(Debug, Clone, Copy)]
pub struct Question<'q> {
    pub caller: &'q Caller,
    /// In IAM's words: `s3:GetObject`.
    pub action: &'q str,
    pub resource: &'q Arn,
    pub context: &'q Context<'q>,
}

/// An object's access control list: its own, or the private one that it has where nothing was said.
pub fn acl_of(record: &ObjectRecord) -> Result<Option<Acl>, Error> {
    if record.acl.is_empty() {
        return Ok(None);
    }
    Acl::decode(&record.acl).map(Some).map_err(|_| Error::Document("ACL of an object", String::new()))
}

impl Guard {
    pub fn new(store: Arc<Store>, identities: Arc<Identities>) -> Self {
        Self { store, identities, rules: kept() }
    }

    /// The rules of a bucket as its row had them. Reads nothing where they are known in the row's generation.
    pub async fn rules_of(&self, bucket: &Bucket) -> Result<Arc<BucketRules>, Error> {
        let (id, generation) = (bucket.record.id, bucket.record.configuration);
        if let Some(rules) = self.rules.get(&id)
            && rules.generation == generation
        {
            return Ok(rules);
        }
        let configuration = self.store.configuration(bucket).await?;
        let rules = Arc::new(BucketRules::read(&bucket.record, &configuration)?);
        self.rules.insert(id, rules.clone());
        Ok(rules)
    }

    /// Judges a question that no stored object has a say in: of the bucket, or of an object that is to be written.
    pub fn decide<'q>(&self, bucket: &'q Bucket, rules: &'q BucketRules, question: Question<'q>) -> Decision<'q> {
        self.judge(bucket, rules, None, question)
    }

    /// Judges a question about a stored object, whose tags must be in the question's context (see [`existing_tags`]).
    pub fn decide_object<'q>(
        &self,
        bucket: &'q Bucket,
        rules: &'q BucketRules,
        object: ObjectRules<'q>,
        question: Question<'q>,
    ) -> Decision<'q> {
        self.judge(bucket, rules, Some(object), question)
    }

    fn judge<'q>(
        &self,
        bucket: &'q Bucket,
        rules: &'q BucketRules,
        object: Option<ObjectRules<'q>>,
        question: Question<'q>,
    ) -> Decision<'q> {
        let owner = &bucket.record.account;
        if is_reserved(question.resource) && question.caller.principal.account() != Some(owner) {
            return Decision { allowed: false, reason: Reason::Reserved };
        }
        let rules = Rules {
            bucket_owner: owner,
            bucket_policy: rules.policy.as_deref(),
            ownership: rules.ownership.effective(),
            block: self.block_of(owner, rules),
            bucket_acl: rules.acl.as_ref(),
            object,
        };
        decide(question.caller, question.action, question.resource, question.context, &rules)
    }

    /// What is forbidden in the bucket by itself or by its account.
    pub fn block_of(&self, owner: &AccountId, rules: &BucketRules) -> PublicAccessBlock {
        rules.block.unwrap_or_default().united(self.identities.public_access_block(owner).unwrap_or_default())
    }
}

/// Whether this is one of a site's own objects: a policy that lets everybody read the site's pages does not mean them.
fn is_reserved(resource: &Arn) -> bool {
    resource.object_key().is_some_and(|key| key.starts_with(RESERVED_PREFIX))
}

/// A cache that is bounded by what compiled rules take.
fn kept() -> Cache<BucketId, Arc<BucketRules>> {
    Cache::builder().weigher(|_, rules: &Arc<BucketRules>| rules.weight).max_capacity(KEPT_BYTES).build()
}

impl BucketRules {
    /// Whether what is stored of an object may change what `caller` may do with it: its owner, its list or its tags.
    pub fn ask_object(&self, caller: &Caller) -> bool {
        let by_tag = |attached: &[Attached]| attached.iter().any(|one| one.policy.asks_for(EXISTING_TAG));
        self.ownership.effective() != Ownership::BucketOwnerEnforced
            || self.policy.as_ref().is_some_and(|policy| policy.asks_for(EXISTING_TAG))
            || by_tag(&caller.policies)
            || caller.session_policies.as_deref().is_some_and(by_tag)
    }
}

/// Adds an object's tags to what is known of a request.
pub fn existing_tags<'q>(context: &mut Context<'q>, tags: &'q [(String, String)]) {
    for (name, value) in tags {
        context.push(format!("{EXISTING_TAG}{name}"), value.as_str());
    }
}
