//! Purges that operators ask for: with the method `PURGE`, and on the admin listener.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use subtle::ConstantTimeEq;

use super::super::cache;
use super::super::engine::Engine;
use super::super::follow::{ChannelError, Follower, PurgeError, in_the_caches_words};
use crate::feed::{Purge, Scope, Target};

/// The most tags of one `PURGE`.
const MAX_TAGS: usize = 256;

/// Why a purge is not done.
#[derive(Debug, thiserror::Error)]
pub enum PurgeFailure {
    /// In force here, but a crash would forget it.
    #[error("the purge could not be noted on disk: {0}")]
    Disk(#[from] cache::DiskError),
    #[error("the purge did not reach the server: {0}")]
    Feed(#[from] PurgeError),
}

impl PurgeFailure {
    /// What whoever asked is told: 403 where the server says that this edge may not, otherwise that it is not known to be done.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Feed(PurgeError::Channel(ChannelError::Refused { status: StatusCode::FORBIDDEN, .. })) => {
                StatusCode::FORBIDDEN
            }
            Self::Feed(PurgeError::Channel(ChannelError::Refused { status: StatusCode::BAD_REQUEST, .. })) => {
                StatusCode::BAD_REQUEST
            }
            Self::Disk(_) | Self::Feed(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// Carries out purges: through the feed where there is one, so that every edge has them.
pub struct Purger {
    pub engine: Engine,
    pub follower: Option<Arc<Follower>>,
}

impl Purger {
    /// Returns once no request that begins from now on is answered with what `purges` are about.
    pub async fn purge(&self, purges: Vec<Purge>) -> Result<(), PurgeFailure> {
        match &self.follower {
            Some(follower) => drop(follower.purge(purges).await?),
            None => {
                let purges: Vec<_> = purges.into_iter().map(in_the_caches_words).collect();
                self.engine.purge(&purges).await?;
            }
        }
        Ok(())
    }
}

/// Whether one of `tokens` is in `Authorization: Bearer`. Takes the same time for every wrong one of the same length.
pub fn is_authorized(headers: &HeaderMap, tokens: &[String]) -> bool {
    let mut given = headers.get_all(http::header::AUTHORIZATION).iter();
    let (Some(value), None) = (given.next(), given.next()) else { return false };
    let bytes = value.as_bytes();
    let Some((scheme, token)) = bytes.split_at_checked("Bearer ".len()) else { return false };
    let named = scheme.eq_ignore_ascii_case(b"bearer ");
    let known = tokens.iter().fold(subtle::Choice::from(0), |known, one| known | one.as_bytes().ct_eq(token));
    named && bool::from(known)
}

/// What a `PURGE` of `target` on `host` is about: the tags in `Surrogate-Key`, otherwise the URL, where a `*` at its end
/// stands for all that begins so, and `*` alone for the whole host. `Soft-Purge: 1` (Fastly's name works, too) only marks as
/// stale.
pub fn asked(headers: &HeaderMap, target: &str, host: &str, site: &str) -> Result<Vec<Purge>, (StatusCode, String)> {
    let soft = ["soft-purge", "fastly-soft-purge"].iter().any(|name| headers.get(*name).is_some_and(|on| on == "1"));
    let tags: Vec<&str> = headers
        .get_all("surrogate-key")
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(str::split_ascii_whitespace)
        .collect();
    if tags.len() > MAX_TAGS {
        return Err((StatusCode::BAD_REQUEST, format!("At most {MAX_TAGS} tags can be purged at once.")));
    }
    let wrong = |error: crate::feed::InvalidItem| (StatusCode::BAD_REQUEST, error.to_string());
    if tags.is_empty() {
        let target = if target == "*" { Target::All } else { Target::parse(target).map_err(wrong)? };
        return Ok(vec![Purge { scope: Scope::Host(host.to_owned()), target, soft }]);
    }
    let scope = || Scope::Site(site.to_owned());
    let tag = |tag: &str| Ok(Purge { scope: scope(), target: Target::parse(&format!("#{tag}")).map_err(wrong)?, soft });
    tags.into_iter().map(tag).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn only_who_has_a_token_may_purge() {
        let tokens = ["a-token-of-20-letters".to_owned(), "another-token-of-more".to_owned()];
        let authorized = |value| is_authorized(&headers(&[("authorization", value)]), &tokens);
        assert!(authorized("Bearer a-token-of-20-letters") && authorized("bearer another-token-of-more"));
        for wrong in ["Bearer a-token-of-20-letterz", "Bearer ", "a-token-of-20-letters", "Basic a-token-of-20-letters"]
        {
            assert!(!authorized(wrong), "{wrong}");
        }
        let right = "Bearer a-token-of-20-letters";
        assert!(!is_authorized(&headers(&[("authorization", right), ("authorization", right)]), &tokens));
        assert!(!is_authorized(&headers(&[]), &tokens));
    }

    #[test]
    fn what_the_server_refuses_is_told_apart_from_what_is_not_known_to_be_done() {
        let refused = |status| {
            let why = ": AccessDenied: This edge may not.".to_owned();
            PurgeFailure::from(PurgeError::Channel(ChannelError::Refused { status, why }))
        };
        assert_eq!(refused(StatusCode::FORBIDDEN).status(), StatusCode::FORBIDDEN);
        assert_eq!(refused(StatusCode::BAD_REQUEST).status(), StatusCode::BAD_REQUEST);
        assert_eq!(refused(StatusCode::INTERNAL_SERVER_ERROR).status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(PurgeFailure::from(PurgeError::NotHeard).status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[test]
    fn a_purge_is_of_a_url_of_what_begins_so_of_a_host_or_of_tags() {
        let purged = |target, pairs: &[_]| {
            let purges = asked(&headers(pairs), target, "a.example", "shop").unwrap();
            purges.into_iter().map(|purge| (purge.scope, purge.target, purge.soft)).collect::<Vec<_>>()
        };
        let host = || Scope::Host("a.example".into());
        assert_eq!(purged("/a?b=1", &[]), [(host(), Target::Path("/a?b=1".into()), false)]);
        assert_eq!(purged("/a/*", &[("soft-purge", "1")]), [(host(), Target::Prefix("/a/".into()), true)]);
        assert_eq!(purged("*", &[("fastly-soft-purge", "1")]), [(host(), Target::All, true)]);
        let tags = purged("/", &[("surrogate-key", "x  y"), ("surrogate-key", "z")]);
        let site = || Scope::Site("shop".into());
        let expected = ["x", "y", "z"].map(|tag| (site(), Target::Tag(tag.into()), false));
        assert_eq!(tags, expected);
        assert!(asked(&headers(&[]), "/a*b", "a.example", "shop").is_err());
    }
}
