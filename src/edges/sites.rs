//! The sites that edges tell of: checked, held against those of other edges, stored as distributions.

use super::Edges;
use super::refusal::Refusal;
use crate::feed::{EdgeId, Moment, Site};
use crate::identity::Key;
use crate::names::AccountId;
use crate::store::distributions::Register;

/// The most sites of an edge.
const MAX_SITES: usize = 1000;

impl Edges {
    /// Stores what `edge` told of its sites. Fails where another live edge of the account says something else of one of them.
    pub(super) async fn register(&self, edge: &EdgeId, key: &Key, sites: &[Site], now: Moment) -> Result<(), Refusal> {
        if sites.len() > MAX_SITES {
            return Err(Refusal::Malformed(format!("there are more than {MAX_SITES} sites")));
        }
        for site in sites {
            site.check()?;
        }
        let account = &key.account.id;
        self.agree(edge, account, sites, now)?;
        for site in sites {
            let document = serde_json::to_vec(site).map_err(|error| Refusal::Malformed(error.to_string()))?;
            let (id, registrant) = (site.id.clone(), key.caller.user_id.clone());
            let register = Register { account: account.clone(), site: id, registrant, document };
            self.store.register_distribution(register).await?;
        }
        Ok(())
    }

    /// Holds the sites against each other and against those of live edges, those with the same name aside: that is what
    /// the edge said itself before it was started anew.
    fn agree(&self, edge: &EdgeId, account: &AccountId, sites: &[Site], now: Moment) -> Result<(), Refusal> {
        for (index, site) in sites.iter().enumerate() {
            for other in &sites[..index] {
                compatible(site, other)?;
            }
        }
        let registry = self.registry.lock();
        for (id, known) in registry.live(now) {
            if id.name == edge.name || known.details.caller.principal.account() != Some(account) {
                continue;
            }
            for other in known.details.sites.iter().flat_map(|sites| sites.iter()) {
                for site in sites {
                    compatible(site, other).map_err(|refusal| at_edge(refusal, id.name.as_str()))?;
                }
            }
        }
        Ok(())
    }
}

/// Two edges may serve the same site, and then it is the same; a host is of one site.
fn compatible(site: &Site, other: &Site) -> Result<(), Refusal> {
    let conflict = |problem: String| Err(Refusal::Conflict { id: site.id.clone(), problem });
    if site.id == other.id {
        return match site == other {
            true => Ok(()),
            false => conflict("it is defined otherwise elsewhere".to_owned()),
        };
    }
    match site.hosts.iter().find(|host| *host != "*" && other.hosts.contains(host)) {
        Some(host) => conflict(format!("the host {host} is of site {}", other.id)),
        None => Ok(()),
    }
}

fn at_edge(refusal: Refusal, edge: &str) -> Refusal {
    match refusal {
        Refusal::Conflict { id, problem } => Refusal::Conflict { id, problem: format!("{problem}, at edge {edge}") },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::{Behaviour, Origin, OriginKind};

    fn site(id: &str, host: &str, max_ttl: u64) -> Site {
        let behaviour = Behaviour { path: "*".into(), min_ttl: 0, default_ttl: 0, max_ttl, compress: false };
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
        assert_eq!(told(&site("www", "a.example", 2)), "site www: it is defined otherwise elsewhere");
        assert_eq!(told(&site("shop", "a.example", 1)), "site www: the host a.example is of site shop");
    }
}
