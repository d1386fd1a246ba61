//! The CDN edge: a cache in front of buckets, of websites and of any HTTP origin.

pub mod cache;
pub mod engine;
pub mod follow;
