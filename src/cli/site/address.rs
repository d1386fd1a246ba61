//! Under which addresses a site is reached, as far as that can be known from afar.

use crate::client::Endpoint;
use crate::names::BucketName;
use crate::site::deploy::{DeployId, preview_label};

/// Where a server on this machine serves sites, if its options say nothing else.
const LOCAL: &str = "http://website.localhost:9080";

/// Where sites are served; `None` where nobody said.
#[derive(Debug, Clone)]
pub struct Address(Option<String>);

impl Address {
    /// What `--website-url` says, or the default of a server on this machine.
    pub fn new(given: Option<String>, endpoint: &Endpoint) -> Self {
        Self(given.or_else(|| endpoint.is_local().then(|| LOCAL.to_owned())))
    }

    /// The address of the bucket's live site.
    pub fn of_site(&self, bucket: &BucketName) -> Option<String> {
        self.below(bucket.as_str())
    }

    /// The address of a deploy, live or not.
    pub fn of_preview(&self, id: &DeployId, bucket: &BucketName) -> Option<String> {
        self.below(&preview_label(id, bucket))
    }

    fn below(&self, label: &str) -> Option<String> {
        let (scheme, host) = self.0.as_ref()?.split_once("://")?;
        Some(format!("{scheme}://{label}.{host}/"))
    }
}

/// Takes an address without a path.
pub fn parse_website_url(text: &str) -> Result<String, String> {
    text.parse::<Endpoint>().map(|endpoint| endpoint.to_string()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_put_the_bucket_before_the_host() {
        let (bucket, id) = (BucketName::parse("docs").unwrap(), DeployId::from_random([0; 10]));
        let (local, remote): (Endpoint, Endpoint) =
            ("http://127.0.0.1:9000".parse().unwrap(), "https://s3.example.com".parse().unwrap());
        let given = parse_website_url("https://sites.example.com:8443/").unwrap();
        let address = Address::new(Some(given), &local);
        assert_eq!(address.of_site(&bucket).unwrap(), "https://docs.sites.example.com:8443/");
        assert_eq!(address.of_preview(&id, &bucket).unwrap(), "https://aaaaaaaaaa--docs.sites.example.com:8443/");
        assert_eq!(Address::new(None, &local).of_site(&bucket).unwrap(), "http://docs.website.localhost:9080/");
        assert_eq!(Address::new(None, &remote).of_site(&bucket), None);
        assert!(parse_website_url("sites.example.com").is_err() && parse_website_url("http://a/b").is_err());
    }
}
