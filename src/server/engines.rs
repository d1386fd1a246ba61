//! The storage engines on a data directory.

use std::path::PathBuf;
use std::sync::Arc;

use crate::config::{Durability, ServerConfig};
use crate::kv::rocks::{self, RocksKv, RocksOptions};
use crate::kv::{Error, Table};
use crate::store::tables;
use crate::{events, identity};

/// Every table of a data directory. An engine refuses a directory that holds a table which is not listed.
pub const TABLES: &[Table] = &[
    identity::KEYS,
    tables::META,
    tables::BUCKETS,
    tables::CURRENT,
    tables::INLINE,
    tables::REFS,
    tables::UPLOADS,
    tables::PARTS,
    tables::OFFSETS,
    tables::COMPLETED,
    tables::SWEEP,
    tables::LOG,
    tables::RENAMED,
    tables::CONFIGURATIONS,
    tables::VERSIONS,
    tables::HEADS,
    identity::IDENTITIES,
    tables::DOMAINS,
    tables::DISTRIBUTIONS,
    tables::NOTIFICATIONS,
    events::tables::ENDPOINTS,
    events::tables::CURSORS,
    events::tables::DEFERRED,
    events::tables::DEAD_LETTERS,
    events::tables::DELIVERIES,
    events::tables::REPLAYS,
];

/// Opens the metadata engine in `path`. Off the runtime's own threads, because replaying the log may take seconds.
pub async fn open_kv(path: PathBuf, config: &ServerConfig) -> Result<Arc<RocksKv>, Error> {
    let options = RocksOptions {
        durability: match config.store.durability {
            Durability::Strict => rocks::Durability::Strict,
            Durability::Relaxed => rocks::Durability::Relaxed,
        },
        memory_bytes: config.store.kv_memory,
        ..RocksOptions::default()
    };
    let opened = tokio::task::spawn_blocking(move || RocksKv::open(&path, options, TABLES)).await;
    opened.map_err(|stopped| Error::Engine(stopped.to_string()))?.map(Arc::new)
}

/// Finishes and syncs the queued commits. Later commits are refused.
pub async fn close_kv(kv: Arc<RocksKv>) {
    if let Err(stopped) = tokio::task::spawn_blocking(move || kv.close()).await {
        tracing::error!(error = %stopped, "the metadata engine did not close");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_dense_ids_and_distinct_names() {
        assert!(TABLES.iter().enumerate().all(|(index, table)| table.id == index));
        let names: std::collections::BTreeSet<_> = TABLES.iter().map(|table| table.name).collect();
        assert_eq!(names.len(), TABLES.len());
        assert!(tables::TABLES.iter().chain(&events::tables::TABLES).all(|table| TABLES.contains(table)));
    }
}
