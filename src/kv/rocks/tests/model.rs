//! Scans against a model that walks every row.

use bytes::Bytes;
use proptest::prelude::*;

use super::super::super::contract::{RECORDS, TABLES};
use super::super::super::{Commit, Grouping, Item, Kv, MemoryKv, Page, Scan};
use super::super::Durability;
use super::Fresh;

/// What a scan gives, by the words of the contract: walks every row.
fn model(rows: &[Bytes], scan: &Scan) -> Page {
    let mut items: Vec<Item> = Vec::new();
    for key in rows {
        let in_range = *key >= scan.start && (scan.end.is_empty() || *key < scan.end);
        let folded = matches!(items.last(), Some(Item::Group(group)) if key.starts_with(group));
        if !in_range || folded {
            continue;
        }
        if items.len() == scan.limit {
            return Page { items, more: true };
        }
        items.push(match scan.group.as_ref().and_then(|grouping| grouping.group_of(key)) {
            Some(group) => Item::Group(Bytes::copy_from_slice(group)),
            None => Item::Row { key: key.clone(), value: key.clone() },
        });
    }
    Page { items, more: false }
}

fn short(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), Just(b'/'), Just(0), Just(0xff)], length)
}

fn scans() -> impl Strategy<Value = Scan> {
    let grouping = (0usize..4, short(1..3), proptest::option::of(short(1..3)))
        .prop_map(|(skip, delimiter, until)| Grouping { skip, delimiter, until });
    (short(0..4), short(0..4), 0usize..100, proptest::option::of(grouping))
        .prop_map(|(start, end, limit, group)| Scan { table: RECORDS, start, end, limit, group })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn scans_are_those_of_the_model(
        keys in proptest::collection::btree_set(short(0..7), 0..120),
        removed in proptest::collection::vec(short(0..7), 0..20),
        flushed in any::<bool>(),
        scans in proptest::collection::vec(scans(), 40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let memory = MemoryKv::new(TABLES);
            let fresh = Fresh::open(Durability::Relaxed);
            let mut rows: Vec<Bytes> = keys.into_iter().map(Bytes::from).collect();
            let mut put = Commit::new();
            for key in &rows {
                put = put.put(RECORDS, key.clone(), key.clone());
            }
            let delete = removed.iter().fold(Commit::new(), |commit, key| commit.delete(RECORDS, key.clone()));
            rows.retain(|key| !removed.iter().any(|removed| key == removed));
            for kv in [&memory as &dyn Kv, &fresh] {
                kv.commit(put.clone()).await.unwrap();
                if flushed {
                    fresh.kv.flush().unwrap();
                }
                kv.commit(delete.clone()).await.unwrap();
            }
            for scan in scans {
                let expected = model(&rows, &scan);
                assert_eq!(memory.scan(scan.clone()).await.unwrap(), expected, "memory {scan:?}");
                assert_eq!(fresh.scan(scan.clone()).await.unwrap(), expected, "rocks {scan:?}");
            }
        });
    }
}
