//! S3's order.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/IndexDocumentSupport.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-page-redirect.html>

use super::{Absence, Asked, Outcome, error_document, given, missing, rule_for};
use crate::site::configuration::Serve;
use crate::site::path::on_same_site;
use crate::website::failure::{Code, Failure};
use crate::website::files::{Files, Found};

/// Redirects that are for every request, then the file, then what follows from its absence.
pub async fn resolve(site: &Serve, files: &impl Files, asked: Asked<'_>) -> Outcome {
    let key = asked.path.key();
    if let Some(rule) = site.rule_before(key) {
        return Outcome::Moved(rule.target(key, asked.host, asked.protocol));
    }
    let name = with_index(key, &site.index);
    let absence = match files.find(&name).await {
        Ok(Found::File(file)) => match given(file, asked) {
            Ok(outcome) => return outcome,
            Err(failure) => Absence::Failed(failure),
        },
        Ok(Found::Missing) => Absence::Missing,
        Ok(Found::Denied) => Absence::Denied,
        Err(failure) => Absence::Failed(failure),
    };
    let failure = match absence {
        Absence::Failed(failure) => failure,
        absence => match folder(site, files, key, &absence).await {
            Ok(Some(location)) => return Outcome::Folder(location),
            Ok(None) if matches!(absence, Absence::Missing) => missing(files, &name),
            Ok(None) => Failure::new(Code::AccessDenied),
            Err(failure) => failure,
        },
    };
    match rule_for(site, asked, &failure) {
        Some(outcome) => outcome,
        None => error_document(site, files, failure).await,
    }
}

/// The key of a request: of a folder, its index.
fn with_index(key: &str, index: &str) -> String {
    match key.is_empty() || key.ends_with('/') {
        true => [key, index].concat(),
        false => key.to_owned(),
    }
}

/// Where the folder of this name is, if it has an index that the visitor may read and no file has its name.
async fn folder(site: &Serve, files: &impl Files, key: &str, absence: &Absence) -> Result<Option<String>, Failure> {
    if key.is_empty() || key.ends_with('/') {
        return Ok(None);
    }
    let location = [key, "/"].concat();
    let Found::File(_) = files.find(&with_index(&location, &site.index)).await? else { return Ok(None) };
    // A file that may not be read is no missing file.
    let is_file = matches!(absence, Absence::Denied) && files.has(key).await?;
    Ok((!is_file).then(|| on_same_site(&location, "")))
}
