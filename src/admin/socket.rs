//! The server's end of `DIR/admin.sock`.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::attend::Client;
use super::operator::Commands;
use super::wire::{Command, Reply, SocketPath};

/// The most connections at a time; more wait.
const MAX_CONNECTIONS: usize = 16;
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
    pub fn start(directory: &Path, commands: Arc<dyn Commands>) -> io::Result<Self> {
        let path = SocketPath::of(directory)?;
        remove_if_there(path.as_path())?;
        let listener = UnixListener::bind(path.as_path())?;
        fs::set_permissions(path.as_path(), Permissions::from_mode(0o600))?;
        let stop = CancellationToken::new();
        let connections = TaskTracker::new();
        let accepting = tokio::spawn(accept(listener, commands, stop.clone(), connections.clone()));
        Ok(Self { path, stop, connections, accepting })
    }

    /// Takes no more commands, stops the long ones in progress, lets the others end, and removes the socket.
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
    commands: Arc<dyn Commands>,
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
        let (commands, stop) = (Arc::clone(&commands), stop.clone());
        connections.spawn(async move {
            if let Err(error) = serve(stream, &*commands, &stop).await {
                tracing::debug!(%error, "an operator connection ended");
            }
            drop(slot);
        });
    }
}

/// Answers line by line until the client hangs up, is silent for too long, or the server stops.
async fn serve(stream: UnixStream, commands: &dyn Commands, stop: &CancellationToken) -> io::Result<()> {
    let mut client = Client::new(stream);
    loop {
        let line = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            line = client.next_line() => line?,
        };
        let Some(line) = line else { return Ok(()) };
        let reply = match serde_json::from_slice::<Command>(&line) {
            Ok(command) => client.attend(command, commands, stop.child_token()).await?,
            Err(error) => Reply::Error(format!("not a command: {error}")),
        };
        client.reply(reply).await?;
    }
}
