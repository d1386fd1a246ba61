//! Requests from pages of other origins: what their answers say to browsers, and what browsers ask beforehand.
//!
//! Rules only tell browsers what pages may see: they allow nobody anything.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html>, <https://fetch.spec.whatwg.org/#http-cors-protocol>

mod preflight;
mod rules;

pub use rules::{Crossing, Rules};

use super::Service;
use super::error::S3Error;
use crate::http::head::Head;
use crate::names::BucketName;
use crate::store;
use crate::store::bucket::Bucket;
use crate::store::configuration::Kind;

/// What every answer of a bucket with rules depends on, so that no cache gives one origin's answer to another.
const VARY: (&str, &str) = ("vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method");

/// Headers that every answer to one request has, whatever it comes to: errors are for the page's eyes as well.
#[derive(Debug, Default)]
pub struct CrossOrigin(Vec<(&'static str, String)>);

impl CrossOrigin {
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// For a bucket with rules, and a request that meets none of them.
    fn none() -> Self {
        Self(vec![(VARY.0, VARY.1.to_owned())])
    }

    fn new(rules: &Rules, crossing: &Crossing) -> Self {
        let mut headers = Self::none();
        if let Some(rule) = rules.find(crossing) {
            headers.0.extend(rule.answer(crossing));
        }
        headers
    }
}

impl<'h> Crossing<'h> {
    /// What a request says of where it comes from; `None` if it does not come from a page.
    fn of(head: &'h Head) -> Option<Self> {
        let announced = head.headers.text("access-control-request-method").ok()?;
        Some(Self {
            origin: origin_of(head)?,
            method: announced.unwrap_or(&head.method),
            headers: announced_headers(head),
        })
    }
}

fn origin_of(head: &Head) -> Option<&str> {
    head.headers.text("origin").ok().flatten().filter(|origin| !origin.is_empty())
}

fn announced_headers(head: &Head) -> Vec<String> {
    let lists = head.headers.all("access-control-request-headers").map(String::from_utf8_lossy);
    let names = lists.flat_map(|list| list.split(',').map(|name| name.trim().to_ascii_lowercase()).collect::<Vec<_>>());
    names.filter(|name| !name.is_empty()).collect()
}

impl Service {
    /// What the rules of the bucket add to every answer to this request: nothing where there are none.
    pub(super) async fn cross_origin(&self, head: &Head, bucket: &Bucket) -> CrossOrigin {
        let headers = match Crossing::of(head) {
            Some(crossing) => {
                self.rules_of(bucket).await.map(|rules| rules.map(|rules| CrossOrigin::new(&rules, &crossing)))
            }
            None => self.has_rules(bucket).await.map(|has| has.then(CrossOrigin::none)),
        };
        headers.map(Option::unwrap_or_default).unwrap_or_else(|error| {
            let bucket = bucket.record.name.as_str();
            tracing::warn!(bucket, %error, cause = ?error.source, "the CORS rules cannot be read");
            CrossOrigin::default()
        })
    }

    /// As [`Self::cross_origin`], for a request that was refused before its bucket was looked up. Looks it up only where
    /// the request comes from a page: what is refused to others is cached nowhere.
    pub(super) async fn cross_origin_of_refused(&self, head: &Head, bucket: Option<&str>) -> CrossOrigin {
        let name = bucket.filter(|_| origin_of(head).is_some()).and_then(|name| BucketName::parse(name).ok());
        let Some(name) = name else { return CrossOrigin::default() };
        match self.store.bucket(&name).await {
            Ok(bucket) => self.cross_origin(head, &bucket).await,
            Err(_) => CrossOrigin::default(),
        }
    }

    async fn has_rules(&self, bucket: &Bucket) -> Result<bool, S3Error> {
        Ok(self.store.configuration(bucket).await?.get(Kind::Cors).is_some())
    }

    /// The bucket's rules. Where nothing was ever configured this costs nothing.
    async fn rules_of(&self, bucket: &Bucket) -> Result<Option<Rules>, S3Error> {
        let configuration = self.store.configuration(bucket).await?;
        let Some(document) = configuration.get(Kind::Cors) else { return Ok(None) };
        Rules::decode(document).map(Some).map_err(S3Error::internal)
    }
}

/// The bucket of this name, if there is one.
async fn found(service: &Service, name: Option<BucketName>) -> Result<Option<Bucket>, S3Error> {
    let Some(name) = name else { return Ok(None) };
    match service.store.bucket(&name).await {
        Ok(bucket) => Ok(Some(bucket)),
        Err(store::Error::NoSuchBucket(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
