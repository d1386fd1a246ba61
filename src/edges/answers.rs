//! Answers to edges: what an answer depends on, and that it may be kept as long as nothing of that changes.

use super::Edges;
use super::entries::may_read_feed;
use crate::access::Context;
use crate::feed::{Depends, EDGE_HEADER};
use crate::http::head::Head;
use crate::names::{AccountId, BucketName};

/// How long an edge may keep an answer while it follows the feed: a year.
pub const KEPT: &str = "max-age=31536000";

/// The headers that connected edges read: RFC 9213 section 3.1, and what the answer depends on.
pub const KEPT_HEADER: &str = "cdn-cache-control";

impl Edges {
    /// Whether a signed request comes from an edge that hears of all changes of the bucket: it names the key by which the edge
    /// reads the feed. Anybody who may sign could name it, and would learn the names of keys that he asked for.
    ///
    /// Whether the edge reads the feed just now is its own affair: only then does it trust what it was told.
    pub async fn follows(&self, head: &Head, account: &AccountId, bucket: &BucketName) -> bool {
        let Ok(Some(id)) = head.headers.text(EDGE_HEADER) else { return false };
        match self.identities.authenticate(id, None).await {
            Ok(Some(key)) => may_read_feed(&key.caller, account, bucket, &Context::at(self.clock.now())),
            Ok(None) => false,
            Err(error) => {
                tracing::error!(%error, "an edge's key was not looked up");
                false
            }
        }
    }
}

/// What an edge is told of an answer with this status: what it depends on, and that it may be kept. `None` where the feed
/// would not tell of everything that it follows from: an error of the server, or one that is the caller's rights'; or where
/// nobody but the visitor is to have it.
pub fn told(status: u16, depends: &Depends, cache_control: Option<&str>) -> Option<[(&'static str, String); 2]> {
    let follows = matches!(status, 200 | 206 | 301 | 302 | 303 | 304 | 307 | 308 | 404 | 410 | 416);
    let private = cache_control.is_some_and(|value| {
        let mut directives = value.split(',').map(|directive| directive.split('=').next().unwrap_or_default().trim());
        directives.any(|name| name.eq_ignore_ascii_case("private") || name.eq_ignore_ascii_case("no-store"))
    });
    if !follows || private || depends.is_empty() || !depends.fits() {
        return None;
    }
    Some([(crate::feed::DEPENDS_HEADER, depends.to_string()), (KEPT_HEADER, KEPT.to_owned())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::Dependency;
    use crate::names::BucketName;

    #[test]
    fn what_the_feed_tells_all_about_may_be_kept() {
        let mut depends = Depends::new();
        assert_eq!(told(200, &depends, None), None, "nothing would ever drop it");
        depends.add(Dependency::Configuration { bucket: BucketName::parse("pail").unwrap() });
        for (status, cache_control, kept) in [
            (200, None, true),
            (200, Some("max-age=0, must-revalidate"), true),
            (304, Some("no-cache"), true),
            (404, None, true),
            (200, Some("Private"), false),
            (200, Some("max-age=5, no-store"), false),
            (200, Some("private=\"x-a\""), false),
            (403, None, false),
            (401, None, false),
            (500, None, false),
            (503, None, false),
        ] {
            assert_eq!(told(status, &depends, cache_control).is_some(), kept, "{status} {cache_control:?}");
        }
        for number in 0..crate::feed::MAX_DEPENDENCIES {
            depends.add(Dependency::Object { bucket: BucketName::parse("pail").unwrap(), key: number.to_string() });
        }
        assert_eq!(told(200, &depends, None), None, "more than an edge can be told");
    }
}
