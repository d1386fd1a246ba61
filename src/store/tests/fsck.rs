//! The check that operators run, as the tests use it: everything at rest, every byte read.

use tokio_util::sync::CancellationToken;

use super::fixture::Fixture;
use crate::report::{Finding, Note, Report};
use crate::store::{fsck, scrub};

/// What a sound store still has to tidy up.
#[derive(Debug, PartialEq, Eq)]
pub struct Leftovers {
    /// Entries of the sweep queue.
    pub queued: usize,
    /// Blobs without reference that are not on the sweep queue either.
    pub orphans: usize,
}

pub const NOTHING: Leftovers = Leftovers { queued: 0, orphans: 0 };

impl Fixture {
    /// Panics unless every record has its bytes and its reference, every reference its record, and everything else is on
    /// the sweep queue.
    pub async fn check(&self) -> Leftovers {
        let (summary, mut findings) = self.fsck(fsck::Options { serving: false, repair: false }).await;
        let found = findings.len();
        findings.retain(|finding| finding.kind != "orphan_blob");
        let orphans = found - findings.len();
        findings.extend(self.scrub().await.1);
        assert!(findings.is_empty(), "{findings:#?}");
        Leftovers { queued: summary.queued as usize, orphans }
    }

    pub async fn fsck(&self, options: fsck::Options) -> (fsck::Summary, Vec<Finding>) {
        let (report, mut notes) = Report::new(CancellationToken::new());
        let checking = async {
            let summary = self.store.fsck(options, &report).await.unwrap();
            drop(report);
            summary
        };
        tokio::join!(checking, gathered(&mut notes))
    }

    /// A whole scrub, as fast as it goes.
    pub async fn scrub(&self) -> (scrub::Summary, Vec<Finding>) {
        let (report, mut notes) = Report::new(CancellationToken::new());
        let scrubbing = async {
            let options = scrub::Options { rate: None, restart: true };
            let summary = self.store.scrub(options, &report).await.unwrap();
            drop(report);
            summary
        };
        tokio::join!(scrubbing, gathered(&mut notes))
    }
}

async fn gathered(notes: &mut crate::report::Notes) -> Vec<Finding> {
    let mut findings = Vec::new();
    while let Some(note) = notes.recv().await {
        if let Note::Finding(finding) = note {
            findings.push(*finding);
        }
    }
    findings
}
