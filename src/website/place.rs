//! From a host to the bucket whose site it is, and to the preview that it may be of.

use super::Service;
use super::failure::{Code, Failure};
use super::previews::existing;
use crate::names::BucketName;
use crate::site::deploy::DeployId;
use crate::site::host::{Addressed, Host};
use crate::store::bucket::Bucket;

/// Where a request goes.
pub struct Place {
    pub bucket: Bucket,
    /// The deploy that is previewed; `None` for the live site.
    pub preview: Option<DeployId>,
}

impl Service {
    /// The place that a host stands for.
    pub(super) async fn place(&self, host: &Host) -> Result<Place, Failure> {
        let nobody = || Failure::new(Code::NoSuchBucket).detail("BucketName", host.to_string());
        let live = |bucket| Place { bucket, preview: None };
        match Addressed::of(host, &self.options.domains) {
            Addressed::Bucket(name) => Ok(live(self.store.bucket(&name).await?)),
            Addressed::Preview(deploy, rest) => {
                // No bucket is made whose name has the shape of such a label, but those from before stay where they are.
                let label = format!("{deploy}--{}", rest.as_str());
                if let Ok(name) = BucketName::parse(&label)
                    && let Some(bucket) = existing(&self.store, &name).await?
                {
                    return Ok(live(bucket));
                }
                match self.previews.bucket_of(&self.store, &rest).await? {
                    Some(bucket) => Ok(Place { bucket, preview: Some(deploy) }),
                    None => Err(Failure::new(Code::NoSuchBucket).detail("BucketName", label)),
                }
            }
            Addressed::Custom(host) => match self.store.domain(&host).await? {
                Some(bucket) => Ok(live(bucket)),
                // <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html#VirtualHostingCustomURLs>
                None => {
                    let name = BucketName::parse(host.as_str()).map_err(|_| nobody())?;
                    Ok(live(self.store.bucket(&name).await?))
                }
            },
            Addressed::Nobody => Err(nobody()),
        }
    }
}
