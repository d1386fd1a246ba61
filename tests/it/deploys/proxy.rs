//! A proxy between a command and its server, which stops at a given byte, and whose server can be another one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Forwards connections for as long as it lives.
pub struct Proxy {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    accepting: tokio::task::JoinHandle<()>,
}

struct Shared {
    server: Mutex<SocketAddr>,
    /// How many bytes from clients are still forwarded; then nothing is, in either direction.
    left: AtomicU64,
}

impl Proxy {
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { server: Mutex::new(server), left: AtomicU64::new(u64::MAX) });
        let accepting = tokio::spawn({
            let shared = shared.clone();
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    tokio::spawn(forward(client, shared.clone()));
                }
            }
        });
        Self { address, shared, accepting }
    }

    /// Sends new connections to this server.
    pub fn lead_to(&self, server: SocketAddr) {
        *self.shared.server.lock() = server;
    }

    /// Forwards this many bytes of clients from now on, and no more.
    pub fn allow(&self, bytes: u64) {
        self.shared.left.store(bytes, Ordering::SeqCst);
    }

    /// How many bytes of clients are still allowed.
    pub fn left(&self) -> u64 {
        self.shared.left.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn forward(client: TcpStream, shared: Arc<Shared>) {
    let address = *shared.server.lock();
    // A server that is gone looks to the client like a connection that breaks.
    let Ok(server) = TcpStream::connect(address).await else { return };
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let up = async {
        let mut buffer = [0; 512];
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            // Several connections share what is left.
            let take = |left: u64| Some(left.saturating_sub(read as u64));
            let (Ok(left) | Err(left)) = shared.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take);
            let allowed = left.min(read as u64);
            if to_server.write_all(&buffer[..allowed as usize]).await.is_err() {
                return;
            }
            if left == allowed {
                // Neither the rest nor an end: the client is killed here, or waits.
                std::future::pending::<()>().await;
            }
        }
    };
    let down = async {
        let mut buffer = [0; 16 * 1024];
        while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
            if to_client.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! { () = up => {}, () = down => {} }
}
