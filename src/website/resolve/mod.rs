//! What a site has to say to a request, in S3's order.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/IndexDocumentSupport.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-page-redirect.html>

#[cfg(test)]
mod tests;

use super::deliver::{Portion, portion};
use super::failure::Failure;
use super::files::{File, Files};
use crate::http::head::Headers;
use crate::site::Moved;
use crate::site::configuration::{Protocol, Serve};
use crate::site::path::on_same_site;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'r> {
    /// The path, decoded, without its first slash.
    pub key: &'r str,
    /// Host and port, as redirects to the same site name them.
    pub host: &'r str,
    pub protocol: Protocol,
    /// The request's: conditions and ranges are in them.
    pub headers: &'r Headers,
}

/// What the site has to say.
pub enum Outcome {
    File(File, Portion),
    /// The site's own page for a failure, which goes with the failure's status.
    Document(File, Failure),
    Moved(Moved),
    /// The folder of that name has an index: 302 with this location.
    Folder(String),
    /// Neither file nor page; with why the site's error document could not be had, where it names one.
    Failed(Failure, Option<Failure>),
}

impl Outcome {
    /// Whether GET sends bytes of a file.
    pub fn has_bytes(&self) -> bool {
        matches!(self, Self::File(_, Portion::Whole | Portion::Part(_)) | Self::Document(..))
    }
}

/// Redirects that are for every request, then the file, then what follows from its absence.
pub async fn resolve(site: &Serve, files: &impl Files, asked: Asked<'_>) -> Outcome {
    if let Some(rule) = site.rule_before(asked.key) {
        return Outcome::Moved(rule.target(asked.key, asked.host, asked.protocol));
    }
    let failure = match files.find(&with_index(asked.key, &site.index)).await {
        Ok(file) => match given(file, asked) {
            Ok(outcome) => return outcome,
            Err(failure) => return fail(site, files, asked, failure).await,
        },
        Err(failure) => failure,
    };
    match folder(site, files, asked.key, &failure).await {
        Ok(Some(location)) => Outcome::Folder(location),
        Ok(None) => fail(site, files, asked, failure).await,
        Err(failure) => fail(site, files, asked, failure).await,
    }
}

/// What follows from a failure: a redirect for its status, the error document, or the page that every site has.
async fn fail(site: &Serve, files: &impl Files, asked: Asked<'_>, failure: Failure) -> Outcome {
    if let Some(rule) = site.rule_after(asked.key, failure.status()) {
        return Outcome::Moved(rule.target(asked.key, asked.host, asked.protocol));
    }
    let Some(document) = site.error.as_deref().filter(|_| failure.is_clients()) else {
        return Outcome::Failed(failure, None);
    };
    match files.find(document).await {
        Ok(file) => match redirect(&file) {
            Some(moved) => Outcome::Moved(moved),
            None => Outcome::Document(file, failure),
        },
        Err(second) => Outcome::Failed(failure, Some(second)),
    }
}

/// What is asked for of a file, or where it sends its visitors.
fn given(file: File, asked: Asked<'_>) -> Result<Outcome, Failure> {
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

/// The key of a request: of a folder, its index.
fn with_index(key: &str, index: &str) -> String {
    match key.is_empty() || key.ends_with('/') {
        true => [key, index].concat(),
        false => key.to_owned(),
    }
}

/// Where the folder of this name is, if it has an index that the visitor may read and no file has its name.
async fn folder(site: &Serve, files: &impl Files, key: &str, failure: &Failure) -> Result<Option<String>, Failure> {
    if !failure.hides_or_misses() || key.is_empty() || key.ends_with('/') {
        return Ok(None);
    }
    let location = [key, "/"].concat();
    match files.find(&with_index(&location, &site.index)).await {
        // A file that may not be read is no missing file.
        Ok(_) => Ok((!files.has(key).await?).then(|| on_same_site(&location, ""))),
        Err(absent) if absent.hides_or_misses() => Ok(None),
        Err(failure) => Err(failure),
    }
}
