//! What an edge tells of its sites: the distributions of CloudFront's API are made of it.

use serde::{Deserialize, Serialize};

use crate::names::HostName;

/// The longest id, in bytes.
const MAX_ID_BYTES: usize = 128;
/// The most of each list.
const MAX_ALIASES: usize = 100;
const MAX_ORIGINS: usize = 25;
const MAX_BEHAVIOURS: usize = 75;
/// The longest text of any other kind, in bytes.
const MAX_TEXT_BYTES: usize = 1024;

/// A site. Edges that name the same id serve the same site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Letters, digits, `.`, `-`, `_`, at most 128.
    pub id: String,
    /// The hosts that it answers for; a first label `*` stands for any, and so does `*` alone.
    pub hosts: Vec<String>,
    pub origins: Vec<Origin>,
    /// In the order in which they are tried; the last is for `*`.
    pub behaviours: Vec<Behaviour>,
}

/// Where a site's answers come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Host and port, or the bucket's name.
    pub name: String,
    pub kind: OriginKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OriginKind {
    Http,
    Https,
    Bucket,
    Website,
}

/// What a site does with the paths that match a pattern. Times are seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behaviour {
    pub path: String,
    pub min_ttl: u64,
    pub default_ttl: u64,
    pub max_ttl: u64,
    pub compress: bool,
    #[serde(default)]
    pub viewers: Viewers,
}

/// What becomes of requests that come without TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Viewers {
    #[default]
    All,
    /// They are sent to HTTPS.
    Redirected,
    /// They are refused.
    HttpsOnly,
}

/// A description that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSite {
    #[error("the id of a site is 1 to {MAX_ID_BYTES} letters, digits, dots, hyphens and underscores")]
    Id,
    #[error("a site has at most {MAX_ALIASES} hosts, each a host name, maybe below `*.`, or `*`")]
    Hosts,
    #[error("a site has 1 to {MAX_ORIGINS} origins, with names of at most {MAX_TEXT_BYTES} bytes")]
    Origins,
    #[error("a site has 1 to {MAX_BEHAVIOURS} behaviours, with paths of at most {MAX_TEXT_BYTES} bytes")]
    Behaviours,
}

impl Site {
    /// Holds what somebody sent to the bounds of a site.
    pub fn check(&self) -> Result<(), InvalidSite> {
        let of_id = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if !(1..=MAX_ID_BYTES).contains(&self.id.len()) || !self.id.bytes().all(of_id) {
            return Err(InvalidSite::Id);
        }
        let is_host = |host: &String| host == "*" || HostName::parse(host.strip_prefix("*.").unwrap_or(host)).is_ok();
        if self.hosts.len() > MAX_ALIASES || !self.hosts.iter().all(is_host) {
            return Err(InvalidSite::Hosts);
        }
        let fits = |text: &str| !text.is_empty() && text.len() <= MAX_TEXT_BYTES && !text.contains(char::is_control);
        if !(1..=MAX_ORIGINS).contains(&self.origins.len()) || !self.origins.iter().all(|origin| fits(&origin.name)) {
            return Err(InvalidSite::Origins);
        }
        let behaviours = &self.behaviours;
        if !(1..=MAX_BEHAVIOURS).contains(&behaviours.len()) || !behaviours.iter().all(|one| fits(&one.path)) {
            return Err(InvalidSite::Behaviours);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        let behaviour = Behaviour {
            path: "*".into(),
            min_ttl: 0,
            default_ttl: 0,
            max_ttl: 60,
            compress: true,
            viewers: Default::default(),
        };
        Site {
            id: "www".into(),
            hosts: vec!["www.example.com".into(), "*.example.com".into()],
            origins: vec![Origin { name: "pail".into(), kind: OriginKind::Bucket }],
            behaviours: vec![behaviour],
        }
    }

    #[test]
    fn descriptions_are_bounded() {
        assert_eq!(site().check(), Ok(()));
        let with = |change: fn(&mut Site)| {
            let mut site = site();
            change(&mut site);
            site.check()
        };
        assert_eq!(with(|site| site.id = "a b".into()), Err(InvalidSite::Id));
        assert_eq!(with(|site| site.id.clear()), Err(InvalidSite::Id));
        assert_eq!(with(|site| site.hosts.push("a/b".into())), Err(InvalidSite::Hosts));
        assert_eq!(with(|site| site.hosts = vec!["a.example".into(); 101]), Err(InvalidSite::Hosts));
        assert_eq!(with(|site| site.origins.clear()), Err(InvalidSite::Origins));
        assert_eq!(with(|site| site.origins[0].name = "a\nb".into()), Err(InvalidSite::Origins));
        assert_eq!(with(|site| site.behaviours.clear()), Err(InvalidSite::Behaviours));
        assert_eq!(with(|site| site.behaviours[0].path = "a".repeat(1025)), Err(InvalidSite::Behaviours));
    }
}
