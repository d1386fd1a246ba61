//! The one thread that writes the journal: it takes the purges that wait, writes and syncs them together, and only then
//! lets them be acknowledged.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::super::purge::{Index, Rule};
use super::super::sequence::Sequence;
use super::DiskError;
use super::journal::Journal;

/// The most messages that are written with one sync.
const MAX_BATCH: usize = 1024;

/// How long a cursor may wait for a purge to be written with.
const CURSOR_DELAY: Duration = Duration::from_secs(1);

/// Above this length the journal is rewritten, if that makes it a quarter of what it is.
const REWRITE_ABOVE: u64 = 4 * 1024 * 1024;

/// About what a rule takes in the journal.
const RULE_BYTES: u64 = 32;

/// What the thread is asked to do, in this order.
#[derive(Debug)]
enum Message {
    Purge {
        sequence: Sequence,
        rules: Vec<Rule>,
        done: oneshot::Sender<bool>,
    },
    Cursor(Bytes),
    /// Write the journal anew with the rules that are in force.
    Rewrite(Sender<bool>),
    /// Answer when what came before is written.
    Barrier(Sender<bool>),
    Abandon,
    #[cfg(test)]
    Break,
    Stop,
}

/// The way to the thread. Dropping it ends the thread after what was asked before.
#[derive(Debug)]
pub(in super::super) struct Recorder {
    messages: Sender<Message>,
    /// The last purge that is written.
    written: Arc<AtomicU64>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// A purge under way to the journal.
#[derive(Debug)]
pub(in super::super) struct Recording(oneshot::Receiver<bool>);

struct Writer {
    journal: Journal,
    cursor: Option<Bytes>,
    cursor_waits: bool,
    index: Arc<Index>,
    off: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    /// Whether the next start finds no journal.
    removed: bool,
}

impl Recorder {
    pub(super) fn start(
        journal: Journal,
        cursor: Option<Bytes>,
        index: Arc<Index>,
        off: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let (messages, receiver) = mpsc::channel();
        let written = Arc::new(AtomicU64::new(index.latest().number()));
        let mut writer =
            Writer { journal, cursor, cursor_waits: false, index, off, written: written.clone(), removed: false };
        let thread = thread::Builder::new().name("cache-journal".to_owned()).spawn(move || writer.run(&receiver))?;
        Ok(Self { messages, written, thread: Mutex::new(Some(thread)) })
    }

    /// Has purges recorded. The order of calls is the order in the journal.
    pub fn record(&self, sequence: Sequence, rules: Vec<Rule>) -> Recording {
        let (done, recording) = oneshot::channel();
        self.send(Message::Purge { sequence, rules, done });
        Recording(recording)
    }

    pub fn save_cursor(&self, cursor: Bytes) {
        self.send(Message::Cursor(cursor));
    }

    /// Waits until every purge up to this one is written. False where that failed.
    pub fn reach(&self, sequence: Sequence) -> bool {
        self.written.load(Ordering::Acquire) >= sequence.number() || self.ask(Message::Barrier)
    }

    /// Writes the journal anew with the rules in force. False where the old one stays.
    pub fn rewrite(&self) -> bool {
        self.ask(Message::Rewrite)
    }

    pub fn abandon(&self) {
        self.send(Message::Abandon);
    }

    /// Has every write fail, as on a broken disk.
    #[cfg(test)]
    pub fn fail_from_now_on(&self) {
        self.send(Message::Break);
        self.ask(Message::Barrier);
    }

    fn ask(&self, message: impl FnOnce(Sender<bool>) -> Message) -> bool {
        let (done, answer) = mpsc::channel();
        self.send(message(done));
        answer.recv().unwrap_or(false)
    }

    /// Sends to a thread that lives as long as this. What is not taken any more is answered by its being dropped.
    fn send(&self, message: Message) {
        let _ = self.messages.send(message);
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.send(Message::Stop);
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

impl Recording {
    /// Waits until the purges are durable.
    pub async fn finish(self) -> Result<(), DiskError> {
        match self.0.await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(DiskError::NotRecorded),
        }
    }
}

impl Writer {
    fn run(&mut self, messages: &Receiver<Message>) {
        loop {
            let mut batch = Vec::new();
            match messages.recv_timeout(CURSOR_DELAY) {
                Ok(message) => batch.push(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            batch.extend(messages.try_iter().take(MAX_BATCH));
            if self.work(batch) {
                return;
            }
        }
    }

    /// Does what a batch asks for; says whether it asks to stop.
    fn work(&mut self, batch: Vec<Message>) -> bool {
        let idle = batch.is_empty();
        let (mut purges, mut waiting, mut after) = (Vec::new(), Vec::new(), Vec::new());
        for message in batch {
            match message {
                Message::Purge { sequence, rules, done } => {
                    purges.push((sequence, rules));
                    waiting.push(done);
                }
                Message::Cursor(cursor) => {
                    self.cursor_waits = true;
                    self.cursor = Some(cursor);
                }
                other => after.push(other),
            }
        }
        let stops = after.iter().any(|message| matches!(message, Message::Stop));
        let recorded = self.record(&purges, idle || stops);
        waiting.into_iter().for_each(|done| {
            // Who does not wait any more needs no answer.
            let _ = done.send(recorded);
        });
        for message in after {
            self.obey(message, recorded);
        }
        stops
    }

    fn obey(&mut self, message: Message, recorded: bool) {
        match message {
            Message::Barrier(done) => {
                let _ = done.send(recorded && !self.is_off());
            }
            Message::Rewrite(done) => {
                let _ = done.send(self.rewrite());
            }
            Message::Abandon => self.abandon(),
            #[cfg(test)]
            Message::Break => self.journal.break_file(),
            Message::Purge { .. } | Message::Cursor(_) | Message::Stop => {}
        }
    }

    /// Writes purges and, with them or where `alone` says so, the cursor. True if a restart will know them, or will know
    /// that it knows nothing.
    fn record(&mut self, purges: &[(Sequence, Vec<Rule>)], alone: bool) -> bool {
        let with_cursor = self.cursor_waits && (alone || !purges.is_empty());
        if purges.is_empty() && !with_cursor {
            return true;
        }
        if !self.is_off() {
            let cursor = if with_cursor { self.cursor.as_deref() } else { None };
            let result = self.journal.append(purges, cursor).and_then(|()| self.journal.sync());
            match result {
                Ok(()) => {
                    self.cursor_waits &= !with_cursor;
                    let last = purges.iter().map(|(sequence, _)| sequence.number()).max().unwrap_or_default();
                    self.written.fetch_max(last, Ordering::AcqRel);
                    self.rewrite_if_long();
                    return true;
                }
                Err(error) => tracing::error!(%error, "the disk cache is given up: its journal cannot be written"),
            }
        }
        self.abandon();
        self.removed
    }

    fn rewrite_if_long(&mut self) {
        if self.journal.end() > REWRITE_ABOVE && self.journal.end() / 4 > self.index.len() as u64 * RULE_BYTES {
            self.rewrite();
        }
    }

    /// The rules in force are taken here, on the thread that wrote all that is in the old journal: so none of it is lost.
    fn rewrite(&mut self) -> bool {
        if self.is_off() {
            return false;
        }
        let (rules, latest, floor) = self.index.snapshot();
        match self.journal.replace(&rules, latest, floor, self.cursor.as_deref()) {
            Ok(()) => {
                self.cursor_waits = false;
                true
            }
            Err(error) => {
                tracing::error!(%error, "the disk cache is given up: its journal cannot be written anew");
                self.abandon();
                false
            }
        }
    }

    /// Stops the use of files and removes the journal, so that the next start wipes them.
    fn abandon(&mut self) {
        self.off.store(true, Ordering::Release);
        if self.removed {
            return;
        }
        match self.journal.remove() {
            Ok(()) => self.removed = true,
            Err(error) => tracing::error!(%error, "the journal of the disk cache cannot be removed"),
        }
    }

    fn is_off(&self) -> bool {
        self.off.load(Ordering::Acquire)
    }
}
