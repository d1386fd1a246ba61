//! `brim site`: the real binary publishes folders on a real server, is killed, races itself, and is read meanwhile.

mod killing;
mod proxy;
mod publishing;
mod racing;
mod reading;
mod removing;
mod setting_up;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::Server;
use crate::signed::Signed;

/// A site's files by their paths.
type Files = BTreeMap<String, Vec<u8>>;

/// A folder to publish.
struct Folder(TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (path, content) in files {
            folder.write(path, content);
        }
        folder
    }

    fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn remove(&self, path: &str) {
        std::fs::remove_file(self.0.path().join(path)).unwrap();
    }

    /// What a deploy of it serves: every file.
    fn files(&self) -> Files {
        let mut files = Files::new();
        gather(self.0.path(), "", &mut files);
        files
    }
}

fn gather(folder: &Path, prefix: &str, files: &mut Files) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        match entry.path().is_dir() {
            true => gather(&entry.path(), &format!("{path}/"), files),
            false => _ = files.insert(path, std::fs::read(entry.path()).unwrap()),
        }
    }
}

/// A bucket on a server, and how commands reach it.
struct Site<'a> {
    server: &'a Server,
    bucket: String,
    endpoint: String,
}

impl<'a> Site<'a> {
    /// A site in a new bucket.
    async fn new(server: &'a Server) -> Self {
        let bucket = server.bucket().await;
        Self { server, bucket, endpoint: format!("http://{}", server.s3) }
    }

    fn client(&self) -> Signed {
        self.server.client()
    }

    /// `brim site` with these arguments, the bucket and the key.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = brim_site(arguments, &self.endpoint, &self.server.access_key, &self.server.secret_key);
        command.args(["--bucket", &self.bucket]);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// What a command that succeeds prints with `--json`.
    fn done(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What a command that fails says, with its status.
    fn refusal(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?} succeeds: {}", said(&output));
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    fn deploy(&self, folder: &Folder) -> Value {
        self.done(&["deploy", folder.path()])
    }

    /// Every key of the bucket with its entity tag.
    async fn keys(&self) -> BTreeMap<String, String> {
        let listing = self.client().get(&format!("/{}?list-type=2", self.bucket)).await;
        assert_eq!(listing.status, 200, "{listing:?}");
        listing.elements("Key").into_iter().zip(listing.elements("ETag")).collect()
    }

    /// The id of the live deploy.
    async fn live_id(&self) -> Option<String> {
        let pointer = self.client().get(&format!("/{}/.brim/current", self.bucket)).await;
        if pointer.status == 404 {
            return None;
        }
        let pointer: Value = serde_json::from_slice(&pointer.body).unwrap();
        Some(pointer["deploy"].as_str().unwrap().to_owned())
    }

    /// Every file of the live deploy: `None` without one. Fails where anything of it is missing.
    async fn live(&self) -> Option<Files> {
        let id = self.live_id().await?;
        let mut files = Files::new();
        for (path, file) in self.manifest(&id).await["files"].as_object().unwrap() {
            let key = format!("/{}/.brim/files/{}", self.bucket, file["sha256"].as_str().unwrap());
            let content = self.client().get(&key).await;
            assert_eq!(
                (content.status, content.body.len() as u64),
                (200, file["size"].as_u64().unwrap()),
                "{path} of {id}"
            );
            files.insert(path.clone(), content.body);
        }
        Some(files)
    }

    async fn manifest(&self, id: &str) -> Value {
        let manifest = self.client().get(&format!("/{}/.brim/deploys/{id}.json", self.bucket)).await;
        assert_eq!(manifest.status, 200, "the manifest of {id}: {manifest:?}");
        serde_json::from_slice(&manifest.body).unwrap()
    }
}

/// `brim site` with this key and nothing else of this process's environment.
fn brim_site(arguments: &[&str], endpoint: &str, access_key: &str, secret_key: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brim"));
    command.env_clear().env("AWS_ACCESS_KEY_ID", access_key).env("AWS_SECRET_ACCESS_KEY", secret_key);
    command.env("AWS_ENDPOINT_URL", endpoint).arg("site").args(arguments).stdin(Stdio::null());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), output.stderr.as_slice()].concat()).into_owned()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}
