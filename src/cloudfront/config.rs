//! A site in the words of a distribution's configuration: what an edge told, and nothing that it does not do.

use crate::feed::{Behaviour, Origin, OriginKind, Site, Viewers};
use crate::xml::Writer;

/// The longest time to live that CloudFront has, in seconds: a behaviour without a bound has this one.
const LONGEST_TTL: u64 = 31_536_000;

/// What is described.
pub struct Described<'s> {
    pub site: &'s Site,
    /// What stands for the reference of whoever made the distribution.
    pub reference: &'s str,
}

/// Writes the configuration.
/// <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DistributionConfig.html>
pub fn write(document: &mut Writer, described: &Described<'_>) {
    document.text("CallerReference", described.reference);
    aliases(document, described.site);
    document.text("DefaultRootObject", "");
    parts(document, described.site);
    document.nest("Logging", |logging| {
        logging.flag("Enabled", false).flag("IncludeCookies", false).text("Bucket", "").text("Prefix", "");
    });
    rest(document);
}

/// Writes what a list says of a distribution.
/// <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DistributionSummary.html>
pub fn summary(document: &mut Writer, described: &Described<'_>) {
    aliases(document, described.site);
    parts(document, described.site);
    rest(document);
}

fn aliases(document: &mut Writer, site: &Site) {
    document.nest("Aliases", |aliases| {
        list(aliases, &site.hosts, |items, host| {
            items.text("CNAME", host);
        });
    });
}

fn parts(document: &mut Writer, site: &Site) {
    document.nest("Origins", |origins| list(origins, &site.origins, origin));
    none(document, "OriginGroups");
    let target = site.origins.first().map(|origin| origin.name.as_str()).unwrap_or_default();
    let (last, others) = site.behaviours.split_last().map_or((None, &[][..]), |(last, others)| (Some(last), others));
    if let Some(last) = last {
        document.nest("DefaultCacheBehavior", |behaviour| describe(behaviour, last, target));
    }
    document.nest("CacheBehaviors", |behaviours| {
        list(behaviours, others, |items, behaviour| {
            items.nest("CacheBehavior", |document| {
                document.text("PathPattern", &behaviour.path);
                describe(document, behaviour, target);
            });
        });
    });
    none(document, "CustomErrorResponses");
    document.text("Comment", &site.id);
}

fn rest(document: &mut Writer) {
    document.text("PriceClass", "PriceClass_All").flag("Enabled", true);
    document.nest("ViewerCertificate", |certificate| {
        certificate.flag("CloudFrontDefaultCertificate", true).text("MinimumProtocolVersion", "TLSv1.2_2021");
    });
    document.nest("Restrictions", |restrictions| {
        restrictions.nest("GeoRestriction", |restriction| {
            restriction.text("RestrictionType", "none").number("Quantity", 0);
        });
    });
    document.text("WebACLId", "").text("HttpVersion", "http2").flag("IsIPV6Enabled", true).flag("Staging", false);
}

fn origin(document: &mut Writer, origin: &Origin) {
    document.nest("Origin", |document| {
        document.text("Id", &origin.name).text("DomainName", &origin.name).text("OriginPath", "");
        none(document, "CustomHeaders");
        if origin.kind == OriginKind::Bucket {
            document.nest("S3OriginConfig", |config| {
                config.text("OriginAccessIdentity", "");
            });
            return;
        }
        let policy = if origin.kind == OriginKind::Https { "https-only" } else { "http-only" };
        document.nest("CustomOriginConfig", |config| {
            config.number("HTTPPort", 80).number("HTTPSPort", 443).text("OriginProtocolPolicy", policy);
        });
    });
}

fn describe(document: &mut Writer, behaviour: &Behaviour, target: &str) {
    document
        .text("TargetOriginId", target)
        .text("ViewerProtocolPolicy", viewer_protocol_policy(behaviour.viewers))
        .flag("Compress", behaviour.compress)
        .number("MinTTL", behaviour.min_ttl.min(LONGEST_TTL))
        .number("DefaultTTL", behaviour.default_ttl.min(LONGEST_TTL))
        .number("MaxTTL", behaviour.max_ttl.min(LONGEST_TTL));
}

/// <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CacheBehavior.html>
fn viewer_protocol_policy(viewers: Viewers) -> &'static str {
    match viewers {
        Viewers::All => "allow-all",
        Viewers::Redirected => "redirect-to-https",
        Viewers::HttpsOnly => "https-only",
    }
}

/// Writes a list that has nothing.
fn none(document: &mut Writer, name: &'static str) {
    document.nest(name, |list| {
        list.number("Quantity", 0);
    });
}

/// Writes a list as all of this API's are: how many, then each.
fn list<T>(document: &mut Writer, all: &[T], write: impl Fn(&mut Writer, &T)) {
    document.number("Quantity", all.len() as u64);
    if !all.is_empty() {
        document.nest("Items", |items| all.iter().for_each(|one| write(items, one)));
    }
}
