//! The sites that edges tell of: checked, held against those of other edges, stored as distributions.

use super::refusal::Refusal;
use super::{Details, Edges};
use crate::feed::{EdgeId, InvalidSite, Known, Moment, Site};
use crate::identity::Key;
use crate::names::AccountId;
use crate::store::distributions::{self, Register};

/// The most sites of an edge. Those beyond are not taken.
const MAX_SITES: usize = 1000;
/// The most sites of which an edge is told why they were not taken.
const MAX_TOLD: usize = 20;

/// Why a site is not taken.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error(transparent)]
    Invalid(#[from] InvalidSite),
    #[error("it is defined otherwise elsewhere")]
    DefinedOtherwise,
    #[error("the host {host} is of site {other}")]
    HostTaken { host: String, other: String },
    #[error("{why}, at edge {edge}")]
    At { edge: String, why: Box<Unfit> },
    #[error("an edge has at most {MAX_SITES} sites")]
    TooMany,
    #[error(transparent)]
    Full(distributions::Error),
}

/// What became of the sites that an edge told of.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub taken: Vec<Site>,
    /// What the edge is told of those that were not.
    pub not_taken: Vec<String>,
}

impl Edges {
    /// Stores what `edge` told of its sites. A site that is none, or of which another live edge of the account says something
    /// else, is left out: the edge follows the feed all the same.
    pub(super) async fn register(
        &self,
        edge: &EdgeId,
        key: &Key,
        sites: &[Site],
        now: Moment,
    ) -> Result<Told, Refusal> {
        let mut told = Told::default();
        for site in sites {
            match self.check(edge, &key.account.id, site, &told.taken, now) {
                Ok(()) => match self.store_site(key, site).await? {
                    Ok(()) => told.taken.push(site.clone()),
                    Err(full) => told.leave_out(site, &full),
                },
                Err(unfit) => told.leave_out(site, &unfit),
            }
        }
        Ok(told)
    }

    async fn store_site(&self, key: &Key, site: &Site) -> Result<Result<(), Unfit>, Refusal> {
        let document = serde_json::to_vec(site).map_err(|error| Refusal::Malformed(error.to_string()))?;
        let (account, registrant) = (key.account.id.clone(), key.caller.user_id.clone());
        let register = Register { account, site: site.id.clone(), registrant, document };
        match self.store.register_distribution(register).await {
            Ok(_) => Ok(Ok(())),
            Err(full @ (distributions::Error::TooMany | distributions::Error::TooManyOfAccount)) => {
                Ok(Err(Unfit::Full(full)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Holds a site against those that were taken before it and against those of live edges, those with the same name aside:
    /// that is what the edge said itself before it was started anew.
    fn check(&self, edge: &EdgeId, account: &AccountId, site: &Site, taken: &[Site], now: Moment) -> Result<(), Unfit> {
        site.check()?;
        if taken.len() >= MAX_SITES {
            return Err(Unfit::TooMany);
        }
        for other in taken {
            compatible(site, other)?;
        }
        let registry = self.registry.lock();
        for (id, known) in registry.live(now).filter(|(_, known)| known.is_of(account)) {
            if id.name == edge.name {
                continue;
            }
            for other in known.sites() {
                let at = |why| Unfit::At { edge: id.name.to_string(), why: Box::new(why) };
                compatible(site, other).map_err(at)?;
            }
        }
        Ok(())
    }

    /// Whether a live edge that signs as this user told of a site of which `is` is true.
    pub(super) fn has_told_of(&self, key: &Key, is: impl Fn(&Site) -> bool) -> bool {
        let registry = self.registry.lock();
        let mut own = registry
            .live(Moment::now())
            .map(|(_, known)| known)
            .filter(|known| known.is_of(&key.account.id) && known.details.caller.user_id == key.caller.user_id);
        own.any(|known| known.sites().any(&is))
    }
}

impl Known<Details> {
    pub(super) fn is_of(&self, account: &AccountId) -> bool {
        self.details.caller.principal.account() == Some(account)
    }

    pub(super) fn sites(&self) -> impl Iterator<Item = &Site> {
        self.details.sites.iter().flat_map(|sites| sites.iter())
    }
}

impl Told {
    fn leave_out(&mut self, site: &Site, why: &Unfit) {
        if self.not_taken.len() < MAX_TOLD {
            self.not_taken.push(format!("site {}: {why}", site.id.escape_debug()));
        }
    }
}

/// Two edges may serve the same site, and then it is the same; a host is of one site.
fn compatible(site: &Site, other: &Site) -> Result<(), Unfit> {
    if site.id == other.id {
        return if site == other { Ok(()) } else { Err(Unfit::DefinedOtherwise) };
    }
    match site.hosts.iter().find(|host| *host != "*" && other.hosts.contains(host)) {
        Some(host) => Err(Unfit::HostTaken { host: host.clone(), other: other.id.clone() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::{Behaviour, Origin, OriginKind};

    fn site(id: &str, host: &str, max_ttl: u64) -> Site {
        let behaviour = Behaviour {
            path: "*".into(),
            min_ttl: 0,
            default_ttl: 0,
            max_ttl,
            compress: false,
            viewers: Default::default(),
        };
        let origin = Origin { name: "pail".into(), kind: OriginKind::Bucket };
        Site { id: id.into(), hosts: vec![host.into()], origins: vec![origin], behaviours: vec![behaviour] }
    }

    #[test]
    fn a_site_is_one_thing_and_a_host_is_of_one_site() {
        let www = site("www", "a.example", 1);
        assert!(compatible(&www, &www.clone()).is_ok());
        assert!(compatible(&www, &site("shop", "b.example", 1)).is_ok());
        assert!(compatible(&site("www", "*", 1), &site("shop", "*", 1)).is_ok(), "the last resort of each edge");
        let told = |other: &Site| compatible(&www, other).unwrap_err().to_string();
        assert_eq!(told(&site("www", "a.example", 2)), "it is defined otherwise elsewhere");
        assert_eq!(told(&site("shop", "a.example", 1)), "the host a.example is of site shop");
    }

    #[test]
    fn an_edge_is_told_of_some_sites_that_were_not_taken() {
        let mut told = Told::default();
        for _ in 0..MAX_TOLD + 1 {
            told.leave_out(&site("a\nb", "a.example", 1), &Unfit::DefinedOtherwise);
        }
        assert_eq!(told.not_taken, vec![r"site a\nb: it is defined otherwise elsewhere"; MAX_TOLD]);
    }
}
