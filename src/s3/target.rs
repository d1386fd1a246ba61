//! What a request is addressed to: the service, a bucket or an object, in either addressing style; or an account.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>

use super::error::{Code, S3Error};
use crate::http::head::Head;
use crate::http::percent;
use crate::names::{BucketName, InvalidObjectKey, ObjectKey};

/// Where S3 control has the public access block of an account; the account is in a header, for clients often in the host too.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_GetPublicAccessBlock.html>
const ACCOUNT_PATH: &str = "v20180820/configuration/publicAccessBlock";
const ACCOUNT_HEADER: &str = "x-amz-account-id";

/// The addressed resource, with names as they were sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub bucket: Option<String>,
    /// The key's bytes; `None` where the bucket itself is addressed.
    pub key: Option<Vec<u8>>,
    /// Whether the bucket came from the Host header: signatures of version 2 need to know.
    pub in_host: bool,
    /// The account, where neither the service nor a bucket is addressed but an account's own settings.
    pub account: Option<String>,
}

/// What kind of resource an operation works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Service,
    Account,
    Bucket,
    Object,
}

impl Target {
    /// Reads the target from the Host header and the raw path. `domains` are those whose subdomains are buckets.
    pub fn parse(head: &Head, domains: &[String]) -> Result<Self, S3Error> {
        let path = head.path.strip_prefix('/').unwrap_or(&head.path);
        let decoded = percent::decode(path).map_err(|_| S3Error::new(Code::InvalidURI))?;
        let host = head.headers.text("host")?.unwrap_or_default();
        let in_host = bucket_of_host(host, domains);
        let account = head.headers.text(ACCOUNT_HEADER)?.filter(|_| *decoded == *ACCOUNT_PATH.as_bytes());
        if let Some(account) = account.filter(|account| in_host.as_ref().is_none_or(|bucket| bucket == account)) {
            return Ok(Self { bucket: None, key: None, in_host: false, account: Some(account.to_owned()) });
        }
        if let Some(bucket) = in_host {
            let key = (!decoded.is_empty()).then(|| decoded.into_owned());
            return Ok(Self { bucket: Some(bucket), key, in_host: true, account: None });
        }
        let slash = decoded.iter().position(|&byte| byte == b'/').unwrap_or(decoded.len());
        let bucket = String::from_utf8(decoded[..slash].to_vec()).map_err(|_| S3Error::new(Code::InvalidURI))?;
        let key = decoded.get(slash + 1..).filter(|key| !key.is_empty()).map(<[u8]>::to_vec);
        if bucket.is_empty() && key.is_some() {
            return Err(S3Error::new(Code::InvalidURI));
        }
        Ok(Self { bucket: (!bucket.is_empty()).then_some(bucket), key, in_host: false, account: None })
    }

    pub fn level(&self) -> Level {
        match (&self.bucket, &self.key) {
            _ if self.account.is_some() => Level::Account,
            (None, _) => Level::Service,
            (Some(_), None) => Level::Bucket,
            (Some(_), Some(_)) => Level::Object,
        }
    }

    /// The bucket's name, or InvalidBucketName.
    pub fn bucket_name(&self) -> Result<BucketName, S3Error> {
        parse_bucket(self.bucket.as_deref().unwrap_or_default())
    }

    /// The object's key, or S3's error for what is wrong with it.
    pub fn object_key(&self) -> Result<ObjectKey, S3Error> {
        parse_key(self.key.clone().unwrap_or_default())
    }

    /// The resource as error documents name it.
    pub fn resource(&self) -> String {
        let key = self.key.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        match &self.bucket {
            None if self.account.is_some() => format!("/{ACCOUNT_PATH}"),
            Some(bucket) => format!("/{bucket}/{key}").trim_end_matches('/').to_owned(),
            None => "/".to_owned(),
        }
    }
}

pub fn parse_bucket(name: &str) -> Result<BucketName, S3Error> {
    BucketName::parse(name).map_err(|error| {
        let message = format!("The specified bucket is not valid: {error}.");
        S3Error::with_message(Code::InvalidBucketName, message).detail("BucketName", name)
    })
}

pub fn parse_key(key: Vec<u8>) -> Result<ObjectKey, S3Error> {
    let size = key.len();
    ObjectKey::parse(key).map_err(|error| match error {
        InvalidObjectKey::TooLong => S3Error::new(Code::KeyTooLongError)
            .detail("Size", size.to_string())
            .detail("MaxSizeAllowed", crate::names::MAX_KEY_BYTES.to_string()),
        InvalidObjectKey::Empty => S3Error::new(Code::UserKeyMustBeSpecified),
        InvalidObjectKey::NotUtf8 => S3Error::new(Code::InvalidURI),
    })
}

/// The part of the host before a configured domain; host names are case-insensitive, bucket names are lower case.
fn bucket_of_host(host: &str, domains: &[String]) -> Option<String> {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.to_ascii_lowercase();
    let bucket = domains.iter().find_map(|domain| name.strip_suffix(domain.as_str())?.strip_suffix('.'))?;
    (!bucket.is_empty()).then(|| bucket.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(host: &str, path: &str) -> Result<Target, Code> {
        let headers = [("host", host)].into_iter().collect();
        let head = Head { method: "GET".into(), path: path.into(), query: String::new(), headers };
        Target::parse(&head, &["s3.localhost".to_owned()]).map_err(|error| error.code)
    }

    fn path_style(bucket: Option<&str>, key: Option<&[u8]>) -> Result<Target, Code> {
        Ok(Target { bucket: bucket.map(str::to_owned), key: key.map(<[u8]>::to_vec), in_host: false, account: None })
    }

    #[test]
    fn the_first_segment_of_the_path_is_the_bucket() {
        let host = "127.0.0.1:9000";
        assert_eq!(target(host, "/"), path_style(None, None));
        assert_eq!(target(host, "/b"), path_style(Some("b"), None));
        assert_eq!(target(host, "/b/"), path_style(Some("b"), None));
        assert_eq!(target(host, "/b/a//../%2F+%20"), path_style(Some("b"), Some(b"a//../\x2f+ ")));
        assert_eq!(target(host, "/b//"), path_style(Some("b"), Some(b"/")));
        assert_eq!(target(host, "//key"), Err(Code::InvalidURI));
        assert_eq!(target(host, "/b/%zz"), Err(Code::InvalidURI));
    }

    #[test]
    fn a_subdomain_of_a_configured_domain_is_the_bucket() {
        let hosted = |key: Option<&[u8]>| {
            Ok(Target { bucket: Some("my.b".into()), key: key.map(<[u8]>::to_vec), in_host: true, account: None })
        };
        assert_eq!(target("my.b.s3.localhost:9000", "/"), hosted(None));
        assert_eq!(target("My.B.s3.LOCALHOST", "/b/k"), hosted(Some(b"b/k")));
        assert_eq!(target("s3.localhost:9000", "/b"), path_style(Some("b"), None));
        assert_eq!(target("xs3.localhost", "/b"), path_style(Some("b"), None));
        assert_eq!(target("[::1]:9000", "/b"), path_style(Some("b"), None));
    }

    #[test]
    fn an_account_is_named_in_a_header_and_perhaps_in_the_host() {
        let path = "/v20180820/configuration/publicAccessBlock";
        let target = |host: &str, path: &str, account: &str| {
            let headers = [("host", host), ("x-amz-account-id", account)].into_iter().collect();
            let head = Head { method: "GET".into(), path: path.into(), query: String::new(), headers };
            Target::parse(&head, &["localhost".to_owned()]).unwrap()
        };
        for host in ["127.0.0.1:9000", "localhost", "123456789012.localhost:9000", "123456789012.s3.example"] {
            let target = target(host, path, "123456789012");
            assert_eq!((target.level(), target.account.as_deref()), (Level::Account, Some("123456789012")), "{host}");
            assert_eq!((target.bucket.as_deref(), target.resource().as_str()), (None, path));
        }
        assert_eq!(target("pail.localhost", path, "123456789012").level(), Level::Object);
        assert_eq!(target("localhost", "/v20180820/configuration/other", "123456789012").level(), Level::Object);
        assert_eq!(
            self::target("localhost", path),
            path_style(Some("v20180820"), Some(b"configuration/publicAccessBlock"))
        );
    }
}
