//! Answers to edges: what an answer depends on, and that it may be kept as long as nothing of that changes.

use super::Edges;
use super::entries::may_read_feed;
use crate::access::Context;
use crate::feed::{Depends, Moment};
use crate::names::AccountId;

/// How long an edge may keep an answer while it follows the feed: a year.
pub const KEPT: &str = "max-age=31536000";

/// The headers that connected edges read: RFC 9213 section 3.1, and what the answer depends on.
pub const KEPT_HEADER: &str = "cdn-cache-control";

impl Edges {
    /// Whether a request that is signed with this key comes from an edge that hears of all changes of the bucket.
    pub fn follows(&self, access_key_id: &str, account: &AccountId, bucket: &crate::names::BucketName) -> bool {
        // Hardly any request is: no lock is taken for the others.
        if !self.their_keys.load().contains(access_key_id) {
            return false;
        }
        let context = Context::at(self.clock.now());
        let registry = self.registry.lock();
        registry.live(Moment::now()).any(|(_, known)| {
            let details = &known.details;
            details.signers.iter().any(|signer| signer == access_key_id)
                && may_read_feed(&details.caller, account, bucket, &context)
        })
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
