//! The CDN edge: a cache in front of buckets, of websites and of any HTTP origin.
//!
//! From below: `rules` decides, purely; `cache` keeps; `origin` asks; `engine` answers; `follow` reads the change feed;
//! `front` speaks with clients. `start` puts them together.

pub mod cache;
mod command;
pub mod compress;
pub mod config;
pub mod engine;
pub mod follow;
pub mod front;
mod observe;
mod orders;
pub mod origin;
mod reload;
pub mod rules;
pub mod site;
mod sites;
mod start;

pub use command::main;
