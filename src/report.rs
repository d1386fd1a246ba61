//! What a long piece of work tells while it goes on: how far it is and what it found; and whether it is to stop.
//!
//! The work holds a [`Report`], whoever wants to know holds the [`Notes`]. The two meet in a bounded queue: findings wait
//! for room, so that none is lost and none piles up; progress that finds no room is dropped, for the next one says more.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How many notes may wait to be read.
const WAITING_NOTES: usize = 64;
/// The least time between two notes of progress of one phase.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// How far a piece of work is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// What is being done, in words: `checking objects`.
    pub phase: String,
    pub done: u64,
    /// How much there is to do in this phase; `None` where nobody knows. May be an estimate that `done` passes.
    pub total: Option<u64>,
    pub unit: Unit,
}

/// What `done` and `total` count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Bytes,
    Rows,
    Files,
}

/// Something that an operator should know, explained for one who has never seen it before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What kind of finding it is: a name that stays the same from release to release.
    pub kind: String,
    pub severity: Severity,
    #[serde(flatten)]
    pub place: Place,
    /// What is wrong.
    pub problem: String,
    /// What that means for those who use the store.
    pub meaning: String,
    /// What to do about it.
    pub advice: String,
    /// What was done about it just now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repaired: Option<String>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is lost and nothing reads wrongly: room is taken, or bookkeeping is off.
    Untidy,
    /// Something that was stored cannot be read, or may be lost.
    Damage,
}

/// What a finding is about, as far as it is about one thing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Which of the key's versions: its identifier, or its number where that is all that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<String>,
}

/// One thing told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    Progress(Progress),
    Finding(Box<Finding>),
}

/// The work is to stop: somebody asked for it, or nobody listens any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stopped before its end")]
pub struct Stopped;

/// The end that the work holds.
#[derive(Debug)]
pub struct Report {
    notes: mpsc::Sender<Note>,
    stop: CancellationToken,
    /// The last progress that was told, and when.
    last: Mutex<Option<(String, Instant)>>,
}

/// The end that the listener holds.
pub type Notes = mpsc::Receiver<Note>;

impl Report {
    /// A report and where it is read; cancelling `stop` asks the work to stop.
    pub fn new(stop: CancellationToken) -> (Self, Notes) {
        let (notes, listener) = mpsc::channel(WAITING_NOTES);
        (Self { notes, stop, last: Mutex::new(None) }, listener)
    }

    /// Tells how far the work is; fails where it is to stop, so that a loop that tells its progress can be stopped.
    /// Cheap enough to be called for every row: what comes too soon after the last is not sent.
    pub fn progress(&self, phase: &str, done: u64, total: Option<u64>, unit: Unit) -> Result<(), Stopped> {
        self.go_on()?;
        let mut last = self.last.lock();
        let due = last.as_ref().is_none_or(|(told, at)| told != phase || at.elapsed() >= PROGRESS_INTERVAL);
        if due {
            *last = Some((phase.to_owned(), Instant::now()));
            let _ = self.notes.try_send(Note::Progress(Progress { phase: phase.to_owned(), done, total, unit }));
        }
        Ok(())
    }

    /// Tells a finding. Waits for the listener where it is behind.
    pub async fn finding(&self, finding: Finding) -> Result<(), Stopped> {
        tokio::select! {
            () = self.stop.cancelled() => Err(Stopped),
            sent = self.notes.send(Note::Finding(Box::new(finding))) => sent.map_err(|_| Stopped),
        }
    }

    /// Fails where the work is to stop.
    pub fn go_on(&self) -> Result<(), Stopped> {
        if self.stop.is_cancelled() || self.notes.is_closed() { Err(Stopped) } else { Ok(()) }
    }

    /// Waits for `time`, or fails as soon as the work is to stop.
    pub async fn pause(&self, time: Duration) -> Result<(), Stopped> {
        tokio::select! {
            () = self.stop.cancelled() => Err(Stopped),
            () = self.notes.closed() => Err(Stopped),
            () = tokio::time::sleep(time) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(kind: &str) -> Finding {
        Finding {
            kind: kind.to_owned(),
            severity: Severity::Damage,
            place: Place { key: Some("k".to_owned()), ..Place::default() },
            problem: "p".to_owned(),
            meaning: "m".to_owned(),
            advice: "a".to_owned(),
            repaired: None,
        }
    }

    #[tokio::test]
    async fn progress_is_thinned_out_and_findings_never_are() {
        let (report, mut notes) = Report::new(CancellationToken::new());
        let telling = async {
            for done in 0..10_000 {
                report.progress("counting", done, None, Unit::Rows).unwrap();
                if done % 100 == 0 {
                    report.finding(finding(&done.to_string())).await.unwrap();
                }
            }
            drop(report);
        };
        let listening = async {
            let (mut findings, mut progress) = (0, 0);
            while let Some(note) = notes.recv().await {
                match note {
                    Note::Finding(_) => findings += 1,
                    Note::Progress(_) => progress += 1,
                }
            }
            (findings, progress)
        };
        let ((), (findings, progress)) = tokio::join!(telling, listening);
        assert_eq!(findings, 100);
        assert!((1..100).contains(&progress), "{progress}");
    }

    #[tokio::test]
    async fn work_is_stopped_by_its_token_and_by_a_listener_that_goes_away() {
        let stop = CancellationToken::new();
        let (report, notes) = Report::new(stop.clone());
        report.go_on().unwrap();
        stop.cancel();
        assert_eq!(report.progress("counting", 1, None, Unit::Rows), Err(Stopped));
        assert_eq!(report.pause(Duration::from_secs(3600)).await, Err(Stopped));
        drop(notes);

        let (report, notes) = Report::new(CancellationToken::new());
        drop(notes);
        assert_eq!(report.finding(finding("unheard")).await, Err(Stopped));
        assert_eq!(report.go_on(), Err(Stopped));
    }

    #[test]
    fn a_finding_names_only_the_places_it_has() {
        let text = serde_json::to_string(&finding("lost")).unwrap();
        assert_eq!(text, r#"{"kind":"lost","severity":"damage","key":"k","problem":"p","meaning":"m","advice":"a"}"#);
        assert_eq!(serde_json::from_str::<Finding>(&text).unwrap(), finding("lost"));
    }
}
