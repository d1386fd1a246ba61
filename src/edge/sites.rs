//! From the sites of the configuration to sites that are served.

use std::collections::HashMap;
use std::sync::Arc;

use http::StatusCode;

use super::cache::SiteId;
use super::config::{OriginConfig, SiteConfig, settings};
use super::follow::Registration;
use super::origin::{HostHeader, Origins, SettingsError};
use super::site::{OriginKind, Secure, Site};
use crate::clock::Clock;
use crate::feed;

/// Why a site cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("site {site}: the origin cannot be used: {source}")]
pub struct SiteError {
    site: String,
    source: SettingsError,
}

/// Makes sites, and keeps the connections of origins that a reload did not change.
pub struct SiteBuilder {
    clock: Clock,
    /// By the site's id.
    built: HashMap<String, Built>,
}

struct Built {
    origin: OriginConfig,
    failover: Option<OriginConfig>,
    failover_on: Vec<StatusCode>,
    origins: Arc<Origins>,
}

impl SiteBuilder {
    pub fn new(clock: &Clock) -> Self {
        Self { clock: clock.clone(), built: HashMap::new() }
    }

    /// Makes every site, or tells what is wrong with one; then nothing changed. Reads the files that origins name; blocks.
    pub fn build(&mut self, configs: &[SiteConfig]) -> Result<Vec<Arc<Site>>, SiteError> {
        let mut built = HashMap::new();
        let mut sites = Vec::with_capacity(configs.len());
        for config in configs {
            let origins = self.origins(config)?;
            sites.push(Arc::new(site(config, &origins)));
            built.insert(config.id.clone(), Built::of(config, origins));
        }
        self.built = built;
        Ok(sites)
    }

    fn origins(&self, config: &SiteConfig) -> Result<Arc<Origins>, SiteError> {
        if let Some(built) = self.built.get(&config.id).filter(|built| built.is_of(config)) {
            return Ok(Arc::clone(&built.origins));
        }
        let failover = config.failover.as_ref().map(|failover| (failover, config.failover_on.as_slice()));
        let origins = Origins::new(&settings(&config.origin, failover), &self.clock);
        origins.map(Arc::new).map_err(|source| SiteError { site: config.id.clone(), source })
    }
}

impl Built {
    fn of(config: &SiteConfig, origins: Arc<Origins>) -> Self {
        Self {
            origin: config.origin.clone(),
            failover: config.failover.clone(),
            failover_on: config.failover_on.clone(),
            origins,
        }
    }

    /// Whether these are the origins of `config`. Files are taken to say what they said: who changes one restarts.
    fn is_of(&self, config: &SiteConfig) -> bool {
        self.origin == config.origin && self.failover == config.failover && self.failover_on == config.failover_on
    }
}

fn site(config: &SiteConfig, origins: &Arc<Origins>) -> Site {
    Site {
        id: SiteId::new(&config.id),
        hosts: config.hosts.clone(),
        mode: config.mode.clone(),
        kind: config.origin.kind,
        origins: Arc::clone(origins),
        origin_headers: config.origin.headers.clone(),
        behaviours: config.behaviours.clone(),
    }
}

/// What the server of the feed is told of these sites. What it would not take is left out, and said.
pub fn registration(configs: &[SiteConfig]) -> Registration {
    let mut registration = Registration::default();
    for config in configs {
        let site = described(config);
        match site.check() {
            Ok(()) => registration.sites.push(site),
            Err(why) => tracing::warn!(site = config.id, %why, "the server is not told of a site"),
        }
    }
    registration
}

fn described(config: &SiteConfig) -> feed::Site {
    let behaviours = config.behaviours.iter().map(|behaviour| {
        let ttl = &behaviour.cached.ttl;
        feed::Behaviour {
            path: behaviour.path.to_string(),
            min_ttl: ttl.min.as_secs(),
            default_ttl: ttl.default.unwrap_or_default().as_secs(),
            max_ttl: ttl.max.as_secs(),
            compress: behaviour.compression != super::rules::compress::Compression::default(),
            viewers: match behaviour.access.secure {
                Secure::Optional => feed::Viewers::All,
                Secure::Redirect => feed::Viewers::Redirected,
                Secure::Required => feed::Viewers::HttpsOnly,
            },
        }
    });
    let origins = [Some(&config.origin), config.failover.as_ref()];
    feed::Site {
        id: config.id.clone(),
        hosts: config.hosts.iter().map(ToString::to_string).collect(),
        origins: origins.into_iter().flatten().map(described_origin).collect(),
        behaviours: behaviours.collect(),
    }
}

fn website_host(origin: &OriginConfig) -> Option<String> {
    match &origin.host {
        HostHeader::Fixed(host) => Some(host.to_string()),
        HostHeader::Origin | HostHeader::Viewer => None,
    }
}

fn described_origin(origin: &OriginConfig) -> feed::Origin {
    let bucket = origin.bucket.as_ref().map(ToString::to_string);
    let (kind, name) = match origin.kind {
        OriginKind::Bucket => (feed::OriginKind::Bucket, bucket),
        // The host that the website answers for.
        OriginKind::Website => (feed::OriginKind::Website, website_host(origin).or(bucket)),
        OriginKind::Http if origin.location.is_secure() => (feed::OriginKind::Https, None),
        OriginKind::Http => (feed::OriginKind::Http, None),
    };
    let location = origin.location.to_string();
    let address = || location.split_once("://").map_or(location.as_str(), |(_, address)| address).to_owned();
    feed::Origin { name: name.unwrap_or_else(address), kind }
}
