//! Writes records to files, on a thread of its own, and closes a file when it is old or large enough.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::super::super::config::{AccessLogOptions, LogFormat};
use super::archive::Archive;
use super::record::Record;
use super::{json, w3c};
use crate::clock::{Clock, Timestamp};
use crate::telemetry::RequestId;

/// The most records that wait to be written.
const QUEUE: usize = 32_768;
/// How often the thread takes what waits. Waking it for every record would cost a small request as much as its answer.
const TURN: Duration = Duration::from_millis(50);
/// How long a line may wait in a buffer.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);
/// How many bytes of lines are written at once.
const BUFFER_BYTES: usize = 64 * 1024;
/// The most files that are open at once; of further sites, all write to one.
const MAX_OPEN: usize = 200;
/// What that one is called.
const OTHERS: &str = "others";
/// Who may read a log, which says who asked for what: the owner, and the group for tools.
pub const MODE: u32 = 0o640;
/// What files end with that are still written.
pub const OPEN_SUFFIX: &str = ".log";

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("cannot write access logs in {}: {source}", directory.display())]
    Directory { directory: PathBuf, source: io::Error },
    #[error("cannot start the thread that writes access logs: {0}")]
    Thread(#[source] io::Error),
}

/// Takes records. Cheap to clone.
#[derive(Clone)]
pub struct LogSender(Arc<Sending>);

/// What the senders share. The thread ends when it is gone.
struct Sending {
    waiting: Arc<Mutex<Vec<Record>>>,
    lost: AtomicU64,
    /// Nothing is sent by it: it only ends with the last sender.
    _alive: Sender<()>,
}

/// The running log.
pub struct AccessLog {
    sender: LogSender,
    thread: JoinHandle<()>,
}

impl LogSender {
    /// Has `record` written, or lost where too many wait.
    pub fn send(&self, record: Record) {
        let mut waiting = self.0.waiting.lock();
        if waiting.len() < QUEUE {
            waiting.push(record);
        } else {
            drop(waiting);
            self.0.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many records were lost.
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }
}

impl AccessLog {
    /// Begins to log. Files that an earlier run left open are closed. `archive` takes files that are closed.
    pub fn start(options: AccessLogOptions, location: &str, archive: Archive, clock: &Clock) -> Result<Self, LogError> {
        let directory = options.directory.clone();
        let failed = |source| LogError::Directory { directory: directory.clone(), source };
        fs::create_dir_all(&directory).map_err(failed)?;
        let (alive, senders) = mpsc::channel();
        let waiting: Arc<Mutex<Vec<Record>>> = Arc::default();
        let sender = LogSender(Arc::new(Sending { waiting: waiting.clone(), lost: AtomicU64::new(0), _alive: alive }));
        let form = match options.format {
            LogFormat::W3c => Form::W3c(w3c::Form::new(location)),
            LogFormat::Json => Form::Json(location.to_owned()),
        };
        let writer = Writer { options, form, open: HashMap::new(), archive, clock: clock.clone() };
        writer.close_left_over().map_err(failed)?;
        // Whether the directory can be written to shows now, not with the first request.
        let probe = directory.join(".brim-edge");
        File::create(&probe).and_then(|_| fs::remove_file(&probe)).map_err(failed)?;
        let thread = std::thread::Builder::new().name("access-log".to_owned());
        let thread = thread.spawn(move || writer.run(&waiting, &senders)).map_err(LogError::Thread)?;
        Ok(Self { sender, thread })
    }

    pub fn sender(&self) -> LogSender {
        self.sender.clone()
    }

    /// Writes what waits and closes every file. Returns once no sender is left. Blocks.
    pub fn stop(self) {
        drop(self.sender);
        if self.thread.join().is_err() {
            tracing::error!("the thread that writes access logs ended badly");
        }
    }
}

struct Writer {
    options: AccessLogOptions,
    form: Form,
    /// By site.
    open: HashMap<Arc<str>, Open>,
    archive: Archive,
    clock: Clock,
}

/// What lines look like, and what the edge calls itself in them.
enum Form {
    W3c(w3c::Form),
    Json(String),
}

struct Open {
    path: PathBuf,
    file: BufWriter<File>,
    began: Instant,
    bytes: u64,
}

impl Writer {
    fn run(mut self, waiting: &Mutex<Vec<Record>>, senders: &Receiver<()>) {
        let (mut flushed, mut taken, mut line) = (Instant::now(), Vec::new(), String::new());
        loop {
            // Asked before what waits is taken: what the last sender left is not missed.
            let ended = senders.recv_timeout(TURN) == Err(RecvTimeoutError::Disconnected);
            std::mem::swap(&mut taken, &mut *waiting.lock());
            for record in taken.drain(..) {
                self.write(&record, &mut line);
            }
            if ended {
                break;
            }
            if flushed.elapsed() >= FLUSH_INTERVAL {
                flushed = Instant::now();
                self.flush();
            }
        }
        for open in std::mem::take(&mut self.open).into_values() {
            self.close(open);
        }
    }

    fn write(&mut self, record: &Record, line: &mut String) {
        line.clear();
        match &mut self.form {
            Form::W3c(form) => form.append(line, record),
            Form::Json(location) => json::append(line, record, location),
        }
        if let Err(error) = self.append(&record.site, line) {
            tracing::error!(%error, site = %record.site, "a line of the access log was not written");
        }
    }

    fn append(&mut self, site: &Arc<str>, line: &str) -> io::Result<()> {
        let others: Arc<str> = OTHERS.into();
        let site = if self.open.contains_key(site) || self.open.len() < MAX_OPEN { site } else { &others };
        if !self.open.contains_key(site) {
            let open = self.create(site)?;
            self.open.insert(Arc::clone(site), open);
        }
        let Some(open) = self.open.get_mut(site) else { return Ok(()) };
        open.bytes += line.len() as u64;
        open.file.write_all(line.as_bytes())
    }

    fn create(&self, site: &str) -> io::Result<Open> {
        let path = self.options.directory.join(file_name(site, self.clock.now()));
        let file = OpenOptions::new().create_new(true).append(true).mode(MODE).open(&path)?;
        let mut file = BufWriter::with_capacity(BUFFER_BYTES, file);
        if matches!(self.form, Form::W3c(_)) {
            file.write_all(w3c::HEAD.as_bytes())?;
        }
        Ok(Open { path, file, began: Instant::now(), bytes: 0 })
    }

    /// Writes what is buffered, and closes what is old or large.
    fn flush(&mut self) {
        let (rotate, size) = (self.options.rotate, self.options.rotate_size);
        let due: Vec<Arc<str>> = self
            .open
            .iter()
            .filter(|(_, open)| open.began.elapsed() >= rotate || open.bytes >= size)
            .map(|(site, _)| Arc::clone(site))
            .collect();
        for site in due {
            if let Some(open) = self.open.remove(&site) {
                self.close(open);
            }
        }
        for open in self.open.values_mut() {
            if let Err(error) = open.file.flush() {
                tracing::error!(%error, file = %open.path.display(), "an access log was not written");
            }
        }
    }

    fn close(&self, mut open: Open) {
        if let Err(error) = open.file.flush() {
            tracing::error!(%error, file = %open.path.display(), "an access log was not written to its end");
        }
        self.archive.take(open.path);
    }

    fn close_left_over(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.options.directory)? {
            let path = entry?.path();
            if is_open_log(&path) {
                self.archive.take(path);
            }
        }
        Ok(())
    }
}

/// `SITE.YYYY-MM-DD-HH.ID.log`, as CloudFront calls its files, but for the end.
fn file_name(site: &str, now: Timestamp) -> String {
    let hour: String = now.to_string().chars().take(13).map(|c| if c == 'T' { '-' } else { c }).collect();
    format!("{site}.{hour}.{}{OPEN_SUFFIX}", RequestId::new())
}

/// Whether a file of the directory is one of ours that is not compressed yet.
fn is_open_log(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let Some((rest, id)) = name.strip_suffix(OPEN_SUFFIX).and_then(|name| name.rsplit_once('.')) else { return false };
    let hour = rest.rsplit_once('.').map(|(_, hour)| hour);
    id.len() == 16 && hour.is_some_and(|hour| hour.len() == 13 && hour.matches('-').count() == 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_as_cloudfronts_and_known_again() {
        let name = file_name("shop.example", Timestamp::from_millis(1_795_000_000_123));
        assert!(name.starts_with("shop.example.2026-11-18-11.") && name.ends_with(".log"), "{name}");
        assert!(is_open_log(Path::new(&name)));
        for other in ["access.log", "shop.2026-11-18-11.ABC.log", "shop.2026-11-18-11.ABCDEFGHIJKLMNOP.gz"] {
            assert!(!is_open_log(Path::new(other)), "{other}");
        }
    }
}
