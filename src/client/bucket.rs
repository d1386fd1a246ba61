//! Buckets: made, looked at, configured as websites and opened to the public.

use super::body::Body;
use super::request::Request;
use super::{Client, Error, xml};
use crate::names::BucketName;

/// The longest policy that is read, in bytes: above the longest that can be put.
const MAX_POLICY_BYTES: usize = 64 * 1024;

/// What the bucket's public access block says of policies.
#[derive(Debug, Clone)]
pub struct PublicAccess(xml::PublicAccessBlockConfiguration);

impl PublicAccess {
    /// Whether a policy cannot make the bucket readable for everybody.
    pub fn blocks_policies(&self) -> bool {
        self.0.block_public_policy || self.0.restrict_public_buckets
    }
}

impl Client {
    /// Whether the bucket is there. One of somebody else is an error.
    pub async fn has_bucket(&self, bucket: &BucketName) -> Result<bool, Error> {
        match self.send(&Request::new("HeadBucket", "HEAD", bucket)).await {
            Ok(_) => Ok(true),
            Err(Error::Service(error)) if error.status == 404 => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes the bucket.
    pub async fn create_bucket(&self, bucket: &BucketName) -> Result<(), Error> {
        self.send(&Request::new("CreateBucket", "PUT", bucket)).await.map(drop)
    }

    /// The index document of the bucket's website: `None` where it is no website; empty where it redirects elsewhere.
    pub async fn website_index(&self, bucket: &BucketName) -> Result<Option<String>, Error> {
        let request = Request::new("GetBucketWebsite", "GET", bucket).query("website", "");
        let Some(answer) = self.send_unless(&request, 404).await? else { return Ok(None) };
        let document: xml::WebsiteConfiguration = xml::read("a website configuration", &answer.body)?;
        Ok(Some(document.index.map(|index| index.suffix).unwrap_or_default()))
    }

    /// Makes the bucket a website with this index document.
    pub async fn put_website(&self, bucket: &BucketName, index: &str) -> Result<(), Error> {
        let index = format!("<IndexDocument>{}</IndexDocument>", xml::element("Suffix", index));
        let body = Body::Bytes(xml::document("WebsiteConfiguration", &index).into());
        let request = Request::new("PutBucketWebsite", "PUT", bucket).query("website", "").body(body);
        self.send(&request).await.map(drop)
    }

    /// The bucket's policy, in JSON; `None` where it has none.
    pub async fn policy(&self, bucket: &BucketName) -> Result<Option<String>, Error> {
        let mut request = Request::new("GetBucketPolicy", "GET", bucket).query("policy", "");
        request.most = MAX_POLICY_BYTES;
        let Some(answer) = self.send_unless(&request, 404).await? else { return Ok(None) };
        let wrong = |_| Error::Answer { what: "a policy".to_owned(), source: None };
        String::from_utf8(answer.body.into()).map(Some).map_err(wrong)
    }

    /// Puts a policy in the place of the one that is there.
    pub async fn put_policy(&self, bucket: &BucketName, policy: String) -> Result<(), Error> {
        let body = Body::Bytes(policy.into());
        let request = Request::new("PutBucketPolicy", "PUT", bucket).query("policy", "").body(body);
        self.send(&request).await.map(drop)
    }

    /// Whether the service takes the bucket's policy for public.
    pub async fn has_public_policy(&self, bucket: &BucketName) -> Result<bool, Error> {
        let request = Request::new("GetBucketPolicyStatus", "GET", bucket).query("policyStatus", "");
        let Some(answer) = self.send_unless(&request, 404).await? else { return Ok(false) };
        let text = String::from_utf8_lossy(&answer.body).to_ascii_lowercase();
        Ok(text.contains("<ispublic>true</ispublic>"))
    }

    /// The bucket's public access block; `None` where it has none.
    pub async fn public_access(&self, bucket: &BucketName) -> Result<Option<PublicAccess>, Error> {
        let request = Request::new("GetPublicAccessBlock", "GET", bucket).query("publicAccessBlock", "");
        let Some(answer) = self.send_unless(&request, 404).await? else { return Ok(None) };
        xml::read("a public access block", &answer.body).map(PublicAccess).map(Some)
    }

    /// Lets policies open the bucket, and leaves what the block says of access control lists.
    pub async fn allow_public_policies(&self, bucket: &BucketName, access: &PublicAccess) -> Result<(), Error> {
        let flag = |name: &str, value: bool| xml::element(name, if value { "true" } else { "false" });
        let content = flag("BlockPublicAcls", access.0.block_public_acls)
            + &flag("IgnorePublicAcls", access.0.ignore_public_acls)
            + &flag("BlockPublicPolicy", false)
            + &flag("RestrictPublicBuckets", false);
        let body = Body::Bytes(xml::document("PublicAccessBlockConfiguration", &content).into());
        let request = Request::new("PutPublicAccessBlock", "PUT", bucket).query("publicAccessBlock", "").body(body);
        self.send(&request).await.map(drop)
    }
}
