//! What `brim server` can be told, and by whom: flag beats environment beats file beats default.
//!
//! Every option is declared once, in `server`; the typed tree, the flags, the environment variables, the faults and
//! `docs/configuration.md` are derived from that declaration.

#[cfg(feature = "server")]
mod accounts;
mod certificates;
#[cfg(feature = "server")]
mod declare;
#[cfg(feature = "server")]
mod docs;
mod document;
mod environment;
mod fault;
#[cfg(feature = "server")]
mod file;
#[cfg(feature = "server")]
mod kind;
#[cfg(feature = "server")]
mod load;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "server")]
mod sites;
mod tables;
#[cfg(feature = "server")]
mod values;
#[cfg(feature = "server")]
mod webhooks;

pub use crate::units::{duration, size};
pub use certificates::{CERTIFICATE, read as certificates};
#[cfg(feature = "server")]
pub use declare::{Row, Section, rows};
#[cfg(feature = "server")]
pub use docs::markdown;
pub use document::read_table;
pub use environment::{is_service_link, variables};
pub use fault::{Fault, Faults, Source};
#[cfg(feature = "server")]
pub use kind::{Form, Kind, Toml};
#[cfg(feature = "server")]
pub use load::Sources;
#[cfg(feature = "server")]
pub use server::{
    AcmeOptions, AdminOptions, EventsOptions, IdentityOptions, LimitsOptions, LogOptions, ProcessOptions, RootOptions,
    S3Options, SECTIONS, ServerConfig, StoreOptions,
};
#[cfg(feature = "server")]
pub use sites::DeclaredSite;
pub use tables::label;
#[cfg(feature = "server")]
pub use values::{DiskReserve, Durability, HttpsRedirect};
#[cfg(feature = "server")]
pub use webhooks::DeclaredWebhook;
