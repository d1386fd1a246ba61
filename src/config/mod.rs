//! What `brim server` can be told, and by whom: flag beats environment beats file beats default.
//!
//! Every option is declared once, in `server`; the typed tree, the flags, the environment variables, the faults and
//! `docs/configuration.md` are derived from that declaration.

mod accounts;
mod certificates;
mod declare;
mod docs;
mod fault;
mod file;
mod kind;
mod load;
mod server;
mod sites;
mod tables;
mod units;
mod values;

pub use declare::{Row, Section, rows};
pub use docs::markdown;
pub use fault::{Fault, Faults, Source};
pub use kind::{Form, Kind, Toml};
pub use load::Sources;
pub use server::{
    AcmeOptions, AdminOptions, IdentityOptions, LimitsOptions, LogOptions, ProcessOptions, RootOptions, S3Options,
    SECTIONS, ServerConfig, StoreOptions,
};
pub use sites::DeclaredSite;
pub use units::{duration, size};
pub use values::{DiskReserve, Durability, HttpsRedirect};
