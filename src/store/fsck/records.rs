//! Tables of records, walked row by row: buckets, objects, uploads and parts.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::examine::unreadable;
use super::fault::{Fault, Kind, Mend};
use super::{Check, PAGE, side_by_side};
use crate::kv::Table;
use crate::names::{BucketId, UploadId};
use crate::report::{Place, Unit};
use crate::store::bucket::NEXT_BUCKET_ID;
use crate::store::codec::{decode, encode};
use crate::store::error::Error;
use crate::store::held::BucketNames;
use crate::store::record::{BucketRecord, Target, UploadRecord};
use crate::store::tables::{
    self, BUCKETS, CONFIGURATIONS, CURRENT, DISTRIBUTIONS, DOMAINS, HEADS, META, NOTIFICATIONS, OFFSETS, PARTS,
    UPLOADS, VERSIONS,
};
use crate::store::walk::Walk;
use crate::store::{distributions, domains, notifications};

impl Check<'_> {
    /// Rows agree with their keys, numbers are unique, and the next number is free.
    pub(super) async fn buckets(&mut self) -> Result<(), Error> {
        let mut seen = BTreeMap::new();
        let mut walk = Walk::over(BUCKETS, PAGE);
        loop {
            let rows = walk.next(&*self.store.kv).await?;
            if rows.is_empty() {
                break;
            }
            for (row, value) in rows {
                self.summary.buckets += 1;
                let name = String::from_utf8_lossy(&row).into_owned();
                let place = Place { bucket: Some(name.clone()), ..Place::default() };
                let Ok(bucket) = decode::<BucketRecord>(&value) else {
                    self.tell(Fault::new(Kind::UnreadableRecord, place, "the bucket's row")).await?;
                    continue;
                };
                if bucket.name.as_str() != name {
                    let detail = format!("its row says `{}`", bucket.name);
                    self.tell(Fault::new(Kind::BucketTwice, place.clone(), detail)).await?;
                }
                if let Some(other) = seen.insert(bucket.id, name) {
                    let detail = format!("it has the number {} of `{other}`", bucket.id.0);
                    self.tell(Fault::new(Kind::BucketTwice, place, detail)).await?;
                }
            }
        }
        self.bucket_counter(seen.last_key_value().map_or(0, |(id, _)| id.0)).await?;
        self.names = Some(BucketNames::load(&*self.store.kv).await?);
        Ok(())
    }

    /// The counter is read behind the buckets: a bucket that was made meanwhile has raised it.
    async fn bucket_counter(&mut self, highest: u64) -> Result<(), Error> {
        let next = self.store.kv.get(META, NEXT_BUCKET_ID).await?;
        let Ok(next) = next.map_or(Ok(1u64), |bytes| decode(&bytes)) else {
            // No repair: rows of deleted buckets may have higher numbers than any bucket that is left.
            let detail = "the number of the next bucket";
            return self.tell(Fault::new(Kind::UnreadableRecord, Place::default(), detail)).await;
        };
        if next > highest {
            return Ok(());
        }
        let raise = Mend::Put(META, Bytes::from_static(NEXT_BUCKET_ID), encode(&highest.saturating_add(1)));
        let detail = format!("it is {next}, and {highest} is taken");
        self.tell(Fault::new(Kind::BucketCounter, Place::default(), detail).mended_by(raise)).await
    }

    /// Checks every row of `current`, `versions`, `heads` or `parts`.
    pub(super) async fn records(&mut self, table: Table) -> Result<(), Error> {
        let phase = match table {
            CURRENT => "checking objects",
            VERSIONS => "checking versions",
            HEADS => "checking where versions stand",
            _ => "checking parts",
        };
        let mut walk = Walk::over(table, PAGE);
        let (mut done, mut last_upload, mut looked_for) = (0, None, None);
        loop {
            let rows = walk.next(&*self.store.kv).await?;
            if rows.is_empty() {
                return Ok(());
            }
            self.progress(phase, done, Unit::Rows)?;
            done += rows.len() as u64;
            if table != PARTS {
                self.learn_buckets(&rows, &mut looked_for).await?;
            }
            let mut looks = Vec::with_capacity(rows.len());
            for (key, value) in &rows {
                looks.push(self.examine(table, key, value));
            }
            let found = side_by_side(looks).await;
            for ((key, _), faults) in rows.iter().zip(found) {
                if !faults?.is_empty() {
                    for fault in self.confirmed(table, key).await? {
                        self.tell(fault).await?;
                    }
                }
                if table == PARTS {
                    self.check_upload_of(key, &mut last_upload).await?;
                }
            }
            match table {
                CURRENT => self.summary.objects = done,
                VERSIONS => self.summary.versions = done,
                PARTS => self.summary.parts = done,
                _ => {}
            }
        }
    }

    /// Buckets that were made since the names were read. One that is lost is `looked_for` once, however many rows it has:
    /// these follow each other.
    async fn learn_buckets(&mut self, rows: &[(Bytes, Bytes)], looked_for: &mut Option<BucketId>) -> Result<(), Error> {
        let Some(names) = &self.names else { return Ok(()) };
        let unknown = rows.iter().filter_map(|(key, _)| bucket_of(key)).filter(|bucket| !names.has(*bucket)).max();
        if self.options.serving && unknown > *looked_for {
            self.names = Some(BucketNames::load(&*self.store.kv).await?);
            *looked_for = unknown;
        }
        Ok(())
    }

    /// Documents of configurations have a bucket.
    pub(super) async fn configurations(&mut self) -> Result<(), Error> {
        let mut walk = Walk::over(CONFIGURATIONS, PAGE);
        let mut looked_for = None;
        loop {
            let rows = walk.next(&*self.store.kv).await?;
            if rows.is_empty() {
                return Ok(());
            }
            self.report.go_on()?;
            self.learn_buckets(&rows, &mut looked_for).await?;
            for (row, _) in rows {
                let Some((bucket, kind)) = tables::parse_configuration(&row) else {
                    self.tell(unreadable(CONFIGURATIONS, &row)).await?;
                    continue;
                };
                let lost = self.names.as_ref().is_some_and(|names| !names.has(bucket));
                // It goes with its bucket: one that is gone by now was not left behind.
                if lost && self.store.kv.get(CONFIGURATIONS, &row).await?.is_some() {
                    let detail = format!("kind {kind}, bucket number {}", bucket.0);
                    self.tell(Fault::new(Kind::ConfigurationWithoutBucket, Place::default(), detail)).await?;
                }
            }
        }
    }

    /// Custom domains decode, and have a bucket.
    pub(super) async fn domains(&mut self) -> Result<(), Error> {
        let mut walk = Walk::over(DOMAINS, PAGE);
        loop {
            let rows = walk.next(&*self.store.kv).await?;
            if rows.is_empty() {
                return Ok(());
            }
            self.report.go_on()?;
            for (row, value) in rows {
                let Ok((domain, record)) = domains::parse(&row, &value) else {
                    self.tell(unreadable(DOMAINS, &row)).await?;
                    continue;
                };
                let lost = self.store.living(&record).await?.is_none();
                // It may have been given to another bucket meanwhile.
                if lost && self.store.kv.get(DOMAINS, &row).await? == Some(value) {
                    let detail = format!("{domain}, bucket number {}", record.bucket_id.0);
                    let place = Place { bucket: Some(record.bucket.to_string()), ..Place::default() };
                    self.tell(Fault::new(Kind::DomainWithoutBucket, place, detail)).await?;
                }
            }
        }
    }

    /// Distributions, their invalidations and what finds these decode.
    pub(super) async fn distributions(&mut self) -> Result<(), Error> {
        let mut walk = Walk::over(DISTRIBUTIONS, PAGE);
        loop {
            let rows = walk.next(&*self.store.kv).await?;
            if rows.is_empty() {
                return Ok(());
            }
            self.report.go_on()?;
            for (row, value) in rows {
                if !distributions::check(&row, &value) {
                    self.tell(unreadable(DISTRIBUTIONS, &row)).await?;
                }
            }
        }
    }

    /// What buckets want to be told of decodes, and ends with its bucket.
    pub(super) async fn notifications(&mut self) -> Result<(), Error> {
        let mut walk = Walk::over(NOTIFICATIONS, PAGE);
        let (mut looked_for, mut last) = (None, None);
        loop {
            let rows = walk.next(&*self.store.kv).await?;
            if rows.is_empty() {
                return Ok(());
            }
            self.report.go_on()?;
            self.learn_buckets(&rows, &mut looked_for).await?;
            for (row, value) in rows {
                let (Some(bucket), Ok(_)) = (bucket_of(&row), notifications::parse(&row, &value)) else {
                    self.tell(unreadable(NOTIFICATIONS, &row)).await?;
                    continue;
                };
                // A bucket's newest row comes first, and says of one that is gone that nothing is to be told.
                let newest = last.replace(bucket) != Some(bucket);
                let lost = newest && self.names.as_ref().is_some_and(|names| !names.has(bucket));
                if lost && self.store.notification_end(bucket).await?.is_none() && self.is_kept(&row).await? {
                    let detail = format!("notifications, bucket number {}", bucket.0);
                    self.tell(Fault::new(Kind::ConfigurationWithoutBucket, Place::default(), detail)).await?;
                }
            }
        }
    }

    async fn is_kept(&self, row: &Bytes) -> Result<bool, Error> {
        Ok(self.store.kv.get(NOTIFICATIONS, row).await?.is_some())
    }

    /// Open uploads decode and are in a bucket, or left to the sweeper with it.
    pub(super) async fn uploads(&mut self) -> Result<(), Error> {
        let mut walk = Walk::over(UPLOADS, PAGE);
        let mut looked_for = None;
        loop {
            let rows = walk.next(&*self.store.kv).await?;
            if rows.is_empty() {
                return Ok(());
            }
            self.progress("checking uploads", self.summary.uploads, Unit::Rows)?;
            self.learn_buckets(&rows, &mut looked_for).await?;
            for (row, value) in rows {
                self.summary.uploads += 1;
                let parsed = bucket_of(&row).zip(tables::parse_upload(&row));
                let (Some((bucket, _)), Ok(_)) = (parsed, decode::<UploadRecord>(&value)) else {
                    let detail = format!("row {} of table `uploads`", hex::encode(&row));
                    self.tell(Fault::new(Kind::UnreadableRecord, Place::default(), detail)).await?;
                    continue;
                };
                if self.names.as_ref().is_some_and(|names| !names.has(bucket)) {
                    self.suspect(Target::Bucket(bucket)).await?;
                }
            }
        }
    }

    /// The upload of a part, once per upload: held by an object, or to be found open or on the sweep queue.
    async fn check_upload_of(&mut self, row: &Bytes, last: &mut Option<UploadId>) -> Result<(), Error> {
        let Some(id) = row.first_chunk().copied().map(UploadId) else { return Ok(()) };
        if last.replace(id) == Some(id) || self.store.is_referenced(Target::Upload(id)).await? {
            return Ok(());
        }
        self.suspect(Target::Upload(id)).await
    }

    /// The same for offsets, which are left behind where all parts of a completed upload were lost.
    pub(super) async fn offsets(&mut self) -> Result<(), Error> {
        let (mut done, mut last) = (0, None);
        let mut walk = Walk::over(OFFSETS, PAGE);
        loop {
            let rows = walk.next(&*self.store.kv).await?;
            if rows.is_empty() {
                return Ok(());
            }
            self.progress("checking lists of parts", done, Unit::Rows)?;
            done += rows.len() as u64;
            for (row, _) in &rows {
                self.check_upload_of(row, &mut last).await?;
            }
        }
    }

    /// Answers that are kept for clients that ask again decode: nothing else depends on them.
    pub(super) async fn answers<T: DeserializeOwned>(&mut self, table: Table) -> Result<(), Error> {
        let mut walk = Walk::over(table, PAGE);
        loop {
            let rows = walk.next(&*self.store.kv).await?;
            if rows.is_empty() {
                return Ok(());
            }
            self.report.go_on()?;
            for (row, value) in rows {
                if decode::<T>(&value).is_err() {
                    let detail = format!("row {} of table `{}`", hex::encode(&row), table.name);
                    self.tell(Fault::new(Kind::UnreadableRecord, Place::default(), detail)).await?;
                }
            }
        }
    }
}

/// The bucket that a row of `current` or `uploads` begins with.
fn bucket_of(row: &[u8]) -> Option<BucketId> {
    row.first_chunk().map(|id| BucketId(u64::from_be_bytes(*id)))
}
