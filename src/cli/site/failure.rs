//! How the client's errors end a command.

use crate::cli::Failure;
use crate::client;

/// What is wrong with settings was wrong before anything was sent.
pub fn of_client(error: client::Error) -> Failure {
    match error {
        client::Error::Settings(message) => Failure::Refused(message),
        error => Failure::Failed(error.into()),
    }
}

/// Many things that are wrong, one a line, below what they are about.
pub fn of_faults(what: &str, faults: &[String]) -> Failure {
    Failure::Refused(format!("{what}:\n  {}", faults.join("\n  ")))
}
