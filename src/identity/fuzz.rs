//! Fuzz target: rows of access keys.

use super::record::KeyRecord;
use super::{MasterKey, Status};
use crate::clock::Timestamp;
use crate::fuzz::{self, Mutated};

#[test]
fn rows_of_keys() {
    let master = MasterKey::generate().unwrap();
    let row = |status, description: &str| {
        let (created, secret) = (Timestamp::from_seconds(1), master.seal("BRIMA", "a-secret").unwrap());
        KeyRecord { status, created, description: description.to_owned(), secret }.encode()
    };
    let seeds = [row(Status::Active, ""), row(Status::Disabled, "laptop \u{e9}")];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(seeds, &["\u{1}", "\u{7f}"])).for_each(
        |row| {
            fuzz::promptly(|| {
                if let Some(record) = KeyRecord::decode(row) {
                    assert_eq!(KeyRecord::decode(&record.encode()).as_ref(), Some(&record));
                    // Whoever changed the sealed secret gets an error, never another secret.
                    if let Ok(secret) = master.open("BRIMA", &record.secret) {
                        assert_eq!(secret.as_str(), "a-secret");
                    }
                }
            });
        },
    );
}
