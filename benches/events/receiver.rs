//! A receiver that does nothing but count: messages in, 204 out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ACCEPTED: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";
const BUFFER: usize = 64 * 1024;

/// Runs on a thread of its own, to the end of the process.
pub struct Receiver {
    pub address: SocketAddr,
    count: Arc<AtomicU64>,
}

impl Receiver {
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("a bound socket");
        let count = Arc::new(AtomicU64::new(0));
        let shared = Arc::clone(&count);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(accept(listener, shared));
        });
        Self { address, count }
    }

    /// How many messages came so far.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

async fn accept(listener: std::net::TcpListener, count: Arc<AtomicU64>) {
    let listener = TcpListener::from_std(listener).expect("a listener");
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        tokio::spawn(serve(stream, Arc::clone(&count)));
    }
}

/// Until the connection ends.
async fn serve(mut stream: TcpStream, count: Arc<AtomicU64>) {
    let _ = stream.set_nodelay(true);
    let (mut buffer, mut length) = (vec![0; BUFFER], 0);
    loop {
        match stream.read(&mut buffer[length..]).await {
            Ok(read @ 1..) => length += read,
            _ => return,
        }
        while let Some(end) = message_end(&buffer[..length]) {
            buffer.copy_within(end..length, 0);
            length -= end;
            count.fetch_add(1, Ordering::Relaxed);
            if stream.write_all(ACCEPTED).await.is_err() {
                return;
            }
        }
    }
}

/// Where the first message ends, if all of it is here.
fn message_end(received: &[u8]) -> Option<usize> {
    let head = received.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&received[..head]).expect("a head of ASCII");
    let length = text.lines().filter_map(|line| line.split_once(": "));
    let length = length.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?.1;
    let end = head + length.parse::<usize>().expect("a length");
    (end <= received.len()).then_some(end)
}
