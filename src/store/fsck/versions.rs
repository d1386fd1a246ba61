//! Versions: each has what it needs, and what says where a key's versions stand agrees with them.

use bytes::Bytes;

use super::examine::unreadable;
use super::fault::{Fault, Kind, Mend};
use super::{Check, PAGE};
use crate::names::{BucketId, ObjectKey};
use crate::report::Place;
use crate::store::codec::{decode, encode};
use crate::store::error::Error;
use crate::store::record::{Entry, Head, ObjectRecord, Version, VersionRecord, VersionSummary};
use crate::store::tables::{self, CURRENT, HEADS, Owner, VERSIONS};
use crate::store::walk::Walk;

impl Check<'_> {
    pub(super) async fn examine_version(&self, row: &Bytes, value: &Bytes) -> Result<Vec<Fault>, Error> {
        let Some((bucket, key, ordinal)) = tables::parse_version(row) else {
            return Ok(vec![unreadable(VERSIONS, row)]);
        };
        let owner = Owner::Version { bucket, key: key.clone(), ordinal };
        let place = self.place(&owner);
        let Ok(record) = decode::<VersionRecord>(value) else {
            return Ok(vec![Fault::new(Kind::UnreadableRecord, place, "the version's record")]);
        };
        let place = Place { version: Some(record.id(ordinal).to_string()), ..place };
        let mut faults = Vec::from_iter(self.examine_standing(bucket, &key, ordinal, &record, &place).await?);
        match &record.entry {
            Entry::Object(object) => faults.extend(self.examine_record(&owner, bucket, object, place).await?),
            Entry::DeleteMarker(_) => faults.extend(self.without_bucket(bucket, &place)),
        }
        Ok(faults)
    }

    /// Whether the key's head knows of this version. A lost head is told by the newest version alone.
    async fn examine_standing(
        &self,
        bucket: BucketId,
        key: &ObjectKey,
        ordinal: u64,
        record: &VersionRecord,
        place: &Place,
    ) -> Result<Option<Fault>, Error> {
        let found = self.store.kv.get(HEADS, &tables::head(bucket, key)).await?;
        let detail = match found.as_deref().map(decode::<Head>) {
            // A head that does not decode is told by its own row.
            Some(Err(_)) => return Ok(None),
            Some(Ok(head)) if head.newest < ordinal => format!("it says {}, and there is {ordinal}", head.newest),
            Some(Ok(head)) if record.random.is_none() && head.null != Some(ordinal) => {
                format!("it does not say that {ordinal} is the null version")
            }
            Some(Ok(_)) => return Ok(None),
            None => "it is missing".to_owned(),
        };
        let right = self.head_of(bucket, key).await?;
        if found.is_none() && right.is_none_or(|head| head.newest != ordinal) {
            return Ok(None);
        }
        let mend = Mend::Agree(HEADS, tables::head(bucket, key), right.map(|head| encode(&head)));
        Ok(Some(Fault::new(Kind::WrongHead, place.clone(), detail).mended_by(mend)))
    }

    /// The versions that a head names exist, and the current object is the newest of them.
    pub(super) async fn examine_head(&self, row: &Bytes, value: &Bytes) -> Result<Vec<Fault>, Error> {
        let Some((bucket, key)) = tables::parse_current(row) else { return Ok(vec![unreadable(HEADS, row)]) };
        let place = self.place(&Owner::Object { bucket, key: key.clone() });
        let wrong = async |detail: String| -> Result<Vec<Fault>, Error> {
            let right = self.head_of(bucket, &key).await?;
            let mend = Mend::Agree(HEADS, row.clone(), right.map(|head| encode(&head)));
            Ok(vec![Fault::new(Kind::WrongHead, place.clone(), detail).mended_by(mend)])
        };
        let Ok(head) = decode::<Head>(value) else { return wrong("it does not decode".to_owned()).await };
        if let Some(null) = head.null
            && self.version(bucket, &key, null).await?.is_none_or(|version| version.random.is_some())
        {
            return wrong(format!("{null} is not the null version")).await;
        }
        match self.version(bucket, &key, head.newest).await? {
            Some(newest) => Ok(Vec::from_iter(self.examine_current(bucket, &key, head.newest, newest, place).await?)),
            None => wrong(format!("there is no version {}", head.newest)).await,
        }
    }

    async fn examine_current(
        &self,
        bucket: BucketId,
        key: &ObjectKey,
        ordinal: u64,
        newest: VersionRecord,
        place: Place,
    ) -> Result<Option<Fault>, Error> {
        let row = tables::current(bucket, key.as_bytes());
        let current = self.store.kv.get(CURRENT, &row).await?;
        let current = match current.as_deref().map(decode::<ObjectRecord>).transpose() {
            Ok(current) => current,
            // That is told by its own row.
            Err(_) => return Ok(None),
        };
        let version = Version { ordinal, random: newest.random };
        let (detail, right) = match (newest.entry, &current) {
            (Entry::Object(_), Some(current)) if current.version == Some(version) => return Ok(None),
            (Entry::DeleteMarker(_), None) => return Ok(None),
            (Entry::Object(object), _) => ("it is not the newest version", Some(encode(object.as_ref()))),
            (Entry::DeleteMarker(_), Some(_)) => ("the newest version is a delete marker", None),
        };
        let fault = Fault::new(Kind::WrongCurrent, place, detail);
        // An object that is no version would be lost.
        let copy = current.is_none_or(|current| current.version.is_some());
        Ok(Some(if copy { fault.mended_by(Mend::Agree(CURRENT, row, right)) } else { fault }))
    }

    /// Whether the version is there that the current object is a copy of.
    pub(super) async fn examine_copy(
        &self,
        bucket: BucketId,
        key: &ObjectKey,
        version: Version,
        object: &ObjectRecord,
        place: Place,
    ) -> Result<Option<Fault>, Error> {
        let row = tables::version(bucket, key, version.ordinal);
        if self.store.kv.get(VERSIONS, &row).await?.is_some() {
            // Whether it is the same is told by the key's head.
            return Ok(None);
        }
        let place = Place { version: Some(version.id().to_string()), ..place };
        let record = VersionRecord { random: version.random, entry: Entry::Object(Box::new(object.clone())) };
        let mend = Mend::Agree(VERSIONS, row, Some(encode(&record)));
        Ok(Some(Fault::new(Kind::MissingVersion, place, format!("number {}", version.ordinal)).mended_by(mend)))
    }

    /// The version of this number. One that does not decode is told by its own row, and here it is none.
    async fn version(&self, bucket: BucketId, key: &ObjectKey, ordinal: u64) -> Result<Option<VersionRecord>, Error> {
        let row = self.store.kv.get(VERSIONS, &tables::version(bucket, key, ordinal)).await?;
        Ok(row.and_then(|row| decode(&row).ok()))
    }

    /// Where the versions of a key stand, from a walk over all of them; `None` if there are none.
    async fn head_of(&self, bucket: BucketId, key: &ObjectKey) -> Result<Option<Head>, Error> {
        let mut walk = Walk::prefix(VERSIONS, &tables::versions_of(bucket, key.as_bytes()), PAGE);
        let mut head: Option<Head> = None;
        loop {
            let rows = walk.next(&*self.store.kv).await?;
            if rows.is_empty() {
                return Ok(head);
            }
            for (row, value) in rows {
                let Some((_, _, ordinal)) = tables::parse_version(&row) else { continue };
                let head = head.get_or_insert(Head { newest: ordinal, null: None });
                let null = decode::<VersionSummary>(&value).is_ok_and(|version| version.random.is_none());
                if null && head.null.is_none() {
                    head.null = Some(ordinal);
                }
            }
        }
    }
}
