//! A machine whose power can be cut and whose disk can fail: a data directory under the power loss library.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use tempfile::TempDir;

use super::disk::{Disk, Survival};
use super::journal::Journal;
use super::library::{Control, Library};
use crate::harness::Server;

/// A data directory and what the library keeps beside it.
pub struct Machine {
    home: TempDir,
    pub control: Control,
    /// The directory as it was found by the last start.
    disk: Disk,
}

impl Machine {
    /// A machine with an empty disk.
    pub fn new() -> Self {
        let home = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir(home.path().join("data")).expect("a new directory");
        let control = Control::create(&home.path().join("control"));
        let disk = Disk::scan(&home.path().join("data"));
        Self { home, control, disk }
    }

    pub fn data(&self) -> PathBuf {
        // The library knows files by the paths that the kernel gives them.
        self.home.path().canonicalize().expect("our own directory").join("data")
    }

    /// Whether files of this disk can be written past the page cache: not on every kind of file system.
    pub fn allows_direct_writes(&self) -> bool {
        OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(self.home.path().join("control")).is_ok()
    }

    fn journal(&self) -> PathBuf {
        self.home.path().join("journal")
    }

    /// The environment under which a process writes to this disk.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let text = |path: PathBuf| path.into_os_string().into_string().expect("temporary paths are UTF-8");
        vec![
            ("LD_PRELOAD", text(Library::get().preload.clone())),
            ("POWER_LOSS_ROOT", text(self.data())),
            ("POWER_LOSS_JOURNAL", text(self.journal())),
            ("POWER_LOSS_CONTROL", text(self.home.path().join("control"))),
        ]
    }

    /// Switches the machine on: what its disk holds now is durable.
    pub fn boot(&mut self) {
        self.disk = Disk::scan(&self.data());
        fs::write(self.journal(), "").expect("room for an empty file");
    }

    /// Switches the machine on and starts the server with these options.
    pub fn start(&mut self, options: &[(&str, &str)]) -> Result<Server, String> {
        self.boot();
        let environment = self.environment();
        let environment = environment.iter().map(|(name, value)| (*name, value.as_str()));
        Server::start_on(&self.data(), &environment.chain(options.iter().copied()).collect::<Vec<_>>())
    }

    /// Cuts the power, after whoever ran here was killed: the disk holds what was synced, and of the rest what `survival`
    /// says.
    pub fn lose_power(&mut self, survival: &mut Survival) {
        let before = self.home.path().join("before");
        let _ = fs::remove_dir_all(&before);
        self.replay();
        fs::rename(self.data(), &before).expect("nobody uses the directory");
        fs::create_dir(self.data()).expect("a new directory");
        self.disk.lose_power(survival, &self.data());
    }

    /// Takes in the journal; gives the disk.
    pub fn replay(&mut self) -> &Disk {
        for record in Journal::open(&self.journal()).expect("the journal was made by the start") {
            self.disk.apply(record);
        }
        fs::rename(self.journal(), self.home.path().join("journal.replayed")).expect("our own directory");
        &self.disk
    }
}

impl Drop for Machine {
    /// Leaves what there is to look at after a test that failed.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.home.disable_cleanup(true);
            eprintln!("the machine's disk, and what it was before the last power loss: {}", self.home.path().display());
        }
    }
}
