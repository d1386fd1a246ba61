//! The S3 dialect over HTTP.

pub mod error;
pub mod xml;
