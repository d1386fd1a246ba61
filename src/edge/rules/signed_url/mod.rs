//! Signed URLs and signed cookies in CloudFront's format, canned and custom.
//!
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-signed-urls.html>

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use http::header::HeaderMap;

use self::claim::Presented;
pub use self::public_key::{InvalidKey, PublicKey};
use super::key::Target;
use crate::clock::Timestamp;

mod claim;
mod public_key;
#[cfg(test)]
mod tests;

/// The parameters of signed URLs. They are never in a key, nor does an origin see them.
const PARAMETERS: [&str; 5] = ["Expires", "Hash-Algorithm", "Key-Pair-Id", "Policy", "Signature"];

/// The keys that sign for a behaviour, by their ids.
#[derive(Debug, Clone, Default)]
pub struct KeyGroup(BTreeMap<String, PublicKey>);

/// Why a request is refused: 403 with this code and message, as CloudFront has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("Missing Key-Pair-Id query parameter or cookie value")]
    MissingKey,
    #[error("Unknown Key")]
    UnknownKey,
    #[error("Malformed Policy")]
    MalformedPolicy,
    #[error("Could not unencode Signature")]
    MalformedSignature,
    #[error("Access denied")]
    Denied,
}

impl Refused {
    /// The `Code` of the answer.
    pub const fn code(self) -> &'static str {
        match self {
            Self::MissingKey => "MissingKey",
            Self::UnknownKey => "InvalidKey",
            Self::MalformedPolicy => "MalformedPolicy",
            Self::MalformedSignature => "MalformedSignature",
            Self::Denied => "AccessDenied",
        }
    }
}

impl KeyGroup {
    pub fn new(keys: impl IntoIterator<Item = (String, PublicKey)>) -> Self {
        Self(keys.into_iter().collect())
    }

    /// Decides whether a request may go on: it has a valid signature in its URL or, if there is none, in its cookies.
    /// `target` has the query as the client sent it.
    pub fn check(
        &self,
        target: &Target<'_>,
        headers: &HeaderMap,
        client: IpAddr,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let in_url = Presented::in_query(target.query)?;
        let presented = if in_url.is_any() { in_url } else { Presented::in_cookies(headers)? };
        let key = self.0.get(presented.key_pair_id.ok_or(Refused::MissingKey)?).ok_or(Refused::UnknownKey)?;
        let url = signed_url(target);
        let claim = presented.claim(&url)?;
        let signature = presented.signature.and_then(claim::decode).ok_or(Refused::MalformedSignature)?;
        if !key.verify(presented.hash()?, claim.text().as_bytes(), &signature) {
            return Err(Refused::Denied);
        }
        claim.condition(&url)?.check(client, now)
    }
}

/// Gives the query without the parameters of signed URLs, otherwise as it was; `None` where nothing is left.
pub fn unsigned_query(query: Option<&str>) -> Option<Cow<'_, str>> {
    let query = query?;
    let is_own = |part: &str| !PARAMETERS.contains(&name_of(part));
    if query.split('&').all(is_own) {
        return Some(Cow::Borrowed(query));
    }
    let own: Vec<&str> = query.split('&').filter(|part| is_own(part)).collect();
    if own.is_empty() { None } else { Some(Cow::Owned(own.join("&"))) }
}

/// The URL that a signature speaks of.
fn signed_url(target: &Target<'_>) -> String {
    let scheme = if target.secure { "https" } else { "http" };
    let mut url = format!("{scheme}://{}{}", target.host, target.path);
    if let Some(query) = unsigned_query(target.query) {
        url.push('?');
        url.push_str(&query);
    }
    url
}

fn name_of(part: &str) -> &str {
    part.split_once('=').map_or(part, |(name, _)| name)
}
