//! What a static website is, pure: no server, no store. Documents are parsed here, and questions about them answered.

pub mod deploy;
pub mod domain;
pub mod host;
