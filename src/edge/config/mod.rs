//! What `brim-edge` can be told: one file of TOML, and the environment for what stands outside of its lists.
//!
//! Every key is declared once, in `rows`; faults, defaults and `docs/edge-options.md` come from there. All faults are found
//! before anything is opened but the files that the configuration names.

mod behaviour;
mod docs;
mod fields;
mod headers;
mod keys;
mod load;
mod options;
mod origin;
mod rows;
mod site;
mod values;

pub use docs::markdown;
pub use load::{FILE_VARIABLE, Sources};
pub use options::{
    AccessLogOptions, AcmeOptions, DiskOptions, EdgeConfig, FeedOptions, LimitsOptions, LogFormat, ProcessOptions,
    ProxiesOptions, PurgeOptions, Signer, UploadOptions,
};
pub use origin::{OriginConfig, settings};
pub use site::SiteConfig;
