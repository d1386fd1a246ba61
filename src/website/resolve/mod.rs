//! What a site has to say to a request: the order of rules. It asks for files and knows nothing of HTTP servers or stores.
//!
//! `endpoint` is S3's order, and all there is for a site without options; `modern` is the order with them.

mod endpoint;
mod modern;
mod represent;
#[cfg(test)]
mod tests;

use super::deliver::{Portion, portion};
use super::failure::{Code, Failure};
use super::files::{File, Files, Found};
use super::rules::Modern;
use crate::http::head::Headers;
use crate::site::Moved;
use crate::site::configuration::{Protocol, Serve};
use crate::site::path::SitePath;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'r> {
    pub path: &'r SitePath<'r>,
    /// As it came.
    pub query: &'r str,
    /// Host and port, as redirects to the same site name them.
    pub host: &'r str,
    pub protocol: Protocol,
    /// The request's: conditions, ranges and codings are in them.
    pub headers: &'r Headers,
}

/// What the site has to say.
pub enum Outcome {
    File(Box<File>, Portion),
    /// As [`Self::File`], from the page that answers for all that is not there.
    SinglePage(Box<File>, Portion),
    /// The site's own page for a failure, which goes with the failure's status.
    Document(Box<File>, Failure),
    Moved(Moved),
    /// The folder of that name has an index: 302 with this location.
    Folder(String),
    /// Neither file nor page; with why the site's error document could not be had, where it names one.
    Failed(Failure, Option<Failure>),
}

/// Why there is no file to send.
enum Absence {
    Missing,
    Denied,
    /// Something else is to be said of it.
    Failed(Failure),
}

impl Outcome {
    /// Whether GET sends bytes of a file.
    pub fn has_bytes(&self) -> bool {
        match self {
            Self::File(_, portion) | Self::SinglePage(_, portion) => *portion != Portion::NotModified,
            Self::Document(..) => true,
            Self::Moved(_) | Self::Folder(_) | Self::Failed(..) => false,
        }
    }
}

/// Says what the site answers; `modern` is what it has beyond S3's website endpoint.
pub async fn resolve(site: &Serve, modern: Option<&Modern>, files: &impl Files, asked: Asked<'_>) -> Outcome {
    match modern {
        Some(modern) => modern::resolve(site, modern, files, asked).await,
        None => endpoint::resolve(site, files, asked).await,
    }
}

/// What is asked for of a file that was found, or where it sends its visitors.
fn given(file: Box<File>, asked: Asked<'_>) -> Result<Outcome, Failure> {
    if let Some(moved) = redirect(&file) {
        return Ok(Outcome::Moved(moved));
    }
    let portion = portion(asked.headers, &file)?;
    Ok(Outcome::File(file, portion))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-page-redirect.html#redirect-requests-object-metadata>
fn redirect(file: &File) -> Option<Moved> {
    file.redirect().map(|location| Moved { status: 301, location: location.to_owned() })
}

/// A redirect that a routing rule has for a failure.
fn rule_for(site: &Serve, asked: Asked<'_>, failure: &Failure) -> Option<Outcome> {
    let rule = site.rule_after(asked.path.key(), failure.status())?;
    Some(Outcome::Moved(rule.target(asked.path.key(), asked.host, asked.protocol)))
}

/// The error document of the website configuration, or the page that every site has.
async fn error_document(site: &Serve, files: &impl Files, failure: Failure) -> Outcome {
    let Some(document) = site.error.as_deref().filter(|_| failure.is_clients()) else {
        return Outcome::Failed(failure, None);
    };
    match files.find(document).await {
        Ok(Found::File(file)) => match redirect(&file) {
            Some(moved) => Outcome::Moved(moved),
            None => Outcome::Document(file, failure),
        },
        Ok(Found::Missing) => Outcome::Failed(failure, Some(missing(files, document))),
        Ok(Found::Denied) => Outcome::Failed(failure, Some(Failure::new(Code::AccessDenied))),
        Err(second) => Outcome::Failed(failure, Some(second)),
    }
}

/// That a file is missing, as S3 tells it: to who may not list, it may as well be denied.
fn missing(files: &impl Files, key: &str) -> Failure {
    if files.lists() { Failure::missing(key) } else { Failure::new(Code::AccessDenied) }
}
