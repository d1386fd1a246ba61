//! TLS: which certificates there are, which one a client is shown, and how they are got.
//!
//! Certificates come from files that an operator names ([`Files`]) and from a certificate authority ([`acme`]).
//! [`Certificates`] has both, chooses by the name that a client asks for, and is changed while connections are made.

pub mod acme;
mod certificate;
mod certificates;
mod challenges;
mod configuration;
mod files;
mod handshake;
mod keeper;
mod outgoing;

pub use certificate::{Certificate, CertificateError};
pub use certificates::Certificates;
pub use challenges::{CHALLENGE_PATH, Challenges, Offered};
pub use configuration::{HTTP_1_1, HTTP_2, server_configuration};
pub use files::{Error as FileError, Files, Loaded, Pair};
pub use handshake::Handshakes;
pub use keeper::CertificateKeeper;
pub use outgoing::{Authorities, Identity, OutgoingError, client_configuration};
