//! Long work in this process, with its progress and its findings shown while it goes on.

use std::future::Future;

use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;

use super::Failure;
use super::progress::Meter;
use crate::report::{Finding, Note, Report};

/// Threads for the work: one that waits for the disk must not hold up the others.
const THREADS: usize = 2;

/// Does `work` on a thread of its own, and shows here what it tells: nothing of its progress if `quiet`, and its findings
/// as lines on standard error. `stop` asks it to stop.
pub fn watched<T: Send + 'static, F: Future<Output = T>>(
    quiet: bool,
    stop: CancellationToken,
    work: impl FnOnce(Report) -> F + Send + 'static,
) -> Result<T, Failure> {
    let runtime = Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?;
    let (report, mut notes) = Report::new(stop);
    let working = std::thread::spawn(move || runtime.block_on(work(report)));
    let mut meter = Meter::new(quiet);
    while let Some(note) = notes.blocking_recv() {
        match note {
            Note::Progress(progress) => meter.show(&progress),
            Note::Finding(finding) => meter.aside(|| eprintln!("brim: {}", line(&finding))),
        }
    }
    working.join().map_err(|_| Failure::from("the work ended in a panic, which is a bug"))
}

fn line(finding: &Finding) -> String {
    let Finding { problem, meaning, advice, .. } = finding;
    format!("{problem}: {meaning}; {advice}")
}
