//! The files that a definition names: whether they are there, and what they should be.

use super::definition::Definition;
use crate::tls::{self, OutgoingError};

impl Definition {
    /// Checks that the authorities are there, and the certificate with its key, where the URL asks for any. Blocks.
    pub fn check_files(&self) -> Result<(), OutgoingError> {
        match self.url.is_tls() {
            true => tls::client_configuration(&self.tls.authorities, self.tls.identity.as_ref()).map(drop),
            false => Ok(()),
        }
    }
}
