//! The operator protocol: one JSON object per line, a command one way, a reply the other.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

use crate::identity::{KeySummary, SecretKey};

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
    #[serde(rename = "key.create")]
    CreateKey { description: String },
    /// One page of keys, behind `after`.
    #[serde(rename = "key.list")]
    ListKeys { after: Option<String> },
    #[serde(rename = "key.disable")]
    DisableKey { access_key_id: String },
    #[serde(rename = "key.enable")]
    EnableKey { access_key_id: String },
    #[serde(rename = "key.delete")]
    DeleteKey { access_key_id: String },
}

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
    Done,
}

/// An answer, or why there is none, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    Ok(Answer),
    Error(String),
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

    #[test]
    fn lines_have_the_documented_form() {
        let command = Command::CreateKey { description: "laptop".into() };
        let line = r#"{"command":"key.create","description":"laptop"}"#;
        assert_eq!(serde_json::to_string(&command).unwrap(), line);
        assert_eq!(serde_json::from_str::<Command>(line).unwrap(), command);

        let secret_access_key = SecretKey::parse("a-secret").unwrap();
        let reply = Reply::Ok(Answer::CreatedKey { access_key_id: "BRIMA".into(), secret_access_key });
        let line = r#"{"ok":{"created_key":{"access_key_id":"BRIMA","secret_access_key":"a-secret"}}}"#;
        assert_eq!(serde_json::to_string(&reply).unwrap(), line);
        assert_eq!(serde_json::from_str::<Reply>(line).unwrap(), reply);
        assert!(!format!("{reply:?}").contains("a-secret"));
    }

    #[test]
    fn unknown_commands_and_fields_are_refused() {
        for line in [
            r#"{"command":"key.steal"}"#,
            r#"{"command":"key.disable","access_key_id":"a","force":true}"#,
            r#"{"command":"key.disable"}"#,
            "[]",
        ] {
            assert!(serde_json::from_str::<Command>(line).is_err(), "{line}");
        }
    }
}
