//! What becomes of a log file that is closed: it is compressed, perhaps put into a bucket, and after some days deleted.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use async_compression::tokio::write::GzipEncoder;
use tokio::fs::{self, File, OpenOptions};
use tokio::io::{self, AsyncWriteExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::upload::Uploader;
use super::writer::{MODE, OPEN_SUFFIX};
use crate::telemetry::metrics;

/// What compressed files end with.
const COMPRESSED_SUFFIX: &str = ".gz";
/// How often old files are looked for.
const PRUNE_INTERVAL: Duration = Duration::from_secs(600);
/// How often an upload is tried.
const UPLOAD_TRIES: u32 = 5;
/// The pause after the first failure; doubled after each.
const UPLOAD_PAUSE: Duration = Duration::from_secs(2);

/// Takes files that are closed. Paths wait in a list without bound: a file an hour for each site, or one for each 256 MiB.
#[derive(Clone)]
pub struct Archive(UnboundedSender<PathBuf>);

/// The tasks that compress and upload.
pub struct Archiver {
    compressing: JoinHandle<()>,
    uploading: Option<JoinHandle<()>>,
    stopping: CancellationToken,
}

impl Archive {
    /// Starts the tasks. Must be called within a runtime.
    pub fn start(directory: PathBuf, keep: Duration, uploader: Option<Uploader>) -> (Self, Archiver) {
        let (sender, paths) = unbounded_channel();
        let stopping = CancellationToken::new();
        // Apart from each other: a bucket that takes nothing keeps no file from being compressed, and none from being deleted.
        let (compressed, uploading) = match uploader {
            Some(uploader) => {
                let (compressed, files) = unbounded_channel();
                (Some(compressed), Some(tokio::spawn(upload(uploader, files, stopping.clone()))))
            }
            None => (None, None),
        };
        let compressing = tokio::spawn(run(directory, keep, compressed, paths));
        (Self(sender), Archiver { compressing, uploading, stopping })
    }

    pub fn take(&self, path: PathBuf) {
        // The task ends when nobody is left who could send.
        let _ = self.0.send(path);
    }
}

impl Archiver {
    /// Waits until every file that was taken is compressed and was sent to the bucket once more, for at most `grace`. What the
    /// bucket does not take stays on disk.
    pub async fn finish(self, grace: Duration) {
        self.stopping.cancel();
        let end = Instant::now() + grace;
        finished(self.compressing, end, "compressed").await;
        if let Some(uploading) = self.uploading {
            finished(uploading, end, "uploaded").await;
        }
    }
}

async fn finished(task: JoinHandle<()>, end: Instant, done: &str) {
    match timeout_at(end, task).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "access logs were not {done} to the end"),
        Err(_) => tracing::warn!("access logs are still to be {done}: the files are kept"),
    }
}

async fn run(
    directory: PathBuf,
    keep: Duration,
    compressed: Option<UnboundedSender<PathBuf>>,
    mut paths: UnboundedReceiver<PathBuf>,
) {
    let mut prune_at = Instant::now();
    loop {
        match timeout_at(prune_at, paths.recv()).await {
            Ok(Some(path)) => match (compress(&path).await, &compressed) {
                // The other task ends after this one.
                (Ok(file), Some(compressed)) => drop(compressed.send(file)),
                (Ok(_), None) => {}
                (Err(error), _) => {
                    tracing::error!(%error, file = %path.display(), "an access log was not compressed");
                }
            },
            Ok(None) => return,
            Err(_) => {
                prune_at = Instant::now() + PRUNE_INTERVAL;
                if let Err(error) = prune(&directory, keep).await {
                    tracing::warn!(%error, directory = %directory.display(), "old access logs were not deleted");
                }
            }
        }
    }
}

async fn upload(uploader: Uploader, mut files: UnboundedReceiver<PathBuf>, stopping: CancellationToken) {
    while let Some(file) = files.recv().await {
        let result = if upload_one(&uploader, &file, &stopping).await { "done" } else { "failed" };
        metrics::edge_log_uploads(result).increment(1);
    }
}

/// Puts a file into the bucket. Gives up after some tries, at once where the bucket refuses it, and while the edge stops.
async fn upload_one(uploader: &Uploader, file: &Path, stopping: &CancellationToken) -> bool {
    let mut pause = UPLOAD_PAUSE;
    for attempt in 1..=UPLOAD_TRIES {
        match uploader.put(file).await {
            Ok(()) => return true,
            Err(error) if attempt == UPLOAD_TRIES || error.is_final() || stopping.is_cancelled() => {
                tracing::error!(%error, file = %file.display(), "an access log was not uploaded; the file is kept");
                return false;
            }
            Err(error) => tracing::warn!(%error, file = %file.display(), "an access log was not uploaded yet"),
        }
        stopping.run_until_cancelled(sleep(pause)).await;
        pause *= 2;
    }
    false
}

/// Makes `NAME.gz` of `NAME.log`: whole or not at all.
async fn compress(path: &Path) -> io::Result<PathBuf> {
    let name = path.to_string_lossy();
    let target = PathBuf::from(format!("{}{COMPRESSED_SUFFIX}", name.strip_suffix(OPEN_SUFFIX).unwrap_or(&name)));
    let draft = target.with_extension("part");
    let mut source = File::open(path).await?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(MODE);
    let mut encoder = GzipEncoder::new(options.open(&draft).await?);
    io::copy(&mut source, &mut encoder).await?;
    encoder.shutdown().await?;
    encoder.into_inner().sync_all().await?;
    // The compressed file first: a crash in between leaves both, and the next start compresses again.
    fs::rename(&draft, &target).await?;
    fs::remove_file(path).await?;
    Ok(target)
}

/// Deletes compressed files that are older than `keep`.
async fn prune(directory: &Path, keep: Duration) -> io::Result<()> {
    let mut entries = fs::read_dir(directory).await?;
    while let Some(entry) = entries.next_entry().await? {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "gz") {
            continue;
        }
        let modified = entry.metadata().await?.modified()?;
        if SystemTime::now().duration_since(modified).is_ok_and(|age| age > keep) {
            fs::remove_file(&path).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use async_compression::tokio::write::GzipDecoder;

    use super::*;
    use crate::edge::config::{Signer, UploadOptions};
    use crate::edge::origin::scripted::{Gate, Scripted, Step, answer};

    #[tokio::test]
    async fn a_closed_file_is_compressed_and_an_old_one_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shop.2026-11-18-11.ABCDEFGHIJKLMNOP.log");
        let text = "line\n".repeat(10_000);
        std::fs::write(&path, &text).unwrap();
        let (archive, archiver) = Archive::start(dir.path().to_owned(), Duration::from_secs(3600), None);
        archive.take(path.clone());
        drop(archive);
        archiver.finish(Duration::from_secs(10)).await;
        let compressed = dir.path().join("shop.2026-11-18-11.ABCDEFGHIJKLMNOP.gz");
        let bytes = std::fs::read(&compressed).unwrap();
        assert!(!path.exists() && bytes.len() < 1000);
        let mode = std::fs::metadata(&compressed).unwrap().permissions().mode();
        assert_eq!(mode & 0o007, 0, "nobody else may read it: {mode:o}");
        let mut decoder = GzipDecoder::new(Vec::new());
        decoder.write_all(&bytes).await.unwrap();
        decoder.shutdown().await.unwrap();
        assert_eq!(decoder.into_inner(), text.as_bytes());

        prune(dir.path(), Duration::from_secs(3600)).await.unwrap();
        assert!(compressed.exists());
        prune(dir.path(), Duration::ZERO).await.unwrap();
        assert!(!compressed.exists());
    }

    /// Closes `count` files, of which each is to be uploaded to `bucket`.
    fn closed(bucket: &Scripted, folder: &Path, count: usize) -> (Archiver, Vec<PathBuf>) {
        let signer = Signer {
            access_key_id: "AKID".to_owned(),
            secret_access_key: "secret".to_owned(),
            region: "us-east-1".to_owned(),
        };
        let endpoint = bucket.url().parse().unwrap();
        let options = UploadOptions { endpoint, bucket: "logs".to_owned(), prefix: String::new(), signer };
        let uploader = Uploader::new(&options).unwrap();
        let (archive, archiver) = Archive::start(folder.to_owned(), Duration::from_secs(3600), Some(uploader));
        let file = |number| folder.join(format!("shop.2026-11-18-11.ABCDEFGHIJKLMNO{number}.log"));
        let files = (0..count).map(|number| {
            std::fs::write(file(number), "line\n").unwrap();
            archive.take(file(number));
            file(number).with_extension("gz")
        });
        let files = files.collect();
        (archiver, files)
    }

    async fn until(holds: impl Fn() -> bool) {
        for _ in 0..2500 {
            if holds() {
                return;
            }
            sleep(Duration::from_millis(2)).await;
        }
        panic!("it never came about");
    }

    #[tokio::test]
    async fn a_bucket_that_does_not_answer_keeps_no_file_from_being_compressed() {
        let (dir, gate) = (tempfile::tempdir().unwrap(), Gate::default());
        let held = gate.clone();
        let bucket = Scripted::start(move |_| vec![Step::Wait(held.clone()), answer(200, "", "")]);
        let (archiver, files) = closed(&bucket, dir.path(), 3);
        until(|| files.iter().all(|file| file.exists())).await;
        assert!(bucket.seen().len() <= 1, "the first upload still waits");
        gate.open();
        archiver.finish(Duration::from_secs(10)).await;
        assert_eq!(bucket.seen().len(), 3);
    }

    #[tokio::test]
    async fn a_bucket_that_refuses_is_asked_once_and_one_that_fails_delays_no_stop() {
        for (status, requests) in [(403, 3), (503, 3)] {
            let dir = tempfile::tempdir().unwrap();
            let bucket = Scripted::start(move |_| vec![answer(status, "", "")]);
            let (archiver, files) = closed(&bucket, dir.path(), 3);
            let began = Instant::now();
            archiver.finish(Duration::from_secs(60)).await;
            assert!(began.elapsed() < Duration::from_secs(10));
            assert!(files.iter().all(|file| file.exists()), "the files are kept");
            assert!((requests..=requests + 1).contains(&bucket.seen().len()), "{status}");
        }
    }
}
