//! The composition root: opens the engines, starts the listeners, and stops both in order.

mod connection;
mod credentials;
mod data_dir;
pub mod doctor;
mod engines;
mod file_system;
mod foundation;
mod listeners;
mod lock;
mod marker;
mod master_key;
mod observer;
mod offline;
mod private_file;
mod ready;
mod s3_listener;
mod signals;
mod start;
mod storage;
mod uptake;

pub use data_dir::DataDir;
pub use engines::TABLES;
pub use foundation::Foundation;
pub use offline::run_command;
pub use start::{StartError, run};
