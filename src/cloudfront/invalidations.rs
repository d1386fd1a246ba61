//! CreateInvalidation, GetInvalidation and ListInvalidations.

use std::time::Duration;

use super::batch::{self, Batch, MAX_ITEMS, MAX_WILDCARDS};
use super::call::{Answer, Call};
use super::error::{ApiError, Code, NAMESPACE};
use super::route::Route;
use crate::http::date::format_iso8601;
use crate::store::distributions::{DistributionId, Invalidate, InvalidationId, InvalidationRecord, MAX_KEPT};
use crate::xml::Writer;

/// How long the answer to CreateInvalidation waits for the edges: mostly it is `Completed` then, and the waiter of the
/// command line, which looks every 20 seconds, need not look again.
const PATIENCE: Duration = Duration::from_secs(1);

/// <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateInvalidation.html>
pub async fn create_invalidation(call: &Call<'_>, route: &Route<'_>) -> Result<Answer, ApiError> {
    let (id, distribution) = call.distribution(route.distribution).await?;
    let batch = Batch::parse(call.body)?;
    check_progress(call, id, &batch).await?;
    let document = serde_json::to_vec(&batch.purges(&distribution.site));
    let document = document.map_err(|_| ApiError::new(Code::MalformedInput))?;
    let invalidate = Invalidate {
        account: call.account().clone(),
        distribution: id,
        reference: batch.reference,
        items: batch.items,
        document,
        cause: call.cause(),
    };
    let record = call.service.store.invalidate(invalidate).await?.record;
    let position = position(call, &record);
    if !record.completed {
        call.service.edges.wait_until_gone(position, Some(call.account()), PATIENCE).await;
    }
    let record = settled(call, id, record).await?;
    let number = InvalidationId(record.number);
    let host = call.head.headers.text("host")?.unwrap_or_default();
    let scheme = if call.origin.secure { "https" } else { "http" };
    let location = format!("{scheme}://{host}/2020-05-31/distribution/{id}/invalidation/{number}");
    Ok(Answer { status: 201, headers: vec![("location", location)], document: document_of(&record) })
}

/// <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GetInvalidation.html>
pub async fn get_invalidation(call: &Call<'_>, route: &Route<'_>) -> Result<Answer, ApiError> {
    let (id, _) = call.distribution(route.distribution).await?;
    let number = Call::invalidation_id(route.invalidation)?;
    let record = call.service.store.invalidation(id, number).await?;
    let record = record.ok_or_else(|| ApiError::new(Code::NoSuchInvalidation))?;
    Ok(Answer::ok(document_of(&settled(call, id, record).await?)))
}

/// <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ListInvalidations.html>
pub async fn list_invalidations(call: &Call<'_>, route: &Route<'_>) -> Result<Answer, ApiError> {
    let (id, _) = call.distribution(route.distribution).await?;
    let (most, marker) = (call.page_size()?, call.parameter("Marker").filter(|marker| !marker.is_empty()));
    let after = marker.as_deref().map(str::parse::<InvalidationId>).transpose();
    let after =
        after.map_err(|_| ApiError::with_message(Code::InvalidArgument, "The parameter Marker is not valid."))?;
    let mut found = call.service.store.invalidations(id, after, most + 1).await?;
    let more = found.len() > most;
    found.truncate(most);
    let mut records = Vec::with_capacity(found.len());
    for record in found {
        records.push(settled(call, id, record).await?);
    }
    let mut document = Writer::with_attributes("InvalidationList", &[("xmlns", NAMESPACE)]);
    document.text("Marker", marker.as_deref().unwrap_or_default());
    if let Some(last) = records.last().filter(|_| more) {
        document.text("NextMarker", &InvalidationId(last.number).to_string());
    }
    document.number("MaxItems", most as u64).flag("IsTruncated", more).number("Quantity", records.len() as u64);
    if !records.is_empty() {
        document.nest("Items", |items| {
            for record in &records {
                items.nest("InvalidationSummary", |summary| describe(summary, record));
            }
        });
    }
    Ok(Answer::ok(document.finish()))
}

/// How many of a distribution's invalidations are in progress.
pub async fn in_progress(call: &Call<'_>, id: DistributionId) -> Result<usize, ApiError> {
    Ok(unfinished(call, id).await?.len())
}

/// Holds a batch to what may be in progress at a time. One that was made before is no new one.
async fn check_progress(call: &Call<'_>, id: DistributionId, batch: &Batch) -> Result<(), ApiError> {
    let others = unfinished(call, id).await?;
    if others.iter().any(|other| other.reference == batch.reference) {
        return Ok(());
    }
    let items = || others.iter().flat_map(|other| &other.items).chain(&batch.items);
    if items().count() > MAX_ITEMS {
        return Err(ApiError::new(Code::TooManyInvalidationsInProgress));
    }
    if batch::wildcards(items()) > MAX_WILDCARDS {
        let message = "Processing your request will cause you to exceed the maximum number of in-progress wildcard \
                       invalidations.";
        return Err(ApiError::with_message(Code::TooManyInvalidationsInProgress, message));
    }
    Ok(())
}

/// The invalidations of which something may be left. Positions grow: behind the first that is gone, all are.
async fn unfinished(call: &Call<'_>, id: DistributionId) -> Result<Vec<InvalidationRecord>, ApiError> {
    let newest = call.service.store.invalidations(id, None, MAX_KEPT as usize).await?;
    let is_left = |record: &InvalidationRecord| {
        !record.completed && !call.service.edges.is_gone(position(call, record), Some(call.account()))
    };
    Ok(newest.into_iter().take_while(is_left).collect())
}

/// Where the purge is in the log. Until that is noted, or where a crash prevented it, it is somewhere up to the head: whoever
/// has applied all of the log has applied it.
fn position(call: &Call<'_>, record: &InvalidationRecord) -> u64 {
    if record.position == 0 { *call.service.store.log_head().borrow() } else { record.position }
}

/// The record as it is by now: what is gone stays so, and that is noted.
async fn settled(
    call: &Call<'_>,
    id: DistributionId,
    record: InvalidationRecord,
) -> Result<InvalidationRecord, ApiError> {
    if record.completed || !call.service.edges.is_gone(position(call, &record), Some(call.account())) {
        return Ok(record);
    }
    call.service.store.complete_invalidation(id, InvalidationId(record.number)).await?;
    Ok(InvalidationRecord { completed: true, ..record })
}

fn document_of(record: &InvalidationRecord) -> Vec<u8> {
    let mut document = Writer::with_attributes("Invalidation", &[("xmlns", NAMESPACE)]);
    describe(&mut document, record);
    document.nest("InvalidationBatch", |batch| {
        batch.nest("Paths", |paths| {
            paths.number("Quantity", record.items.len() as u64).nest("Items", |items| {
                for item in &record.items {
                    items.text("Path", item);
                }
            });
        });
        batch.text("CallerReference", &record.reference);
    });
    document.finish()
}

fn describe(document: &mut Writer, record: &InvalidationRecord) {
    document
        .text("Id", &InvalidationId(record.number).to_string())
        .text("CreateTime", &format_iso8601(record.created))
        .text("Status", if record.completed { "Completed" } else { "InProgress" });
}
