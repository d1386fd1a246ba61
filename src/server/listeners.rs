//! The listeners of a server: where they are, and their start and stop.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::foundation::Foundation;
use super::ready::ReadyLine;
use super::start::StartError;
use crate::admin::{HealthListener, OperatorSocket, Readiness};
use crate::config::ServerConfig;

/// The running listeners.
pub struct Listeners {
    operators: OperatorSocket,
    health: HealthListener,
    health_address: SocketAddr,
    stopping: Arc<AtomicBool>,
}

impl Listeners {
    /// Binds every address before it serves on any: an address in use stops the start, not half a server.
    pub fn start(config: &ServerConfig, foundation: &Foundation) -> Result<Self, StartError> {
        let (health_listener, health_address) = bind("admin.listen", config.admin.listen)?;

        let directory = foundation.dir.path();
        let operators = OperatorSocket::start(directory, Arc::clone(&foundation.identities))
            .map_err(|source| StartError::OperatorSocket { directory: directory.to_owned(), source })?;
        let stopping = Arc::new(AtomicBool::new(false));
        let health = HealthListener::start(health_listener, readiness(Arc::clone(&stopping)))
            .map_err(|source| StartError::Listen { key: "admin.listen", address: health_address, source })?;
        Ok(Self { operators, health, health_address, stopping })
    }

    /// The line that names every address, with the ports that were taken.
    pub fn ready_line(&self, foundation: &Foundation) -> ReadyLine {
        let line = ReadyLine::of("brim")
            .with("admin", format!("http://{}", self.health_address))
            .with("data", foundation.dir.path().to_string_lossy());
        match &foundation.credentials {
            Some(file) => line.with("credentials", file.to_string_lossy()),
            None => line,
        }
    }

    /// Tells load balancers first, then stops those who change something; health answers until the end.
    pub async fn stop(self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.operators.stop().await;
        self.health.stop().await;
    }
}

/// Binds `address` and gives it back with the port that was taken.
fn bind(key: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source: io::Error| StartError::Listen { key, address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

fn readiness(stopping: Arc<AtomicBool>) -> Readiness {
    Arc::new(move || if stopping.load(Ordering::SeqCst) { Err("stopping".to_owned()) } else { Ok(()) })
}
