//! Which domains a bucket may be given: any but those that address this server's buckets already.

use crate::names::HostName;

/// The domains that the configuration gives another meaning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reserved {
    /// Below these a host names its bucket (`website.domains`).
    pub website: Vec<HostName>,
    /// Below these the S3 API names its buckets (`s3.domains`).
    pub s3: Vec<HostName>,
}

/// Why a domain cannot be a bucket's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReservedDomain {
    #[error("{0} has one label: a custom domain has a dot, as www.example.com")]
    OneLabel(HostName),
    #[error("{domain} is reserved: hosts of {reserved} (website.domains) name their buckets themselves")]
    Website { domain: HostName, reserved: HostName },
    #[error("{domain} is reserved: {reserved} is where the S3 API is (s3.domains)")]
    S3 { domain: HostName, reserved: HostName },
}

impl Reserved {
    /// Fails for what a request could never reach, or would find something else at.
    pub fn check(&self, domain: &HostName) -> Result<(), ReservedDomain> {
        if !domain.as_str().contains('.') {
            return Err(ReservedDomain::OneLabel(domain.clone()));
        }
        if let Some(reserved) = covering(&self.website, domain) {
            return Err(ReservedDomain::Website { domain: domain.clone(), reserved: reserved.clone() });
        }
        match covering(&self.s3, domain) {
            Some(reserved) => Err(ReservedDomain::S3 { domain: domain.clone(), reserved: reserved.clone() }),
            None => Ok(()),
        }
    }
}

/// The one of `reserved` that is the domain, or that it is below.
fn covering<'r>(reserved: &'r [HostName], domain: &HostName) -> Option<&'r HostName> {
    reserved.iter().find(|reserved| *reserved == domain || domain.below(reserved).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::host::{Addressed, Host};

    fn name(text: &str) -> HostName {
        HostName::parse(text).unwrap()
    }

    #[test]
    fn a_custom_domain_is_one_that_nothing_else_is_at() {
        let reserved = Reserved { website: vec![name("website.localhost")], s3: vec![name("s3.localhost")] };
        for domain in ["www.example.com", "example.com", "localhost.example", "xs3.localhost", "shop.localhost"] {
            assert_eq!(reserved.check(&name(domain)), Ok(()), "{domain}");
            let addressed = Addressed::of(&Host::Name(name(domain)), &reserved.website);
            assert_eq!(addressed, Addressed::Custom(name(domain)));
        }
        for domain in ["localhost", "website.localhost", "a.b.website.localhost", "s3.localhost", "pail.s3.localhost"] {
            let refused = reserved.check(&name(domain)).unwrap_err().to_string();
            assert!(refused.starts_with(domain), "{refused}");
        }
    }
}
