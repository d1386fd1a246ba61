//! Purges that come from elsewhere than CloudFront's API: from edges that were asked for one, and from operators.

use super::refusal::Refusal;
use super::{Edges, name_for};
use crate::access::{self, Arn, Context, Rules};
use crate::feed::{Moment, Position, Purge, PurgeAnswer, PurgeRequest, Scope, Site, Target};
use crate::guard::Origin;
use crate::identity::Key;
use crate::names::AccountId;
use crate::store::change::Cause;
use crate::store::distributions::DistributionId;
use crate::store::log::PurgeRecord;
use crate::store::{self, Position as Offset};

/// The permission to purge, in IAM's words: of `arn:aws:cloudfront::ACCOUNT:distribution/ID`.
pub const CREATE_INVALIDATION: &str = "cloudfront:CreateInvalidation";

/// The most purges that are handed in together: as many as an invalidation may have items.
const MAX_PURGES: usize = 3000;

impl Edges {
    /// Takes purges that an edge hands in for all edges of its account.
    pub(super) async fn purge_for(
        &self,
        key: &Key,
        origin: Origin,
        request: PurgeRequest,
        request_id: &str,
    ) -> Result<PurgeAnswer, Refusal> {
        if request.purges.is_empty() || request.purges.len() > MAX_PURGES {
            return Err(Refusal::Malformed(format!("there are 1 to {MAX_PURGES} purges at a time")));
        }
        for purge in &request.purges {
            checked(&purge.target)?;
            self.authorize_purge(key, &self.context(origin), &purge.scope)?;
        }
        let cause = Cause {
            principal: key.caller.user_id.clone(),
            source_address: origin.address.map(|address| address.to_string()).unwrap_or_default(),
            request_id: request_id.to_owned(),
        };
        let offset = self.purge(Some(key.account.id.clone()), &request.purges, cause).await?;
        Ok(PurgeAnswer { position: Position { log: name_for(self.log(), &key.caller), offset: offset.0 } })
    }

    /// Puts purges into the log, for the edges of an account or for all. What is gone is told by [`Self::is_gone`].
    pub async fn purge(
        &self,
        account: Option<AccountId>,
        purges: &[Purge],
        cause: Cause,
    ) -> Result<Offset, store::Error> {
        let document = serde_json::to_vec(purges).map_err(|_| store::Error::Record("purges that are no document"))?;
        self.store.append_purge(&PurgeRecord { at: self.clock.now(), account, document, cause }).await
    }

    /// An edge may purge the sites that it told of, and those that others told of with the same user's keys; beyond these,
    /// policies decide.
    fn authorize_purge(&self, key: &Key, context: &Context<'_>, scope: &Scope) -> Result<(), Refusal> {
        let account = &key.account.id;
        let (resource, told_of) = match scope {
            Scope::Everything => ("*".to_owned(), false),
            Scope::Site(id) => {
                (DistributionId::of(account, id).to_string(), self.has_told_of(key, |site| site.id == *id))
            }
            Scope::Host(host) => {
                let covered = |site: &Site| site.hosts.iter().any(|known| covers(known, host));
                ("*".to_owned(), self.has_told_of(key, covered))
            }
        };
        let resource = format!("arn:aws:cloudfront::{account}:distribution/{resource}");
        let may = |arn: &Arn| {
            let rules = Rules::of_account(account);
            access::decide(&key.caller, CREATE_INVALIDATION, arn, context, &rules).allowed
        };
        if told_of || Arn::parse(&resource).is_some_and(|arn| may(&arn)) {
            return Ok(());
        }
        let principal = key.caller.principal.arn().unwrap_or_default();
        Err(Refusal::Denied { principal, action: CREATE_INVALIDATION, resource })
    }
}

impl Edges {
    /// Whether a live edge, or one of an account, has told of what the scope names. What edges behind others serve is not known:
    /// where there are such, the answer is yes.
    pub fn serve(&self, account: Option<&AccountId>, scope: &Scope) -> bool {
        let is = |site: &Site| match scope {
            Scope::Everything => true,
            Scope::Site(id) => site.id == *id,
            Scope::Host(host) => site.hosts.iter().any(|known| covers(known, host)),
        };
        let registry = self.registry.lock();
        let mut asked = registry.live(Moment::now()).map(|(_, known)| known);
        *scope == Scope::Everything
            || asked.any(|known| {
                let meant = account.is_none_or(|account| known.is_of(account));
                meant && (known.sites().any(is) || !known.details.behind.is_empty())
            })
    }
}

/// Whether a site's host stands for this one, whose port does not count.
fn covers(pattern: &str, host: &str) -> bool {
    let host = match host.rsplit_once(':') {
        Some((bare, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => bare,
        _ => host,
    };
    match pattern.strip_prefix('*') {
        Some(rest) => host.ends_with(rest),
        None => pattern == host,
    }
}

/// Holds a target to what can be written as an item of an invalidation.
fn checked(target: &Target) -> Result<(), Refusal> {
    Target::parse(&target.to_string())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_told_of_by_its_hosts() {
        for (pattern, host, covered) in [
            ("a.example", "a.example", true),
            ("a.example", "b.example", false),
            ("*.example", "a.example", true),
            ("*.example", "example", false),
            ("*.example", "aexample", false),
            ("*", "a.example", true),
        ] {
            assert_eq!(covers(pattern, host), covered, "{pattern} {host}");
        }
    }

    #[test]
    fn purges_are_held_to_what_items_may_be() {
        assert!(checked(&Target::Prefix("/a".into())).is_ok());
        for target in [Target::Path("a".into()), Target::Prefix("/a*".into()), Target::Tag("a,b".into())] {
            assert!(checked(&target).is_err(), "{target}");
        }
    }
}
