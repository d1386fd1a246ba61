//! What becomes of a log file that is closed: it is compressed, perhaps put into a bucket, and after some days deleted.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use async_compression::tokio::write::GzipEncoder;
use tokio::fs::{self, File};
use tokio::io::{self, AsyncWriteExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use super::upload::Uploader;
use super::writer::OPEN_SUFFIX;

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

/// The task that compresses and uploads.
pub struct Archiver(JoinHandle<()>);

impl Archive {
    /// Starts the task. Must be called within a runtime.
    pub fn start(directory: PathBuf, keep: Duration, uploader: Option<Uploader>) -> (Self, Archiver) {
        let (sender, paths) = unbounded_channel();
        let task = tokio::spawn(run(directory, keep, uploader, paths));
        (Self(sender), Archiver(task))
    }

    pub fn take(&self, path: PathBuf) {
        // The task ends when nobody is left who could send.
        let _ = self.0.send(path);
    }
}

impl Archiver {
    /// Waits until every file that was taken is compressed and uploaded, for at most `grace`.
    pub async fn finish(self, grace: Duration) {
        match timeout_at(Instant::now() + grace, self.0).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "access logs were not compressed to the end"),
            Err(_) => tracing::warn!("access logs are still to be compressed: the next start goes on with them"),
        }
    }
}

async fn run(directory: PathBuf, keep: Duration, uploader: Option<Uploader>, mut paths: UnboundedReceiver<PathBuf>) {
    let mut prune_at = Instant::now();
    loop {
        match timeout_at(prune_at, paths.recv()).await {
            Ok(Some(path)) => archive(&path, uploader.as_ref()).await,
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

async fn archive(path: &Path, uploader: Option<&Uploader>) {
    let compressed = match compress(path).await {
        Ok(compressed) => compressed,
        Err(error) => {
            tracing::error!(%error, file = %path.display(), "an access log was not compressed");
            return;
        }
    };
    let Some(uploader) = uploader else { return };
    let mut pause = UPLOAD_PAUSE;
    for attempt in 1..=UPLOAD_TRIES {
        match uploader.put(&compressed).await {
            Ok(()) => return,
            Err(error) if attempt == UPLOAD_TRIES => {
                tracing::error!(%error, file = %compressed.display(), "an access log was not uploaded; the file is kept");
            }
            Err(error) => tracing::warn!(%error, file = %compressed.display(), "an access log was not uploaded yet"),
        }
        sleep(pause).await;
        pause *= 2;
    }
}

/// Makes `NAME.gz` of `NAME.log`: whole or not at all.
async fn compress(path: &Path) -> io::Result<PathBuf> {
    let name = path.to_string_lossy();
    let target = PathBuf::from(format!("{}{COMPRESSED_SUFFIX}", name.strip_suffix(OPEN_SUFFIX).unwrap_or(&name)));
    let draft = target.with_extension("part");
    let mut source = File::open(path).await?;
    let mut encoder = GzipEncoder::new(File::create(&draft).await?);
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
    use async_compression::tokio::write::GzipDecoder;

    use super::*;

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
        let mut decoder = GzipDecoder::new(Vec::new());
        decoder.write_all(&bytes).await.unwrap();
        decoder.shutdown().await.unwrap();
        assert_eq!(decoder.into_inner(), text.as_bytes());

        prune(dir.path(), Duration::from_secs(3600)).await.unwrap();
        assert!(compressed.exists());
        prune(dir.path(), Duration::ZERO).await.unwrap();
        assert!(!compressed.exists());
    }
}
