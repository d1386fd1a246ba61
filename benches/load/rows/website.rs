//! Pages of a website beside nginx, which serves the same files from a directory: whole, and as `304 Not Modified`.

use bytes::Bytes;

use super::body;
use crate::client::Request;
use crate::drive::{self, Load, Measured};
use crate::options::Options;
use crate::servers::{BUCKET, PAGE_BYTES, PAGES, Site, page};

/// As many connections as for small objects.
const CONNECTIONS: usize = 32;
const HOST: &str = "bench.website.localhost";

/// GETs pages of 16 KiB over and over.
pub fn get(site: &Site, options: &Options) -> Measured {
    prepare(site);
    let requests = (0..PAGES).map(|number| ask(number, "")).collect();
    drive::measure(site, Load::again(CONNECTIONS, requests).at(site.pages), options.measured)
}

/// Asks for the same pages with the entity tags that they have.
pub fn not_modified(site: &Site, options: &Options) -> Measured {
    prepare(site);
    let conditional = |number| {
        let answer = drive::exchange_at(site.pages, &ask(number, ""));
        let tag = answer.header("etag").expect("a page has an entity tag");
        ask(number, &format!("if-none-match: {tag}\r\n"))
    };
    let requests: Vec<Request> = (0..PAGES).map(conditional).collect();
    let answer = drive::exchange_at(site.pages, &requests[0]);
    assert_eq!((answer.status, answer.length), (304, 0), "{}", answer.head);
    drive::measure(site, Load::again(CONNECTIONS, requests).at(site.pages), options.measured)
}

/// Puts the pages where they are served from. In nginx's directory they are from the beginning.
fn prepare(site: &Site) {
    if site.is_static {
        return;
    }
    let page_body = body(PAGE_BYTES);
    let html = [("content-type", "text/html")];
    let put = |number| site.signer.presigned("PUT", &format!("/{BUCKET}/{}", page(number)), &html, page_body.clone());
    drive::send_all(site, CONNECTIONS, (0..PAGES).map(put).collect());
    let configure = |what: &str, document: &'static str| {
        let target = format!("/{BUCKET}?{what}=");
        drive::exchange(site, &site.signer.presigned("PUT", &target, &[], Bytes::from_static(document.as_bytes())));
    };
    configure(
        "policy",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bench/pages/*"}]}"#,
    );
    configure(
        "website",
        "<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument></WebsiteConfiguration>",
    );
}

fn ask(number: usize, more: &str) -> Request {
    let head = format!("GET /{} HTTP/1.1\r\nhost: {HOST}\r\n{more}\r\n", page(number));
    Request { head: Bytes::from(head), body: Bytes::new(), bodiless_answer: false }
}
