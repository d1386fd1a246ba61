//! A command carried out where it can be: by the running server, or here on the directory of a stopped one.

use std::io;

use tokio::runtime::Builder;

use super::Failure;
use crate::admin::{self, Answer, Command, Reply};
use crate::config::ServerConfig;
use crate::report::Note;
use crate::server;

/// Threads for a command that works here: one that computes while another waits for the disk.
const THREADS: usize = 2;

/// Has `command` carried out and gives its answer. What it tells meanwhile goes to `listen`; an error of it ends the
/// command.
pub fn execute(
    config: &ServerConfig,
    command: Command,
    listen: &mut dyn FnMut(Note) -> io::Result<()>,
) -> Result<Answer, Failure> {
    let reply = match admin::call(&config.process.data, &command, listen)? {
        Some(reply) => reply,
        None => {
            let runtime = Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?;
            runtime.block_on(server::run_command(config, command, listen))?
        }
    };
    match reply {
        Reply::Ok(answer) => Ok(answer),
        Reply::Error(message) => Err(Failure::from(message)),
    }
}
