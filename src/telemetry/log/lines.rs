//! Where log lines go: standard error, many lines in one write.
//!
//! A write for every line costs a small request a twentieth of its processor time. So lines wait for a moment in memory,
//! and go together: after [`PATIENCE`] at the latest, at once behind a warning or an error, and by [`Lines::flush`] at the
//! end of the process. A process that is killed loses what its last few milliseconds wrote.

use std::io::{self, Write};
use std::mem;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long a line may wait for others.
const PATIENCE: Duration = Duration::from_millis(10);
/// With so many bytes waiting, whoever adds a line writes them: a slow reader slows down those who have much to say.
const MAX_WAITING_BYTES: usize = 256 * 1024;

/// Lines on their way to `out`, in order.
pub struct Lines<W> {
    waiting: Mutex<Vec<u8>>,
    /// Told when the first line waits.
    first: Condvar,
    /// Locked before `waiting` is taken out, so that writes keep their order.
    out: Mutex<Out<W>>,
}

struct Out<W> {
    file: W,
    /// The lines that are being written; empty otherwise, and kept for its room.
    lines: Vec<u8>,
}

/// The lines of one process, shared by whoever has something to say.
pub struct Shared<W>(pub Arc<Lines<W>>);

/// Adds one line.
pub struct Line<'l, W> {
    lines: &'l Lines<W>,
    urgent: bool,
}

impl<W: Write + Send + 'static> Lines<W> {
    /// Writes to `file`, from a thread of its own that ends with the process.
    pub fn to(file: W) -> io::Result<Arc<Self>> {
        let out = Mutex::new(Out { file, lines: Vec::new() });
        let lines = Arc::new(Self { waiting: Mutex::default(), first: Condvar::new(), out });
        let writing = Arc::clone(&lines);
        thread::Builder::new().name("log".to_owned()).spawn(move || {
            loop {
                writing.wait_for_the_first();
                thread::sleep(PATIENCE);
                writing.flush();
            }
        })?;
        Ok(lines)
    }

    /// Writes what waits.
    pub fn flush(&self) {
        let mut out = self.out.lock();
        let Out { file, lines } = &mut *out;
        mem::swap(lines, &mut *self.waiting.lock());
        // There is nobody left to tell of a failure.
        let _ = file.write_all(lines).and_then(|()| file.flush());
        lines.clear();
    }

    fn wait_for_the_first(&self) {
        let mut waiting = self.waiting.lock();
        while waiting.is_empty() {
            self.first.wait(&mut waiting);
        }
    }

    fn add(&self, line: &[u8], urgent: bool) {
        let full = {
            let mut waiting = self.waiting.lock();
            if waiting.is_empty() {
                self.first.notify_one();
            }
            waiting.extend_from_slice(line);
            waiting.len() >= MAX_WAITING_BYTES
        };
        if urgent || full {
            self.flush();
        }
    }
}

impl<'l, W: Write + Send + 'static> MakeWriter<'l> for Shared<W> {
    type Writer = Line<'l, W>;

    fn make_writer(&'l self) -> Line<'l, W> {
        Line { lines: &self.0, urgent: true }
    }

    fn make_writer_for(&'l self, event: &Metadata<'_>) -> Line<'l, W> {
        Line { lines: &self.0, urgent: *event.level() <= Level::WARN }
    }
}

impl<W: Write + Send + 'static> Write for Line<'_, W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.lines.add(line, self.urgent);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Tells what each write holds.
    struct Told(mpsc::Sender<String>);

    impl Write for Told {
        fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
            self.0.send(String::from_utf8(lines.to_vec()).unwrap()).unwrap();
            Ok(lines.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn told() -> (Arc<Lines<Told>>, mpsc::Receiver<String>) {
        let (tell, told) = mpsc::channel();
        (Lines::to(Told(tell)).unwrap(), told)
    }

    #[test]
    fn lines_go_by_themselves_in_their_order() {
        let (lines, told) = told();
        let mut expected = String::new();
        for number in 0..100 {
            let line = format!("{number}\n");
            lines.add(line.as_bytes(), false);
            expected.push_str(&line);
        }
        let mut written = String::new();
        while written.len() < expected.len() {
            written.push_str(&told.recv_timeout(Duration::from_secs(60)).unwrap());
        }
        assert_eq!(written, expected);
    }

    #[test]
    fn an_urgent_line_goes_at_once_with_those_before_it() {
        let (lines, told) = told();
        lines.add(b"first\n", false);
        lines.add(b"warning\n", true);
        // No waiting: both were written before the last call returned.
        let written: String = told.try_iter().collect();
        assert_eq!(written, "first\nwarning\n");
    }

    #[test]
    fn what_waits_is_bounded() {
        let (lines, told) = told();
        let line = vec![b'x'; MAX_WAITING_BYTES / 2];
        for _ in 0..10 {
            lines.add(&line, false);
            assert!(lines.waiting.lock().len() < MAX_WAITING_BYTES);
        }
        lines.flush();
        assert_eq!(told.try_iter().map(|written| written.len()).sum::<usize>(), 10 * line.len());
    }

    #[test]
    fn warnings_and_errors_are_urgent() {
        let (lines, told) = told();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(Shared(lines)).finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("one");
            tracing::warn!("two");
        });
        let written: String = told.try_iter().collect();
        assert!(written.contains("one") && written.contains("two"), "{written}");
    }
}
