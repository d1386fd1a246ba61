//! S3's XML: bodies read within bounds, answers written so that every key comes through.

pub mod access;
pub mod input;
pub mod notification;
pub mod scalar;
pub mod website;
pub mod write;

pub use crate::xml::read;
