//! The operator protocol: one JSON object per line. A command one way; the other way any number of notes (`progress`,
//! `finding`) and then one reply (`ok` or `error`).
//!
//! A client that hangs up, or only closes its end, while a long command runs has it stopped.

use std::io;
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::edges::{EdgeCommand, EdgeList, Gone};
use super::explain::{Asked, Explanation};
use super::sites::SiteCommand;
use super::users::{UserCommand, UserDetails, UserSummary};
use super::webhooks::{ShownSecret, Webhook, WebhookCommand, WebhookDetails};
use crate::events::endpoint::EndpointId;
use crate::events::operate::{Attempt, DeadLetter, Page};
use crate::identity::{KeySummary, SecretKey};
use crate::names::{AccountId, BucketName, HostName};
pub use crate::report::Progress;
use crate::report::{Finding, Note};
use crate::store::{domains, fsck, scrub};

/// The socket's name in the data directory.
const SOCKET: &str = "admin.sock";

/// The longest line, in bytes.
pub const MAX_LINE_BYTES: usize = 256 * 1024;

/// The longest path that fits a socket address: `sun_path` of unix(7), with its final zero.
const MAX_SOCKET_PATH_BYTES: usize = 107;

/// What an operator wants done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", deny_unknown_fields)]
pub enum Command {
    /// Of a user, or of the account itself; of the default account where none is named.
    #[serde(rename = "key.create")]
    CreateKey { description: String, account: Option<AccountId>, user: Option<String> },
    /// Of a user that may do what an edge does with these buckets: made, or given that policy, first.
    #[serde(rename = "key.create_edge")]
    CreateEdgeKey { description: String, account: Option<AccountId>, user: Option<String>, buckets: Vec<BucketName> },
    /// Something with edges; only of a running server.
    #[serde(rename = "edge")]
    Edge { work: EdgeCommand },
    /// One page of keys, behind `after`.
    #[serde(rename = "key.list")]
    ListKeys { after: Option<String> },
    #[serde(rename = "key.disable")]
    DisableKey { access_key_id: String },
    #[serde(rename = "key.enable")]
    EnableKey { access_key_id: String },
    #[serde(rename = "key.delete")]
    DeleteKey { access_key_id: String },
    /// Something with users; in the default account where none is named.
    #[serde(rename = "user")]
    User { account: Option<AccountId>, work: UserCommand },
    /// Something with custom domains.
    #[serde(rename = "site")]
    Site { work: SiteCommand },
    /// Something with webhooks, only of a running server; in the default account where none is named.
    #[serde(rename = "webhook")]
    Webhook { account: Option<AccountId>, work: Box<WebhookCommand> },
    /// Judges a request that nobody made.
    #[serde(rename = "policy.explain")]
    Explain(Box<Asked>),
    /// Makes a checkpoint in `DIR/checkpoint/kv`, says so with a progress whose phase is [`HELD`], and keeps it and every blob
    /// that it points at until the client hangs up, or closes its end; then it is removed.
    #[serde(rename = "checkpoint.hold")]
    HoldCheckpoint,
    /// Checks references; with `repair`, only on the directory of a stopped server.
    #[serde(rename = "fsck")]
    Fsck { repair: bool },
    /// Reads every byte, `rate` bytes per second at most.
    #[serde(rename = "scrub")]
    Scrub { rate: Option<NonZeroU64>, restart: bool },
}

/// The phase in which a checkpoint is there to be copied.
pub const HELD: &str = "holding a checkpoint";

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    CreatedKey {
        access_key_id: String,
        #[serde(with = "plain_secret")]
        secret_access_key: SecretKey,
    },
    /// `after` asks for the next page; `None` at the end.
    Keys {
        keys: Vec<KeySummary>,
        after: Option<String>,
    },
    User(Box<UserDetails>),
    /// As [`Keys`](Self::Keys).
    Users {
        users: Vec<UserSummary>,
        after: Option<String>,
    },
    /// Names of inline policies.
    Policies(Vec<String>),
    /// A policy's document.
    Policy(String),
    /// As [`Keys`](Self::Keys).
    Domains {
        domains: Vec<domains::Summary>,
        after: Option<HostName>,
    },
    /// Where a domain was before it was given to a bucket; that very bucket where nothing changed.
    AddedDomain {
        before: Option<BucketName>,
    },
    /// The bucket that a domain was taken from.
    RemovedDomain {
        bucket: BucketName,
    },
    Explained(Box<Explanation>),
    Webhook(Box<WebhookDetails>),
    /// The secret is shown this once.
    WebhookSecret {
        webhook: Box<WebhookDetails>,
        secret: ShownSecret,
    },
    /// As [`Keys`](Self::Keys).
    Webhooks {
        webhooks: Vec<Webhook>,
        after: Option<EndpointId>,
    },
    Attempt(Box<Attempt>),
    Attempts(Page<Attempt>),
    DeadLetters(Page<DeadLetter>),
    /// How many messages there are to send, where that is known.
    Replaying {
        messages: Option<u64>,
    },
    Edges(EdgeList),
    Gone(Gone),
    Done,
    Checked(fsck::Summary),
    Scrubbed(scrub::Summary),
}

/// An answer, or why there is none, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Ok(Answer),
    Error(String),
}

/// One line of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    Progress(Progress),
    Finding(Box<Finding>),
    Ok(Answer),
    Error(String),
}

/// What a line is to the client.
pub enum Received {
    Note(Note),
    Reply(Reply),
}

impl Line {
    pub fn received(self) -> Received {
        match self {
            Self::Progress(progress) => Received::Note(Note::Progress(progress)),
            Self::Finding(finding) => Received::Note(Note::Finding(finding)),
            Self::Ok(answer) => Received::Reply(Reply::Ok(answer)),
            Self::Error(message) => Received::Reply(Reply::Error(message)),
        }
    }

    /// The line as it is sent, its end included. It may hold a secret, so it is wiped after use.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut text = Zeroizing::new(serde_json::to_vec(self).expect("a line has only texts and numbers"));
        text.push(b'\n');
        text
    }
}

impl From<Note> for Line {
    fn from(note: Note) -> Self {
        match note {
            Note::Progress(progress) => Self::Progress(progress),
            Note::Finding(finding) => Self::Finding(finding),
        }
    }
}

impl From<Reply> for Line {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Ok(answer) => Self::Ok(answer),
            Reply::Error(message) => Self::Error(message),
        }
    }
}

/// A secret on its way to the operator who made it: the one place where it is written out.
mod plain_secret {
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;
    use zeroize::Zeroizing;

    use crate::identity::SecretKey;

    pub fn serialize<S: Serializer>(secret: &SecretKey, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(secret.expose())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretKey, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        SecretKey::parse(&text).ok_or_else(|| D::Error::custom("not a secret access key"))
    }
}

/// The path of a data directory's socket, short enough for a socket address.
pub struct SocketPath {
    path: PathBuf,
    /// Keeps `/proc/self/fd/N` alive.
    _directory: Option<OwnedFd>,
}

impl SocketPath {
    /// Gives the socket's path in `directory`; where that is too long for a socket address, by way of a descriptor.
    pub fn of(directory: &Path) -> io::Result<Self> {
        let path = directory.join(SOCKET);
        if path.as_os_str().len() <= MAX_SOCKET_PATH_BYTES {
            return Ok(Self { path, _directory: None });
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let descriptor = rustix::fs::open(directory, flags, Mode::empty())?;
        let number = std::os::fd::AsRawFd::as_raw_fd(&descriptor);
        Ok(Self { path: PathBuf::from(format!("/proc/self/fd/{number}/{SOCKET}")), _directory: Some(descriptor) })
    }

    pub fn as_path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Unit;

    #[test]
    fn lines_have_the_documented_form() {
        let command = Command::CreateKey { description: "laptop".into(), account: None, user: Some("bob".into()) };
        let line = r#"{"command":"key.create","description":"laptop","account":null,"user":"bob"}"#;
        assert_eq!(serde_json::to_string(&command).unwrap(), line);
        assert_eq!(serde_json::from_str::<Command>(line).unwrap(), command);

        let secret_access_key = SecretKey::parse("a-secret").unwrap();
        let reply = Reply::Ok(Answer::CreatedKey { access_key_id: "BRIMA".into(), secret_access_key });
        let line = r#"{"ok":{"created_key":{"access_key_id":"BRIMA","secret_access_key":"a-secret"}}}"#;
        let sent = Line::from(reply.clone());
        assert_eq!(sent.encode().strip_suffix(b"\n").unwrap(), line.as_bytes());
        assert_eq!(serde_json::from_str::<Line>(line).unwrap(), sent);
        assert!(matches!(sent.received(), Received::Reply(received) if received == reply));
        assert!(!format!("{reply:?}").contains("a-secret"));

        let progress = Progress { phase: "copying".into(), done: 1, total: Some(2), unit: Unit::Bytes };
        let line = r#"{"progress":{"phase":"copying","done":1,"total":2,"unit":"bytes"}}"#;
        assert_eq!(serde_json::to_string(&Line::Progress(progress)).unwrap(), line);
    }

    #[test]
    fn unknown_commands_and_fields_are_refused() {
        for line in [
            r#"{"command":"key.steal"}"#,
            r#"{"command":"key.disable","access_key_id":"a","force":true}"#,
            r#"{"command":"key.disable"}"#,
            r#"{"command":"scrub","rate":0,"restart":false}"#,
            r#"{"command":"policy.explain","caller":"anonymous","action":"s3:GetObject","resource":"pail","steal":1}"#,
            r#"{"command":"user","account":null,"work":{"do":"steal","user":"bob"}}"#,
            r#"{"command":"webhook","account":null,"work":{"do":"steal","name":"hook"}}"#,
            r#"{"command":"webhook","account":null,"work":{"do":"show","name":"a.b"}}"#,
            r#"{"command":"site","work":{"do":"add","domain":"a_b.example","bucket":"pail"}}"#,
            r#"{"command":"site","work":{"do":"remove","domain":"www.example.com","account":"123456789012"}}"#,
            "[]",
        ] {
            assert!(serde_json::from_str::<Command>(line).is_err(), "{line}");
        }
    }
}
