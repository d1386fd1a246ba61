//! Fuzz targets: rows of identities, and session tokens.

use super::record::{
    Counts, Detail, EntityRecord, InlinePolicy, KeyHolder, KeyRecord, PolicyRecord, VersionRecord, decode, encode,
};
use super::token::{Session, SessionOf, Tokens};
use super::{MasterKey, Status};
use crate::clock::Timestamp;
use crate::fuzz::{self, Mutated};
use crate::names::AccountId;

const NOW: Timestamp = Timestamp::from_seconds(1);

#[test]
fn rows_of_keys() {
    let master = MasterKey::generate().unwrap();
    let row = |status, holder, description: &str| {
        let secret = master.seal("BRIMA", "a-secret").unwrap();
        KeyRecord { status, created: NOW, description: description.to_owned(), secret, holder }.encode()
    };
    let user = KeyHolder::User { account: AccountId::default(), name: "bob".to_owned(), id: "AIDA1".to_owned() };
    let mut old = row(Status::Active, KeyHolder::DefaultAccount, "");
    // A row of the version before: without a holder.
    old[0] = 1;
    old.pop();
    let seeds = [
        old,
        row(Status::Active, KeyHolder::Account(AccountId::default()), ""),
        row(Status::Disabled, user, "laptop \u{e9}"),
    ];
    assert!(seeds.iter().all(|seed| KeyRecord::decode(seed).is_some()));
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

#[test]
fn rows_of_identities() {
    let entity = |detail| {
        let inline = vec![InlinePolicy { name: "p".to_owned(), document: "{}".to_owned() }];
        let (name, path, id) = ("bob".to_owned(), "/a/".to_owned(), "AIDA1".to_owned());
        encode(&EntityRecord { name, path, id, created: NOW, inline, attached: vec!["arn".to_owned()], detail })
    };
    let version = VersionRecord { number: 1, created: NOW, document: "{}".to_owned() };
    let policy = PolicyRecord {
        name: "p".to_owned(),
        path: "/".to_owned(),
        id: "ANPA1".to_owned(),
        description: String::new(),
        created: NOW,
        updated: NOW,
        attachments: 1,
        versions: vec![version],
        default_version: 1,
        next_version: 2,
    };
    let role = Detail::Role { description: String::new(), trust: "{}".to_owned(), max_session_seconds: 3600 };
    let seeds = [
        entity(Detail::User { keys: vec!["BRIMA".to_owned()], groups: vec!["g".to_owned()] }),
        entity(Detail::Group { members: 1 }),
        entity(role),
        encode(&policy),
        encode(&Counts { users: 1, groups: 2, roles: 3, policies: 4 }),
    ];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(seeds, &["\u{1}", "\u{7f}"])).for_each(
        |row| {
            fuzz::promptly(|| {
                if let Some(record) = decode::<EntityRecord>(row) {
                    assert_eq!(decode(&encode(&record)), Some(record));
                }
                if let Some(record) = decode::<PolicyRecord>(row) {
                    let _ = record.default_document();
                    assert_eq!(decode(&encode(&record)), Some(record));
                }
                if let Some(record) = decode::<Counts>(row) {
                    assert_eq!(decode(&encode(&record)), Some(record));
                }
            });
        },
    );
}

#[test]
fn session_tokens() {
    let tokens = Tokens::new(&MasterKey::generate().unwrap());
    let session = Session {
        secret: "a-secret".to_owned(),
        account: AccountId::default(),
        of: SessionOf::Root,
        expires: NOW,
        policy: Some("{}".to_owned()),
        policy_arns: Vec::new(),
    };
    let seeds = [tokens.seal("BRITA", &session).unwrap().into_bytes()];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new(seeds, &["=", "+", "/"])).for_each(
        |token| {
            fuzz::promptly(|| {
                // Whatever opens is what was sealed: no changed token passes.
                if let Ok(token) = std::str::from_utf8(token)
                    && let Ok(opened) = tokens.open("BRITA", token)
                {
                    assert_eq!(opened, session);
                }
            });
        },
    );
}
