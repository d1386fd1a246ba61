//! Pages of 1,000 keys, from places all over the bucket.

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use md5::{Digest, Md5};

use super::small;
use crate::client::Request;
use crate::drive::{self, Load, Measured};
use crate::fill;
use crate::options::Options;
use crate::servers::{BUCKET, Site};

const PAGE: u64 = 1000;
const FEW: u64 = 10_000;
/// How many pages are asked for in turn.
const PLACES: u64 = 97;

/// Lists a prefix of 10,000 keys.
pub fn list_few(site: &Site, options: &Options, connections: usize) -> Measured {
    drive::send_all(site, 32, small::puts(site, "few", 100, FEW));
    let page = |place| page(site, "few/", &format!("few/{:06}", place * (FEW - PAGE - 1) / PLACES));
    drive::measure(site, Load::again(connections, (0..PLACES).map(page).collect()), options.measured)
}

/// Lists the bucket of `LOAD_KEYS` keys, whether or not most of them are deleted.
pub fn list_many(site: &Site, options: &Options) -> Measured {
    let last = options.keys.saturating_sub(10 * PAGE + 10);
    let page = |place| page(site, "photos/", &fill::key(place * last / PLACES));
    drive::measure(site, Load::again(1, (0..PLACES).map(page).collect()), options.measured)
}

/// Deletes nine of ten neighbouring keys, 1,000 in a request.
pub fn delete_most(site: &Site, options: &Options) {
    let begun = Instant::now();
    let doomed: Vec<u64> = (0..options.keys).filter(|number| number % 10 != 0).collect();
    drive::send_all(site, 4, doomed.chunks(PAGE as usize).map(|numbers| delete(site, numbers)).collect());
    eprintln!("{} keys deleted in {:.1?}", doomed.len(), begun.elapsed());
}

fn page(site: &Site, prefix: &str, after: &str) -> Request {
    let [prefix, after] = [prefix, after].map(|text| text.replace('/', "%2F"));
    let target = format!("/{BUCKET}?list-type=2&max-keys={PAGE}&prefix={prefix}&start-after={after}");
    site.signer.presigned("GET", &target, &[], Bytes::new())
}

fn delete(site: &Site, numbers: &[u64]) -> Request {
    let entries = numbers.iter().map(|number| format!("<Object><Key>{}</Key></Object>", fill::key(*number)));
    let document = format!("<Delete><Quiet>true</Quiet>{}</Delete>", entries.collect::<String>());
    let digest = BASE64.encode(Md5::digest(&document));
    let target = format!("/{BUCKET}?delete=");
    site.signer.presigned("POST", &target, &[("content-md5", &digest)], Bytes::from(document))
}
