//! The feed, without HTTP.
