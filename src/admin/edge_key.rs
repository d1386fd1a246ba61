//! A key for an edge, which may do what an edge does with some buckets and nothing else.

use serde_json::json;

use crate::identity::{EntityName, Error, Holder, Identities, NewKey};
use crate::names::{AccountId, BucketName, RESERVED_PREFIX};

/// The inline policy's name.
const POLICY: &str = "edge";
/// The longest name of a user, in characters.
const MAX_NAME: usize = 64;

/// Makes a user for an edge, unless it is there, gives it the policy for these buckets, and makes a key of it.
pub async fn create(
    identities: &Identities,
    account: &AccountId,
    user: Option<String>,
    buckets: &[BucketName],
    description: &str,
) -> Result<NewKey, Error> {
    let user = user.unwrap_or_else(|| user_for(buckets));
    match identities.create_user(account, &user, "/").await {
        Ok(_) | Err(Error::Exists { .. }) => {}
        Err(error) => return Err(error),
    }
    let name = EntityName::user(account, &user);
    identities.put_inline_policy(&name, POLICY, &policy(account, buckets)).await?;
    identities.create_key(&Holder::User { account: account.clone(), name: user }, description).await
}

fn user_for(buckets: &[BucketName]) -> String {
    let first = buckets.first().map_or("", BucketName::as_str);
    format!("edge-{first}").chars().take(MAX_NAME).collect()
}

/// What an edge does: it reads objects and pages, tells what is missing from what is forbidden, and hears of changes. What
/// belongs to the host of a site is none of its visitors' business.
fn policy(account: &AccountId, buckets: &[BucketName]) -> String {
    let arns =
        |rest: &str| -> Vec<String> { buckets.iter().map(|name| format!("arn:aws:s3:::{name}{rest}")).collect() };
    let statement = |effect: &str, actions: &[&str], resources: Vec<String>| json!({ "Effect": effect, "Action": actions, "Resource": resources });
    let statements = [
        statement("Allow", &["s3:GetObject"], arns("/*")),
        statement("Deny", &["s3:GetObject"], arns(&format!("/{RESERVED_PREFIX}*"))),
        statement("Allow", &["s3:ListBucket", "brim:ReadFeed"], arns("")),
        statement("Allow", &["brim:ConnectEdge"], vec![format!("arn:aws:brim::{account}:edge/*")]),
    ];
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Policy, PolicyKind};

    #[test]
    fn the_policy_is_one_and_names_nothing_but_the_buckets() {
        let buckets = ["pail", "tub"].map(|name| BucketName::parse(name).unwrap());
        let text = policy(&AccountId::default(), &buckets);
        Policy::parse(text.as_bytes(), PolicyKind::Identity).unwrap();
        for named in ["arn:aws:s3:::pail/*", "arn:aws:s3:::tub\"", "arn:aws:s3:::tub/.brim/*"] {
            assert!(text.contains(named), "{named}");
        }
        assert!(!text.contains("\"*\"") && !text.contains("Put"), "{text}");
        assert_eq!(user_for(&buckets), "edge-pail");
        assert_eq!(user_for(&[BucketName::parse("b".repeat(63).as_str()).unwrap()]).len(), 64);
    }
}
