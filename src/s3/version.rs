//! Identifiers of versions as clients name them.

use super::error::S3Error;
use crate::names::VersionId;

/// Parses what a client gives as `name`. What can be no identifier is an error, unlike one of a version that is gone.
pub fn parse(text: &str, name: &str) -> Result<VersionId, S3Error> {
    if text.is_empty() {
        return Err(S3Error::invalid_argument("Version id cannot be the empty string", name, text));
    }
    text.parse().map_err(|_| S3Error::invalid_argument("Invalid version id specified", name, text))
}
