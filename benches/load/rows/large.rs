//! Large objects: GET beside nginx, and an upload in signed chunks.

use bytes::Bytes;

use super::{body, small};
use crate::drive::{self, Load, Measured};
use crate::options::Options;
use crate::servers::{BUCKET, Site};

/// GETs objects of 16 MiB, which the page cache holds, over four connections.
pub fn get(site: &Site, options: &Options) -> Measured {
    let requests = match site.is_static {
        true => vec![site.signer.unsigned("GET", "/16M")],
        false => {
            drive::send_all(site, 4, small::puts(site, "large", 16 << 20, 8));
            let get = |number| site.presigned("GET", &format!("large/{number:06}"), Bytes::new());
            (0..8).map(get).collect()
        }
    };
    drive::measure(site, Load::again(4, requests), options.measured)
}

/// PUTs one object of 64 MiB again and again, its chunks signed beforehand.
pub fn put_signed(site: &Site, options: &Options) -> Measured {
    let request = site.signer.chunked_put(&format!("/{BUCKET}/signed"), &body(64 << 20));
    drive::measure(site, Load::again(1, vec![request]), options.measured)
}
