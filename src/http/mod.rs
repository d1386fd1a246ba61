//! Rules of HTTP without a server: pure functions over parsed values, shared by everything that speaks HTTP.

pub mod conditional;
pub mod date;
pub mod encoding;
#[cfg(test)]
pub mod fuzz;
pub mod head;
pub mod mime;
pub mod percent;
pub mod range;
pub mod rfc2047;
pub mod tag;
