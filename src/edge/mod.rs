//! The CDN edge: a cache in front of buckets, of websites and of any HTTP origin.

pub mod cache;
pub mod compress;
pub mod config;
pub mod engine;
pub mod follow;
pub mod origin;
pub mod rules;
pub mod site;

use std::ffi::OsString;
use std::process::ExitCode;

/// Carries out the command that `arguments` (the program's name first) ask for, and gives the exit status.
pub fn main(_arguments: impl Iterator<Item = OsString>) -> ExitCode {
    ExitCode::FAILURE
}
