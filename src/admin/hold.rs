//! A checkpoint that a running server holds for this process, for as long as it keeps its connection.

use std::io::BufReader;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::JoinHandle;

use tokio_util::sync::CancellationToken;

use super::client::{Error, connect, read_line, send};
use super::wire::{Answer, Command, HELD, Received, Reply};
use crate::report::Note;

/// What came of the hold: what the server answered, or why it did not.
type Ending = Result<Reply, Error>;

/// A held checkpoint. Dropped, or when this process ends, the server lets go of it.
#[derive(Debug)]
pub struct Hold {
    stream: UnixStream,
    /// Listens for the end.
    listener: Option<JoinHandle<Ending>>,
}

/// Why there is no checkpoint, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    #[error(transparent)]
    Connection(#[from] Error),
    #[error("the server holds no checkpoint: {0}")]
    Refused(String),
}

/// Has the server that runs on `directory` make a checkpoint and hold it; `None` if no server runs there. `lost` is
/// cancelled when the server lets go of it by itself.
pub fn hold(directory: &Path, lost: CancellationToken) -> Result<Option<Hold>, HoldError> {
    let Some(stream) = connect(directory)? else { return Ok(None) };
    send(&stream, &Command::HoldCheckpoint)?;
    let mut reading = BufReader::new(stream.try_clone().map_err(Error::from)?);
    loop {
        match read_line(&mut reading)?.received() {
            Received::Note(Note::Progress(progress)) if progress.phase == HELD => break,
            Received::Note(_) => {}
            Received::Reply(reply) => return Err(refused(Ok(reply))),
        }
    }
    let listener = std::thread::spawn(move || {
        let ending = listen(&mut reading);
        lost.cancel();
        ending
    });
    Ok(Some(Hold { stream, listener: Some(listener) }))
}

impl Hold {
    /// Lets go of the checkpoint and returns when the server has removed it. Fails where the server had let go before.
    pub fn release(mut self) -> Result<(), HoldError> {
        let early = self.listener.as_ref().is_none_or(JoinHandle::is_finished);
        // An error means that the server hung up; the listener knows more.
        let _ = self.stream.shutdown(Shutdown::Write);
        let ending = self.listener.take().and_then(|listener| listener.join().ok()).unwrap_or(Err(Error::HungUp));
        match ending {
            Ok(Reply::Ok(Answer::Done)) if !early => Ok(()),
            other => Err(refused(other)),
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// Waits for the reply. The server tells that it is there more often than the stream's timeout.
fn listen(reading: &mut BufReader<UnixStream>) -> Ending {
    loop {
        if let Received::Reply(reply) = read_line(reading)?.received() {
            return Ok(reply);
        }
    }
}

fn refused(ending: Ending) -> HoldError {
    match ending {
        Ok(Reply::Error(message)) => HoldError::Refused(message),
        Ok(Reply::Ok(_)) => HoldError::Refused("it is stopping".to_owned()),
        Err(error) => error.into(),
    }
}
