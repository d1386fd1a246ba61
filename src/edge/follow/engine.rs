//! The engine as what a follower works on.

use async_trait::async_trait;
use bytes::Bytes;

use super::holder::{Gone, Holder, HolderError};
use crate::edge::cache::{Purge, Scope, SiteId, What};
use crate::edge::engine::Engine;
use crate::edge::rules::key::purge_path;
use crate::feed;

#[async_trait]
impl Holder for Engine {
    async fn drop_all(&self, gone: Vec<Gone>) -> Result<(), HolderError> {
        let purges: Vec<Purge> = gone.into_iter().map(purge_of).collect();
        self.purge(&purges).await.map_err(|error| HolderError(error.into()))?;
        Ok(())
    }

    async fn flush(&self) -> Result<(), HolderError> {
        self.purge(&[Purge::everything()]).await.map_err(|error| HolderError(error.into()))?;
        Ok(())
    }

    fn cursor(&self) -> Option<Bytes> {
        self.cache().cursor()
    }

    async fn save_cursor(&self, cursor: Bytes) {
        self.cache().save_cursor(cursor);
    }
}

fn purge_of(gone: Gone) -> Purge {
    match gone {
        Gone::Dependents(tag) => Purge::hard(Scope::Everything, What::Dependency(tag)),
        Gone::Purged(purge) => in_the_caches_words(purge),
    }
}

/// A purge of the feed, as the cache is told it.
pub fn in_the_caches_words(purge: feed::Purge) -> Purge {
    Purge { scope: scope_of(purge.scope), what: what_of(purge.target), soft: purge.soft }
}

fn scope_of(scope: feed::Scope) -> Scope {
    match scope {
        feed::Scope::Everything => Scope::Everything,
        feed::Scope::Site(site) => Scope::Site(SiteId::new(&site)),
        feed::Scope::Host(host) => Scope::Host(host),
    }
}

/// Paths are compared in one form, whatever they were written as.
fn what_of(target: feed::Target) -> What {
    match target {
        feed::Target::All => What::All,
        feed::Target::Path(path) => What::Path(purge_path(&path).into_owned()),
        feed::Target::Prefix(prefix) => What::Prefix(purge_path(&prefix).into_owned()),
        feed::Target::Tag(tag) => What::Tag(tag),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purges_of_the_feed_are_the_cache_s() {
        let purged = |scope, target| purge_of(Gone::Purged(feed::Purge { scope, target, soft: true }));
        let soft = |scope, what| Purge { scope, what, soft: true };
        assert_eq!(
            purged(feed::Scope::Site("www".into()), feed::Target::Path("/%7ea%2f".into())),
            soft(Scope::Site(SiteId::new("www")), What::Path("/~a%2F".into()))
        );
        assert_eq!(
            purged(feed::Scope::Host("a.example".into()), feed::Target::Prefix("/%61".into())),
            soft(Scope::Host("a.example".into()), What::Prefix("/a".into()))
        );
        assert_eq!(purged(feed::Scope::Everything, feed::Target::All), soft(Scope::Everything, What::All));
        assert_eq!(
            purge_of(Gone::Dependents("pail/a".into())),
            Purge::hard(Scope::Everything, What::Dependency("pail/a".into()))
        );
    }
}
