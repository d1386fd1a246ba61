//! Rules of HTTP without a server: pure functions over parsed values, shared by everything that speaks HTTP.

pub mod head;
