//! Every fault that the check knows, in words: what is wrong, what it means, what to do.

use bytes::Bytes;

use crate::blob::BlobId;
use crate::kv::Table;
use crate::report::{Finding, Place, Severity};
use crate::store::record::{InlineId, Target};

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    UnreadableTable,
    UnreadableDirectory,
    UnreadableRecord,
    BucketTwice,
    BucketCounter,
    ObjectWithoutBucket,
    ConfigurationWithoutBucket,
    DomainWithoutBucket,
    WrongHead,
    WrongCurrent,
    MissingVersion,
    MissingBytes,
    DamagedBytes,
    UnreadableBytes,
    WrongLength,
    WrongChecksum,
    BrokenManifest,
    MissingReference,
    StaleReference,
    UnownedManifest,
    UnownedParts,
    UploadWithoutBucket,
    OrphanInline,
    OrphanBlob,
    LogGap,
    LogRemainder,
    SweepEntry,
    SweepRemainder,
}

/// One fault.
#[derive(Debug, Clone)]
pub struct Fault {
    pub kind: Kind,
    pub place: Place,
    /// Which one exactly: completes what the kind says.
    pub detail: String,
    pub mend: Mend,
}

/// What repairs a fault without losing a byte.
#[derive(Debug, Clone)]
pub enum Mend {
    /// Nothing that a program may decide.
    Nothing,
    PutReference(Bytes),
    /// Removes the reference; bytes that nobody else refers to go into quarantine first.
    DropReference(Bytes, Target),
    QuarantineBlob(BlobId),
    QuarantineInline(InlineId),
    /// Leaves the target to the sweeper.
    Sweep(Target),
    Put(Table, Bytes, Bytes),
    /// Puts the row, or removes it, as the key's versions say.
    Agree(Table, Bytes, Option<Bytes>),
    Delete(Table, Bytes),
}

/// What is said of a kind.
struct Row {
    kind: Kind,
    name: &'static str,
    severity: Severity,
    problem: &'static str,
    meaning: &'static str,
    advice: &'static str,
}

const fn row(
    kind: Kind,
    name: &'static str,
    severity: Severity,
    problem: &'static str,
    meaning: &'static str,
    advice: &'static str,
) -> Row {
    Row { kind, name, severity, problem, meaning, advice }
}

const RESTORE: &str = "Look at the kernel's log and the disk. Upload the object again or restore it from a backup; \
                       if neither is possible, delete it.";
const BUG: &str = "No crash leaves this behind: please report it, with this finding. ";

use Severity::{Damage, Untidy};

const ROWS: &[Row] = &[
    row(
        Kind::UnreadableTable,
        "unreadable_table",
        Damage,
        "a part of the metadata cannot be read",
        "What is recorded there cannot be used, and the check could not look behind it.",
        "Look at the kernel's log and the disk. Copy the data directory away, then restore the last backup.",
    ),
    row(
        Kind::UnreadableDirectory,
        "unreadable_directory",
        Damage,
        "the directory of the blobs cannot be read",
        "What is in it may not be readable either, and the check could not look behind it.",
        "Look at the kernel's log, the disk and the permissions below DIR/blobs, then run the check again.",
    ),
    row(
        Kind::UnreadableRecord,
        "unreadable_record",
        Damage,
        "a record does not decode",
        "What it describes cannot be used: reading it is answered with 500.",
        "Make sure that no newer brim wrote here. Restore what it describes from a backup.",
    ),
    row(
        Kind::BucketTwice,
        "bucket_twice",
        Damage,
        "a bucket's row does not agree with its name or its number",
        "Two buckets may show the same objects.",
        "Stop the server, copy the data directory away, and restore the last backup.",
    ),
    row(
        Kind::BucketCounter,
        "bucket_counter",
        Damage,
        "the number of the next bucket is in use",
        "The next bucket to be created would show another bucket's objects.",
        "Stop the server and run `brim fsck --repair`: it raises the number. Create no bucket before that.",
    ),
    row(
        Kind::ObjectWithoutBucket,
        "object_without_bucket",
        Damage,
        "the object's bucket has no row",
        "The object cannot be reached by any name, and its bytes take room.",
        "The row of the bucket was lost: restore the last backup. Nothing was removed.",
    ),
    row(
        Kind::ConfigurationWithoutBucket,
        "configuration_without_bucket",
        Untidy,
        "a document of a bucket's configuration is in no bucket",
        "It cannot be reached by any name, and takes some room.",
        BUG,
    ),
    row(
        Kind::DomainWithoutBucket,
        "domain_without_bucket",
        Untidy,
        "the bucket that a custom domain was given to is gone",
        "The domain shows nothing, and may be given to any other bucket. Deleting a bucket leaves such rows.",
        "`brim site remove DOMAIN`, or `brim site add DOMAIN --bucket BUCKET` for another bucket.",
    ),
    row(
        Kind::WrongHead,
        "wrong_head",
        Damage,
        "what says where an object's versions stand does not agree with them",
        "Writing to this key may fail, and its null version may not be found.",
        "Stop the server and run `brim fsck --repair`: it looks at the versions and sets it right.",
    ),
    row(
        Kind::WrongCurrent,
        "wrong_current",
        Damage,
        "what reading the key gives is not its newest version",
        "Reading the key without a version id gives another version, or nothing.",
        "Stop the server and run `brim fsck --repair`: the newest version becomes the current one again. No version is removed.",
    ),
    row(
        Kind::MissingVersion,
        "missing_version",
        Damage,
        "the current object is not among its versions",
        "It can be read now. It is gone for good once it is overwritten or deleted.",
        "Stop the server and run `brim fsck --repair`: it becomes a version again.",
    ),
    row(
        Kind::MissingBytes,
        "missing_bytes",
        Damage,
        "its bytes are missing",
        "Reading it is answered with 500. Its size, type and tags are still shown.",
        RESTORE,
    ),
    row(
        Kind::DamagedBytes,
        "damaged_bytes",
        Damage,
        "its bytes are not those that were written",
        "Reading it fails, at the start or where the damage begins; wrong bytes are never given out.",
        RESTORE,
    ),
    row(
        Kind::UnreadableBytes,
        "unreadable_bytes",
        Damage,
        "its bytes cannot be read from the disk",
        "Reading it is answered with 500.",
        RESTORE,
    ),
    row(
        Kind::WrongLength,
        "wrong_length",
        Damage,
        "its bytes are not as many as its record says",
        "Reading it is answered with 500.",
        RESTORE,
    ),
    row(
        Kind::WrongChecksum,
        "wrong_checksum",
        Damage,
        "its parts do not add up to its checksum",
        "Clients that verify the object's checksum refuse what they download.",
        RESTORE,
    ),
    row(
        Kind::BrokenManifest,
        "broken_manifest",
        Damage,
        "its list of parts has a hole",
        "Reading it is answered with 500 or breaks off at the hole.",
        RESTORE,
    ),
    row(
        Kind::MissingReference,
        "missing_reference",
        Damage,
        "nothing says that its bytes are in use",
        "It can be read now. Its bytes may be removed when a copy of it is deleted.",
        "Stop the server and run `brim fsck --repair`: it makes the reference again.",
    ),
    row(
        Kind::StaleReference,
        "stale_reference",
        Damage,
        "bytes are held for something that is not there",
        "Either an object's record was lost, or its bytes were never let go. They take room.",
        "If you miss the object, copy the data directory away before anything else. `brim fsck --repair` on a stopped \
         server moves the bytes into quarantine.",
    ),
    row(
        Kind::UnownedManifest,
        "unowned_manifest",
        Damage,
        "a completed upload belongs to no object",
        "An object's record may have been lost. Its parts take room.",
        "If you miss an object, copy the data directory away and restore the last backup. Nothing was removed.",
    ),
    row(
        Kind::UnownedParts,
        "unowned_parts",
        Untidy,
        "parts belong to no upload",
        "They take room.",
        "`brim fsck --repair` on a stopped server leaves them to the sweeper.",
    ),
    row(
        Kind::UploadWithoutBucket,
        "upload_without_bucket",
        Untidy,
        "open uploads are in no bucket",
        "They cannot be reached, and their parts take room until they expire.",
        "Nothing: they are removed after `store.incomplete_upload_expiry`.",
    ),
    row(
        Kind::OrphanInline,
        "orphan_inline",
        Untidy,
        "bytes kept in the metadata belong to nothing",
        "They take room.",
        "`brim fsck --repair` on a stopped server moves them into quarantine.",
    ),
    row(
        Kind::OrphanBlob,
        "orphan_blob",
        Untidy,
        "a blob belongs to nothing",
        "It takes room. A crash in the middle of an upload leaves such a blob.",
        "Nothing: the next start of the server removes it. To keep it for a look, run `brim fsck --repair` on the stopped \
         server before that: it moves the blob into quarantine.",
    ),
    row(
        Kind::LogGap,
        "log_gap",
        Damage,
        "entries of the change log are missing",
        "Readers of the log do not hear of these changes. The objects themselves are not touched by this.",
        BUG,
    ),
    row(
        Kind::LogRemainder,
        "log_remainder",
        Untidy,
        "the change log has entries before its beginning",
        "They take room and are never trimmed.",
        "`brim fsck --repair` on a stopped server makes them the beginning.",
    ),
    row(
        Kind::SweepEntry,
        "sweep_entry",
        Untidy,
        "an entry of the sweep queue does not decode",
        "The sweeper stops there: the bytes of what is deleted go on taking room.",
        "Make sure that no newer brim wrote here. `brim fsck --repair` on a stopped server takes the entry off the queue.",
    ),
    row(
        Kind::SweepRemainder,
        "sweep_remainder",
        Untidy,
        "the sweep queue has entries before its beginning",
        "What they name is never removed and takes room.",
        "`brim fsck --repair` on a stopped server makes them the beginning.",
    ),
];

impl Kind {
    fn row(self) -> &'static Row {
        // A test holds the table to the kinds; were a row missing, what is said would be vague and not wrong.
        ROWS.iter().find(|row| row.kind == self).unwrap_or(&ROWS[0])
    }
}

impl Fault {
    /// A fault that no program can mend.
    pub fn new(kind: Kind, place: Place, detail: impl Into<String>) -> Self {
        Self { kind, place, detail: detail.into(), mend: Mend::Nothing }
    }

    pub fn mended_by(mut self, mend: Mend) -> Self {
        self.mend = mend;
        self
    }

    /// The fault explained.
    pub fn finding(&self) -> Finding {
        let row = self.kind.row();
        Finding {
            kind: row.name.to_owned(),
            severity: row.severity,
            place: self.place.clone(),
            problem: format!("{} ({})", row.problem, self.detail),
            meaning: row.meaning.to_owned(),
            advice: row.advice.trim_end().to_owned(),
            repaired: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_one_row_and_a_name_of_its_own() {
        let last = Kind::SweepRemainder as usize;
        let kinds: Vec<_> = ROWS.iter().map(|row| row.kind as usize).collect();
        assert_eq!(kinds, Vec::from_iter(0..=last), "in the order of the kinds");
        let names: std::collections::BTreeSet<_> = ROWS.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), ROWS.len());
    }

    #[test]
    fn a_fault_says_what_it_means_and_what_to_do() {
        let finding = Fault::new(Kind::LogGap, Place::default(), "from 3 to 5").finding();
        assert_eq!(finding.problem, "entries of the change log are missing (from 3 to 5)");
        assert!(ROWS.iter().all(|row| !row.meaning.is_empty() && row.meaning.ends_with('.') && !row.advice.is_empty()));
    }
}
