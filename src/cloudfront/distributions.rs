//! ListDistributions, GetDistribution and GetDistributionConfig.

use aws_lc_rs::digest;

use super::call::{Answer, Call};
use super::config::{self, Described};
use super::error::{ApiError, NAMESPACE};
use super::invalidations::in_progress;
use super::route::Route;
use crate::feed::Site;
use crate::http::date::format_iso8601;
use crate::store;
use crate::store::distributions::{DistributionId, DistributionRecord};
use crate::xml::Writer;

/// <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ListDistributions.html>
pub async fn list_distributions(call: &Call<'_>) -> Result<Answer, ApiError> {
    call.authorize("*")?;
    let (most, marker) = (call.page_size()?, call.parameter("Marker").unwrap_or_default());
    let all = call.service.store.distributions(Some(call.account())).await?;
    let mut rest: Vec<_> = all.into_iter().filter(|(id, _)| id.to_string() > marker).collect();
    let more = rest.len() > most;
    rest.truncate(most);
    let mut document = Writer::with_attributes("DistributionList", &[("xmlns", NAMESPACE)]);
    document.text("Marker", &marker);
    if let Some((last, _)) = rest.last().filter(|_| more) {
        document.text("NextMarker", &last.to_string());
    }
    document.number("MaxItems", most as u64).flag("IsTruncated", more).number("Quantity", rest.len() as u64);
    if !rest.is_empty() {
        let sites = rest.iter().map(|(_, record)| site_of(record)).collect::<Result<Vec<_>, _>>()?;
        document.nest("Items", |items| {
            for ((id, record), site) in rest.iter().zip(&sites) {
                items.nest("DistributionSummary", |summary| {
                    head(summary, *id, record);
                    summary.text("DomainName", domain(site).as_str());
                    config::summary(summary, &Described { site, reference: &id.to_string() });
                });
            }
        });
    }
    Ok(Answer::ok(document.finish()))
}

/// <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetDistribution.html>
pub async fn get_distribution(call: &Call<'_>, route: &Route<'_>) -> Result<Answer, ApiError> {
    let (id, record) = call.distribution(route.distribution).await?;
    let (site, batches) = (site_of(&record)?, in_progress(call, id).await?);
    let mut document = Writer::with_attributes("Distribution", &[("xmlns", NAMESPACE)]);
    head(&mut document, id, &record);
    document.number("InProgressInvalidationBatches", batches as u64).text("DomainName", domain(&site).as_str());
    document.nest("ActiveTrustedSigners", |signers| {
        signers.flag("Enabled", false).number("Quantity", 0);
    });
    let described = Described { site: &site, reference: &id.to_string() };
    document.nest("DistributionConfig", |document| config::write(document, &described));
    Ok(Answer { headers: vec![("etag", etag(&record))], ..Answer::ok(document.finish()) })
}

/// <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetDistributionConfig.html>
pub async fn get_distribution_config(call: &Call<'_>, route: &Route<'_>) -> Result<Answer, ApiError> {
    let (id, record) = call.distribution(route.distribution).await?;
    let site = site_of(&record)?;
    let mut document = Writer::with_attributes("DistributionConfig", &[("xmlns", NAMESPACE)]);
    config::write(&mut document, &Described { site: &site, reference: &id.to_string() });
    Ok(Answer { headers: vec![("etag", etag(&record))], ..Answer::ok(document.finish()) })
}

fn head(document: &mut Writer, id: DistributionId, record: &DistributionRecord) {
    document
        .text("Id", &id.to_string())
        .text("ARN", &format!("arn:aws:cloudfront::{}:distribution/{id}", record.account))
        .text("Status", "Deployed")
        .text("LastModifiedTime", &format_iso8601(record.modified));
}

fn site_of(record: &DistributionRecord) -> Result<Site, ApiError> {
    let damaged = |_| store::Error::Record("what an edge told of a site");
    Ok(serde_json::from_slice(&record.document).map_err(damaged)?)
}

/// A host by which the site is asked: CloudFront has one of its own for each.
fn domain(site: &Site) -> String {
    let host = site.hosts.iter().find(|host| !host.starts_with('*'));
    host.cloned().unwrap_or_else(|| format!("{}.invalid", site.id))
}

fn etag(record: &DistributionRecord) -> String {
    let hash = digest::digest(&digest::SHA256, &record.document);
    format!("E{}", hex::encode_upper(&hash.as_ref()[..7]))
}
