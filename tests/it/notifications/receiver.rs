//! A receiver of webhooks that fails in every way there is, and keeps what it was sent.
//!
//! Reads HTTP/1.1 by itself: no library would answer half a head, or reset a connection in the middle of one.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use super::ledger::Ledger;
use crate::dice::Dice;

/// How an attempt ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Accept,
    Fail(&'static str),
    /// Says nothing until the other side gives up.
    Hang,
    /// Sends half a head, then ends the connection.
    Cut,
    Close,
    Reset,
}

/// A running receiver of one endpoint. Dropped, it ends.
pub struct Receiver {
    pub address: SocketAddr,
    pub ledger: Arc<Mutex<Ledger>>,
    _accepting: AbortOnDropHandle<()>,
}

/// A message as it came.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// Method and target.
    pub asked: String,
    pub id: String,
    pub timestamp: String,
    pub signature: String,
    pub body: Vec<u8>,
}

impl Receiver {
    /// Fails by chance, in a fifth of all attempts.
    pub async fn start(ledger: Ledger, dice: Dice) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let ledger = Arc::new(Mutex::new(ledger));
        let shared = Arc::clone(&ledger);
        let accepting = tokio::spawn(async move {
            for number in 0.. {
                let Ok((stream, _)) = listener.accept().await else { continue };
                tokio::spawn(serve(stream, Arc::clone(&shared), dice.fork(number)));
            }
        });
        Self { address, ledger, _accepting: AbortOnDropHandle::new(accepting) }
    }
}

async fn serve(stream: TcpStream, ledger: Arc<Mutex<Ledger>>, mut dice: Dice) {
    let mut stream = BufReader::new(stream);
    // The server was killed, or has given up: the connection ends.
    while let Ok(Some(message)) = read_message(&mut stream).await {
        let ending = Ending::by(&mut dice);
        // Before the answer is sent: what follows an answer may arrive before this task goes on.
        ledger.lock().note(&message, ending == Ending::Accept);
        if !matches!(ending.carry_out(stream.get_mut()).await, Ok(true)) {
            return;
        }
    }
}

impl Ending {
    fn by(dice: &mut Dice) -> Self {
        match dice.below(2_000) {
            0 => Self::Hang,
            1 => Self::Fail("429 Too Many Requests\r\nRetry-After: 1"),
            2..=60 => Self::Fail("429 Too Many Requests\r\nRetry-After: 0"),
            61..=150 => Self::Fail("500 Internal Server Error"),
            151..=210 => Self::Fail("301 Moved Permanently\r\nLocation: /elsewhere"),
            211..=270 => Self::Cut,
            271..=330 => Self::Close,
            331..=399 => Self::Reset,
            _ => Self::Accept,
        }
    }

    /// Whether the connection goes on after it.
    async fn carry_out(self, stream: &mut TcpStream) -> io::Result<bool> {
        match self {
            Self::Accept => stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.map(|()| true),
            Self::Fail(status) => {
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 4\r\n\r\nnope");
                stream.write_all(answer.as_bytes()).await.map(|()| true)
            }
            Self::Hang => {
                // Longer than the endpoint's patience.
                tokio::time::sleep(Duration::from_secs(5)).await;
                Ok(false)
            }
            Self::Cut => stream.write_all(b"HTTP/1.1 204 No").await.map(|()| false),
            Self::Close => Ok(false),
            Self::Reset => stream.set_zero_linger().map(|()| false),
        }
    }
}

/// Reads a message; `None` at the end of the connection.
async fn read_message(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Message>> {
    let mut message = Message::default();
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let text = line.trim_end();
        if text.is_empty() {
            break;
        }
        let Some((name, value)) = text.split_once(": ") else {
            text.clone_into(&mut message.asked);
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "webhook-id" => value.clone_into(&mut message.id),
            "webhook-timestamp" => value.clone_into(&mut message.timestamp),
            "webhook-signature" => value.clone_into(&mut message.signature),
            "content-length" => message.body.resize(value.parse().expect("a length"), 0),
            _ => {}
        }
    }
    stream.read_exact(&mut message.body).await?;
    Ok(Some(message))
}
