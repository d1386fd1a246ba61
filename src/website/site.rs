//! From a request to what its site answers.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use actix_web::http::header::{self, HeaderName};

use super::Service;
use super::answer::Answer;
use super::deliver::{deliver, deliver_document};
use super::dress::{Dressed, dress};
use super::failure::{Code, Failure};
use super::files::{Deployed, Objects};
use super::judge::Judge;
use super::place::Place;
use super::request::Request;
use super::resolve::{Asked, Outcome, resolve};
use super::rules::{Modern, SiteRules};
use super::serve::tell;
use super::visitor::Visitor;
use crate::feed::{Dependency, Depends};
use crate::site::Moved;
use crate::site::configuration::{Protocol, Serve, Website};
use crate::site::password::{CHALLENGE, Entry};
use crate::site::path::{InvalidPath, SitePath};

const ROBOTS_TAG: HeaderName = HeaderName::from_static("x-robots-tag");
const ERROR_CODE: HeaderName = HeaderName::from_static("x-amz-error-code");
const ERROR_MESSAGE: HeaderName = HeaderName::from_static("x-amz-error-message");

/// What came of a request to one state of a site.
enum Said {
    Answer(Answer),
    /// A file is gone that the site named, which is another one by now.
    Outdated(Place),
}

/// A site that a request is for, with everything that its answer follows from.
#[derive(Clone, Copy)]
struct Visit<'r> {
    request: &'r Request,
    path: &'r SitePath<'r>,
    website: &'r Serve,
    place: &'r Place,
    rules: &'r SiteRules,
    judge: &'r Judge<'r>,
    /// What was looked at so far.
    depends: &'r RefCell<Depends>,
}

impl Service {
    /// Answers a request; `site` is told whose it is. Fails where there is no site to answer.
    pub(super) async fn answer(&self, request: &mut Request, site: &mut Option<String>) -> Result<Answer, Failure> {
        let visitor = self.visitor(&request.head, request.origin).await?;
        request.forward(&visitor.forwarded);
        let place = match self.place(&request.sent_to.host).await {
            // An edge may have no name for the site but the one that its visitor used.
            Err(failure) if failure.code == Code::NoSuchBucket && visitor.forwarded.host.is_some() => {
                self.place(&request.authority.host).await?
            }
            place => place?,
        };
        *site = Some(place.bucket.record.name.as_str().to_owned());
        let answered = self.answer_at(request, &visitor, &place).await;
        match place.preview {
            None => answered,
            // A preview is for those who were told its address. Its error pages are not for search engines either.
            Some(_) => match answered {
                Ok(answer) => Ok(answer.header(ROBOTS_TAG, "noindex")),
                Err(failure) => Err(failure.header("x-robots-tag", "noindex")),
            },
        }
    }

    /// What the site says. Where it was changed meanwhile, nothing counts that was decided before: who may see it, neither.
    pub(super) async fn answer_at(
        &self,
        request: &Request,
        visitor: &Visitor,
        place: &Place,
    ) -> Result<Answer, Failure> {
        let fresh = match self.answer_once(request, visitor, place).await? {
            Said::Answer(answer) => return Ok(answer),
            Said::Outdated(fresh) => fresh,
        };
        match self.answer_once(request, visitor, &fresh).await? {
            Said::Answer(answer) => Ok(answer),
            Said::Outdated(_) => Err(Failure::new(Code::SlowDown)),
        }
    }

    /// As the site is at `place`, and, where an edge asks that follows the bucket, with what the answer depends on.
    async fn answer_once(&self, request: &Request, visitor: &Visitor, place: &Place) -> Result<Said, Failure> {
        let depends = RefCell::new(Depends::new());
        let said = self.say(request, visitor, place, &depends).await?;
        let Said::Answer(answer) = said else { return Ok(said) };
        let bucket = &place.bucket.record;
        let is_signed = visitor.signing.is_some();
        if !is_signed || !self.edges.follows(&request.head, &bucket.account, &bucket.name).await {
            return Ok(Said::Answer(answer));
        }
        let mut depends = depends.into_inner();
        depends.add(Dependency::Configuration { bucket: bucket.name.clone() });
        Ok(Said::Answer(answer.told(&depends)))
    }

    async fn say(
        &self,
        request: &Request,
        visitor: &Visitor,
        place: &Place,
        depends: &RefCell<Depends>,
    ) -> Result<Said, Failure> {
        let rules = self.rules_at(place).await?;
        if place.preview.is_none()
            && let Some(to) = rules.modern.as_ref().and_then(|modern| canonical(modern, request))
        {
            return Ok(Said::Answer(moved(to)));
        }
        self.ask_password(&rules, request).await?;
        let website = match &rules.website {
            Website::Serve(website) => website,
            Website::RedirectAll(redirect) => {
                let (path, query) = (&request.head.path, &request.head.query);
                return Ok(Said::Answer(moved(redirect.target(path, query, request.protocol))));
            }
        };
        let path = SitePath::parse(&request.head.path).map_err(refused_path)?;
        let judge = Judge::of(self, &place.bucket, visitor, &request.head).await?;
        let visit = Visit { request, path: &path, website, place, rules: &rules, judge: &judge, depends };
        let (outcome, lost) = self.look(&visit).await;
        if lost && let Some(fresh) = self.successor(&visit).await? {
            return Ok(Said::Outdated(fresh));
        }
        Ok(Said::Answer(self.answer_of(&visit, outcome)))
    }

    /// The place as it is by now, where the site is another one: between its pointer and its files a deploy was removed.
    /// `None` where it is the same, whose files are lost.
    async fn successor(&self, visit: &Visit<'_>) -> Result<Option<Place>, Failure> {
        let bucket = self.store.bucket(&visit.place.bucket.record.name).await?;
        let place = Place { bucket, preview: visit.place.preview };
        if self.rules_at(&place).await?.differ(visit.rules) {
            return Ok(Some(place));
        }
        let (bucket, path) = (place.bucket.record.name.as_str(), visit.path.as_str());
        tracing::warn!(bucket, path, "a file of a deploy is lost");
        Ok(None)
    }

    async fn rules_at(&self, place: &Place) -> Result<Arc<SiteRules>, Failure> {
        self.rules.of(&self.store, &place.bucket, place.preview, self.clock.now()).await
    }

    /// Fails unless the visitor knows the password of the site, where it has one.
    async fn ask_password(&self, rules: &SiteRules, request: &Request) -> Result<(), Failure> {
        let Some(password) = &rules.password else { return Ok(()) };
        match self.doorkeeper.judge(password, request.head.headers.all("authorization").next()).await {
            Entry::Open => Ok(()),
            Entry::Refused => Err(Failure::new(Code::Unauthorized)
                .header("www-authenticate", CHALLENGE)
                .header("cache-control", "no-store")),
            Entry::Busy => Err(Failure::new(Code::SlowDown)),
        }
    }

    /// What the site has to say, and whether a file was gone that it names. What may turn out to need no bytes is only looked
    /// at first; what is then opened may be another file, so all is decided again.
    async fn look(&self, visit: &Visit<'_>) -> (Outcome, bool) {
        let open = !visit.request.may_need_no_bytes();
        let looked = self.look_once(visit, open).await;
        if open || visit.request.is_head() || !looked.0.has_bytes() {
            return looked;
        }
        self.look_once(visit, true).await
    }

    async fn look_once(&self, visit: &Visit<'_>, open: bool) -> (Outcome, bool) {
        let &Visit { request, path, website, place, rules, judge, depends } = visit;
        let host = request.authority.to_string();
        let (protocol, headers, query) = (request.protocol, &request.head.headers, request.head.query.as_str());
        let asked = Asked { path, query, host: &host, protocol, headers };
        let (store, bucket, modern) = (&self.store, &place.bucket, rules.modern.as_ref());
        match &rules.deploy {
            None => {
                let files = Objects { store, bucket, judge, modern: modern.is_some(), open, depends };
                (resolve(website, modern, &files, asked).await, false)
            }
            Some(deploy) => {
                let lost = Cell::new(false);
                let files = Deployed { store, bucket, judge, rules, deploy, open, lost };
                let outcome = resolve(website, modern, &files, asked).await;
                (outcome, files.lost.get())
            }
        }
    }

    fn answer_of(&self, visit: &Visit<'_>, outcome: Outcome) -> Answer {
        match outcome {
            Outcome::File(file, portion) => {
                let key = file.key.clone();
                visit.dressed(deliver(file, portion), &key, false)
            }
            Outcome::SinglePage(file, portion) => {
                let key = file.key.clone();
                visit.dressed(deliver(file, portion), &key, true)
            }
            Outcome::Document(file, failure) => {
                let key = file.key.clone();
                tell(visit.dressed(deliver_document(file, failure.status()), &key, true), &failure)
            }
            Outcome::Moved(to) => moved(to),
            Outcome::Folder(location) => moved(Moved { status: 302, location })
                .header(ERROR_CODE, "Found")
                .header(ERROR_MESSAGE, "Resource Found"),
            Outcome::Failed(failure, document) => {
                self.failed(&failure, document.as_ref(), visit.request.id, visit.request.is_head())
            }
        }
    }
}

impl Visit<'_> {
    /// The answer with what the site's options add to it. The file may stand in for one that is not there.
    fn dressed(&self, answer: Answer, key: &str, stands_in: bool) -> Answer {
        let Some(modern) = &self.rules.modern else { return answer };
        let (host, path) = (self.request.authority.host.to_string(), self.path.as_str());
        let protected = self.rules.password.is_some();
        // Of the visitor, who may be an edge's: browsers take the field over HTTPS alone (RFC 6797 section 8.1).
        let secure = self.request.protocol == Protocol::Https;
        dress(answer, modern, key, Dressed { host: &host, path, secure, protected, stands_in })
    }
}

/// Where a request for the same site under its other name goes.
fn canonical(modern: &Modern, request: &Request) -> Option<Moved> {
    let host = request.authority.host.to_string();
    let canonical = modern.options.canonical(&host)?;
    let port = request.authority.port.map(|port| format!(":{port}")).unwrap_or_default();
    let (path, query) = (&request.head.path, &request.head.query);
    let mark = if query.is_empty() { "" } else { "?" };
    let location = format!("{}://{canonical}{port}{path}{mark}{query}", request.protocol.as_str());
    Some(Moved { status: 308, location })
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
