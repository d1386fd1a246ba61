//! The keeper: the one thread that writes, finds and unlinks files, and that goes through everything stored from time to time to
//! retire purges. Because it is one thread, no file is written between the look at all files and the end of the purges
//! that they were compared with.

mod load;
mod queue;
mod sweep;
mod write;

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use self::load::Loader;
use self::queue::Next;
pub(super) use self::queue::{Item, Queue, Write};
pub(super) use self::sweep::MANY_RULES;
use self::sweep::Sweeper;
use super::tiers::Tiers;

/// How long the keeper waits for work before it looks whether something else is due.
const PATIENCE: Duration = Duration::from_secs(1);

/// The thread. Dropping it stops the thread after what it is doing; what waits to be written is not.
#[derive(Debug)]
pub(super) struct Keeper {
    tiers: Arc<Tiers>,
    thread: Option<JoinHandle<()>>,
}

struct Work {
    tiers: Arc<Tiers>,
    /// Until all files are found.
    loader: Option<Loader>,
    sweeper: Sweeper,
    /// The last write failed, which was said once.
    failing: bool,
}

impl Keeper {
    pub fn start(tiers: Arc<Tiers>) -> io::Result<Self> {
        let loader = tiers.disk.as_ref().map(|disk| Loader::new(disk, &tiers.index));
        let sweeper = Sweeper::new(&tiers);
        let mut work = Work { tiers: tiers.clone(), loader, sweeper, failing: false };
        let thread = thread::Builder::new().name("cache-keeper".to_owned()).spawn(move || work.run())?;
        Ok(Self { tiers, thread: Some(thread) })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.tiers.queue.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Work {
    fn run(&mut self) {
        loop {
            let patience = if self.loader.is_some() { Duration::ZERO } else { PATIENCE };
            match self.tiers.queue.next(patience) {
                Next::Write(write) => self.write(write),
                Next::Sweep => self.sweep(true),
                Next::Flush => {
                    self.unlink_loose();
                    self.tiers.queue.flushed();
                }
                Next::Idle => self.load(),
                Next::Stop => return self.unlink_loose(),
            }
            self.unlink_loose();
            if self.sweeper.is_due(&self.tiers) {
                self.sweep(false);
            }
        }
    }

    /// Looks at some of the files that were there at the start.
    fn load(&mut self) {
        let (Some(loader), Some(disk)) = (&mut self.loader, &self.tiers.disk) else { return };
        if !disk.is_on() || loader.step(&self.tiers, disk) {
            self.loader = None;
            disk.catalog.found();
            self.tiers.queue.loaded();
        }
    }

    /// Goes through everything stored, once all files are found.
    fn sweep(&mut self, now: bool) {
        while self.loader.is_some() && !self.tiers.queue.is_stopped() {
            self.load();
        }
        if self.loader.is_none() {
            self.sweeper.sweep(&self.tiers, now);
        }
        self.tiers.queue.swept();
    }

    /// Unlinks the files that the catalog has no more.
    fn unlink_loose(&self) {
        if let Some(disk) = &self.tiers.disk {
            disk.unlink_loose();
        }
    }
}
