//! Small uploads beside large ones, and what many large ones take in memory.

use super::small::puts;
use crate::drive::{self, Load, Measured};
use crate::options::Options;
use crate::servers::Site;

const LARGE: usize = 64 << 20;
const MANY: usize = 64;

/// PUTs objects of 4 KiB over four connections, alone or beside four uploads of 64 MiB.
pub fn put(site: &Site, options: &Options, beside: bool) -> Measured {
    let small = puts(site, if beside { "beside" } else { "alone" }, 4 << 10, options.at_most(8000));
    let large = beside.then(|| Load::again(4, puts(site, "background", LARGE, 8)));
    drive::measure_beside(site, Load::once(4, small), large, options.measured)
}

/// PUTs 64 objects of 64 MiB at the same time, one on each of 64 connections.
pub fn many_large(site: &Site) -> Measured {
    drive::measure_all(site, MANY, puts(site, "many", LARGE, MANY as u64))
}
