//! The rows of the table: hits of one size.

use bytes::Bytes;

use super::client::Request;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

pub struct Row {
    pub name: &'static str,
    /// How long each body is.
    pub bytes: usize,
    /// How many URLs there are.
    pub urls: usize,
    pub connections: usize,
}

pub const ROWS: &[Row] = &[
    Row { name: "hit 1 KiB x64", bytes: KIB, urls: 1000, connections: 64 },
    Row { name: "hit 16 KiB x64", bytes: 16 * KIB, urls: 1000, connections: 64 },
    Row { name: "hit 1 MiB x64", bytes: MIB, urls: 16, connections: 64 },
];

impl Row {
    /// A request for each URL, as a browser's connection that is kept would send it.
    pub fn requests(&self) -> Vec<Request> {
        let request = |url| {
            let head = format!(
                "GET /{}/{url} HTTP/1.1\r\nHost: bench.test\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n",
                self.bytes
            );
            Request { head: Bytes::from(head), body: Bytes::new(), bodiless_answer: false }
        };
        (0..self.urls).map(request).collect()
    }
}
