//! The judgement: the caller, the bucket and the object are found as for a request, and the guard is asked.

use std::sync::Arc;

use super::facts::Facts;
use super::{Asked, BucketSeen, Error, Explanation, ObjectSeen, Who};
use crate::access::{
    Arn, Caller, Context, Decision, Level, ObjectRules, Ownership, PublicAccessBlock, Rules, action_of, decide,
};
use crate::clock::Timestamp;
use crate::guard::{BucketRules, Guard, Question, acl_of, reads_object, versioned};
use crate::identity::{Identities, Status};
use crate::names::{BucketName, ObjectKey, VersionId};
use crate::store::bucket::Bucket;
use crate::store::record::ObjectRecord;
use crate::store::{self, Store};

/// What a resource may begin with where it is given as an ARN.
const ARN: &str = "arn:aws:s3:::";

/// What is asked, with every word understood.
struct Case {
    caller: Arc<Caller>,
    action: String,
    place: Place,
    /// As it was given, for conditions.
    version: Option<String>,
    facts: Facts,
}

/// What the action is done to.
enum Place {
    Account,
    /// A bucket that is to be made.
    NewBucket(BucketName),
    Bucket(BucketName),
    Object(BucketName, ObjectKey),
}

/// Tells what the server would decide about a request that comes at `now`.
pub async fn run(
    identities: &Arc<Identities>,
    store: &Arc<Store>,
    now: Timestamp,
    asked: &Asked,
) -> Result<Explanation, Error> {
    let (action, level) = action_of(&asked.action).ok_or_else(|| Error::Action(asked.action.clone()))?;
    if asked.version.is_some() && level != Level::Object {
        return Err(Error::Unversioned(action));
    }
    let case = Case {
        caller: caller_of(identities, &asked.caller).await?,
        place: Place::parse(&asked.resource, &action, level)?,
        action: versioned(&action, asked.version.as_deref()).to_owned(),
        version: asked.version.clone(),
        facts: Facts::read(&asked.conditions, now)?,
    };
    match &case.place {
        Place::Account | Place::NewBucket(_) => Ok(case.judge_of_account(identities)),
        Place::Bucket(bucket) | Place::Object(bucket, _) => {
            let bucket = store.bucket(bucket).await?;
            let guard = Guard::new(Arc::clone(store), Arc::clone(identities));
            case.judge_in_bucket(&guard, store, &bucket).await
        }
    }
}

async fn caller_of(identities: &Identities, who: &Who) -> Result<Arc<Caller>, Error> {
    let default = || identities.default_account().id.clone();
    match who {
        Who::Anonymous => Ok(Arc::new(Caller::anonymous())),
        Who::Root { account } => Ok(identities.caller_of_root(&account.clone().unwrap_or_else(default))?),
        Who::User { account, name } => {
            Ok(identities.caller_of_user(&account.clone().unwrap_or_else(default), name).await?)
        }
        Who::Key(id) => {
            if identities.key_summary(id).await?.status == Status::Disabled {
                return Err(Error::Disabled(id.clone()));
            }
            let key = identities.authenticate(id, None).await?;
            Ok(key.ok_or_else(|| Error::Orphaned(id.clone()))?.caller)
        }
    }
}

impl Place {
    fn parse(text: &str, action: &str, level: Level) -> Result<Self, Error> {
        let wrong = |level| Error::Resource { action: action.to_owned(), level, resource: text.to_owned() };
        let resource = text.strip_prefix(ARN).unwrap_or(text);
        if level == Level::Account {
            return if resource == "*" { Ok(Self::Account) } else { Err(wrong("an account, which is written *")) };
        }
        let (bucket, key) = match resource.split_once('/') {
            Some((bucket, key)) => (bucket, Some(key)),
            None => (resource, None),
        };
        let named = |source| Error::BucketName { resource: text.to_owned(), source };
        let bucket = BucketName::parse(bucket).map_err(named)?;
        match (level, key) {
            (Level::Object, Some(key)) => {
                let keyed = |source| Error::ObjectKey { resource: text.to_owned(), source };
                Ok(Self::Object(bucket, ObjectKey::parse(key).map_err(keyed)?))
            }
            (Level::Object, None) => Err(wrong("an object, which is written BUCKET/KEY")),
            (_, Some(_)) => Err(wrong("a bucket")),
            (_, None) if action == "s3:CreateBucket" => Ok(Self::NewBucket(bucket)),
            (_, None) => Ok(Self::Bucket(bucket)),
        }
    }

    fn arn(&self) -> Arn {
        match self {
            Self::Account => Arn::all_buckets(),
            Self::NewBucket(bucket) | Self::Bucket(bucket) => Arn::bucket(bucket),
            Self::Object(bucket, key) => Arn::object(bucket, key.as_str()),
        }
    }
}

impl Case {
    /// What is for the caller's own account. Nobody in particular has none: nothing allows him anything in the default one.
    fn judge_of_account(&self, identities: &Identities) -> Explanation {
        let default = identities.default_account();
        let account = self.caller.principal.account().unwrap_or(&default.id);
        let (resource, context) = (self.place.arn(), self.facts.context(None, &[]));
        let decision = decide(&self.caller, &self.action, &resource, &context, &Rules::of_account(account));
        self.explain(&resource, decision, None, ObjectSeen::NotAsked)
    }

    async fn judge_in_bucket(&self, guard: &Guard, store: &Store, bucket: &Bucket) -> Result<Explanation, Error> {
        let rules = guard.rules_of(bucket).await?;
        let object = self.object(store, bucket).await?;
        let tags = object.as_ref().map(|object| self.tags_of(object)).unwrap_or_default();
        let list = object.as_ref().map(acl_of).transpose()?.flatten();
        let (resource, context) = (self.place.arn(), self.facts.context(self.version.as_deref(), &tags));
        let question = self.question(&resource, &context);
        let decision = match &object {
            Some(record) => {
                let object = ObjectRules { owner: &record.summary.owner, acl: list.as_ref() };
                guard.decide_object(bucket, &rules, object, question)
            }
            None => guard.decide(bucket, &rules, question),
        };
        let seen = match &object {
            Some(record) => ObjectSeen::Found {
                owner: record.summary.owner.clone(),
                tags: tags.clone(),
                grants: list.as_ref().map(|list| list.grants.len()),
            },
            None if self.asks_object() => ObjectSeen::Missing,
            None => ObjectSeen::NotAsked,
        };
        Ok(self.explain(&resource, decision, Some(bucket_seen(guard, bucket, &rules)), seen))
    }

    fn question<'q>(&'q self, resource: &'q Arn, context: &'q Context<'q>) -> Question<'q> {
        Question { caller: &self.caller, action: &self.action, resource, context }
    }

    fn asks_object(&self) -> bool {
        matches!(self.place, Place::Object(..)) && reads_object(&self.action)
    }

    /// The stored object, where it has a say and is there.
    async fn object(&self, store: &Store, bucket: &Bucket) -> Result<Option<ObjectRecord>, Error> {
        let Place::Object(_, key) = &self.place else { return Ok(None) };
        let unknown = |text: &String| text.parse::<VersionId>().map_err(|_| Error::Version(text.clone()));
        let version = self.version.as_ref().map(unknown).transpose()?;
        if !self.asks_object() {
            return Ok(None);
        }
        match store.object_version(bucket, key, version.as_ref()).await {
            Ok(row) => Ok(Some(row.record)),
            Err(
                store::Error::NoSuchKey(_) | store::Error::NoSuchVersion { .. } | store::Error::DeleteMarker { .. },
            ) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn tags_of(&self, object: &ObjectRecord) -> Vec<(String, String)> {
        object.metadata.tags.iter().filter(|(name, _)| !self.facts.gives_tag(name)).cloned().collect()
    }

    fn explain(
        &self,
        resource: &Arn,
        decision: Decision<'_>,
        bucket: Option<BucketSeen>,
        object: ObjectSeen,
    ) -> Explanation {
        Explanation {
            allowed: decision.allowed,
            reason: decision.reason.to_string(),
            caller: self.caller.principal.arn(),
            action: self.action.clone(),
            resource: resource.to_string(),
            identity_policies: self.caller.policies.iter().map(|policy| policy.name.clone()).collect(),
            bucket,
            object,
        }
    }
}

fn bucket_seen(guard: &Guard, bucket: &Bucket, rules: &BucketRules) -> BucketSeen {
    let (owner, ownership) = (&bucket.record.account, rules.ownership.effective());
    BucketSeen {
        owner: owner.clone(),
        policy: rules.policy.is_some(),
        ownership: ownership.name().to_owned(),
        lists_count: ownership != Ownership::BucketOwnerEnforced,
        public_access_block: names_of(guard.block_of(owner, rules)),
    }
}

/// S3's names of what a block forbids.
fn names_of(block: PublicAccessBlock) -> Vec<String> {
    let rules = [
        (block.block_public_acls, "BlockPublicAcls"),
        (block.ignore_public_acls, "IgnorePublicAcls"),
        (block.block_public_policy, "BlockPublicPolicy"),
        (block.restrict_public_buckets, "RestrictPublicBuckets"),
    ];
    rules.into_iter().filter(|(forbidden, _)| *forbidden).map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(action: &str, resource: &str) -> Result<String, String> {
        let (action, level) = action_of(action).unwrap();
        Place::parse(resource, &action, level).map(|place| place.arn().to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn actions_are_known_in_any_case_and_go_with_their_kind_of_resource() {
        assert_eq!(action_of("S3:getobject"), Some(("s3:GetObject".to_owned(), Level::Object)));
        assert_eq!(action_of("s3:*").or(action_of("iam:GetUser")).or(action_of("GetObject")), None);
        for (action, resource, arn) in [
            ("s3:GetObject", "pail/a/b", "arn:aws:s3:::pail/a/b"),
            ("s3:GetObject", "arn:aws:s3:::pail/a", "arn:aws:s3:::pail/a"),
            ("s3:ListBucket", "pail", "arn:aws:s3:::pail"),
            ("s3:ListAllMyBuckets", "*", "arn:aws:s3:::*"),
        ] {
            assert_eq!(place(action, resource).as_deref(), Ok(arn));
        }
        for (action, resource) in [
            ("s3:GetObject", "pail"),
            ("s3:GetObject", "pail/"),
            ("s3:ListBucket", "pail/a"),
            ("s3:ListBucket", "Pail"),
            ("s3:ListBucket", "*"),
            ("s3:ListAllMyBuckets", "pail"),
        ] {
            let error = place(action, resource).unwrap_err();
            assert!(error.contains(&format!("{resource:?}")), "{error}");
        }
    }

    #[test]
    fn blocks_are_named_as_s3_names_them() {
        assert!(names_of(PublicAccessBlock::default()).is_empty());
        let block = PublicAccessBlock { ignore_public_acls: true, ..PublicAccessBlock::default() };
        assert_eq!(names_of(block), ["IgnorePublicAcls"]);
    }
}
