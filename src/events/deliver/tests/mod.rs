//! Dispatchers over a store in memory, and receivers on this machine that do what they are told.

mod bench;
mod crashes;
mod delivery;
mod limits;
mod receiver;
mod replays;
mod tenants;
