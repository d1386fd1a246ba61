//! The object store on engines in memory, some of which fail when told to.

mod buckets;
mod completing;
mod configuration;
mod copies;
mod damage;
mod distributions;
mod domains;
mod faults;
pub mod fixture;
mod fsck;
mod limits;
mod listing;
mod log;
mod multipart;
mod notifications;
mod objects;
mod pins;
mod preconditions;
mod reading;
mod reading_log;
mod scrubbing;
mod sweep_order;
mod sweeping;
mod upload_listing;
mod version_damage;
mod version_listing;
mod versions;
