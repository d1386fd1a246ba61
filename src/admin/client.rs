//! The client's end of `DIR/admin.sock`: blocking, for a command line.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use super::wire::{Command, Line, MAX_LINE_BYTES, Received, Reply, SocketPath};
use crate::report::Note;

/// How long the server may be silent: while it works it tells its progress more often than that.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Why a running server gave no reply.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot reach the server through its admin.sock: {0}")]
    Io(#[from] io::Error),
    #[error("the server's reply is not one that this brim understands: is it another version?")]
    Reply(#[source] serde_json::Error),
    #[error("the server hung up before its reply")]
    HungUp,
    #[error("the server sent a line that is too long: is it another version?")]
    TooLong,
}

/// Has the server that runs on `directory` carry out `command`; `None` if no server runs there. What the server tells
/// meanwhile goes to `listen`; an error of it ends the call, and the command with it.
pub fn call(
    directory: &Path,
    command: &Command,
    listen: &mut dyn FnMut(Note) -> io::Result<()>,
) -> Result<Option<Reply>, Error> {
    let Some(stream) = connect(directory)? else { return Ok(None) };
    send(&stream, command)?;
    let mut stream = BufReader::new(stream);
    loop {
        match read_line(&mut stream)?.received() {
            Received::Note(note) => listen(note)?,
            Received::Reply(reply) => return Ok(Some(reply)),
        }
    }
}

/// Sends a command.
pub(super) fn send(mut stream: &UnixStream, command: &Command) -> Result<(), Error> {
    let mut line = serde_json::to_vec(command).expect("a command has only texts and numbers");
    line.push(b'\n');
    Ok(stream.write_all(&line)?)
}

/// Whether a server runs on `directory`, as far as its socket tells.
pub fn is_served(directory: &Path) -> bool {
    matches!(connect(directory), Ok(Some(_)))
}

/// Waits for the next line, for as long as the server may be silent.
pub(super) fn read_line(stream: &mut BufReader<UnixStream>) -> Result<Line, Error> {
    let mut line = Zeroizing::new(Vec::new());
    let read = stream.take(MAX_LINE_BYTES as u64).read_until(b'\n', &mut line)?;
    match line.last() {
        Some(b'\n') => serde_json::from_slice(&line).map_err(Error::Reply),
        _ if read == MAX_LINE_BYTES => Err(Error::TooLong),
        _ => Err(Error::HungUp),
    }
}

/// Connects to the server that runs on `directory`; `None` if none does.
pub(super) fn connect(directory: &Path) -> Result<Option<UnixStream>, Error> {
    let connected = SocketPath::of(directory).and_then(|path| UnixStream::connect(path.as_path()));
    match connected {
        Ok(stream) => {
            stream.set_read_timeout(Some(TIMEOUT))?;
            stream.set_write_timeout(Some(TIMEOUT))?;
            Ok(Some(stream))
        }
        // No socket, or one whose server died: whether a server runs all the same, the directory's lock tells.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::sync::Arc;

    use super::super::{Answer, Operator, OperatorSocket};
    use super::*;
    use crate::blob::MemoryBlobs;
    use crate::clock::Clock;
    use crate::identity::{IDENTITIES, Identities, KEYS, MasterKey, RootKey};
    use crate::kv::MemoryKv;
    use crate::store::{Store, tables};

    async fn operator() -> Arc<Operator> {
        let kv = Arc::new(MemoryKv::new(&[&[KEYS, IDENTITIES], &tables::TABLES[..]].concat()));
        let (master, root) = (MasterKey::generate().unwrap(), RootKey::generate().unwrap());
        let clock = Clock::system();
        let identities = Identities::open(kv.clone(), master, root, Default::default(), clock.clone()).await.unwrap();
        let store = Store::open(kv, Arc::new(MemoryBlobs::new()), clock.clone(), Default::default()).await.unwrap();
        let identities = Arc::new(identities);
        Arc::new(Operator {
            identities,
            store,
            clock,
            reserved: Default::default(),
            directory: "nowhere".into(),
            serving: true,
        })
    }

    async fn ask(directory: &Path, command: Command) -> Option<Reply> {
        let directory = directory.to_owned();
        tokio::task::spawn_blocking(move || call(&directory, &command, &mut |_| Ok(()))).await.unwrap().unwrap()
    }

    /// The life of a key, seen through the socket in `directory`.
    async fn live_through_a_key(directory: &Path) {
        let operator = operator().await;
        let identities = Arc::clone(&operator.identities);
        let socket = OperatorSocket::start(directory, operator).unwrap();
        assert_eq!(fs::metadata(directory.join("admin.sock")).unwrap().mode() & 0o777, 0o600);

        let made = ask(directory, Command::CreateKey { description: "laptop".into(), account: None, user: None })
            .await
            .unwrap();
        let Reply::Ok(Answer::CreatedKey { access_key_id, secret_access_key }) = made else { panic!("{made:?}") };
        let known = identities.authenticate(&access_key_id, None).await.unwrap().unwrap();
        assert_eq!(known.secret, secret_access_key);

        let listed = ask(directory, Command::ListKeys { after: None }).await.unwrap();
        assert!(matches!(listed, Reply::Ok(Answer::Keys { keys, after: None }) if keys[0].description == "laptop"));
        let disabled = ask(directory, Command::DisableKey { access_key_id: access_key_id.clone() }).await.unwrap();
        assert_eq!(disabled, Reply::Ok(Answer::Done));
        assert!(identities.authenticate(&access_key_id, None).await.unwrap().is_none());
        let unknown = ask(directory, Command::DeleteKey { access_key_id: "nobody".into() }).await.unwrap();
        assert_eq!(unknown, Reply::Error("there is no access key nobody".into()));

        socket.stop().await;
        assert!(!directory.join("admin.sock").exists());
        assert_eq!(ask(directory, Command::ListKeys { after: None }).await, None);
    }

    #[tokio::test]
    async fn commands_go_through_the_socket_and_it_goes_away_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        live_through_a_key(dir.path()).await;
    }

    #[tokio::test]
    async fn a_directory_may_have_a_longer_path_than_a_socket_address() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("d".repeat(120));
        fs::create_dir(&deep).unwrap();
        live_through_a_key(&deep).await;
    }

    #[tokio::test]
    async fn a_socket_left_behind_is_no_server_and_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        drop(std::os::unix::net::UnixListener::bind(dir.path().join("admin.sock")).unwrap());
        assert_eq!(ask(dir.path(), Command::ListKeys { after: None }).await, None);
        live_through_a_key(dir.path()).await;
    }

    #[tokio::test]
    async fn lines_that_are_no_commands_get_an_error_and_endless_ones_a_hang_up() {
        let dir = tempfile::tempdir().unwrap();
        let socket = OperatorSocket::start(dir.path(), operator().await).unwrap();
        let path = dir.path().join("admin.sock");
        tokio::task::spawn_blocking(move || {
            let mut stream = UnixStream::connect(&path).unwrap();
            stream.write_all(b"hello\n").unwrap();
            let mut reply = String::new();
            BufReader::new(&stream).read_line(&mut reply).unwrap();
            assert!(reply.starts_with(r#"{"error":"not a command"#), "{reply}");

            let mut endless = UnixStream::connect(&path).unwrap();
            let _ = endless.write_all(&vec![b'x'; MAX_LINE_BYTES + 1]);
            let ended = endless.read(&mut [0; 1]);
            assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
        })
        .await
        .unwrap();
        socket.stop().await;
    }
}
