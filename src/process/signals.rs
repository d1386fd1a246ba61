//! SIGTERM and SIGINT: the first asks to stop in order, the second stops at once. SIGHUP asks a server to read its
//! configuration again.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The exit status of a process that was told twice to stop.
const STOPPED_AT_ONCE: i32 = 1;

/// The signals that end a server.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

/// The signal that has a server read its configuration again.
pub struct Hangup(Signal);

impl Hangup {
    /// From here on SIGHUP no longer ends the process.
    pub fn install() -> io::Result<Self> {
        Ok(Self(signal(SignalKind::hangup())?))
    }

    /// Waits for the signal. Several at once may count as one.
    pub async fn next(&mut self) {
        self.0.recv().await;
    }
}

impl Signals {
    /// From here on the signals no longer end the process by themselves.
    pub fn install() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for a signal and gives its name.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    /// Ends the process at once when another signal comes. Safe at any point: what a client was told is durable.
    pub fn exit_at_next(mut self) {
        tokio::spawn(async move {
            let signal = self.next().await;
            tracing::warn!(signal, "stopping at once");
            std::process::exit(STOPPED_AT_ONCE);
        });
    }
}
