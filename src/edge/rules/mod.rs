//! The rules of a cache, pure: heads of requests and responses, times and policies in, decisions out.
//!
//! RFC 9111 (caching), 5861 (stale responses), 9211 (`Cache-Status`), 9213 (`CDN-Cache-Control`), RFC 9110's conditions
//! and ranges answered from stored responses, and CloudFront's policies. Each file names the sections it implements.

pub mod age;
pub mod bucket_request;
pub mod cache_status;
pub mod compress;
pub mod conditional;
pub mod directives;
pub mod freshness;
pub mod hygiene;
pub mod invalidate;
pub mod key;
pub mod list;
pub mod pages;
pub mod ranges;
pub mod response_policy;
pub mod reuse;
pub mod signed_url;
pub mod store;
pub mod target;
pub mod ttl;
pub mod update;
pub mod vary;
pub mod wildcard;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod testing;
