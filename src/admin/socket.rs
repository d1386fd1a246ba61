//! The server's end of `DIR/admin.sock`.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

use super::operator;
use super::wire::{Command, MAX_LINE_BYTES, Reply, SocketPath};
use crate::identity::Identities;

/// The most connections at a time; more wait.
const MAX_CONNECTIONS: usize = 16;
/// How long a connection may be silent, and how long it may take to take a reply.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// The pause after a connection could not be accepted, as when descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long commands in progress may take at the end.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// A running socket for operator commands. Its file goes away with it.
pub struct OperatorSocket {
    path: SocketPath,
    stop: CancellationToken,
    connections: TaskTracker,
    accepting: JoinHandle<()>,
}

impl OperatorSocket {
    /// Listens on `directory/admin.sock`, for the directory's owner alone. Needs a tokio runtime.
    ///
    /// The caller holds the directory's lock, so a socket that is there already was left behind by a process that died:
    /// it is replaced.
    pub fn start(directory: &Path, identities: Arc<Identities>) -> io::Result<Self> {
        let path = SocketPath::of(directory)?;
        remove_if_there(path.as_path())?;
        let listener = UnixListener::bind(path.as_path())?;
        fs::set_permissions(path.as_path(), Permissions::from_mode(0o600))?;
        let stop = CancellationToken::new();
        let connections = TaskTracker::new();
        let accepting = tokio::spawn(accept(listener, identities, stop.clone(), connections.clone()));
        Ok(Self { path, stop, connections, accepting })
    }

    /// Takes no more commands, lets those in progress end, and removes the socket.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let _ = (&mut self.accepting).await;
        self.connections.close();
        if timeout(STOP_TIMEOUT, self.connections.wait()).await.is_err() {
            tracing::warn!("an operator command did not end in time");
        }
    }
}

impl Drop for OperatorSocket {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Err(error) = remove_if_there(self.path.as_path()) {
            tracing::warn!(%error, "the operator socket was not removed");
        }
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

async fn accept(
    listener: UnixListener,
    identities: Arc<Identities>,
    stop: CancellationToken,
    connections: TaskTracker,
) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let slot = tokio::select! {
            () = stop.cancelled() => return,
            slot = Arc::clone(&slots).acquire_owned() => slot.expect("the semaphore is never closed"),
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "an operator connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (identities, stop) = (Arc::clone(&identities), stop.clone());
        connections.spawn(async move {
            if let Err(error) = serve(stream, &identities, &stop).await {
                tracing::debug!(%error, "an operator connection ended");
            }
            drop(slot);
        });
    }
}

/// Answers line by line until the client hangs up, is silent for too long, or the server stops. A command that was read
/// is carried out to its end, whether or not the client is still there.
async fn serve(stream: UnixStream, identities: &Identities, stop: &CancellationToken) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let line = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            line = timeout(IDLE_TIMEOUT, read_line(&mut stream)) => line.map_err(io::Error::from)??,
        };
        let Some(line) = line else { return Ok(()) };
        let reply = match serde_json::from_slice::<Command>(&line) {
            Ok(command) => operator::run(command, identities).await,
            Err(error) => Reply::Error(format!("not a command: {error}")),
        };
        let mut text = Zeroizing::new(serde_json::to_vec(&reply).expect("a reply has only texts and numbers"));
        text.push(b'\n');
        timeout(IDLE_TIMEOUT, stream.get_mut().write_all(&text)).await.map_err(io::Error::from)??;
    }
}

/// Gives the next line, or `None` at the end. A line that is too long ends the connection.
async fn read_line(stream: &mut BufReader<UnixStream>) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let read = stream.take(MAX_LINE_BYTES as u64).read_until(b'\n', &mut line).await?;
    match line.last() {
        Some(b'\n') => Ok(Some(line)),
        Some(_) if read == MAX_LINE_BYTES => Err(io::Error::new(io::ErrorKind::InvalidData, "the line is too long")),
        // A command cut off in its middle is none.
        _ => Ok(None),
    }
}
