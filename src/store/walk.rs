//! Going through a table a page at a time, in bounded memory. Rows may change meanwhile: each page is a snapshot of its own.

use bytes::Bytes;

use super::bucket::behind;
use super::error::Error;
use crate::kv::{Item, Kv, Scan, Table};

/// A walk over a table or a part of it, in key order.
pub struct Walk {
    scan: Scan,
    ended: bool,
}

impl Walk {
    /// Over all rows that begin with `prefix`, `limit` at a time.
    pub fn prefix(table: Table, prefix: &[u8], limit: usize) -> Self {
        Self { scan: Scan::prefix(table, prefix, limit), ended: false }
    }

    /// Over a whole table, `limit` rows at a time.
    pub fn over(table: Table, limit: usize) -> Self {
        Self::prefix(table, b"", limit)
    }

    /// From `start` on, which is not before the walk's own start.
    pub fn from(mut self, start: Vec<u8>) -> Self {
        self.scan.start = start;
        self
    }

    /// Gives the next rows; none at the end.
    pub async fn next(&mut self, kv: &dyn Kv) -> Result<Vec<(Bytes, Bytes)>, Error> {
        if self.ended {
            return Ok(Vec::new());
        }
        let page = kv.scan(self.scan.clone()).await?;
        self.ended = !page.more;
        let mut rows = Vec::with_capacity(page.items.len());
        for item in page.items {
            let Item::Row { key, value } = item else { continue };
            rows.push((key, value));
        }
        match rows.last() {
            Some((last, _)) => self.scan.start = behind(last),
            None => self.ended = true,
        }
        Ok(rows)
    }
}
