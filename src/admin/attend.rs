//! One client of the operator socket: its commands, line by line, and what it is told while they run.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::operator::Commands;
use super::wire::{Command, Line, MAX_LINE_BYTES, Progress, Reply};
use crate::report::{Note, Notes, Report, Unit};

/// How long a connection may be silent between commands, and how long it may take to take a reply.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may take to take a note: its user may be paging through what was found. The command waits meanwhile.
const NOTE_TIMEOUT: Duration = Duration::from_secs(3600);
/// How often a working server says at least that it is still there.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// A connected client.
pub struct Client {
    reading: BufReader<OwnedReadHalf>,
    writing: OwnedWriteHalf,
}

impl Client {
    pub fn new(stream: UnixStream) -> Self {
        let (reading, writing) = stream.into_split();
        Self { reading: BufReader::new(reading), writing }
    }

    /// Gives the next line, or `None` at the end. One that is too long or too slow ends the connection.
    pub async fn next_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let mut reading = (&mut self.reading).take(MAX_LINE_BYTES as u64);
        let read = timeout(IDLE_TIMEOUT, reading.read_until(b'\n', &mut line)).await.map_err(io::Error::from)??;
        match line.last() {
            Some(b'\n') => Ok(Some(line)),
            Some(_) if read == MAX_LINE_BYTES => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "the line is too long"))
            }
            // A command cut off in its middle is none.
            _ => Ok(None),
        }
    }

    /// Has `command` carried out to its end, whether or not the client is still there, and passes on what it tells
    /// meanwhile. A long command is asked to stop when the client hangs up and when `stop` is cancelled.
    pub async fn attend(
        &mut self,
        command: Command,
        commands: &dyn Commands,
        stop: CancellationToken,
    ) -> io::Result<Reply> {
        let (report, notes) = Report::new(stop.clone());
        let running = async {
            let reply = commands.run(command, &report).await;
            drop(report);
            reply
        };
        let telling = tell(&mut self.writing, notes, &stop);
        let both = async { tokio::join!(running, telling) };
        tokio::select! {
            (reply, told) = both => told.map(|()| reply),
            never = stop_when_hung_up(&mut self.reading, &stop) => match never {},
        }
    }

    pub async fn reply(&mut self, reply: Reply) -> io::Result<()> {
        write(&mut self.writing, reply.into(), IDLE_TIMEOUT).await
    }
}

/// Passes notes on, and repeats the last progress where the work is silent. When the client cannot be told any more the
/// work is stopped, and what it still tells is not kept.
async fn tell(writing: &mut OwnedWriteHalf, mut notes: Notes, stop: &CancellationToken) -> io::Result<()> {
    let mut progress = Progress { phase: "working".to_owned(), done: 0, total: None, unit: Unit::Rows };
    let mut signs = interval(SIGN_OF_LIFE);
    signs.set_missed_tick_behavior(MissedTickBehavior::Delay);
    signs.tick().await;
    loop {
        let line = tokio::select! {
            note = notes.recv() => match note {
                None => return Ok(()),
                Some(note) => note,
            },
            _ = signs.tick() => Note::Progress(progress.clone()),
        };
        if let Note::Progress(told) = &line {
            progress = told.clone();
        }
        let written = tokio::select! {
            biased;
            written = write(writing, line.into(), NOTE_TIMEOUT) => written,
            // A line that was cut off in its middle is followed by nothing.
            () = stop.cancelled() => Err(io::Error::new(io::ErrorKind::Interrupted, "the command was stopped")),
        };
        if written.is_err() {
            stop.cancel();
            while notes.recv().await.is_some() {}
            return written;
        }
    }
}

/// Cancels `stop` when the client hangs up. Never returns: the command still ends in its own way.
async fn stop_when_hung_up(reading: &mut BufReader<OwnedReadHalf>, stop: &CancellationToken) -> Infallible {
    // Bytes mean a next command in advance: then only writing shows that the client is gone.
    let there = matches!(reading.fill_buf().await, Ok(bytes) if !bytes.is_empty());
    if !there {
        stop.cancel();
    }
    pending().await
}

async fn write(writing: &mut OwnedWriteHalf, line: Line, patience: Duration) -> io::Result<()> {
    timeout(patience, writing.write_all(&line.encode())).await.map_err(io::Error::from)?
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, Write};
    use std::os::unix::net::UnixStream;
    use std::path::Path;
    use std::sync::Arc;

    use async_trait::async_trait;
    use tokio::sync::Notify;

    use super::super::{Answer, OperatorSocket, call};
    use super::*;
    use crate::report::{Finding, Place, Severity};

    /// Counts until it is stopped where it is asked for keys; tells a few things and ends where it is asked for more.
    #[derive(Default)]
    struct Counting {
        stopped: Notify,
    }

    #[async_trait]
    impl Commands for Counting {
        async fn run(&self, command: Command, report: &Report) -> Reply {
            if matches!(command, Command::ListKeys { after: None }) {
                while report.pause(Duration::from_millis(1)).await.is_ok() {
                    let _ = report.finding(finding()).await;
                }
                self.stopped.notify_one();
                return Reply::Error("stopped before its end".to_owned());
            }
            for done in 0..3 {
                report.progress(&format!("phase {done}"), done, Some(3), Unit::Files).unwrap();
                report.finding(finding()).await.unwrap();
            }
            Reply::Ok(Answer::Done)
        }
    }

    fn finding() -> Finding {
        Finding {
            kind: "test".to_owned(),
            severity: Severity::Untidy,
            place: Place::default(),
            problem: "\u{1b}[31m\n".to_owned(),
            meaning: String::new(),
            advice: String::new(),
            repaired: None,
        }
    }

    fn start(directory: &Path) -> (OperatorSocket, Arc<Counting>) {
        let commands = Arc::new(Counting::default());
        (OperatorSocket::start(directory, commands.clone()).unwrap(), commands)
    }

    #[tokio::test]
    async fn notes_come_in_order_and_before_the_reply() {
        let dir = tempfile::tempdir().unwrap();
        let (socket, _) = start(dir.path());
        let path = dir.path().to_owned();
        let (told, reply) = tokio::task::spawn_blocking(move || {
            let mut told = Vec::new();
            let command = Command::ListKeys { after: Some("more".to_owned()) };
            let reply = call(&path, &command, &mut |note| {
                told.push(note);
                Ok(())
            })
            .unwrap();
            (told, reply)
        })
        .await
        .unwrap();
        assert_eq!(reply, Some(Reply::Ok(Answer::Done)));
        let phases = told.iter().filter_map(|note| match note {
            Note::Progress(progress) => Some(progress.phase.as_str()),
            Note::Finding(_) => None,
        });
        assert_eq!(Vec::from_iter(phases), ["phase 0", "phase 1", "phase 2"]);
        assert_eq!(told.iter().filter(|note| **note == Note::Finding(Box::new(finding()))).count(), 3);
        socket.stop().await;
    }

    #[tokio::test]
    async fn a_client_that_hangs_up_stops_its_command() {
        let dir = tempfile::tempdir().unwrap();
        let (socket, commands) = start(dir.path());
        let path = dir.path().join("admin.sock");
        tokio::task::spawn_blocking(move || {
            let mut stream = UnixStream::connect(path).unwrap();
            stream.write_all(b"{\"command\":\"key.list\",\"after\":null}\n").unwrap();
            let mut line = String::new();
            std::io::BufReader::new(&stream).read_line(&mut line).unwrap();
            assert!(line.starts_with(r#"{"finding":{"kind":"test""#), "{line}");
        })
        .await
        .unwrap();
        commands.stopped.notified().await;
        socket.stop().await;
    }

    #[tokio::test]
    async fn a_listener_that_fails_stops_its_command() {
        let dir = tempfile::tempdir().unwrap();
        let (socket, commands) = start(dir.path());
        let path = dir.path().to_owned();
        let called = tokio::task::spawn_blocking(move || {
            let refuse = |_| Err(io::Error::from(io::ErrorKind::BrokenPipe));
            call(&path, &Command::ListKeys { after: None }, &mut { refuse })
        });
        assert!(called.await.unwrap().is_err());
        commands.stopped.notified().await;
        socket.stop().await;
    }

    #[tokio::test]
    async fn the_servers_stop_ends_long_commands_and_their_clients_hear_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let (socket, commands) = start(dir.path());
        let path = dir.path().to_owned();
        let (begun, beginning) = std::sync::mpsc::channel();
        let called = tokio::task::spawn_blocking(move || {
            let command = Command::ListKeys { after: None };
            call(&path, &command, &mut |_| {
                let _ = begun.send(());
                Ok(())
            })
        });
        tokio::task::spawn_blocking(move || beginning.recv().unwrap()).await.unwrap();
        socket.stop().await;
        commands.stopped.notified().await;
        let reply = called.await.unwrap().unwrap();
        assert_eq!(reply, Some(Reply::Error("stopped before its end".to_owned())));
    }
}
