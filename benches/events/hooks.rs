//! Servers with webhooks.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use bytes::Bytes;
use tempfile::TempDir;

use super::drive;
use super::options::Options;
use super::servers::{self, BUCKET, Site};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=\n";

/// A server whose bucket tells webhooks `hook0` and so on of what is created, each of the keys that begin with its number; a single
/// one is told of all keys. All of them are paused.
pub struct Hooks {
    pub site: Site,
    count: usize,
    folder: TempDir,
}

impl Hooks {
    /// `more` are further lines of each webhook's table.
    pub fn start(options: &Options, count: usize, receiver: SocketAddr, more: &str) -> Self {
        let folder = servers::directory(options);
        let secret = folder.path().join("secret");
        fs::write(&secret, SECRET).expect("a writable directory");
        fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).expect("a file of ours");
        let table = |number| {
            format!(
                "[[webhooks]]\nname = \"hook{number}\"\nurl = \"http://{receiver}/\"\nsecret_file = \"secret\"\n{more}\n"
            )
        };
        fs::write(folder.path().join("brim.toml"), (0..count).map(table).collect::<String>()).expect("room");
        let file = folder.path().join("brim.toml").display().to_string();
        let hooks = Self { site: servers::brim(options, &[("BRIM_CONFIG", &file)]), count, folder };
        hooks.pause(options, true);
        hooks.put_rules();
        hooks
    }

    fn put_rules(&self) {
        let filter = |number| match self.count {
            1 => String::new(),
            _ => format!(
                "<Filter><S3Key><FilterRule><Name>prefix</Name><Value>{number}</Value></FilterRule></S3Key></Filter>"
            ),
        };
        let rule = |number| {
            format!(
                "<QueueConfiguration><Queue>arn:brim:sqs:::hook{number}</Queue><Event>s3:ObjectCreated:*</Event>{}\
                 </QueueConfiguration>",
                filter(number)
            )
        };
        let rules: String = (0..self.count).map(rule).collect();
        let document = format!("<NotificationConfiguration>{rules}</NotificationConfiguration>");
        let skip = [("x-amz-skip-destination-validation", "true")];
        let target = format!("/{BUCKET}?notification=");
        drive::exchange(&self.site, &self.site.signer.presigned("PUT", &target, &skip, Bytes::from(document)));
    }

    /// Pauses all of them, or resumes them.
    pub fn pause(&self, options: &Options, paused: bool) {
        let action = if paused { "pause" } else { "resume" };
        for number in 0..self.count {
            self.command(options, &[action, &format!("hook{number}")]);
        }
    }

    /// How many entries of the log the first one is behind.
    pub fn backlog(&self, options: &Options) -> u64 {
        let shown = self.command(options, &["list", "--json"]);
        let list: serde_json::Value = serde_json::from_slice(&shown).expect("JSON");
        list[0]["status"]["backlog"].as_u64().unwrap_or_else(|| panic!("no backlog in {list}"))
    }

    fn command(&self, options: &Options, arguments: &[&str]) -> Vec<u8> {
        let mut command = Command::new(&options.brim);
        command.arg("webhook").args(arguments).arg("--data").arg(self.site.directory.path().join("data"));
        let done = command.output().expect("the binary starts");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        done.stdout
    }

    /// Ends the server, and starts it again behind `meanwhile`.
    pub fn restart(self, options: &Options, meanwhile: impl FnOnce(&std::path::Path)) -> Self {
        let Self { site, count, folder } = self;
        let directory = std::rc::Rc::clone(&site.directory);
        drop(site);
        meanwhile(&directory.path().join("data"));
        let file = folder.path().join("brim.toml").display().to_string();
        let site = servers::brim_on(options, directory, &[("BRIM_CONFIG", &file)]);
        Self { site, count, folder }
    }
}
