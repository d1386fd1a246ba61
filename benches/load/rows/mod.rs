//! The rows of the table: what is sent to whom. Each makes its requests first and measures then.

pub mod large;
pub mod listing;
pub mod mixed;
pub mod moves;
pub mod small;
pub mod website;

use bytes::Bytes;

use super::drive::Measured;
use super::lab::Place;
use super::machine::Limit;
use super::options::Options;
use super::servers::{Site, noise};

pub struct Row {
    pub name: &'static str,
    pub places: &'static [Place],
    pub limit: Limit,
    pub run: fn(&Site, &Options) -> Measured,
}

const BRIM: &[Place] = &[Place::Brim];
const BOTH: &[Place] = &[Place::Brim, Place::SeaweedFs];
const BRIM_AND_NGINX: &[Place] = &[Place::Brim, Place::Nginx];
const FRESH: &[Place] = &[Place::FreshBrim];
const FRESH_AND_PEER: &[Place] = &[Place::FreshBrim, Place::SeaweedFs];
const ALL: &[Place] = &[Place::Brim, Place::SeaweedFs, Place::Nginx];
const FILLED: &[Place] = &[Place::FilledBrim];
const EMPTIED: &[Place] = &[Place::EmptiedBrim];

const CROSSOVER: &[Place] = &[Place::InlineBrim, Place::FilesBrim];

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;

macro_rules! rows {
    ($($name:literal, $places:ident, $limit:ident, $run:expr;)*) => {
        &[$(Row { name: $name, places: $places, limit: Limit::$limit, run: $run }),*]
    };
}

pub const ROWS: &[Row] = rows! {
    "PUT 4 KiB x32", BOTH, Echoes, |site, options| small::put(site, options, 4 * KIB, 32, 14_000);
    "GET 4 KiB x32", BOTH, Echoes, |site, options| small::read(site, options, "GET", 4 * KIB);
    "HEAD 4 KiB x32", BOTH, Echoes, |site, options| small::read(site, options, "HEAD", 4 * KIB);
    "PUT 64 KiB x32", BOTH, Hashing, |site, options| small::put(site, options, 64 * KIB, 32, 6000);
    "PUT 256 KiB x32", BOTH, Hashing, |site, options| small::put(site, options, 256 * KIB, 32, 3000);
    "PUT 1 MiB x32", BOTH, Hashing, |site, options| small::put(site, options, MIB, 32, 1000);
    "PUT 16 MiB x4", BOTH, Hashing, |site, options| small::put(site, options, 16 * MIB, 4, 100);
    "GET 16 MiB x4", ALL, Loopback, large::get;
    "website GET 16 KiB x32", BRIM_AND_NGINX, Echoes, website::get;
    "website 304 x32", BRIM_AND_NGINX, Echoes, website::not_modified;
    "PUT 64 MiB x1", BOTH, Stream, |site, options| small::put(site, options, 64 * MIB, 1, 20);
    "PUT 64 MiB x1, signed chunks", BOTH, Stream, large::put_signed;
    "LIST of 10,000 x1", FRESH_AND_PEER, Unknown, |site, options| listing::list_few(site, options, 1);
    "LIST of 10,000 x4", FRESH_AND_PEER, Unknown, |site, options| listing::list_few(site, options, 4);
    "LIST of 1,000,000 x1", FILLED, Unknown, listing::list_many;
    "LIST after 900,000 deletes x1", EMPTIED, Unknown, listing::list_many;
    "COPY 1 MiB x1", BOTH, Syncs, |site, options| moves::copy(site, options, MIB);
    "COPY 1 GiB x1", BOTH, Syncs, |site, options| moves::copy(site, options, GIB);
    "RENAME 1 MiB x1", BRIM, Syncs, |site, options| moves::rename(site, options, MIB);
    "RENAME 1 GiB x1", BRIM, Syncs, |site, options| moves::rename(site, options, GIB);
    "Complete 16 x 5 MiB", BRIM, Unknown, |site, _| moves::complete(site, 5 * MIB);
    "Complete 16 x 64 MiB", BRIM, Unknown, |site, _| moves::complete(site, 64 * MIB);
    "PUT 4 KiB x4, alone", BOTH, Echoes, |site, options| mixed::put(site, options, false);
    "PUT 4 KiB x4, beside four of 64 MiB", BOTH, Unknown, |site, options| mixed::put(site, options, true);
    "crossover: PUT 16 KiB x32", CROSSOVER, Unknown, |site, options| small::put(site, options, 16 * KIB, 32, 9000);
    "crossover: PUT 32 KiB x32", CROSSOVER, Unknown, |site, options| small::put(site, options, 32 * KIB, 32, 8000);
    "crossover: PUT 64 KiB x32", CROSSOVER, Unknown, |site, options| small::put(site, options, 64 * KIB, 32, 6000);
    "crossover: PUT 128 KiB x32", CROSSOVER, Unknown, |site, options| small::put(site, options, 128 * KIB, 32, 4000);
    "crossover: PUT 256 KiB x32", CROSSOVER, Unknown, |site, options| small::put(site, options, 256 * KIB, 32, 3000);
    "crossover: GET 16 KiB x32", CROSSOVER, Unknown, |site, options| small::read(site, options, "GET", 16 * KIB);
    "crossover: GET 32 KiB x32", CROSSOVER, Unknown, |site, options| small::read(site, options, "GET", 32 * KIB);
    "crossover: GET 64 KiB x32", CROSSOVER, Unknown, |site, options| small::read(site, options, "GET", 64 * KIB);
    "crossover: GET 128 KiB x32", CROSSOVER, Unknown, |site, options| small::read(site, options, "GET", 128 * KIB);
    "crossover: GET 256 KiB x32", CROSSOVER, Unknown, |site, options| small::read(site, options, "GET", 256 * KIB);
    "PUT 64 MiB x64, once each", FRESH, Hashing, |site, _| mixed::many_large(site);
};

/// A body of this length; its pages are shared by all requests.
fn body(length: usize) -> Bytes {
    Bytes::from(noise(length))
}
