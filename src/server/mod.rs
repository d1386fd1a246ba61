//! The composition root: opens the engines, starts the listeners, and stops both in order.

mod backup;
mod commands;
mod connection;
mod credentials;
mod data_dir;
pub mod doctor;
mod engines;
mod file_system;
mod following;
mod foundation;
mod front;
mod hold;
mod http_listener;
mod listeners;
mod lock;
mod marker;
mod master_key;
mod notifications;
mod observer;
mod offline;
mod orders;
mod places;
mod reload;
mod restore;
mod start;
mod storage;
mod stream;
mod transports;
mod websites;

pub use backup::{BackupError, BackupOptions, back_up};
pub use data_dir::DataDir;
pub use engines::TABLES;
pub use foundation::Foundation;
pub use offline::run_command;
pub use restore::{RestoreError, RestoreOptions, Restored, restore};
pub use start::{StartError, run};
