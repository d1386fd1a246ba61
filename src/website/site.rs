//! From a request to what its site answers.

use actix_web::http::header;

use super::Service;
use super::answer::Answer;
use super::deliver::{deliver, deliver_document};
use super::failure::{Code, Failure};
use super::files::Objects;
use super::judge::Judge;
use super::request::Request;
use super::resolve::{Asked, Outcome, resolve};
use super::serve::tell;
use crate::names::BucketName;
use crate::site::Moved;
use crate::site::configuration::{Serve, Website};
use crate::site::host::Addressed;
use crate::site::path::{InvalidPath, SitePath};
use crate::store::bucket::Bucket;

impl Service {
    /// Answers a request; `site` is told whose it is. Fails where there is no site to answer.
    pub(super) async fn answer(&self, request: &Request, site: &mut Option<String>) -> Result<Answer, Failure> {
        let bucket = self.addressed(request).await?;
        *site = Some(bucket.record.name.as_str().to_owned());
        let rules = self.rules.of(&self.store, &bucket).await?;
        match &rules.website {
            Website::RedirectAll(redirect) => {
                let (path, query) = (&request.head.path, &request.head.query);
                Ok(moved(redirect.target(path, query, request.protocol())))
            }
            Website::Serve(website) => self.serve(request, &bucket, website).await,
        }
    }

    /// The bucket that a host stands for.
    async fn addressed(&self, request: &Request) -> Result<Bucket, Failure> {
        let host = &request.authority.host;
        let nobody = || Failure::new(Code::NoSuchBucket).detail("BucketName", host.to_string());
        let name = match Addressed::of(host, &self.options.domains) {
            Addressed::Bucket(name) => name,
            Addressed::Custom(host) => match self.store.domain(&host).await? {
                Some(bucket) => return Ok(bucket),
                // <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html#VirtualHostingCustomURLs>
                None => BucketName::parse(host.as_str()).map_err(|_| nobody())?,
            },
            Addressed::Preview(..) | Addressed::Nobody => return Err(nobody()),
        };
        Ok(self.store.bucket(&name).await?)
    }

    async fn serve(&self, request: &Request, bucket: &Bucket, website: &Serve) -> Result<Answer, Failure> {
        let path = SitePath::parse(&request.head.path).map_err(refused_path)?;
        let visitor = self.visitor(&request.head, request.origin).await?;
        let judge = Judge::of(self, bucket, &visitor, &request.head).await?;
        let (host, headers) = (request.authority.to_string(), &request.head.headers);
        let asked = Asked { key: path.key(), host: &host, protocol: request.protocol(), headers };
        let mut files = Objects { store: &self.store, bucket, judge: &judge, open: !request.may_need_no_bytes() };
        let mut outcome = resolve(website, &files, asked).await;
        if !files.open && !request.is_head() && outcome.has_bytes() {
            // All of it again: what is opened now may be another file than the one that was looked at.
            files.open = true;
            outcome = resolve(website, &files, asked).await;
        }
        Ok(self.answer_of(request, outcome))
    }

    fn answer_of(&self, request: &Request, outcome: Outcome) -> Answer {
        match outcome {
            Outcome::File(file, portion) => deliver(file, portion),
            Outcome::Document(file, failure) => tell(deliver_document(file, failure.status()), &failure),
            Outcome::Moved(to) => moved(to),
            Outcome::Folder(location) => moved(Moved { status: 302, location })
                .named("x-amz-error-code", "Found")
                .named("x-amz-error-message", "Resource Found"),
            Outcome::Failed(failure, document) => {
                self.failed(&failure, document.as_ref(), request.id, request.is_head())
            }
        }
    }
}

fn moved(to: Moved) -> Answer {
    Answer::new(to.status).header(header::LOCATION, to.location)
}

fn refused_path(error: InvalidPath) -> Failure {
    match error {
        InvalidPath::TooLong => Failure::new(Code::KeyTooLongError),
        other => Failure::with_message(Code::InvalidURI, format!("Couldn't parse the specified URI: {other}.")),
    }
}
