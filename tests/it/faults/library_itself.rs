//! The power loss library and the disk made of its journal, tried with a small program.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Output};

use super::disk::{Disk, Survival, Tree};
use super::library::{ALLOCATE, CREATE, DIRECT, Library, READ, REMOVE, RENAME, Rule, SWALLOWED, SYNC, WRITE};
use super::machine::Machine;
use crate::dice::Dice;

fn run(machine: &Machine, arguments: &str) -> Output {
    let mut command = Command::new(&Library::get().program);
    command.args(arguments.split_whitespace()).current_dir(machine.data()).envs(machine.environment());
    let output = command.output().expect("the program runs");
    assert!(output.status.success(), "{output:?}");
    output
}

fn said(machine: &Machine, arguments: &str) -> String {
    String::from_utf8(run(machine, arguments).stdout).expect("text")
}

/// What is left of what the program does, as `name=bytes` and `name/`.
fn left_of(arguments: &str, survival: &mut Survival) -> String {
    let mut machine = Machine::new();
    machine.boot();
    assert_eq!(said(&machine, arguments), "");
    machine.lose_power(survival);
    shown(&Disk::scan(&machine.data()).now())
}

fn shown(tree: &Tree) -> String {
    let shown = tree.iter().map(|(path, bytes)| match bytes {
        Some(bytes) => format!("{path}={}", String::from_utf8_lossy(bytes)),
        None => format!("{path}/"),
    });
    shown.collect::<Vec<_>>().join(" ")
}

#[test]
fn only_what_was_synced_is_left() {
    for (actions, left) in [
        ("create a append a one", ""),
        ("create a append a one sync a", ""),
        ("create a append a one sync .", "a="),
        ("create a append a one sync a sync .", "a=one"),
        ("create a append a one datasync a sync . append a two", "a=one"),
        ("create a append a onetwo sync a sync . put a 0 ONE resize a 4", "a=onetwo"),
        ("create a append a onetwo sync . put a 0 ONE resize a 4 sync a", "a=ONEt"),
        ("create a append a one sync a sync . create a", "a=one"),
        ("create a append a one sync a sync . rename a b", "a=one"),
        ("create a append a one sync a sync . rename a b sync .", "b=one"),
        ("create a append a one sync a sync . remove a", "a=one"),
        ("create a append a one sync a sync . remove a create b append b new sync b", "a=one"),
        ("create a append a one sync a sync . remove a sync .", ""),
        ("mkdir d create d/a append d/a one sync d/a sync d", ""),
        ("mkdir d sync . create d/a append d/a one sync d/a", "d/"),
        ("mkdir d sync . create d/a append d/a one sync d/a sync d", "d/ d/a=one"),
        ("create a create b append b new sync a sync b sync . rename b a", "a= b=new"),
        ("create a append a onetwo sync a sync . punch a 0 3", "a=onetwo"),
        ("create a append a onetwo sync a sync . punch a 0 3 sync a", "a=\0\0\0two"),
        ("create a sync a sync . allocate a 9000 append a x sync a", "a=x"),
    ] {
        assert_eq!(left_of(actions, &mut Survival::Nothing), left, "{actions}");
    }
}

#[test]
fn of_what_was_not_synced_anything_may_be_left() {
    let mut machine = Machine::new();
    machine.boot();
    run(&machine, "create a append a one sync a sync . append a two append a six create b rename a c");
    let disk = machine.replay();
    let every = |survival: fn(Dice) -> Survival| -> BTreeSet<String> {
        let left = |seed| {
            let target = tempfile::tempdir().expect("a temporary directory");
            disk.lose_power(&mut survival(Dice::new(seed)), target.path());
            shown(&Disk::scan(target.path()).now())
        };
        (0..300).map(left).collect()
    };
    let beginnings = every(Survival::Beginnings);
    for left in ["a=one", "a=onetw b=", "a=onetwo", "b= c=onetwosi"] {
        assert!(beginnings.contains(left), "{left} of {beginnings:?}");
    }
    assert!(beginnings.iter().all(|left| left.contains("=one")), "{beginnings:?}");
    let anything = every(Survival::Anything);
    assert!(anything.contains("c=onetwosix"), "{anything:?}");
    assert!(anything.iter().any(|left| left.contains("one\0\0\0six")), "{anything:?}");
}

#[test]
fn a_sync_that_is_swallowed_leaves_nothing_behind_it() {
    for (pattern, left) in [("a", "a="), (".*", "a=one"), ("", "")] {
        let mut machine = Machine::new();
        machine.boot();
        machine.control.set(0, &Rule { calls: SYNC, pattern, error: SWALLOWED, skip: 0, times: u64::MAX });
        assert_eq!(said(&machine, "create a append a one sync a sync ."), "");
        machine.lose_power(&mut Survival::Nothing);
        assert_eq!(shown(&Disk::scan(&machine.data()).now()), left, "{pattern}");
    }
}

#[test]
fn what_was_written_before_a_failed_sync_is_not_made_durable_by_the_next() {
    let mut machine = Machine::new();
    machine.boot();
    machine.control.set(0, &Rule { calls: SYNC, pattern: "a", error: libc::EIO, skip: 0, times: 1 });
    assert_eq!(said(&machine, "create a append a one sync a sync . put a 0 ON sync a"), "fsync: EIO\n");
    assert_eq!(machine.control.counts(0), (2, 1));
    machine.lose_power(&mut Survival::Nothing);
    assert_eq!(shown(&Disk::scan(&machine.data()).now()), "a=ON");
}

#[test]
fn the_nth_call_fails_and_does_nothing() {
    let rules = [
        (CREATE, "b", "create a create b", "open: EIO\n", "a="),
        (WRITE, "a", "create a append a one append a two append a six", "write: EIO\n", "a=onesix"),
        (RENAME, "c", "create a rename a c rename a b", "rename: EIO\n", "b="),
        (ALLOCATE, "*", "create a allocate a 100", "fallocate: EIO\n", "a="),
        (REMOVE, "a", "create a create b remove a remove b", "unlink: EIO\n", "a="),
        (READ, "a", "create a append a one read a read a", "read: EIO\none", "a=one"),
    ];
    for (calls, pattern, actions, errors, now) in rules {
        let mut machine = Machine::new();
        machine.boot();
        let skip = u64::from(calls == WRITE);
        machine.control.set(0, &Rule { calls, pattern, error: libc::EIO, skip, times: 1 });
        assert_eq!(said(&machine, actions), errors);
        assert_eq!(machine.control.counts(0).1, 1);
        assert_eq!(shown(&machine.replay().now()), now);
        assert_eq!(shown(&Disk::scan(&machine.data()).now()), now);
    }
}

#[test]
fn writes_past_the_page_cache_are_seen_refused_and_short_of_room_like_others() {
    const PAGE: usize = 4096;
    let prepared = || {
        let mut machine = Machine::new();
        machine.boot();
        machine
    };
    if !prepared().allows_direct_writes() {
        eprintln!("not tried: temporary files cannot be written past the page cache");
        return;
    }
    let pages = |count| "d".repeat(count * PAGE);
    for (actions, left) in [
        ("create a sync . direct a 2 end", "a=".to_owned()),
        ("create a sync . direct a 2 end sync a", format!("a={}end", pages(2))),
        ("create a sync . direct a 1 end sync a resize a 4096 direct a 1 x", format!("a={}end", pages(1))),
    ] {
        assert_eq!(left_of(actions, &mut Survival::Nothing), left, "{actions}");
    }

    let mut machine = prepared();
    machine.control.set(0, &Rule { calls: DIRECT, pattern: "a", error: libc::EIO, skip: 1, times: 1 });
    machine.control.set(1, &Rule { calls: WRITE, pattern: "a", error: 0, skip: 0, times: 0 });
    assert_eq!(said(&machine, "create a append a one resize a 4096 direct a 1 x"), "");
    assert_eq!(said(&machine, "resize a 4096 direct a 1 x"), "direct write: EIO\n");
    assert_eq!((machine.control.counts(0), machine.control.counts(1)), ((2, 1), (5, 0)));
    assert_eq!(machine.replay().now()["a"].as_ref().map(Vec::len), Some(PAGE + 1));

    // Of a write that the room does not suffice for, whole pages are taken.
    let machine = prepared();
    machine.control.set_capacity(machine.control.used() + 3 * PAGE as u64 - 100);
    assert_eq!(said(&machine, "create a direct a 4 x"), "direct write: 8192\n");
}

#[test]
fn a_disk_has_the_size_that_it_is_given() {
    let mut machine = Machine::new();
    machine.boot();
    machine.control.set_capacity(1 << 20);
    assert_eq!(
        said(&machine, "full a create b append b x allocate b 10000"),
        "write: ENOSPC\nwrite: ENOSPC\nfallocate: ENOSPC\n"
    );
    assert_eq!(fs::metadata(machine.data().join("a")).unwrap().len(), 1 << 20);
    assert_eq!(said(&machine, "remove a append b x allocate b 10000"), "");
    assert!(machine.control.used() < 1 << 17);
}
