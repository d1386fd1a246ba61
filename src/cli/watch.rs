//! Long work in this process, with its progress and its findings shown while it goes on.

use std::future::Future;

use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;

use super::Failure;
use super::findings::Findings;
use crate::report::Report;

/// Threads for the work: one that waits for the disk must not hold up the others.
const THREADS: usize = 2;

/// Does `work` on a thread of its own, and shows in `findings` what it tells meanwhile. `stop` asks it to stop, as does a
/// standard output that nobody reads any more.
pub fn watched<T: Send + 'static, F: Future<Output = T>>(
    findings: &mut Findings,
    stop: CancellationToken,
    work: impl FnOnce(Report) -> F + Send + 'static,
) -> Result<T, Failure> {
    let runtime = Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?;
    let (report, mut notes) = Report::new(stop.clone());
    let working = std::thread::spawn(move || runtime.block_on(work(report)));
    while let Some(note) = notes.blocking_recv() {
        if findings.hear(note).is_err() {
            stop.cancel();
        }
    }
    working.join().map_err(|_| Failure::from("the work ended in a panic, which is a bug"))
}
