//! Accounts and users as operators see them: declared in the configuration, read again at SIGHUP, managed by `brim user`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::harness::Server;
use crate::operator::{brim, data};
use crate::raw::{Answer, Raw};
use crate::signed::{Payload, Signed};

/// How long a change of the configuration may take to take effect before the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

const ALLOW: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;

/// A configuration file, with one user of the default account who may do everything and has this key.
struct Config(PathBuf);

impl Config {
    fn new(directory: &Path, key: &str) -> Self {
        let config = Self(directory.join("brim.toml"));
        config.write(&format!(
            "[[account]]\nid = '000000000000'\n[[account.user]]\nname = 'alice'\n\
             keys = [{{ access_key_id = '{key}', secret_access_key = 'secret-of-alice' }}]\n\
             policies = [{{ name = 'all', document = '{ALLOW}' }}]\n"
        ));
        config
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.0, text).unwrap();
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

pub fn hangup(server: &Server) {
    let status = Command::new("kill").args(["-HUP", &server.process().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Asks again and again until the answer is the wanted one.
pub async fn wait_for(what: &str, mut wanted: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !wanted().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn list(server: &Server, key: &str, secret: &str) -> Answer {
    Signed::new(server.s3, key, secret).get("/").await
}

fn run(data: &Path, arguments: &[&str]) -> Output {
    brim(arguments).arg("--json").arg("--data").arg(data).output().unwrap()
}

fn json(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn a_hangup_changes_the_accounts_and_drops_no_request() {
    let parent = tempfile::tempdir().unwrap();
    let config = Config::new(parent.path(), "ALICE1");
    let server = Server::start_on(&parent.path().join("data"), &[("BRIM_CONFIG", config.path())]).unwrap();
    let bucket = server.bucket().await;
    assert_eq!(list(&server, "ALICE1", "secret-of-alice").await.status, 200);
    assert_eq!(list(&server, "ALICE2", "secret-of-alice").await.error(), (403, "InvalidAccessKeyId".into()));

    // A request that began before ends after.
    let client = Signed::new(server.s3, "ALICE1", "secret-of-alice");
    let upload = [("content-length", "6"), ("content-type", "text/plain")];
    let head = client.sign("PUT", &format!("/{bucket}/slow"), &upload, Payload::Named("UNSIGNED-PAYLOAD"));
    let mut raw = Raw::connect(server.s3).await;
    raw.send(head.bytes(&[])).await;
    raw.send("abc").await;

    Config::new(parent.path(), "ALICE2");
    hangup(&server);
    wait_for("the new key works", async || list(&server, "ALICE2", "secret-of-alice").await.status == 200).await;
    assert_eq!(list(&server, "ALICE1", "secret-of-alice").await.error(), (403, "InvalidAccessKeyId".into()));
    raw.send("def").await;
    assert_eq!(raw.answer().await.status, 200);
    assert_eq!(server.client().get(&format!("/{bucket}/slow")).await.body, b"abcdef");
}

#[tokio::test]
async fn a_wrong_configuration_leaves_the_one_before_in_force() {
    let parent = tempfile::tempdir().unwrap();
    let config = Config::new(parent.path(), "ALICE1");
    let mut server = Server::start_on(&parent.path().join("data"), &[("BRIM_CONFIG", config.path())]).unwrap();
    config.write("colour = 1\n[[account]]\nid = '1'\nkey = [{ access_key_id = 'A', secret_access_key = 'hunter2' }]\n");
    hangup(&server);
    wait_for("the faults are logged", async || server.log().contains("stays in force")).await;
    let log = server.log();
    for fault in ["colour", "id is \"1\"", "access_key_id is"] {
        assert!(log.lines().any(|line| line.contains("ERROR") && line.contains(fault)), "{fault} not in {log}");
    }
    assert!(!log.contains("hunter2"), "{log}");
    assert_eq!(list(&server, "ALICE1", "secret-of-alice").await.status, 200);

    // What cannot change while the server runs is named.
    Config::new(parent.path(), "ALICE1");
    let text = std::fs::read_to_string(config.path()).unwrap();
    config.write(&format!("workers = 3\n[limits]\nkeep_alive = '9s'\n{text}"));
    hangup(&server);
    wait_for("the options are named", async || server.log().contains("workers, limits.keep_alive")).await;
    assert!(server.is_running());
}

#[tokio::test]
async fn users_are_managed_while_the_server_runs_and_while_it_does_not() {
    let (_parent, data) = data();
    let mut server = Server::start_on(&data, &[]).unwrap();
    let policy = data.with_file_name("policy.json");
    std::fs::write(&policy, ALLOW).unwrap();
    let made = json(&run(&data, &["user", "create", "Bob", "--path", "/team/"]));
    assert_eq!((&made["user"]["name"], &made["user"]["path"]), (&"Bob".into(), &"/team/".into()));
    json(&run(&data, &["user", "policy", "put", "bob", "all", policy.to_str().unwrap()]));
    let key = json(&run(&data, &["key", "create", "--user", "bob"]));
    let (id, secret) = (key["access_key_id"].as_str().unwrap(), key["secret_access_key"].as_str().unwrap());
    assert_eq!(list(&server, id, secret).await.status, 200);
    let shown = json(&run(&data, &["user", "show", "BOB"]));
    assert_eq!(shown["keys"][0]["access_key_id"], id);
    assert_eq!(shown["inline_policies"], serde_json::json!(["all"]));
    assert_eq!(json(&run(&data, &["user", "policy", "show", "bob", "all"]))["Version"], "2012-10-17");
    json(&run(&data, &["key", "disable", id]));
    assert_eq!(list(&server, id, secret).await.error(), (403, "InvalidAccessKeyId".into()));
    assert!(!server.log().contains(secret), "{}", server.log());

    // Killed: what was answered stays done.
    server.kill();
    let keys = json(&run(&data, &["key", "list"]));
    assert_eq!((&keys[0]["user"], &keys[0]["status"]), (&"Bob".into(), &"disabled".into()));
    let refused = run(&data, &["user", "delete", "bob"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("while it has access keys"), "{refused:?}");
    json(&run(&data, &["key", "delete", id]));
    json(&run(&data, &["user", "policy", "delete", "bob", "all"]));
    json(&run(&data, &["user", "delete", "bob"]));
    assert_eq!(json(&run(&data, &["user", "list"])), serde_json::json!([]));
    let wrong = run(&data, &["user", "create", "bob", "--account", "999999999999"]);
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("there is no account 999999999999"), "{wrong:?}");
}

#[tokio::test]
async fn what_the_configuration_declares_is_shown_and_not_changed() {
    let parent = tempfile::tempdir().unwrap();
    let config = Config::new(parent.path(), "ALICE1");
    let data = parent.path().join("data");
    let server = Server::start_on(&data, &[("BRIM_CONFIG", config.path())]).unwrap();
    let users = json(&run(&data, &["user", "list"]));
    assert_eq!((&users[0]["name"], &users[0]["declared"]), (&"alice".into(), &true.into()));
    assert_eq!(json(&run(&data, &["user", "show", "alice"]))["keys"][0]["access_key_id"], "ALICE1");
    for change in
        [&["user", "delete", "alice"][..], &["key", "create", "--user", "alice"], &["key", "delete", "ALICE1"]]
    {
        let refused = run(&data, change);
        assert_eq!(refused.status.code(), Some(1), "{change:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("set by the configuration"), "{refused:?}");
    }
    assert_eq!(list(&server, "ALICE1", "secret-of-alice").await.status, 200);
}
