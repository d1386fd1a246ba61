//! `tests/power_loss/`, compiled: the library that is put in front of libc, and the file through which it is told what
//! shall fail.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const SOURCES: [&str; 9] = ["bytes", "journal", "names", "place", "reads", "refused", "rules", "space", "syncs"];

/// Kinds of calls: `enum call` of `power_loss.h`.
pub const CREATE: u32 = 1;
pub const WRITE: u32 = 2;
pub const SYNC: u32 = 4;
pub const RENAME: u32 = 8;
pub const ALLOCATE: u32 = 16;
pub const REMOVE: u32 = 64;
/// Of the writes those past the page cache.
pub const DIRECT: u32 = 128;
pub const READ: u32 = 256;

/// Seems to succeed and does nothing.
pub const SWALLOWED: i32 = 0;

const RULE_BYTES: u64 = 104;
const RULES_AT: u64 = 16;
const RULES: u64 = 24;
const PATTERN_BYTES: usize = 64;

/// The library and the program for its own tests, compiled once for all tests of this process.
pub struct Library {
    pub preload: PathBuf,
    pub program: PathBuf,
}

/// Calls that fail: those of `calls` on files whose path below the root matches `pattern`, from the one after `skip` on,
/// `times` of them.
#[derive(Debug, Clone)]
pub struct Rule {
    pub calls: u32,
    pub pattern: &'static str,
    pub error: i32,
    pub skip: u64,
    pub times: u64,
}

/// The file that the library and the test share.
pub struct Control {
    file: File,
}

impl Library {
    pub fn get() -> &'static Self {
        static LIBRARY: OnceLock<Library> = OnceLock::new();
        LIBRARY.get_or_init(Self::compile)
    }

    fn compile() -> Self {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/power_loss");
        // A name of this process's own, then renamed: test processes may run side by side.
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let built = |name: &str, arguments: &[&str], files: &[&str]| {
            let (new, path) = (target.join(format!("{name}.{}", std::process::id())), target.join(name));
            let mut command = Command::new("cc");
            command
                .args(["-O2", "-Wall", "-Wextra", "-Werror", "-Wno-missing-attributes", "-o"])
                .arg(&new)
                .args(arguments);
            command.args(files.iter().map(|file| sources.join(format!("{file}.c"))));
            let output = command.args(["-ldl", "-pthread"]).output().expect("a C compiler");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            std::fs::rename(new, &path).expect("the same directory");
            path
        };
        Self {
            preload: built("power_loss.so", &["-shared", "-fPIC"], &SOURCES),
            program: built("power_loss_program", &[], &["program"]),
        }
    }
}

impl Control {
    /// Makes the file, with no rule and the disk's own size.
    pub fn create(path: &Path) -> Self {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path).expect("a new file");
        file.set_len(RULES_AT + RULES * RULE_BYTES).expect("room for a small file");
        Self { file }
    }

    /// Sets rule `slot`, with its counts at 0.
    pub fn set(&self, slot: u64, rule: &Rule) {
        assert!(slot < RULES && rule.pattern.len() < PATTERN_BYTES);
        self.clear(slot);
        let mut pattern = [0; PATTERN_BYTES];
        pattern[..rule.pattern.len()].copy_from_slice(rule.pattern.as_bytes());
        let (mut rest, error) = (Vec::new(), rule.error.to_ne_bytes());
        for number in [rule.skip, rule.times, 0, 0] {
            rest.extend(number.to_ne_bytes());
        }
        rest.extend(pattern);
        self.write(RULES_AT + slot * RULE_BYTES + 4, &[&error[..], &rest].concat());
        // The kinds last: they switch the rule on.
        self.write(RULES_AT + slot * RULE_BYTES, &rule.calls.to_ne_bytes());
    }

    /// Switches rule `slot` off.
    pub fn clear(&self, slot: u64) {
        self.write(RULES_AT + slot * RULE_BYTES, &0u32.to_ne_bytes());
    }

    /// How many calls matched rule `slot` since it was set, and how many of them failed.
    pub fn counts(&self, slot: u64) -> (u64, u64) {
        let at = RULES_AT + slot * RULE_BYTES + 24;
        (self.number(at), self.number(at + 8))
    }

    /// Makes the disk seem to have this size; 0: its own.
    pub fn set_capacity(&self, bytes: u64) {
        self.write(0, &bytes.to_ne_bytes());
    }

    /// The room that the directory takes.
    pub fn used(&self) -> u64 {
        self.number(8)
    }

    fn number(&self, at: u64) -> u64 {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, at).expect("the control file has its size");
        u64::from_ne_bytes(bytes)
    }

    fn write(&self, at: u64, bytes: &[u8]) {
        self.file.write_all_at(bytes, at).expect("the control file has its size");
    }
}
