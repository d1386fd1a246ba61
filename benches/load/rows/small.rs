//! One object a request: PUT of fresh keys, GET and HEAD of known ones.

use bytes::Bytes;

use super::body;
use crate::client::Request;
use crate::drive::{self, Load, Measured};
use crate::options::Options;
use crate::servers::Site;

/// How many objects are read over and over: more than fit a processor's cache, fewer than fit memory.
const KNOWN: u64 = 2000;

/// PUTs objects under fresh keys; `at_most` is how many a second the row is prepared for.
pub fn put(site: &Site, options: &Options, length: usize, connections: usize, at_most: u64) -> Measured {
    let requests = puts(site, &format!("put-{length}"), length, options.at_most(at_most));
    drive::measure(site, Load::once(connections, requests), options.measured)
}

/// GETs or HEADs objects of this length.
pub fn read(site: &Site, options: &Options, method: &str, length: usize) -> Measured {
    let prefix = format!("known-{length}");
    drive::send_all(site, 32, puts(site, &prefix, length, KNOWN));
    let read = |number| site.presigned(method, &format!("{prefix}/{number:06}"), Bytes::new());
    drive::measure(site, Load::again(32, (0..KNOWN).map(read).collect()), options.measured)
}

/// Requests that put `count` objects below `prefix`.
pub fn puts(site: &Site, prefix: &str, length: usize, count: u64) -> Vec<Request> {
    let body = body(length);
    (0..count).map(|number| site.presigned("PUT", &format!("{prefix}/{number:06}"), body.clone())).collect()
}
