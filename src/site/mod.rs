//! What a website is: pure rules, without a store and without a server.

pub mod domain;
pub mod host;
