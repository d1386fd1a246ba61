//! Operator commands on a data directory that no server runs on.

use std::convert::Infallible;
use std::future::pending;
use std::io;

use tokio_util::sync::CancellationToken;

use super::data_dir::DataDir;
use super::foundation::Foundation;
use super::start::StartError;
use super::storage::open_store;
use crate::admin::{Command, Commands, Operator, Reply};
use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::process::Signals;
use crate::report::{Note, Notes, Report};

/// Opens the data directory, carries out `command`, and closes it again. Refused while a server runs on it. What the
/// command tells meanwhile goes to `listen`; an error of it stops the command, and so does SIGTERM or SIGINT, in order.
pub async fn run_command(
    config: &ServerConfig,
    command: Command,
    listen: &mut dyn FnMut(Note) -> io::Result<()>,
) -> Result<Reply, StartError> {
    let signals = Signals::install().map_err(StartError::Signals)?;
    let dir = DataDir::open_existing(&config.process.data)?;
    let clock = Clock::system();
    let foundation = Foundation::open(dir, config, &clock).await?;
    let operator = Operator {
        identities: foundation.identities.clone(),
        store: open_store(&foundation, config, &clock).await?,
        clock: clock.clone(),
        reserved: config.reserved_domains(),
        directory: foundation.dir.path().to_owned(),
        serving: false,
    };
    let stop = CancellationToken::new();
    let (report, notes) = Report::new(stop.clone());
    let running = async {
        let reply = operator.run(command, &report).await;
        drop(report);
        reply
    };
    let both = async { tokio::join!(running, forward(notes, listen)) };
    let (reply, ()) = tokio::select! {
        done = both => done,
        never = stop_at_signal(signals, &stop) => match never {},
    };
    // Synced before the answer is shown, whatever the durability.
    foundation.close().await;
    Ok(reply)
}

/// Cancels `stop` at the first signal; the second ends the process. Never returns: the command still ends in its own way.
async fn stop_at_signal(mut signals: Signals, stop: &CancellationToken) -> Infallible {
    signals.next().await;
    stop.cancel();
    signals.exit_at_next();
    pending().await
}

/// Passes notes on until the work ends or nobody wants them: then the dropped queue stops the work.
async fn forward(mut notes: Notes, listen: &mut dyn FnMut(Note) -> io::Result<()>) {
    while let Some(note) = notes.recv().await {
        if listen(note).is_err() {
            return;
        }
    }
}
